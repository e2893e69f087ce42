//! The terms of an agreement by day.

use chrono::{Datelike, NaiveDate};

use crate::{LowIncome, Profile};

/// What holds between two days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term<T> {
    /// What holds.
    pub value: T,
    /// First day.
    pub from: NaiveDate,
    /// First day on which it does not hold any more.
    pub until: Option<NaiveDate>,
}

impl<T> Term<T> {
    fn holds(&self, day: NaiveDate) -> bool {
        self.from <= day && self.until.is_none_or(|until| day < until)
    }

    fn days(&self) -> impl Iterator<Item = NaiveDate> {
        [Some(self.from), self.until].into_iter().flatten()
    }
}

/// The terms of an agreement by day, as far as they decide its price.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// First day in force.
    pub from: Option<NaiveDate>,
    /// First day not in force any more.
    pub end: Option<NaiveDate>,
    /// Class of use (用气性质).
    pub classes: Vec<Term<String>>,
    /// Registered persons.
    pub persons: Vec<Term<u16>>,
    /// Proven low income.
    pub low_income: Vec<Term<LowIncome>>,
    /// The household chose the flat price that the tariff offers to its size.
    pub flat_price: Vec<Term<()>>,
}

impl Terms {
    /// Those of an agreement that was always as it is.
    pub fn always(class: &str, profile: &Profile) -> Self {
        fn always<T>(value: T) -> Vec<Term<T>> {
            vec![Term {
                value,
                from: NaiveDate::MIN,
                until: None,
            }]
        }
        Self {
            classes: always(class.to_owned()),
            persons: if profile.persons > 0 { always(profile.persons) } else { vec![] },
            low_income: profile.low_income.map(always).unwrap_or_default(),
            flat_price: if profile.flat_choice { always(()) } else { vec![] },
            ..Self::default()
        }
    }

    /// whether a contract covers a usage period that ends with a reading on `to`.
    pub fn covers(&self, to: NaiveDate) -> bool {
        self.from.is_some_and(|from| from <= to) && self.end.is_none_or(|end| to <= end)
    }

    /// The class of use of a day; that agreed last, where none holds: so is supply without a contract priced.
    pub fn class(&self, day: NaiveDate) -> Option<&str> {
        self.classes
            .iter()
            .rev()
            .find(|term| term.holds(day))
            .or(self.classes.last())
            .map(|term| term.value.as_str())
    }

    /// Proven low income on a day.
    pub fn low_income(&self, day: NaiveDate) -> Option<LowIncome> {
        self.low_income.iter().find(|term| term.holds(day)).map(|term| term.value)
    }

    /// Whether the flat price is chosen on a day.
    pub fn flat_price(&self, day: NaiveDate) -> bool {
        self.flat_price.iter().any(|term| term.holds(day))
    }

    /// Registered persons on a day, 0 where unknown, and the first day since when there were at least so many.
    pub fn persons(&self, day: NaiveDate) -> (u16, Option<NaiveDate>) {
        let Some(term) = self.persons.iter().find(|term| term.holds(day)) else {
            return (0, None);
        };
        let mut since = term.from;
        while let Some(earlier) = self
            .persons
            .iter()
            .find(|other| other.until == Some(since) && other.from < since && other.value >= term.value)
        {
            since = earlier.from;
        }
        (term.value, Some(since))
    }

    /// Persons whose uplift counts on a day of a tier-year, and for how many of its months: from the first day of the next month on (9.1).
    pub(crate) fn uplift(&self, day: NaiveDate, year_start: NaiveDate) -> (u16, u8) {
        match self.persons(day) {
            (persons, Some(since)) => match months_left(since, year_start) {
                0 => (0, 12),
                months => (persons, months),
            },
            (_, None) => (0, 12),
        }
    }

    /// Months of a tier-year in which the agreement is in force; the months of its first and last day count.
    pub(crate) fn months_open(&self, year_start: NaiveDate) -> u8 {
        let first = self.from.map_or(0, |from| months_since(year_start, from).clamp(0, 11));
        let last = self.end.map_or(11, |end| months_since(year_start, end).clamp(first, 11));
        u8::try_from(last.saturating_sub(first).saturating_add(1)).unwrap_or(12)
    }

    /// Days on which a term begins or ends.
    pub(crate) fn changes(&self) -> impl Iterator<Item = NaiveDate> {
        let classes = self.classes.iter().flat_map(Term::days);
        let persons = self.persons.iter().flat_map(Term::days);
        let low_income = self.low_income.iter().flat_map(Term::days);
        classes.chain(persons).chain(low_income).chain(self.flat_price.iter().flat_map(Term::days))
    }
}

/// Months of the tier-year from the first of the month on or after `since`; 12 when it was there before the year began.
pub(crate) fn months_left(since: NaiveDate, year_start: NaiveDate) -> u8 {
    if since <= year_start {
        return 12;
    }
    let begin = months(since).saturating_add(i32::from(since.day() > year_start.day()));
    u8::try_from(12_i32.saturating_sub(begin.saturating_sub(months(year_start))).clamp(0, 12)).unwrap_or(0)
}

/// Whole months of a year that began on `start` before `day`; negative where it lies before it.
fn months_since(start: NaiveDate, day: NaiveDate) -> i32 {
    months(day).saturating_sub(months(start)).saturating_sub(i32::from(day.day() < start.day()))
}

fn months(day: NaiveDate) -> i32 {
    day.year().saturating_mul(12).saturating_add(i32::try_from(day.month0()).unwrap_or(0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn edge_12_an_uplift_counts_from_the_next_month() {
        let year = day("2025-01-01");
        assert_eq!(months_left(day("2025-05-20"), year), 7, "approved in May, effective on 1 June");
        assert_eq!(months_left(day("2025-06-01"), year), 7);
        assert_eq!(months_left(day("2025-12-02"), year), 0);
        assert_eq!(months_left(day("2024-12-31"), year), 12);
        assert_eq!(months_left(day("2025-08-15"), day("2024-09-01")), 0, "Shanghai's year ends in August");
    }

    #[test]
    fn p_9_1_months_open_count_the_first_and_the_last() {
        let terms = |from: &str, end: Option<&str>| Terms {
            from: Some(day(from)),
            end: end.map(day),
            ..Terms::default()
        };
        let year = day("2025-01-01");
        assert_eq!(terms("2025-08-20", None).months_open(year), 5, "350 m³ × 5/12 of 11.3");
        assert_eq!(terms("2020-08-20", None).months_open(year), 12);
        assert_eq!(terms("2020-08-20", Some("2025-03-01")).months_open(year), 3);
        assert_eq!(terms("2025-03-02", Some("2025-03-30")).months_open(year), 1);
        assert_eq!(terms("2025-01-20", None).months_open(day("2024-09-01")), 8);
    }
}
