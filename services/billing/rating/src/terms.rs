//! The terms of an agreement by day.

use chrono::{Datelike, Months, NaiveDate};

use crate::{LowIncome, Profile, Uplift};

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

    /// Whether it held earlier in a month in which it ended.
    fn lingers(&self, day: NaiveDate) -> bool {
        let ended = self.until.filter(|until| self.from < *until);
        self.from <= day && ended.is_some_and(|until| day < month_from(until))
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

    /// Proven low income on a day. What expires within a month holds to its end: the next month is the first without it (9.1, edge case 44).
    pub fn low_income(&self, day: NaiveDate) -> Option<LowIncome> {
        let holds = self.low_income.iter().find(|term| term.holds(day));
        let lingers = || self.low_income.iter().rev().find(|term| term.lingers(day));
        holds.or_else(lingers).map(|term| term.value)
    }

    /// Whether the flat price is chosen on a day.
    pub fn flat_price(&self, day: NaiveDate) -> bool {
        self.flat_price.iter().any(|term| term.holds(day))
    }

    /// Registered persons on a day, 0 where unknown, and the first day since when there were at least so many.
    pub fn persons(&self, day: NaiveDate) -> (u16, Option<NaiveDate>) {
        let Some(term) = self.size(day) else {
            return (0, None);
        };
        let mut since = term;
        while let Some(earlier) = self.size_before(since).filter(|earlier| earlier.value >= term.value) {
            since = earlier;
        }
        (term.value, Some(since.from))
    }

    fn size(&self, day: NaiveDate) -> Option<&Term<u16>> {
        self.persons.iter().find(|term| term.holds(day))
    }

    /// The size that the household had until it got another one.
    fn size_before(&self, term: &Term<u16>) -> Option<&Term<u16>> {
        self.persons.iter().find(|earlier| earlier.until == Some(term.from) && earlier.from < term.from)
    }

    /// Persons whose uplift counts on a day of a tier-year, and for how many of its months; `None` where there is no uplift.
    ///
    /// A size counts from the first day of the next month on, and until then the one before it does, be it smaller or larger (9.1, edge case 12).
    /// A size that ends without another one ends on its day (edge case 14). A household that grows gets at least what it had before.
    pub(crate) fn uplift(&self, rule: Uplift, day: NaiveDate, year_start: NaiveDate) -> Option<(u16, u8)> {
        self.size(day)?;
        let mut term = self.size(month_of(day))?;
        let size = term.value;
        let (mut least, mut most, mut best) = (size, 0, None);
        while term.value >= rule.from_persons {
            least = least.min(term.value);
            let months = months_left(term.from, year_start);
            let worth = rule.weight(least, months);
            if worth > most {
                // Where every size gets the same, the bill names the one that is registered.
                let persons = if rule.per_person { least } else { size };
                (most, best) = (worth, Some((persons, months)));
            }
            let Some(earlier) = self.size_before(term) else { break };
            term = earlier;
        }
        best
    }

    /// Persons that count in a tier-year, now or from the next month of it on, whether or not the prices ask for them.
    pub(crate) fn counted(&self, day: NaiveDate, year_start: NaiveDate) -> u16 {
        match self.persons(day) {
            (persons, Some(since)) if months_left(since, year_start) > 0 => persons,
            _ => 0,
        }
    }

    /// Months of a tier-year in which the agreement is in force; the months of its first and last day count.
    pub(crate) fn months_open(&self, year_start: NaiveDate) -> u8 {
        let first = self.from.map_or(0, |from| months_since(year_start, from).clamp(0, 11));
        let last = self.end.map_or(11, |end| months_since(year_start, end).clamp(first, 11));
        u8::try_from(last.saturating_sub(first).saturating_add(1)).unwrap_or(12)
    }

    /// Days on which a term begins or ends, or on which a month begins that counts it or its end.
    pub(crate) fn changes(&self) -> impl Iterator<Item = NaiveDate> {
        let classes = self.classes.iter().flat_map(Term::days);
        let flat_price = self.flat_price.iter().flat_map(Term::days);
        let persons = self.persons.iter().flat_map(Term::days);
        let low_income = self.low_income.iter().flat_map(Term::days);
        let by_month = persons.chain(low_income).flat_map(|day| [day, month_from(day)]);
        classes.chain(flat_price).chain(by_month)
    }
}

/// The first day of the month of a day.
fn month_of(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

/// The first day of a month on or after a day.
fn month_from(day: NaiveDate) -> NaiveDate {
    let first = month_of(day);
    if first == day {
        return day;
    }
    first.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX)
}

