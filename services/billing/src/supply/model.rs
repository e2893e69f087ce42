//! What billing keeps of agreements, pure.

use calendar::NaiveDate;

use crate::words::words;

words! {
    /// Where an agreement stands.
    pub enum SupplyState {
        /// Signed.
        Signed "SIGNED",
        /// In force.
        InForce "IN_FORCE",
        /// Ended.
        Ended "ENDED",
        /// Voided.
        Voided "VOIDED",
    }
}

words! {
    /// What is supplied.
    pub enum Service {
        /// Gas.
        Gas "GAS",
        /// Heat.
        Heat "HEAT",
    }
}

/// What a bill or a payment is for; gas where nothing else is said.
pub fn service_of(code: Option<&str>) -> Service {
    code.and_then(Service::of).unwrap_or(Service::Gas)
}

words! {
    /// What a dated term says.
    pub enum TermKind {
        /// Class of use.
        UseClass "USE_CLASS",
        /// Registered persons.
        Persons "PERSONS",
        /// Low income: 1, or DESTITUTE.
        LowIncome "LOW_INCOME",
        /// The flat price was chosen: 1.
        FlatPrice "FLAT_PRICE",
    }
}

/// The value of a low income of destitute persons.
pub const DESTITUTE: &str = "DESTITUTE";

/// A dated span: from a day on, until the first day on which it does not hold any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span<K> {
    pub key: K,
    pub from: NaiveDate,
    pub until: Option<NaiveDate>,
}

/// What becomes of earlier spans when a new one replaces everything told before for the days from `from` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<K> {
    /// Ends there.
    Ends(K, NaiveDate),
    /// Is gone.
    Gone(K),
}

/// The changes to earlier spans of the same kind.
pub fn replaced<K: Clone>(spans: &[Span<K>], from: NaiveDate) -> Vec<Change<K>> {
    spans
        .iter()
        .filter_map(|s| {
            if s.from >= from {
                Some(Change::Gone(s.key.clone()))
            } else if s.until.is_none_or(|until| until > from) {
                Some(Change::Ends(s.key.clone(), from))
            } else {
                None
            }
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;

    use super::*;

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = SupplyState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "STATE_", |n| proto::supply::State::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn a_new_span_replaces_what_was_told_for_its_days() {
        let day = |d| NaiveDate::from_ymd_opt(2025, 6, d).unwrap();
        let span = |key, from, until: Option<u32>| Span {
            key,
            from: day(from),
            until: until.map(day),
        };
        let spans = [span(1, 1, Some(5)), span(2, 5, Some(10)), span(3, 10, None), span(4, 20, None)];
        assert_eq!(replaced(&spans, day(10)), [Change::Gone(3), Change::Gone(4)]);
        assert_eq!(replaced(&spans, day(12)), [Change::Ends(3, day(12)), Change::Gone(4)]);
        assert_eq!(replaced(&spans, day(7)), [Change::Ends(2, day(7)), Change::Gone(3), Change::Gone(4)]);
    }
}
