//! Reading and writing decimal text.

use std::fmt;

/// Why a text is not a number of the kind asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not plain ASCII digits with an optional minus and one point: empty, a separator, an exponent, full-width digits, `NaN`.
    #[error("not a plain decimal number")]
    Format,
    /// More places than the type keeps.
    #[error("more places than are kept")]
    Scale,
    /// More than the type holds.
    #[error("the number is out of range")]
    Range,
}

impl DecimalError {
    /// The stable reason for callers.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Format => "DECIMAL_FORMAT",
            Self::Scale => "SCALE",
            Self::Range => "RANGE",
        }
    }
}

/// What to do with digits beyond the last place kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    Refuse,
    /// Half up on the magnitude: 0.005 → 0.01, −0.005 → −0.01.
    HalfUp,
}

/// A longer run of digits is noise; the bound keeps the work small whatever the input.
const MAX_DIGITS: usize = 64;

/// The number as a count of 10^-places.
pub(crate) fn read(text: &str, places: u32, excess: Excess) -> Result<i64, DecimalError> {
    let (negative, whole, fraction) = parts(text)?;
    count(negative, whole, fraction, i64::from(places), excess)
}

/// As [`read`] with half-up excess, and `4e+05`, `1.5E3` are taken too.
#[expect(clippy::arithmetic_side_effects, reason = "the shift is capped at a quarter of i64")]
pub(crate) fn read_scientific(text: &str, places: u32) -> Result<i64, DecimalError> {
    let Some(at) = text.find(['e', 'E']) else {
        return read(text, places, Excess::HalfUp);
    };
    let (mantissa, exponent) = text.split_at_checked(at).ok_or(DecimalError::Format)?;
    let (negative, whole, fraction) = parts(mantissa)?;
    let exponent = exponent.get(1..).ok_or(DecimalError::Format)?;
    let (down, digits) = match exponent.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, exponent.strip_prefix('+').unwrap_or(exponent)),
    };
    if !plain(digits) {
        return Err(DecimalError::Format);
    }
    // Saturating: an exponent that does not fit is far beyond any limit below.
    let shift = digits.parse::<i64>().unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    let places = i64::from(places) + if down { -shift } else { shift };
    count(negative, whole, fraction, places, Excess::HalfUp)
}

fn plain(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn parts(text: &str) -> Result<(bool, &str, &str), DecimalError> {
    let (negative, body) = match text.strip_prefix('-') {
        Some(body) => (true, body),
        None => (false, text),
    };
    let (whole, fraction) = match body.split_once('.') {
        Some((whole, fraction)) if plain(fraction) => (whole, fraction),
        Some(_) => return Err(DecimalError::Format),
        None => (body, ""),
    };
    if !plain(whole) {
        return Err(DecimalError::Format);
    }
    if whole.len() > MAX_DIGITS || fraction.len() > MAX_DIGITS {
        return Err(DecimalError::Range);
    }
    Ok((negative, whole, fraction))
}

/// `places` is where the count's last digit stands, counted from the point; it may be negative after a large negative exponent.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a byte that is a digit, a count of characters, and an i128 that push keeps small"
)]
fn count(negative: bool, whole: &str, fraction: &str, places: i64, excess: Excess) -> Result<i64, DecimalError> {
    let start = i64::try_from(whole.len()).map_err(|_| DecimalError::Range)?;
    // How many digits of the text, counted from its left end, belong to the count.
    let keep = start.checked_add(places).ok_or(DecimalError::Range)?;
    let mut magnitude: i128 = 0;
    let mut up = false;
    let mut seen: i64 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        let digit = i128::from(digit - b'0');
        if seen < keep {
            magnitude = push(magnitude, digit)?;
        } else if excess == Excess::Refuse {
            return Err(DecimalError::Scale);
        } else if seen == keep {
            up = digit >= 5;
        }
        seen += 1;
    }
    while seen < keep {
        if magnitude == 0 {
            break;
        }
        magnitude = push(magnitude, 0)?;
        seen += 1;
    }
    let magnitude = magnitude + i128::from(up);
    i64::try_from(if negative { -magnitude } else { magnitude }).map_err(|_| DecimalError::Range)
}

#[expect(clippy::arithmetic_side_effects, reason = "counted in i128, which an i64 and its small factors never fill")]
fn push(magnitude: i128, digit: i128) -> Result<i128, DecimalError> {
    let next = magnitude * 10 + digit;
    // One more than i64::MIN's magnitude is never a result, and the product stays far from i128's end.
    if next > i128::from(i64::MAX) + 1 {
        Err(DecimalError::Range)
    } else {
        Ok(next)
    }
}

/// Writes a count of 10^-places, all places or without trailing zeros; honours width and alignment.
#[expect(clippy::arithmetic_side_effects, reason = "the unit is a power of ten, so not zero")]
pub(crate) fn write(count: i128, places: u32, trim: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let unit = 10_u128.pow(places);
    let magnitude = count.unsigned_abs();
    let (whole, rest) = (magnitude / unit, magnitude % unit);
    let width = usize::try_from(places).unwrap_or_default();
    let mut text = if places == 0 { whole.to_string() } else { format!("{whole}.{rest:0width$}") };
    if trim && places > 0 {
        let kept = text.trim_end_matches('0').trim_end_matches('.').len();
        text.truncate(kept);
    }
    f.pad_integral(count >= 0, "", &text)
}
