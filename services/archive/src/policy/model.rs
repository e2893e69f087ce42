//! Rules of policy documents: who may do which step, which days a version covers, what prevails in a conflict, who has read what.

use chrono::{Days, Months, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::{refusal::Refusal, words};

words! {
    /// Type of a document (标准类型).
    pub enum Type {
        /// Management standard (管理标准).
        Management "MANAGEMENT",
        /// Technical standard (技术标准).
        Technical "TECHNICAL",
        /// Work standard (工作标准).
        Work "WORK",
    }
}

words! {
    /// Level at which a policy is made, from the highest.
    pub enum Level {
        /// The group (集团).
        Group "GROUP",
        /// The company (公司).
        Company "COMPANY",
        /// A department (部门).
        Department "DEPARTMENT",
    }
}

words! {
    /// Confidentiality (保密等级), from open to closed (D-06).
    pub enum Secrecy {
        /// Public (公开).
        Public "PUBLIC",
        /// Internal (NB, 内部).
        Internal "INTERNAL",
        /// Secret (秘密).
        Secret "SECRET",
        /// Top secret (机密).
        TopSecret "TOP_SECRET",
    }
}

words! {
    /// Where a version stands (D-01).
    pub enum State {
        /// Drafted.
        Draft "DRAFT",
        /// Waits for the reviewer.
        Reviewing "REVIEWING",
        /// Waits for countersigners and approver.
        Countersigning "COUNTERSIGNING",
        /// Waits for its issue.
        Approved "APPROVED",
        /// Waits for its day.
        Issued "ISSUED",
        /// In force.
        Effective "EFFECTIVE",
        /// A later version is in force.
        Superseded "SUPERSEDED",
        /// Given up, withdrawn, or its validity has ended.
        Withdrawn "WITHDRAWN",
    }
}

words! {
    /// What moves a version.
    pub enum Action {
        /// The drafter changes it.
        Revise "REVISE",
        /// The drafter hands it in.
        Submit "SUBMIT",
        /// The reviewer passes it.
        Review "REVIEW",
        /// A countersigner signs.
        Countersign "COUNTERSIGN",
        /// The approver approves it.
        Approve "APPROVE",
        /// It goes back to its drafter.
        Return "RETURN",
        /// It is issued.
        Issue "ISSUE",
        /// Its day has come.
        TakeEffect "TAKE_EFFECT",
        /// A later version is in force.
        Supersede "SUPERSEDE",
        /// Its validity has ended.
        Lapse "LAPSE",
        /// It is withdrawn.
        Withdraw "WITHDRAW",
    }
}

/// The steps of a version.
pub const TRANSITIONS: &[(State, Action, State)] = &[
    (State::Draft, Action::Revise, State::Draft),
    (State::Draft, Action::Submit, State::Reviewing),
    (State::Draft, Action::Withdraw, State::Withdrawn),
    (State::Reviewing, Action::Review, State::Countersigning),
    (State::Reviewing, Action::Return, State::Draft),
    (State::Reviewing, Action::Withdraw, State::Withdrawn),
    (State::Countersigning, Action::Countersign, State::Countersigning),
    (State::Countersigning, Action::Approve, State::Approved),
    (State::Countersigning, Action::Return, State::Draft),
    (State::Countersigning, Action::Withdraw, State::Withdrawn),
    (State::Approved, Action::Issue, State::Issued),
    (State::Approved, Action::Return, State::Draft),
    (State::Approved, Action::Withdraw, State::Withdrawn),
    (State::Issued, Action::TakeEffect, State::Effective),
    (State::Issued, Action::Withdraw, State::Withdrawn),
    (State::Effective, Action::Supersede, State::Superseded),
    (State::Effective, Action::Lapse, State::Withdrawn),
    (State::Effective, Action::Withdraw, State::Withdrawn),
];

/// The state after an action.
///
/// # Errors
/// [`Refusal::PolicyState`] where the version does not stand where the step begins.
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    let found = TRANSITIONS.iter().find(|(state, by, _)| *state == from && *by == action);
    found.map(|(.., to)| *to).ok_or(Refusal::PolicyState)
}

/// States of a version that is not issued yet and may still be.
pub const IN_WORK: [State; 4] = [State::Draft, State::Reviewing, State::Countersigning, State::Approved];

/// Somebody who is to countersign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Countersigner {
    /// The member of staff.
    pub staff: String,
    /// When it was signed, in microseconds UTC.
    pub signed_at: Option<i64>,
}

/// Who has a hand in a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hands<'a> {
    /// Who drafted it.
    pub drafter: &'a str,
    /// Who reviewed it; empty before.
    pub reviewer: &'a str,
    /// Who countersigns.
    pub countersigners: &'a [Countersigner],
}

