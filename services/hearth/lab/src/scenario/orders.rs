//! O19: each service starts and takes a write with the others down. D12: all killed at once, they start in any order and agree again.

use std::time::Duration;

use database::Engine;

use super::{Scene, allowed, seconds};
use crate::{
    SERVICES,
    load::{Load, Writer},
};

/// How soon one that is alone serves, and all four one after the other, in seconds.
const ALONE: u64 = 5;
const TOGETHER: u64 = 10;

pub async fn run(engine: Engine, orders: usize) -> Option<String> {
    let mut scene = Scene::set("orders", engine, Load::HOMES).await?;
    let site = scene.site.clone();
    let mut writer = Writer::new(0, &site, &scene.city, &scene.seed);
    // An offer that the vendor has heard of, so that it has something to refuse when it is alone.
    let mut order = Writer::new(1, &site, &scene.city, &scene.seed);
    for _ in 0..2 {
        let op = order.errand_at_once().await;
        let method = op.method;
        order.learn(method, &site.history.settle(&site, &site.client, op).await.unwrap());
    }
    let mut refusal = Some(order.errand_at_once().await);
    let correction = writer.edit().await.unwrap();
    let mut correction = Some(correction);
    kill_all(&scene);
    let mut worst = Duration::ZERO;
    for service in SERVICES {
        site.spawn(service.name, None);
        let serving = site.serving(service.name).await;
        assert!(serving <= allowed(ALONE), "{} alone serves after {}", service.name, seconds(serving));
        worst = worst.max(serving);
        let op = match service.name {
            "archive" => correction.take().unwrap(),
            "billing" => writer.payment(),
            "hall" => writer.errand_at_once().await,
            _ => refusal.take().unwrap(),
        };
        assert_eq!(op.service, service.name);
        let method = op.method;
        let answer = site
            .history
            .settle(&site, &site.client, op)
            .await
            .unwrap_or_else(|why| panic!("{method} alone: {why}"));
        writer.learn(method, &answer);
        site.kill(service.name);
    }
    let mut all = permutations(&SERVICES.map(|s| s.name));
    let mut together = Duration::ZERO;
    for _ in 0..orders.min(all.len()) {
        let order = all.swap_remove(scene.seed.within(0, all.len() as u64) as usize);
        let mut time = Duration::ZERO;
        for name in &order {
            site.spawn(name, None);
            time += site.serving(name).await;
        }
        assert!(time <= allowed(TOGETHER), "{order:?} serve after {}", seconds(time));
        together = together.max(time);
        kill_all(&scene);
    }
    for service in SERVICES {
        site.spawn(service.name, None);
        site.serving(service.name).await;
    }
    let figures = format!(
        "each alone: SERVING after {} at most; {orders} orders of all: {} at most",
        seconds(worst),
        seconds(together)
    );
    Some(scene.end(&figures).await)
}

fn kill_all(scene: &Scene) {
    for service in SERVICES {
        scene.site.kill(service.name);
    }
}

fn permutations(names: &[&'static str]) -> Vec<Vec<&'static str>> {
    if names.is_empty() {
        return vec![vec![]];
    }
    let mut all = vec![];
    for first in names {
        let rest: Vec<_> = names.iter().copied().filter(|n| n != first).collect();
        all.extend(permutations(&rest).into_iter().map(|mut order| {
            order.insert(0, first);
            order
        }));
    }
    all
}
