use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use calendar::Clock;
use hmac::{Hmac, KeyInit};
use rpc::Fault;
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, IsolationLevel, SqliteTransactionMode, Statement, TransactionOptions,
    sqlx::{
        Connection, Executor, Row,
        postgres::PgConnectOptions,
        sqlite::{SqliteJournalMode, SqliteSynchronous},
    },
};
use sha2::Sha256;
use tokio::sync::watch;

use crate::{conn::Conn, migrate, send_at_once};

/// Which database engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Where a database is: `sqlite:///path/file.db` or `postgres://user@host/name`.
#[derive(Clone, Debug)]
pub struct Target {
    pub engine: Engine,
    pub url: String,
}

impl Target {
    pub fn parse(url: &str) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            if path.is_empty() || path.starts_with(":memory:") {
                return Err("a SQLite database needs a file: sqlite://FILE".to_owned());
            }
            let url = if url.contains('?') { url.to_owned() } else { format!("{url}?mode=rwc") };
            return Ok(Self { engine: Engine::Sqlite, url });
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            // Here, since what fails to connect with it would tell it with its password.
            url.parse::<PgConnectOptions>().map_err(|error| {
                let why = error.to_string().replace("error with configuration: ", "");
                format!("the URL cannot be read, {why}: use postgres://USER@HOST/NAME")
            })?;
            return Ok(Self {
                engine: Engine::Postgres,
                url: url.to_owned(),
            });
        }
        Err(format!(
            "{} is no database URL: use sqlite://FILE or postgres://USER@HOST/NAME",
            url.split(':').next().unwrap_or_default()
        ))
    }

    /// The URL for a program that is not to make the database where there is none.
    pub fn existing(&self) -> String {
        self.url.replace("mode=rwc", "mode=rw")
    }
}

/// The database of one service. Cheap to clone.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    service: &'static str,
    engine: Engine,
    /// SQLite: the one writing connection, which queues writers fairly. PostgreSQL: the pool of the calls.
    writer: Conn,
    reader: Conn,
    clock: Clock,
    /// Keyed, and fed nothing yet.
    digest: OnceLock<Hmac<Sha256>>,
    /// Rung when rows were committed that the sealer has to number.
    written: watch::Sender<u64>,
    /// Rung when events were numbered.
    sealed: watch::Sender<u64>,
}

impl Database {
    /// Connects, refuses unsafe settings, brings the tables to the newest form.
    pub async fn connect(service: &'static str, target: &Target, clock: Clock, steps: &[&str]) -> Result<Self, Fault> {
        let (writer, reader) = match target.engine {
            Engine::Sqlite => (pool(target, 1).await?, pool(target, 6).await?),
            Engine::Postgres => {
                let pool = pool(target, 16).await?;
                (pool.clone(), pool)
            }
        };
        let (writer, reader) = (Conn::from(writer), Conn::from(reader));
        refuse_unsafe(&writer, target.engine).await?;
        migrate(&writer, target.engine, steps).await?;
        if target.engine == Engine::Sqlite {
            name_unique_rules(&writer).await?;
        }
        let bell = || watch::Sender::new(0);
        Ok(Self(Arc::new(Inner {
            service,
            engine: target.engine,
            writer,
            reader,
            clock,
            digest: OnceLock::new(),
            written: bell(),
            sealed: bell(),
        })))
    }

    pub fn service(&self) -> &'static str {
        self.0.service
    }
    pub fn engine(&self) -> Engine {
        self.0.engine
    }
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }
    /// For reads; never for writes.
    pub fn reader(&self) -> &Conn {
        &self.0.reader
    }
    /// The pool of the writes, for work that needs statements of its own (a bulk load, a constraint test).
    pub fn writer(&self) -> &Conn {
        &self.0.writer
    }
    /// Gives the key of the digests of requests, which is the same for as long as the database lives. Without it nothing is written.
    pub fn key_digests(&self, key: &[u8; 32]) -> Result<(), Fault> {
        let digest = Hmac::<Sha256>::new_from_slice(key).map_err(Fault::internal)?;
        self.0.digest.set(digest).map_err(|_| Fault::internal("the digests have a key already"))
    }
    pub(crate) fn digest(&self) -> Result<Hmac<Sha256>, Fault> {
        self.0.digest.get().cloned().ok_or_else(|| Fault::internal("the digests have no key"))
    }
    pub(crate) fn written(&self) -> &watch::Sender<u64> {
        &self.0.written
    }
    pub(crate) fn sealed(&self) -> &watch::Sender<u64> {
        &self.0.sealed
    }
    pub(crate) async fn transaction(&self) -> Result<Conn, DbErr> {
        begin(&self.0.writer, self.0.engine).await
    }

    /// Reads of one moment, until it is dropped. SQLite reads so by itself.
    pub async fn moment(&self) -> Result<Conn, DbErr> {
        let postgres = self.0.engine == Engine::Postgres;
        let options = TransactionOptions {
            isolation_level: postgres.then_some(IsolationLevel::RepeatableRead),
            access_mode: postgres.then_some(AccessMode::ReadOnly),
            sqlite_transaction_mode: None,
        };
        self.0.reader.begin(options).await
    }

    /// Closes the connections; SQLite folds its log into the file.
    pub async fn close(&self) {
        for connection in [&self.0.reader, &self.0.writer] {
            // Nobody is left to hear of a failure here, and nothing is lost by it.
            let _ = connection.close().await;
        }
    }
}

