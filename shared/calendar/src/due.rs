//! The deadline engine (decision 8): rules as data, and what is due when.

use chrono::{Datelike, Months, NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};

use crate::{Calendar, CalendarMissing, DayKind, Instant, Window};

/// How a deadline (时限) counts. Written as data in profiles: `{ kind = "working-days", days = 5 }`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Rule {
    /// Around the clock: 24 h from 10:00 is 10:00 tomorrow.
    Elapsed {
        /// Minutes.
        minutes: u32,
    },
    /// Days on the wall clock (自然日): the same time of day so many days later, also across a change to summer time.
    WallDays {
        /// Days.
        days: u32,
    },
    /// Working days (工作日). The opening day never counts; the n-th working day after it is the day due.
    WorkingDays {
        /// Working days.
        days: u32,
        /// When on the last day.
        #[serde(default)]
        until: Until,
    },
    /// Minutes of working time (工作时间), in the windows of the calendar. One that ends exactly at closing time stays there.
    WorkingMinutes {
        /// Minutes.
        minutes: u32,
    },
    /// The end of a fixed day.
    Date {
        /// The day.
        date: NaiveDate,
    },
    /// The end of the next such day of a year, the opening day included: 31 May. A day that the month lacks is its last.
    YearDay {
        /// 1 to 12.
        month: u8,
        /// 1 to 31.
        day: u8,
    },
    /// The end of the day so many months later; a day that the month lacks is its last.
    Months {
        /// Months.
        months: u32,
    },
    /// Around the clock, but the customer need only be there in a window of the day (edge case 41). The appointment is the first window that is not over
    /// when the time has run out, and its end is the last moment in time.
    Windowed {
        /// Minutes.
        minutes: u32,
        /// When the customer can be visited.
        window: Window,
    },
}

/// When on the last working day a rule is due.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// At 24:00.
    #[default]
    EndOfDay,
    /// When the office closes.
    EndOfWork,
    /// At the time of day at which it was opened; what was opened outside working hours counts from the next opening of the office.
    SameTime,
}

impl Rule {
    /// Around the clock, in hours.
    #[must_use]
    pub const fn hours(hours: u32) -> Self {
        Self::Elapsed {
            minutes: hours.saturating_mul(60),
        }
    }

    /// Working days, until the end of the last.
    #[must_use]
    pub const fn working_days(days: u32) -> Self {
        Self::WorkingDays { days, until: Until::EndOfDay }
    }

    /// Stable word: `elapsed`, `wall-days`, `working-days`, `working-minutes`, `date`, `year-day`, `months`, `windowed`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Elapsed { .. } => "elapsed",
            Self::WallDays { .. } => "wall-days",
            Self::WorkingDays { .. } => "working-days",
            Self::WorkingMinutes { .. } => "working-minutes",
            Self::Date { .. } => "date",
            Self::YearDay { .. } => "year-day",
            Self::Months { .. } => "months",
            Self::Windowed { .. } => "windowed",
        }
    }
}

/// A deadline.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Due {
    /// The last moment that is in time.
    pub at: Instant,
    /// Its day in the zone of the calendar.
    pub date: NaiveDate,
    /// With a customer window: when the time itself has run out, at or before `at`. The clock then shows "customer window", not breach.
    pub elapsed_at: Option<Instant>,
    /// With a customer window: begin and end of the appointment.
    pub appointment: Option<(Instant, Instant)>,
}

/// A time in which a clock does not run (暂停).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pause {
    /// Begin.
    pub from: Instant,
    /// End; none while it lasts. A pause that lasts does not move a deadline yet.
    pub until: Option<Instant>,
    /// Why, such as `WAITING_FOR_CUSTOMER`.
    pub reason: String,
}

