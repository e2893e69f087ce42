//! D1b, E1: all services end at every failpoint in turn, each at its own pass of it, under load. Debug builds only: a release build has no failpoints.

use std::time::{Duration, Instant};

use contracts::hearth::{
    billing::v1::{ImportReadingsRequest, ImportReadingsResponse, ReadingRow, StartBillRunRequest},
    options::v1::Role,
};
use database::{Engine, POINTS};
use prost::Message;

use super::Scene;
use crate::{
    SERVICES,
    city::{Home, op, tariff, write},
    client::Who,
    history::{Meaning, Op},
    load::Load,
    seed::Seed,
    sql::Sql,
};

/// Homes whose bills are run, beside those of the writers.
const BILLED: usize = 10;
/// Longest wait until a point is passed by all.
const PATIENCE: Duration = Duration::from_secs(60);

pub async fn run(engine: Engine) -> Option<String> {
    let mut scene = Scene::set("points", engine, Load::HOMES + BILLED).await?;
    write(&scene.site, tariff(&mut scene.seed)).await;
    let rows = scene.city.homes.iter().skip(Load::HOMES).map(|home| row(home, "10"));
    let taken = write(&scene.site, readings(&mut scene.seed, rows.collect())).await;
    assert_eq!(ImportReadingsResponse::decode(taken).unwrap().accepted as usize, BILLED);
    let load = Load::start(&scene.site, &scene.city, &scene.seed);
    let mut runs = 0;
    let mut ends = 0;
    for point in POINTS {
        let mut armed: Vec<_> = SERVICES.map(|s| s.name).into_iter().filter(|name| passes(name, point)).collect();
        for name in &armed {
            let pass = scene.seed.within(1, passes_within(name, point));
            scene.site.kill(name);
            scene.site.spawn(name, Some(&format!("{point}:{pass}")));
        }
        ends += armed.len();
        let started = of_a_job(point).then(|| {
            runs += 1;
            let (site, start) = (scene.site.clone(), start_run(&mut scene.seed));
            tokio::spawn(async move { write(&site, start).await })
        });
        let began = Instant::now();
        while !armed.is_empty() {
            assert!(began.elapsed() < PATIENCE, "{point} was not passed as often as meant by {armed:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
            armed.retain(|name| {
                let ended = scene.site.aborted(name);
                if ended {
                    scene.site.spawn(name, None);
                }
                !ended
            });
        }
        for service in SERVICES {
            scene.site.serving(service.name).await;
        }
        if let Some(started) = started {
            started.await.unwrap();
        }
    }
    load.stop().await;
    // The lease of a job that nobody holds any more ends by itself.
    crate::check::settled(&scene.site, Duration::from_secs(60)).await;
    let sql = Sql::of(&scene.site, "billing").await;
    for home in scene.city.homes.iter().skip(Load::HOMES) {
        let count = format!("SELECT count(*) FROM bill WHERE account_no = '{}'", home.account_no);
        assert_eq!(
            sql.number(&count).await,
            1,
            "bills of {}: of one month, however many runs met it",
            home.account_no
        );
    }
    assert_eq!(
        sql.number("SELECT count(*) FROM job WHERE state <> 'SUCCEEDED'").await,
        0,
        "jobs that did not succeed"
    );
    let figures = format!("{ends} ends at {} failpoints, {runs} runs of one month", POINTS.len());
    Some(scene.end(&figures).await)
}

/// Only billing has jobs.
fn passes(service: &str, point: &str) -> bool {
    service == "billing" || !of_a_job(point)
}

/// A job of one chunk passes its points twice; the vendor service is written to the least.
fn passes_within(service: &str, point: &str) -> u64 {
    match service {
        _ if of_a_job(point) => 3,
        "vendor" => 4,
        _ => 10,
    }
}

fn of_a_job(point: &str) -> bool {
    point.starts_with("chunk.") || point.starts_with("progress.")
}

/// A reading in January.
pub(super) fn row(home: &Home, index: &str) -> ReadingRow {
    ReadingRow {
        line: 0,
        meter_no: home.meter_no.clone(),
        read_at: "2025-01-28T12:00:00+08:00".to_owned(),
        index: index.to_owned(),
        source: "remote".to_owned(),
        ..Default::default()
    }
}

pub(super) fn readings(seed: &mut Seed, rows: Vec<ReadingRow>) -> Op {
    let operator = Who::staff("operator", &[Role::Operator]);
    op(
        seed,
        &operator,
        "hearth.billing.v1.ReadingService/ImportReadings",
        Meaning::Other,
        |request_id| {
            ImportReadingsRequest {
                request_id,
                dry_run: false,
                rows,
            }
            .encode_to_vec()
        },
    )
}

/// A run of January.
pub(super) fn start_run(seed: &mut Seed) -> Op {
    let accountant = Who::staff("accountant", &[Role::Accountant]);
    op(
        seed,
        &accountant,
        "hearth.billing.v1.BillRunService/StartBillRun",
        Meaning::Other,
        |request_id| {
            StartBillRunRequest {
                request_id,
                year: 2025,
                month: 1,
                ..StartBillRunRequest::default()
            }
            .encode_to_vec()
        },
    )
}