/// BEGIN IMMEDIATE on SQLite, READ COMMITTED on PostgreSQL.
pub(crate) async fn begin(connection: &Conn, engine: Engine) -> Result<Conn, DbErr> {
    let options = TransactionOptions {
        isolation_level: (engine == Engine::Postgres).then_some(IsolationLevel::ReadCommitted),
        access_mode: None::<AccessMode>,
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
    };
    connection.begin(options).await
}

async fn pool(target: &Target, connections: u32) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(target.url.as_str());
    options
        .min_connections(1)
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        .sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|o| {
        o.journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .pragma("cache_size", "-16384")
            .pragma("journal_size_limit", "67108864")
            .pragma("trusted_schema", "off")
            // The key of an erased subject must not linger in free pages.
            .pragma("secure_delete", "on")
    });
    options.map_sqlx_postgres_opts(|o| {
        o.application_name("hearth").options([
            ("idle_in_transaction_session_timeout", "10s"),
            // Compiling a statement pays for reports, and costs more than these statements take.
            ("jit", "off"),
            ("lock_timeout", "5s"),
            ("statement_timeout", "60s"),
            ("timezone", "UTC"),
        ])
    });
    if target.engine == Engine::Postgres
        && let Ok(port) = target.url.parse::<PgConnectOptions>().map(|o| o.get_port())
    {
        options.map_sqlx_postgres_pool_opts(move |o| {
            o.after_connect(move |_, _| {
                Box::pin(async move {
                    let sent = tokio::task::spawn_blocking(move || send_at_once(port)).await;
                    if let Ok(Err(error)) = sent {
                        tracing::debug!(%error, "COPY to PostgreSQL waits for acknowledgements");
                    }
                    Ok(())
                })
            })
        });
    }
    // A full disk makes SQLite roll back by itself. sqlx 0.9.0 does not notice and goes on counting a transaction, in which every later one
    // would be a savepoint that is released and never committed: such a connection is closed and not used again.
    options.map_sqlx_sqlite_before_acquire(|connection, _| {
        let free = !connection.is_in_transaction();
        Box::pin(async move { Ok(free) })
    });
    // In place of the ping, since it tells more. A BEGIN whose caller left before the answer came leaves an open transaction behind a
    // connection that looks free to sqlx 0.9.0 (launchbadge/sqlx#4385); the next one to write would commit into it. Outside of a transaction
    // the two times are one; a connection where they differ is closed, which rolls back.
    options.test_before_acquire(target.engine == Engine::Sqlite);
    options.map_sqlx_postgres_before_acquire(|connection, _| {
        Box::pin(async move {
            let row = connection.fetch_one("SELECT now() = statement_timestamp()").await?;
            row.try_get(0)
        })
    });
    sea_orm::Database::connect(options).await
}

