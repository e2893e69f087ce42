//! The rules, each a pure function of what is known about a reading.

use calendar::NaiveDate;

use super::{Limits, Trust};
use crate::reading::model::{Code, Register, Source};

const HOUR: i64 = 3_600_000_000;

/// What is known about a reading when it is judged.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    pub limits: &'a Limits,
    pub trust: Trust,
    pub source: Source,
    pub register: Register,
    /// Last day of the meter's life or verification.
    pub expires: Option<NaiveDate>,
    pub date: NaiveDate,
    pub before_date: NaiveDate,
    /// Whether the reading before was read by a person, too.
    pub before_by_hand: bool,
    /// Microseconds since the reading before.
    pub elapsed: i64,
    /// Days since the reading before, at least 1.
    pub days: i64,
    /// Litres.
    pub index: i64,
    pub before: i64,
    /// Litres since the reading before; none where the index fell and did not roll over.
    pub volume: Option<i64>,
    /// Largest cycle of the window, scaled to the days of this one.
    pub largest: Option<i64>,
    /// Smallest cycle of the window that had use, scaled the same way.
    pub smallest: Option<i64>,
    /// Litres of the same days last year, where readings tell.
    pub last_year: Option<i64>,
    /// Average of the last three cycles, scaled to the days of this one.
    pub lately: Option<i64>,
    /// Cycles without use before this one, in a row.
    pub zeros: u32,
    /// Microseconds since anything came from the meter, usable or not.
    pub paused: i64,
    /// Usual time between what came from the meter lately; none before it shows.
    pub usual: Option<i64>,
    /// Microseconds for which the index has stood still with this reading, in this calendar year where it was told before.
    pub still: i64,
    /// Whether the standstill was told.
    pub still_told: bool,
    pub lost_digits: bool,
    pub time_twice: bool,
    pub photo: bool,
}

impl Look<'_> {
    fn used(&self) -> i64 {
        self.volume.unwrap_or(0)
    }

    /// Whether it ends a cycle; what a meter tells every hour or day is not compared as such.
    fn is_cycle(&self) -> bool {
        self.elapsed > self.limits.rhythm_hours.saturating_mul(HOUR)
    }

    /// Whether the meter reports by itself, day by day.
    fn reports(&self) -> bool {
        self.usual.is_some_and(|usual| usual <= self.limits.rhythm_hours.saturating_mul(HOUR))
    }

    /// Whether the use is above a bound, and by more than the floor above the largest cycle.
    fn is_above(&self, bound: i64) -> bool {
        self.used() > bound
            && self
                .largest
                .is_some_and(|l| self.used().saturating_sub(l) > self.limits.deviation_floor.litres())
    }
}

/// Whether a rule fires. What is not found by looking at one reading and those before it never fires here: two values at one moment, months without a
/// reading, meters that fell silent, seals, bulk meters, a missing contract, a change of scale over years.
pub fn fires(code: Code, look: &Look<'_>) -> bool {
    match code {
        Code::LostDigits => look.lost_digits,
        Code::TimeTwice => look.time_twice,
        Code::NewRegister => new_register(look),
        Code::Reverse => look.volume.is_none(),
        Code::Spike => spike(look),
        Code::OverQmax => over_qmax(look),
        Code::Multiplier => multiplier(look),
        Code::Spike50 => spike_50(look),
        Code::Drop50 => drop_50(look),
        Code::Zero2 => zero_again(look),
        Code::Unchanged => unchanged(look),
        Code::Unconfirmed => unconfirmed(look),
        Code::SameDay => same_day(look),
        Code::Gap => gap(look),
        Code::ZeroRun => zero_run(look),
        Code::Expired => expired(look),
        Code::Conflict
        | Code::Missing
        | Code::ContractMissing
        | Code::Silent
        | Code::Scale
        | Code::Estimates
        | Code::SealBroken
        | Code::BulkLoss
        | Code::BulkNegative
        | Code::FinalEstimated
        | Code::BillAffected => false,
    }
}

/// The index fell below the share of the one before, and is no more than what is used in a usual cycle: another meter hangs there.
fn new_register(look: &Look<'_>) -> bool {
    let usual = look
        .largest
        .map(|l| share(l, look.limits.rollover_percent).saturating_add(look.limits.deviation_floor.litres()));
    let fell = look.index.saturating_mul(100) < look.before.saturating_mul(look.limits.restart_percent);
    look.volume.is_none() && fell && usual.is_some_and(|usual| look.index <= usual)
}

