//! The service in a process of its own, which can be counted and starved: this test program, started again.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use rpc::{Limits, Tls as Certificates, TlsFiles};
use tokio::net::TcpListener;

pub const FOLDER: &str = "WIRE_CHILD_KEYS";
const CONNECTIONS: &str = "WIRE_CHILD_CONNECTIONS";
const TLS: &str = "WIRE_CHILD_TLS";

/// The other side of [`Process::start`]; without a parent there is nothing to do.
#[test]
fn the_child_serves() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        // Its log goes where the parent reads.
        let _log = boot::telemetry::Telemetry::start("archive", "warn", boot::telemetry::Look::Short, None).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("\nserves at {}", listener.local_addr().unwrap());
        let limits = Limits {
            connections_per_address: usize::MAX,
            first_request: Duration::from_secs(60),
            ..Limits::default()
        };
        let limits = match std::env::var(CONNECTIONS) {
            Ok(number) => Limits {
                connections: number.parse().unwrap(),
                ..limits
            },
            Err(_) => limits,
        };
        let tls = std::env::var(TLS)
            .is_ok()
            .then(|| Certificates::new(TlsFiles::in_folder(Path::new(&folder), "archive")).unwrap());
        let _world = crate::world::start(listener, limits, tls);
        std::future::pending::<()>().await
    });
}

/// A process that serves; killed when dropped.
pub struct Process {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    pub address: SocketAddr,
}

impl Process {
    /// `descriptors` is how many the process may open, `connections` how many connections it grants; by default as production does.
    pub fn start(descriptors: usize, connections: Option<usize>, tls: bool) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -n $0 && exec \"$@\"", &descriptors.to_string()])
            .arg(program)
            .args(["child::the_child_serves", "--exact", "--nocapture"])
            .env(FOLDER, crate::world::keys())
            .env_remove(CONNECTIONS)
            .env_remove(TLS)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(connections) = connections {
            command.env(CONNECTIONS, connections.to_string());
        }
        if tls {
            command.env(TLS, "1");
        }
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("serves at ").map(str::to_owned))
            .expect("an address");
        let log = Arc::new(Mutex::new(vec![]));
        let told = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn({
            let log = log.clone();
            move || told.map_while(Result::ok).for_each(|line| log.lock().unwrap().push(line))
        });
        Self {
            child,
            log,
            address: address.parse().unwrap(),
        }
    }

    /// Lines of its log so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(name)
    }

    /// Seconds of processor time so far.
    pub fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(self.proc("stat")).unwrap();
        let words: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks = words[11].parse::<f64>().unwrap() + words[12].parse::<f64>().unwrap();
        ticks / 100.0
    }

    /// Bytes in memory.
    pub fn memory(&self) -> usize {
        self.pages(1)
    }

    /// Bytes that it has reserved, whether it has written to them or not.
    pub fn reserved(&self) -> usize {
        self.pages(0)
    }

    fn pages(&self, at: usize) -> usize {
        let statm = std::fs::read_to_string(self.proc("statm")).unwrap();
        statm.split_whitespace().nth(at).unwrap().parse::<usize>().unwrap() * 4096
    }

    /// Most bytes in memory since [`forget`](Self::forget).
    pub fn peak(&self) -> usize {
        let status = std::fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
    }

    /// Begins the peak anew.
    pub fn forget(&self) {
        std::fs::write(self.proc("clear_refs"), "5").unwrap();
    }

    /// Open descriptors.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(self.proc("fd")).unwrap().count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
