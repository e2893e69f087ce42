//! The clock of one promise: when it started, when it is due, when it stood, whether it was kept.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::due::{due_with, explain_with};
use crate::{Calendar, CalendarMissing, Due, Instant, Pause, Rule, Step};

/// A running or finished deadline (时限时钟) of a case, an order or a task. It never loses a breach: neither a change of category nor a pause heals one.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SlaClock {
    start: Instant,
    /// From when the present rule counts.
    basis: Instant,
    rule: Rule,
    due: Due,
    pauses: Vec<Pause>,
    breaches: Vec<Breach>,
    met: Option<Instant>,
    /// Time of the last change: later ones cannot lie before it.
    changed: Instant,
}

/// A deadline that passed unmet.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Breach {
    /// The rule of that time.
    pub rule: Rule,
    /// When it was due.
    pub due: Instant,
    /// When the breach was seen.
    pub seen: Instant,
}

/// Where a clock stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Standing {
    /// It runs and is in time.
    Running,
    /// It stands and is in time.
    Paused,
    /// In time, and the customer's window decides: it is closed now, or the time itself has run out and the appointment is not over (edge case 41).
    CustomerWindow,
    /// Late, and not met yet; or late under an earlier category.
    Breached,
    /// Met, and never late.
    Met,
    /// Met after a breach.
    MetLate,
}

/// From when a new rule counts after a change of category.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Basis {
    /// From the first start, as if it had been the category all along.
    FirstStart,
    /// From the change.
    Change,
}

/// Why a clock refuses a change.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum SlaError {
    /// It stands already.
    #[error("the clock is paused already")]
    AlreadyPaused,
    /// It does not stand.
    #[error("the clock is not paused")]
    NotPaused,
    /// It is finished.
    #[error("the clock was met already")]
    AlreadyMet,
    /// A pause without a reason.
    #[error("a pause needs a reason")]
    ReasonMissing,
    /// The change lies before the last one.
    #[error("the change lies before the last one")]
    Backwards,
    /// The calendar does not reach so far.
    #[error(transparent)]
    Calendar(#[from] CalendarMissing),
}

impl SlaClock {
    /// Starts a clock.
    ///
    /// # Errors
    /// [`CalendarMissing`] when the calendar does not reach the deadline.
    pub fn start(calendar: &Calendar, rule: Rule, start: Instant) -> Result<Self, CalendarMissing> {
        let due = due_with(calendar, &rule, start, &[])?;
        Ok(Self {
            start,
            basis: start,
            rule,
            due,
            pauses: Vec::new(),
            breaches: Vec::new(),
            met: None,
            changed: start,
        })
    }

    /// When it started.
    #[must_use]
    pub const fn started(&self) -> Instant {
        self.start
    }

    /// The present rule.
    #[must_use]
    pub const fn rule(&self) -> &Rule {
        &self.rule
    }

    /// When it is due, all finished pauses counted. A pause that lasts moves it when it ends.
    #[must_use]
    pub const fn due(&self) -> &Due {
        &self.due
    }

    /// All pauses, in order.
    #[must_use]
    pub fn pauses(&self) -> &[Pause] {
        &self.pauses
    }

    /// All breaches seen, in order; they are never removed.
    #[must_use]
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    /// When it was met.
    #[must_use]
    pub const fn met_at(&self) -> Option<Instant> {
        self.met
    }

