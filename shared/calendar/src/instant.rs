//! A point in time.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, SecondsFormat, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// The zone of all civil days: UTC+8, with summer time from 1986 to 1991.
pub const ZONE: Tz = chrono_tz::Asia::Shanghai;

/// A point in time: microseconds since 1970-01-01T00:00:00Z, within the years 1 to 9999 (the range of a protobuf Timestamp).
///
/// Text (Display, serde) is RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Instant(i64);

/// A text that is no RFC 3339 time between the years 1 and 9999.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("not an RFC 3339 time between the years 1 and 9999")]
pub struct BadInstant;

impl Instant {
    /// 0001-01-01T00:00:00Z.
    pub const FIRST: Self = Self(-62_135_596_800_000_000);
    /// 9999-12-31T23:59:59.999999Z.
    pub const LAST: Self = Self(253_402_300_799_999_999);

    /// From microseconds since 1970 UTC, as the database stores them. Values outside the range become [`Instant::FIRST`] or [`Instant::LAST`].
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::FIRST.0 {
            Self::FIRST
        } else if micros > Self::LAST.0 {
            Self::LAST
        } else {
            Self(micros)
        }
    }

    /// From microseconds since 1970 UTC; none outside the range.
    #[must_use]
    pub const fn checked_from_micros(micros: i64) -> Option<Self> {
        if micros < Self::FIRST.0 || micros > Self::LAST.0 {
            None
        } else {
            Some(Self(micros))
        }
    }

    /// Microseconds since 1970 UTC.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This time plus a duration, which may be negative; none outside the range.
    #[must_use]
    pub fn plus(self, duration: TimeDelta) -> Option<Self> {
        self.plus_micros(duration.num_microseconds()?)
    }

    /// This time minus a duration; none outside the range.
    #[must_use]
    pub fn minus(self, duration: TimeDelta) -> Option<Self> {
        self.plus_micros(duration.num_microseconds()?.checked_neg()?)
    }

    pub(crate) fn plus_micros(self, micros: i64) -> Option<Self> {
        self.0.checked_add(micros).and_then(Self::checked_from_micros)
    }

    /// Time from `earlier` to this; negative when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> TimeDelta {
        TimeDelta::microseconds(self.0.saturating_sub(earlier.0))
    }

    /// Civil day in Asia/Shanghai: 00:30 there belongs to that day although UTC still shows the day before.
    #[must_use]
    pub fn date(self) -> NaiveDate {
        self.date_in(ZONE)
    }

    /// Civil day in another zone.
    #[must_use]
    pub fn date_in(self, zone: Tz) -> NaiveDate {
        self.local_in(zone).date()
    }

    /// Day and time of day in Asia/Shanghai.
    #[must_use]
    pub fn local(self) -> NaiveDateTime {
        self.local_in(ZONE)
    }

    /// Day and time of day in another zone.
    #[must_use]
    pub fn local_in(self, zone: Tz) -> NaiveDateTime {
        self.utc().with_timezone(&zone).naive_local()
    }

    /// As chrono has it.
    #[must_use]
    pub fn utc(self) -> DateTime<Utc> {
        // The range of years makes the conversion total; the fallback is never taken.
        DateTime::from_timestamp_micros(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// The instant of an hour and minute in Asia/Shanghai; none when hour or minute do not exist.
    #[must_use]
    pub fn at_local(date: NaiveDate, hour: u32, minute: u32) -> Option<Self> {
        Self::from_local(ZONE, NaiveDateTime::new(date, NaiveTime::from_hms_opt(hour, minute, 0)?))
    }

    /// First instant of a day in Asia/Shanghai.
    #[must_use]
    pub fn start_of(date: NaiveDate) -> Self {
        Self::start_of_in(ZONE, date)
    }

    /// Last microsecond of a day in Asia/Shanghai: what is due on a day is in time until then.
    #[must_use]
    pub fn end_of(date: NaiveDate) -> Self {
        Self::end_of_in(ZONE, date)
    }

    pub(crate) fn start_of_in(zone: Tz, date: NaiveDate) -> Self {
        let fallback = if date < Self::FIRST.date_in(zone) { Self::FIRST } else { Self::LAST };
        Self::from_local(zone, NaiveDateTime::new(date, NaiveTime::MIN)).unwrap_or(fallback)
    }

    pub(crate) fn end_of_in(zone: Tz, date: NaiveDate) -> Self {
        match date.succ_opt() {
            Some(next) => Self::from_micros(Self::start_of_in(zone, next).0.saturating_sub(1)),
            None => Self::LAST,
        }
    }

    /// The instant of a local time. One that a clock change skips moves on by the length of the gap; one that comes twice means the first.
    pub(crate) fn from_local(zone: Tz, local: NaiveDateTime) -> Option<Self> {
        let utc = match zone.from_local_datetime(&local).earliest() {
            Some(time) => time.naive_utc(),
            None => {
                let before = zone.offset_from_utc_datetime(&local.checked_sub_signed(TimeDelta::hours(24))?).fix();
                local.checked_sub_offset(before)?
            }
        };
        Self::checked_from_micros(utc.and_utc().timestamp_micros())
    }

    /// Reads RFC 3339 with any offset; digits below the microsecond are cut off.
    ///
    /// # Errors
    /// [`BadInstant`] for other texts and years outside 1 to 9999.
    pub fn parse_rfc3339(text: &str) -> Result<Self, BadInstant> {
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| BadInstant)?;
        Self::checked_from_micros(time.timestamp_micros()).ok_or(BadInstant)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = if self.0 % 1_000_000 == 0 {
            SecondsFormat::Secs
        } else {
            SecondsFormat::Micros
        };
        f.write_str(&self.utc().to_rfc3339_opts(precision, true))
    }
}

