//! What a payment pays (domain 9.5), pure.

use calendar::NaiveDate;
use uuid::Uuid;

use crate::{refusal::Refusal, words::words};

words! {
    /// Where a payment stands.
    pub enum PaymentState {
        /// Taken.
        Taken "TAKEN",
        /// Reversed.
        Reversed "REVERSED",
    }
}

/// What happens to a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It bounces or is charged back.
    Reverse,
}

/// The legal moves.
const MOVES: [(PaymentState, Action, PaymentState); 1] = [(PaymentState::Taken, Action::Reverse, PaymentState::Reversed)];

/// Moves a payment.
///
/// # Errors
/// PAYMENT_REVERSED where the move is not legal.
pub fn step(state: PaymentState, action: Action) -> Result<PaymentState, Refusal> {
    MOVES
        .iter()
        .find(|(from, by, _)| *from == state && *by == action)
        .map(|(_, _, to)| *to)
        .ok_or(Refusal::PaymentReversed)
}

words! {
    /// What of a bill a share pays.
    pub enum Part {
        /// The bill itself.
        Principal "PRINCIPAL",
        /// Its late fee.
        LateFee "LATE_FEE",
    }
}

/// An open bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    pub id: Uuid,
    pub due: NaiveDate,
    /// Fen of the bill that are not paid yet.
    pub rest: i64,
    /// Fen of its late fee that are due.
    pub late: i64,
    /// Whether the bill is paid before its late fee.
    pub principal_first: bool,
}

impl Open {
    /// All that is due on it, fen.
    const fn owed(&self) -> i64 {
        self.rest.saturating_add(self.late)
    }

    const fn parts(&self) -> [(Part, i64); 2] {
        if self.principal_first {
            [(Part::Principal, self.rest), (Part::LateFee, self.late)]
        } else {
            [(Part::LateFee, self.late), (Part::Principal, self.rest)]
        }
    }
}

/// A share of a payment for a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub bill: Uuid,
    pub part: Part,
    /// Fen.
    pub amount: i64,
}

/// Shares `amount` among open bills: those named first, in the order named; then the oldest due first; bills due on one day in
/// proportion to what is open, by largest remainder, ties to the bill with the lower id. Within one bill late fee comes first unless
/// its profile says otherwise. What is left over pays no bill.
pub fn allocate(amount: i64, named: &[Uuid], open: &[Open]) -> (Vec<Share>, i64) {
    let mut left = amount.max(0);
    let mut shares = vec![];
    for id in named {
        if let Some(bill) = open.iter().find(|b| b.id == *id && !shares.iter().any(|s: &Share| s.bill == b.id)) {
            pay(&mut shares, &mut left, bill, bill.owed());
        }
    }
    let mut rest: Vec<Open> = open.iter().copied().filter(|b| b.owed() > 0 && !named.contains(&b.id)).collect();
    rest.sort_by_key(|b| (b.due, b.id));
    let mut at = rest.as_slice();
    while let Some(first) = at.first() {
        let (group, later) = at.split_at(at.iter().take_while(|b| b.due == first.due).count());
        let owed: i64 = group.iter().map(Open::owed).fold(0, i64::saturating_add);
        if left >= owed {
            for bill in group {
                pay(&mut shares, &mut left, bill, bill.owed());
            }
        } else {
            let weights: Vec<u64> = group.iter().map(|b| b.owed().unsigned_abs()).collect();
            // Weights are never all zero: on each something is due.
            let parts = money::allocate(left, &weights).unwrap_or_default();
            for (bill, part) in group.iter().zip(parts) {
                pay(&mut shares, &mut left, bill, part);
            }
            break;
        }
        at = later;
    }
    (shares, left)
}

fn pay(shares: &mut Vec<Share>, left: &mut i64, bill: &Open, wanted: i64) {
    let mut wanted = wanted.min(*left);
    for (part, due) in bill.parts() {
        let amount = wanted.min(due);
        if amount > 0 {
            wanted = wanted.saturating_sub(amount);
            *left = left.saturating_sub(amount);
            shares.push(Share { bill: bill.id, part, amount });
        }
    }
}

