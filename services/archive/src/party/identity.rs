//! What a caller or a register may write for an identity number, a credit code or a phone.

use chrono::{Datelike, NaiveDate};
use ids::{CodePart, CreditCode, IdNumber, Phone};

use crate::refusal::Refusal;

/// Something odd that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A birth day that no living person has.
    BirthDateUnusual,
    /// A credit code of the early pilot, whose check character breaks the rule.
    CreditCodeCheck,
}

impl Warning {
    /// Stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::BirthDateUnusual => "BIRTH_DATE_UNUSUAL",
            Self::CreditCodeCheck => "CREDIT_CODE_CHECK",
        }
    }

    /// Short English text.
    pub fn text(self) -> &'static str {
        match self {
            Self::BirthDateUnusual => "the birth day in the identity number is that of no living person",
            Self::CreditCodeCheck => "the check character of the credit code is wrong",
        }
    }
}

/// The number by which a party is known: 18 characters, normalised.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    number: String,
    warning: Option<Warning>,
}

impl Identity {
    /// The identity number of a person. Decision 4: the birth day must exist; a future or very old one is a warning.
    ///
    /// # Errors
    /// [`Refusal::IdNumber`].
    pub fn person(text: &str, today: NaiveDate) -> Result<Self, Refusal> {
        let number = IdNumber::parse(&plain(text)).map_err(|_| Refusal::IdNumber)?;
        let unusual = number.warning((today.year(), today.month(), today.day())).is_some();
        Ok(Self {
            number: number.as_str().to_owned(),
            warning: unusual.then_some(Warning::BirthDateUnusual),
        })
    }

    /// The credit code of an organisation. `trusted`: somebody has read it on the licence, or an older register holds it; then a wrong
    /// check character is a warning, as long as the check digit of the organisation code inside holds: so it is with the codes of the
    /// early pilot, and not with most slips of the pen.
    ///
    /// # Errors
    /// [`Refusal::CreditCode`].
    pub fn organisation(text: &str, trusted: bool) -> Result<Self, Refusal> {
        let number = plain(text);
        let found = CreditCode::check(&number);
        match found.error.map(ids::CreditCodeError::part) {
            None => Ok(Self { number, warning: None }),
            Some(CodePart::CheckChar) if trusted && found.org_code_ok == Some(true) => Ok(Self {
                number,
                warning: Some(Warning::CreditCodeCheck),
            }),
            Some(_) => Err(Refusal::CreditCode),
        }
    }

    /// The number.
    pub fn number(&self) -> &str {
        &self.number
    }

    /// What looks odd.
    pub fn warning(&self) -> Option<Warning> {
        self.warning
    }
}

/// The number that a search term means: an identity number, one of the old 15 digits as it stands on old contracts, or a credit code.
///
/// # Errors
/// [`Refusal::IdNumber`].
pub fn search_number(text: &str) -> Result<String, Refusal> {
    let text = plain(text);
    let person = IdNumber::parse(&text).or_else(|_| IdNumber::from_15_digits(&text));
    if let Ok(number) = person {
        return Ok(number.as_str().to_owned());
    }
    let part = CreditCode::check(&text).error.map(ids::CreditCodeError::part);
    if matches!(part, None | Some(CodePart::CheckChar)) {
        Ok(text)
    } else {
        Err(Refusal::IdNumber)
    }
}

/// A phone.
///
/// # Errors
/// [`Refusal::Phone`].
pub fn phone(text: &str) -> Result<Phone, Refusal> {
    Phone::parse(text).map_err(|_| Refusal::Phone)
}

/// Full-width letters and digits become their plain forms, small letters capital ones; blanks around it go.
fn plain(text: &str) -> String {
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c).saturating_sub(0xfee0)).unwrap_or(c),
        c => c,
    };
    text.trim().chars().map(narrow).collect::<String>().to_ascii_uppercase()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn today() -> NaiveDate {
        "2025-01-01".parse().unwrap()
    }

    #[test]
    fn bad_input_85_identity_numbers_that_cannot_be() {
        for wrong in [
            "11010519491231002",
            "110105194912310021",
            "110105194902290026",
            "110105491231002",
            "",
            "          ",
            "11010519491231002\u{445}",
        ] {
            assert_eq!(Identity::person(wrong, today()).err(), Some(Refusal::IdNumber), "{wrong}");
        }
    }

    #[test]
    fn decision_4_a_birth_year_of_nobody_is_a_warning() {
        let warning = |number| Identity::person(number, today()).unwrap().warning();
        assert_eq!(warning("11010519491231002X"), None);
        assert_eq!(warning("12010321890306136X"), Some(Warning::BirthDateUnusual));
        assert_eq!(warning("310104186904049643"), Some(Warning::BirthDateUnusual));
    }

    #[test]
    fn numbers_are_normalised() {
        assert_eq!(Identity::person(" １１010519491231002x ", today()).unwrap().number(), "11010519491231002X");
        assert_eq!(Identity::organisation("91350100m000100y43", false).unwrap().number(), "91350100M000100Y43");
        assert_eq!(search_number("110105491231002").unwrap(), "11010519491231002X");
        assert_eq!(search_number("91350211M0000XUF46").unwrap(), "91350211M0000XUF46");
        assert_eq!(search_number("王建国"), Err(Refusal::IdNumber));
    }

    #[test]
    fn credit_codes_of_the_pilot_pass_when_somebody_saw_them() {
        assert_eq!(Identity::organisation("91350211M0000XUF46", false).err(), Some(Refusal::CreditCode));
        assert_eq!(
            Identity::organisation("91350211M0000XUF46", true).unwrap().warning(),
            Some(Warning::CreditCodeCheck)
        );
        // A letter outside the alphabet, a slip in the organisation code, and the number of a person.
        for wrong in ["91350100MI00100Y43", "91350100M000Q00Y43", "120103180808207147"] {
            assert_eq!(Identity::organisation(wrong, true).err(), Some(Refusal::CreditCode), "{wrong}");
        }
    }

    #[test]
    fn bad_input_86_phones() {
        assert_eq!(phone("+86 190-0000-0001").unwrap().as_str(), "19000000001");
        assert_eq!(phone("１９０00000001").unwrap().as_str(), "19000000001");
        for wrong in ["190000000012", "19000O00001", "", "phone"] {
            assert_eq!(phone(wrong), Err(Refusal::Phone), "{wrong}");
        }
    }
}
