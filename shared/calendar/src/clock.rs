//! The one clock that rules read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use thiserror::Error;

use crate::Instant;

/// The clock of the rules (decision 7): the machine's, or one that only moves when told. Clones share the time.
///
/// Tokens, deadlines, leases and telemetry do not use it; they live in real time.
#[derive(Clone, Debug)]
pub struct Clock(Option<Arc<Simulated>>);

#[derive(Debug)]
struct Simulated {
    micros: AtomicI64,
    held: AtomicBool,
}

/// Why a clock was not set.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SetRefused {
    /// A simulated clock never runs backwards.
    #[error("the clock shows {now} and cannot go back to {asked}")]
    Backwards {
        /// What the clock shows.
        now: Instant,
        /// What was asked.
        asked: Instant,
    },
    /// The machine's clock is not ours to set.
    #[error("only a simulated clock can be set")]
    RealClock,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn real() -> Self {
        Self(None)
    }

    /// A clock that stands at `start` until it is set.
    #[must_use]
    pub fn simulated(start: Instant) -> Self {
        Self(Some(Arc::new(Simulated {
            micros: AtomicI64::new(start.micros()),
            held: AtomicBool::new(false),
        })))
    }

    /// The time, to the microsecond.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the one place where the machine's time enters")]
    pub fn now(&self) -> Instant {
        match &self.0 {
            Some(time) => Instant::from_micros(time.micros.load(Ordering::SeqCst)),
            None => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros());
                Instant::from_micros(i64::try_from(since).unwrap_or(i64::MAX))
            }
        }
    }

    /// Moves a simulated clock forward; setting what it shows is no change and no error.
    ///
    /// # Errors
    /// [`SetRefused`] for an earlier time and for the real clock.
    pub fn set(&self, to: Instant) -> Result<(), SetRefused> {
        let time = self.0.as_ref().ok_or(SetRefused::RealClock)?;
        let before = time.micros.fetch_max(to.micros(), Ordering::SeqCst);
        if before > to.micros() {
            return Err(SetRefused::Backwards {
                now: Instant::from_micros(before),
                asked: to,
            });
        }
        Ok(())
    }

    /// Sets a simulated clock to any time, as a person may set that of a machine, backwards too: for tests of what must hold whatever the clock says.
    ///
    /// # Errors
    /// [`SetRefused::RealClock`] for the real clock.
    pub fn jump(&self, to: Instant) -> Result<(), SetRefused> {
        let time = self.0.as_ref().ok_or(SetRefused::RealClock)?;
        time.micros.store(to.micros(), Ordering::SeqCst);
        Ok(())
    }

    /// Keeps sweeps of the calendar from looking while a simulated clock is held: a script that is to go the same way twice says itself when
    /// the calendar takes effect. The real clock cannot be held.
    pub fn hold(&self, held: bool) {
        if let Some(time) = &self.0 {
            time.held.store(held, Ordering::SeqCst);
        }
    }

    /// Must sweeps wait?
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.as_ref().is_some_and(|time| time.held.load(Ordering::SeqCst))
    }

    /// Does it move only when told?
    #[must_use]
    pub const fn is_simulated(&self) -> bool {
        self.0.is_some()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn decision_7_a_simulated_clock_moves_forward_only_and_for_all_clones() {
        let start = Instant::parse_rfc3339("2025-01-01T00:00:00Z").unwrap();
        let later = Instant::parse_rfc3339("2025-06-01T00:00:00Z").unwrap();
        let clock = Clock::simulated(start);
        let other = clock.clone();
        assert!(clock.is_simulated());
        assert_eq!(other.now(), start);
        clock.set(later).unwrap();
        assert_eq!(other.now(), later);
        assert_eq!(clock.set(later), Ok(()));
        assert_eq!(clock.set(start), Err(SetRefused::Backwards { now: later, asked: start }));
        assert_eq!(clock.now(), later);
        clock.jump(start).unwrap();
        assert_eq!(other.now(), start, "a jump goes anywhere");
        other.hold(true);
        assert!(clock.is_held());
        clock.hold(false);
        assert!(!other.is_held());
    }

    #[test]
    fn the_real_clock_shows_the_machines_time_and_is_not_set() {
        let clock = Clock::real();
        assert!(!clock.is_simulated());
        clock.hold(true);
        assert!(!clock.is_held());
        assert!(clock.now() > Instant::parse_rfc3339("2025-01-01T00:00:00Z").unwrap());
        assert_eq!(clock.set(Instant::LAST), Err(SetRefused::RealClock));
        assert_eq!(clock.jump(Instant::LAST), Err(SetRefused::RealClock));
    }
}
