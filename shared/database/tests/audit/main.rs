//! The journal under other hands, several sealers and a restored copy, on both engines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod positions;
mod tampering;

use boot::Service;
use contracts::hearth::{
    job::v1::{CancelJobRequest, CancelJobResponse},
    journal::v1::{Cursor, VerifyJournalResponse},
};
use database::{Begun, Database, Engine, journal};
use rpc::{Call, Fault, Kind, Principal};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, TransactionOptions};
use testbed::{BARE, eventually, key};

const NOTES: &str = "-- both\nCREATE TABLE note (id bigint NOT NULL PRIMARY KEY, text text NOT NULL)\n--;\nCREATE TABLE kept (id bigint NOT NULL PRIMARY KEY)
-- sqlite\nCREATE TRIGGER kept_no_delete BEFORE DELETE ON kept BEGIN SELECT RAISE(ABORT, 'kept_is_append_only'); END
-- postgres\nCREATE TRIGGER kept_no_change BEFORE UPDATE OR DELETE ON kept FOR EACH ROW EXECUTE FUNCTION append_only()";
const NOTED: Service = Service {
    name: "vendor",
    port: 7704,
    migrations: &[NOTES],
    ..BARE
};

/// Writes a note with two events: one of its own, one of all notes.
async fn note(db: &Database, text: &str) -> Result<(), Fault> {
    let principal = Principal {
        subject: "li".to_owned(),
        ..Principal::default()
    };
    let call = Call::new("hearth.job.v1.JobService/CancelJob", Kind::Write, principal);
    let call = call.with(
        Some("审计".to_owned()),
        Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        None,
        None,
    );
    let request = CancelJobRequest {
        request_id: key(),
        job_id: text.to_owned(),
    };
    let Begun::Fresh(mut write) = db.begin::<_, CancelJobResponse>(&call, &request).await? else {
        panic!("a fresh key");
    };
    let number = database::numbers::next(&write, "N", "", 2025, 1).await?;
    write
        .execute_unprepared(&format!("INSERT INTO note (id, text) VALUES ({number}, '{text}')"))
        .await?;
    write.subject(number);
    for aggregate in ["notes".to_owned(), format!("note {number}")] {
        let payload = Cursor {
            source: text.to_owned(),
            ..Cursor::default()
        };
        write.event(aggregate, &payload);
    }
    write.commit(CancelJobResponse::default()).await?;
    Ok(())
}

async fn rows(db: &Database, sql: &str) -> Vec<QueryResult> {
    let backend = db.writer().get_database_backend();
    db.writer().query_all_raw(Statement::from_string(backend, sql)).await.unwrap()
}

async fn number(db: &Database, sql: &str) -> i64 {
    rows(db, sql).await[0].try_get_by_index(0).unwrap()
}

/// Several statements in one transaction.
async fn all(db: &Database, statements: &[String]) -> Result<(), DbErr> {
    let tx = db.writer().begin(TransactionOptions::default()).await?;
    for statement in statements {
        tx.execute_unprepared(statement).await?;
    }
    tx.commit().await
}

async fn sealed(db: &Database, rows: i64) -> VerifyJournalResponse {
    eventually("sealing", async || {
        Some(journal::verify(db).await.unwrap()).filter(|s| s.unsealed_rows == 0 && s.sealed_rows >= rows)
    })
    .await
}

/// Takes the guards away, as somebody with the file or the owner's password can.
async fn disarm(db: &Database) {
    for table in ["journal", "event", "seal"] {
        if db.engine() == Engine::Postgres {
            all(db, &[format!("ALTER TABLE {table} DISABLE TRIGGER USER")]).await.unwrap();
            continue;
        }
        for row in rows(db, &format!("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{table}'")).await {
            let name: String = row.try_get_by_index(0).unwrap();
            all(db, &[format!("DROP TRIGGER {name}")]).await.unwrap();
        }
    }
}

async fn copy(db: &Database, tables: &[&str]) {
    for table in tables {
        all(db, &[format!("CREATE TABLE copy_of_{table} AS SELECT * FROM {table}")]).await.unwrap();
    }
}

async fn restore(db: &Database, tables: &[&str]) {
    let statements: Vec<_> = tables
        .iter()
        .flat_map(|t| [format!("DELETE FROM {t}"), format!("INSERT INTO {t} SELECT * FROM copy_of_{t}")])
        .collect();
    all(db, &statements).await.unwrap();
}
