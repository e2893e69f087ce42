//! What a payment pays (domain 9.5), pure.

use calendar::NaiveDate;
use uuid::Uuid;

use crate::words::words;

words! {
    /// Where a payment stands.
    pub enum PaymentState {
        /// Taken.
        Taken "TAKEN",
        /// Reversed.
        Reversed "REVERSED",
    }
}

/// An open bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    pub id: Uuid,
    pub due: NaiveDate,
    /// Fen that are not paid yet; more than 0.
    pub rest: i64,
}

/// A share of a payment for a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub bill: Uuid,
    /// Fen.
    pub amount: i64,
}

/// Shares `amount` among open bills: those named first, in the order named; then the oldest due first; bills due on one day in
/// proportion to what is open, by largest remainder, ties to the bill with the lower id. What is left over pays no bill.
pub fn allocate(amount: i64, named: &[Uuid], open: &[Open]) -> (Vec<Share>, i64) {
    let mut left = amount.max(0);
    let mut shares = vec![];
    for id in named {
        if let Some(bill) = open.iter().find(|b| b.id == *id && !shares.iter().any(|s: &Share| s.bill == b.id)) {
            pay(&mut shares, &mut left, bill.id, bill.rest);
        }
    }
    let mut rest: Vec<Open> = open.iter().copied().filter(|b| b.rest > 0 && !named.contains(&b.id)).collect();
    rest.sort_by_key(|b| (b.due, b.id));
    let mut at = rest.as_slice();
    while let Some(first) = at.first() {
        let (group, later) = at.split_at(at.iter().take_while(|b| b.due == first.due).count());
        let owed: i64 = group.iter().map(|b| b.rest).fold(0, i64::saturating_add);
        if left >= owed {
            for bill in group {
                pay(&mut shares, &mut left, bill.id, bill.rest);
            }
        } else {
            let weights: Vec<u64> = group.iter().map(|b| b.rest.unsigned_abs()).collect();
            // Weights are never all zero: each rest is above it.
            let parts = money::allocate(left, &weights).unwrap_or_default();
            for (bill, part) in group.iter().zip(parts) {
                pay(&mut shares, &mut left, bill.id, part);
            }
            break;
        }
        at = later;
    }
    (shares, left)
}

fn pay(shares: &mut Vec<Share>, left: &mut i64, bill: Uuid, wanted: i64) {
    let amount = wanted.min(*left);
    if amount > 0 {
        *left -= amount;
        shares.push(Share { bill, amount });
    }
}

/// What stands of a payment's shares, the last one first: how a reversal takes them back. Negative shares cancel the latest
/// positive ones of the same bill.
pub fn standing(shares: &[Share]) -> Vec<Share> {
    let mut standing: Vec<Share> = vec![];
    for share in shares {
        if share.amount > 0 {
            standing.push(*share);
            continue;
        }
        let mut back = share.amount.saturating_neg();
        for earlier in standing.iter_mut().rev().filter(|s| s.bill == share.bill) {
            let taken = back.min(earlier.amount);
            earlier.amount -= taken;
            back -= taken;
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
        }
    }

    fn share(n: u128, amount: i64) -> Share {
        Share {
            bill: Uuid::from_u128(n),
            amount,
        }
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = PaymentState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        crate::words::assert_contract(&words, "STATE_", |n| proto::payment::State::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn edge_24_oldest_due_first() {
        // 115.00 on A 100.00 (older) and B 60.00; the late fee of the page's case comes with dunning.
        assert_eq!(
            allocate(11_500, &[], &[bill(2, 20, 6000), bill(1, 10, 10_000)]),
            (vec![share(1, 10_000), share(2, 1500)], 0)
        );
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
    }

    proptest! {
        #[test]
        fn p_9_5_nothing_is_lost_and_no_bill_is_overpaid(amount in 0_i64..2_000_000, rests in proptest::collection::vec((1_u32..28, 1_i64..500_000), 0..8)) {
            let open: Vec<_> = (1..).zip(&rests).map(|(n, (day, rest))| bill(n, *day, *rest)).collect();
            let (shares, left) = allocate(amount, &[], &open);
            prop_assert_eq!(shares.iter().map(|s| s.amount).sum::<i64>() + left, amount);
            for share in &shares {
                let bill = open.iter().find(|b| b.id == share.bill).unwrap();
                prop_assert!(share.amount > 0 && share.amount <= bill.rest);
            }
            let paid = |b: &Open| shares.iter().find(|s| s.bill == b.id).map_or(0, |s| s.amount);
            for (older, younger) in open.iter().flat_map(|a| open.iter().map(move |b| (a, b))).filter(|(a, b)| a.due < b.due) {
                prop_assert!(paid(younger) == 0 || paid(older) == older.rest);
            }
        }
    }
}
