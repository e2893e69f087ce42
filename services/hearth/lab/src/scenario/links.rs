//! E1, E2: between the services connections are slow, silent, cut, half closed, or say things twice, at seeded moments under load. What they tell each
//! other and ask of each other has one effect all the same.

use std::{collections::BTreeMap, time::Duration};

use database::Engine;

use super::Scene;
use crate::{
    SERVICES,
    load::Load,
    proxy::{Mode, fault},
};

pub async fn run(engine: Engine, faults: usize) -> Option<String> {
    let mut scene = Scene::linked("links", engine, Load::HOMES).await?;
    let load = Load::start(&scene.site, &scene.city, &scene.seed);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..faults {
        tokio::time::sleep(Duration::from_millis(scene.seed.within(50, 500))).await;
        let (to, mode) = (scene.seed.pick(&SERVICES).name, fault(&mut scene.seed));
        let word = format!("{mode:?}");
        *kinds.entry(word.split('(').next().unwrap_or_default().to_owned()).or_default() += 1;
        scene.site.links[to].set(mode);
        tokio::time::sleep(Duration::from_millis(scene.seed.within(100, 1000))).await;
        scene.site.links[to].set(Mode::Pass);
    }
    load.stop().await;
    let figures = format!("{faults} faults between the services: {kinds:?}");
    Some(scene.end(&figures).await)
}
