//! Unified social credit code (统一社会信用代码), GB 32100-2015: authority, category, 6 digits of region, 9 characters of organisation code, 1 check character.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A unified social credit code (统一社会信用代码) of 18 characters.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CreditCode(String);

/// Why a text is not a credit code.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum CreditCodeError {
    /// Not 18 characters.
    #[error("a credit code has 18 characters, this has {characters}")]
    Length {
        /// Characters found.
        characters: usize,
    },
    /// A character outside the alphabet: digits and capital letters without I, O, S, V, Z; digits only in the region.
    #[error("character {position} of the credit code is not allowed")]
    Charset {
        /// Counted from 1.
        position: usize,
    },
    /// The last character does not follow from the first 17.
    #[error("the check character of the credit code should be {expected}")]
    CheckChar {
        /// The character that the standard asks for.
        expected: char,
    },
}

/// A part of a credit code that a check may find wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CodePart {
    /// Number of characters.
    Length,
    /// Alphabet.
    Charset,
    /// Check character of the whole code.
    CheckChar,
}

impl CodePart {
    /// Stable word for tables and reports: `length`, `charset`, `check_char`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Charset => "charset",
            Self::CheckChar => "check_char",
        }
    }
}

impl CreditCodeError {
    /// The part that failed.
    #[must_use]
    pub const fn part(self) -> CodePart {
        match self {
            Self::Length { .. } => CodePart::Length,
            Self::Charset { .. } => CodePart::Charset,
            Self::CheckChar { .. } => CodePart::CheckChar,
        }
    }
}

/// What [`CreditCode::check`] found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CodeCheck {
    /// The first error, none for a valid code.
    pub error: Option<CreditCodeError>,
    /// The check character that belongs to the first 17; none when length or charset fail.
    pub check_char: Option<char>,
    /// Does the check digit of the embedded organisation code (GB 11714) hold? None when length or charset fail. Not part of validity.
    pub org_code_ok: Option<bool>,
}

/// The 31 characters of the standard; a character's value is its place.
const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Weights of the organisation code (GB 11714).
const ORG_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

impl CreditCode {
    /// Reads a code and refuses any that breaks the standard. Lower case is refused: the caller decides whether to upper-case first.
    ///
    /// # Errors
    /// [`CreditCodeError`], the first of length, charset and check character that fails.
    pub fn parse(text: &str) -> Result<Self, CreditCodeError> {
        match Self::check(text).error {
            None => Ok(Self(text.to_owned())),
            Some(error) => Err(error),
        }
    }

    /// Reads a code as an import should: codes issued in the early pilot break the check character, so that one fault is a warning.
    ///
    /// # Errors
    /// [`CreditCodeError::Length`] and [`CreditCodeError::Charset`].
    pub fn parse_issued(text: &str) -> Result<(Self, Option<CreditCodeError>), CreditCodeError> {
        match Self::check(text).error {
            Some(error @ (CreditCodeError::Length { .. } | CreditCodeError::Charset { .. })) => Err(error),
            warning => Ok((Self(text.to_owned()), warning)),
        }
    }

    /// Says which part of a text fails, without refusing.
    #[must_use]
    pub fn check(text: &str) -> CodeCheck {
        let fails = |error| CodeCheck {
            error: Some(error),
            check_char: None,
            org_code_ok: None,
        };
        let characters = text.chars().count();
        if characters != 18 {
            return fails(CreditCodeError::Length { characters });
        }
        let wrong = text
            .chars()
            .enumerate()
            .position(|(index, c)| value(c).is_none() || (2..8).contains(&index) && !c.is_ascii_digit());
        if let Some(index) = wrong {
            return fails(CreditCodeError::Charset {
                position: index.saturating_add(1),
            });
        }
        let expected = check_char(text);
        let error = (!text.ends_with(expected)).then_some(CreditCodeError::CheckChar { expected });
        CodeCheck {
            error,
            check_char: Some(expected),
            org_code_ok: Some(org_code_holds(text)),
        }
    }

    /// The code, 18 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Registering authority (登记管理部门), first character: 9 for the market regulator.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0.get(..1).unwrap_or_default()
    }

    /// Category of organisation (机构类别), second character.
    #[must_use]
    pub fn category(&self) -> &str {
        self.0.get(1..2).unwrap_or_default()
    }

    /// Region of registration (登记管理机关行政区划码), 6 digits.
    #[must_use]
    pub fn region(&self) -> &str {
        self.0.get(2..8).unwrap_or_default()
    }

    /// Embedded organisation code (主体标识码, GB 11714), 9 characters.
    #[must_use]
    pub fn organisation_code(&self) -> &str {
        self.0.get(8..17).unwrap_or_default()
    }
}

impl FromStr for CreditCode {
    type Err = CreditCodeError;

    fn from_str(text: &str) -> Result<Self, CreditCodeError> {
        Self::parse(text)
    }
}

// Codes of organisations are public, so both forms show them.
impl fmt::Display for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CreditCode({})", self.0)
    }
}