async fn refuse_unsafe(connection: &Conn, engine: Engine) -> Result<(), Fault> {
    let wanted: &[(&str, &[&str])] = match engine {
        Engine::Sqlite => &[
            ("PRAGMA journal_mode", &["wal"]),
            ("PRAGMA synchronous", &["2", "3"]),
            ("PRAGMA foreign_keys", &["1"]),
        ],
        Engine::Postgres => &[
            ("SHOW fsync", &["on"]),
            ("SHOW synchronous_commit", &["on", "remote_write", "remote_apply", "local"]),
            ("SHOW full_page_writes", &["on"]),
        ],
    };
    for (question, answers) in wanted {
        let row = connection
            .query_one_raw(Statement::from_string(connection.get_database_backend(), *question))
            .await?;
        let row = row.ok_or_else(|| Fault::internal(format!("{question} has no answer")))?;
        let found = row
            .try_get_by_index::<String>(0)
            .or_else(|_| row.try_get_by_index::<i32>(0).map(|n| n.to_string()))?;
        if !answers.contains(&found.as_str()) {
            return Err(Fault::precondition(
                "DATABASE_UNSAFE",
                format!("{question} is {found}: acknowledged writes could be lost; it must be {}", answers.join(" or ")),
            ));
        }
    }
    if engine == Engine::Sqlite {
        let row = connection
            .query_one_raw(Statement::from_string(DbBackend::Sqlite, "SELECT sqlite_version()"))
            .await?;
        let version: String = row.ok_or_else(|| Fault::internal("no version"))?.try_get_by_index(0)?;
        if !keeps_wal_whole(&version) {
            return Err(Fault::precondition(
                "DATABASE_UNSAFE",
                format!("SQLite {version} can corrupt a database in WAL mode; 3.51.3 or newer is needed"),
            ));
        }
    }
    Ok(())
}

/// Before 3.51.3, two connections that write and checkpoint at once may corrupt a database in WAL mode (<https://sqlite.org/wal.html#walresetbug>).
fn keeps_wal_whole(version: &str) -> bool {
    let parts: Vec<u32> = version.split('.').filter_map(|p| p.parse().ok()).collect();
    parts >= vec![3, 51, 3]
}

/// Tells the faults which unique rule stands behind which columns, since SQLite names only those.
async fn name_unique_rules(connection: &Conn) -> Result<(), DbErr> {
    let sql = "SELECT m.name AS rule, m.tbl_name || '.' || group_concat(i.name, ', ' || m.tbl_name || '.') AS columns
        FROM sqlite_master m, pragma_index_info(m.name) i
        WHERE m.type = 'index' AND m.sql LIKE 'CREATE UNIQUE%' GROUP BY m.name ORDER BY m.name";
    for row in connection.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await? {
        rpc::name_unique_rule(row.try_get("", "columns")?, row.try_get("", "rule")?);
    }
    let sql = "SELECT tbl_name, sql FROM sqlite_master WHERE type = 'table' AND sql LIKE '%CONSTRAINT%UNIQUE%'";
    for row in connection.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await? {
        let (table, text): (String, String) = (row.try_get("", "tbl_name")?, row.try_get("", "sql")?);
        for part in text.split("CONSTRAINT ").skip(1) {
            let Some((name, rest)) = part.split_once(' ') else { continue };
            let Some(columns) = rest
                .trim_start()
                .strip_prefix("UNIQUE")
                .and_then(|r| r.trim_start().strip_prefix('('))
                .and_then(|r| r.split(')').next())
            else {
                continue;
            };
            let columns: Vec<_> = columns.split(',').map(|c| format!("{table}.{}", c.trim())).collect();
            rpc::name_unique_rule(columns.join(", "), name.to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Target, keeps_wal_whole};

    #[test]
    fn a_url_that_cannot_be_read_is_told_without_its_password() {
        for (url, why) in [
            (
                "postgres://li:0penSesame@host:54x/hearth",
                "the URL cannot be read, invalid port number: use postgres://USER@HOST/NAME",
            ),
            (
                "postgresql://li:0penSesame@host:/hearth?sslmode=loud",
                "the URL cannot be read, unknown value \"loud\" for `ssl_mode`: use postgres://USER@HOST/NAME",
            ),
            (
                "mysql://li:0penSesame@host/hearth",
                "mysql is no database URL: use sqlite://FILE or postgres://USER@HOST/NAME",
            ),
        ] {
            assert_eq!(Target::parse(url).map(|_| ()), Err(why.to_owned()));
        }
        assert!(Target::parse("postgres://li:0penSesame@host:5433/hearth?sslmode=disable").is_ok());
    }

    #[test]
    fn r_d7_sqlite_before_3_51_3_is_refused() {
        for (version, safe) in [
            ("3.7.0", false),
            ("3.40.1", false),
            ("3.51.2", false),
            ("3.51.3", true),
            ("3.52.0", true),
            ("4.0.0", true),
        ] {
            assert_eq!(keeps_wal_whole(version), safe, "{version}");
        }
    }
}
