//! Rules of an account.

use crate::refusal::Refusal;

/// Where an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for its first agreement to come into force.
    Opening,
    /// In use.
    Open,
    /// Suspended by the utility (停供).
    Suspended,
    /// Paused on the customer's wish (报停).
    Paused,
    /// Being closed (销户).
    Closing,
    /// Closed for good.
    Closed,
}

/// What moves an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An agreement of it comes into force.
    Activate,
    /// The utility stops supply.
    Suspend,
    /// The customer wants a pause.
    Pause,
    /// Supply goes on.
    Resume,
    /// Closing starts.
    StartClosing,
    /// Closing is done.
    Close,
}

/// Decision 26: OPENING -> OPEN <-> SUSPENDED | PAUSED -> CLOSING -> CLOSED. Another agreement may come into force on an open account.
const TRANSITIONS: &[(State, Action, State)] = &[
    (State::Opening, Action::Activate, State::Open),
    (State::Open, Action::Activate, State::Open),
    (State::Open, Action::Suspend, State::Suspended),
    (State::Open, Action::Pause, State::Paused),
    (State::Suspended, Action::Resume, State::Open),
    (State::Paused, Action::Resume, State::Open),
    (State::Open, Action::StartClosing, State::Closing),
    (State::Suspended, Action::StartClosing, State::Closing),
    (State::Paused, Action::StartClosing, State::Closing),
    (State::Closing, Action::Close, State::Closed),
];

impl State {
    /// All states.
    pub const ALL: [Self; 6] = [Self::Opening, Self::Open, Self::Suspended, Self::Paused, Self::Closing, Self::Closed];

    /// As the table keeps it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Opening => "OPENING",
            Self::Open => "OPEN",
            Self::Suspended => "SUSPENDED",
            Self::Paused => "PAUSED",
            Self::Closing => "CLOSING",
            Self::Closed => "CLOSED",
        }
    }

    /// The state of a code.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Whether an agreement may be signed on the account.
    ///
    /// # Errors
    /// [`Refusal::AccountState`].
    pub fn may_sign(self) -> Result<(), Refusal> {
        if matches!(self, Self::Opening | Self::Open) {
            Ok(())
        } else {
            Err(Refusal::AccountState)
        }
    }
}

/// The state after an action.
///
/// # Errors
/// [`Refusal::AccountState`].
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    let found = TRANSITIONS.iter().find(|(state, by, _)| *state == from && *by == action);
    found.map(|(.., to)| *to).ok_or(Refusal::AccountState)
}

/// The number of an account (户号): the year, the branch, and the place in the series of both.
pub fn number(branch: &str, year: i32, count: i64) -> String {
    format!("A{year}-{branch}-{count:06}")
}

/// An account number of an older register: letters, digits and hyphens, at most 40.
///
/// # Errors
/// [`Refusal::Required`], [`Refusal::AccountNo`].
pub fn given_number(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Refusal::Required);
    }
    let right = text.len() <= 40 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if right { Ok(text.to_owned()) } else { Err(Refusal::AccountNo) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn decision_26_every_transition_of_an_account() {
        use Action::{Activate, Close, Pause, Resume, StartClosing, Suspend};
        use State::{Closed, Closing, Open, Opening, Paused, Suspended};
        let actions = [Activate, Suspend, Pause, Resume, StartClosing, Close];
        let table = [
            (Opening, [Some(Open), None, None, None, None, None]),
            (Open, [Some(Open), Some(Suspended), Some(Paused), None, Some(Closing), None]),
            (Suspended, [None, None, None, Some(Open), Some(Closing), None]),
            (Paused, [None, None, None, Some(Open), Some(Closing), None]),
            (Closing, [None, None, None, None, None, Some(Closed)]),
            (Closed, [None, None, None, None, None, None]),
        ];
        for (from, row) in table {
            for (action, to) in actions.into_iter().zip(row) {
                assert_eq!(step(from, action), to.ok_or(Refusal::AccountState), "{from:?} {action:?}");
            }
            assert_eq!(State::of(from.code()), Some(from));
            assert_eq!(from.may_sign().is_ok(), matches!(from, Opening | Open));
        }
    }

    #[test]
    fn numbers_of_accounts() {
        assert_eq!(number("河西区", 2025, 7), "A2025-河西区-000007");
        assert_eq!(given_number(" T0000001 ").unwrap(), "T0000001");
        for wrong in ["T 1", "T/1", "户1", &"1".repeat(41)] {
            assert_eq!(given_number(wrong), Err(Refusal::AccountNo), "{wrong}");
        }
        assert_eq!(given_number("  "), Err(Refusal::Required));
    }
}
