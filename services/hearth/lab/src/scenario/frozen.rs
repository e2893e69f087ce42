//! O13: each service in turn is stopped (SIGSTOP) under load and goes on later.

use std::time::{Duration, Instant};

use database::Engine;

use super::{Scene, allowed, seconds};
use crate::{SERVICES, load::Load};

/// How soon a service that goes on takes writes again, in seconds.
const LIMIT: u64 = 5;

pub async fn run(engine: Engine, times: &[u64]) -> Option<String> {
    let scene = Scene::set("frozen", engine, Load::HOMES).await?;
    let load = Load::start(&scene.site, &scene.city, &scene.seed);
    let mut worst = Duration::ZERO;
    for time in times {
        for service in SERVICES {
            load.answered(service.name, Instant::now()).await.expect("the load runs");
            scene.site.signal(service.name, "STOP");
            tokio::time::sleep(Duration::from_secs(*time)).await;
            scene.site.signal(service.name, "CONT");
            let back = load.answered(service.name, Instant::now()).await;
            let back = back.unwrap_or_else(|| panic!("{} takes no write after {time} s of stillness", service.name));
            assert!(back <= allowed(LIMIT), "{} took {} after {time} s of stillness", service.name, seconds(back));
            worst = worst.max(back);
        }
    }
    load.stop().await;
    let figures = format!("each service still for {times:?} s, the slowest back after {}", seconds(worst));
    Some(scene.end(&figures).await)
}
