//! How an index is estimated, pure.

use calendar::{NaiveDate, TimeDelta};
use chrono::{Datelike, Months};
use money::allocate;

use crate::{
    reading::model::{Cause, Code, Method},
    refusal::Refusal,
    route::model::TaskState,
};

/// An actual index on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    pub date: NaiveDate,
    /// Litres.
    pub value: i64,
}

/// Methods in the order of the service; a profile may order them otherwise (E2-04).
pub const ORDER: [Method; 4] = [Method::LastYear, Method::LastThree, Method::FourMonths, Method::LikeUsers];

/// Use of like users over the same days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Like {
    /// Litres of all.
    pub volume: i64,
    /// Days of all.
    pub days: i64,
}

/// What an estimate is made from.
#[derive(Clone, Debug)]
pub struct Basis {
    /// Days between two readings up to which last year's index is known between them.
    pub season_days: i64,
    /// Actual readings, oldest first, the beginning of the installation among them; indexes counted on where the register passed zero.
    pub actual: Vec<Anchor>,
    /// Where the use to be estimated begins: the last usable reading, an earlier estimate too.
    pub from: Anchor,
    /// The day to be estimated.
    pub on: NaiveDate,
    pub like: Like,
}

/// What a method says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess {
    pub method: Method,
    /// Litres.
    pub volume: i64,
    /// The places of the actual readings by which it knows.
    pub rests_on: Vec<usize>,
}

/// An index between two readings, and the places of these; of one place where a reading stands on the day.
struct Between {
    value: i64,
    places: (usize, usize),
    /// Days between the two.
    days: i64,
}

impl Basis {
    /// What the first method says that has what it needs.
    pub fn guess(&self, order: &[Method]) -> Option<Guess> {
        order.iter().find_map(|method| {
            let (volume, mut rests_on) = match method {
                Method::LastYear => self.last_year(),
                Method::LastThree => self.last_three(),
                Method::FourMonths => self.four_months(),
                Method::LikeUsers => self.like_users(),
                Method::BetweenActuals => None,
            }?;
            rests_on.dedup();
            Some(Guess {
                method: *method,
                volume,
                rests_on,
            })
        })
    }

    fn days(&self) -> i64 {
        self.on.signed_duration_since(self.from.date).num_days()
    }

    /// Index on a day between two actual readings, by days.
    fn index(&self, day: NaiveDate) -> Option<Between> {
        let after = self.actual.iter().position(|a| a.date >= day)?;
        let to = self.actual.get(after)?;
        if to.date == day {
            return Some(Between {
                value: to.value,
                places: (after, after),
                days: 0,
            });
        }
        let before = after.checked_sub(1)?;
        let from = self.actual.get(before)?;
        let days = to.date.signed_duration_since(from.date).num_days();
        let part = rate(to.value.checked_sub(from.value)?, days, day.signed_duration_since(from.date).num_days())?;
        Some(Between {
            value: from.value.checked_add(part)?,
            places: (before, after),
            days,
        })
    }

    fn last_year(&self) -> Option<(i64, Vec<usize>)> {
        let then = |day: NaiveDate| {
            self.index(day.checked_sub_months(Months::new(12))?)
                .filter(|index| index.days <= self.season_days)
        };
        let (from, to) = (then(self.from.date)?, then(self.on)?);
        let mut places = vec![from.places.0, from.places.1, to.places.0, to.places.1];
        places.sort_unstable();
        Some((to.value.checked_sub(from.value)?, places))
    }

    fn last_three(&self) -> Option<(i64, Vec<usize>)> {
        let place = self.actual.len().checked_sub(4)?;
        let (first, last) = (self.actual.get(place)?, self.actual.last()?);
        let volume = rate(
            last.value.checked_sub(first.value)?,
            last.date.signed_duration_since(first.date).num_days(),
            self.days(),
        )?;
        Some((volume, (place..self.actual.len()).collect()))
    }

    fn four_months(&self) -> Option<(i64, Vec<usize>)> {
        let last = self.actual.last()?;
        let day = last.date.checked_sub_months(Months::new(4))?;
        let first = self.index(day)?;
        let volume = rate(
            last.value.checked_sub(first.value)?,
            last.date.signed_duration_since(day).num_days(),
            self.days(),
        )?;
        Some((volume, (first.places.0..self.actual.len()).collect()))
    }

    fn like_users(&self) -> Option<(i64, Vec<usize>)> {
        Some((rate(self.like.volume, self.like.days, self.days())?, vec![]))
    }

    /// Days before which no actual reading matters.
    pub fn reach(on: NaiveDate) -> NaiveDate {
        on.checked_sub_signed(TimeDelta::days(366)).unwrap_or(on)
    }
}

/// A volume of some days for other days, half up.
fn rate(volume: i64, days: i64, other: i64) -> Option<i64> {
    let product = volume.checked_mul(other)?.checked_mul(2)?.checked_add(days)?;
    product.checked_div(days.checked_mul(2)?).filter(|_| days > 0 && volume >= 0 && other >= 0)
}

