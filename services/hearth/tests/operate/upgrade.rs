//! A database of the step before, with what a year of a small city leaves in it, is brought to the newest form: ended at each statement, begun again,
//! and nothing is lost.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use boot::Service;
use calendar::Clock;
use database::{Database, Engine, Target, journal};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, Statement, TryGetable};
use sha2::{Digest, Sha256};

use crate::suite::{ALL, HEARTH, runs, say};

/// Tells the process that ends: service, URL, after how many statements.
const END: &str = "HEARTH_TEST_END_AT";

/// A folder of a demo of a small city, played once for all tests.
pub fn city() -> PathBuf {
    static CITY: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = CITY.get_or_init(|| {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut command = Command::new(HEARTH);
        command.args(["demo", "--customers", "24", "--data"]).arg(folder.path().join("city"));
        assert!(command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap().success());
        folder
    });
    folder.path().join("city")
}

pub async fn open(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await.unwrap()
}

async fn column<T: TryGetable>(db: &DatabaseConnection, sql: &str) -> Vec<T> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// A table with its columns: name, type, whether it must have a value.
pub struct Table {
    pub name: String,
    columns: Vec<(String, String, bool)>,
}

/// All tables but that of the steps.
pub async fn tables(db: &DatabaseConnection, engine: Engine) -> Vec<Table> {
    let names = match engine {
        Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'migration' ORDER BY name",
        Engine::Postgres => "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'migration' ORDER BY 1",
    };
    let mut all = vec![];
    for name in column::<String>(db, names).await {
        let sql = match engine {
            Engine::Sqlite => format!("SELECT name, type, \"notnull\" <> 0 FROM pragma_table_info('{name}') ORDER BY cid"),
            Engine::Postgres => format!(
                "SELECT column_name::text, data_type::text, is_nullable = 'NO' FROM information_schema.columns
                 WHERE table_schema = 'public' AND table_name = '{name}' ORDER BY ordinal_position"
            ),
        };
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        let of = |row: &sea_orm::QueryResult| {
            let needed = row.try_get_by_index::<bool>(2).unwrap();
            (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap(), needed)
        };
        all.push(Table {
            columns: rows.iter().map(of).collect(),
            name,
        });
    }
    all
}

/// Digest and number of the rows of a table, by the columns that it had then.
pub async fn digest(db: &DatabaseConnection, engine: Engine, table: &Table) -> (usize, String) {
    let cell = |(name, ..): &(String, String, bool)| match engine {
        Engine::Sqlite => format!("quote({name})"),
        Engine::Postgres => format!("quote_nullable({name}::text)"),
    };
    let row = table.columns.iter().map(cell).collect::<Vec<_>>().join(" || ',' || ");
    let rows: Vec<String> = column(db, &format!("SELECT {row} FROM {} ORDER BY 1", table.name)).await;
    let sum = Sha256::digest(rows.join("\n")).iter().map(|b| format!("{b:02x}")).collect();
    (rows.len(), sum)
}

