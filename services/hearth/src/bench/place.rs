//! Where a bench works: a fresh copy of one filled database for each round.

use std::path::PathBuf;

use anyhow::{Context, Error, Result, bail};
use calendar::Clock;
use database::{Database, Engine, Target};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection,
    sqlx::{PgPool, postgres::PgConnectOptions},
};

/// Which engine, and where.
#[derive(clap::Args, Clone)]
pub struct Args {
    /// Engine: sqlite or postgres.
    #[arg(long, value_name = "ENGINE", default_value = "sqlite", value_parser = ["sqlite", "postgres"])]
    engine: String,
    /// A PostgreSQL server on this machine whose role may create databases, with fsync and synchronous_commit on.
    #[arg(long, value_name = "URL", required_if_eq("engine", "postgres"))]
    url: Option<String>,
    /// Folder for the SQLite files; they count with its disk.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// A filled database that rounds take copies of.
pub struct Place {
    admin: Option<(DatabaseConnection, String)>,
    folder: tempfile::TempDir,
}

const FILLED: &str = "hearth_bench_filled";
const ROUND: &str = "hearth_bench_round";

impl Args {
    pub async fn open(&self) -> Result<Place> {
        let folder = match &self.folder {
            Some(folder) => tempfile::tempdir_in(folder)?,
            None => tempfile::tempdir()?,
        };
        let admin = match (self.engine.as_str(), &self.url) {
            ("postgres", Some(url)) => {
                let mut options = ConnectOptions::new(url);
                options.max_connections(1).sqlx_logging(false);
                Some((sea_orm::Database::connect(options).await?, url.clone()))
            }
            ("postgres", None) => bail!("--engine postgres needs --url"),
            _ => None,
        };
        Ok(Place { admin, folder })
    }
}

impl Place {
    pub fn engine(&self) -> Engine {
        if self.admin.is_some() { Engine::Postgres } else { Engine::Sqlite }
    }

    /// Its name as people write it.
    pub fn engine_name(&self) -> &'static str {
        match self.engine() {
            Engine::Postgres => "PostgreSQL",
            Engine::Sqlite => "SQLite",
        }
    }

    /// The empty database of billing that is to be filled.
    pub async fn fill(&self, clock: &Clock) -> Result<Database> {
        if let Some((admin, _)) = &self.admin {
            for name in [ROUND, FILLED] {
                admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
            }
            admin.execute_unprepared(&format!("CREATE DATABASE {FILLED}")).await?;
        }
        self.connect(FILLED, clock).await
    }

    /// A fresh copy, which takes the place of the one before it.
    pub async fn round(&self, clock: &Clock) -> Result<Database> {
        match &self.admin {
            Some((admin, _)) => {
                admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {ROUND} WITH (FORCE)")).await?;
                admin.execute_unprepared(&format!("CREATE DATABASE {ROUND} TEMPLATE {FILLED}")).await?;
                // What copying left to write is not to be paid for by who comes first.
                admin.execute_unprepared("CHECKPOINT").await?;
            }
            None => {
                for suffix in ["", "-wal", "-shm"] {
                    let _ = std::fs::remove_file(self.folder.path().join(format!("{ROUND}.db{suffix}")));
                }
                let file = |name: &str| self.folder.path().join(format!("{name}.db"));
                std::fs::copy(file(FILLED), file(ROUND))?;
                std::fs::File::open(file(ROUND))?.sync_all()?;
            }
        }
        self.connect(ROUND, clock).await
    }

    /// One more connection to the round, as another replica has it.
    pub async fn replica(&self, clock: &Clock) -> Result<Database> {
        self.connect(ROUND, clock).await
    }

    async fn connect(&self, name: &str, clock: &Clock) -> Result<Database> {
        let target = Target::parse(&self.url(name)?).map_err(Error::msg)?;
        let db = Database::connect("billing", &target, clock.clone(), billing::SERVICE.migrations).await?;
        db.key_digests(&[7; 32])?;
        Ok(db)
    }

    /// Where the copy of the round is.
    pub fn round_url(&self) -> Result<String> {
        self.url(ROUND)
    }

    /// Connections to it besides those of the service, which send as soon as the service's do.
    pub async fn pool(&self) -> Result<PgPool> {
        let url = self.round_url()?;
        let pool = PgPool::connect(&url).await?;
        database::send_at_once(url.parse::<PgConnectOptions>()?.get_port())?;
        Ok(pool)
    }

    fn url(&self, name: &str) -> Result<String> {
        match &self.admin {
            Some((_, url)) => {
                let (place, query) = url.split_once('?').map_or((url.as_str(), ""), |(place, query)| (place, query));
                let (server, _) = place.rsplit_once('/').context("--url names no database, such as postgres")?;
                let mark = if query.is_empty() { "" } else { "?" };
                Ok(format!("{server}/{name}{mark}{query}"))
            }
            None => Ok(format!("sqlite://{}", self.folder.path().join(format!("{name}.db")).display())),
        }
    }

    /// Removes the databases.
    pub async fn close(self) -> Result<()> {
        if let Some((admin, _)) = &self.admin {
            for name in [ROUND, FILLED] {
                admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
            }
        }
        self.folder.close()?;
        Ok(())
    }
}
