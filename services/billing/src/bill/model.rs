//! States of a bill, pure.

use calendar::NaiveDate;
use money::{ShareError, allocate};
use uuid::Uuid;

use crate::{refusal::Refusal, words::words};

words! {
    /// What a bill is for.
    pub enum BillKind {
        /// Of a period, by reading.
        Regular "REGULAR",
        /// A fee.
        Fee "FEE",
        /// Of a heating season, by area.
        HeatSeason "HEAT_SEASON",
        /// Of a heating season, by meter.
        HeatSettlement "HEAT_SETTLEMENT",
        /// An open item taken over.
        Opening "OPENING",
        /// Of a theft.
        Theft "THEFT",
    }
}

words! {
    /// Where a bill stands.
    pub enum BillState {
        /// Made, not issued.
        Draft "DRAFT",
        /// Issued.
        Issued "ISSUED",
        /// Paid in part.
        PartlyPaid "PARTLY_PAID",
        /// Paid.
        Paid "PAID",
        /// Reversed.
        Reversed "REVERSED",
    }
}

/// What happens to a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes out.
    Issue,
    /// Of it, nothing is paid (any more).
    Open,
    /// Of it, something is paid.
    PayPart,
    /// All of it is paid.
    PayAll,
    /// A credit note takes it back.
    Reverse,
}

/// The legal moves.
const MOVES: [(BillState, Action, BillState); 14] = [
    (BillState::Draft, Action::Issue, BillState::Issued),
    (BillState::Issued, Action::Open, BillState::Issued),
    (BillState::Issued, Action::PayPart, BillState::PartlyPaid),
    (BillState::Issued, Action::PayAll, BillState::Paid),
    (BillState::PartlyPaid, Action::Open, BillState::Issued),
    (BillState::PartlyPaid, Action::PayPart, BillState::PartlyPaid),
    (BillState::PartlyPaid, Action::PayAll, BillState::Paid),
    (BillState::Paid, Action::Open, BillState::Issued),
    (BillState::Paid, Action::PayPart, BillState::PartlyPaid),
    (BillState::Paid, Action::PayAll, BillState::Paid),
    (BillState::Issued, Action::Reverse, BillState::Reversed),
    (BillState::PartlyPaid, Action::Reverse, BillState::Reversed),
    (BillState::Paid, Action::Reverse, BillState::Reversed),
    (BillState::Draft, Action::Reverse, BillState::Reversed),
];

/// Moves a bill.
///
/// # Errors
/// BILL_REVERSED where the move is not legal.
pub fn step(state: BillState, action: Action) -> Result<BillState, Refusal> {
    MOVES
        .iter()
        .find(|(from, by, _)| *from == state && *by == action)
        .map(|(_, _, to)| *to)
        .ok_or(Refusal::BillReversed)
}

/// What a credit note takes off each line of a bill, in proportion to what stands of it (B23): of no line more than stands, and the notes over all of a
/// bill sum up to it line by line, whatever their number.
///
/// # Errors
/// Where nothing stands.
pub fn credited(standing: &[i64], amount: i64) -> Result<Vec<i64>, ShareError> {
    if standing.iter().copied().fold(0, i64::saturating_add) == amount {
        return Ok(standing.to_vec());
    }
    let weights: Vec<u64> = standing.iter().map(|fen| u64::try_from(*fen).unwrap_or(0)).collect();
    allocate(amount, &weights)
}

/// What the paid share of an amount means. A bill of 0.00 is paid from the start (edge 11).
pub const fn payment(amount: i64, paid: i64) -> Action {
    if paid >= amount {
        Action::PayAll
    } else if paid > 0 {
        Action::PayPart
    } else {
        Action::Open
    }
}

/// Whether a bill is overdue on a day (E2): something of it, in fen, is still owed after the last day to pay it, which itself is not late.
pub fn is_overdue(state: BillState, owed: i64, due: NaiveDate, today: NaiveDate) -> bool {
    matches!(state, BillState::Issued | BillState::PartlyPaid) && owed > 0 && due < today
}

/// Place of a bill in the order in which months are billed: year and month, then the agreements of a month by their ids, as a run takes them.
pub type Place = (i32, i32, Uuid, NaiveDate);

