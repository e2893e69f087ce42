//! Citizen identity number (公民身份号码), GB 11643-1999: 6 digits of region, 8 of birth day, 3 of sequence, 1 check character (ISO 7064 MOD 11-2).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A citizen identity number (公民身份号码) of 18 characters whose form, birth day and check character hold.
///
/// Sensitive: `Debug` shows the masked form, and there is no `Display`; [`IdNumber::as_str`] is the one way to the clear text.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct IdNumber {
    text: String,
    birth: (i32, u32, u32),
}

/// Sex (性别) as the 17th digit says: odd for men, even for women.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sex {
    /// Male (男).
    Male,
    /// Female (女).
    Female,
}

/// Why a text is not an identity number. No error repeats the text.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum IdNumberError {
    /// Not 18 characters.
    #[error("an identity number has 18 characters, this has {characters}")]
    Length {
        /// Characters found.
        characters: usize,
    },
    /// The form of 15 digits, not issued since 1999 and void since 2013; [`IdNumber::from_15_digits`] converts it.
    #[error("an identity number has 18 characters, this is the old form of 15 digits")]
    FifteenDigits,
    /// A character that may not stand there: digits everywhere, X only at the end.
    #[error("character {position} of the identity number is not allowed")]
    Charset {
        /// Counted from 1.
        position: usize,
    },
    /// A birth day that no calendar has.
    #[error("the birth day in the identity number does not exist")]
    BirthDate,
    /// The last character does not follow from the first 17.
    #[error("the check character of the identity number is wrong")]
    CheckDigit,
}

impl IdNumberError {
    /// Stable word for tables and reports: `length`, `charset`, `birth_date`, `check_digit`.
    #[must_use]
    pub const fn part(self) -> &'static str {
        match self {
            Self::Length { .. } | Self::FifteenDigits => "length",
            Self::Charset { .. } => "charset",
            Self::BirthDate => "birth_date",
            Self::CheckDigit => "check_digit",
        }
    }
}

/// What makes a valid number doubtful; never a reason to refuse (decision 4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IdNumberWarning {
    /// The birth day lies after today.
    BirthInFuture,
    /// The birth day lies more than 120 years back.
    VeryOld,
}

/// Age from which a birth day is worth a second look.
const VERY_OLD_YEARS: i32 = 120;

/// ISO 7064 MOD 11-2: the character for each remainder of Σ digit × 2^(17 − i) mod 11.
const CHECK: [u8; 11] = *b"10X98765432";

impl IdNumber {
    /// Reads a number of 18 characters; a lower-case x becomes X.
    ///
    /// # Errors
    /// [`IdNumberError`], the first of length, charset, birth day and check character that fails.
    pub fn parse(text: &str) -> Result<Self, IdNumberError> {
        let characters = text.chars().count();
        if characters == 15 && text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(IdNumberError::FifteenDigits);
        }
        if characters != 18 {
            return Err(IdNumberError::Length { characters });
        }
        for (index, character) in text.chars().enumerate() {
            if !(character.is_ascii_digit() || index == 17 && matches!(character, 'X' | 'x')) {
                return Err(IdNumberError::Charset {
                    position: index.saturating_add(1),
                });
            }
        }
        let birth = birth_of(text).ok_or(IdNumberError::BirthDate)?;
        let text = text.to_ascii_uppercase();
        if !text.ends_with(check_character(&text)) {
            return Err(IdNumberError::CheckDigit);
        }
        Ok(Self { text, birth })
    }

    /// Converts the old form of 15 digits (years 19xx, no check character) into the one of 18.
    ///
    /// # Errors
    /// [`IdNumberError::Length`], [`IdNumberError::Charset`] or [`IdNumberError::BirthDate`].
    pub fn from_15_digits(text: &str) -> Result<Self, IdNumberError> {
        let characters = text.chars().count();
        if characters != 15 {
            return Err(IdNumberError::Length { characters });
        }
        if let Some(index) = text.chars().position(|c| !c.is_ascii_digit()) {
            return Err(IdNumberError::Charset {
                position: index.saturating_add(1),
            });
        }
        let region: String = text.chars().take(6).collect();
        let rest: String = text.chars().skip(6).collect();
        let mut long = format!("{region}19{rest}");
        let birth = birth_of(&long).ok_or(IdNumberError::BirthDate)?;
        long.push(check_character(&long));
        Ok(Self { text: long, birth })
    }

    /// The clear text, 18 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// First three and last four characters, the rest as stars.
    #[must_use]
    pub fn masked(&self) -> String {
        let head = self.text.get(..3).unwrap_or_default();
        let tail = self.text.get(14..).unwrap_or_default();
        format!("{head}***********{tail}")
    }

    /// Region of first registration (行政区划代码), 6 digits.
    #[must_use]
    pub fn region(&self) -> &str {
        self.text.get(..6).unwrap_or_default()
    }

    /// Birth day: year, month, day. It exists in the calendar; it may lie in the future, see [`IdNumber::warning`].
    #[must_use]
    pub const fn birth_date(&self) -> (i32, u32, u32) {
        self.birth
    }

    /// Sex as the sequence number says.
    #[must_use]
    pub fn sex(&self) -> Sex {
        match self.text.as_bytes().get(16).is_some_and(|b| b % 2 == 1) {
            true => Sex::Male,
            false => Sex::Female,
        }
    }

    /// What is doubtful about the birth day, seen from `today` (year, month, day).
    #[must_use]
    pub fn warning(&self, today: (i32, u32, u32)) -> Option<IdNumberWarning> {
        let (year, month, day) = today;
        if self.birth > today {
            Some(IdNumberWarning::BirthInFuture)
        } else if self.birth < (year.saturating_sub(VERY_OLD_YEARS), month, day) {
            Some(IdNumberWarning::VeryOld)
        } else {
            None
        }
    }
}