/// Whole months of the tier-year from the first of the month on or after `since`; 12 when that was there before the year began.
pub(crate) fn months_left(since: NaiveDate, year_start: NaiveDate) -> u8 {
    let since = month_from(since);
    if since <= year_start {
        return 12;
    }
    let gone = months(since).saturating_sub(months(year_start));
    u8::try_from(12_i32.saturating_sub(gone).clamp(0, 12)).unwrap_or(0)
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
        assert_eq!(
            months_left(day("2025-05-10"), day("2024-11-15")),
            5,
            "from 1 June, and the months of this year begin on the 15th"
        );
    }

    fn term<T>(value: T, from: &str, until: Option<&str>) -> Term<T> {
        Term {
            value,
            from: day(from),
            until: until.map(day),
        }
    }

    /// Lu'an: more than 4 persons, 60 m³ for each of them.
    const LUAN: Uplift = Uplift {
        from_persons: 5,
        plus: money::Volume::from_litres(60_000),
        per_person: true,
        first_tier_only: false,
        full_year: false,
    };

    /// Beijing: once, from 6 persons on.
    const BEIJING: Uplift = Uplift {
        from_persons: 6,
        per_person: false,
        ..LUAN
    };

    fn sizes(persons: Vec<Term<u16>>) -> impl Fn(Uplift, &str) -> Option<(u16, u8)> {
        let terms = Terms { persons, ..Terms::default() };
        move |rule, on| terms.uplift(rule, day(on), day("2025-01-01"))
    }

    #[test]
    fn edge_12_until_the_next_month_the_old_size_counts() {
        let grown = sizes(vec![term(4, "2020-01-01", Some("2025-05-20")), term(6, "2025-05-20", None)]);
        assert_eq!((grown(BEIJING, "2025-05-19"), grown(BEIJING, "2025-05-31")), (None, None));
        assert_eq!(grown(BEIJING, "2025-06-01"), Some((6, 7)));
        let new = sizes(vec![term(6, "2025-05-20", None)]);
        assert_eq!((new(BEIJING, "2025-05-31"), new(BEIJING, "2025-06-01")), (None, Some((6, 7))));
        // The size before was the larger one: it counts to the end of the month, and the new one was there all year.
        let shrunk = sizes(vec![term(8, "2020-01-01", Some("2025-05-20")), term(6, "2025-05-20", None)]);
        assert_eq!((shrunk(LUAN, "2025-05-31"), shrunk(LUAN, "2025-06-01")), (Some((8, 12)), Some((6, 12))));
        let gone = sizes(vec![term(6, "2020-01-01", Some("2025-05-20")), term(4, "2025-05-20", None)]);
        assert_eq!((gone(LUAN, "2025-05-31"), gone(LUAN, "2025-06-01")), (Some((6, 12)), None));
    }

    #[test]
    fn edge_14_a_size_that_ends_without_another_one_ends_on_its_day() {
        let ends = sizes(vec![term(6, "2020-01-01", Some("2025-07-01"))]);
        assert_eq!((ends(BEIJING, "2025-06-30"), ends(BEIJING, "2025-07-01")), (Some((6, 12)), None));
        let within = sizes(vec![term(6, "2020-01-01", Some("2025-07-10"))]);
        assert_eq!((within(BEIJING, "2025-07-09"), within(BEIJING, "2025-07-10")), (Some((6, 12)), None));
    }

    #[test]
    fn edge_12_a_household_that_grows_gets_at_least_what_it_had() {
        let grown = sizes(vec![term(6, "2020-01-01", Some("2025-10-20")), term(7, "2025-10-20", None)]);
        // Beijing adds once: it had that all year. Lu'an: 2 × 60 × 12/12 = 120 is more than 3 × 60 × 2/12 = 30.
        assert_eq!(grown(BEIJING, "2025-11-01"), Some((7, 12)));
        assert_eq!(grown(LUAN, "2025-11-01"), Some((6, 12)));
        // 4 × 60 × 7/12 = 140 is more than 60.
        let grown = sizes(vec![term(5, "2020-01-01", Some("2025-05-20")), term(8, "2025-05-20", None)]);
        assert_eq!((grown(LUAN, "2025-05-31"), grown(LUAN, "2025-06-01")), (Some((5, 12)), Some((8, 7))));
        // In full within the year the larger size counts as soon as it counts at all.
        let full = Uplift { full_year: true, ..LUAN };
        let grown = sizes(vec![term(5, "2020-01-01", Some("2025-11-20")), term(6, "2025-11-20", None)]);
        assert_eq!((grown(full, "2025-11-30"), grown(full, "2025-12-01")), (Some((5, 12)), Some((6, 1))));
    }

    #[test]
    fn edge_44_low_income_holds_to_the_end_of_the_month_in_which_it_expires() {
        let terms = |low_income| Terms {
            low_income,
            ..Terms::default()
        };
        let on = |terms: &Terms, text| terms.low_income(day(text));
        let (low, poor) = (LowIncome::Subsistence, LowIncome::Destitute);
        // The last day is 15 October.
        let expires = terms(vec![term(low, "2024-01-01", Some("2025-10-16"))]);
        assert_eq!((on(&expires, "2025-10-31"), on(&expires, "2025-11-01")), (Some(low), None));
        let whole = terms(vec![term(low, "2024-01-01", Some("2025-11-01"))]);
        assert_eq!((on(&whole, "2025-10-31"), on(&whole, "2025-11-01")), (Some(low), None));
        // What follows within the month goes before what has ended, and what never held does not linger.
        let followed = terms(vec![term(low, "2024-01-01", Some("2025-10-16")), term(poor, "2025-10-20", None)]);
        assert_eq!([on(&followed, "2025-10-17"), on(&followed, "2025-10-20")], [Some(low), Some(poor)]);
        let void = terms(vec![term(low, "2025-10-16", Some("2025-10-16"))]);
        assert_eq!(on(&void, "2025-10-16"), None);
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