/// Brings the rows of a demo into a database of an older form: what does not fit its rules is left out. Says how many came.
pub async fn fill(db: &DatabaseConnection, engine: Engine, from: &Path) -> usize {
    let source = open(&format!("sqlite://{}?mode=ro", from.display())).await;
    let newer = tables(&source, Engine::Sqlite).await;
    // Rules that look at single writes have nothing to say about rows that were written long ago.
    let mut triggers: Vec<(String, String)> = vec![];
    if engine == Engine::Sqlite {
        db.execute_unprepared("PRAGMA foreign_keys = off").await.unwrap();
        let names: Vec<String> = column(db, "SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY name").await;
        let texts: Vec<String> = column(db, "SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name").await;
        triggers = names.into_iter().zip(texts).collect();
        for (name, _) in &triggers {
            db.execute_unprepared(&format!("DROP TRIGGER {name}")).await.unwrap();
        }
    } else {
        db.execute_unprepared("SET session_replication_role = replica").await.unwrap();
    }
    // The seal of a new database gives way to that of the city.
    db.execute_unprepared("DELETE FROM seal").await.unwrap();
    let mut filled = 0;
    for table in tables(db, engine).await {
        let Some(source_table) = newer.iter().find(|t| t.name == table.name) else {
            continue;
        };
        let shared: Vec<_> = table.columns.iter().filter(|c| source_table.columns.iter().any(|s| s.0 == c.0)).collect();
        let names: Vec<_> = shared.iter().map(|c| c.0.as_str()).collect();
        let needed: String = shared.iter().filter(|c| c.2).map(|c| format!(" AND {} IS NOT NULL", c.0)).collect();
        let cells = names.iter().map(|n| format!("quote({n})")).collect::<Vec<_>>().join(", ");
        let sql = format!("SELECT {cells} FROM {} WHERE 1 = 1{needed}", table.name);
        let rows = source.query_all_raw(Statement::from_string(source.get_database_backend(), sql)).await.unwrap();
        let values: Vec<String> = rows
            .iter()
            .map(|row| {
                let cell = |(n, c): (usize, &&(String, String, bool))| literal(&row.try_get_by_index::<String>(n).unwrap(), &c.1, engine);
                format!("({})", shared.iter().enumerate().map(cell).collect::<Vec<_>>().join(", "))
            })
            .collect();
        let insert = |values: &[String]| {
            format!(
                "INSERT INTO {} ({}) VALUES {} ON CONFLICT DO NOTHING",
                table.name,
                names.join(", "),
                values.join(", ")
            )
        };
        for chunk in values.chunks(200) {
            if let Ok(done) = db.execute_unprepared(&insert(chunk)).await {
                filled += done.rows_affected();
                continue;
            }
            for value in chunk {
                filled += db
                    .execute_unprepared(&insert(std::slice::from_ref(value)))
                    .await
                    .map_or(0, |done| done.rows_affected());
            }
        }
    }
    for (_, text) in triggers {
        db.execute_unprepared(&text).await.unwrap();
    }
    source.close().await.unwrap();
    usize::try_from(filled).unwrap()
}

/// A value as SQLite quotes it, for a column of another engine.
fn literal(quoted: &str, kind: &str, engine: Engine) -> String {
    if engine == Engine::Sqlite || quoted == "NULL" {
        return quoted.to_owned();
    }
    match (kind, quoted.strip_prefix("X'")) {
        ("uuid", Some(hex)) => format!("'{hex}::uuid"),
        (_, Some(hex)) => format!("'\\x{hex}::bytea"),
        ("boolean", None) => format!("({quoted} <> 0)"),
        (_, None) => format!("{quoted}::{kind}"),
    }
}

/// The tables that every service had in the first release.
const MACHINERY: &str = include_str!("../../../../shared/database/src/machinery.sql");

/// The statements of a step for an engine.
fn statements(text: &str, engine: Engine) -> Vec<String> {
    let skipped = match engine {
        Engine::Sqlite => "-- postgres",
        Engine::Postgres => "-- sqlite",
    };
    let (mut all, mut wanted) = (vec![String::new()], true);
    for line in text.lines() {
        match line.trim() {
            "--;" => all.push(String::new()),
            mark @ ("-- both" | "-- sqlite" | "-- postgres") => {
                wanted = mark != skipped;
                all.push(String::new());
            }
            _ if wanted => *all.last_mut().unwrap() += &format!("{line}\n"),
            _ => {}
        }
    }
    all.retain(|statement| !statement.trim().is_empty());
    all
}

/// A database of a service as an older release left it, with rows: the first machinery, and so many steps.
async fn of_an_older_release(service: Service, steps: usize, engine: Engine, folder: &Path) -> Option<(String, usize)> {
    let url = match engine {
        Engine::Sqlite => format!("sqlite://{}?mode=rwc", folder.join(format!("{}-{steps}.db", service.name)).display()),
        Engine::Postgres => testbed::postgres::database("before", async |_| Ok(())).await.unwrap()?,
    };
    let db = open(&url).await;
    db.execute_unprepared("CREATE TABLE migration (step integer NOT NULL PRIMARY KEY, digest text NOT NULL)")
        .await
        .unwrap();
    let before = &service.migrations[..steps];
    for (step, text) in std::iter::once(&MACHINERY).chain(before).enumerate() {
        for statement in statements(text, engine) {
            db.execute_unprepared(&statement).await.unwrap();
        }
        let digest: String = Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect();
        db.execute_unprepared(&format!("INSERT INTO migration VALUES ({step}, '{digest}')"))
            .await
            .unwrap();
    }
    let filled = fill(&db, engine, &city().join(format!("{}.db", service.name))).await;
    db.close().await.unwrap();
    Some((url, filled))
}