/// What a step of an explanation says about its day or span.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Counted {
    /// The opening day, which never counts in working days.
    OpeningDay,
    /// Time around the clock.
    Elapsed,
    /// A working day, or working time on it.
    Workday,
    /// A made-up workday (调休), or working time on it.
    MadeUpWorkday {
        /// English name of the holiday.
        name_en: String,
        /// Chinese name.
        name_zh: String,
    },
    /// Saturday or Sunday: nothing counts.
    Weekend,
    /// A public holiday: nothing counts.
    Holiday {
        /// English name.
        name_en: String,
        /// Chinese name.
        name_zh: String,
    },
    /// The clock stood.
    Paused {
        /// Why.
        reason: String,
    },
    /// Time that the customer's window adds.
    CustomerWindow,
    /// A day that the calendar of months and years gives.
    CalendarDay,
}

/// One step of an explanation. Minutes add up to the rule's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// Day in the zone of the calendar.
    pub date: NaiveDate,
    /// What counted, or why nothing did.
    pub counted: Counted,
    /// Begin and end, where the step is a span and not a day.
    pub span: Option<(Instant, Instant)>,
    /// Minutes that counted.
    pub minutes: i64,
    /// Working days that counted, 0 or 1.
    pub days: u32,
}

/// When a rule that starts at `start` is due.
///
/// # Errors
/// [`CalendarMissing`] when the answer depends on a day outside the table, or lies after the year 9999.
pub fn due(calendar: &Calendar, rule: &Rule, start: Instant) -> Result<Due, CalendarMissing> {
    due_with(calendar, rule, start, &[])
}

/// How [`due`] comes to its answer, day by day.
///
/// # Errors
/// As [`due`].
pub fn explain(calendar: &Calendar, rule: &Rule, start: Instant) -> Result<Vec<Step>, CalendarMissing> {
    explain_with(calendar, rule, start, &[])
}

pub(crate) fn due_with(calendar: &Calendar, rule: &Rule, start: Instant, pauses: &[Pause]) -> Result<Due, CalendarMissing> {
    Walk {
        calendar,
        pauses,
        note: &mut |_| {},
    }
    .due(rule, start)
}

pub(crate) fn explain_with(calendar: &Calendar, rule: &Rule, start: Instant, pauses: &[Pause]) -> Result<Vec<Step>, CalendarMissing> {
    let mut steps = Vec::new();
    Walk {
        calendar,
        pauses,
        note: &mut |step| steps.push(step()),
    }
    .due(rule, start)?;
    Ok(steps)
}

/// One walk along the calendar serves answer and explanation, so that they cannot differ.
struct Walk<'a> {
    calendar: &'a Calendar,
    /// In order of time, without overlap.
    pauses: &'a [Pause],
    /// Steps are made only when somebody listens.
    note: &'a mut dyn FnMut(&dyn Fn() -> Step),
}

/// Deadlines after the last instant are outside every table.
const BEYOND: CalendarMissing = CalendarMissing { date: NaiveDate::MAX };

const MINUTE: i64 = 60_000_000;