/// Far above every cycle before.
fn spike(look: &Look<'_>) -> bool {
    look.is_cycle() && look.largest.is_some_and(|l| look.is_above(l.saturating_mul(look.limits.spike_factor)))
}

/// More than the meter passes in the time: by the hour within a day, else by whole days.
fn over_qmax(look: &Look<'_>) -> bool {
    let hours = if look.elapsed < 24 * HOUR {
        (look.elapsed / HOUR).saturating_add(1)
    } else {
        look.days.saturating_mul(24)
    };
    look.used() > look.register.qmax.saturating_mul(hours)
}

/// Off by the multiplier of the meter, up or down: it was taken twice, or not at all.
fn multiplier(look: &Look<'_>) -> bool {
    let times = look.register.multiplier;
    let Some((largest, smallest)) = look.largest.zip(look.smallest) else {
        return false;
    };
    let (low, high) = (share(smallest, look.limits.multiplier_low), share(largest, look.limits.multiplier_high));
    let usual = |volume: i64| (low..=high).contains(&volume);
    let off = || look.used().checked_div(times).is_some_and(usual) || usual(look.used().saturating_mul(times));
    times > 1 && look.is_cycle() && look.used() > 0 && !usual(look.used()) && off()
}

/// Above both last year and lately by the share and the floor; without last year, above the window.
fn spike_50(look: &Look<'_>) -> bool {
    let (used, limits) = (look.used(), look.limits);
    let above = |usual: i64| used > share(usual, limits.deviation_percent.saturating_add(100)) && used.saturating_sub(usual) > limits.deviation_floor.litres();
    look.is_cycle()
        && match look.last_year.zip(look.lately) {
            Some((last_year, lately)) => above(last_year) && above(lately),
            None => look.largest.is_some_and(above),
        }
}

/// Below both last year and lately by the share and the floor; without last year, below the window. No use at all is another matter.
fn drop_50(look: &Look<'_>) -> bool {
    let (used, limits) = (look.used(), look.limits);
    let below =
        |usual: i64| used < share(usual, 100_i64.saturating_sub(limits.deviation_percent)) && usual.saturating_sub(used) > limits.deviation_floor.litres();
    look.is_cycle()
        && used > 0
        && match look.last_year.zip(look.lately) {
            Some((last_year, lately)) => below(last_year) && below(lately),
            None => look.smallest.is_some_and(below),
        }
}

/// No use for the given number of cycles, told once (edge 11).
fn zero_again(look: &Look<'_>) -> bool {
    look.is_cycle() && look.volume == Some(0) && look.zeros.saturating_add(1) == look.limits.zero_cycles
}

/// The index of last time again, by a person who took a photo: a second person compares both (edge 50).
fn unchanged(look: &Look<'_>) -> bool {
    look.is_cycle() && look.photo && look.volume == Some(0) && look.zeros == 0
}

/// Brought by somebody whose word needs a check, and not within what was used before.
fn unconfirmed(look: &Look<'_>) -> bool {
    let (used, off) = (look.used(), look.limits.check_percent);
    let high = look.largest.is_none_or(|l| used > share(l, off.saturating_add(100)));
    let low = look.smallest.is_none_or(|s| used < share(s, 100_i64.saturating_sub(off)));
    look.trust.check && (high || low)
}

/// A second reading of one day by a person.
fn same_day(look: &Look<'_>) -> bool {
    look.trust.by_hand && look.before_by_hand && look.source != Source::Check && look.date == look.before_date
}

/// A pause of a meter that reports by itself.
fn gap(look: &Look<'_>) -> bool {
    let longer = |than: i64| look.paused > than;
    look.reports() && longer(look.limits.gap_hours.saturating_mul(HOUR)) && look.usual.is_some_and(|usual| longer(usual.saturating_mul(look.limits.gap_factor)))
}

/// No use for longer than the hours on a meter that reports by itself. A day without use that is told by the day counts: the true standstill is longer
/// than what two readings a day apart can show.
fn zero_run(look: &Look<'_>) -> bool {
    let hours = look.limits.zero_hours.saturating_mul(HOUR);
    look.reports() && !look.still_told && (look.still > hours || look.still == hours && look.elapsed >= hours)
}

/// The first reading after the end of the meter's life (edge 8).
fn expired(look: &Look<'_>) -> bool {
    look.expires.is_some_and(|end| look.date > end && look.before_date <= end)
}

pub(super) fn share(volume: i64, percent: i64) -> i64 {
    volume.saturating_mul(percent) / 100
}
