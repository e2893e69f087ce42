//! Settings that could lose acknowledged writes are refused when a service starts.

use std::time::{Duration, Instant};

use calendar::Clock;
use database::{Database, Target};
use rpc::Fault;
use sea_orm::ConnectionTrait;

use crate::{
    notes::NOTES,
    server::{Server, beside, free_port, url, value},
};

async fn connect(url: &str) -> Result<(), Fault> {
    let db = Database::connect("hall", &Target::parse(url).unwrap(), Clock::real(), &[NOTES]).await?;
    db.close().await;
    Ok(())
}

/// `what` is named in the refusal, which comes within two seconds.
async fn assert_refused(url: &str, what: &str) {
    let from = Instant::now();
    let fault = connect(url).await.expect_err(what);
    assert!(from.elapsed() < Duration::from_secs(2), "{what}: refused after {:?}", from.elapsed());
    assert_eq!(fault.reason(), "DATABASE_UNSAFE", "{what}");
    assert!(fault.message().contains(what), "{what} is not in: {}", fault.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn r_d7_a_postgres_that_may_lose_writes_is_refused() {
    let port = free_port();
    let Some(_server) = Server::start(port) else { return };
    let admin = beside(&url(port)).await;
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        for (value_wanted, safe) in [("off", false), ("on", true)] {
            admin.execute_unprepared(&format!("ALTER SYSTEM SET {setting} = {value_wanted}")).await.unwrap();
            admin.execute_unprepared("SELECT pg_reload_conf()").await.unwrap();
            testbed::eventually("the setting", async || {
                let fresh = beside(&url(port)).await;
                let now: String = value(&fresh, &format!("SHOW {setting}")).await;
                fresh.close().await.unwrap();
                (now == value_wanted).then_some(())
            })
            .await;
            if safe {
                connect(&url(port)).await.unwrap();
            } else {
                assert_refused(&url(port), &format!("SHOW {setting} is off")).await;
            }
        }
    }
    // What a role or the URL says of one session counts as well.
    admin.execute_unprepared("ALTER ROLE hearth SET synchronous_commit = off").await.unwrap();
    assert_refused(&url(port), "SHOW synchronous_commit is off").await;
    admin.execute_unprepared("ALTER ROLE hearth RESET synchronous_commit").await.unwrap();
    let by_url = format!("{}?options=-c%20synchronous_commit%3Doff", url(port));
    assert_refused(&by_url, "SHOW synchronous_commit is off").await;
    connect(&url(port)).await.unwrap();
}

#[tokio::test]
async fn r_d7_a_sqlite_that_may_lose_writes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    // In memory there is no log that could be synced.
    assert_refused(&format!("sqlite://{}?mode=memory", file.display()), "PRAGMA journal_mode is memory").await;
    // What a file was left with does not last: each connection sets its own.
    let sloppy = beside(&format!("sqlite://{}?mode=rwc", file.display())).await;
    let mode: String = value(&sloppy, "PRAGMA journal_mode = delete").await;
    assert_eq!(mode, "delete");
    sloppy.close().await.unwrap();
    let db = Database::connect(
        "hall",
        &Target::parse(&format!("sqlite://{}", file.display())).unwrap(),
        Clock::real(),
        &[NOTES],
    )
    .await
    .unwrap();
    for connection in [db.writer(), db.reader()] {
        assert_eq!(value::<String>(connection, "PRAGMA journal_mode").await, "wal");
        assert_eq!(value::<i32>(connection, "PRAGMA synchronous").await, 2);
        assert_eq!(value::<i32>(connection, "PRAGMA foreign_keys").await, 1);
    }
    db.close().await;
}

/// Of several that start at once on a new database each finds its tables.
#[tokio::test(flavor = "multi_thread")]
async fn r_d11_replicas_start_together_on_a_new_database() {
    let port = free_port();
    let Some(_server) = Server::start(port) else { return };
    let admin = beside(&url(port)).await;
    for round in 0..5 {
        admin.execute_unprepared(&format!("CREATE DATABASE together_{round}")).await.unwrap();
        let own = url(port).replace("/postgres", &format!("/together_{round}"));
        let replicas: Vec<_> = (0..8).map(|_| tokio::spawn(connect_owned(own.clone()))).collect();
        for replica in replicas {
            replica.await.unwrap().unwrap();
        }
    }
}

async fn connect_owned(url: String) -> Result<(), Fault> {
    connect(&url).await
}
