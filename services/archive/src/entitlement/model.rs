//! Rules of entitlements.

use chrono::NaiveDate;

use crate::refusal::Refusal;

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Registered persons (人口登记).
    HouseholdSize,
    /// Low income (低保、特困).
    LowIncome,
    /// The flat price that the tariff offers to a household of its size.
    FlatPrice,
}

impl Kind {
    /// As the table keeps it.
    pub fn code(self) -> &'static str {
        match self {
            Self::HouseholdSize => "HOUSEHOLD_SIZE",
            Self::LowIncome => "LOW_INCOME",
            Self::FlatPrice => "FLAT_PRICE",
        }
    }

    /// The kind of a code.
    pub fn of(code: &str) -> Option<Self> {
        [Self::HouseholdSize, Self::LowIncome, Self::FlatPrice]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

/// What an entitlement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// So many registered persons.
    Persons(i32),
    /// Low income: of destitute persons who are supported by the state (特困), or of others (低保).
    LowIncome {
        /// Whether it is the former.
        destitute: bool,
    },
    /// The flat price was chosen.
    FlatPrice,
}

impl Right {
    /// Its kind.
    pub fn kind(self) -> Kind {
        match self {
            Self::Persons(_) => Kind::HouseholdSize,
            Self::LowIncome { .. } => Kind::LowIncome,
            Self::FlatPrice => Kind::FlatPrice,
        }
    }
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Granted for its days.
    Granted,
    /// It never held.
    Withdrawn,
}

impl State {
    /// As the table keeps it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Granted => "GRANTED",
            Self::Withdrawn => "WITHDRAWN",
        }
    }

    /// The state of a code.
    pub fn of(code: &str) -> Option<Self> {
        [Self::Granted, Self::Withdrawn].into_iter().find(|state| state.code() == code)
    }
}

/// Days from the first up to, without, the last; open where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// First day.
    pub from: NaiveDate,
    /// First day after it.
    pub until: Option<NaiveDate>,
}

impl Days {
    /// Some days.
    ///
    /// # Errors
    /// [`Refusal::Period`] where they end before they begin.
    pub fn new(from: NaiveDate, until: Option<NaiveDate>) -> Result<Self, Refusal> {
        if until.is_some_and(|until| until <= from) {
            Err(Refusal::Period)
        } else {
            Ok(Self { from, until })
        }
    }

    fn meet(self, other: Self) -> bool {
        self.until.is_none_or(|until| other.from < until) && other.until.is_none_or(|until| self.from < until)
    }
}

/// What a new grant does to those that are registered: the one that runs on its first day ends there.
///
/// # Errors
/// [`Refusal::EntitlementOverlap`] where one begins on that day or later and before the end.
pub fn cut(registered: &[Days], new: Days) -> Result<Option<usize>, Refusal> {
    let mut ends = None;
    for (index, days) in registered.iter().enumerate() {
        if days.meet(new) {
            if days.from >= new.from {
                return Err(Refusal::EntitlementOverlap);
            }
            ends = Some(index);
        }
    }
    Ok(ends)
}

/// What a withdrawal from a day on makes of an entitlement.
///
/// # Errors
/// [`Refusal::EntitlementState`] where it is withdrawn or ends on that day or before.
pub fn withdraw(state: State, days: Days, from: NaiveDate) -> Result<(State, Days), Refusal> {
    if state == State::Withdrawn || days.until.is_some_and(|until| until <= from) {
        return Err(Refusal::EntitlementState);
    }
    if from <= days.from {
        Ok((State::Withdrawn, days))
    } else {
        Ok((State::Granted, Days { until: Some(from), ..days }))
    }
}

/// Edge 14: days before the last day of an entitlement on which its end is told, the farther one first.
pub const MARKS: [u64; 2] = [60, 30];

/// The mark to tell of an end, which is the first day without it: the smallest that is reached. Whoever looks after a long time tells once, and nobody tells
/// of what has ended.
pub fn mark_due(until: NaiveDate, today: NaiveDate) -> Option<u64> {
    let reached = MARKS.into_iter().filter(|mark| day_of(until, *mark).is_some_and(|day| day <= today));
    reached.min().filter(|_| today < until)
}

/// The day on which an end is looked at first; it may have passed.
pub fn first_mark_on(until: NaiveDate) -> Option<NaiveDate> {
    MARKS.into_iter().find_map(|mark| day_of(until, mark))
}

/// The day of the next mark after today, if there is one.
pub fn next_mark_on(until: NaiveDate, today: NaiveDate) -> Option<NaiveDate> {
    MARKS.into_iter().filter_map(|mark| day_of(until, mark)).find(|day| *day > today)
}

fn day_of(until: NaiveDate, mark: u64) -> Option<NaiveDate> {
    until.pred_opt()?.checked_sub_days(chrono::Days::new(mark))
}

