use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement};
use tempfile::TempDir;
use vault::{Keyring, Vault};

/// A database with the table, and a folder that lasts as long as the test.
pub struct Stand {
    pub db: DatabaseConnection,
    pub folder: TempDir,
}

impl Stand {
    pub async fn sql(&self, sql: &str) {
        self.db.execute_unprepared(sql).await.unwrap();
    }

    /// All bytes that the table holds.
    pub async fn bytes(&self) -> Vec<Vec<u8>> {
        let rows = self
            .db
            .query_all_raw(Statement::from_string(
                self.db.get_database_backend(),
                "SELECT wrapped FROM subject_key ORDER BY subject",
            ))
            .await
            .unwrap();
        rows.iter().map(|row| row.try_get::<Vec<u8>>("", "wrapped").unwrap()).collect()
    }

    /// The answer to a count.
    pub async fn number(&self, sql: &str) -> i64 {
        let row = self.db.query_one_raw(Statement::from_string(self.db.get_database_backend(), sql)).await;
        row.unwrap().unwrap().try_get_by_index(0).unwrap()
    }

    /// Ids of the keys that wrap something.
    pub async fn keys(&self) -> Vec<String> {
        let sql = "SELECT DISTINCT key_id FROM subject_key ORDER BY key_id";
        let rows = self
            .db
            .query_all_raw(Statement::from_string(self.db.get_database_backend(), sql))
            .await
            .unwrap();
        rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    }

    /// Number of subject keys by key id.
    pub async fn count(&self, key_id: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) AS n FROM subject_key WHERE key_id = '{key_id}'");
        let row = self
            .db
            .query_one_raw(Statement::from_string(self.db.get_database_backend(), sql))
            .await
            .unwrap()
            .unwrap();
        row.try_get::<i64>("", "n").unwrap()
    }

    pub fn key_file(&self) -> std::path::PathBuf {
        self.folder.path().join("vault.keys")
    }

    /// The vault of the key file, which is made at the first call.
    pub fn vault(&self) -> Vault {
        if !self.key_file().exists() {
            Keyring::generate().unwrap().save(&self.key_file()).unwrap();
        }
        Vault::new(Keyring::load(&self.key_file()).unwrap(), "archive")
    }

    /// The key file gets a new current key; answers the ids of the new and the old one.
    pub fn rotate(&self) -> (String, String) {
        let ring = Keyring::load(&self.key_file()).unwrap().announced().unwrap().promoted();
        ring.save(&self.key_file()).unwrap();
        let mut ids = ring.ids().map(str::to_owned);
        (ids.next().unwrap(), ids.next().unwrap())
    }
}

const TABLE: &str = "CREATE TABLE subject_key (subject uuid NOT NULL PRIMARY KEY, key_id text NOT NULL, wrapped bytea NOT NULL, created_at bigint NOT NULL)";

/// Runs a test on SQLite and, where `HEARTH_TEST_POSTGRES_URL` names a server, in a schema of its own on PostgreSQL.
pub async fn each(test: impl AsyncFn(&Stand)) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("vault.db").display());
    let stand = Stand {
        db: Database::connect(url).await.unwrap(),
        folder,
    };
    stand.sql("PRAGMA journal_mode = WAL").await;
    stand.sql(TABLE).await;
    test(&stand).await;

    let Ok(url) = std::env::var("HEARTH_TEST_POSTGRES_URL") else { return };
    let schema = format!("vault_{}", uuid::Uuid::now_v7().simple());
    let options = ConnectOptions::new(url).set_schema_search_path(&schema).to_owned();
    let stand = Stand {
        db: Database::connect(options).await.unwrap(),
        folder: tempfile::tempdir().unwrap(),
    };
    stand.sql(&format!("CREATE SCHEMA {schema}")).await;
    stand.sql(TABLE).await;
    test(&stand).await;
    stand.sql(&format!("DROP SCHEMA {schema} CASCADE")).await;
}
