//! What the journal costs a write, and how long a row stays unsealed: `cargo run --release -p database --example journal_cost [WRITES]`. On SQLite in a
//! temporary folder and on PostgreSQL, where the machine has it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_arithmetic)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use calendar::Clock;
use contracts::hearth::{
    job::v1::{CancelJobRequest, CancelJobResponse},
    journal::v1::Cursor,
};
use database::{Begun, Database, Target, journal};
use rpc::{Call, Kind, Principal};
use sea_orm::{ConnectionTrait, Statement, TransactionOptions, Value};
use uuid::Uuid;

const NOTES: &str = "-- both\nCREATE TABLE note (id bigint NOT NULL PRIMARY KEY, text text NOT NULL)";
const WRITERS: i64 = 8;

/// A write as the services make it.
async fn journaled(db: &Database, n: i64) {
    let principal = Principal {
        subject: "li".to_owned(),
        ..Principal::default()
    };
    let call = Call::new("hearth.job.v1.JobService/CancelJob", Kind::Write, principal);
    let request = CancelJobRequest {
        request_id: Uuid::now_v7().to_string(),
        job_id: n.to_string(),
    };
    let Begun::Fresh(mut write) = db.begin::<_, CancelJobResponse>(&call, &request).await.unwrap() else {
        panic!("a fresh key");
    };
    write
        .execute_unprepared(&format!("INSERT INTO note (id, text) VALUES ({n}, 'note')"))
        .await
        .unwrap();
    write.subject(n);
    write.event(n, &Cursor::default());
    write.commit(CancelJobResponse::default()).await.unwrap();
}

/// The same statements without the row of the journal and its event.
async fn bare(db: &Database, n: i64) {
    let tx = db.writer().begin(TransactionOptions::default()).await.unwrap();
    let backend = tx.get_database_backend();
    let marks: Vec<_> = (1..7)
        .map(|i| {
            if backend == sea_orm::DbBackend::Postgres {
                format!("${i}")
            } else {
                "?".to_owned()
            }
        })
        .collect();
    let id = Uuid::now_v7().to_string();
    let sql = format!(
        "INSERT INTO replay (caller, request_id, method, digest, response, created_at) VALUES ({}) ON CONFLICT DO NOTHING",
        marks.join(", ")
    );
    let values: [Value; 6] = [
        "li".into(),
        id.clone().into(),
        "m".into(),
        vec![0_u8; 32].into(),
        Vec::<u8>::new().into(),
        n.into(),
    ];
    tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await.unwrap();
    tx.execute_unprepared(&format!("INSERT INTO note (id, text) VALUES ({n}, 'note')"))
        .await
        .unwrap();
    let sql = format!("UPDATE replay SET response = {} WHERE caller = 'li' AND request_id = {}", marks[0], marks[1]);
    tx.execute_raw(Statement::from_sql_and_values(backend, sql, [vec![0_u8; 16].into(), id.into()]))
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// Writes from several tasks; how many a second.
async fn rate(db: &Database, next: &Arc<AtomicI64>, writes: i64, with_journal: bool) -> f64 {
    let began = Instant::now();
    let tasks = (0..WRITERS).map(|_| {
        let (db, next) = (db.clone(), next.clone());
        tokio::spawn(async move {
            for _ in 0..writes / WRITERS {
                let n = next.fetch_add(1, Ordering::SeqCst);
                if with_journal { journaled(&db, n).await } else { bare(&db, n).await }
            }
        })
    });
    futures::future::try_join_all(tasks.collect::<Vec<_>>()).await.unwrap();
    writes as f64 / began.elapsed().as_secs_f64()
}

async fn number(db: &Database, sql: &str) -> Option<i64> {
    let reader = db.reader();
    let row = reader.query_one_raw(Statement::from_string(reader.get_database_backend(), sql)).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

async fn measure(engine: &str, url: &str, writes: i64) {
    let db = Database::connect("vendor", &Target::parse(url).unwrap(), Clock::real(), &[NOTES])
        .await
        .unwrap();
    db.key_digests(&[7; 32]).unwrap();
    let next = Arc::new(AtomicI64::new(1));
    rate(&db, &next, writes / 10, false).await;
    rate(&db, &next, writes / 10, true).await;
    let without = rate(&db, &next, writes, false).await;
    let with = rate(&db, &next, writes, true).await;
    while journal::seal(&db).await.unwrap() > 0 {}

    let stop = Arc::new(AtomicBool::new(false));
    let sealer = tokio::spawn(journal::seal_forever(db.clone()));
    let (watched, stopped) = (db.clone(), stop.clone());
    let watcher = tokio::spawn(async move {
        let mut ages = vec![];
        while !stopped.load(Ordering::SeqCst) {
            let oldest = number(&watched, "SELECT min(written_at) FROM journal WHERE position IS NULL").await;
            ages.push(oldest.map_or(0, |at| Clock::real().now().micros() - at));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ages
    });
    let sealed = rate(&db, &next, writes, true).await;
    stop.store(true, Ordering::SeqCst);
    let mut ages = watcher.await.unwrap();
    let ended = Instant::now();
    while number(&db, "SELECT count(*) FROM journal WHERE position IS NULL").await != Some(0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let drained = ended.elapsed();
    sealer.abort();
    ages.sort_unstable();
    let at = |part: usize| ages[(ages.len() - 1) * part / 100] as f64 / 1000.0;
    let began = Instant::now();
    let state = journal::verify(&db).await.unwrap();
    println!(
        "| {engine} | {without:.0} | {with:.0} ({:+.0} %) | {sealed:.0} ({:+.0} %) | {:.1}, {:.1}, {:.1} | {:.1} | {} in {:.0} ms, intact: {} |",
        (with / without - 1.0) * 100.0,
        (sealed / without - 1.0) * 100.0,
        at(50),
        at(99),
        at(100),
        drained.as_secs_f64() * 1000.0,
        state.sealed_rows,
        began.elapsed().as_secs_f64() * 1000.0,
        state.intact
    );
    db.close().await;
}

#[tokio::main]
async fn main() {
    let writes = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(4000);
    let folder = tempfile::tempdir().unwrap();
    println!("| engine | writes/s without a journal | with | with a sealer | oldest unsealed row, ms: p50, p99, max | all sealed after, ms | verified |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    measure("SQLite", &format!("sqlite://{}", folder.path().join("cost.db").display()), writes).await;
    if let Some(url) = testbed::postgres::database("vendor", async |_| Ok(())).await.unwrap() {
        measure("PostgreSQL", &url, writes).await;
    }
}