/// Registered persons: 1 to 99.
///
/// # Errors
/// [`Refusal::PersonsRange`].
pub fn persons(count: i32) -> Result<i32, Refusal> {
    if (1..=99).contains(&count) { Ok(count) } else { Err(Refusal::PersonsRange) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn days(from: &str, until: Option<&str>) -> Days {
        Days::new(day(from), until.map(day)).unwrap()
    }

    #[test]
    fn a37_a_new_size_ends_the_one_before() {
        let registered = [days("2024-01-01", Some("2025-01-01")), days("2025-01-01", None)];
        assert_eq!(cut(&registered, days("2025-06-01", None)), Ok(Some(1)));
        assert_eq!(cut(&registered, days("2024-06-01", Some("2025-01-01"))), Ok(Some(0)));
        assert_eq!(cut(&registered, days("2025-01-01", None)), Err(Refusal::EntitlementOverlap));
        assert_eq!(cut(&registered, days("2024-06-01", None)), Err(Refusal::EntitlementOverlap));
        assert_eq!(cut(&registered, days("2023-01-01", Some("2024-01-01"))), Ok(None));
    }

    #[test]
    fn bad_input_105_an_end_before_the_start() {
        assert_eq!(Days::new(day("2025-01-01"), Some(day("2025-01-01"))), Err(Refusal::Period));
        assert_eq!(Days::new(day("2025-01-02"), Some(day("2025-01-01"))), Err(Refusal::Period));
    }

    #[test]
    fn every_transition_of_an_entitlement() {
        let open = days("2025-01-01", None);
        assert_eq!(
            withdraw(State::Granted, open, day("2025-06-01")),
            Ok((State::Granted, days("2025-01-01", Some("2025-06-01"))))
        );
        assert_eq!(withdraw(State::Granted, open, day("2025-01-01")), Ok((State::Withdrawn, open)));
        assert_eq!(withdraw(State::Withdrawn, open, day("2025-06-01")), Err(Refusal::EntitlementState));
        let ended = days("2025-01-01", Some("2025-06-01"));
        assert_eq!(withdraw(State::Granted, ended, day("2025-06-01")), Err(Refusal::EntitlementState));
        assert_eq!(
            withdraw(State::Granted, ended, day("2025-05-31")),
            Ok((State::Granted, days("2025-01-01", Some("2025-05-31"))))
        );
    }

    #[test]
    fn edge_14_an_end_is_told_60_and_30_days_before_the_last_day() {
        // The last day is 30 June: 1 May is 60 days before it, 31 May 30.
        let until = day("2025-07-01");
        for (today, mark, next) in [
            ("2024-07-01", None, Some("2025-05-01")),
            ("2025-04-30", None, Some("2025-05-01")),
            ("2025-05-01", Some(60), Some("2025-05-31")),
            ("2025-05-02", Some(60), Some("2025-05-31")),
            ("2025-05-30", Some(60), Some("2025-05-31")),
            ("2025-05-31", Some(30), None),
            ("2025-06-01", Some(30), None),
            ("2025-06-30", Some(30), None),
            ("2025-07-01", None, None),
            ("2025-07-02", None, None),
            ("2026-05-01", None, None),
        ] {
            assert_eq!(mark_due(until, day(today)), mark, "{today}");
            assert_eq!(next_mark_on(until, day(today)), next.map(day), "{today}");
        }
        assert_eq!(first_mark_on(until), Some(day("2025-05-01")));
    }

    #[test]
    fn edge_14_the_marks_count_days_over_the_end_of_february() {
        for (until, sixty, thirty) in [("2025-03-01", "2024-12-30", "2025-01-29"), ("2024-03-01", "2023-12-31", "2024-01-30")] {
            assert_eq!(first_mark_on(day(until)), Some(day(sixty)), "{until}");
            assert_eq!(next_mark_on(day(until), day(sixty)), Some(day(thirty)), "{until}");
        }
    }

    #[test]
    fn edge_14_an_end_before_all_days_has_no_mark() {
        let first = NaiveDate::MIN;
        assert_eq!((mark_due(first, first), first_mark_on(first), next_mark_on(first, first)), (None, None, None));
    }

    #[test]
    fn households_have_1_to_99_persons() {
        assert_eq!(persons(1), Ok(1));
        assert_eq!(persons(0), Err(Refusal::PersonsRange));
        assert_eq!(persons(100), Err(Refusal::PersonsRange));
        for kind in [Kind::HouseholdSize, Kind::LowIncome, Kind::FlatPrice] {
            assert_eq!(Kind::of(kind.code()), Some(kind));
        }
        assert_eq!(State::of(State::Withdrawn.code()), Some(State::Withdrawn));
    }
}
