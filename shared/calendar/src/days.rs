//! The table of days: which are worked, which are not, and for how many years that is known.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate, Weekday};
use thiserror::Error;

/// Days that differ from Monday to Friday, for a span of whole years (节假日与调休表).
#[derive(Clone, Debug)]
pub struct Days {
    first: NaiveDate,
    last: NaiveDate,
    special: BTreeMap<NaiveDate, Special>,
}

#[derive(Clone, Debug)]
struct Special {
    works: bool,
    name_en: String,
    name_zh: String,
}

/// What kind of day a day is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DayKind {
    /// Monday to Friday.
    Workday,
    /// Work on a Saturday or Sunday, made up for a holiday (调休).
    MadeUpWorkday,
    /// Saturday or Sunday.
    Weekend,
    /// No work although perhaps a weekday (节假日).
    Holiday,
}

/// A day of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Day<'a> {
    /// Its kind.
    pub kind: DayKind,
    /// English name of the holiday, or of the one it makes up for; empty for plain days.
    pub name_en: &'a str,
    /// Chinese name, likewise.
    pub name_zh: &'a str,
}

impl Day<'_> {
    /// Is it worked?
    #[must_use]
    pub const fn works(&self) -> bool {
        matches!(self.kind, DayKind::Workday | DayKind::MadeUpWorkday)
    }
}

/// A day outside the table's years: whether it is worked is not known, and never guessed (decision 8).
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the calendar does not know {date}")]
pub struct CalendarMissing {
    /// The first day that was asked for and is not in the table.
    pub date: NaiveDate,
}

impl CalendarMissing {
    /// The stable reason that callers see.
    pub const REASON: &'static str = "CALENDAR_MISSING";
}

/// A table that cannot be read.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum BadTable {
    /// A line that is not `date,holiday|workday,english name,chinese name,…`.
    #[error("line {line} of the table of days cannot be read")]
    Line {
        /// Counted from 1, the header included.
        line: usize,
    },
    /// A day that is listed twice.
    #[error("the table lists {date} twice")]
    Twice {
        /// The day.
        date: NaiveDate,
    },
    /// No day at all.
    #[error("the table of days is empty")]
    Empty,
}

