use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement, TransactionOptions, TransactionTrait,
};

/// What a statement runs on. One type for a pool and for an open transaction, so that what a service asks its database is compiled once and
/// not once for each.
pub struct Conn(On);

enum On {
    Pool(DatabaseConnection),
    Open(DatabaseTransaction),
}

impl Conn {
    /// A transaction; within one that is open, a part of it.
    pub async fn begin(&self, options: TransactionOptions) -> Result<Self, DbErr> {
        let tx = match &self.0 {
            On::Pool(pool) => pool.begin_with_options(options).await,
            On::Open(tx) => tx.begin_with_options(options).await,
        };
        tx.map(Self::from)
    }

    /// Keeps what a transaction did; dropped without it, it is undone.
    pub async fn commit(self) -> Result<(), DbErr> {
        match self.0 {
            On::Open(tx) => tx.commit().await,
            On::Pool(_) => Ok(()),
        }
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        match self.0 {
            On::Open(tx) => tx.rollback().await,
            On::Pool(_) => Ok(()),
        }
    }

    /// Closes a pool.
    pub(crate) async fn close(&self) -> Result<(), DbErr> {
        match &self.0 {
            On::Pool(pool) => pool.close_by_ref().await,
            On::Open(_) => Ok(()),
        }
    }
}

impl From<DatabaseConnection> for Conn {
    fn from(pool: DatabaseConnection) -> Self {
        Self(On::Pool(pool))
    }
}

impl From<DatabaseTransaction> for Conn {
    fn from(tx: DatabaseTransaction) -> Self {
        Self(On::Open(tx))
    }
}

#[async_trait]
impl ConnectionTrait for Conn {
    fn get_database_backend(&self) -> DbBackend {
        match &self.0 {
            On::Pool(pool) => pool.get_database_backend(),
            On::Open(tx) => tx.get_database_backend(),
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match &self.0 {
            On::Pool(pool) => pool.execute_raw(statement).await,
            On::Open(tx) => tx.execute_raw(statement).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match &self.0 {
            On::Pool(pool) => pool.execute_unprepared(sql).await,
            On::Open(tx) => tx.execute_unprepared(sql).await,
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match &self.0 {
            On::Pool(pool) => pool.query_one_raw(statement).await,
            On::Open(tx) => tx.query_one_raw(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &self.0 {
            On::Pool(pool) => pool.query_all_raw(statement).await,
            On::Open(tx) => tx.query_all_raw(statement).await,
        }
    }
}