impl FromStr for IdNumber {
    type Err = IdNumberError;

    fn from_str(text: &str) -> Result<Self, IdNumberError> {
        Self::parse(text)
    }
}

impl fmt::Debug for IdNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdNumber({})", self.masked())
    }
}

/// The birth day at characters 7 to 14, if it exists (year 0 does not).
fn birth_of(text: &str) -> Option<(i32, u32, u32)> {
    let year: i32 = text.get(6..10)?.parse().ok()?;
    let month: u32 = text.get(10..12)?.parse().ok()?;
    let day: u32 = text.get(12..14)?.parse().ok()?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    (year >= 1 && (1..=last).contains(&day)).then_some((year, month, day))
}

/// The check character that belongs to the first 17 digits.
#[expect(clippy::arithmetic_side_effects, reason = "digits below 36 times weights below 37, at most 18 of them")]
fn check_character(text: &str) -> char {
    // Horner: ((d1 × 2 + d2) × 2 + …) × 2, which is Σ d(i) × 2^(18 − i).
    let sum = text
        .bytes()
        .take(17)
        .fold(0u32, |sum, byte| (sum + u32::from(byte.wrapping_sub(b'0'))) * 2 % 11);
    CHECK.get(sum as usize).map_or('?', |&byte| char::from(byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_row_of_the_case_file() {
        let mut reader = csv::Reader::from_reader(include_str!("../tests/data/cn_id18_cases.csv").as_bytes());
        let mut rows = 0;
        for row in reader.records() {
            let row = row.unwrap();
            let (text, valid, reason, region, birth, sex) = (&row[0], &row[1] == "1", &row[2], &row[3], &row[4], &row[5]);
            let parsed = IdNumber::parse(text);
            match &parsed {
                Ok(number) => {
                    assert!(valid, "{text} {reason}");
                    let (year, month, day) = number.birth_date();
                    assert_eq!(format!("{year:04}{month:02}{day:02}"), birth, "{text}");
                    assert_eq!(number.region(), region, "{text}");
                    assert_eq!(number.sex(), if sex == "M" { Sex::Male } else { Sex::Female }, "{text}");
                }
                Err(error) => {
                    assert!(!valid, "{text} {error}");
                    assert_eq!(error.part(), reason, "{text}");
                }
            }
            rows += 1;
        }
        assert_eq!(rows, 23);
    }

    #[test]
    fn every_row_of_the_conversion_file() {
        let mut reader = csv::Reader::from_reader(include_str!("../tests/data/cn_id15_to_18.csv").as_bytes());
        let mut rows = 0;
        for row in reader.records() {
            let row = row.unwrap();
            assert_eq!(IdNumber::parse(&row[0]), Err(IdNumberError::FifteenDigits));
            assert_eq!(IdNumber::from_15_digits(&row[0]).unwrap().as_str(), &row[1]);
            assert_eq!(IdNumber::parse(&row[1]).unwrap().as_str(), &row[1]);
            rows += 1;
        }
        assert_eq!(rows, 1);
    }

    #[test]
    fn decision_4_lower_case_x_becomes_upper_case() {
        assert_eq!(IdNumber::parse("11010519491231002x").unwrap().as_str(), "11010519491231002X");
    }

    #[test]
    fn decision_4_future_and_very_old_are_warnings() {
        let today = (2025, 3, 1);
        let warning = |text: &str| IdNumber::parse(text).unwrap().warning(today);
        assert_eq!(warning("12010321890306136X"), Some(IdNumberWarning::BirthInFuture));
        assert_eq!(warning("310104186904049643"), Some(IdNumberWarning::VeryOld));
        assert_eq!(warning("11010519491231002X"), None);
        let sample = IdNumber::parse("11010519491231002X").unwrap();
        assert_eq!(sample.warning((1949, 12, 31)), None);
        assert_eq!(sample.warning((1949, 12, 30)), Some(IdNumberWarning::BirthInFuture));
        assert_eq!(sample.warning((2069, 12, 31)), None);
        assert_eq!(sample.warning((2070, 1, 1)), Some(IdNumberWarning::VeryOld));
    }

    #[test]
    fn precise_errors() {
        let rows = [
            ("", IdNumberError::Length { characters: 0 }),
            ("1101051949123100", IdNumberError::Length { characters: 16 }),
            ("110105491231002", IdNumberError::FifteenDigits),
            ("11010549123100X", IdNumberError::Length { characters: 15 }),
            ("1101051949123100X2", IdNumberError::Charset { position: 17 }),
            ("1101o519491231002X", IdNumberError::Charset { position: 5 }),
            ("11010519491231002Y", IdNumberError::Charset { position: 18 }),
            ("\u{ff11}1010519491231002X", IdNumberError::Charset { position: 1 }),
            ("110105190002290009", IdNumberError::BirthDate),
            ("110105000001010009", IdNumberError::BirthDate),
            ("110105194913310002", IdNumberError::BirthDate),
            ("110105194900310002", IdNumberError::BirthDate),
            ("110105194912000002", IdNumberError::BirthDate),
            ("110105194912310029", IdNumberError::CheckDigit),
        ];
        for (text, error) in rows {
            assert_eq!(IdNumber::parse(text), Err(error), "{text}");
        }
        assert_eq!(IdNumber::from_15_digits("11010549123100"), Err(IdNumberError::Length { characters: 14 }));
        assert_eq!(IdNumber::from_15_digits("11010549123100X"), Err(IdNumberError::Charset { position: 15 }));
        assert_eq!(IdNumber::from_15_digits("110105490229002"), Err(IdNumberError::BirthDate));
    }

    #[test]
    fn c_77_debug_is_masked() {
        let number = IdNumber::parse("11010519491231002X").unwrap();
        assert_eq!(number.masked(), "110***********002X");
        assert_eq!(format!("{number:?}"), "IdNumber(110***********002X)");
    }

    /// A valid number from parts that the generator chooses.
    fn number() -> impl Strategy<Value = IdNumber> {
        (110_000u32..=820_000, 1800i32..=2199, 1u32..=12, 1u32..=28, 0u32..=999).prop_map(|(region, year, month, day, sequence)| {
            let head = format!("{region}{year:04}{month:02}{day:02}{sequence:03}");
            let check = check_character(&head);
            IdNumber::parse(&format!("{head}{check}")).expect("built to be valid")
        })
    }

    proptest! {
        /// MOD 11-2 finds every wrong single character: weights are no multiple of 11, differences below 11.
        #[test]
        fn one_changed_character_is_found(number in number(), position in 0usize..18, digit in 0usize..11) {
            let mut bytes = number.as_str().as_bytes().to_vec();
            let new = if position == 17 { b"0123456789X"[digit] } else { b"0123456789"[digit % 10] };
            prop_assume!(bytes[position] != new);
            bytes[position] = new;
            prop_assert!(IdNumber::parse(std::str::from_utf8(&bytes).unwrap()).is_err());
        }

        /// Swapped neighbours differ by (2 − 1) × 2^k × difference, no multiple of 11 either.
        #[test]
        fn swapped_neighbours_are_found(number in number(), position in 0usize..16) {
            let mut bytes = number.as_str().as_bytes().to_vec();
            prop_assume!(bytes[position] != bytes[position + 1]);
            bytes.swap(position, position + 1);
            prop_assert!(IdNumber::parse(std::str::from_utf8(&bytes).unwrap()).is_err());
        }

        #[test]
        fn old_form_and_new_form_agree(region in 110_000u32..=820_000, year in 0u32..=99, month in 1u32..=12, day in 1u32..=28, sequence in 0u32..=999) {
            let number = IdNumber::from_15_digits(&format!("{region}{year:02}{month:02}{day:02}{sequence:03}")).unwrap();
            prop_assert_eq!(IdNumber::parse(number.as_str()), Ok(number.clone()));
            prop_assert_eq!(number.birth_date(), (1900 + year as i32, month, day));
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,20}") {
            let _ = IdNumber::parse(&text);
            let _ = IdNumber::from_15_digits(&text);
        }
    }
}
