//! A PostgreSQL server that a test may kill, freeze and start again. It is a direct child: a killed one that nobody waits for would keep its place.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, Statement};
use testbed::means::has;

pub struct Server {
    binaries: PathBuf,
    folder: tempfile::TempDir,
    owner: Option<(u32, u32)>,
    port: u16,
    child: Child,
}

/// A port that nobody has.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn url(port: u16) -> String {
    format!("postgres://hearth@127.0.0.1:{port}/postgres")
}

pub fn binaries() -> Option<PathBuf> {
    let found = testbed::postgres::binaries();
    has("PostgreSQL server", found.is_some()).then_some(found).flatten()
}

fn id(user: &str, flag: &str) -> Option<u32> {
    let output = Command::new("id").args([flag, user]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().ok()
}

fn as_owner(command: &mut Command, owner: Option<(u32, u32)>) -> &mut Command {
    match owner {
        Some((uid, gid)) => command.uid(uid).gid(gid).current_dir("/"),
        None => command,
    }
}

impl Server {
    /// On this port; `None` where the machine has no PostgreSQL.
    pub fn start(port: u16) -> Option<Self> {
        let binaries = binaries()?;
        let folder = tempfile::tempdir().unwrap();
        let root = Command::new("id").arg("-u").output().unwrap().stdout.trim_ascii() == b"0";
        // PostgreSQL refuses to run as root.
        let owner = root.then(|| (id("postgres", "-u").unwrap_or(65534), id("postgres", "-g").unwrap_or(65534)));
        if let Some((uid, gid)) = owner {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let mut initdb = Command::new(binaries.join("initdb"));
        initdb.args(["-U", "hearth", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]);
        initdb.arg(folder.path().join("data")).stdout(Stdio::null());
        assert!(as_owner(&mut initdb, owner).status().unwrap().success());
        let child = run(&binaries, &folder, owner, port);
        let server = Self {
            binaries,
            folder,
            owner,
            port,
            child,
        };
        server.wait_until_ready();
        Some(server)
    }

    /// Starts it again after an end; says how long that took.
    pub fn start_again(&mut self) -> Duration {
        let from = Instant::now();
        self.child = run(&self.binaries, &self.folder, self.owner, self.port);
        self.wait_until_ready();
        from.elapsed()
    }

    /// Ends the postmaster by a signal and waits for it.
    pub fn end(&mut self, signal: &str) {
        kill(signal, self.child.id());
        self.child.wait().unwrap();
    }

    /// The postmaster and all its children.
    pub fn processes(&self) -> Vec<u32> {
        let own = self.child.id();
        // It may have ended.
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        std::iter::once(own)
            .chain(children.split_whitespace().map(|child| child.parse().unwrap()))
            .collect()
    }

    /// Gives a folder to the user that runs the server.
    pub fn own(&self, folder: &Path) {
        if let Some((uid, gid)) = self.owner {
            std::os::unix::fs::chown(folder, Some(uid), Some(gid)).unwrap();
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn wait_until_ready(&self) {
        let from = Instant::now();
        let ready = || {
            let mut command = Command::new(self.binaries.join("pg_isready"));
            command.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
            TcpStream::connect(("127.0.0.1", self.port)).is_ok() && command.status().unwrap().success()
        };
        while !ready() {
            assert!(from.elapsed() < Duration::from_secs(60), "PostgreSQL does not start:\n{}", self.log());
            thread::yield_now();
        }
    }
}

fn run(binaries: &Path, folder: &tempfile::TempDir, owner: Option<(u32, u32)>, port: u16) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.path().join("log")).unwrap();
    let mut command = Command::new(binaries.join("postgres"));
    command.arg("-D").arg(folder.path().join("data")).args(["-p", &port.to_string()]);
    command.args([
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "unix_socket_directories=",
        "-c",
        "max_connections=100",
    ]);
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    as_owner(&mut command, owner).spawn().unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        // Frozen ones cannot end.
        for process in self.processes() {
            kill("CONT", process);
        }
        kill("QUIT", self.child.id());
        let _ = self.child.wait();
    }
}

pub fn kill(signal: &str, process: u32) {
    // It may be gone.
    let _ = Command::new("kill")
        .args(["-s", signal, &process.to_string()])
        .stderr(Stdio::null())
        .status()
        .unwrap();
}

/// A connection beside the pools of the services.
pub async fn beside(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await.unwrap()
}

/// The one value of the one row.
pub async fn value<T: sea_orm::TryGetable>(connection: &impl ConnectionTrait, sql: &str) -> T {
    let ask = Statement::from_string(connection.get_database_backend(), sql);
    connection.query_one_raw(ask).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}
