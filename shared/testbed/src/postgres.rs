//! A PostgreSQL server for the tests of this process: the one that `HEARTH_TEST_POSTGRES_URL` names, or one of our own, started from the
//! server binaries of the machine and gone with the process. Each service gets a template database, each test a copy of it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    env,
    io::{self, BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{self, ChildStdin, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use ::database::Target;
use anyhow::{Context, Error, Result, bail};
use boot::Service;
use calendar::Clock;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use tokio::sync::{Mutex, OnceCell};
use uuid::Uuid;

/// Names a PostgreSQL server to use instead of an own one: a URL whose role may create databases.
pub const URL: &str = "HEARTH_TEST_POSTGRES_URL";

/// Every database of the tests is called `hearth_test_<hour>_…`, so that leftovers on a server that outlives us can be told by their age.
const PREFIX: &str = "hearth_test_";
/// Databases of another run are leftovers when they are this many hours old.
const STALE_HOURS: u64 = 6;

/// Starts a server as the user that runs it, says on one line whether that worked, and waits for the end of its input. The test process holds
/// the other end of that pipe: however it ends, the input ends, the server stops and the folder goes, also when nobody
/// reads its line any more. Data of a test are not worth a clean stop.
const KEEPER: &str = r#"
trap '' PIPE HUP
umask 077
dir=$(mktemp -d "${TMPDIR:-/tmp}/hearth-postgres-XXXXXX" 2>/dev/null || mktemp -d /tmp/hearth-postgres-XXXXXX) || exit 1
cd "$dir" || exit 1
printf '%s' "$HEARTH_PG_PASSWORD" >password
unset HEARTH_PG_PASSWORD
if "$HEARTH_PG_BIN/initdb" -D data -U hearth -A md5 --pwfile=password -E UTF8 --locale=C --no-sync >log 2>&1 &&
    "$HEARTH_PG_BIN/pg_ctl" -D data -l log -s -w -t 60 start -o "-p $HEARTH_PG_PORT -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories='' -c max_connections=300 -c fsync=on -c synchronous_commit=on" >>log 2>&1 </dev/null
then
    echo ready
    read -r _
    "$HEARTH_PG_BIN/pg_ctl" -D data -s -m immediate stop >>log 2>&1
else
    tail -n 5 log | tr '\n' ' '
    echo
fi
cd /
rm -rf "$dir"
"#;

/// A server that tests may fill.
struct Server {
    /// Where a role that may create databases connects.
    admin: String,
    /// Held open while the process lives; its end stops an own server.
    _keeper: Option<ChildStdin>,
}

static SERVER: OnceCell<Option<Server>> = OnceCell::const_new();
static TEMPLATES: Mutex<BTreeMap<String, String>> = Mutex::const_new(BTreeMap::new());
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The URL of a fresh database for one test of `service`, a copy of the service's template. The first call for a service makes the template and
/// has `prepare` fill it (with migrations, as a rule). `None` when the machine has no PostgreSQL, which is said once on standard error.
///
/// # Errors
/// With `CI=true` a missing PostgreSQL; else whatever the server or `prepare` says.
pub async fn database(service: &str, prepare: impl AsyncFnOnce(&str) -> Result<()>) -> Result<Option<String>> {
    let Some(server) = SERVER.get_or_try_init(start).await? else {
        return Ok(None);
    };
    // One lock for the process: a template must be whole, and without connections, before it is copied.
    let mut templates = TEMPLATES.lock().await;
    let admin = connect(&server.admin).await?;
    let template = match templates.entry(service.to_owned()) {
        Entry::Occupied(entry) => entry.into_mut(),
        Entry::Vacant(entry) => entry.insert(template(server, &admin, service, prepare).await?),
    };
    let name = name(service);
    admin.execute_unprepared(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await?;
    admin.close().await?;
    Ok(Some(with_database(&server.admin, &name)?))
}

/// The URL of a fresh database with the tables of a service; `None` as for [`database()`].
pub async fn migrated(service: Service) -> Option<String> {
    let prepare = async |url: &str| {
        let target = Target::parse(url).map_err(Error::msg)?;
        let db = ::database::Database::connect(service.name, &target, Clock::real(), service.migrations).await?;
        db.close().await;
        Ok(())
    };
    database(service.name, prepare).await.unwrap()
}

async fn template(server: &Server, admin: &DatabaseConnection, service: &str, prepare: impl AsyncFnOnce(&str) -> Result<()>) -> Result<String> {
    let name = name(service);
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
    if let Err(error) = prepare(&with_database(&server.admin, &name)?).await {
        admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
        return Err(error.context(format!("preparing the PostgreSQL template of {service}")));
    }
    // A pool that was dropped closes its connections later than that; a copy would wait for them.
    admin.execute_unprepared(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await?;
    admin
        .execute_unprepared(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"))
        .await?;
    Ok(name)
}

async fn start() -> Result<Option<Server>> {
    if let Ok(admin) = env::var(URL) {
        let connection = connect(&admin).await.with_context(|| format!("{URL} is set, but does not answer"))?;
        sweep(&connection).await?;
        connection.close().await?;
        return Ok(Some(Server { admin, _keeper: None }));
    }
    let Some(binaries) = binaries() else {
        may_be_missing(env::var("CI").is_ok_and(|ci| ci == "true"))?;
        // Not eprintln!: the test harness would keep that line of a passing test for itself.
        writeln!(
            io::stderr(),
            "note: the PostgreSQL half of these tests did not run: no {URL} and no PostgreSQL server binaries on this machine"
        )?;
        return Ok(None);
    };
    let server = tokio::task::spawn_blocking(move || own(&binaries)).await??;
    Ok(Some(server))
}

/// A person may do without PostgreSQL; CI may not, or half of the tests would go missing unseen.
fn may_be_missing(ci: bool) -> Result<()> {
    if ci {
        bail!("CI=true asks for PostgreSQL: set {URL} or install the server binaries (Debian package postgresql)");
    }
    Ok(())
}

/// Starts an own server. A port that was free may be taken a moment later, so several are tried.
fn own(binaries: &Path) -> Result<Server> {
    let mut said = String::new();
    for _ in 0..5 {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let password = Uuid::now_v7().simple().to_string();
        let mut child = shell()?
            .env("HEARTH_PG_BIN", binaries)
            .env("HEARTH_PG_PORT", port.to_string())
            .env("HEARTH_PG_PASSWORD", &password)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Out of reach of Ctrl-C, which would end the keeper before it has cleaned up.
            .process_group(0)
            .spawn()
            .context("starting a shell for PostgreSQL")?;
        let keeper = child.stdin.take();
        said.clear();
        BufReader::new(child.stdout.take().context("the shell has no output")?).read_line(&mut said)?;
        if said.trim() == "ready" {
            return Ok(Server {
                admin: format!("postgres://hearth:{password}@127.0.0.1:{port}/postgres"),
                _keeper: keeper,
            });
        }
        child.wait()?;
    }
    bail!("PostgreSQL in {} did not start: {}", binaries.display(), said.trim())
}

/// The shell that keeps the server, under a user that PostgreSQL accepts: it refuses root.
fn shell() -> Result<Command> {
    let asked = Command::new("id").arg("-u").output().context("asking id who we are")?;
    if asked.stdout.trim_ascii() != b"0" {
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER]);
        return Ok(command);
    }
    let user = if Command::new("id").arg("postgres").output()?.status.success() {
        "postgres"
    } else {
        "nobody"
    };
    let mut command = Command::new("su");
    command.args(["-s", "/bin/sh", user, "-c", KEEPER]);
    Ok(command)
}

/// The folder of a whole set of server binaries: first on the path, then where packages put them, newest version first.
pub fn binaries() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    let mut packaged: Vec<(u32, PathBuf)> = ["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt"]
        .iter()
        .filter_map(|root| std::fs::read_dir(root).ok())
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.trim_start_matches("postgresql@").parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    packaged.sort_by(|a, b| b.cmp(a));
    folders.extend(packaged.into_iter().map(|(_, folder)| folder));
    folders.into_iter().find(|folder| {
        ["postgres", "initdb", "pg_ctl", "pg_isready"]
            .iter()
            .all(|binary| folder.join(binary).is_file())
    })
}

/// Connections are made per call: a pool kept in a static would belong to the runtime of one test and die with it.
async fn connect(url: &str) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).connect_timeout(Duration::from_secs(20)).sqlx_logging(false);
    Ok(Database::connect(options).await?)
}