/// Place of a character in the alphabet.
fn value(character: char) -> Option<u32> {
    ALPHABET.find(character).and_then(|place| u32::try_from(place).ok())
}

/// 31 − Σ value × 3^i mod 31 over the first 17 characters.
#[expect(clippy::arithmetic_side_effects, reason = "digits below 36 times weights below 37, at most 18 of them")]
fn check_char(text: &str) -> char {
    let (sum, _) = text
        .chars()
        .take(17)
        .fold((0, 1), |(sum, weight), c| ((sum + value(c).unwrap_or(0) * weight) % 31, weight * 3 % 31));
    ALPHABET.chars().nth(((31 - sum) % 31) as usize).unwrap_or('?')
}

/// GB 11714: 11 − Σ value × weight mod 11, where 10 is X and 11 is 0; letters count from A = 10.
#[expect(clippy::arithmetic_side_effects, reason = "digits below 36 times weights below 37, at most 18 of them")]
fn org_code_holds(text: &str) -> bool {
    let sum: u32 = text
        .chars()
        .skip(8)
        .zip(ORG_WEIGHTS)
        .map(|(c, weight)| c.to_digit(36).unwrap_or(0) * weight)
        .sum();
    let expected = match 11 - sum % 11 {
        10 => Some('X'),
        11 => Some('0'),
        digit => char::from_digit(digit, 10),
    };
    text.chars().nth(16) == expected
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_row_of_the_case_file() {
        let mut reader = csv::Reader::from_reader(include_str!("../tests/data/uscc_cases.csv").as_bytes());
        let mut rows = 0;
        for row in reader.records() {
            let row = row.unwrap();
            let (code, valid, reason, expected, org, note) = (&row[0], &row[1] == "1", &row[2], &row[3], &row[4], &row[5]);
            let check = CreditCode::check(code);
            assert_eq!(check.error.is_none(), valid, "{code} {note}");
            assert_eq!(check.error.map_or("", |error| error.part().name()), reason, "{code} {note}");
            assert_eq!(check.check_char.map(String::from).unwrap_or_default(), expected, "{code} {note}");
            let org_ok = check.org_code_ok.map_or("", |ok| if ok { "True" } else { "False" });
            assert_eq!(org_ok, org, "{code} {note}");
            assert_eq!(CreditCode::parse(code).is_ok(), valid, "{code} {note}");
            assert_eq!(CreditCode::parse_issued(code).is_ok(), matches!(reason, "" | "check_char"), "{code} {note}");
            rows += 1;
        }
        assert_eq!(rows, 22);
    }

    #[test]
    fn an_import_warns_about_codes_of_the_early_pilot() {
        let (code, warning) = CreditCode::parse_issued("91350211M0000XUF46").unwrap();
        assert_eq!(code.as_str(), "91350211M0000XUF46");
        assert_eq!(warning, Some(CreditCodeError::CheckChar { expected: 'R' }));
        let (_, warning) = CreditCode::parse_issued("91350100M000100Y43").unwrap();
        assert_eq!(warning, None);
    }

    #[test]
    fn parts() {
        let code: CreditCode = "91350100M000100Y43".parse().unwrap();
        assert_eq!(
            (code.authority(), code.category(), code.region(), code.organisation_code()),
            ("9", "1", "350100", "M000100Y4")
        );
        assert_eq!(code.to_string(), "91350100M000100Y43");
    }

    #[test]
    fn letters_in_the_region_are_refused() {
        assert_eq!(CreditCode::parse("91A50100M000100Y43"), Err(CreditCodeError::Charset { position: 3 }));
        assert_eq!(CreditCode::parse("91350100M000100Y4\u{ff13}"), Err(CreditCodeError::Charset { position: 18 }));
    }

    /// A valid code from characters that the generator chooses.
    fn code() -> impl Strategy<Value = CreditCode> {
        ("[1-9A-GY][1-59]", 110_000u32..=820_000, "[0-9A-HJ-NP-RTUWXY]{9}").prop_map(|(head, region, org)| {
            let first = format!("{head}{region}{org}");
            let check = check_char(&first);
            CreditCode::parse(&format!("{first}{check}")).expect("built to be valid")
        })
    }

    proptest! {
        /// 31 is prime and every value below it: a wrong single character always shows.
        #[test]
        fn one_changed_character_is_found(code in code(), position in 0usize..18, place in 0usize..31) {
            let mut characters: Vec<char> = code.as_str().chars().collect();
            let new = ALPHABET.chars().nth(place).unwrap();
            prop_assume!(characters[position] != new);
            characters[position] = new;
            prop_assert!(CreditCode::parse(&characters.iter().collect::<String>()).is_err());
        }

        #[test]
        fn swapped_neighbours_are_found(code in code(), position in 0usize..16) {
            let mut characters: Vec<char> = code.as_str().chars().collect();
            prop_assume!(characters[position] != characters[position + 1]);
            characters.swap(position, position + 1);
            prop_assert!(CreditCode::parse(&characters.iter().collect::<String>()).is_err());
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,20}") {
            let _ = CreditCode::check(&text);
        }
    }
}
