//! Texts of a file to the texts of the contracts, exactly: no float, no guess.

use calendar::{Instant, NaiveDate};
use chrono::{MappedLocalTime, NaiveDateTime, NaiveTime, TimeZone};
use chrono_tz::Tz;
use contracts::hearth::{
    archive::v1::{Service, party},
    billing::v1::meter,
};
use money::Money;

/// Why a cell cannot be used: a stable reason and a short text.
pub type Wrong = (&'static str, &'static str);

/// Unit of register values in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Unit {
    /// Cubic metres.
    #[default]
    M3,
    /// Tenths of a cubic metre: hectolitres.
    Hl,
    /// Litres.
    L,
    /// Kilowatt hours, for heat meters that count them.
    Kwh,
    /// Gigajoules, for heat meters that count them.
    Gj,
}

impl Unit {
    /// The value in the unit of the meter, by moving the point. A value in that unit passes as it is, so that the service judges the very text of the file; so does
    /// an exponent, which only gets smaller.
    pub fn to_meter(self, text: &str) -> Result<String, Wrong> {
        let places = match self {
            Self::M3 | Self::Kwh | Self::Gj => return Ok(text.to_owned()),
            Self::Hl => 1,
            Self::L => 3,
        };
        let scientific = || {
            let (number, exponent) = text.split_once(['e', 'E'])?;
            let exponent = exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(places).ok()?)?;
            let whole = number.split_once('.').map_or(number, |(whole, _)| whole);
            whole.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("{number}e{exponent:+03}"))
        };
        shift(text, places).or_else(scientific).ok_or((
            "INDEX_NOT_PLAIN_DIGITS",
            "the value is no plain number of at most 15 digits, so its unit cannot be changed",
        ))
    }
}

/// Moves the point to the left. Only digits with at most one point; zeros at the end of the fraction go, so that nothing gets longer than it has to.
fn shift(text: &str, places: usize) -> Option<String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 15 || fraction.len() > 6 || !plain(whole) || !plain(fraction) || text.ends_with('.') {
        return None;
    }
    let padded = format!("{whole:0>width$}", width = places.saturating_add(1));
    let (before, after) = padded.split_at(padded.len().saturating_sub(places));
    let before = before.trim_start_matches('0');
    let after = format!("{after}{fraction}");
    let after = after.trim_end_matches('0');
    let before = if before.is_empty() { "0" } else { before };
    Some(if after.is_empty() { before.to_owned() } else { format!("{before}.{after}") })
}

/// A moment as RFC 3339. A text with an offset means what it says; one without is a local time of `zone`; a day alone means noon.
pub fn moment(text: &str, zone: Tz) -> Result<Instant, Wrong> {
    match moment_or_twice(text, zone)? {
        (moment, false) => Ok(moment),
        (_, true) => Err((
            "LOCAL_TIME_TWICE",
            "this local time came twice when clocks were put back; write it with its offset",
        )),
    }
}

/// As [`moment`], but a local time that came twice is the earlier of both, and that is said.
pub fn moment_or_twice(text: &str, zone: Tz) -> Result<(Instant, bool), Wrong> {
    let text = text.trim();
    if let Ok(instant) = Instant::parse_rfc3339(text) {
        return Ok((instant, false));
    }
    let local = local(text).ok_or(("READ_TIME", "not a time such as 2025-01-31T16:19:00, with or without an offset"))?;
    let instant = |micros| Instant::checked_from_micros(micros).ok_or(("READ_TIME", "the year is out of range"));
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(time) => Ok((instant(time.timestamp_micros())?, false)),
        MappedLocalTime::Ambiguous(earlier, _) => Ok((instant(earlier.timestamp_micros())?, true)),
        MappedLocalTime::None => Err((
            "LOCAL_TIME_SKIPPED",
            "this local time never came: clocks were put forward; write it with its offset",
        )),
    }
}

/// A day alone as a day, anything else as a moment with its offset.
pub fn day_or_moment(text: &str, zone: Tz) -> Result<String, Wrong> {
    match day(text) {
        Ok(day) => Ok(day.to_string()),
        Err(_) => moment(text, zone).map(|moment| moment.to_string()),
    }
}

fn local(text: &str) -> Option<NaiveDateTime> {
    let text = text.replace('/', "-");
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok())
        .or_else(|| {
            Some(NaiveDateTime::new(
                NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?,
                NaiveTime::from_hms_opt(12, 0, 0)?,
            ))
        })
}

