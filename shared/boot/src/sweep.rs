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

/// Something that only the calendar brings about, so that no call sees to it: a licence that ends, a fee that falls due.
pub(crate) struct Look {
    pub name: &'static str,
    /// How long within a day until it is looked for again.
    pub again: Duration,
    pub work: Box<dyn Fn() -> BoxFuture<'static, Result<(), Fault>> + Send + Sync>,
    /// When it was last looked for to the end.
    pub last: Option<(NaiveDate, Instant)>,
}

impl Look {
    fn is_due(&self, today: NaiveDate, now: Instant) -> bool {
        self.last
            .is_none_or(|(day, at)| day != today || now.saturating_duration_since(at) >= self.again)
    }
}

/// What a service that runs looks for, one after the other.
#[derive(Clone)]
pub(crate) struct Sweeper {
    looks: Arc<Mutex<Vec<Look>>>,
    clock: Clock,
}

impl Sweeper {
    pub fn new(looks: Vec<Look>, clock: Clock) -> Self {
        Self {
            looks: Arc::new(Mutex::new(looks)),
            clock,
        }
    }

    /// Looks again and again, for ever; not while the clock is held.
    pub async fn follow(self) {
        loop {
            if !self.clock.is_held() {
                self.round(&mut self.looks.lock().await).await;
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Looks for everything once, however short ago that was.
    pub async fn once(&self) {
        let mut looks = self.looks.lock().await;
        for look in looks.iter_mut() {
            look.last = None;
        }
        self.round(&mut looks).await;
    }

    /// Looks for everything whose time it is.
    async fn round(&self, looks: &mut [Look]) {
        let today = self.clock.now().date();
        for look in looks {
            if !look.is_due(today, Instant::now()) {
                continue;
            }
            match (look.work)().await {
                Ok(()) => look.last = Some((today, Instant::now())),
                Err(fault) => tracing::warn!(%fault, what = look.name, "a sweep failed; it is tried again"),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const DAY: NaiveDate = NaiveDate::from_ymd_opt(2025, 3, 3).unwrap();

    /// One that fails as often as is said, and counts how often it was looked for.
    fn look(again: Duration, failures: usize) -> (Look, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let work = move || -> BoxFuture<'static, _> {
            let before = counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move { if before < failures { Err(Fault::internal("away")) } else { Ok(()) } })
        };
        let look = Look {
            name: "probe",
            again,
            work: Box::new(work),
            last: None,
        };
        (look, count)
    }

    #[test]
    fn a_look_is_due_on_a_day_that_begins_and_so_long_after_the_last_one() {
        let then = Instant::now();
        let after = |millis| then + Duration::from_millis(millis);
        let (mut look, _) = look(Duration::from_secs(3), 0);
        assert!(look.is_due(DAY, then));
        look.last = Some((DAY, then));
        assert!(!look.is_due(DAY, after(2_999)));
        assert!(look.is_due(DAY, after(3_000)));
        assert!(look.is_due(DAY.succ_opt().unwrap(), then));
        look.again = Duration::MAX;
        assert!(!look.is_due(DAY, after(86_400_000)));
        look.again = Duration::ZERO;
        assert!(look.is_due(DAY, then));
    }

    #[tokio::test]
    async fn what_failed_is_looked_for_again_and_holds_up_nothing_behind_it() {
        let (first, failing) = look(Duration::MAX, 1);
        let (second, behind) = look(Duration::MAX, 0);
        let clock = Clock::simulated(calendar::Instant::start_of(DAY));
        clock.hold(true);
        let sweeper = Sweeper::new(vec![first, second], clock);
        let counts = || (failing.load(Ordering::SeqCst), behind.load(Ordering::SeqCst));
        let round = async || sweeper.round(&mut sweeper.looks.lock().await).await;
        round().await;
        assert_eq!(counts(), (1, 1));
        round().await;
        assert_eq!(counts(), (2, 1));
        round().await;
        assert_eq!(counts(), (2, 1));
        // Who asks is served, however short ago it was, and while the clock is held.
        sweeper.once().await;
        assert_eq!(counts(), (3, 2));
    }
}