impl Hands<'_> {
    fn among(&self, caller: &str) -> Option<&Countersigner> {
        self.countersigners.iter().find(|signer| signer.staff == caller)
    }

    /// Whether somebody may change or submit it.
    ///
    /// # Errors
    /// [`Refusal::PolicyNotDrafter`].
    pub fn may_revise(&self, caller: &str) -> Result<(), Refusal> {
        if caller == self.drafter { Ok(()) } else { Err(Refusal::PolicyNotDrafter) }
    }

    /// D-01: the reviewer is neither drafter nor countersigner.
    ///
    /// # Errors
    /// [`Refusal::PolicySamePerson`].
    pub fn may_review(&self, caller: &str) -> Result<(), Refusal> {
        if caller == self.drafter || self.among(caller).is_some() {
            Err(Refusal::PolicySamePerson)
        } else {
            Ok(())
        }
    }

    /// Whether somebody is to sign and has not.
    ///
    /// # Errors
    /// [`Refusal::PolicyNotCountersigner`], [`Refusal::PolicyCountersigned`].
    pub fn may_countersign(&self, caller: &str) -> Result<(), Refusal> {
        match self.among(caller) {
            None => Err(Refusal::PolicyNotCountersigner),
            Some(signer) if signer.signed_at.is_some() => Err(Refusal::PolicyCountersigned),
            Some(_) => Ok(()),
        }
    }

    /// D-01: the approver had no hand in it, and all countersigners have signed.
    ///
    /// # Errors
    /// [`Refusal::PolicySamePerson`], [`Refusal::PolicyCountersignaturesMissing`].
    pub fn may_approve(&self, caller: &str) -> Result<(), Refusal> {
        if caller == self.drafter || caller == self.reviewer || self.among(caller).is_some() {
            return Err(Refusal::PolicySamePerson);
        }
        if self.countersigners.is_empty() || self.countersigners.iter().any(|signer| signer.signed_at.is_none()) {
            return Err(Refusal::PolicyCountersignaturesMissing);
        }
        Ok(())
    }
}

/// The countersigners that a drafter names, each once.
///
/// # Errors
/// [`Refusal::PolicyCountersigner`] where the drafter is among them, [`Refusal::Duplicate`].
pub fn countersigners(drafter: &str, named: &[String]) -> Result<Vec<Countersigner>, Refusal> {
    let mut signers: Vec<Countersigner> = vec![];
    for staff in named {
        if staff == drafter {
            return Err(Refusal::PolicyCountersigner);
        }
        if signers.iter().any(|signer| signer.staff == *staff) {
            return Err(Refusal::Duplicate);
        }
        signers.push(Countersigner {
            staff: staff.clone(),
            signed_at: None,
        });
    }
    Ok(signers)
}

/// The days on which a version is in force: from the first up to, without, the last; open where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// First day.
    pub from: NaiveDate,
    /// First day after it.
    pub until: Option<NaiveDate>,
}

/// D-02: whether a version may take effect on a day when it is issued on another, after a version that began before.
///
/// # Errors
/// [`Refusal::PolicyRetroactive`] for a day before the issue, [`Refusal::PolicyEffectiveOrder`] where the former version does not begin
/// before it.
pub fn may_issue(issued: NaiveDate, effective: NaiveDate, former: Option<Live>) -> Result<(), Refusal> {
    if effective < issued {
        return Err(Refusal::PolicyRetroactive);
    }
    if former.is_some_and(|former| effective <= former.from) {
        return Err(Refusal::PolicyEffectiveOrder);
    }
    Ok(())
}

/// Where the days of a version end: with its own validity, with the version after it, or with a withdrawal, whichever is first.
pub fn ends(own: Option<NaiveDate>, next: Option<NaiveDate>) -> Option<NaiveDate> {
    [own, next].into_iter().flatten().min()
}

/// What is due for a version on a day: its next step, if there is one. `followed` says whether another version begins where it ends.
pub fn due(state: State, live: Live, followed: bool, today: NaiveDate) -> Option<Action> {
    match state {
        State::Issued if live.from <= today => Some(Action::TakeEffect),
        State::Effective if live.until.is_some_and(|until| until <= today) => Some(if followed { Action::Supersede } else { Action::Lapse }),
        _ => None,
    }
}

words! {
    /// By which rule a conflict is resolved (D-05).
    pub enum Rule {
        /// The higher level prevails.
        HigherLevel "HIGHER_LEVEL",
        /// The version that is effective later prevails.
        LaterEffective "LATER_EFFECTIVE",
        /// The interpreting department decided.
        InterpretingDepartment "INTERPRETING_DEPARTMENT",
    }
}

