//! Labels of versions (版次): edition and revision, or year and edition.

use std::{cmp::Ordering, fmt};

use crate::refusal::Refusal;

/// Label of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// `C/2`: edition by letter, revision by number from 0.
    Edition {
        /// A to Z.
        letter: char,
        /// 0 to 999,999.
        revision: u32,
    },
    /// `2012-1`: year and edition in the year.
    Yearly {
        /// 1900 to 2199.
        year: u32,
        /// 1 to 999.
        edition: u32,
    },
}

/// Ranks of labels by year begin here, above all of the other form.
const YEARLY: i64 = 100_000_000;

impl Label {
    /// Reads a label; blanks in it do not count.
    ///
    /// # Errors
    /// [`Refusal::PolicyLabel`] for any other form.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let label = match (text.split_once('/'), text.split_once('-')) {
            (Some((letter, revision)), None) => edition(letter, revision),
            (None, Some((year, edition))) => yearly(year, edition),
            _ => None,
        };
        label.ok_or(Refusal::PolicyLabel)
    }

    /// A number that grows with the label, for labels of one document.
    pub fn rank(self) -> i64 {
        match self {
            Self::Edition { letter, revision } => i64::from(u32::from(letter)).saturating_mul(1_000_000).saturating_add(i64::from(revision)),
            Self::Yearly { year, edition } => YEARLY.saturating_add(i64::from(year).saturating_mul(1000)).saturating_add(i64::from(edition)),
        }
    }
}

fn edition(letter: &str, revision: &str) -> Option<Label> {
    let mut letters = letter.chars();
    let letter = letters.next().filter(char::is_ascii_uppercase)?;
    let revision = number(revision).filter(|n| *n <= 999_999)?;
    letters.next().is_none().then_some(Label::Edition { letter, revision })
}

fn yearly(year: &str, edition: &str) -> Option<Label> {
    let year = number(year).filter(|year| (1900..=2199).contains(year))?;
    let edition = number(edition).filter(|n| (1..=999).contains(n))?;
    Some(Label::Yearly { year, edition })
}

/// A number without sign and leading zeros, so that a label has one spelling.
fn number(text: &str) -> Option<u32> {
    let plain = text.chars().all(|c| c.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edition { letter, revision } => write!(f, "{letter}/{revision}"),
            Self::Yearly { year, edition } => write!(f, "{year}-{edition}"),
        }
    }
}

/// Labels of different forms have no order.
impl PartialOrd for Label {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Edition { .. }, Self::Edition { .. }) | (Self::Yearly { .. }, Self::Yearly { .. }) => Some(self.rank().cmp(&other.rank())),
            _ => None,
        }
    }
}

/// A label with the document whose version it names. Labels of different documents have no order, whatever they look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelOf<D> {
    /// The document.
    pub document: D,
    /// The label.
    pub label: Label,
}

impl<D: PartialEq> PartialOrd for LabelOf<D> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self.document == other.document {
            self.label.partial_cmp(&other.label)
        } else {
            None
        }
    }
}

/// Whether a label may be the next one of a document.
///
/// # Errors
/// [`Refusal::PolicyLabelStyle`] where the document uses the other form, [`Refusal::PolicyLabelOrder`] where it does not come after all.
pub fn may_follow(known: &[Label], new: Label) -> Result<(), Refusal> {
    for label in known {
        match new.partial_cmp(label) {
            None => return Err(Refusal::PolicyLabelStyle),
            Some(Ordering::Greater) => {}
            Some(Ordering::Less | Ordering::Equal) => return Err(Refusal::PolicyLabelOrder),
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn label(text: &str) -> Label {
        Label::parse(text).unwrap()
    }

    #[test]
    fn d_e_labels_sort_by_number_and_letter() {
        let sorted = ["A/0", "C/1", "C/2", "C/9", "C/10", "D/0", "Z/999999"];
        for (n, low) in sorted.iter().enumerate() {
            for high in &sorted[n + 1..] {
                assert!(label(low) < label(high), "{low} {high}");
                assert!(label(low).rank() < label(high).rank());
            }
        }
        let years = ["1999-12", "2012-1", "2012-2", "2012-10", "2013-1"];
        assert!(
            years
                .windows(2)
                .all(|pair| label(pair[0]) < label(pair[1]) && label(pair[0]).rank() < label(pair[1]).rank())
        );
        assert_eq!(label(" C / 2 ").to_string(), "C/2");
        assert_eq!(label("2012-1").to_string(), "2012-1");
    }

    #[test]
    fn d_e_labels_are_not_compared_across_documents_or_forms() {
        assert_eq!(label("2012-1").partial_cmp(&label("C/2")), None);
        let of = |document, text| LabelOf { document, label: label(text) };
        assert_eq!(of("a", "C/1").partial_cmp(&of("b", "C/2")), None);
        assert_eq!(of("a", "C/1").partial_cmp(&of("a", "C/2")), Some(Ordering::Less));
        assert_eq!(may_follow(&[label("C/2")], label("2012-1")), Err(Refusal::PolicyLabelStyle));
        assert_eq!(may_follow(&[label("C/2"), label("C/10")], label("C/9")), Err(Refusal::PolicyLabelOrder));
        assert_eq!(may_follow(&[label("C/2")], label("C/2")), Err(Refusal::PolicyLabelOrder));
        assert_eq!(may_follow(&[label("C/9")], label("C/10")), Ok(()));
        assert_eq!(may_follow(&[], label("2012-1")), Ok(()));
    }

    #[test]
    fn other_texts_are_no_labels() {
        for text in [
            "",
            "C",
            "C/",
            "/2",
            "c/2",
            "C/02",
            "CC/2",
            "C/1000000",
            "C/-1",
            "2012",
            "2012-0",
            "2012-01",
            "1899-1",
            "2012-1000",
            "C/2-1",
            "2012-1/2",
            "C/٢",
        ] {
            assert_eq!(Label::parse(text), Err(Refusal::PolicyLabel), "{text}");
        }
    }
}
