//! Rules of agreements.

use chrono::{Days, NaiveDate};

use crate::{refusal::Refusal, words};

/// Where an agreement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Signed; supply has not begun.
    Signed,
    /// In force.
    InForce,
    /// Ended.
    Ended,
    /// Given up before it came into force.
    Voided,
}

/// What moves an agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Supply begins.
    Activate,
    /// A new version is signed.
    Amend,
    /// It ends.
    End,
    /// It is given up.
    Void,
}

const TRANSITIONS: &[(State, Action, State)] = &[
    (State::Signed, Action::Activate, State::InForce),
    (State::Signed, Action::Amend, State::Signed),
    (State::InForce, Action::Amend, State::InForce),
    (State::InForce, Action::End, State::Ended),
    (State::Signed, Action::Void, State::Voided),
];

impl State {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Signed, Self::InForce, Self::Ended, Self::Voided];

    /// As the table keeps it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Signed => "SIGNED",
            Self::InForce => "IN_FORCE",
            Self::Ended => "ENDED",
            Self::Voided => "VOIDED",
        }
    }

    /// The state of a code.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Whether an entitlement may be granted on it.
    ///
    /// # Errors
    /// [`Refusal::AgreementState`].
    pub fn may_entitle(self) -> Result<(), Refusal> {
        if matches!(self, Self::Signed | Self::InForce) {
            Ok(())
        } else {
            Err(Refusal::AgreementState)
        }
    }
}

/// The state after an action.
///
/// # Errors
/// [`Refusal::AgreementState`].
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    let found = TRANSITIONS.iter().find(|(state, by, _)| *state == from && *by == action);
    found.map(|(.., to)| *to).ok_or(Refusal::AgreementState)
}

/// How a contract was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignMethod {
    /// On paper.
    Paper,
    /// Electronically.
    Electronic,
    /// Taken over from an older register.
    TakenOver,
}

impl SignMethod {
    /// As the table keeps it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Paper => "PAPER",
            Self::Electronic => "ELECTRONIC",
            Self::TakenOver => "TAKEN_OVER",
        }
    }

    /// The method of a code.
    pub fn of(code: &str) -> Option<Self> {
        [Self::Paper, Self::Electronic, Self::TakenOver]
            .into_iter()
            .find(|method| method.code() == code)
    }
}

/// Longest time between signature and planned start.
const LONGEST_WAIT: Days = Days::new(3660);

/// The first planned day of a signed agreement.
///
/// # Errors
/// [`Refusal::DateRange`] where it was signed in the future, or the start lies more than ten years off; [`Refusal::Period`] where it
/// starts before the signature.
pub fn planned_start(signed: NaiveDate, start: Option<NaiveDate>, today: NaiveDate) -> Result<NaiveDate, Refusal> {
    signed_by(signed, today)?;
    let start = start.unwrap_or(signed);
    if start < signed {
        return Err(Refusal::Period);
    }
    if signed.checked_add_days(LONGEST_WAIT).is_none_or(|last| start > last) {
        Err(Refusal::DateRange)
    } else {
        Ok(start)
    }
}

/// Nobody signs in the future.
///
/// # Errors
/// [`Refusal::DateRange`].
pub fn signed_by(signed: NaiveDate, today: NaiveDate) -> Result<(), Refusal> {
    if signed > today { Err(Refusal::DateRange) } else { Ok(()) }
}

/// Supply begins no earlier than the signature, and not more than a day ahead of the file.
///
/// # Errors
/// [`Refusal::Period`], [`Refusal::DateRange`].
pub fn first_day(signed: NaiveDate, from: NaiveDate, today: NaiveDate) -> Result<(), Refusal> {
    if from < signed {
        return Err(Refusal::Period);
    }
    tomorrow_at_most(from, today)
}

/// The first day that an agreement does not cover lies after its first day, and is tomorrow at the latest.
///
/// # Errors
/// [`Refusal::Period`], [`Refusal::DateRange`].
pub fn end_day(from: NaiveDate, end: NaiveDate, today: NaiveDate) -> Result<(), Refusal> {
    if end <= from {
        return Err(Refusal::Period);
    }
    tomorrow_at_most(end, today)
}

fn tomorrow_at_most(day: NaiveDate, today: NaiveDate) -> Result<(), Refusal> {
    if today.succ_opt().is_some_and(|tomorrow| day <= tomorrow) {
        Ok(())
    } else {
        Err(Refusal::DateRange)
    }
}

/// the terms of an amendment hold from a day after the first day of the terms before them, so that each day has one set.
///
/// # Errors
/// [`Refusal::DateRange`], [`Refusal::Period`].
pub fn amended_from(before: NaiveDate, from: NaiveDate, signed: NaiveDate, today: NaiveDate) -> Result<(), Refusal> {
    signed_by(signed, today)?;
    if from <= before {
        return Err(Refusal::Period);
    }
    if today.checked_add_days(LONGEST_WAIT).is_none_or(|last| from > last) {
        Err(Refusal::DateRange)
    } else {
        Ok(())
    }
}