/// Ends its process, without any tidying up, after so many statements of steps.
struct EndAt(AtomicU32);

impl tracing::Subscriber for EndAt {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "database::migrate"
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 1 {
            std::process::abort();
        }
    }
    fn enter(&self, _: &tracing::Id) {}
    fn exit(&self, _: &tracing::Id) {}
}

/// The process that ends; as a test of its own it has nothing to do.
#[test]
fn a_process_that_ends_at_a_statement() {
    let Ok(end) = std::env::var(END) else { return };
    let [name, at, url] = end.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
    let service = ALL.into_iter().find(|s| s.name == name).unwrap();
    tracing::subscriber::set_global_default(EndAt(AtomicU32::new(at.parse().unwrap()))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let db = Database::connect(service.name, &Target::parse(url).unwrap(), Clock::real(), service.migrations)
            .await
            .unwrap();
        db.close().await;
    });
}

/// Whether the upgrade came to its end in a process that ends after so many statements of it.
fn upgraded(service: Service, url: &str, at: u32) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "upgrade::a_process_that_ends_at_a_statement"]);
    command.env(END, format!("{} {at} {url}", service.name)).stdin(Stdio::null());
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() || output.status.code().is_none(), "{told}");
    assert!(!output.status.success() || told.contains("1 passed"), "{told}");
    output.status.success()
}

/// Upgrades a database of so many steps, ended at every `stride`-th statement.
async fn upgrade(service: Service, steps: usize, engine: Engine, stride: usize) {
    let folder = tempfile::tempdir().unwrap();
    let Some((url, filled)) = of_an_older_release(service, steps, engine, folder.path()).await else {
        return;
    };
    let db = open(&url).await;
    let before = tables(&db, engine).await;
    let mut digests = vec![];
    for table in &before {
        digests.push(digest(&db, engine, table).await);
    }
    db.close().await.unwrap();
    // How many tables there are after how many whole steps: a step is there as a whole or not at all.
    let mut known = BTreeMap::new();
    let mut ends = 0;
    for at in (1..).step_by(stride) {
        if upgraded(service, &url, at) {
            break;
        }
        ends += 1;
        let db = open(&url).await;
        let done: i64 = column(&db, "SELECT count(*) FROM migration").await[0];
        let found = tables(&db, engine).await.len();
        assert_eq!(
            *known.entry(done).or_insert(found),
            found,
            "{} ended at {at}: tables are left behind",
            service.name
        );
        db.close().await.unwrap();
        assert!(ends < 500);
    }
    let db = open(&url).await;
    let mut rows = 0;
    for (table, was) in before.iter().zip(digests) {
        let is = digest(&db, engine, table).await;
        assert_eq!(is, was, "{engine:?} {} from {steps} steps: {}", service.name, table.name);
        rows += is.0;
    }
    db.close().await.unwrap();
    let db = Database::connect(service.name, &Target::parse(&url).unwrap(), Clock::real(), service.migrations)
        .await
        .unwrap();
    let journal = journal::verify(&db).await.unwrap();
    assert!(journal.intact && journal.sealed_rows > 0, "{engine:?} {}: {journal:?}", service.name);
    db.close().await;
    assert!(ends > 3 && filled > 100, "{} was ended {ends} times with {filled} rows", service.name);
    say(&format!(
        "figure: D11 {engine:?} {} from {steps} steps: {rows} rows unchanged, ended {ends} times",
        service.name
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn r_d11_an_upgrade_that_is_ended_at_any_statement_begins_again_and_loses_nothing() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for service in ALL {
            upgrade(service, service.migrations.len() - 1, engine, 1).await;
            // From the first release: each step meets rows of that time.
            upgrade(service, 1, engine, runs(7, 1)).await;
        }
    }
}
