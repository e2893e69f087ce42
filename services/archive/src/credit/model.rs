//! Rules of credit: who may do which step, what a rating turns into, when a lock closes.

pub mod exposure;
pub mod score;

use chrono::{Months, NaiveDate};

use crate::{refusal::Refusal, words};

words! {
    /// Where a rating stands (section B of the credit policy).
    pub enum RatingState {
        /// Facts are being collected.
        Collecting "COLLECTING",
        /// Scored by the rater.
        Scored "SCORED",
        /// Sent back.
        Returned "RETURNED",
        /// Reviewed.
        Reviewed "REVIEWED",
        /// Approved; an upgrade waits.
        Approved "APPROVED",
        /// In effect.
        Effective "EFFECTIVE",
        /// In effect, and to be made anew.
        ReviewDue "REVIEW_DUE",
        /// Followed by another one.
        Superseded "SUPERSEDED",
    }
}

words! {
    /// What moves a rating.
    pub enum RatingAction {
        /// The rater scores it.
        Score "SCORE",
        /// The reviewer confirms it.
        Review "REVIEW",
        /// It is sent back. An approver may do so too: a rating that nobody can refuse would block the next one.
        Return "RETURN",
        /// The approver approves it.
        Approve "APPROVE",
        /// Its day has come.
        TakeEffect "TAKE_EFFECT",
        /// A year is over, or something happened.
        FallDue "FALL_DUE",
        /// Another one takes effect.
        Supersede "SUPERSEDE",
    }
}

const RATING: &[(RatingState, RatingAction, RatingState)] = &[
    (RatingState::Collecting, RatingAction::Score, RatingState::Scored),
    (RatingState::Returned, RatingAction::Score, RatingState::Scored),
    (RatingState::Scored, RatingAction::Review, RatingState::Reviewed),
    (RatingState::Scored, RatingAction::Return, RatingState::Returned),
    (RatingState::Reviewed, RatingAction::Return, RatingState::Returned),
    (RatingState::Reviewed, RatingAction::Approve, RatingState::Approved),
    (RatingState::Approved, RatingAction::TakeEffect, RatingState::Effective),
    (RatingState::Effective, RatingAction::FallDue, RatingState::ReviewDue),
    (RatingState::Effective, RatingAction::Supersede, RatingState::Superseded),
    (RatingState::ReviewDue, RatingAction::Supersede, RatingState::Superseded),
];

words! {
    /// Where a line stands (section B of the credit policy).
    pub enum LineState {
        /// Proposed.
        Proposed "PROPOSED",
        /// Approved; begins later.
        Approved "APPROVED",
        /// In use.
        Active "ACTIVE",
        /// No new credit for now.
        Frozen "FROZEN",
        /// Ended by its day.
        Expired "EXPIRED",
        /// Given up, or followed by another one.
        Cancelled "CANCELLED",
    }
}

words! {
    /// What moves a line.
    pub enum LineAction {
        /// It is approved.
        Approve "APPROVE",
        /// Its first day has come.
        Activate "ACTIVATE",
        /// No new credit.
        Freeze "FREEZE",
        /// Credit again.
        Unfreeze "UNFREEZE",
        /// Its last day is over.
        Expire "EXPIRE",
        /// It is given up.
        Cancel "CANCEL",
    }
}

const LINE: &[(LineState, LineAction, LineState)] = &[
    (LineState::Proposed, LineAction::Approve, LineState::Approved),
    (LineState::Approved, LineAction::Activate, LineState::Active),
    (LineState::Active, LineAction::Freeze, LineState::Frozen),
    (LineState::Frozen, LineAction::Unfreeze, LineState::Active),
    (LineState::Active, LineAction::Expire, LineState::Expired),
    (LineState::Frozen, LineAction::Expire, LineState::Expired),
    (LineState::Proposed, LineAction::Cancel, LineState::Cancelled),
    (LineState::Approved, LineAction::Cancel, LineState::Cancelled),
    (LineState::Active, LineAction::Cancel, LineState::Cancelled),
    (LineState::Frozen, LineAction::Cancel, LineState::Cancelled),
];

words! {
    /// Where a lock stands.
    pub enum HoldState {
        /// Closed.
        Raised "RAISED",
        /// On the list of a mass breach.
        InReview "IN_REVIEW",
        /// Let pass until the breach ends.
        Waived "WAIVED",
        /// The breach has ended.
        Cleared "CLEARED",
    }
}

