//! What late fee comes to (9.4), pure: worked out anew from the whole history of a bill, so that the order of what happens on one day
//! does not matter and a payment that is taken back leaves no trace.

use calendar::NaiveDate;
use money::{Exact, Money};

use crate::{
    dispute::model::{Pause, counted},
    refusal::Refusal,
    words::words,
};

words! {
    /// Where a waiver stands.
    pub enum WaiverState {
        /// Proposed.
        Proposed "PROPOSED",
        /// Approved.
        Approved "APPROVED",
        /// Rejected.
        Rejected "REJECTED",
    }
}

/// What happens to a waiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Somebody else approves it.
    Approve,
    /// Somebody else rejects it.
    Reject,
}

/// The legal moves.
const MOVES: [(WaiverState, Action, WaiverState); 2] = [
    (WaiverState::Proposed, Action::Approve, WaiverState::Approved),
    (WaiverState::Proposed, Action::Reject, WaiverState::Rejected),
];

/// Moves a waiver.
///
/// # Errors
/// WAIVER_DECIDED where the move is not legal.
pub fn step(state: WaiverState, action: Action) -> Result<WaiverState, Refusal> {
    MOVES
        .iter()
        .find(|(from, by, _)| *from == state && *by == action)
        .map(|(_, _, to)| *to)
        .ok_or(Refusal::WaiverDecided)
}

/// The terms of late fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Of a day, in millionths of what is unpaid.
    pub millionths: i32,
    /// Most of it, percent of the bill.
    pub cap_percent: i32,
}

/// A bill as late fee sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debt {
    /// What was billed, fen.
    pub amount: i64,
    /// Days after this one count: the due day, or the day of delivery where that is later.
    pub start: NaiveDate,
    /// What of the bill itself was paid on which day, in any order; payments that were taken back are left out.
    pub paid: Vec<(NaiveDate, i64)>,
    /// Days that do not count.
    pub pauses: Vec<Pause>,
}

/// What accrued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accrued {
    /// Fen.
    pub fen: i64,
    /// Days that count, while something was unpaid.
    pub days: i64,
}

/// Late fee up to and with `today`: for each day the rate of what was unpaid when the day began, rounded half up once, capped. A payment
/// lowers the base from the next day on.
pub fn accrue(rate: Rate, debt: &Debt, today: NaiveDate) -> Accrued {
    let mut paid = debt.paid.clone();
    paid.sort_unstable();
    let (mut base, mut reached) = (debt.amount, debt.start);
    let (mut sum, mut days) = (0_i128, 0_i64);
    let mut pass = |base: i64, from: NaiveDate, to: NaiveDate| {
        let counted = if base > 0 { counted(from, to, &debt.pauses) } else { 0 };
        days = days.saturating_add(counted);
        sum = sum.saturating_add(i128::from(base).saturating_mul(i128::from(counted)));
    };
    for (day, amount) in paid.into_iter().filter(|(day, _)| *day <= today) {
        if day > reached {
            pass(base, reached, day);
            reached = day;
        }
        base = base.saturating_sub(amount).max(0);
    }
    pass(base, reached, today);
    // A millionth of a fen is ten of the units in which exact amounts are kept.
    let exact = Exact::from_nanos(sum.saturating_mul(i128::from(rate.millionths.max(0))).saturating_mul(10));
    let fen = exact.round_half_up().unwrap_or(Money::MAX).fen();
    Accrued {
        fen: fen.min(cap(rate, debt.amount)),
        days,
    }
}