/// What counts of a version in a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Level of its document.
    pub level: Level,
    /// Its first day in force.
    pub effective: NaiveDate,
}

/// What a conflict comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The first version prevails.
    First(Rule),
    /// The second version prevails.
    Second(Rule),
    /// The interpreting department has to decide.
    Undecided,
}

/// D-05: the higher level prevails; on the same level the version that is effective later; on the same day somebody has to decide.
pub fn resolve(first: Side, second: Side) -> Outcome {
    use std::cmp::Ordering::{Equal, Greater, Less};
    match (first.level.cmp(&second.level), first.effective.cmp(&second.effective)) {
        (Less, _) => Outcome::First(Rule::HigherLevel),
        (Greater, _) => Outcome::Second(Rule::HigherLevel),
        (Equal, Greater) => Outcome::First(Rule::LaterEffective),
        (Equal, Less) => Outcome::Second(Rule::LaterEffective),
        (Equal, Equal) => Outcome::Undecided,
    }
}

words! {
    /// Where a conflict stands.
    pub enum ConflictState {
        /// The interpreting department has to decide.
        Open "OPEN",
        /// By a rule, or decided.
        Resolved "RESOLVED",
    }
}

words! {
    /// What moves a conflict.
    pub enum ConflictAction {
        /// The interpreting department decides.
        Decide "DECIDE",
    }
}

const CONFLICT: &[(ConflictState, ConflictAction, ConflictState)] = &[(ConflictState::Open, ConflictAction::Decide, ConflictState::Resolved)];

/// The state of a conflict after an action.
///
/// # Errors
/// [`Refusal::PolicyConflictDecided`].
pub fn conflict(from: ConflictState, action: ConflictAction) -> Result<ConflictState, Refusal> {
    let found = CONFLICT.iter().find(|(state, by, _)| *state == from && *by == action);
    found.map(|(.., to)| *to).ok_or(Refusal::PolicyConflictDecided)
}

/// The day by which an acknowledgement must have been renewed: a year later for a code of conduct (S-03), never for anything else.
pub fn renew_on(acknowledged: NaiveDate, code_of_conduct: bool) -> Option<NaiveDate> {
    if code_of_conduct {
        acknowledged.checked_add_months(Months::new(12))
    } else {
        None
    }
}

/// Whether an acknowledgement holds on a day.
pub fn holds(renew_on: Option<NaiveDate>, today: NaiveDate) -> bool {
    renew_on.is_none_or(|day| today < day)
}

/// Days before its end from which an acknowledgement may be renewed.
const RENEWAL_OPENS: Days = Days::new(30);

/// Whether somebody may acknowledge a version: once, and again when the last one is about to end.
///
/// # Errors
/// [`Refusal::PolicyState`] where the version is neither issued nor in force, [`Refusal::PolicyAcknowledged`].
pub fn may_acknowledge(state: State, last: Option<Option<NaiveDate>>, today: NaiveDate) -> Result<(), Refusal> {
    if !matches!(state, State::Issued | State::Effective) {
        return Err(Refusal::PolicyState);
    }
    let open = match last {
        None => true,
        Some(None) => false,
        Some(Some(renew)) => renew.checked_sub_days(RENEWAL_OPENS).is_some_and(|day| day <= today),
    };
    if open { Ok(()) } else { Err(Refusal::PolicyAcknowledged) }
}