words! {
    /// What moves a lock.
    pub enum HoldAction {
        /// The breach turns out to be one of many.
        PutInReview "PUT_IN_REVIEW",
        /// A person raises it.
        Raise "RAISE",
        /// A person lets it pass.
        Waive "WAIVE",
        /// The breach ends.
        Clear "CLEAR",
    }
}

const HOLD: &[(HoldState, HoldAction, HoldState)] = &[
    (HoldState::Raised, HoldAction::PutInReview, HoldState::InReview),
    (HoldState::InReview, HoldAction::Raise, HoldState::Raised),
    (HoldState::InReview, HoldAction::Waive, HoldState::Waived),
    (HoldState::Raised, HoldAction::Clear, HoldState::Cleared),
    (HoldState::InReview, HoldAction::Clear, HoldState::Cleared),
    (HoldState::Waived, HoldAction::Clear, HoldState::Cleared),
];

words! {
    /// Where a designation stands.
    pub enum KeyState {
        /// A key account.
        Active "ACTIVE",
        /// Too little was performed.
        Downgraded "DOWNGRADED",
        /// Taken back.
        Withdrawn "WITHDRAWN",
    }
}

words! {
    /// What moves a designation.
    pub enum KeyAction {
        /// B-02: less than 75 % was performed.
        Downgrade "DOWNGRADE",
        /// It is taken back.
        Withdraw "WITHDRAW",
    }
}

const KEY: &[(KeyState, KeyAction, KeyState)] = &[
    (KeyState::Active, KeyAction::Downgrade, KeyState::Downgraded),
    (KeyState::Active, KeyAction::Withdraw, KeyState::Withdrawn),
];

words! {
    /// One of the two locks of B-05.
    pub enum Lock {
        /// The exposure is over the limit.
        Limit "LIMIT",
        /// Something is unpaid for longer than the term.
        Term "TERM",
    }
}

words! {
    /// Kind of a guarantee.
    pub enum GuaranteeKind {
        /// Deposit.
        Deposit "DEPOSIT",
        /// Bank letter.
        BankLetter "BANK_LETTER",
        /// Pledge.
        Pledge "PLEDGE",
    }
}

words! {
    /// Where a guarantee stands.
    pub enum GuaranteeState {
        /// Held.
        Held "HELD",
        /// Given back.
        Released "RELEASED",
    }
}

words! {
    /// What moves a guarantee.
    pub enum GuaranteeAction {
        /// It is given back.
        Release "RELEASE",
    }
}

const GUARANTEE: &[(GuaranteeState, GuaranteeAction, GuaranteeState)] = &[(GuaranteeState::Held, GuaranteeAction::Release, GuaranteeState::Released)];

words! {
    /// Segment of a key account.
    pub enum Segment {
        /// Industry.
        Industry "INDUSTRY",
        /// Commerce.
        Commerce "COMMERCE",
        /// Public welfare.
        PublicWelfare "PUBLIC_WELFARE",
        /// Heating boiler.
        HeatingBoiler "HEATING_BOILER",
        /// Compressed natural gas.
        Cng "CNG",
        /// Another one.
        Other "OTHER",
    }
}

words! {
    /// Credit grade, best first.
    pub enum Grade {
        /// Above 90 points.
        Aaa "AAA",
        /// Above 80 points.
        Aa "AA",
        /// Above 70 points.
        A "A",
        /// Above 60 points.
        B "B",
        /// The rest.
        C "C",
    }
}

impl Grade {
    /// Whether this grade is better than another.
    pub fn better_than(self, other: Self) -> bool {
        self < other
    }
}

fn find<S: Copy + PartialEq, A: Copy + PartialEq>(table: &[(S, A, S)], from: S, action: A) -> Option<S> {
    table.iter().find(|(state, by, _)| *state == from && *by == action).map(|(.., to)| *to)
}

/// The state of a rating after an action.
///
/// # Errors
/// [`Refusal::RatingState`].
pub fn rate(from: RatingState, action: RatingAction) -> Result<RatingState, Refusal> {
    find(RATING, from, action).ok_or(Refusal::RatingState)
}

/// The state of a line after an action.
///
/// # Errors
/// [`Refusal::LineState`].
pub fn line(from: LineState, action: LineAction) -> Result<LineState, Refusal> {
    find(LINE, from, action).ok_or(Refusal::LineState)
}

