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