/// The bills from the first changed one on, in the order in which months are billed: of every later one the tiers begin elsewhere. One that was billed out of its
/// turn, after a later month, stands above the tiers of that one: where it is among them, so are all from its place on. The ids of bills grow as they are made.
pub fn since_first<B>(mut bills: Vec<B>, place: impl Fn(&B) -> Place, id: impl Fn(&B) -> Uuid, is_changed: impl Fn(&B) -> bool) -> Vec<B> {
    bills.sort_by_key(place);
    let mut first = bills.iter().position(is_changed).unwrap_or(bills.len());
    loop {
        let oldest = bills.iter().skip(first).map(&id).min();
        match bills.iter().take(first).position(|bill| oldest.is_some_and(|oldest| id(bill) > oldest)) {
            Some(earlier) => first = earlier,
            None => return bills.split_off(first),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = BillState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "STATE_", |n| proto::bill::State::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = BillKind::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "KIND_", |n| proto::bill::Kind::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn table_of_moves() {
        use Action::*;
        use BillState::*;
        let table = [
            (Draft, [Some(Issued), None, None, None, Some(Reversed)]),
            (Issued, [None, Some(Issued), Some(PartlyPaid), Some(Paid), Some(Reversed)]),
            (PartlyPaid, [None, Some(Issued), Some(PartlyPaid), Some(Paid), Some(Reversed)]),
            (Paid, [None, Some(Issued), Some(PartlyPaid), Some(Paid), Some(Reversed)]),
            (Reversed, [None, None, None, None, None]),
        ];
        assert_eq!(table.len(), BillState::ALL.len());
        for (state, row) in table {
            for (action, to) in [Issue, Open, PayPart, PayAll, Reverse].into_iter().zip(row) {
                assert_eq!(step(state, action).ok(), to, "{state:?} {action:?}");
            }
        }
    }

    #[test]
    fn p_9_2_and_b22_every_bill_after_the_first_changed_one_is_billed_anew() {
        let day = |m, d| NaiveDate::from_ymd_opt(2025, m, d).unwrap();
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let row = |month, agreement, last, id| ((2025, month, agreement, last), Uuid::from_u128(id));
        let january = row(1, one, day(1, 31), 11);
        let bills = vec![row(2, two, day(2, 27), 14), row(2, one, day(2, 28), 13), january, row(1, two, day(1, 30), 12)];
        let of = |bills: &[(Place, Uuid)], changed| since_first(bills.to_vec(), |b| b.0, |b| b.1, |b| *b == changed);
        assert_eq!(of(&bills, january), [january, bills[3], bills[1], bills[0]], "as a run takes them");
        assert_eq!(of(&bills, bills[1]), [bills[1], bills[0]]);
        assert!(of(&bills, row(3, one, day(3, 31), 15)).is_empty());
        // January of the second one was held and billed after both of February, above them.
        let late = row(1, two, day(1, 30), 15);
        let bills = vec![january, late, bills[1], bills[0]];
        assert_eq!(of(&bills, bills[3]), [late, bills[2], bills[3]]);
        assert_eq!(of(&bills, late), [late, bills[2], bills[3]]);
    }

    proptest! {
        #[test]
        fn b22_bills_that_stay_lie_below_all_that_are_billed_anew(ids in prop::collection::hash_set(0_u128..100, 1..12), changed in 0_usize..12) {
            let bills: Vec<(i32, u128)> = (0..).zip(ids).collect();
            let changed = bills[changed % bills.len()];
            let place = |b: &(i32, u128)| (2025, b.0, Uuid::nil(), NaiveDate::MIN);
            let anew = since_first(bills.clone(), place, |b| Uuid::from_u128(b.1), |b| *b == changed);
            prop_assert!(anew.contains(&changed));
            for stays in bills.iter().filter(|b| !anew.contains(b)) {
                prop_assert!(anew.iter().all(|b| stays.0 < b.0 && stays.1 < b.1));
            }
        }
    }

    #[test]
    fn b23_a_fen_goes_to_the_largest_remainder_and_the_last_note_takes_the_rest() {
        // 1.00 over 1.00, 1.00 and 1.00: 34, 33 and 33 fen; then 66, 67 and 67 stand.
        assert_eq!(credited(&[100, 100, 100], 100), Ok(vec![34, 33, 33]));
        // 0.99 of 66, 67 and 67: 32.67, 33.165 and 33.165, cut 32, 33 and 33; the fen left goes to the first.
        assert_eq!(credited(&[66, 67, 67], 99), Ok(vec![33, 33, 33]));
        assert_eq!(credited(&[33, 34, 34], 101), Ok(vec![33, 34, 34]));
        // A line below nothing takes no share until the end.
        assert_eq!(credited(&[300, -100], 100), Ok(vec![100, 0]));
        assert_eq!(credited(&[200, -100], 100), Ok(vec![200, -100]));
    }

    proptest! {
        #[test]
        fn b23_credit_notes_sum_up_to_the_bill_line_by_line(
            lines in prop::collection::vec(0_i64..=1_000_000, 1..9), cuts in prop::collection::vec(1_u32..=100, 0..12)
        ) {
            let mut standing = lines.clone();
            let mut taken = vec![0_i64; lines.len()];
            let rest = |standing: &[i64]| standing.iter().sum::<i64>();
            for percent in cuts.into_iter().chain([100]) {
                let amount = rest(&standing) * i64::from(percent) / 100;
                if amount == 0 {
                    continue;
                }
                let note = credited(&standing, amount).unwrap();
                prop_assert_eq!(note.iter().sum::<i64>(), amount);
                for (line, share) in note.into_iter().enumerate() {
                    prop_assert!((0..=standing[line]).contains(&share));
                    standing[line] -= share;
                    taken[line] += share;
                }
            }
            prop_assert_eq!(taken, lines);
        }
    }

    #[test]
    fn e2_overdue_is_a_flag_of_issued_and_partly_paid_from_the_day_after_the_last_day_on() {
        use BillState::*;
        let due = NaiveDate::from_ymd_opt(2025, 2, 15).unwrap();
        let late = |state, owed| is_overdue(state, owed, due, due.succ_opt().unwrap());
        assert_eq!(
            [Draft, Issued, PartlyPaid, Paid, Reversed].map(|state| late(state, 1)),
            [false, true, true, false, false]
        );
        assert!(!late(Issued, 0) && !is_overdue(Issued, 1, due, due));
    }

    #[test]
    fn edge_11_bill_of_nothing_is_paid() {
        assert_eq!(step(BillState::Issued, payment(0, 0)), Ok(BillState::Paid));
        assert_eq!(step(BillState::Issued, payment(100, 0)), Ok(BillState::Issued));
        assert_eq!(step(BillState::Issued, payment(100, 99)), Ok(BillState::PartlyPaid));
        assert_eq!(step(BillState::PartlyPaid, payment(100, 100)), Ok(BillState::Paid));
    }
}
