//! States of a theft case (E11-05), pure.

use crate::{refusal::Refusal, words::words};

words! {
    /// Where a theft case stands.
    pub enum TheftState {
        /// Found, with evidence and two witnesses.
        Opened "OPENED",
        /// Reported to the police.
        Reported "REPORTED",
        /// Its adjustment waits for approval.
        Determined "DETERMINED",
        /// Billed.
        Billed "BILLED",
        /// Dismissed.
        Dismissed "DISMISSED",
    }
}

words! {
    /// What was done.
    pub enum Conduct {
        /// Gas was led past the meter.
        Bypass "BYPASS",
        /// The meter was tampered with.
        MeterTampered "METER_TAMPERED",
        /// A connection without a meter.
        UnregisteredConnection "UNREGISTERED_CONNECTION",
        /// An IC card was charged illegally.
        IllegalCharge "ILLEGAL_CHARGE",
    }
}

/// What happens to a theft case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The police has a report.
    Report,
    /// Its volume is determined.
    Determine,
    /// Its adjustment is posted.
    Bill,
    /// Its adjustment is rejected or taken back: it is determined anew or dismissed.
    Return,
    /// It is dismissed.
    Dismiss,
}

/// The legal moves.
const MOVES: [(TheftState, Action, TheftState); 7] = [
    (TheftState::Opened, Action::Report, TheftState::Reported),
    (TheftState::Reported, Action::Determine, TheftState::Determined),
    (TheftState::Determined, Action::Bill, TheftState::Billed),
    (TheftState::Determined, Action::Return, TheftState::Reported),
    (TheftState::Billed, Action::Return, TheftState::Reported),
    (TheftState::Opened, Action::Dismiss, TheftState::Dismissed),
    (TheftState::Reported, Action::Dismiss, TheftState::Dismissed),
];

/// Moves a theft case.
///
/// # Errors
/// THEFT_STATE where the move is not legal.
pub fn step(state: TheftState, action: Action) -> Result<TheftState, Refusal> {
    MOVES
        .iter()
        .find(|(from, by, _)| *from == state && *by == action)
        .map(|(_, _, to)| *to)
        .ok_or(Refusal::TheftState)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;

    use super::*;

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = TheftState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "STATE_", |n| proto::theft_case::State::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = Conduct::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "CONDUCT_", |n| proto::theft_case::Conduct::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn table_of_moves() {
        use TheftState::*;
        let actions = [Action::Report, Action::Determine, Action::Bill, Action::Return, Action::Dismiss];
        let table = [
            (Opened, [Some(Reported), None, None, None, Some(Dismissed)]),
            (Reported, [None, Some(Determined), None, None, Some(Dismissed)]),
            (Determined, [None, None, Some(Billed), Some(Reported), None]),
            (Billed, [None, None, None, Some(Reported), None]),
            (Dismissed, [None; 5]),
        ];
        assert_eq!(table.len(), TheftState::ALL.len());
        for (state, row) in table {
            for (action, to) in actions.into_iter().zip(row) {
                assert_eq!(step(state, action).ok(), to, "{state:?} {action:?}");
            }
        }
    }
}