impl Days {
    /// A table that knows no day: every question is answered by [`CalendarMissing`].
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            first: NaiveDate::MAX,
            last: NaiveDate::MIN,
            special: BTreeMap::new(),
        }
    }

    /// Monday to Friday for the years `first` to `last`, without holidays.
    #[must_use]
    pub fn weekdays(first: i32, last: i32) -> Self {
        match (NaiveDate::from_ymd_opt(first, 1, 1), NaiveDate::from_ymd_opt(last, 12, 31)) {
            (Some(first), Some(last)) => Self {
                first,
                last,
                special: BTreeMap::new(),
            },
            _ => Self::unknown(),
        }
    }

    /// The same with one more holiday.
    #[must_use]
    pub fn with_holiday(mut self, date: NaiveDate, name_en: &str, name_zh: &str) -> Self {
        self.special.insert(
            date,
            Special {
                works: false,
                name_en: name_en.to_owned(),
                name_zh: name_zh.to_owned(),
            },
        );
        self
    }

    /// The same with one more made-up workday (调休).
    #[must_use]
    pub fn with_workday(mut self, date: NaiveDate, name_en: &str, name_zh: &str) -> Self {
        self.special.insert(
            date,
            Special {
                works: true,
                name_en: name_en.to_owned(),
                name_zh: name_zh.to_owned(),
            },
        );
        self
    }

    /// Reads a table of lines `date,kind,name_en,name_zh,…` with a header; kind is `holiday` or `workday`. It covers the years from its first line to its last.
    ///
    /// # Errors
    /// [`BadTable`]; no line is passed over.
    pub fn parse_csv(text: &str) -> Result<Self, BadTable> {
        let mut special = BTreeMap::new();
        for (index, row) in csv::Reader::from_reader(text.as_bytes()).into_records().enumerate() {
            let bad = BadTable::Line { line: index.saturating_add(2) };
            let Ok(row) = row else { return Err(bad) };
            let (Some(date), Some(kind), Some(name_en), Some(name_zh)) = (row.get(0), row.get(1), row.get(2), row.get(3)) else {
                return Err(bad);
            };
            let works = match kind {
                "workday" => true,
                "holiday" => false,
                _ => return Err(bad),
            };
            let Ok(date) = date.parse::<NaiveDate>() else { return Err(bad) };
            if special
                .insert(
                    date,
                    Special {
                        works,
                        name_en: name_en.to_owned(),
                        name_zh: name_zh.to_owned(),
                    },
                )
                .is_some()
            {
                return Err(BadTable::Twice { date });
            }
        }
        let (Some((first, _)), Some((last, _))) = (special.first_key_value(), special.last_key_value()) else {
            return Err(BadTable::Empty);
        };
        Ok(Self {
            special: special.clone(),
            ..Self::weekdays(first.year(), last.year())
        })
    }

    /// First and last day that are known.
    #[must_use]
    pub const fn span(&self) -> (NaiveDate, NaiveDate) {
        (self.first, self.last)
    }

    /// What kind of day `date` is.
    ///
    /// # Errors
    /// [`CalendarMissing`] outside the years of the table.
    pub fn day(&self, date: NaiveDate) -> Result<Day<'_>, CalendarMissing> {
        if date < self.first || date > self.last {
            return Err(CalendarMissing { date });
        }
        let weekend = matches!(date.weekday(), Weekday::Sat | Weekday::Sun);
        let day = match self.special.get(&date) {
            Some(special) => {
                let kind = match (special.works, weekend) {
                    (true, true) => DayKind::MadeUpWorkday,
                    (true, false) => DayKind::Workday,
                    (false, _) => DayKind::Holiday,
                };
                Day {
                    kind,
                    name_en: &special.name_en,
                    name_zh: &special.name_zh,
                }
            }
            None => Day {
                kind: if weekend { DayKind::Weekend } else { DayKind::Workday },
                name_en: "",
                name_zh: "",
            },
        };
        Ok(day)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    const TABLE: &str = include_str!("../data/cn_days_2004_2026.csv");

    #[test]
    fn decision_8_the_shipped_table_reads_whole() {
        let days = Days::parse_csv(TABLE).unwrap();
        assert_eq!(days.span(), (date("2004-01-01"), date("2026-12-31")));
        assert_eq!(days.special.len(), TABLE.lines().count() - 1);
    }

    #[test]
    fn every_line_of_the_shipped_table_is_obeyed() {
        let days = Days::parse_csv(TABLE).unwrap();
        for line in TABLE.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let day = days.day(date(cells[0])).unwrap();
            assert_eq!(day.works(), cells[1] == "workday", "{line}");
            assert_eq!((day.name_en, day.name_zh), (cells[2], cells[3]), "{line}");
        }
    }

    #[test]
    fn kinds_of_days() {
        let days = Days::parse_csv(TABLE).unwrap();
        let rows = [
            ("2024-05-09", DayKind::Workday),
            ("2024-05-11", DayKind::MadeUpWorkday),
            ("2024-05-12", DayKind::Weekend),
            ("2024-10-01", DayKind::Holiday),
            ("2023-12-30", DayKind::Holiday),
        ];
        for (text, kind) in rows {
            assert_eq!(days.day(date(text)).unwrap().kind, kind, "{text}");
        }
    }

    #[test]
    fn decision_8_a_day_outside_the_table_is_missing() {
        let days = Days::parse_csv(TABLE).unwrap();
        for text in ["2003-12-31", "2027-01-01"] {
            assert_eq!(days.day(date(text)), Err(CalendarMissing { date: date(text) }));
        }
        assert!(Days::unknown().day(date("2024-05-09")).is_err());
        assert_eq!(CalendarMissing::REASON, "CALENDAR_MISSING");
    }

    #[test]
    fn a_bad_line_is_an_error() {
        let head = "date,kind,name_en,name_zh,in_lieu\n";
        let rows = [
            ("", BadTable::Empty),
            ("2024-02-30,holiday,a,b,0\n", BadTable::Line { line: 2 }),
            ("2024-01-01,holiday,a,b,0\n2024-01-02,rest,a,b,0\n", BadTable::Line { line: 3 }),
            ("2024-01-01,holiday,a,b\n", BadTable::Line { line: 2 }),
            (
                "2024-01-01,holiday,a,b,0\n2024-01-01,workday,a,b,0\n",
                BadTable::Twice { date: date("2024-01-01") },
            ),
        ];
        for (text, error) in rows {
            assert_eq!(Days::parse_csv(&format!("{head}{text}")).unwrap_err(), error, "{text}");
        }
    }
}
