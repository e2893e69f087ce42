//! Telephone numbers of mainland China: mobiles, landlines with area code, 400 numbers (decision 4).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A telephone number (电话号码) as digits only, without country code: `13812345678`, `01088888888`, `4001234567`.
///
/// Sensitive: `Debug` shows the masked form, and there is no `Display`; [`Phone::as_str`] is the one way to the clear text.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Phone {
    digits: String,
    kind: PhoneKind,
}

/// Kind of a telephone number.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum PhoneKind {
    /// Mobile (手机): 11 digits, 13 to 19; can take messages.
    Mobile,
    /// Landline (固定电话) with its area code.
    Landline,
    /// 400 number (企业号码): 10 digits.
    Service,
}

/// Why a text is not a telephone number. No error repeats the text.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PhoneError {
    /// Nothing but blanks and dashes.
    #[error("the phone number is empty")]
    Empty,
    /// A character that is neither digit, blank, dash, bracket nor a leading plus.
    #[error("character {position} of the phone number is not allowed")]
    Charset {
        /// Counted from 1, in the text as given.
        position: usize,
    },
    /// A country code other than 86.
    #[error("only phone numbers of mainland China (+86) are known")]
    Country,
    /// No kind of number has so many digits.
    #[error("{digits} digits are too few or too many for a phone number of this kind")]
    Length {
        /// Digits found, without the country code.
        digits: usize,
    },
    /// The area code is not one that exists in form: 010, 02x, or 03xx to 09xx, but not 0400.
    #[error("the area code of the phone number does not exist")]
    AreaCode,
    /// Neither 13 to 19, nor an area code, nor 400: a landline without area code among them.
    #[error("the phone number is no mobile, no landline with area code and no 400 number")]
    Prefix,
    /// The number behind the area code begins with 0 or 1.
    #[error("the phone number behind the area code is not a subscriber's")]
    Subscriber,
}

impl Phone {
    /// Reads a number. Full-width characters, blanks, dashes and brackets are normalised away first, so is a leading +86 or 0086.
    ///
    /// # Errors
    /// [`PhoneError`], the first that applies.
    pub fn parse(text: &str) -> Result<Self, PhoneError> {
        let (plus, digits) = digits_of(text)?;
        if digits.is_empty() {
            return Err(PhoneError::Empty);
        }
        let abroad = if plus { Some(digits.as_str()) } else { digits.strip_prefix("00") };
        let digits = match abroad {
            None => digits,
            Some(abroad) => national(abroad.strip_prefix("86").ok_or(PhoneError::Country)?),
        };
        let kind = kind_of(&digits)?;
        Ok(Self { digits, kind })
    }

    /// The clear digits, without country code; landlines with the leading 0 of the area code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.digits
    }

    /// Mobile, landline or 400.
    #[must_use]
    pub const fn kind(&self) -> PhoneKind {
        self.kind
    }

    /// `138****5678`, `010****8888`, `400****567`: the first digits, four stars, the last four (400 numbers: three).
    #[must_use]
    pub fn masked(&self) -> String {
        let head = match self.kind {
            PhoneKind::Landline => area_length(&self.digits),
            PhoneKind::Mobile | PhoneKind::Service => 3,
        };
        let shown = if self.kind == PhoneKind::Service { 3 } else { 4 };
        let tail = self.digits.len().saturating_sub(shown);
        format!(
            "{}****{}",
            self.digits.get(..head).unwrap_or_default(),
            self.digits.get(tail..).unwrap_or_default()
        )
    }
}

impl FromStr for Phone {
    type Err = PhoneError;

    fn from_str(text: &str) -> Result<Self, PhoneError> {
        Self::parse(text)
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({})", self.masked())
    }
}

/// Was there a leading plus, and the bare digits.
fn digits_of(text: &str) -> Result<(bool, String), PhoneError> {
    let mut plus = false;
    let mut digits = String::new();
    for (index, character) in text.chars().enumerate() {
        match half_width(character) {
            digit @ '0'..='9' => digits.push(digit),
            '+' if !plus && digits.is_empty() => plus = true,
            '-' | '(' | ')' => {}
            blank if blank.is_whitespace() => {}
            _ => {
                return Err(PhoneError::Charset {
                    position: index.saturating_add(1),
                });
            }
        }
    }
    Ok((plus, digits))
}

/// Full-width forms become ASCII, every dash becomes `-`.
fn half_width(character: char) -> char {
    match character {
        '\u{ff01}'..='\u{ff5e}' => u32::from(character).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(character),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        other => other,
    }
}

/// A number that stood behind +86: area codes lose their 0 abroad and get it back here.
fn national(number: &str) -> String {
    let mobile = number.len() == 11 && number.starts_with('1');
    if mobile || number.starts_with('0') || number.starts_with("400") {
        number.to_owned()
    } else {
        format!("0{number}")
    }
}

/// 010 and 02x have three digits, all others four.
fn area_length(digits: &str) -> usize {
    if digits.starts_with("01") || digits.starts_with("02") { 3 } else { 4 }
}

