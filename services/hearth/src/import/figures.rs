//! Figures as people read them.

/// A whole number with separators: 6,684.
pub fn count(n: impl Into<i128>) -> String {
    let n: i128 = n.into();
    let digits = n.unsigned_abs().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if n < 0 { format!("-{text}") } else { text }
}

/// A number of units of 10⁻ⁿ with separators, all places shown: fen as 1,234.50.
pub fn fixed(units: impl Into<i128>, places: u32) -> String {
    let units: i128 = units.into();
    let scale = 10_u128.pow(places.min(9));
    #[expect(clippy::arithmetic_side_effects, reason = "a power of ten is not zero")]
    let (whole, rest) = (units.unsigned_abs() / scale, units.unsigned_abs() % scale);
    let whole = count(i128::try_from(whole).unwrap_or(i128::MAX));
    let sign = if units < 0 { "-" } else { "" };
    if places == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{rest:0>width$}", width = usize::try_from(places).unwrap_or_default())
    }
}

/// Fen of a sum of money; 0 where none was told.
pub fn fen(money: &Option<contracts::hearth::r#type::v1::Money>) -> i64 {
    money.as_ref().map_or(0, |m| m.minor_units)
}

/// Money, from fen: ¥ 1,234.50.
pub fn yuan(fen: i64) -> String {
    format!("¥ {}", fixed(fen, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_by_three() {
        assert_eq!(
            [0, 7, 999, 1000, 6684, 1_234_567, -6684].map(count),
            ["0", "7", "999", "1,000", "6,684", "1,234,567", "-6,684"]
        );
        assert_eq!(
            [0, 5, 13_156, -13_156, 123_456_789].map(yuan),
            ["¥ 0.00", "¥ 0.05", "¥ 131.56", "¥ -131.56", "¥ 1,234,567.89"]
        );
        assert_eq!((fixed(1_234_500, 3), fixed(12, 0)), ("1,234.500".to_owned(), "12".to_owned()));
    }
}
