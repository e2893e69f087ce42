use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use calendar::{Clock, NaiveDate};
use futures::future::BoxFuture;
use rpc::Fault;
use tokio::sync::Mutex;

/// How often the calendar is looked at.
const EVERY: Duration = Duration::from_millis(500);

type Work = Box<dyn Fn() -> BoxFuture<'static, Result<(), Fault>> + Send + Sync>;

/// Something that only the calendar brings about, so that no call sees to it: a licence that ends, a fee that falls due.
struct Look {
    name: &'static str,
    /// How long within a day until it is looked for again.
    again: Duration,
    work: Work,
    /// When it was last looked for to the end.
    last: Option<(NaiveDate, Instant)>,
}

/// What a service looks for, in this order, one after the other.
#[derive(Default)]
pub(crate) struct Sweep(Vec<Look>);

impl Sweep {
    pub fn add<D, T>(&mut self, name: &'static str, again: Duration, desk: &D, look: for<'a> fn(&'a D) -> BoxFuture<'a, Result<T, Fault>>)
    where
        D: Clone + Send + Sync + 'static,
        T: 'static,
    {
        let desk = desk.clone();
        let work: Work = Box::new(move || {
            let desk = desk.clone();
            Box::pin(async move { look(&desk).await.map(drop) })
        });
        self.0.push(Look { name, again, work, last: None });
    }

    /// Looks for everything whose time it is.
    async fn round(&mut self, today: NaiveDate) {
        for look in &mut self.0 {
            if look.last.is_some_and(|(day, at)| day == today && at.elapsed() < look.again) {
                continue;
            }
            match (look.work)().await {
                Ok(()) => look.last = Some((today, Instant::now())),
                Err(fault) => tracing::warn!(%fault, what = look.name, "a sweep failed; it is tried again"),
            }
        }
    }
}

/// The sweep of a service that runs.
#[derive(Clone)]
pub(crate) struct Sweeper {
    sweep: Arc<Mutex<Sweep>>,
    clock: Clock,
}

impl Sweeper {
    pub fn new(sweep: Sweep, clock: Clock) -> Self {
        Self {
            sweep: Arc::new(Mutex::new(sweep)),
            clock,
        }
    }

    /// Looks again and again, for ever; not while the clock is held.
    pub async fn follow(self) {
        loop {
            if !self.clock.is_held() {
                self.sweep.lock().await.round(self.clock.now().date()).await;
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Looks for everything once, however short ago that was.
    pub async fn once(&self) {
        let mut sweep = self.sweep.lock().await;
        for look in &mut sweep.0 {
            look.last = None;
        }
        sweep.round(self.clock.now().date()).await;
    }
}
