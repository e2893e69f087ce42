//! A calendar: zone, table of days, working hours.

use std::sync::{Arc, LazyLock};

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;

use crate::hours::Window;
use crate::{CalendarMissing, Day, Days, Hours, Instant, ZONE};

/// A working calendar (工作日历).
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: Tz,
    days: Arc<Days>,
    hours: Hours,
}

static CHINA: LazyLock<Calendar> = LazyLock::new(|| {
    // A table that does not read leaves a calendar that knows no day, so every question is refused instead of guessed; a test reads it.
    let days = Days::parse_csv(include_str!("../data/cn_days_2004_2026.csv")).unwrap_or_else(|_| Days::unknown());
    Calendar::new(ZONE, days, Hours::office())
});

impl Calendar {
    /// A calendar of one's own.
    #[must_use]
    pub fn new(zone: Tz, days: Days, hours: Hours) -> Self {
        Self {
            zone,
            days: Arc::new(days),
            hours,
        }
    }

    /// The one that ships: Asia/Shanghai, public holidays and made-up workdays of 2004 to 2026, 08:30-12:00 and 13:30-17:30.
    #[must_use]
    pub fn china() -> &'static Self {
        &CHINA
    }

    /// The same days with other working hours.
    #[must_use]
    pub fn with_hours(&self, hours: Hours) -> Self {
        Self { hours, ..self.clone() }
    }

    /// Its zone.
    #[must_use]
    pub const fn zone(&self) -> Tz {
        self.zone
    }

    /// Its table of days.
    #[must_use]
    pub fn days(&self) -> &Days {
        &self.days
    }

    /// Its working hours.
    #[must_use]
    pub const fn hours(&self) -> &Hours {
        &self.hours
    }

    /// What kind of day `date` is.
    ///
    /// # Errors
    /// [`CalendarMissing`] outside the years of the table.
    pub fn day(&self, date: NaiveDate) -> Result<Day<'_>, CalendarMissing> {
        self.days.day(date)
    }

    /// Is `date` worked?
    ///
    /// # Errors
    /// [`CalendarMissing`] outside the years of the table.
    pub fn is_workday(&self, date: NaiveDate) -> Result<bool, CalendarMissing> {
        Ok(self.day(date)?.works())
    }

    /// The n-th working day after `date`, which itself never counts; `date` for 0.
    ///
    /// # Errors
    /// [`CalendarMissing`] when the way leads out of the table.
    pub fn add_working_days(&self, date: NaiveDate, days: u32) -> Result<NaiveDate, CalendarMissing> {
        let (mut date, mut left) = (date, days);
        while left > 0 {
            date = date.succ_opt().ok_or(CalendarMissing { date })?;
            if self.is_workday(date)? {
                left = left.saturating_sub(1);
            }
        }
        Ok(date)
    }

    /// Working days after `from` up to and with `to`; 0 when `to` is not later.
    ///
    /// # Errors
    /// [`CalendarMissing`] when a day between is not in the table.
    pub fn working_days_between(&self, from: NaiveDate, to: NaiveDate) -> Result<u32, CalendarMissing> {
        let mut count = 0u32;
        for date in from.iter_days().skip(1).take_while(|date| *date <= to) {
            if self.is_workday(date)? {
                count = count.saturating_add(1);
            }
        }
        Ok(count)
    }

    /// Is the instant inside working hours?
    ///
    /// # Errors
    /// [`CalendarMissing`] outside the years of the table.
    pub fn is_working_time(&self, at: Instant) -> Result<bool, CalendarMissing> {
        Ok(self.spans(self.date(at))?.any(|(from, to)| from <= at && at < to))
    }

    /// Civil day of an instant in the calendar's zone.
    #[must_use]
    pub fn date(&self, at: Instant) -> NaiveDate {
        at.date_in(self.zone)
    }

    /// Working spans of a day as instants, in order; none on a day without work.
    pub(crate) fn spans(&self, date: NaiveDate) -> Result<impl Iterator<Item = (Instant, Instant)> + '_, CalendarMissing> {
        let windows = if self.is_workday(date)? { self.hours.windows() } else { &[] };
        Ok(windows.iter().map(move |window| self.span(date, *window)))
    }

    /// A window of the day as instants.
    pub(crate) fn span(&self, date: NaiveDate, window: Window) -> (Instant, Instant) {
        (self.minute(date, window.from()), self.minute(date, window.to()))
    }

    fn minute(&self, date: NaiveDate, minute: u16) -> Instant {
        let time = NaiveTime::from_num_seconds_from_midnight_opt(u32::from(minute).saturating_mul(60), 0);
        match time.and_then(|time| Instant::from_local(self.zone, NaiveDateTime::new(date, time))) {
            Some(instant) => instant,
            // 1440 is the end of the day; anything else here lies outside the years of an Instant.
            None => date.succ_opt().map_or(Instant::LAST, |next| Instant::start_of_in(self.zone, next)),
        }
    }
}

/// Whole minutes of working time between two instants, 0 when `to` is not later.
///
/// # Errors
/// [`CalendarMissing`] when a day between is not in the table.
pub fn working_minutes_between(calendar: &Calendar, from: Instant, to: Instant) -> Result<i64, CalendarMissing> {
    let mut micros = 0i64;
    let mut date = calendar.date(from);
    while Instant::start_of_in(calendar.zone, date) < to {
        for (open, close) in calendar.spans(date)? {
            let (open, close) = (open.max(from), close.min(to));
            if open < close {
                micros = micros.saturating_add(close.micros().saturating_sub(open.micros()));
            }
        }
        date = date.succ_opt().ok_or(CalendarMissing { date })?;
    }
    Ok(micros / 60_000_000)
}