/// A task of a month.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// Whether it is that of the meter itself, not of another one of the agreement.
    pub own: bool,
    pub state: TaskState,
}

/// What was found about a meter.
#[derive(Clone, Debug)]
pub struct Finding {
    pub codes: Vec<Code>,
    /// Whether it is open; a reading was rejected for it otherwise.
    pub open: bool,
    pub date: NaiveDate,
}

/// Whether what was recorded supports the cause for which a meter is estimated in a month (E2-03): a visit of its task that ended so, or a finding that doubts the
/// meter. Where the agreement has no task at all, nobody was to report a visit, and the cause that is stated is enough.
///
/// # Errors
/// ESTIMATE_UNPROVEN.
pub fn proves(cause: Cause, on: NaiveDate, tasks: &[Task], findings: &[Finding]) -> Result<(), Refusal> {
    let outcome = match cause {
        Cause::NoAccess => TaskState::NoAccess,
        Cause::MeterFault => TaskState::MeterFault,
    };
    let visited = tasks.iter().any(|task| task.own && task.state == outcome);
    let counts = |found: &Finding| found.open || month_of(found.date) == month_of(on);
    let doubted = |found: &Finding| counts(found) && found.codes.iter().any(|code| code.doubts_meter());
    if tasks.is_empty() || visited || (cause == Cause::MeterFault && findings.iter().any(doubted)) {
        Ok(())
    } else {
        Err(Refusal::EstimateUnproven)
    }
}

fn month_of(day: NaiveDate) -> (i32, u32) {
    (day.year(), day.month())
}

/// What actual readings say about an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimated {
    /// The index by days between the two.
    Between(i64),
    /// An actual reading stands on its day.
    Read(i64),
}