words! {
    /// How a task about a missing contract ended.
    pub enum MissingOutcome {
        /// A contract is in force at the service point.
        ContractInForce "CONTRACT_IN_FORCE",
        /// Nothing is supplied any more.
        SupplyEnded "SUPPLY_ENDED",
        /// The bill was wrong.
        BilledInError "BILLED_IN_ERROR",
    }
}

/// the first day without a contract among those from `first` to `last` that a bill bills. `covered`: the first day of an agreement that came into
/// force, and the first that it does not cover any more. One that covers them all by now was changed after the bill, and does not say.
pub fn bare_from(covered: Option<(NaiveDate, Option<NaiveDate>)>, first: NaiveDate, last: NaiveDate) -> NaiveDate {
    let until = covered.filter(|(from, _)| *from <= first).and_then(|(_, until)| until);
    until.filter(|until| *until <= last).map_or(first, |until| until.max(first))
}

/// Contract number (合同编号).
pub fn number(branch: &str, year: i32, count: i64) -> String {
    format!("C{year}-{branch}-{count:06}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::archive::v1 as proto;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn every_transition_of_an_agreement() {
        use Action::{Activate, Amend, End, Void};
        use State::{Ended, InForce, Signed, Voided};
        let actions = [Activate, Amend, End, Void];
        let table = [
            (Signed, [Some(InForce), Some(Signed), None, Some(Voided)]),
            (InForce, [None, Some(InForce), Some(Ended), None]),
            (Ended, [None, None, None, None]),
            (Voided, [None, None, None, None]),
        ];
        for (from, row) in table {
            for (action, to) in actions.into_iter().zip(row) {
                assert_eq!(step(from, action), to.ok_or(Refusal::AgreementState), "{from:?} {action:?}");
            }
            assert_eq!(State::of(from.code()), Some(from));
        }
    }

    #[test]
    fn bad_input_105_days_in_the_wrong_order() {
        let today = day("2025-03-10");
        assert_eq!(planned_start(day("2025-03-10"), None, today), Ok(day("2025-03-10")));
        assert_eq!(planned_start(day("2025-03-11"), None, today), Err(Refusal::DateRange));
        assert_eq!(planned_start(day("2025-03-10"), Some(day("2025-03-09")), today), Err(Refusal::Period));
        assert_eq!(planned_start(day("2025-03-10"), Some(day("2125-03-09")), today), Err(Refusal::DateRange));
        assert_eq!(first_day(day("2025-03-01"), day("2025-02-28"), today), Err(Refusal::Period));
        assert_eq!(first_day(day("2025-03-01"), day("2025-03-11"), today), Ok(()));
        assert_eq!(first_day(day("2025-03-01"), day("2025-03-12"), today), Err(Refusal::DateRange));
        assert_eq!(end_day(day("2025-03-01"), day("2025-03-01"), today), Err(Refusal::Period));
        assert_eq!(end_day(day("2025-03-01"), day("2025-03-02"), today), Ok(()));
        assert_eq!(end_day(day("2025-03-01"), day("2025-03-12"), today), Err(Refusal::DateRange));
    }

    #[test]
    fn a_06_the_first_day_without_a_contract() {
        let bare = |covered: Option<(&str, Option<&str>)>| {
            let covered = covered.map(|(from, until)| (day(from), until.map(day)));
            bare_from(covered, day("2025-03-01"), day("2025-03-31"))
        };
        for (covered, expected) in [
            (None, "2025-03-01"),
            (Some(("2025-01-01", Some("2025-03-10"))), "2025-03-10"),
            (Some(("2025-03-01", Some("2025-03-02"))), "2025-03-02"),
            (Some(("2025-01-01", Some("2025-03-31"))), "2025-03-31"),
            (Some(("2025-01-01", Some("2025-02-10"))), "2025-03-01"),
            (Some(("2025-03-02", None)), "2025-03-01"),
            (Some(("2025-03-02", Some("2025-03-10"))), "2025-03-01"),
            (Some(("2025-01-01", Some("2025-04-01"))), "2025-03-01"),
            (Some(("2025-01-01", None)), "2025-03-01"),
        ] {
            assert_eq!(bare(covered), day(expected), "{covered:?}");
        }
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = MissingOutcome::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "OUTCOME_", |n| {
            proto::missing_contract::Outcome::try_from(n).ok().map(|v| v.as_str_name())
        });
    }

    #[test]
    fn a_07_an_amendment_holds_after_the_terms_before_it() {
        let (before, signed, today) = (day("2025-01-01"), day("2025-03-01"), day("2025-03-10"));
        assert_eq!(amended_from(before, day("2025-04-01"), signed, today), Ok(()));
        assert_eq!(amended_from(before, day("2025-01-01"), signed, today), Err(Refusal::Period));
        assert_eq!(amended_from(before, day("2025-04-01"), day("2025-03-11"), today), Err(Refusal::DateRange));
    }
}