/// A civil day: 2025-01-31, 2025/1/31 or 20250131.
pub fn day(text: &str) -> Result<NaiveDate, Wrong> {
    let text = text.trim().replace('/', "-");
    let form = if text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()) {
        "%Y%m%d"
    } else {
        "%Y-%m-%d"
    };
    NaiveDate::parse_from_str(&text, form).map_err(|_| ("DATE", "not a day such as 2025-01-31"))
}

/// A whole number; an empty cell is 0.
pub fn number(text: &str) -> Result<i32, Wrong> {
    match text.trim() {
        "" => Ok(0),
        text => text.parse().map_err(|_| ("NUMBER", "not a whole number")),
    }
}

/// A decimal number as its text; an empty cell is none.
pub fn decimal(text: &str) -> Result<Option<String>, Wrong> {
    if text.is_empty() {
        return Ok(None);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |part: &str, most: usize| !part.is_empty() && part.len() <= most && part.bytes().all(|b| b.is_ascii_digit());
    if plain(whole, 15) && plain(fraction, 9) {
        Ok(Some(text.to_owned()))
    } else {
        Err(("DECIMAL", "not a plain decimal number"))
    }
}

/// Yes or no; an empty cell is no.
pub fn flag(text: &str) -> Result<bool, Wrong> {
    match text.trim().to_ascii_lowercase().as_str() {
        "" | "0" | "no" | "n" | "false" | "否" => Ok(false),
        "1" | "yes" | "y" | "true" | "是" => Ok(true),
        _ => Err(("FLAG", "neither 1, yes, true, 是 nor 0, no, false, 否")),
    }
}

/// Money in yuan with at most two places; negative where something is taken back.
pub fn yuan(text: &str) -> Result<Money, Wrong> {
    Money::parse(text.trim()).map_err(|_| ("AMOUNT", "not an amount in yuan with at most two places, such as 1234.50"))
}

/// What is supplied, as the contracts write it; an empty cell leaves it to the service.
pub fn service(text: &str) -> Result<&'static str, Wrong> {
    match text.trim().to_ascii_lowercase().as_str() {
        "" => Ok(""),
        "gas" | "燃气" | "天然气" => Ok("GAS"),
        "heat" | "供热" | "供暖" => Ok("HEAT"),
        _ => Err(("SERVICE", "neither gas (燃气) nor heat (供热)")),
    }
}

/// What a contract is for, as archive writes it; an empty cell leaves it to the service.
pub fn supplied(text: &str) -> Result<Service, Wrong> {
    Ok(match service(text)? {
        "GAS" => Service::Gas,
        "HEAT" => Service::Heat,
        _ => Service::Unspecified,
    })
}

/// Kind of a customer.
pub fn party_kind(text: &str) -> Result<party::Kind, Wrong> {
    match text.trim().to_ascii_lowercase().as_str() {
        "person" | "个人" | "居民" => Ok(party::Kind::Person),
        "organisation" | "organization" | "单位" | "企业" => Ok(party::Kind::Organisation),
        _ => Err(("PARTY_KIND", "neither person (个人) nor organisation (单位)")),
    }
}

/// Kind of a meter.
pub fn meter_kind(text: &str) -> Result<meter::Kind, Wrong> {
    match text.trim().to_ascii_lowercase().as_str() {
        "mechanical" | "机械" | "机械表" => Ok(meter::Kind::Mechanical),
        "remote" | "iot" | "物联网" | "物联网表" => Ok(meter::Kind::Iot),
        "ic" | "ic-card" | "ic卡" | "ic卡表" => Ok(meter::Kind::Ic),
        "heat-kwh" | "热量表kwh" => Ok(meter::Kind::HeatKwh),
        "heat-gj" | "热量表" | "热量表gj" => Ok(meter::Kind::HeatGj),
        "water" | "水表" => Ok(meter::Kind::Water),
        _ => Err((
            "METER_KIND",
            "neither mechanical (机械), remote (物联网), ic (IC卡), heat-kwh, heat-gj (热量表) nor water (水表)",
        )),
    }
}

