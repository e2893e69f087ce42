//! Between the contracts' messages and the types of the rules.

use calendar::Instant;
use contracts::hearth::r#type::v1 as proto;
use money::DecimalError;
use prost_types::Timestamp;

use crate::Fault;

/// An instant as a timestamp.
pub fn time(instant: Instant) -> Timestamp {
    let micros = instant.micros();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000).saturating_mul(1000)).unwrap_or(0);
    Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos,
    }
}

/// An instant from a timestamp that must be there; years 1900 to 2199, finer than microseconds is cut off.
pub fn time_of(value: Option<&Timestamp>, field: &str) -> Result<Instant, Fault> {
    let value = value.ok_or_else(|| Fault::invalid(field, "REQUIRED", "a value is required"))?;
    let bad = || Fault::invalid(field, "TIME_RANGE", "the time is out of range");
    if !(-2_208_988_800..=7_258_118_400).contains(&value.seconds) || !(0..=999_999_999).contains(&value.nanos) {
        return Err(bad());
    }
    let micros = value
        .seconds
        .checked_mul(1_000_000)
        .and_then(|m| m.checked_add(i64::from(value.nanos / 1000)))
        .ok_or_else(bad)?;
    Ok(Instant::from_micros(micros))
}

/// A civil day.
pub fn date(day: chrono::NaiveDate) -> proto::Date {
    use chrono::Datelike;
    let small = |n: u32| i32::try_from(n).unwrap_or_default();
    proto::Date {
        year: day.year(),
        month: small(day.month()),
        day: small(day.day()),
    }
}

/// A civil day that must be there and exist.
pub fn date_of(value: Option<&proto::Date>, field: &str) -> Result<chrono::NaiveDate, Fault> {
    let value = value.ok_or_else(|| Fault::invalid(field, "REQUIRED", "a value is required"))?;
    let part = |n: i32| u32::try_from(n).ok();
    let day = part(value.month)
        .zip(part(value.day))
        .and_then(|(m, d)| chrono::NaiveDate::from_ymd_opt(value.year, m, d));
    day.filter(|d| (1900..=2199).contains(&chrono::Datelike::year(d)))
        .ok_or_else(|| Fault::invalid(field, "DATE", "there is no such day"))
}

/// A day that may be absent.
pub fn date_if(value: Option<&proto::Date>, field: &str) -> Result<Option<chrono::NaiveDate>, Fault> {
    value.map(|v| date_of(Some(v), field)).transpose()
}

/// Money as fen.
pub fn money(amount: money::Money) -> proto::Money {
    proto::Money {
        currency_code: "CNY".to_owned(),
        minor_units: amount.fen(),
    }
}

/// Money that must be there, in CNY and within the cap of 10¹¹ fen either way.
pub fn money_of(value: Option<&proto::Money>, field: &str) -> Result<money::Money, Fault> {
    let value = value.ok_or_else(|| Fault::invalid(field, "REQUIRED", "a value is required"))?;
    if value.currency_code != "CNY" {
        return Err(Fault::invalid(field, "CURRENCY", "only CNY is taken"));
    }
    if !(-100_000_000_000..=100_000_000_000).contains(&value.minor_units) {
        return Err(Fault::invalid(field, "AMOUNT_RANGE", "the amount is out of range"));
    }
    Ok(money::Money::from_fen(value.minor_units))
}

/// A decimal number from its text.
pub fn decimal(text: impl std::fmt::Display) -> proto::Decimal {
    proto::Decimal { value: text.to_string() }
}

/// Any quantity of `money` from a decimal that must be there.
pub fn decimal_of<T: std::str::FromStr<Err = DecimalError>>(value: Option<&proto::Decimal>, field: &str) -> Result<T, Fault> {
    let value = value.ok_or_else(|| Fault::invalid(field, "REQUIRED", "a value is required"))?;
    value.value.parse().map_err(|error| match error {
        DecimalError::Format => Fault::invalid(field, "DECIMAL_FORMAT", "not a plain decimal number"),
        DecimalError::Scale => Fault::invalid(field, "SCALE", "the number has more places than the field keeps"),
        DecimalError::Range => Fault::invalid(field, "DECIMAL_RANGE", "the number is out of range"),
    })
}

/// A typed id.
pub fn id_of<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, Fault> {
    text.parse().map_err(|_| Fault::invalid(field, "ID_FORMAT", "not a UUID"))
}