/// The state of a lock after an action.
///
/// # Errors
/// [`Refusal::HoldState`].
pub fn hold(from: HoldState, action: HoldAction) -> Result<HoldState, Refusal> {
    find(HOLD, from, action).ok_or(Refusal::HoldState)
}

/// The state of a designation after an action.
///
/// # Errors
/// [`Refusal::KeyAccountState`].
pub fn key(from: KeyState, action: KeyAction) -> Result<KeyState, Refusal> {
    find(KEY, from, action).ok_or(Refusal::KeyAccountState)
}

/// The state of a guarantee after an action.
///
/// # Errors
/// [`Refusal::GuaranteeReleased`].
pub fn guarantee(from: GuaranteeState, action: GuaranteeAction) -> Result<GuaranteeState, Refusal> {
    find(GUARANTEE, from, action).ok_or(Refusal::GuaranteeReleased)
}

/// B-08: whoever acts is none of those who acted before.
///
/// # Errors
/// [`Refusal::CreditSamePerson`].
pub fn another_person(acts: &str, before: &[&str]) -> Result<(), Refusal> {
    if before.contains(&acts) { Err(Refusal::CreditSamePerson) } else { Ok(()) }
}

/// B-08: an account manager decides nothing about the own account.
///
/// # Errors
/// [`Refusal::CreditOwnAccount`].
pub fn not_own_account(acts: &str, manager: Option<&str>) -> Result<(), Refusal> {
    if manager == Some(acts) { Err(Refusal::CreditOwnAccount) } else { Ok(()) }
}

/// Approvals that the exception from the cap needs (B-03).
pub const EXCEPTION_APPROVALS: usize = 2;

/// Whether an approval may be given to the exception: the one that makes it hold is that of a leader (总经理), as of every exception.
///
/// # Errors
/// [`Refusal::CreditNeedsLeader`].
pub fn may_lift(approvals: usize, leader: bool) -> Result<(), Refusal> {
    if leader || approvals < EXCEPTION_APPROVALS {
        Ok(())
    } else {
        Err(Refusal::CreditNeedsLeader)
    }
}

/// B-03: the grade that holds. A cap leaves nothing above A, unless two people approved the exception; a C stays a C.
pub fn capped(scored: Grade, capped: bool, exceptions: usize) -> Grade {
    if capped && exceptions < EXCEPTION_APPROVALS && scored.better_than(Grade::A) {
        Grade::A
    } else {
        scored
    }
}

/// B-06: the day on which a rating is to be made anew: a year after it took effect.
pub fn next_review(effective: NaiveDate) -> NaiveDate {
    effective.checked_add_months(Months::new(12)).unwrap_or(NaiveDate::MAX)
}

/// B-07: the day on which an approved rating takes effect: at once, save for an upgrade, which waits for the review day of the rating before.
/// `current`: its grade, its review day, and whether the review is due already.
pub fn effective_from(today: NaiveDate, grade: Grade, current: Option<(Grade, NaiveDate, bool)>) -> NaiveDate {
    match current {
        Some((before, review, due)) if grade.better_than(before) && !due => today.max(review),
        _ => today,
    }
}

/// B-04: the limit in fen, rounded down to 100 yuan: average of the delivering months × term / 30 × factor.
pub fn limit(delivered: i64, months: i64, term_days: i64, factor_bp: i64) -> Option<i64> {
    const STEP: i128 = 10_000;
    if months <= 0 || delivered <= 0 {
        return Some(0);
    }
    let upper = i128::from(delivered).checked_mul(i128::from(term_days))?.checked_mul(i128::from(factor_bp))?;
    let lower = i128::from(months).checked_mul(30 * 10_000)?.checked_mul(STEP)?;
    i64::try_from(upper.checked_div(lower)?.checked_mul(STEP)?).ok()
}

/// Which locks a party's figures close (B-05). Exactly at the limit, and on the last day of the term, nothing is wrong.
pub fn breaches(exposure: i64, limit: i64, days_over_term: i64) -> [(Lock, bool); 2] {
    [(Lock::Limit, exposure > limit), (Lock::Term, days_over_term > 0)]
}