/// D-06: the highest confidentiality that somebody may read.
pub fn clearance(everything: bool, head_of_department: bool) -> Secrecy {
    match (everything, head_of_department) {
        (true, _) => Secrecy::TopSecret,
        (false, true) => Secrecy::Secret,
        (false, false) => Secrecy::Internal,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn d_01_every_transition_of_a_version() {
        use Action as A;
        use State as S;
        let legal: [(State, &[(Action, State)]); 8] = [
            (S::Draft, &[(A::Revise, S::Draft), (A::Submit, S::Reviewing), (A::Withdraw, S::Withdrawn)]),
            (
                S::Reviewing,
                &[(A::Review, S::Countersigning), (A::Return, S::Draft), (A::Withdraw, S::Withdrawn)],
            ),
            (
                S::Countersigning,
                &[
                    (A::Countersign, S::Countersigning),
                    (A::Approve, S::Approved),
                    (A::Return, S::Draft),
                    (A::Withdraw, S::Withdrawn),
                ],
            ),
            (S::Approved, &[(A::Issue, S::Issued), (A::Return, S::Draft), (A::Withdraw, S::Withdrawn)]),
            (S::Issued, &[(A::TakeEffect, S::Effective), (A::Withdraw, S::Withdrawn)]),
            (
                S::Effective,
                &[(A::Supersede, S::Superseded), (A::Lapse, S::Withdrawn), (A::Withdraw, S::Withdrawn)],
            ),
            (S::Superseded, &[]),
            (S::Withdrawn, &[]),
        ];
        for (from, steps) in legal {
            for action in Action::ALL {
                let expected = steps.iter().find(|(by, _)| by == action).map(|(_, to)| *to).ok_or(Refusal::PolicyState);
                assert_eq!(step(from, *action), expected, "{from:?} {action:?}");
            }
        }
    }

    #[test]
    fn d_01_drafter_reviewer_countersigners_and_approver_are_different_people() {
        let signed = |staff: &str, signed_at| Countersigner {
            staff: staff.to_owned(),
            signed_at,
        };
        let both = [signed("c", Some(1)), signed("d", None)];
        let hands = Hands {
            drafter: "a",
            reviewer: "b",
            countersigners: &both,
        };
        assert_eq!(hands.may_revise("a"), Ok(()));
        assert_eq!(hands.may_revise("b"), Err(Refusal::PolicyNotDrafter));
        for who in ["a", "c", "d"] {
            assert_eq!(hands.may_review(who), Err(Refusal::PolicySamePerson), "{who}");
        }
        assert_eq!(hands.may_review("b"), Ok(()));
        assert_eq!(hands.may_countersign("c"), Err(Refusal::PolicyCountersigned));
        assert_eq!(hands.may_countersign("d"), Ok(()));
        assert_eq!(hands.may_countersign("b"), Err(Refusal::PolicyNotCountersigner));
        for who in ["a", "b", "c", "d"] {
            assert_eq!(hands.may_approve(who), Err(Refusal::PolicySamePerson), "{who}");
        }
        assert_eq!(hands.may_approve("e"), Err(Refusal::PolicyCountersignaturesMissing));
        let all = [signed("c", Some(1)), signed("d", Some(2))];
        let hands = Hands { countersigners: &all, ..hands };
        assert_eq!(hands.may_approve("e"), Ok(()));
        let none = Hands { countersigners: &[], ..hands };
        assert_eq!(none.may_approve("e"), Err(Refusal::PolicyCountersignaturesMissing));

        let named = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        assert_eq!(countersigners("a", &named(&["c", "a"])), Err(Refusal::PolicyCountersigner));
        assert_eq!(countersigners("a", &named(&["c", "c"])), Err(Refusal::Duplicate));
        assert_eq!(countersigners("a", &named(&["c", "d"])).unwrap().len(), 2);
    }

    #[test]
    fn d_02_a_version_is_not_retroactive_and_begins_after_the_former() {
        let issued = day("2012-10-20");
        let former = Some(Live {
            from: day("2012-10-25"),
            until: None,
        });
        for (effective, former, expected) in [
            ("2012-10-21", None, Ok(())),
            ("2012-10-20", None, Ok(())),
            ("2012-10-19", None, Err(Refusal::PolicyRetroactive)),
            ("2012-10-25", former, Err(Refusal::PolicyEffectiveOrder)),
            ("2012-10-26", former, Ok(())),
        ] {
            assert_eq!(may_issue(issued, day(effective), former), expected, "{effective}");
        }
        assert_eq!(ends(None, None), None);
        assert_eq!(ends(Some(day("2013-01-01")), Some(day("2012-12-01"))), Some(day("2012-12-01")));
        assert_eq!(ends(Some(day("2013-01-01")), None), Some(day("2013-01-01")));
    }

    #[test]
    fn d_02_what_is_due_by_the_day() {
        let live = Live {
            from: day("2012-10-21"),
            until: Some(day("2013-01-01")),
        };
        for (state, followed, today, expected) in [
            (State::Issued, false, "2012-10-20", None),
            (State::Issued, false, "2012-10-21", Some(Action::TakeEffect)),
            (State::Effective, true, "2012-12-31", None),
            (State::Effective, true, "2013-01-01", Some(Action::Supersede)),
            (State::Effective, false, "2013-01-01", Some(Action::Lapse)),
            (State::Superseded, false, "2014-01-01", None),
            (State::Approved, false, "2014-01-01", None),
        ] {
            assert_eq!(due(state, live, followed, day(today)), expected, "{state:?} {today}");
        }
    }

    #[test]
    fn d_05_higher_level_then_later_day_whoever_is_named_first() {
        let days = ["2012-10-20", "2012-10-21"].map(day);
        for first_level in Level::ALL {
            for second_level in Level::ALL {
                for (first_day, second_day) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    let first = Side {
                        level: *first_level,
                        effective: days[first_day],
                    };
                    let second = Side {
                        level: *second_level,
                        effective: days[second_day],
                    };
                    let outcome = resolve(first, second);
                    let turned = match resolve(second, first) {
                        Outcome::First(rule) => Outcome::Second(rule),
                        Outcome::Second(rule) => Outcome::First(rule),
                        Outcome::Undecided => Outcome::Undecided,
                    };
                    assert_eq!(outcome, turned);
                    let expected = if first_level.number() < second_level.number() {
                        Outcome::First(Rule::HigherLevel)
                    } else if first_level.number() > second_level.number() {
                        Outcome::Second(Rule::HigherLevel)
                    } else if first_day > second_day {
                        Outcome::First(Rule::LaterEffective)
                    } else if first_day < second_day {
                        Outcome::Second(Rule::LaterEffective)
                    } else {
                        Outcome::Undecided
                    };
                    assert_eq!(outcome, expected);
                }
            }
        }
    }

    #[test]
    fn d_05_every_transition_of_a_conflict() {
        for state in ConflictState::ALL {
            for action in ConflictAction::ALL {
                let expected = match (state, action) {
                    (ConflictState::Open, ConflictAction::Decide) => Ok(ConflictState::Resolved),
                    (ConflictState::Resolved, ConflictAction::Decide) => Err(Refusal::PolicyConflictDecided),
                };
                assert_eq!(conflict(*state, *action), expected, "{state:?} {action:?}");
            }
        }
    }

    #[test]
    fn s_03_a_code_of_conduct_is_acknowledged_every_year() {
        assert_eq!(renew_on(day("2024-02-29"), true), Some(day("2025-02-28")));
        assert_eq!(renew_on(day("2024-02-29"), false), None);
        assert!(holds(None, day("2030-01-01")));
        assert!(holds(Some(day("2025-02-28")), day("2025-02-27")));
        assert!(!holds(Some(day("2025-02-28")), day("2025-02-28")));
        let renew = Some(Some(day("2025-03-31")));
        for (state, last, today, expected) in [
            (State::Effective, None, "2025-01-01", Ok(())),
            (State::Issued, None, "2025-01-01", Ok(())),
            (State::Draft, None, "2025-01-01", Err(Refusal::PolicyState)),
            (State::Superseded, None, "2025-01-01", Err(Refusal::PolicyState)),
            (State::Effective, Some(None), "2030-01-01", Err(Refusal::PolicyAcknowledged)),
            (State::Effective, renew, "2025-02-28", Err(Refusal::PolicyAcknowledged)),
            (State::Effective, renew, "2025-03-01", Ok(())),
            (State::Effective, renew, "2026-03-01", Ok(())),
        ] {
            assert_eq!(may_acknowledge(state, last, day(today)), expected, "{state:?} {today}");
        }
    }

    #[test]
    fn d_06_confidentiality_is_ordered() {
        assert!(Secrecy::ALL.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(clearance(true, false), Secrecy::TopSecret);
        assert_eq!(clearance(false, true), Secrecy::Secret);
        assert_eq!(clearance(false, false), Secrecy::Internal);
    }

    #[test]
    fn lists_are_those_of_the_contract() {
        use contracts::hearth::archive::v1 as proto;

        use testbed::assert_contract;
        let pairs = |words: &[(i32, &'static str)]| words.to_vec();
        macro_rules! same {
            ($list:ty, $contract:ty, $prefix:literal) => {
                let words: Vec<_> = <$list>::ALL.iter().map(|word| (word.number(), word.code())).collect();
                assert_contract(&pairs(&words), $prefix, |n| {
                    <$contract>::try_from(n).ok().map(|value| value.as_str_name())
                });
            };
        }
        same!(Type, proto::PolicyType, "POLICY_TYPE_");
        same!(Level, proto::PolicyLevel, "POLICY_LEVEL_");
        same!(Secrecy, proto::PolicySecrecy, "POLICY_SECRECY_");
        same!(State, proto::policy_version::State, "STATE_");
        same!(Rule, proto::policy_conflict::Rule, "RULE_");
        same!(super::super::control::Part, proto::PolicyPart, "POLICY_PART_");
        same!(super::super::control::Clause, proto::PolicyClause, "POLICY_CLAUSE_");
        same!(super::super::duty::Kind, proto::policy_duty::Kind, "KIND_");
        same!(super::super::duty::State, proto::policy_duty::State, "STATE_");
    }
}
