//! Texts with places for facts, and how figures are written.

use money::Money;

/// Fills the places of a text, each a name in braces; nothing where one of them is not known.
pub fn fill<'a>(text: &str, known: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let mut filled = String::new();
    for part in parts(text) {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Name(name) => filled.push_str(known(name)?),
        }
    }
    Some(filled)
}

/// Names in a text.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    parts(text).filter_map(|part| match part {
        Part::Name(name) => Some(name),
        Part::Text(_) => None,
    })
}

enum Part<'a> {
    Text(&'a str),
    Name(&'a str),
}

fn parts(mut text: &str) -> impl Iterator<Item = Part<'_>> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        if let Some((name, rest)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            text = rest;
            return Some(Part::Name(name));
        }
        // A brace that nothing closes is a brace.
        let next = text.char_indices().skip(1).find(|(_, c)| *c == '{').map_or(text.len(), |(at, _)| at);
        let (part, rest) = text.split_at(next);
        text = rest;
        Some(Part::Text(part))
    })
}

/// An amount in yuan with commas between thousands.
pub fn grouped(amount: Money) -> String {
    let text = amount.to_string();
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut grouped = sign.to_owned();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if !rest.is_empty() {
        grouped.push('.');
        grouped.push_str(rest);
    }
    grouped
}

/// A value as a part of an address: what is neither letter, digit nor one of - . _ ~ is written by its bytes (RFC 3986).
pub fn escaped(value: &str) -> String {
    let mut escaped = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_filled_or_left_out() {
        let known = |name: &str| (name == "due").then_some("12.00");
        assert_eq!(fill("请付 {due} 元", known).unwrap(), "请付 12.00 元");
        assert_eq!(fill("{due}{due}", known).unwrap(), "12.0012.00");
        assert_eq!(fill("a { b", known).unwrap(), "a { b");
        assert_eq!(fill("{due} by {due_date}", known), None);
        assert_eq!(names("{a}{b} c {d").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn amounts_have_commas_and_addresses_have_none() {
        let of = |fen| grouped(Money::from_fen(fen));
        assert_eq!(
            [of(0), of(99_999), of(100_000), of(-123_456_789)],
            ["0.00", "999.99", "1,000.00", "-1,234,567.89"]
        );
        assert_eq!(escaped("BL-河西 1&x=2"), "BL-%E6%B2%B3%E8%A5%BF%201%26x%3D2");
    }
}
