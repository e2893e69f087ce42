//! The terms of an agreement by day.

use calendar::NaiveDate;

/// A term of an agreement between two days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term<T> {
    pub value: T,
    pub from: NaiveDate,
    /// First day on which it does not hold any more.
    pub until: Option<NaiveDate>,
}

impl<T> Term<T> {
    pub(super) fn holds(&self, day: NaiveDate) -> bool {
        self.from <= day && self.until.is_none_or(|until| day < until)
    }
}

/// The terms of an agreement by day.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// First day in force.
    pub from: Option<NaiveDate>,
    /// First day not in force any more.
    pub end: Option<NaiveDate>,
    pub classes: Vec<Term<String>>,
    pub persons: Vec<Term<u16>>,
    pub low_income: Vec<Term<bool>>,
}

impl Terms {
    /// whether a contract covers a usage period that ends with a reading on `to`.
    pub fn covers(&self, to: NaiveDate) -> bool {
        self.from.is_some_and(|from| from <= to) && self.end.is_none_or(|end| to <= end)
    }

    /// The class of use of a day.
    pub fn class(&self, day: NaiveDate) -> Option<&str> {
        // De facto supply is priced by the class that was agreed last.
        self.classes
            .iter()
            .rev()
            .find(|t| t.holds(day))
            .or(self.classes.last())
            .map(|t| t.value.as_str())
    }

    pub(super) fn is_low_income(&self, day: NaiveDate) -> bool {
        self.low_income.iter().any(|t| t.value && t.holds(day))
    }

    pub(super) fn changes(&self) -> impl Iterator<Item = NaiveDate> {
        let days = |from: NaiveDate, until: Option<NaiveDate>| [Some(from), until].into_iter().flatten();
        let classes = self.classes.iter().flat_map(move |t| days(t.from, t.until));
        let persons = self.persons.iter().flat_map(move |t| days(t.from, t.until));
        let low = self.low_income.iter().flat_map(move |t| days(t.from, t.until));
        classes.chain(persons).chain(low)
    }

    /// Persons on a day and the months of the tier year for which their uplift counts: from the first day of the next month on (9.1).
    pub(super) fn household(&self, day: NaiveDate, year_start: NaiveDate) -> (u16, u8) {
        let Some(term) = self.persons.iter().find(|t| t.holds(day)) else {
            return (0, 12);
        };
        let mut since = term.from;
        // Larger before: the uplift of this size holds since then.
        while let Some(earlier) = self.persons.iter().find(|t| t.until == Some(since) && t.value >= term.value) {
            since = earlier.from;
        }
        match months_left(since, year_start) {
            0 => (0, 12),
            months => (term.value, months),
        }
    }
}

/// Months of the tier year from the first of the month on or after `since`; 12 when it was there before the year began.
pub(super) fn months_left(since: NaiveDate, year_start: NaiveDate) -> u8 {
    use chrono::Datelike;
    if since <= year_start {
        return 12;
    }
    let month = |d: NaiveDate| d.year().saturating_mul(12).saturating_add(i32::try_from(d.month0()).unwrap_or(0));
    let begin = month(since).saturating_add(i32::from(since.day() > year_start.day()));
    u8::try_from(12_i32.saturating_sub(begin.saturating_sub(month(year_start))).clamp(0, 12)).unwrap_or(0)
}
