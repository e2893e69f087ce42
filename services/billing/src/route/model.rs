//! The cycle calendar and the states of tasks, pure.

use calendar::NaiveDate;
use chrono::{Datelike, Days, Months};

use crate::{refusal::Refusal, words::words};

words! {
    /// How often a book is read.
    pub enum Cycle {
        /// Every month.
        Month "MONTH",
        /// Every second month.
        Bimonth "BIMONTH",
        /// Every week.
        Week "WEEK",
    }
}

words! {
    /// Where a task stands.
    pub enum TaskState {
        /// To be read.
        Due "DUE",
        /// Read in its cycle.
        Read "READ",
        /// Nobody could get at the meter.
        NoAccess "NO_ACCESS",
        /// The meter is faulty.
        MeterFault "METER_FAULT",
        /// The meter was removed before.
        Dropped "DROPPED",
    }
}

/// Reports a visit without a reading.
///
/// # Errors
/// TASK_DONE.
pub fn visited(state: TaskState, outcome: TaskState) -> Result<TaskState, Refusal> {
    match (state, outcome) {
        (TaskState::Due | TaskState::NoAccess | TaskState::MeterFault, TaskState::NoAccess | TaskState::MeterFault) => Ok(outcome),
        _ => Err(Refusal::TaskDone),
    }
}

/// One cycle of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: NaiveDate,
    /// Last day.
    pub until: NaiveDate,
    /// Day on which it is read (例日).
    pub due: NaiveDate,
}

impl Span {
    /// Whether a meter that is read in this cycle is read in another one as well: on a day of that one, or, where that one is no longer, in the days that hold its own.
    pub fn serves(&self, other: &Self) -> bool {
        let days = |span: &Self| span.until.signed_duration_since(span.from);
        let holds = |span: &Self, day: NaiveDate| span.from <= day && day <= span.until;
        holds(other, self.due) || (holds(self, other.due) && days(self) >= days(other))
    }
}

/// Checks the day of a book.
///
/// # Errors
/// READ_DAY for a weekly book with a day above 7.
pub fn check_day(cycle: Cycle, read_day: u32) -> Result<(), Refusal> {
    if cycle == Cycle::Week && read_day > 7 {
        Err(Refusal::ReadDay)
    } else {
        Ok(())
    }
}

/// The cycles of a book whose day falls into a month and lies on its first day or later. A two-month cycle is read in its first month.
pub fn cycles(cycle: Cycle, read_day: u32, begin: NaiveDate, year: i32, month: u32) -> Vec<Span> {
    let Some(first) = NaiveDate::from_ymd_opt(year, month, 1) else {
        return vec![];
    };
    let end = |first: NaiveDate, months: u32| first.checked_add_months(Months::new(months)).and_then(|d| d.pred_opt()).unwrap_or(first);
    let last = end(first, 1);
    let spans = match cycle {
        Cycle::Month | Cycle::Bimonth => {
            let months = if cycle == Cycle::Month { 1 } else { 2 };
            let passed = year
                .saturating_sub(begin.year())
                .saturating_mul(12)
                .saturating_add(months_of(first))
                .saturating_sub(months_of(begin));
            if passed.checked_rem(months) != Some(0) {
                return vec![];
            }
            vec![Span {
                from: first,
                until: end(first, months.unsigned_abs()),
                due: first.with_day(read_day).unwrap_or(last),
            }]
        }
        Cycle::Week => first
            .iter_days()
            .take_while(|day| *day <= last)
            .filter(|day| day.weekday().number_from_monday() == read_day)
            .map(|due| {
                let from = due.checked_sub_days(Days::new(u64::from(read_day.saturating_sub(1)))).unwrap_or(due);
                Span {
                    from,
                    until: from.checked_add_days(Days::new(6)).unwrap_or(due),
                    due,
                }
            })
            .collect(),
    };
    spans.into_iter().filter(|s| s.due >= begin).collect()
}

fn months_of(day: NaiveDate) -> i32 {
    i32::try_from(day.month0()).unwrap_or(0)
}

