//! What steps there are, and how long to wait before one is tried again.

use std::time::Duration;

use crate::codes::codes;

codes! {
    /// What is done in another service.
    pub enum Kind {
        SignAgreement = 1 "SIGN_AGREEMENT",
        InstallMeter = 2 "INSTALL_METER",
        ActivateAgreement = 3 "ACTIVATE_AGREEMENT",
        RemoveInstallation = 4 "REMOVE_INSTALLATION",
        VoidAgreement = 5 "VOID_AGREEMENT",
        CheckVendorPerson = 6 "CHECK_VENDOR_PERSON",
    }
}

codes! {
    /// Where a step stands.
    pub enum State {
        Pending = 1 "PENDING",
        Done = 2 "DONE",
        Parked = 3 "PARKED",
        Dropped = 4 "DROPPED",
    }
}

codes! {
    /// What is done with a step.
    pub enum Action {
        Succeed = 1 "SUCCEED",
        Fail = 2 "FAIL",
        Park = 3 "PARK",
        Retry = 4 "RETRY",
        Drop = 5 "DROP",
    }
}

/// Every move of a step that there is.
pub const MOVES: &[(State, Action, State)] = &[
    (State::Pending, Action::Succeed, State::Done),
    (State::Pending, Action::Fail, State::Pending),
    (State::Pending, Action::Park, State::Parked),
    (State::Pending, Action::Drop, State::Dropped),
    (State::Parked, Action::Retry, State::Pending),
    (State::Parked, Action::Drop, State::Dropped),
];

/// The state after a move; `None` where there is no such move.
pub fn moved(from: State, action: Action) -> Option<State> {
    MOVES.iter().find(|(state, step, _)| *state == from && *step == action).map(|(_, _, to)| *to)
}

/// Failed tries after which a step waits for a person, where the service answers: until then it may not have heard of an id yet, or may come to itself.
/// With the waits between them that is within five minutes.
pub const PATIENCE: i32 = 10;

/// Reason of a step that was parked although it may have had its effect.
pub const OUTCOME_UNKNOWN: &str = "OUTCOME_UNKNOWN";

/// How long to wait after a failed try; `attempts` counts that one.
pub fn wait(attempts: i32) -> Duration {
    let doubled = 200_u64.saturating_mul(1 << attempts.clamp(1, 9).saturating_sub(1));
    Duration::from_millis(doubled)
}

#[cfg(test)]
mod tests {
    use contracts::hearth::hall::v1 as contract;

    use super::*;
    use crate::codes::{Code, assert_contract};

    #[test]
    fn the_lists_are_those_of_the_contract() {
        assert_contract::<Kind>("KIND_", |n| contract::step::Kind::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<State>("STATE_", |n| contract::step::State::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn a_step_takes_these_moves_and_no_other() {
        let legal = [
            "PENDING SUCCEED DONE",
            "PENDING FAIL PENDING",
            "PENDING PARK PARKED",
            "PENDING DROP DROPPED",
            "PARKED RETRY PENDING",
            "PARKED DROP DROPPED",
        ];
        let mut found = vec![];
        for from in [State::Pending, State::Parked, State::Done, State::Dropped] {
            for action in Action::ALL {
                if let Some(to) = moved(from, *action) {
                    found.push(format!("{} {} {}", from.code(), action.code(), to.code()));
                }
            }
        }
        assert_eq!(found, legal);
        assert_eq!((State::ALL.len(), MOVES.len()), (4, 6), "every state is looked at, no pair stands twice");
    }

    #[test]
    fn waits_double_up_to_about_a_minute() {
        let waits: Vec<_> = [1, 2, 3, 8, 9, 10, 1000].map(|n| wait(n).as_millis()).to_vec();
        assert_eq!(waits, [200, 400, 800, 25_600, 51_200, 51_200, 51_200]);
    }

    #[test]
    fn r_e8_patience_ends_within_five_minutes() {
        // A try is waited for three seconds at most.
        let tries = Duration::from_secs(3) * (PATIENCE.unsigned_abs() + 1);
        let all = (1..=PATIENCE).map(wait).sum::<Duration>() + tries;
        assert!(all < Duration::from_secs(5 * 60), "{all:?}");
    }
}
