use async_trait::async_trait;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    TransactionOptions, TransactionTrait,
    sea_query::Values,
    sqlx::{self, AssertSqlSafe, Executor, Postgres, postgres::PgArguments, query::Query},
};
use sea_query_sqlx::SqlxValues;
use tokio::sync::Mutex;

/// What a statement runs on. One type for a pool and for an open transaction, so that what a service asks its database is compiled once and
/// not once for each.
pub struct Conn(On);

enum On {
    Pool(DatabaseConnection),
    Sqlite(DatabaseTransaction),
    /// Our own, since the library hides the connection of its transactions, and COPY needs it.
    Postgres(Box<Mutex<sqlx::Transaction<'static, Postgres>>>),
}

/// What one COPY message holds, so that the rows are not kept twice.
const PIECE: usize = 64 * 1024;

impl Conn {
    /// A transaction; within one that is open there is no other.
    pub async fn begin(&self, options: TransactionOptions) -> Result<Self, DbErr> {
        let On::Pool(pool) = &self.0 else {
            return Err(DbErr::Custom("a transaction is open already".to_owned()));
        };
        if pool.get_database_backend() != DbBackend::Postgres {
            return Ok(Self(On::Sqlite(pool.begin_with_options(options).await?)));
        }
        let level = options.isolation_level.map_or_else(String::new, |level| format!(" ISOLATION LEVEL {level}"));
        let mode = options.access_mode.map_or_else(String::new, |mode| format!(" {mode}"));
        let begin = format!("BEGIN{level}{mode}");
        let tx = pool
            .get_postgres_connection_pool()
            .begin_with(AssertSqlSafe(begin))
            .await
            .map_err(acquire_error)?;
        Ok(Self(On::Postgres(Box::new(Mutex::new(tx)))))
    }

    /// Keeps what a transaction did; dropped without it, it is undone.
    pub async fn commit(self) -> Result<(), DbErr> {
        match self.0 {
            On::Sqlite(tx) => tx.commit().await,
            On::Postgres(tx) => tx.into_inner().commit().await.map_err(query_error),
            On::Pool(_) => Ok(()),
        }
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        match self.0 {
            On::Sqlite(tx) => tx.rollback().await,
            On::Postgres(tx) => tx.into_inner().rollback().await.map_err(query_error),
            On::Pool(_) => Ok(()),
        }
    }

    /// Closes a pool.
    pub(crate) async fn close(&self) -> Result<(), DbErr> {
        match &self.0 {
            On::Pool(pool) => pool.close_by_ref().await,
            On::Sqlite(_) | On::Postgres(_) => Ok(()),
        }
    }

    /// Whether rows can be sent by [`copy`](Self::copy).
    pub(crate) fn copies(&self) -> bool {
        matches!(self.0, On::Postgres(_))
    }

    /// Runs a COPY … FROM STDIN with its data, in a transaction on PostgreSQL.
    pub(crate) async fn copy(&self, statement: &str, data: &[u8]) -> Result<(), DbErr> {
        let On::Postgres(tx) = &self.0 else {
            return Err(DbErr::Custom("only a transaction on PostgreSQL copies".to_owned()));
        };
        let mut tx = tx.lock().await;
        let mut copy = tx.copy_in_raw(statement).await.map_err(exec_error)?;
        for piece in data.chunks(PIECE) {
            copy.send(piece).await.map_err(exec_error)?;
        }
        copy.finish().await.map_err(exec_error)?;
        Ok(())
    }
}

fn acquire_error(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
    }
}

fn exec_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

fn query(statement: Statement) -> Query<'static, Postgres, PgArguments> {
    let values = statement.values.unwrap_or_else(|| Values(vec![]));
    sqlx::query_with(
        AssertSqlSafe(statement.sql),
        <SqlxValues as sqlx::IntoArguments<Postgres>>::into_arguments(SqlxValues(values)),
    )
}

impl From<DatabaseConnection> for Conn {
    fn from(pool: DatabaseConnection) -> Self {
        Self(On::Pool(pool))
    }
}

#[async_trait]
impl ConnectionTrait for Conn {
    fn get_database_backend(&self) -> DbBackend {
        match &self.0 {
            On::Pool(pool) => pool.get_database_backend(),
            On::Sqlite(_) => DbBackend::Sqlite,
            On::Postgres(_) => DbBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match &self.0 {
            On::Pool(pool) => pool.execute_raw(statement).await,
            On::Sqlite(tx) => tx.execute_raw(statement).await,
            On::Postgres(tx) => {
                let done = query(statement).execute(&mut **tx.lock().await).await;
                done.map(Into::into).map_err(exec_error)
            }
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match &self.0 {
            On::Pool(pool) => pool.execute_unprepared(sql).await,
            On::Sqlite(tx) => tx.execute_unprepared(sql).await,
            On::Postgres(tx) => {
                let done = tx.lock().await.execute(AssertSqlSafe(sql.to_owned())).await;
                done.map(Into::into).map_err(exec_error)
            }
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match &self.0 {
            On::Pool(pool) => pool.query_one_raw(statement).await,
            On::Sqlite(tx) => tx.query_one_raw(statement).await,
            On::Postgres(tx) => {
                let found = query(statement).fetch_optional(&mut **tx.lock().await).await;
                found.map(|row| row.map(Into::into)).map_err(query_error)
            }
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &self.0 {
            On::Pool(pool) => pool.query_all_raw(statement).await,
            On::Sqlite(tx) => tx.query_all_raw(statement).await,
            On::Postgres(tx) => {
                let found = query(statement).fetch_all(&mut **tx.lock().await).await;
                found.map(|rows| rows.into_iter().map(Into::into).collect()).map_err(query_error)
            }
        }
    }
}