/// A part of a whole in percent, to two places, rounded down, as a count of hundredths; none without a whole.
pub fn percent(part: i64, whole: i64) -> Option<i64> {
    part.checked_mul(10_000)?.checked_div(whole)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn span(from: &str, until: &str, due: &str) -> Span {
        Span {
            from: day(from),
            until: day(until),
            due: day(due),
        }
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let cycles: Vec<_> = Cycle::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&cycles, "CYCLE_", |n| proto::reading_book::Cycle::try_from(n).ok().map(|v| v.as_str_name()));
        let states: Vec<_> = TaskState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&states, "STATE_", |n| proto::reading_task::State::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn e_2_01_table_of_visits() {
        use TaskState::*;
        for state in TaskState::ALL.iter().copied() {
            for outcome in TaskState::ALL.iter().copied() {
                let legal = matches!(state, Due | NoAccess | MeterFault) && matches!(outcome, NoAccess | MeterFault);
                assert_eq!(
                    visited(state, outcome),
                    if legal { Ok(outcome) } else { Err(Refusal::TaskDone) },
                    "{state:?} {outcome:?}"
                );
            }
        }
    }

    #[test]
    fn b_03_months_have_one_cycle_and_short_ones_are_read_on_their_last_day() {
        let begin = day("2025-01-10");
        assert_eq!(cycles(Cycle::Month, 31, begin, 2025, 2), [span("2025-02-01", "2025-02-28", "2025-02-28")]);
        assert_eq!(cycles(Cycle::Month, 10, begin, 2025, 1), [span("2025-01-01", "2025-01-31", "2025-01-10")]);
        assert_eq!(cycles(Cycle::Month, 9, begin, 2025, 1), [], "before the first day of the book");
        assert_eq!(cycles(Cycle::Month, 9, begin, 2024, 12), []);
    }

    #[test]
    fn b_03_every_second_month_from_that_of_the_first_day_on() {
        let begin = day("2024-12-01");
        let due = |month| cycles(Cycle::Bimonth, 20, begin, 2025, month).len();
        assert_eq!((1..=12).map(due).collect::<Vec<_>>(), [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
        assert_eq!(cycles(Cycle::Bimonth, 20, begin, 2025, 2), [span("2025-02-01", "2025-03-31", "2025-02-20")]);
    }

    #[test]
    fn b_03_weeks_belong_to_the_month_of_their_day() {
        let spans = cycles(Cycle::Week, 7, day("2025-01-01"), 2025, 2);
        let dues: Vec<_> = spans.iter().map(|s| s.due).collect();
        assert_eq!(dues, [day("2025-02-02"), day("2025-02-09"), day("2025-02-16"), day("2025-02-23")]);
        assert_eq!(spans[0], span("2025-01-27", "2025-02-02", "2025-02-02"));
        assert_eq!(check_day(Cycle::Week, 8), Err(Refusal::ReadDay));
        assert_eq!((check_day(Cycle::Week, 7), check_day(Cycle::Month, 31)), (Ok(()), Ok(())));
    }

    #[test]
    fn e_2_01_a_task_serves_the_cycle_that_it_is_due_in_and_shorter_ones_within_its_own() {
        let month = span("2025-02-01", "2025-02-28", "2025-02-20");
        let other_day = span("2025-02-01", "2025-02-28", "2025-02-05");
        let both = span("2025-02-01", "2025-03-31", "2025-02-20");
        let march = span("2025-03-01", "2025-03-31", "2025-03-20");
        let week = |due| span("2025-01-27", "2025-02-02", due);
        let second = span("2025-02-03", "2025-02-09", "2025-02-03");
        assert!(month.serves(&other_day) && other_day.serves(&month), "the day of the book was changed");
        assert!(!month.serves(&march) && !march.serves(&month));
        assert!(both.serves(&march) && both.serves(&month) && month.serves(&both));
        assert!(march.serves(&both), "its day lies in both months");
        assert!(month.serves(&second) && second.serves(&month));
        assert!(!week("2025-01-27").serves(&month), "read in January");
        assert!(
            !week("2025-01-27").serves(&span("2025-02-01", "2025-02-28", "2025-02-01")),
            "its last days are the first of February"
        );
        assert!(week("2025-02-02").serves(&month));
        assert!(!second.serves(&week("2025-01-27")));
    }

    #[test]
    fn e_2_08_percent_is_rounded_down() {
        assert_eq!(
            [percent(2, 3), percent(1, 1), percent(0, 7), percent(1, 0)],
            [Some(6666), Some(10_000), Some(0), None]
        );
    }
}