/// Drops what earlier runs left on a server that is not ours. Somebody may still use it: no force, and failure is no matter.
async fn sweep(admin: &DatabaseConnection) -> Result<()> {
    let rows = admin
        .query_all_raw(sea_orm::Statement::from_string(
            sea_orm::DbBackend::Postgres,
            "SELECT datname::text FROM pg_database",
        ))
        .await?;
    for row in rows {
        let name: String = row.try_get_by_index(0)?;
        let made = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('_').next())
            .and_then(|hour| hour.parse::<u64>().ok());
        if made.is_some_and(|hour| hour.saturating_add(STALE_HOURS) < hour_now()) {
            let _ = admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name}")).await;
        }
    }
    Ok(())
}

/// Hours since 1970, of the real clock: a version 7 UUID begins with its milliseconds.
fn hour_now() -> u64 {
    Uuid::now_v7().get_timestamp().map_or(0, |at| at.to_unix().0 / 3600)
}

fn name(service: &str) -> String {
    let service: String = service.chars().filter(char::is_ascii_alphanumeric).collect();
    format!(
        "{PREFIX}{}_{}_{}_{}",
        hour_now(),
        process::id(),
        service.to_ascii_lowercase(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// The same server and role, another database.
fn with_database(url: &str, name: &str) -> Result<String> {
    let (place, query) = url.split_once('?').map_or((url, ""), |(place, query)| (place, query));
    let (scheme, rest) = place.split_once("://").with_context(|| format!("{URL} is no URL"))?;
    let host = rest.split('/').next().unwrap_or(rest);
    let mark = if query.is_empty() { "" } else { "?" };
    Ok(format!("{scheme}://{host}/{name}{mark}{query}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::time::Instant;

    use super::*;

    async fn table(url: &str) -> Result<()> {
        let database = connect(url).await?;
        database.execute_unprepared("CREATE TABLE note (text text NOT NULL)").await?;
        Ok(())
    }

    #[tokio::test]
    async fn each_test_has_a_database_of_its_own() {
        let Some(first) = database("testbed", table).await.unwrap() else { return };
        let second = database("testbed", async |_| panic!("the template is made once")).await.unwrap().unwrap();
        assert_ne!(first, second);
        for url in [&first, &second] {
            let fresh = connect(url).await.unwrap();
            // Durability is what services insist on, also under test.
            for (setting, value) in [("fsync", "on"), ("synchronous_commit", "on"), ("server_encoding", "UTF8")] {
                let ask = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, format!("SHOW {setting}"));
                let row = fresh.query_one_raw(ask).await.unwrap().unwrap();
                assert_eq!(row.try_get_by_index::<String>(0).unwrap(), value, "{setting}");
            }
            // Would meet the other's row if they were one database.
            fresh.execute_unprepared("CREATE UNIQUE INDEX note_once ON note (text)").await.unwrap();
            fresh.execute_unprepared("INSERT INTO note VALUES ('门卫')").await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_failed_preparation_may_be_tried_again() {
        if database("again", async |_| bail!("no migrations today")).await.is_ok_and(|url| url.is_none()) {
            return;
        }
        assert!(database("again", table).await.unwrap().is_some());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn racers_share_one_template() {
        let racers: Vec<_> = (0..8)
            .map(|_| tokio::task::spawn_blocking(|| runtime().block_on(database("race", table)).unwrap()))
            .collect();
        let mut urls = std::collections::BTreeSet::new();
        for racer in racers {
            let Some(url) = racer.await.unwrap() else { return };
            urls.insert(url);
        }
        assert_eq!(urls.len(), 8);
    }

    #[test]
    fn an_own_server_ends_with_its_keeper() {
        let Some(binaries) = binaries() else { return };
        let server = own(&binaries).unwrap();
        runtime().block_on(connect(&server.admin)).unwrap();
        let Server { admin, _keeper: keeper } = server;
        drop(keeper);
        let address = admin.rsplit('@').next().unwrap().split('/').next().unwrap().to_owned();
        let from = Instant::now();
        while std::net::TcpStream::connect(&address).is_ok() {
            assert!(from.elapsed() < Duration::from_secs(30), "the server outlives its keeper");
            std::thread::yield_now();
        }
    }

    #[test]
    fn ci_fails_without_postgres() {
        assert!(may_be_missing(false).is_ok());
        assert!(may_be_missing(true).is_err());
    }

    #[test]
    fn only_the_database_of_a_url_changes() {
        let of = |url| with_database(url, "x").unwrap();
        assert_eq!(
            of("postgres://hearth:pw@127.0.0.1:5433/postgres?sslmode=disable"),
            "postgres://hearth:pw@127.0.0.1:5433/x?sslmode=disable"
        );
        assert_eq!(of("postgres://localhost"), "postgres://localhost/x");
        assert!(with_database("localhost", "x").is_err());
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }
}