impl Walk<'_> {
    fn due(mut self, rule: &Rule, start: Instant) -> Result<Due, CalendarMissing> {
        let zone = self.calendar.zone();
        let at = match *rule {
            Rule::Elapsed { minutes } => self.run(start, micros(minutes))?,
            Rule::WallDays { days } => {
                let local = start.local_in(zone).checked_add_signed(TimeDelta::days(i64::from(days))).ok_or(BEYOND)?;
                let end = Instant::from_local(zone, local).ok_or(BEYOND)?;
                self.run(start, end.micros().saturating_sub(start.micros()))?
            }
            Rule::WorkingDays { days, until } => self.working_days(start, days, until)?,
            Rule::WorkingMinutes { minutes } => self.working_time(start, micros(minutes))?,
            Rule::Date { date } => self.end_of(date),
            Rule::YearDay { month, day } => {
                let today = self.calendar.date(start);
                let this_year = year_day(today.year(), month, day).ok_or(BEYOND)?;
                let next_year = year_day(today.year().saturating_add(1), month, day).ok_or(BEYOND)?;
                self.end_of(if this_year >= today { this_year } else { next_year })
            }
            Rule::Months { months } => {
                let date = self.calendar.date(start).checked_add_months(Months::new(months)).ok_or(BEYOND)?;
                self.end_of(date)
            }
            Rule::Windowed { minutes, window } => {
                let elapsed_at = self.run(start, micros(minutes))?;
                let (from, to) = self.appointment(elapsed_at, window)?;
                self.span(elapsed_at, to, 0, Counted::CustomerWindow);
                return Ok(Due {
                    at: to,
                    date: self.calendar.date(to),
                    elapsed_at: Some(elapsed_at),
                    appointment: Some((from, to)),
                });
            }
        };
        Ok(Due {
            at,
            date: self.calendar.date(at),
            elapsed_at: None,
            appointment: None,
        })
    }

    /// Pauses that are over.
    fn closed(&self) -> impl Iterator<Item = (Instant, Instant, &str)> {
        self.pauses.iter().filter_map(|pause| Some((pause.from, pause.until?, pause.reason.as_str())))
    }

    /// The pause in which the clock stands at `at`, as a rule of days sees it.
    fn paused_at(&self, at: Instant) -> Option<(Instant, &str)> {
        self.closed()
            .find(|(from, until, _)| *from <= at && at < *until)
            .map(|(_, until, reason)| (until, reason))
    }

    fn span(&mut self, from: Instant, to: Instant, minutes: i64, counted: Counted) {
        let date = self.calendar.date(from);
        (self.note)(&|| Step {
            date,
            counted: counted.clone(),
            span: Some((from, to)),
            minutes,
            days: 0,
        });
    }

    fn whole_day(&mut self, date: NaiveDate, days: u32, counted: Counted) {
        (self.note)(&|| Step {
            date,
            counted: counted.clone(),
            span: None,
            minutes: 0,
            days,
        });
    }

    fn end_of(&mut self, date: NaiveDate) -> Instant {
        self.whole_day(date, 0, Counted::CalendarDay);
        Instant::end_of_in(self.calendar.zone(), date)
    }

    /// Around the clock, standing in pauses.
    fn run(&mut self, start: Instant, micros: i64) -> Result<Instant, CalendarMissing> {
        let (mut at, mut left) = (start, micros);
        let pauses = self.pauses;
        for pause in pauses {
            let Some(until) = pause.until.filter(|until| *until > at) else { continue };
            let ran = pause.from.micros().saturating_sub(at.micros()).max(0);
            if left <= ran {
                break;
            }
            if ran > 0 {
                self.span(at, pause.from, minutes_in(micros, left, ran), Counted::Elapsed);
                left = left.saturating_sub(ran);
            }
            self.span(pause.from.max(at), until, 0, Counted::Paused { reason: pause.reason.clone() });
            at = until;
        }
        let end = at.plus_micros(left).ok_or(BEYOND)?;
        self.span(at, end, minutes_in(micros, left, left), Counted::Elapsed);
        Ok(end)
    }

    /// The first window that ends at or after `elapsed_at` and whose end no pause covers.
    fn appointment(&self, elapsed_at: Instant, window: Window) -> Result<(Instant, Instant), CalendarMissing> {
        let (mut date, mut after) = (self.calendar.date(elapsed_at), elapsed_at);
        loop {
            let (from, to) = self.calendar.span(date, window);
            if to >= after {
                match self.paused_at(to) {
                    None => return Ok((from, to)),
                    Some((until, _)) => after = until,
                }
            }
            date = date.succ_opt().filter(|date| *date <= Instant::LAST.date()).ok_or(BEYOND)?;
        }
    }

    /// A working day is lost when the clock stands at the moment at which the day would have been over.
    fn working_days(&mut self, start: Instant, days: u32, until: Until) -> Result<Instant, CalendarMissing> {
        let calendar = self.calendar;
        let opened = match until {
            Until::EndOfDay | Until::EndOfWork => start,
            Until::SameTime => self.next_working_time(start)?,
        };
        let over = |date: NaiveDate| match until {
            Until::EndOfDay => Some(Instant::end_of_in(calendar.zone(), date)),
            Until::EndOfWork => calendar.hours().windows().last().map(|window| calendar.span(date, *window).1),
            Until::SameTime => Instant::from_local(calendar.zone(), date.and_time(opened.local_in(calendar.zone()).time())),
        };
        let mut date = calendar.date(opened);
        let mut at = over(date).ok_or(BEYOND)?.max(opened);
        let mut left = days;
        self.whole_day(date, 0, Counted::OpeningDay);
        while left > 0 {
            date = date.succ_opt().ok_or(BEYOND)?;
            let day = calendar.day(date)?;
            let end = over(date).ok_or(BEYOND)?;
            let lost = self.paused_at(end).map(|(_, reason)| reason.to_owned());
            match (day.works(), lost) {
                (true, Some(reason)) => self.whole_day(date, 0, Counted::Paused { reason }),
                (true, None) => {
                    (at, left) = (end, left.saturating_sub(1));
                    self.whole_day(date, 1, counted(&day));
                }
                (false, _) => self.whole_day(date, 0, counted(&day)),
            }
        }
        Ok(at)
    }

    /// `at` if the office is open, else its next opening.
    fn next_working_time(&self, at: Instant) -> Result<Instant, CalendarMissing> {
        let mut date = self.calendar.date(at);
        loop {
            if let Some((open, _)) = self.calendar.spans(date)?.find(|(_, close)| at < *close) {
                return Ok(open.max(at));
            }
            date = date.succ_opt().ok_or(BEYOND)?;
        }
    }

    fn working_time(&mut self, start: Instant, micros: i64) -> Result<Instant, CalendarMissing> {
        let calendar = self.calendar;
        let pauses = self.pauses;
        let (mut date, mut left) = (calendar.date(start), micros);
        if left == 0 {
            return Ok(start);
        }
        loop {
            let day = calendar.day(date)?;
            if !day.works() {
                self.whole_day(date, 0, counted(&day));
            }
            for (open, close) in calendar.spans(date)? {
                let mut at = open.max(start);
                let stops = pauses.iter().filter_map(|pause| Some((pause.from, pause.until?, Some(pause))));
                for (from, until, pause) in stops.chain([(close, close, None)]) {
                    let stop = from.min(close);
                    if at < stop {
                        let ran = stop.micros().saturating_sub(at.micros());
                        if left <= ran {
                            let end = at.plus_micros(left).ok_or(BEYOND)?;
                            self.span(at, end, minutes_in(micros, left, left), counted(&day));
                            return Ok(end);
                        }
                        self.span(at, stop, minutes_in(micros, left, ran), counted(&day));
                        left = left.saturating_sub(ran);
                    }
                    if let Some(pause) = pause
                        && from.max(at) < until.min(close)
                    {
                        self.span(from.max(at), until.min(close), 0, Counted::Paused { reason: pause.reason.clone() });
                    }
                    at = at.max(stop).max(until);
                }
            }
            date = date.succ_opt().ok_or(BEYOND)?;
        }
    }
}

fn micros(minutes: u32) -> i64 {
    i64::from(minutes).saturating_mul(MINUTE)
}

/// Whole minutes of a stretch, as the difference of what had run before and after, so that the parts add up to the whole.
fn minutes_in(whole: i64, left: i64, ran: i64) -> i64 {
    let before = whole.saturating_sub(left);
    (before.saturating_add(ran) / MINUTE).saturating_sub(before / MINUTE)
}

fn counted(day: &crate::Day<'_>) -> Counted {
    let (name_en, name_zh) = (day.name_en.to_owned(), day.name_zh.to_owned());
    match day.kind {
        DayKind::Workday => Counted::Workday,
        DayKind::MadeUpWorkday => Counted::MadeUpWorkday { name_en, name_zh },
        DayKind::Weekend => Counted::Weekend,
        DayKind::Holiday => Counted::Holiday { name_en, name_zh },
    }
}

/// A day of a year; one that the month lacks is its last.
fn year_day(year: i32, month: u8, day: u8) -> Option<NaiveDate> {
    (28..=31)
        .rev()
        .map(|last: u8| day.min(last))
        .find_map(|day| NaiveDate::from_ymd_opt(year, u32::from(month), u32::from(day)))
}