/// What the locks that are raised are called in the event.
pub fn cause(raised: &[Lock]) -> &'static str {
    match (raised.contains(&Lock::Limit), raised.contains(&Lock::Term)) {
        (true, true) => "OVER_LIMIT_AND_TERM",
        (true, false) => "OVER_LIMIT",
        (false, true) => "OVER_TERM",
        (false, false) => "",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::archive::v1 as proto;
    use proptest::prelude::*;

    use super::*;
    use testbed::assert_contract;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// The whole table: all pairs that are not named are illegal.
    fn assert_table<S: Copy + PartialEq + std::fmt::Debug, A: Copy + PartialEq + std::fmt::Debug>(
        states: &[S],
        actions: &[A],
        legal: &[(S, A, S)],
        step: impl Fn(S, A) -> Result<S, Refusal>,
        refusal: Refusal,
    ) {
        for from in states {
            for action in actions {
                let wanted = legal.iter().find(|(s, a, _)| s == from && a == action).map(|(.., to)| *to);
                assert_eq!(step(*from, *action), wanted.ok_or(refusal), "{from:?} {action:?}");
            }
        }
    }

    #[test]
    fn every_transition_of_a_rating() {
        use RatingAction::{Approve, FallDue, Return, Review, Score, Supersede, TakeEffect};
        use RatingState::{Approved, Collecting, Effective, Returned, ReviewDue, Reviewed, Scored, Superseded};
        let legal = [
            (Collecting, Score, Scored),
            (Scored, Return, Returned),
            (Returned, Score, Scored),
            (Scored, Review, Reviewed),
            (Reviewed, Return, Returned),
            (Reviewed, Approve, Approved),
            (Approved, TakeEffect, Effective),
            (Effective, FallDue, ReviewDue),
            (Effective, Supersede, Superseded),
            (ReviewDue, Supersede, Superseded),
        ];
        assert_table(RatingState::ALL, RatingAction::ALL, &legal, rate, Refusal::RatingState);
    }

    #[test]
    fn every_transition_of_a_line() {
        use LineAction::{Activate, Approve, Cancel, Expire, Freeze, Unfreeze};
        use LineState::{Active, Approved, Cancelled, Expired, Frozen, Proposed};
        let legal = [
            (Proposed, Approve, Approved),
            (Approved, Activate, Active),
            (Active, Freeze, Frozen),
            (Frozen, Unfreeze, Active),
            (Active, Expire, Expired),
            (Frozen, Expire, Expired),
            (Proposed, Cancel, Cancelled),
            (Approved, Cancel, Cancelled),
            (Active, Cancel, Cancelled),
            (Frozen, Cancel, Cancelled),
        ];
        assert_table(LineState::ALL, LineAction::ALL, &legal, line, Refusal::LineState);
    }

    #[test]
    fn every_transition_of_a_guarantee() {
        let legal = [(GuaranteeState::Held, GuaranteeAction::Release, GuaranteeState::Released)];
        assert_table(GuaranteeState::ALL, GuaranteeAction::ALL, &legal, guarantee, Refusal::GuaranteeReleased);
    }

    #[test]
    fn every_transition_of_a_lock_and_of_a_designation() {
        use HoldAction::{Clear, PutInReview, Raise, Waive};
        use HoldState::{Cleared, InReview, Raised, Waived};
        let legal = [
            (Raised, PutInReview, InReview),
            (InReview, Raise, Raised),
            (InReview, Waive, Waived),
            (Raised, Clear, Cleared),
            (InReview, Clear, Cleared),
            (Waived, Clear, Cleared),
        ];
        assert_table(HoldState::ALL, HoldAction::ALL, &legal, hold, Refusal::HoldState);
        let legal = [
            (KeyState::Active, KeyAction::Downgrade, KeyState::Downgraded),
            (KeyState::Active, KeyAction::Withdraw, KeyState::Withdrawn),
        ];
        assert_table(KeyState::ALL, KeyAction::ALL, &legal, key, Refusal::KeyAccountState);
    }

    #[test]
    fn words_are_those_of_the_contract() {
        macro_rules! same {
            ($words:ty, $prefix:literal, $contract:ty) => {
                let words: Vec<_> = <$words>::ALL.iter().map(|w| (w.number(), w.code())).collect();
                assert_contract(&words, $prefix, |n| <$contract>::try_from(n).ok().map(|v| v.as_str_name()));
            };
        }
        same!(LineState, "STATE_", proto::credit_line::State);
        same!(HoldState, "STATE_", proto::credit_hold::State);
        same!(KeyState, "STATE_", proto::key_account::State);
        same!(Lock, "LOCK_", proto::credit_hold::Lock);
        same!(GuaranteeKind, "KIND_", proto::guarantee::Kind);
        same!(GuaranteeState, "STATE_", proto::guarantee::State);
        same!(Segment, "SEGMENT_", proto::key_account::Segment);
        same!(Grade, "GRADE_", proto::Grade);
        same!(RatingState, "STATE_", proto::credit_rating::State);
        same!(score::Factor, "FACTOR_", proto::Factor);
        same!(score::Signal, "SIGNAL_", proto::credit_rating::Signal);
    }

    #[test]
    fn b_03_the_cap_needs_two_approvals_and_never_lifts_a_hard_stop() {
        assert_eq!(capped(Grade::Aaa, true, 0), Grade::A);
        assert_eq!(capped(Grade::Aa, true, 1), Grade::A);
        assert_eq!(capped(Grade::Aa, true, 2), Grade::Aa);
        assert_eq!(capped(Grade::Aaa, false, 0), Grade::Aaa);
        assert_eq!(capped(Grade::B, true, 0), Grade::B);
        assert_eq!(capped(Grade::C, true, 2), Grade::C);
        for (approvals, leader, expected) in [
            (1, false, Ok(())),
            (1, true, Ok(())),
            (2, false, Err(Refusal::CreditNeedsLeader)),
            (2, true, Ok(())),
        ] {
            assert_eq!(may_lift(approvals, leader), expected, "{approvals} {leader}");
        }
    }

    #[test]
    fn b_04_limits_are_rounded_down_to_100_yuan() {
        // 11.3: 9 delivering months, total 900 000.00, term 30, A (80 %): 80 000.00.
        assert_eq!(limit(90_000_000, 9, 30, 8000), Some(8_000_000));
        // 100 000.00 × 15/30 × 60 % = 30 000.00; a fen less falls to the step below.
        assert_eq!(limit(10_000_000, 1, 15, 6000), Some(3_000_000));
        assert_eq!(limit(9_999_999, 1, 15, 6000), Some(2_990_000));
        assert_eq!(limit(90_000_000, 9, 30, 0), Some(0));
        assert_eq!(limit(0, 0, 30, 10_000), Some(0));
    }

    #[test]
    fn b_05_limit_and_term_are_two_locks() {
        assert_eq!(breaches(100, 100, 0), [(Lock::Limit, false), (Lock::Term, false)]);
        assert_eq!(breaches(101, 100, 0), [(Lock::Limit, true), (Lock::Term, false)]);
        assert_eq!(breaches(1, 100, 1), [(Lock::Limit, false), (Lock::Term, true)]);
        assert_eq!(cause(&[Lock::Term, Lock::Limit]), "OVER_LIMIT_AND_TERM");
        assert_eq!(cause(&[Lock::Term]), "OVER_TERM");
        assert_eq!(cause(&[Lock::Limit]), "OVER_LIMIT");
    }

    #[test]
    fn b_06_and_b_07_days_of_effect() {
        let (today, review) = (day("2025-03-01"), day("2025-09-01"));
        assert_eq!(effective_from(today, Grade::A, None), today);
        assert_eq!(effective_from(today, Grade::B, Some((Grade::A, review, false))), today);
        assert_eq!(effective_from(today, Grade::A, Some((Grade::A, review, false))), today);
        assert_eq!(effective_from(today, Grade::Aa, Some((Grade::A, review, false))), review);
        assert_eq!(effective_from(today, Grade::Aa, Some((Grade::A, review, true))), today);
        assert_eq!(next_review(day("2024-02-29")), day("2025-02-28"));
    }

    #[test]
    fn b_08_three_people_and_not_the_manager() {
        assert_eq!(another_person("li", &["wang", "li"]), Err(Refusal::CreditSamePerson));
        assert_eq!(another_person("li", &["wang"]), Ok(()));
        assert_eq!(not_own_account("li", Some("li")), Err(Refusal::CreditOwnAccount));
        assert_eq!(not_own_account("li", None), Ok(()));
    }

    proptest! {
        #[test]
        fn b_04_a_limit_is_the_largest_step_below_the_product(delivered in 0_i64..1_000_000_000_000, months in 1_i64..=12, term in 1_i64..=180, factor in 0_i64..=30_000) {
            let limit = i128::from(limit(delivered, months, term, factor).unwrap());
            // Compared without a division: limit ≤ product < limit + 100 yuan.
            let product = i128::from(delivered) * i128::from(term) * i128::from(factor);
            let whole = i128::from(months) * 30 * 10_000;
            prop_assert_eq!(limit % 10_000, 0);
            prop_assert!(limit * whole <= product && product < (limit + 10_000) * whole);
        }
    }
}