    /// Does it stand?
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.open_pause().is_some()
    }

    /// Records a breach if the deadline has passed; a sweep calls it. Says whether this call found a new one.
    pub fn observe(&mut self, now: Instant) -> bool {
        let late = self.is_late(now);
        let known = self.breaches.iter().any(|breach| breach.rule == self.rule && breach.due == self.due.at);
        if late && !known {
            self.breaches.push(Breach {
                rule: self.rule,
                due: self.due.at,
                seen: now,
            });
        }
        late && !known
    }

    /// Stops the clock.
    ///
    /// # Errors
    /// [`SlaError`] when it is met or paused already, without a reason, or before the last change.
    pub fn pause(&mut self, now: Instant, reason: &str) -> Result<(), SlaError> {
        self.may_change(now)?;
        if self.is_paused() {
            return Err(SlaError::AlreadyPaused);
        }
        if reason.trim().is_empty() {
            return Err(SlaError::ReasonMissing);
        }
        self.observe(now);
        self.pauses.push(Pause {
            from: now,
            until: None,
            reason: reason.to_owned(),
        });
        self.changed = now;
        Ok(())
    }

    /// Lets it run again and moves the deadline.
    ///
    /// # Errors
    /// [`SlaError`] when it is met or not paused, before the last change, or when the calendar does not reach the new deadline; the clock is then unchanged.
    pub fn resume(&mut self, calendar: &Calendar, now: Instant) -> Result<(), SlaError> {
        self.may_change(now)?;
        if !self.is_paused() {
            return Err(SlaError::NotPaused);
        }
        self.close_pause(calendar, now)?;
        self.changed = now;
        Ok(())
    }

    /// Finishes the clock; one that stands is let run first.
    ///
    /// # Errors
    /// [`SlaError`] when it is met already, before the last change, or when the calendar does not reach the deadline.
    pub fn meet(&mut self, calendar: &Calendar, now: Instant) -> Result<(), SlaError> {
        self.may_change(now)?;
        if self.is_paused() {
            self.close_pause(calendar, now)?;
        }
        self.observe(now);
        self.met = Some(now);
        self.changed = now;
        Ok(())
    }

    /// Puts another rule in force, since the case turned out to be of another category. A breach under the old rule stays; pauses stay.
    ///
    /// # Errors
    /// [`SlaError`] when it is met already, before the last change, or when the calendar does not reach the new deadline; the clock is then unchanged.
    pub fn recategorise(&mut self, calendar: &Calendar, now: Instant, rule: Rule, basis: Basis) -> Result<(), SlaError> {
        self.may_change(now)?;
        let from = match basis {
            Basis::FirstStart => self.start,
            Basis::Change => now,
        };
        let due = due_with(calendar, &rule, from, &self.pauses)?;
        self.observe(now);
        (self.rule, self.basis, self.due, self.changed) = (rule, from, due, now);
        self.observe(now);
        Ok(())
    }

    /// Where the clock stands at `now`. The calendar's zone decides whether a customer's window is open.
    #[must_use]
    pub fn standing(&self, calendar: &Calendar, now: Instant) -> Standing {
        match (self.met, self.breaches.is_empty()) {
            (Some(_), true) => return Standing::Met,
            (Some(_), false) => return Standing::MetLate,
            (None, false) => return Standing::Breached,
            (None, true) => {}
        }
        if self.is_late(now) {
            Standing::Breached
        } else if self.is_paused() {
            Standing::Paused
        } else if self.waits_for_window(calendar, now) {
            Standing::CustomerWindow
        } else {
            Standing::Running
        }
    }

    /// How the deadline comes about, day by day.
    ///
    /// # Errors
    /// [`CalendarMissing`] with a calendar that does not reach it.
    pub fn explain(&self, calendar: &Calendar) -> Result<Vec<Step>, CalendarMissing> {
        explain_with(calendar, &self.rule, self.basis, &self.pauses)
    }

    fn open_pause(&self) -> Option<&Pause> {
        self.pauses.last().filter(|pause| pause.until.is_none())
    }

    /// Has the deadline passed? While the clock stands, what counts is the moment at which it stopped.
    fn is_late(&self, now: Instant) -> bool {
        self.met.is_none() && self.due.at < self.open_pause().map_or(now, |pause| pause.from.min(now))
    }

    fn waits_for_window(&self, calendar: &Calendar, now: Instant) -> bool {
        let Rule::Windowed { window, .. } = self.rule else { return false };
        let (from, to) = calendar.span(calendar.date(now), window);
        let open = from <= now && now < to;
        !open || self.due.elapsed_at.is_some_and(|elapsed| elapsed < now)
    }

    fn may_change(&self, now: Instant) -> Result<(), SlaError> {
        if self.met.is_some() {
            Err(SlaError::AlreadyMet)
        } else if now < self.changed {
            Err(SlaError::Backwards)
        } else {
            Ok(())
        }
    }

    fn close_pause(&mut self, calendar: &Calendar, now: Instant) -> Result<(), CalendarMissing> {
        let mut pauses = self.pauses.clone();
        if let Some(last) = pauses.last_mut() {
            last.until = Some(now);
        }
        let due = due_with(calendar, &self.rule, self.basis, &pauses)?;
        self.observe(now);
        (self.pauses, self.due) = (pauses, due);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
