//! What a meter used on the same days last year, and lately.

use std::collections::VecDeque;

use calendar::{NaiveDate, TimeDelta};
use chrono::Months;

use super::walk::Cycle;

/// Cycles whose average is what a meter used lately (E2-02).
const LATELY: usize = 3;

/// The use of a meter from its first known reading on, each step at a constant cost.
#[derive(Default)]
pub struct Season {
    /// Litres used since the first of them, by day.
    used: VecDeque<(NaiveDate, i64)>,
    /// The last cycles, newest first.
    lately: VecDeque<Cycle>,
}

impl Season {
    /// Adds a cycle that counts.
    pub fn push(&mut self, cycle: Cycle, on: NaiveDate, season_days: i64) {
        if self.used.is_empty() {
            self.used.push_back((cycle.from, 0));
        }
        let so_far = self.used.back().map_or(0, |(_, used)| *used).saturating_add(cycle.volume);
        match self.used.back_mut() {
            Some((day, used)) if *day == on => *used = so_far,
            _ => self.used.push_back((on, so_far)),
        }
        let first = on.checked_sub_signed(TimeDelta::days(reach(season_days))).unwrap_or(NaiveDate::MIN);
        while self.used.get(1).is_some_and(|(day, _)| *day < first) {
            self.used.pop_front();
        }
        self.lately.truncate(LATELY.saturating_sub(1));
        self.lately.push_front(cycle);
    }

    /// Litres of the same days last year, shared out by days between two readings that lie no further apart than the days; of a longer cycle nothing is known.
    pub fn last_year(&self, from: NaiveDate, to: NaiveDate, season_days: i64) -> Option<i64> {
        if to.signed_duration_since(from).num_days() > season_days {
            return None;
        }
        let then = |day: NaiveDate| self.on(day.checked_sub_months(Months::new(12))?, season_days);
        then(to)?.checked_sub(then(from)?)
    }

    fn on(&self, day: NaiveDate, season_days: i64) -> Option<i64> {
        let place = self.used.partition_point(|(known, _)| *known < day);
        let (after, used) = *self.used.get(place)?;
        if after == day {
            return Some(used);
        }
        let (before, base) = *self.used.get(place.checked_sub(1)?)?;
        let days = after.signed_duration_since(before).num_days();
        let part = used
            .checked_sub(base)?
            .checked_mul(day.signed_duration_since(before).num_days())?
            .checked_div(days)?;
        base.checked_add(part).filter(|_| days <= season_days)
    }

    /// The average of the last cycles that began on a day or later, scaled to some days; none without one.
    pub fn lately(&self, first: NaiveDate, days: i64) -> Option<i64> {
        let known = || self.lately.iter().take_while(|cycle| cycle.from >= first);
        let volume: i64 = known().fold(0, |sum: i64, cycle| sum.saturating_add(cycle.volume));
        let of: i64 = known().fold(0, |sum: i64, cycle| sum.saturating_add(cycle.days));
        volume.checked_mul(days)?.checked_div(of)
    }
}

/// Days before a reading whose readings may tell of the same days last year.
pub const fn reach(season_days: i64) -> i64 {
    season_days.saturating_mul(2).saturating_add(366)
}
