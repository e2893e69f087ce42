//! States of a dispute and the days on which it stops things (E2-06), pure.

use calendar::NaiveDate;

use crate::{refusal::Refusal, words::words};

words! {
    /// Where a dispute stands.
    pub enum DisputeState {
        /// Open.
        Open "OPEN",
        /// The bill stands.
        BillStands "BILL_STANDS",
        /// The bill is wrong.
        BillWrong "BILL_WRONG",
    }
}

/// What happens to a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is answered: the bill stands.
    Uphold,
    /// It is answered: the bill is wrong.
    Concede,
}

/// The legal moves.
const MOVES: [(DisputeState, Action, DisputeState); 2] = [
    (DisputeState::Open, Action::Uphold, DisputeState::BillStands),
    (DisputeState::Open, Action::Concede, DisputeState::BillWrong),
];

/// Moves a dispute.
///
/// # Errors
/// DISPUTE_ANSWERED where the move is not legal.
pub fn step(state: DisputeState, action: Action) -> Result<DisputeState, Refusal> {
    MOVES
        .iter()
        .find(|(from, by, _)| *from == state && *by == action)
        .map(|(_, _, to)| *to)
        .ok_or(Refusal::DisputeAnswered)
}

/// Days that do not count: those after `after`, up to and with `until`; without an end all later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    pub after: NaiveDate,
    pub until: Option<NaiveDate>,
}

/// The pause of a dispute. Where the bill turned out wrong it never ends: the bill has to be reversed.
pub const fn pause(state: DisputeState, opened: NaiveDate, answered: Option<NaiveDate>) -> Pause {
    Pause {
        after: opened,
        until: match state {
            DisputeState::BillStands => answered,
            DisputeState::Open | DisputeState::BillWrong => None,
        },
    }
}

/// Days after `from` up to and with `to` that no pause covers.
pub fn counted(from: NaiveDate, to: NaiveDate, pauses: &[Pause]) -> i64 {
    if to <= from {
        return 0;
    }
    let mut pauses: Vec<Pause> = pauses.to_vec();
    pauses.sort_by_key(|p| p.after);
    let days = |from: NaiveDate, to: NaiveDate| to.signed_duration_since(from).num_days().max(0);
    let (mut reached, mut paused) = (from, 0_i64);
    for pause in pauses {
        let start = pause.after.max(reached);
        let end = pause.until.unwrap_or(to).min(to);
        paused = paused.saturating_add(days(start, end));
        reached = reached.max(end);
    }
    days(from, to).saturating_sub(paused)
}

/// Whether a day's end lies in a pause: the next day does not count.
pub fn stands_still(day: NaiveDate, pauses: &[Pause]) -> bool {
    pauses.iter().any(|p| p.after <= day && p.until.is_none_or(|until| until > day))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;

    use super::*;

    fn day(d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2025, 6, d).unwrap()
    }

    fn pause_of(after: u32, until: Option<u32>) -> Pause {
        Pause {
            after: day(after),
            until: until.map(day),
        }
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = DisputeState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "STATE_", |n| proto::dispute::State::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn table_of_moves() {
        use DisputeState::*;
        let table = [
            (Open, [Some(BillStands), Some(BillWrong)]),
            (BillStands, [None, None]),
            (BillWrong, [None, None]),
        ];
        assert_eq!(table.len(), DisputeState::ALL.len());
        for (state, row) in table {
            for (action, to) in [Action::Uphold, Action::Concede].into_iter().zip(row) {
                assert_eq!(step(state, action).ok(), to, "{state:?} {action:?}");
            }
        }
    }

    #[test]
    fn e2_06_paused_days_do_not_count() {
        assert_eq!(counted(day(1), day(11), &[]), 10);
        assert_eq!(counted(day(11), day(1), &[]), 0);
        assert_eq!(counted(day(1), day(11), &[pause_of(3, Some(6))]), 7);
        assert_eq!(counted(day(1), day(11), &[pause_of(3, None)]), 2);
        assert_eq!(
            counted(day(5), day(11), &[pause_of(3, Some(6)), pause_of(6, Some(6)), pause_of(9, Some(20))]),
            3
        );
        assert_eq!(
            counted(day(1), day(11), &[pause_of(3, Some(8)), pause_of(5, Some(9))]),
            4,
            "overlapping pauses count once"
        );
    }

    #[test]
    fn e2_06_a_wrong_bill_never_goes_on() {
        assert_eq!(pause(DisputeState::BillStands, day(3), Some(day(6))), pause_of(3, Some(6)));
        assert_eq!(pause(DisputeState::BillWrong, day(3), Some(day(6))), pause_of(3, None));
        assert_eq!(pause(DisputeState::Open, day(3), None), pause_of(3, None));
        assert!(stands_still(day(3), &[pause_of(3, None)]) && !stands_still(day(6), &[pause_of(3, Some(6))]));
    }
}