/// What flows through a gas meter; an empty cell leaves it open.
pub fn gas_kind(text: &str) -> Result<meter::GasKind, Wrong> {
    match text.trim().to_ascii_lowercase().as_str() {
        "" => Ok(meter::GasKind::Unspecified),
        "natural" | "天然气" => Ok(meter::GasKind::Natural),
        "manufactured" | "人工煤气" => Ok(meter::GasKind::Manufactured),
        "lpg" | "液化石油气" => Ok(meter::GasKind::Lpg),
        _ => Err(("GAS_KIND", "neither natural (天然气), manufactured (人工煤气) nor lpg (液化石油气)")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn litres_become_cubic_metres_without_loss() {
        let litres = |text| Unit::L.to_meter(text);
        for (text, metres) in [
            ("351583", "351.583"),
            ("68404", "68.404"),
            ("000042", "0.042"),
            ("7", "0.007"),
            ("0", "0"),
            ("1000", "1"),
            ("1200", "1.2"),
            ("12.5", "0.0125"),
            ("999999999999999", "999999999999.999"),
        ] {
            assert_eq!(litres(text).as_deref(), Ok(metres), "{text}");
        }
        assert_eq!(litres("4e+05").as_deref(), Ok("4e+02"), "the service holds it");
        assert_eq!((litres("1.5E3").as_deref(), litres("4e-1").as_deref()), (Ok("1.5e+00"), Ok("4e-04")));
        assert_eq!(Unit::Hl.to_meter("15").as_deref(), Ok("1.5"));
        for text in [
            "e5",
            "-4e5",
            "4e5.5",
            "",
            "-5",
            "+5",
            "1,000",
            "1.",
            ".5",
            "1.2.3",
            "１２",
            " 12",
            "9999999999999999",
        ] {
            assert_eq!(litres(text).unwrap_err().0, "INDEX_NOT_PLAIN_DIGITS", "{text}");
        }
        assert_eq!(Unit::Kwh.to_meter("5347.6145").as_deref(), Ok("5347.6145"));
        assert_eq!(Unit::M3.to_meter("4e+05").as_deref(), Ok("4e+05"), "the service judges it");
    }

    #[test]
    fn local_times_of_madrid_become_instants() {
        let madrid = |text| moment(text, chrono_tz::Europe::Madrid).map(|i| i.to_string());
        assert_eq!(madrid("2016-03-01T20:19:50").as_deref(), Ok("2016-03-01T19:19:50Z"));
        assert_eq!(madrid("2016-07-01 00:00:00").as_deref(), Ok("2016-06-30T22:00:00Z"));
        assert_eq!(madrid("2016-03-01T20:19:50+08:00").as_deref(), Ok("2016-03-01T12:19:50Z"), "an offset wins");
        assert_eq!(madrid("2016/3/1").as_deref(), Ok("2016-03-01T11:00:00Z"));
        assert_eq!(madrid("2016-10-30T02:30:00").unwrap_err().0, "LOCAL_TIME_TWICE");
        let twice = moment_or_twice("2016-10-30T02:30:00", chrono_tz::Europe::Madrid).map(|(i, twice)| (i.to_string(), twice));
        assert_eq!(twice, Ok(("2016-10-30T00:30:00Z".to_owned(), true)), "summer time came first");
        assert_eq!(madrid("2016-03-27T02:30:00").unwrap_err().0, "LOCAL_TIME_SKIPPED");
        assert_eq!(madrid("2016-02-30T02:30:00").unwrap_err().0, "READ_TIME");
        assert_eq!(
            moment("2025-01-31T16:19", calendar::ZONE).map(|i| i.to_string()).as_deref(),
            Ok("2025-01-31T08:19:00Z")
        );
    }

    #[test]
    fn words_of_registers_are_understood() {
        assert_eq!(day("2024/12/31"), day("20241231"));
        assert_eq!(day("2024-12-31"), day("2024/12/31"));
        assert!(day("2024-02-30").is_err());
        assert_eq!(meter_kind("物联网"), Ok(meter::Kind::Iot));
        assert_eq!(party_kind("单位"), Ok(party::Kind::Organisation));
        assert_eq!((flag("是"), flag("0"), flag("")), (Ok(true), Ok(false), Ok(false)));
        assert_eq!((number("4"), number("")), (Ok(4), Ok(0)));
        assert_eq!((decimal(""), decimal("70.27")), (Ok(None), Ok(Some("70.27".to_owned()))));
        assert_eq!((service("供热"), service("Gas"), service("")), (Ok("HEAT"), Ok("GAS"), Ok("")));
        assert_eq!(yuan("-1234.5"), Ok(Money::from_fen(-123_450)));
        assert!(yuan("1,234.50").is_err() && yuan("0.001").is_err());
        assert_eq!(day_or_moment("2025/1/31", calendar::ZONE).as_deref(), Ok("2025-01-31"));
        assert_eq!(day_or_moment("2025-01-31 16:19", calendar::ZONE).as_deref(), Ok("2025-01-31T08:19:00Z"));
        assert!(decimal("7,0").is_err() && decimal("7.").is_err());
        assert!(number("4.5").is_err() && flag("maybe").is_err());
    }
}