fn kind_of(digits: &str) -> Result<PhoneKind, PhoneError> {
    let length = digits.len();
    let mut leading = digits.chars();
    match (leading.next(), leading.next()) {
        (Some('1'), Some('3'..='9')) if length == 11 => Ok(PhoneKind::Mobile),
        (Some('1'), Some('3'..='9')) => Err(PhoneError::Length { digits: length }),
        (Some('0'), Some('1')) if !digits.starts_with("010") => Err(PhoneError::AreaCode),
        (Some('0'), Some('0')) => Err(PhoneError::AreaCode),
        // Without its 0, behind +86, it would read as a 400 number; no city has it.
        (Some('0'), Some('4')) if digits.starts_with("0400") => Err(PhoneError::AreaCode),
        (Some('0'), _) => {
            let area = area_length(digits);
            let subscriber = digits.get(area..).unwrap_or_default();
            // Numbers of the three-digit areas have had 8 digits since the nineties; elsewhere 7 and 8 both exist.
            match (area, subscriber.len()) {
                (3, 8) | (4, 7 | 8) if subscriber.starts_with(['0', '1']) => Err(PhoneError::Subscriber),
                (3, 8) | (4, 7 | 8) => Ok(PhoneKind::Landline),
                _ => Err(PhoneError::Length { digits: length }),
            }
        }
        _ if digits.starts_with("400") && length == 10 => Ok(PhoneKind::Service),
        _ if digits.starts_with("400") => Err(PhoneError::Length { digits: length }),
        _ => Err(PhoneError::Prefix),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decision_4_three_kinds_are_phones() {
        let rows = [
            ("13812345678", "13812345678", PhoneKind::Mobile),
            ("138 1234 5678", "13812345678", PhoneKind::Mobile),
            ("138-1234-5678", "13812345678", PhoneKind::Mobile),
            (
                "\u{ff11}\u{ff13}\u{ff18}\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{ff15}\u{ff16}\u{ff17}\u{ff18}",
                "13812345678",
                PhoneKind::Mobile,
            ),
            ("+86 138 1234 5678", "13812345678", PhoneKind::Mobile),
            ("\u{ff0b}86\u{3000}13812345678", "13812345678", PhoneKind::Mobile),
            ("008613812345678", "13812345678", PhoneKind::Mobile),
            ("19912345678", "19912345678", PhoneKind::Mobile),
            ("010-88888888", "01088888888", PhoneKind::Landline),
            ("\u{ff08}010\u{ff09}88888888", "01088888888", PhoneKind::Landline),
            ("+86 10 8888 8888", "01088888888", PhoneKind::Landline),
            ("+86 (0)10 8888 8888", "01088888888", PhoneKind::Landline),
            ("0532\u{2014}85012345", "053285012345", PhoneKind::Landline),
            ("0538-8221234", "05388221234", PhoneKind::Landline),
            ("400-812-3456", "4008123456", PhoneKind::Service),
            ("+86 400 812 3456", "4008123456", PhoneKind::Service),
        ];
        for (text, digits, kind) in rows {
            let phone = Phone::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((phone.as_str(), phone.kind()), (digits, kind), "{text}");
        }
    }

    #[test]
    fn precise_errors() {
        let rows = [
            ("", PhoneError::Empty),
            (" - ", PhoneError::Empty),
            ("+", PhoneError::Empty),
            ("1381234567a", PhoneError::Charset { position: 11 }),
            ("138+12345678", PhoneError::Charset { position: 4 }),
            ("0532-85012345转801", PhoneError::Charset { position: 14 }),
            ("138123456789", PhoneError::Length { digits: 12 }),
            ("1381234567", PhoneError::Length { digits: 10 }),
            ("12812345678", PhoneError::Prefix),
            ("85012345", PhoneError::Prefix),
            ("95598", PhoneError::Prefix),
            ("8008123456", PhoneError::Prefix),
            ("40081234567", PhoneError::Length { digits: 11 }),
            ("010-8888888", PhoneError::Length { digits: 10 }),
            ("0532-850123456", PhoneError::Length { digits: 13 }),
            ("01188888888", PhoneError::AreaCode),
            ("0400-2000000", PhoneError::AreaCode),
            ("010-08888888", PhoneError::Subscriber),
            ("0532-12345678", PhoneError::Subscriber),
            ("+1 212 555 0100", PhoneError::Country),
            ("001 212 555 0100", PhoneError::Country),
        ];
        for (text, error) in rows {
            assert_eq!(Phone::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn p5_masks() {
        for (text, masked) in [
            ("13812345678", "138****5678"),
            ("01088881234", "010****1234"),
            ("053285012345", "0532****2345"),
            ("4008123456", "400****456"),
        ] {
            let phone = Phone::parse(text).unwrap();
            assert_eq!(phone.masked(), masked);
            assert_eq!(format!("{phone:?}"), format!("Phone({masked})"));
        }
    }

    proptest! {
        /// Blanks, dashes and full-width forms never change what is read.
        #[test]
        fn writing_does_not_matter(digits in "1[3-9][0-9]{9}|0(10|2[0-9])[2-9][0-9]{7}|0([35-9][0-9]{2}|4[1-9][0-9])[2-9][0-9]{6,7}|400[0-9]{7}", marks in proptest::collection::vec(0u8..5, 13)) {
            let plain = Phone::parse(&digits).unwrap();
            let mut written = String::new();
            for (digit, mark) in digits.chars().zip(marks) {
                match mark {
                    0 => written.push(char::from_u32(u32::from(digit) + 0xfee0).unwrap()),
                    1 => written.extend([digit, ' ']),
                    2 => written.extend([digit, '-']),
                    3 => written.extend([digit, '\u{3000}']),
                    _ => written.push(digit),
                }
            }
            prop_assert_eq!(Phone::parse(&written), Ok(plain.clone()));
            prop_assert_eq!(Phone::parse(plain.as_str()), Ok(plain.clone()));
            let abroad = if plain.kind() == PhoneKind::Landline { format!("+86{}", &digits[1..]) } else { format!("+86{digits}") };
            prop_assert_eq!(Phone::parse(&abroad), Ok(plain));
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,24}") {
            let _ = Phone::parse(&text);
        }
    }
}