impl FromStr for Instant {
    type Err = BadInstant;

    fn from_str(text: &str) -> Result<Self, BadInstant> {
        Self::parse_rfc3339(text)
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = Instant;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 time")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Instant, E> {
                Instant::parse_rfc3339(text).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn edge_48_half_past_midnight_belongs_to_the_shanghai_day() {
        let paid = Instant::parse_rfc3339("2024-12-31T16:30:00Z").unwrap();
        assert_eq!(paid.date(), day("2025-01-01"));
        assert_eq!(paid.local().to_string(), "2025-01-01 00:30:00");
        assert_eq!(Instant::at_local(day("2025-01-01"), 0, 30), Some(paid));
    }

    #[test]
    fn text_is_rfc_3339_in_utc() {
        let time = Instant::parse_rfc3339("2025-03-01T09:00:00+08:00").unwrap();
        assert_eq!(time.to_string(), "2025-03-01T01:00:00Z");
        assert_eq!(time.plus(TimeDelta::microseconds(5)).unwrap().to_string(), "2025-03-01T01:00:00.000005Z");
        assert_eq!(Instant::FIRST.to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(Instant::LAST.to_string(), "9999-12-31T23:59:59.999999Z");
        for text in [
            "",
            "2025-03-01",
            "2025-03-01T09:00:00",
            "2025-02-29T09:00:00Z",
            "0000-12-31T23:59:59Z",
            "2025-03-01T25:00:00Z",
        ] {
            assert_eq!(Instant::parse_rfc3339(text), Err(BadInstant), "{text}");
        }
        assert_eq!(serde_json::to_string(&time).unwrap(), "\"2025-03-01T01:00:00Z\"");
        assert_eq!(serde_json::from_str::<Instant>("\"2025-03-01T01:00:00Z\"").unwrap(), time);
    }

    #[test]
    fn bounds() {
        assert_eq!(Instant::from_micros(i64::MIN), Instant::FIRST);
        assert_eq!(Instant::from_micros(i64::MAX), Instant::LAST);
        assert_eq!(Instant::checked_from_micros(i64::MAX), None);
        assert_eq!(Instant::LAST.plus(TimeDelta::microseconds(1)), None);
        assert_eq!(Instant::FIRST.minus(TimeDelta::microseconds(1)), None);
        assert_eq!(Instant::FIRST.minus(TimeDelta::MIN), None);
        assert_eq!(Instant::LAST.plus(TimeDelta::MAX), None);
        assert_eq!(Instant::LAST.date(), day("+10000-01-01"));
        assert_eq!(Instant::start_of(NaiveDate::MAX), Instant::LAST);
        assert_eq!(Instant::end_of(NaiveDate::MAX), Instant::LAST);
        assert_eq!(Instant::start_of(NaiveDate::MIN), Instant::FIRST);
        assert_eq!(Instant::at_local(day("2025-01-01"), 24, 0), None);
        assert_eq!(Instant::at_local(day("2025-01-01"), 0, 60), None);
    }

    #[test]
    fn day_has_24_hours_today_and_had_23_when_summer_time_began() {
        let length = |date| Instant::end_of(date).since(Instant::start_of(date)) + TimeDelta::microseconds(1);
        assert_eq!(length(day("2025-03-01")), TimeDelta::hours(24));
        assert_eq!(length(day("1987-04-12")), TimeDelta::hours(23));
        assert_eq!(length(day("1987-09-13")), TimeDelta::hours(25));
    }

    #[test]
    fn a_skipped_local_time_moves_on_and_a_doubled_one_is_the_first() {
        let new_york = chrono_tz::America::New_York;
        let at = |text: &str| Instant::from_local(new_york, text.parse().unwrap()).unwrap().to_string();
        assert_eq!(at("2015-03-08T02:30:00"), "2015-03-08T07:30:00Z");
        assert_eq!(at("2015-11-01T01:30:00"), "2015-11-01T05:30:00Z");
    }

    proptest! {
        #[test]
        fn text_and_back(micros in Instant::FIRST.0..=Instant::LAST.0) {
            let time = Instant::from_micros(micros);
            prop_assert_eq!(Instant::parse_rfc3339(&time.to_string()), Ok(time));
            prop_assert!(Instant::start_of(time.date()) <= time);
            prop_assert!(time <= Instant::end_of(time.date()));
        }
    }
}