/// Most late fee of a bill, fen.
fn cap(rate: Rate, amount: i64) -> i64 {
    let percent = i128::from(rate.cap_percent.clamp(0, 100));
    i64::try_from(i128::from(amount.max(0)).saturating_mul(percent) / 100).unwrap_or(amount.max(0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use calendar::TimeDelta;
    use contracts::hearth::billing::v1 as proto;
    use proptest::prelude::*;

    use super::*;

    const DUE: NaiveDate = NaiveDate::from_ymd_opt(2025, 1, 31).unwrap();

    fn day(n: i64) -> NaiveDate {
        DUE + TimeDelta::days(n)
    }

    fn rate(millionths: i32) -> Rate {
        Rate { millionths, cap_percent: 100 }
    }

    fn debt(amount: i64) -> Debt {
        Debt {
            amount,
            start: DUE,
            paid: vec![],
            pauses: vec![],
        }
    }

    fn fen(millionths: i32, debt: &Debt, days: i64) -> i64 {
        accrue(rate(millionths), debt, day(days)).fen
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = WaiverState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "STATE_", |n| proto::late_fee_waiver::State::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn table_of_moves() {
        use WaiverState::*;
        let table = [(Proposed, [Some(Approved), Some(Rejected)]), (Approved, [None, None]), (Rejected, [None, None])];
        assert_eq!(table.len(), WaiverState::ALL.len());
        for (state, row) in table {
            for (action, to) in [Action::Approve, Action::Reject].into_iter().zip(row) {
                assert_eq!(step(state, action).ok(), to, "{state:?} {action:?}");
            }
        }
    }

    #[test]
    fn late_fee_9_4_of_ten_days_in_tianjin() {
        // H-TJ: 2500 x 2 per mille x 10 days.
        assert_eq!(fen(2000, &debt(250_000), 10), 5000);
    }

    #[test]
    fn edge_26_fifteen_days_and_the_cap() {
        assert_eq!(
            accrue(rate(3000), &debt(10_000), NaiveDate::from_ymd_opt(2025, 2, 15).unwrap()),
            Accrued { fen: 450, days: 15 }
        );
        assert_eq!(fen(3000, &debt(10_000), 400), 10_000);
        let half = Rate {
            millionths: 3000,
            cap_percent: 50,
        };
        assert_eq!(accrue(half, &debt(10_000), day(400)).fen, 5000);
    }

    #[test]
    fn edge_27_half_a_per_mille_is_rounded_once() {
        // 123.45 x 0.0005 x 37 = 2.283825
        assert_eq!(fen(500, &debt(12_345), 37), 228);
    }

    #[test]
    fn late_fee_9_4_starts_on_the_day_after() {
        assert_eq!(
            (fen(2000, &debt(10_000), -5), fen(2000, &debt(10_000), 0), fen(2000, &debt(10_000), 1)),
            (0, 0, 20)
        );
    }

    #[test]
    fn late_fee_9_4_part_payment_lowers_the_base_from_the_next_day() {
        let mut debt = debt(10_000);
        debt.paid = vec![(day(5), 6000)];
        // Five days on 100.00, five on 40.00, at 2 per mille.
        assert_eq!(accrue(rate(2000), &debt, day(10)), Accrued { fen: 100 + 40, days: 10 });
        debt.paid.push((day(-3), 1000));
        assert_eq!(fen(2000, &debt, 10), 90 + 30, "what was paid before the due day never counts");
        debt.paid.push((day(8), 3000));
        assert_eq!(
            accrue(rate(2000), &debt, day(30)),
            Accrued { fen: 90 + 18, days: 8 },
            "nothing after all is paid"
        );
    }

    #[test]
    fn e2_06_disputed_days_do_not_count() {
        let mut debt = debt(10_000);
        debt.pauses = vec![Pause {
            after: day(4),
            until: Some(day(7)),
        }];
        assert_eq!(accrue(rate(2000), &debt, day(10)), Accrued { fen: 140, days: 7 });
    }

    #[derive(Clone, Debug)]
    struct Story {
        debt: Debt,
        rate: Rate,
    }

    fn story() -> impl Strategy<Value = Story> {
        let paid = proptest::collection::vec((-5_i64..200, 1_i64..40_000), 0..6);
        let pauses = proptest::collection::vec((-5_i64..200, 0_i64..30), 0..3);
        (1_i64..1_000_000, 0_i32..=10_000, 0_i32..=100, paid, pauses).prop_map(|(amount, millionths, cap_percent, paid, pauses)| Story {
            debt: Debt {
                amount,
                start: DUE,
                paid: paid.into_iter().map(|(n, fen)| (day(n), fen)).collect(),
                pauses: pauses
                    .into_iter()
                    .map(|(n, days)| Pause {
                        after: day(n),
                        until: Some(day(n + days)),
                    })
                    .collect(),
            },
            rate: Rate { millionths, cap_percent },
        })
    }

    /// Day by day, as the policy says it.
    fn naive(story: &Story, days: i64) -> i64 {
        let mut sum = 0_i128;
        for n in 1..=days {
            let paid: i64 = story.debt.paid.iter().filter(|(d, _)| *d < day(n)).map(|(_, fen)| fen).sum();
            let paused = story.debt.pauses.iter().any(|p| p.after < day(n) && p.until.unwrap() >= day(n));
            if !paused {
                sum += i128::from((story.debt.amount - paid).max(0));
            }
        }
        let micro = sum * i128::from(story.rate.millionths);
        let fen = i64::try_from((micro + 500_000) / 1_000_000).unwrap();
        fen.min(story.debt.amount * i64::from(story.rate.cap_percent) / 100)
    }

    proptest! {
        #[test]
        fn late_fee_9_4_is_never_negative_and_never_above_the_cap(story in story(), days in -10_i64..3000) {
            let fee = accrue(story.rate, &story.debt, day(days)).fen;
            prop_assert!(fee >= 0 && fee <= story.debt.amount * i64::from(story.rate.cap_percent) / 100);
        }

        #[test]
        fn late_fee_9_4_never_falls_with_the_days(story in story(), days in 0_i64..400) {
            prop_assert!(accrue(story.rate, &story.debt, day(days)).fen <= accrue(story.rate, &story.debt, day(days + 1)).fen);
        }

        #[test]
        fn late_fee_9_4_order_within_a_day_does_not_matter(story in story(), days in 0_i64..300) {
            let mut other = story.debt.clone();
            other.paid.reverse();
            other.pauses.reverse();
            prop_assert_eq!(accrue(story.rate, &story.debt, day(days)), accrue(story.rate, &other, day(days)));
        }

        #[test]
        fn late_fee_9_4_is_what_the_days_add_up_to(story in story(), days in 0_i64..300) {
            prop_assert_eq!(accrue(story.rate, &story.debt, day(days)).fen, naive(&story, days));
        }

        #[test]
        fn late_fee_9_4_payment_taken_back_restores_it(story in story(), days in 0_i64..300, paid in (0_i64..300, 1_i64..40_000)) {
            let mut with = story.debt.clone();
            with.paid.push((day(paid.0), paid.1));
            prop_assert!(accrue(story.rate, &with, day(days)).fen <= accrue(story.rate, &story.debt, day(days)).fen);
        }
    }
}
