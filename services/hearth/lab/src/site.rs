use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    net::TcpListener,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};

use database::Engine;
use tokio::net::TcpStream;

use crate::{
    SERVICES,
    client::Client,
    history::History,
    proxy::Proxy,
    seed::{fresh, say},
};

/// Longest wait until a service serves.
const START: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(10);
/// Below the ports that systems give away by themselves.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// The program that is every service: this one, unless a test names it.
pub fn program(named: Option<&str>) -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| named.map_or_else(|| std::env::current_exe().unwrap(), PathBuf::from))
}

/// The four services on databases of their own, as processes of this one.
pub struct Site {
    pub engine: Engine,
    pub client: Client,
    pub history: History,
    /// What the services reach each other through, by whom they reach; empty where they do so straight.
    pub links: BTreeMap<&'static str, Proxy>,
    folder: tempfile::TempDir,
    slots: Vec<Slot>,
}

struct Slot {
    name: &'static str,
    port: u16,
    url: String,
    child: Mutex<Option<Child>>,
}

impl Site {
    /// Starts all four, with a relay before each where `linked`; none on a machine without the engine.
    pub async fn start(engine: Engine, linked: bool) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("hearth-lab-").tempdir().unwrap();
        boot::keys::make(&folder.path().join("keys"), &[]).unwrap();
        let mut slots = vec![];
        for service in SERVICES {
            let url = match engine {
                Engine::Sqlite => format!("sqlite://{}", folder.path().join(format!("{}.db", service.name)).display()),
                Engine::Postgres => testbed::postgres::migrated(service).await?,
            };
            slots.push(Slot {
                name: service.name,
                port: port(),
                url,
                child: Mutex::default(),
            });
        }
        let mut links = BTreeMap::new();
        for slot in slots.iter().filter(|_| linked) {
            links.insert(slot.name, Proxy::to(&format!("127.0.0.1:{}", slot.port)).await);
        }
        let site = Self {
            engine,
            links,
            client: Client::new(&folder.path().join("keys")),
            history: History::new(&folder.path().join("history")),
            folder,
            slots,
        };
        for service in SERVICES {
            site.spawn(service.name, None);
        }
        for service in SERVICES {
            site.serving(service.name).await;
        }
        Some(site)
    }

    fn slot(&self, name: &str) -> &Slot {
        self.slots.iter().find(|s| s.name == name).unwrap()
    }

    pub fn address(&self, name: &str) -> String {
        format!("https://127.0.0.1:{}", self.slot(name).port)
    }

    /// Where its database is.
    pub fn url(&self, name: &str) -> &str {
        &self.slot(name).url
    }

    /// Starts a service that does not run; `failpoint` is such as `commit.before:3`.
    pub fn spawn(&self, name: &str, failpoint: Option<&str>) {
        let slot = self.slot(name);
        let keys = self.folder.path().join("keys");
        let log = OpenOptions::new().create(true).append(true).open(self.log(name)).unwrap();
        let mut command = Command::new(program(None));
        command
            .arg0(format!("hearth-{name}"))
            .env_clear()
            .env("HEARTH_DATABASE_URL", &slot.url)
            .env("HEARTH_LISTEN", format!("127.0.0.1:{}", slot.port))
            .env("HEARTH_ISSUER", boot::keys::ISSUER)
            .env("HEARTH_JWKS", keys.join("jwks.json"))
            .env("HEARTH_TLS_CA", keys.join("ca.pem"))
            .env("HEARTH_TLS_CERTIFICATE", keys.join(format!("{name}.pem")))
            .env("HEARTH_TLS_KEY", keys.join(format!("{name}.key.pem")))
            .env("HEARTH_VAULT_KEYS", keys.join(format!("{name}.vault")))
            .env("HEARTH_FILES", self.folder.path().join(format!("{name}-files")))
            .env("HEARTH_LOG", "warn")
            .envs(failpoint.map(|point| ("HEARTH_FAILPOINT", point)));
        for other in &self.slots {
            let address = self.links.get(other.name).map_or_else(|| self.address(other.name), Proxy::address);
            command.env(format!("HEARTH_{}", other.name.to_uppercase()), address);
        }
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let before = slot.child.lock().unwrap().replace(child);
        assert!(before.is_none(), "{name} runs already");
    }

    /// Waits until a service serves; says how long that took.
    pub async fn serving(&self, name: &str) -> Duration {
        let (began, ca) = (Instant::now(), self.folder.path().join("keys/ca.pem"));
        loop {
            if let Some(status) = self.ended(name) {
                panic!("{name} ended by itself: {status}\n{}", self.tail(name));
            }
            // Asked only once somebody listens: a handshake costs processor time that the start needs.
            let listens = TcpStream::connect(("127.0.0.1", self.slot(name).port)).await.is_ok();
            if listens && rpc::healthy(&self.address(name), &ca).await.is_ok() {
                return began.elapsed();
            }
            assert!(began.elapsed() < START, "{name} does not serve\n{}", self.tail(name));
            tokio::time::sleep(LOOK).await;
        }
    }

    /// kill -9, and the process is reaped.
    pub fn kill(&self, name: &str) {
        let mut child = self.slot(name).child.lock().unwrap().take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Kills a service and starts it again; says how long it took from the start until it served.
    pub async fn kill_and_restart(&self, name: &str) -> Duration {
        self.kill(name);
        self.spawn(name, None);
        self.serving(name).await
    }

    /// SIGSTOP, SIGCONT or SIGTERM, by its name without SIG.
    pub fn signal(&self, name: &str, signal: &str) {
        let pid = self.slot(name).child.lock().unwrap().as_ref().unwrap().id();
        let outcome = Command::new("sh").args(["-c", &format!("kill -{signal} {pid}")]).status().unwrap();
        assert!(outcome.success(), "SIG{signal} to {name}");
    }

    /// How a process ended, where it has.
    pub fn ended(&self, name: &str) -> Option<ExitStatus> {
        self.slot(name).child.lock().unwrap().as_mut().unwrap().try_wait().unwrap()
    }

    /// Whether a service has ended in an abort; it can be spawned again then.
    pub fn aborted(&self, name: &str) -> bool {
        let mut child = self.slot(name).child.lock().unwrap();
        match child.as_mut().unwrap().try_wait().unwrap() {
            None => false,
            Some(status) => {
                // 6 is SIGABRT.
                assert_eq!(status.signal(), Some(6), "{name} ended: {status}\n{}", self.tail(name));
                *child = None;
                true
            }
        }
    }

    /// Stops a service as an operator does and gives the status of its exit.
    pub async fn terminate(&self, name: &str) -> ExitStatus {
        self.signal(name, "TERM");
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended(name) {
                *self.slot(name).child.lock().unwrap() = None;
                return status;
            }
            assert!(began.elapsed() < START, "{name} does not end at SIGTERM");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Fails where a service has ended by itself.
    pub fn assert_running(&self) {
        for slot in &self.slots {
            if let Some(status) = self.ended(slot.name) {
                panic!("{} ended by itself: {status}\n{}", slot.name, self.tail(slot.name));
            }
        }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    fn tail(&self, name: &str) -> String {
        let text = fs::read_to_string(self.log(name)).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for slot in &self.slots {
            if let Some(mut child) = slot.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
                // It may have ended by itself.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        if std::thread::panicking() {
            let kept = std::env::temp_dir().join(format!("hearth-lab-failed-{}", fresh()));
            if fs::rename(self.folder.path(), &kept).is_ok() {
                say(&format!("databases, logs and the history are kept in {}", kept.display()));
            }
        }
    }
}

/// A port that nobody has at the moment.
fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = PORTS.end - PORTS.start;
    let base = (std::process::id().wrapping_mul(64) % u32::from(span)) as u16;
    loop {
        let port = PORTS.start + (base + NEXT.fetch_add(1, Ordering::Relaxed)) % span;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
