//! PostgreSQL whose tables have no room left. (SQLite on a full disk is tried with the four services as they are started by a person.)

use std::{
    env, fs,
    time::{Duration, Instant},
};

use contracts::hearth::hall::v1::ListEscalationsRequest;
use database::Engine;
use sea_orm::ConnectionTrait;
use testbed::means::{Disk, say};
use tonic::Code;

use crate::{
    desk::{DESK, desk, note},
    process::alone,
    server::{Server, beside, free_port, url, value},
};

const TEST: &str = "full::r_d4_a_postgres_without_room_stops_writes_cleanly_and_heals_by_itself";

#[tokio::test(flavor = "multi_thread")]
async fn r_d4_a_postgres_without_room_stops_writes_cleanly_and_heals_by_itself() {
    let port = free_port().to_string();
    let own = url(port.parse().unwrap());
    if crate::server::binaries().is_none() || !alone(TEST, &[(testbed::postgres::URL, &own), ("HEARTH_TEST_PORT", &port)], &[]) {
        return;
    }
    let folder = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .unwrap();
    let place = folder.path().join("disk");
    let Some(disk) = Disk::mount(&place, "64m") else {
        return;
    };
    let server = Server::start(env::var("HEARTH_TEST_PORT").unwrap().parse().unwrap()).unwrap();
    let space = place.join("space");
    fs::create_dir(&space).unwrap();
    server.own(&space);
    let admin = beside(&own_url()).await;
    for sql in [
        &format!("CREATE TABLESPACE small LOCATION '{}'", space.display()),
        "ALTER SYSTEM SET default_tablespace = small",
        "SELECT pg_reload_conf()",
    ] {
        admin.execute_unprepared(sql).await.unwrap();
    }
    admin.close().await.unwrap();
    testbed::each_of(DESK, &[Engine::Postgres], async |bed| {
        let mut client = desk(bed);
        let mut kept = 0_i64;
        for _ in 0..20 {
            client.take_escalation(note()).await.unwrap();
            kept += 1;
        }
        let ballast = disk.fill();
        // Pages that were there already take some more.
        let (mut refused, from) = (0, Instant::now());
        while refused < 50 {
            let asked = Instant::now();
            match client.take_escalation(note()).await {
                Ok(_) => kept += 1,
                Err(status) => {
                    assert_eq!(
                        (status.code(), testbed::reason(&status).as_str()),
                        (Code::Unavailable, "STORAGE_FULL"),
                        "{status:?}"
                    );
                    assert!(asked.elapsed() < Duration::from_secs(1), "refused after {:?}", asked.elapsed());
                    refused += 1;
                }
            }
            assert!(from.elapsed() < Duration::from_secs(120), "the disk does not get full");
            client.list_escalations(ListEscalationsRequest::default()).await.expect("reads go on");
        }
        fs::remove_file(&ballast).unwrap();
        let freed = Instant::now();
        while let Err(status) = client.take_escalation(note()).await {
            assert!(freed.elapsed() < Duration::from_secs(5), "still refused: {status:?}");
        }
        let healed = freed.elapsed();
        assert_eq!(
            value::<i64>(bed.db().reader(), "SELECT count(*) FROM note").await,
            kept + 1,
            "a refused write left something"
        );
        say(&format!(
            "figure: D4 Postgres: 50 writes refused with STORAGE_FULL, 50 of 50 reads answered, writes again {healed:?} after space came back"
        ));
    })
    .await;
}

fn own_url() -> String {
    env::var(testbed::postgres::URL).unwrap()
}