/// The indexes of days between two actual readings: the use shared out by days in multiples of `unit`, by largest remainder, ties to the earlier (edge 2).
/// Beyond `capacity` the register begins anew.
pub fn between(from: Anchor, to: Anchor, days: &[NaiveDate], unit: i64, capacity: i64) -> Vec<Estimated> {
    let plain = to.value.saturating_sub(from.value);
    let used = if plain < 0 { plain.saturating_add(capacity) } else { plain };
    let mut cuts: Vec<NaiveDate> = days.iter().copied().filter(|d| *d > from.date && *d < to.date).collect();
    cuts.dedup();
    let ends = cuts.iter().copied().chain([to.date]);
    let begins = [from.date].into_iter().chain(cuts.iter().copied());
    let weights: Vec<u64> = begins.zip(ends).map(|(a, b)| b.signed_duration_since(a).num_days().unsigned_abs()).collect();
    let parts = allocate(used.checked_div(unit).unwrap_or(0), &weights).unwrap_or_default();
    let mut indexes = vec![];
    let mut index = from.value;
    for (day, part) in cuts.iter().zip(parts) {
        index = index.saturating_add(part.saturating_mul(unit));
        indexes.push((*day, index.checked_rem(capacity).unwrap_or(index)));
    }
    let of = |day: &NaiveDate| match indexes.iter().find(|(d, _)| d == day) {
        Some((_, index)) => Estimated::Between(*index),
        None if *day <= from.date => Estimated::Read(from.value),
        None => Estimated::Read(to.value),
    };
    days.iter().map(of).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use contracts::hearth::billing::v1 as proto;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn anchor(date: &str, metres: i64) -> Anchor {
        Anchor {
            date: day(date),
            value: metres * 1000,
        }
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = Method::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "ESTIMATION_METHOD_", |n| {
            proto::EstimationMethod::try_from(n).ok().map(|v| v.as_str_name())
        });
        let words: Vec<_> = Cause::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "ESTIMATION_CAUSE_", |n| {
            proto::EstimationCause::try_from(n).ok().map(|v| v.as_str_name())
        });
        testbed::assert_contract(&words, "CAUSE_", |n| {
            proto::estimate_readings_request::Cause::try_from(n).ok().map(|v| v.as_str_name())
        });
    }

    #[test]
    fn e_2_03_a_visit_or_a_finding_supports_the_cause() {
        use Cause::{MeterFault, NoAccess};
        let on = day("2025-01-31");
        let task = |own, state| Task { own, state };
        let found = |code, open, date| Finding {
            codes: vec![Code::Drop50, code],
            open,
            date: day(date),
        };
        let of = |cause, tasks: &[Task], findings: &[Finding]| proves(cause, on, tasks, findings).is_ok();
        assert!(of(NoAccess, &[], &[]) && of(MeterFault, &[], &[]), "nobody was to report a visit");
        for state in TaskState::ALL.iter().copied() {
            let own = [task(true, state)];
            assert_eq!(of(NoAccess, &own, &[]), state == TaskState::NoAccess, "{state:?}");
            assert_eq!(of(MeterFault, &own, &[]), state == TaskState::MeterFault, "{state:?}");
            assert!(!of(NoAccess, &[task(false, state)], &[]), "the visit was at another meter");
        }
        let due = [task(true, TaskState::Due)];
        let silent = |open, date| found(Code::Silent, open, date);
        assert!(of(MeterFault, &due, &[silent(true, "2024-12-03")]), "silent since then");
        assert!(of(MeterFault, &due, &[silent(false, "2025-01-20")]), "its reading of the month was rejected");
        assert!(!of(MeterFault, &due, &[silent(false, "2024-12-20")]), "that was another month");
        assert!(!of(NoAccess, &due, &[silent(true, "2025-01-20")]), "it says nothing about access");
        assert!(
            !of(MeterFault, &due, &[found(Code::Missing, true, "2025-01-31")]),
            "that nothing was read is no fault"
        );
    }

    #[test]
    fn edge_02_180_over_61_and_59_days_is_92_and_88() {
        let (from, to) = (anchor("2024-10-31", 1000), anchor("2025-02-28", 1180));
        let indexes = between(from, to, &[day("2024-12-31")], 1000, 100_000_000);
        assert_eq!(indexes, [Estimated::Between(1_092_000)]);
    }

    #[test]
    fn b_12_a_chain_of_estimates_is_shared_out_by_days_over_the_end_of_the_register() {
        let (from, to) = (anchor("2025-01-31", 99_990), anchor("2025-04-30", 79));
        // 89 cubic metres in 28 + 31 + 30 days.
        let indexes = between(from, to, &[day("2025-02-28"), day("2025-03-31")], 1000, 100_000_000);
        assert_eq!(indexes, [Estimated::Between(18_000), Estimated::Between(49_000)]);
        let same_day = between(from, to, &[day("2025-01-31"), day("2025-04-30")], 1000, 100_000_000);
        assert_eq!(same_day, [Estimated::Read(from.value), Estimated::Read(to.value)]);
    }

    /// Method, volume and the places of the readings by which it knows.
    fn says(basis: &Basis, order: &[Method]) -> Option<(Method, i64, Vec<usize>)> {
        basis.guess(order).map(|guess| (guess.method, guess.volume, guess.rests_on))
    }

    fn basis() -> Basis {
        Basis {
            season_days: 70,
            actual: vec![
                anchor("2023-12-31", 0),
                anchor("2024-01-31", 62),
                anchor("2024-02-29", 120),
                anchor("2024-09-30", 400),
                anchor("2024-10-31", 431),
                anchor("2024-11-30", 461),
                anchor("2024-12-31", 554),
            ],
            from: anchor("2024-12-31", 554),
            on: day("2025-01-31"),
            like: Like { volume: 1_000_000, days: 310 },
        }
    }

    #[test]
    fn e_2_04_the_same_days_last_year_come_first() {
        assert_eq!(says(&basis(), &ORDER), Some((Method::LastYear, 62_000, vec![0, 1])));
        let mut half = basis();
        half.on = day("2025-02-15");
        // 15 of the 29 days of February, in which 58 were used.
        assert_eq!(says(&half, &ORDER), Some((Method::LastYear, 62_000 + 30_000, vec![0, 1, 2])));
    }

    #[test]
    fn e_2_04_last_year_is_known_only_between_readings_that_lie_close() {
        let mut summer = basis();
        (summer.from, summer.on) = (anchor("2025-01-31", 600), day("2025-03-31"));
        // 31 March 2024 lies in the 214 days without a reading.
        assert_eq!(says(&summer, &[Method::LastYear]), None);
        summer.season_days = 214;
        // 58, and 31 of 214 days of 280: 40.561.
        assert_eq!(says(&summer, &[Method::LastYear]), Some((Method::LastYear, 98_561, vec![1, 2, 3])));
        summer.season_days = 213;
        assert_eq!(says(&summer, &[Method::LastYear]), None);
        // Where a reading stands on the day, nothing has to be known between.
        (summer.from, summer.on, summer.season_days) = (anchor("2025-01-31", 600), day("2025-02-28"), 0);
        summer.actual[2].date = day("2024-02-28");
        assert_eq!(says(&summer, &[Method::LastYear]), Some((Method::LastYear, 58_000, vec![1, 2])));
    }

    #[test]
    fn e_2_04_each_method_by_hand_and_the_order_of_the_profile() {
        let mut new = basis();
        new.actual.drain(..3);
        // Three cycles since 30 September: 154 in 92 days, for 31 days 51.891.
        assert_eq!(says(&new, &ORDER), Some((Method::LastThree, 51_891, vec![0, 1, 2, 3])));
        // Four months back is 31 August: 280 in 214 days before 30 September, so 400 less 30 days of that: 39.252; 193.252 in 122 days, for 31 days 49.105.
        let four_months = says(&basis(), &[Method::FourMonths, Method::LastYear]);
        assert_eq!(four_months, Some((Method::FourMonths, 49_105, vec![2, 3, 4, 5, 6])));
        // 1000 in 310 days of others, for 31 days 100.
        assert_eq!(says(&new, &[Method::LastYear, Method::LikeUsers]), Some((Method::LikeUsers, 100_000, vec![])));
        new.actual.drain(..3);
        new.like = Like::default();
        assert_eq!(new.guess(&ORDER), None, "nothing to estimate by");
    }
}
