//! A SQLite database, copied by `VACUUM INTO` from the snapshot of one connection while others write.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use database::Target;
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use tokio::task::JoinHandle;

use super::{Source, head, manifest::Head};

/// How long writers and checkpoints are waited for.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Held {
    database: DatabaseConnection,
    /// The place of the one writer, taken and not used.
    writer: Option<DatabaseTransaction>,
    copy: Option<(PathBuf, JoinHandle<Result<()>>)>,
}

/// Waits for the writer and keeps others from writing.
pub async fn hold(target: &Target) -> Result<Held> {
    let database = open(&target.existing(), 2).await?;
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let writer = database.begin_with_options(options).await?;
    Ok(Held {
        database,
        writer: Some(writer),
        copy: None,
    })
}

async fn open(url: &str, connections: u32) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|o| o.busy_timeout(PATIENCE));
    sea_orm::Database::connect(options).await.with_context(|| format!("{url} cannot be opened"))
}

#[tonic::async_trait]
impl Source for Held {
    async fn begin(&mut self, folder: &Path) -> Result<()> {
        let path = folder.join("database.sqlite");
        let sql = format!("VACUUM INTO '{}'", path.display().to_string().replace('\'', "''"));
        let database = self.database.clone();
        let copy = tokio::spawn(async move { database.execute_unprepared(&sql).await.map(drop).map_err(Into::into) });
        // The first page that is written was read in the copy's own snapshot, so that is taken by then; a small database is whole before.
        while !copy.is_finished() && fs::metadata(&path).map_or(0, |m| m.len()) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.copy = Some((path, copy));
        Ok(())
    }

    async fn release(&mut self) -> Result<()> {
        match self.writer.take() {
            Some(writer) => Ok(writer.rollback().await?),
            None => Ok(()),
        }
    }

    async fn finish(self: Box<Self>) -> Result<Head> {
        let (path, copy) = self.copy.ok_or_else(|| anyhow!("no copy was begun"))?;
        copy.await??;
        self.database.close().await?;
        let copied = open(&format!("sqlite://{}?mode=ro", path.display()), 1).await?;
        let verdict = copied
            .query_one_raw(Statement::from_string(DbBackend::Sqlite, "PRAGMA integrity_check"))
            .await?;
        let verdict: String = verdict.ok_or_else(|| anyhow!("the integrity check has no answer"))?.try_get_by_index(0)?;
        ensure!(verdict == "ok", "the copy is damaged: {verdict}");
        let head = head(&copied).await?;
        copied.close().await?;
        Ok(head)
    }
}
