//! What a service says of itself, and when.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use database::Engine;
use sea_orm::{ConnectionTrait, Database};
use testbed::{BARE, Bed, each, each_of};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

const SERVES: &str = "hearth.job.v1.JobService";

async fn health(bed: &Bed, service: &str) -> ServingStatus {
    let request = HealthCheckRequest { service: service.to_owned() };
    HealthClient::new(bed.anonymous()).check(request).await.unwrap().into_inner().status()
}

/// O18, O19: a service starts and is ready with nobody where the others should be.
#[tokio::test(flavor = "multi_thread")]
async fn r_o18_o19_a_service_is_ready_without_its_peers() {
    each(BARE, async |bed| {
        for name in [SERVES, ""] {
            assert_eq!(health(bed, name).await, ServingStatus::Serving, "{name}");
        }
    })
    .await;
}

/// O18: while its database is away a service is alive and not ready; it tells so within two seconds, and of the return as well.
/// SQLite is a part of the process and cannot be away.
#[tokio::test(flavor = "multi_thread")]
async fn r_o18_readiness_follows_the_own_database() {
    each_of(BARE, &[Engine::Postgres], async |bed| {
        let url = bed.target().url;
        let (server, name) = url.rsplit_once('/').unwrap();
        let (name, options) = name.split_once('?').map_or((name, String::new()), |(n, o)| (n, format!("?{o}")));
        let admin = Database::connect(format!("{server}/postgres{options}")).await.unwrap();
        let away = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
        for (allowed, expected) in [(false, ServingStatus::NotServing), (true, ServingStatus::Serving)] {
            admin
                .execute_unprepared(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}"))
                .await
                .unwrap();
            if !allowed {
                admin.execute_unprepared(&away).await.unwrap();
            }
            let began = Instant::now();
            while health(bed, SERVES).await != expected {
                assert!(began.elapsed() < Duration::from_secs(2), "{expected:?} within two seconds");
                assert_eq!(health(bed, "").await, ServingStatus::Serving, "it lives");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    })
    .await;
}