/// What stands of a payment's shares, the last one first: how a reversal takes them back. Negative shares cancel the latest
/// positive ones of the same part of the same bill.
pub fn standing(shares: &[Share]) -> Vec<Share> {
    let mut standing: Vec<Share> = vec![];
    for share in shares {
        if share.amount > 0 {
            standing.push(*share);
            continue;
        }
        let mut back = share.amount.saturating_neg();
        for earlier in standing.iter_mut().rev().filter(|s| s.bill == share.bill && s.part == share.part) {
            let taken = back.min(earlier.amount);
            earlier.amount = earlier.amount.saturating_sub(taken);
            back = back.saturating_sub(taken);
        }
    }
    standing.retain(|s| s.amount > 0);
    standing.reverse();
    standing
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;
    use proptest::prelude::*;

    use super::*;

    fn bill(n: u128, day: u32, rest: i64) -> Open {
        Open {
            id: Uuid::from_u128(n),
            due: NaiveDate::from_ymd_opt(2025, 3, day).unwrap(),
            rest,
            late: 0,
            principal_first: false,
        }
    }

    fn share(n: u128, amount: i64) -> Share {
        Share {
            bill: Uuid::from_u128(n),
            part: Part::Principal,
            amount,
        }
    }

    fn late(n: u128, amount: i64) -> Share {
        Share {
            part: Part::LateFee,
            ..share(n, amount)
        }
    }

    #[test]
    fn table_of_moves() {
        for (state, to) in [(PaymentState::Taken, Some(PaymentState::Reversed)), (PaymentState::Reversed, None)] {
            assert_eq!(step(state, Action::Reverse).ok(), to, "{state:?}");
        }
        assert_eq!(PaymentState::ALL.len(), 2);
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = PaymentState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "STATE_", |n| proto::payment::State::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = Part::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "PART_", |n| proto::allocation::Part::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn edge_24_oldest_due_first_and_its_late_fee_before_it() {
        let mut older = bill(1, 10, 10_000);
        older.late = 500;
        let open = [bill(2, 20, 6000), older];
        assert_eq!(allocate(12_000, &[], &open), (vec![late(1, 500), share(1, 10_000), share(2, 1500)], 0));
        assert_eq!(allocate(300, &[], &open), (vec![late(1, 300)], 0));
        older.principal_first = true;
        let open = [bill(2, 20, 6000), older];
        assert_eq!(allocate(12_000, &[], &open), (vec![share(1, 10_000), late(1, 500), share(2, 1500)], 0));
        assert_eq!(allocate(10_200, &[], &open), (vec![share(1, 10_000), late(1, 200)], 0));
    }

    #[test]
    fn edge_25_same_due_date_shares_in_proportion() {
        assert_eq!(
            allocate(4500, &[], &[bill(1, 10, 3000), bill(2, 10, 6000)]),
            (vec![share(1, 1500), share(2, 3000)], 0)
        );
        // A fen that cannot be parted goes to the largest remainder.
        assert_eq!(
            allocate(100, &[], &[bill(1, 10, 100), bill(2, 10, 100), bill(3, 10, 100)]),
            (vec![share(1, 34), share(2, 33), share(3, 33)], 0)
        );
    }

    #[test]
    fn edge_23_overpayment_is_left_over() {
        assert_eq!(allocate(10_000, &[], &[bill(1, 10, 3000)]), (vec![share(1, 3000)], 7000));
        assert_eq!(allocate(10_000, &[], &[]), (vec![], 10_000));
    }

    #[test]
    fn p_9_5_named_bills_come_first() {
        let open = [bill(1, 10, 3000), bill(2, 20, 6000)];
        assert_eq!(allocate(6500, &[Uuid::from_u128(2)], &open), (vec![share(2, 6000), share(1, 500)], 0));
    }

    #[test]
    fn p_9_5_reversal_takes_the_last_first() {
        assert_eq!(
            standing(&[share(1, 100), share(2, 50), share(3, 25)]),
            vec![share(3, 25), share(2, 50), share(1, 100)]
        );
        assert_eq!(standing(&[share(1, 100), share(2, 50), share(2, -50), share(1, -40)]), vec![share(1, 60)]);
        assert_eq!(standing(&[late(1, 5), share(1, 100), share(1, -100)]), vec![late(1, 5)]);
    }

    proptest! {
        #[test]
        fn p_9_5_nothing_is_lost_and_no_bill_is_overpaid(amount in 0_i64..2_000_000, rests in proptest::collection::vec((1_u32..28, 0_i64..500_000, 0_i64..50_000, any::<bool>()), 0..8)) {
            let open: Vec<_> = (1..)
                .zip(&rests)
                .map(|(n, (day, rest, late, principal_first))| Open { late: *late, principal_first: *principal_first, ..bill(n, *day, *rest) })
                .collect();
            let (shares, left) = allocate(amount, &[], &open);
            prop_assert_eq!(shares.iter().map(|s| s.amount).sum::<i64>() + left, amount);
            for share in &shares {
                let bill = open.iter().find(|b| b.id == share.bill).unwrap();
                let due = if share.part == Part::LateFee { bill.late } else { bill.rest };
                prop_assert!(share.amount > 0 && share.amount <= due);
            }
            let paid = |b: &Open| shares.iter().filter(|s| s.bill == b.id).map(|s| s.amount).sum::<i64>();
            for (older, younger) in open.iter().flat_map(|a| open.iter().map(move |b| (a, b))).filter(|(a, b)| a.due < b.due) {
                prop_assert!(paid(younger) == 0 || paid(older) == older.owed());
            }
        }
    }
}
