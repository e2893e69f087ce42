//! Faults under load, each with what must hold afterwards. A scenario gives its figures in words; it is absent on a machine without the engine.

pub mod frozen;
pub mod full;
pub mod kills;
pub mod links;
pub mod orders;
pub mod points;
pub mod retries;
pub mod runs;

use std::{sync::Arc, time::Duration};

use database::Engine;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    SERVICES,
    check::{self, Found},
    city::City,
    seed::{Seed, say},
    site::Site,
};

/// In the whole programme one site at a time: two would share the processors, and no figure would mean anything. The tests ask for less and
/// mostly wait, so two of them share the time.
static ROOM: Semaphore = Semaphore::const_new(if cfg!(debug_assertions) { 2 } else { 1 });

/// A site with its homes, ready for faults.
pub struct Scene {
    pub site: Arc<Site>,
    pub city: City,
    pub seed: Seed,
    name: String,
    _room: SemaphorePermit<'static>,
}

impl Scene {
    pub async fn set(name: &str, engine: Engine, homes: usize) -> Option<Self> {
        Self::on(name, engine, homes, false).await
    }

    /// The same, with relays between the services.
    pub async fn linked(name: &str, engine: Engine, homes: usize) -> Option<Self> {
        Self::on(name, engine, homes, true).await
    }

    async fn on(name: &str, engine: Engine, homes: usize, linked: bool) -> Option<Self> {
        let room = ROOM.acquire().await.unwrap();
        let mut seed = Seed::of(name);
        let site = Arc::new(Site::start(engine, linked).await?);
        let city = City::file(&site, &mut seed, homes).await;
        Some(Self {
            site,
            city,
            seed,
            name: format!("{name} on {engine:?}"),
            _room: room,
        })
    }

    /// Everything holds; then the services stop as an operator stops them.
    pub async fn end(self, figures: &str) -> String {
        let Found {
            acknowledged,
            unknown,
            settled,
        } = check::all(&self.site, &self.city).await;
        for service in SERVICES {
            let status = self.site.terminate(service.name).await;
            assert_eq!(status.code(), Some(0), "{} after SIGTERM", service.name);
        }
        let said = format!(
            "{figures}; {acknowledged} acknowledged, {unknown} open tries resolved, 0 lost, 0 double; settled in {}",
            seconds(settled)
        );
        say(&format!("{}: {said}", self.name));
        said
    }
}

/// A limit of so many seconds. A debug build gets five times that: it is slow, and others may use the processors.
pub(crate) fn allowed(seconds: u64) -> Duration {
    Duration::from_secs(if cfg!(debug_assertions) { seconds * 5 } else { seconds })
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// The value below which 95 of 100 lie.
pub(crate) fn p95(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get((times.len() * 95).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
}
