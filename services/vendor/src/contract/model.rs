//! Contracts with vendors (F-02, F-04, F-05): pure rules.

use calendar::Instant;
use chrono::{Days, NaiveDate};
use ids::{ContractId, VendorId};
use serde::{Deserialize, Serialize};

use crate::{
    codes::codes,
    refusal::Refusal,
    vendor::{Category, State as VendorState},
};

codes! {
    /// Where a contract stands (F-05).
    pub enum State {
        Draft = 1 "DRAFT",
        Reviewed = 2 "REVIEWED",
        Approved = 3 "APPROVED",
        Signed = 4 "SIGNED",
        InForce = 5 "IN_FORCE",
        Suspended = 6 "SUSPENDED",
        Expiring = 7 "EXPIRING",
        Expired = 8 "EXPIRED",
        Terminated = 9 "TERMINATED",
    }
}

/// What is done to a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Revise,
    Review,
    Approve,
    Sign,
    Start,
    Suspend,
    Resume,
    Terminate,
}

/// F-05. EXPIRING and EXPIRED come with the day ([`on_day`]); a contract that is EXPIRING is in force. Whoever revises sends the
/// contract back to the start, so that nobody approves terms that changed since.
pub const TRANSITIONS: &[(State, Action, State)] = &[
    (State::Draft, Action::Revise, State::Draft),
    (State::Reviewed, Action::Revise, State::Draft),
    (State::Approved, Action::Revise, State::Draft),
    (State::Draft, Action::Review, State::Reviewed),
    (State::Reviewed, Action::Approve, State::Approved),
    (State::Approved, Action::Sign, State::Signed),
    (State::Signed, Action::Start, State::InForce),
    (State::InForce, Action::Suspend, State::Suspended),
    (State::Expiring, Action::Suspend, State::Suspended),
    (State::Suspended, Action::Resume, State::InForce),
    (State::Draft, Action::Terminate, State::Terminated),
    (State::Reviewed, Action::Terminate, State::Terminated),
    (State::Approved, Action::Terminate, State::Terminated),
    (State::Signed, Action::Terminate, State::Terminated),
    (State::InForce, Action::Terminate, State::Terminated),
    (State::Suspended, Action::Terminate, State::Terminated),
    (State::Expiring, Action::Terminate, State::Terminated),
];

/// Days before the end of the term from which a contract is EXPIRING (F-05).
pub const EXPIRING_DAYS: u64 = 60;

/// The state after an action, by the table of F-05.
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    TRANSITIONS
        .iter()
        .find(|(f, a, _)| (*f, *a) == (from, action))
        .map(|t| t.2)
        .ok_or(Refusal::ContractState)
}

/// The state that a contract has on a day: one that was signed runs into its end by itself.
pub fn on_day(state: State, end: NaiveDate, today: NaiveDate) -> State {
    let signed = matches!(state, State::Signed | State::InForce | State::Suspended);
    if signed && today > end {
        return State::Expired;
    }
    let soon = end.checked_sub_days(Days::new(EXPIRING_DAYS)).is_some_and(|day| today >= day);
    if state == State::InForce && soon { State::Expiring } else { state }
}

codes! {
    /// The part that a person has in a contract, for the segregation of duties (F-02).
    pub enum Part {
        Creator = 1 "CREATOR",
        Approver = 2 "APPROVER",
        Signer = 3 "SIGNER",
    }
}

/// F-02: whoever verified or scored a qualification of a vendor has no part in a contract with it, and the other way round. Whichever
/// comes second asks this with what the first left behind.
pub fn segregated(has_other_duty: bool) -> Result<(), Refusal> {
    if has_other_duty { Err(Refusal::SegregationOfDuties) } else { Ok(()) }
}

/// The clauses on personal data that a contract needs (Personal Information Protection Law, art. 21).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataProcessing {
    pub purpose: String,
    pub method: String,
    pub data_kinds: Vec<String>,
    pub protection: String,
    pub until: NaiveDate,
}

/// One service level (服务水平).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sla {
    pub metric: String,
    pub target: String,
    pub window: String,
    pub deduction_basis_points: i32,
}

codes! {
    /// A party of a contract.
    pub enum Party {
        Utility = 1 "UTILITY",
        Vendor = 2 "VENDOR",
    }
}

/// The authority (授权委托书) of a delegate who signs for a party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    pub party: Party,
    pub document: String,
    pub valid_to: NaiveDate,
}

/// The terms of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub category: Category,
    pub title: String,
    /// Fen over the whole term.
    pub value: i64,
    pub start: NaiveDate,
    pub end: NaiveDate,
    pub confidentiality_document: String,
    pub data_processing: Option<DataProcessing>,
    pub sla: Vec<Sla>,
    pub emergency_plan_document: String,
    pub retention_basis_points: Option<i32>,
    pub renewal_notice_days: i32,
    pub exit_plan_document: String,
}

impl Terms {
    /// What must hold of any draft: a category that may be given away (F-13), days in order, a value that is not negative.
    pub fn checked(self) -> Result<Self, Refusal> {
        self.category.outsourceable()?;
        if self.end < self.start {
            return Err(Refusal::TermOrder);
        }
        if self.value < 0 {
            return Err(Refusal::ValueNegative);
        }
        Ok(self)
    }
}

/// A contract with a vendor (外包合同).
#[derive(Clone, Debug)]
pub struct Contract {
    pub id: ContractId,
    pub number: String,
    pub vendor: VendorId,
    pub branch: String,
    /// As kept; what it is on a day says [`Contract::on`].
    pub state: State,
    /// Opinion or reason that came with the last step.
    pub state_reason: String,
    pub terms: Terms,
    pub signed: Option<NaiveDate>,
    /// Of those who signed for somebody else.
    pub authorities: Vec<Authority>,
    /// Day on which it was ended before its term.
    pub ended: Option<NaiveDate>,
    pub version: i64,
    pub created: Instant,
}

impl Contract {
    /// Where it stands on a day.
    pub fn on(&self, today: NaiveDate) -> State {
        on_day(self.state, self.terms.end, today)
    }

    /// Refuses a contract that was never in force: nothing under it can be assessed or paid.
    pub fn was_in_force(&self, today: NaiveDate) -> Result<(), Refusal> {
        match self.on(today) {
            State::InForce | State::Suspended | State::Expiring | State::Expired => Ok(()),
            State::Terminated if self.signed.is_some() => Ok(()),
            _ => Err(Refusal::ContractState),
        }
    }

    /// Whether a day lies in its term.
    pub fn covers(&self, day: NaiveDate) -> bool {
        (self.terms.start..=self.terms.end).contains(&day)
    }

    /// Whether it runs on a day: in its term, and not ended before.
    pub fn runs_on(&self, day: NaiveDate) -> bool {
        self.covers(day) && self.ended.is_none_or(|ended| day <= ended)
    }

    /// Does what the table of F-05 allows.
    pub fn act(&mut self, action: Action, reason: &str, today: NaiveDate) -> Result<(), Refusal> {
        self.state = step(self.on(today), action)?;
        if action == Action::Terminate {
            self.ended = Some(today);
        }
        reason.clone_into(&mut self.state_reason);
        Ok(())
    }

    /// Puts it in force, from its first day on, if the vendor still stands.
    pub fn start(&mut self, standing: Standing, today: NaiveDate) -> Result<(), Refusal> {
        self.act(Action::Start, "", today)?;
        if today < self.terms.start {
            return Err(Refusal::ContractTerm);
        }
        standing.admitted()
    }
}

/// What F-04 looks at besides the terms.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub vendor: VendorState,
    /// Last day of the vendor's youngest granted qualification for the contract's category; `None` where it has none.
    pub qualified_to: Option<NaiveDate>,
}

impl Standing {
    /// Whether the vendor may work under a contract at all: admitted for the category, not on the black list.
    pub fn admitted(&self) -> Result<(), Refusal> {
        match self.vendor {
            VendorState::Blacklisted => Err(Refusal::VendorBlacklisted),
            VendorState::Admitted if self.qualified_to.is_some() => Ok(()),
            _ => Err(Refusal::VendorNotAdmitted),
        }
    }
}

/// The guards of F-04, in the order of the policy; the first that fails is the answer. They are held against today, so that nobody
/// gains by a signature that is dated back.
pub fn may_sign(terms: &Terms, standing: Standing, authorities: &[Authority], today: NaiveDate) -> Result<(), Refusal> {
    standing.admitted()?;
    let needs = terms.category.traits();
    let guards = [
        (standing.qualified_to.is_some_and(|last| today <= last), Refusal::QualificationOutdated),
        (!terms.confidentiality_document.is_empty(), Refusal::ConfidentialityMissing),
        (!needs.personal_data || terms.data_processing.is_some(), Refusal::DataTermsMissing),
        (!terms.sla.is_empty(), Refusal::SlaMissing),
        (!needs.operation || !terms.emergency_plan_document.is_empty(), Refusal::EmergencyPlanMissing),
        (terms.retention_basis_points.is_some(), Refusal::RetentionMissing),
        (authorities.iter().all(|authority| today <= authority.valid_to), Refusal::AuthorityExpired),
    ];
    guards.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, refusal)| Err(*refusal))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const ACTIONS: &[Action] = &[
        Action::Revise,
        Action::Review,
        Action::Approve,
        Action::Sign,
        Action::Start,
        Action::Suspend,
        Action::Resume,
        Action::Terminate,
    ];

    /// Written a second time by hand: rows are states, columns the actions above, `-` is illegal.
    const F_05: &[(State, &str)] = &[
        (State::Draft, "D R - - - - - T"),
        (State::Reviewed, "D - A - - - - T"),
        (State::Approved, "D - - S - - - T"),
        (State::Signed, "- - - - I - - T"),
        (State::InForce, "- - - - - P - T"),
        (State::Suspended, "- - - - - - I T"),
        (State::Expiring, "- - - - - P - T"),
        (State::Expired, "- - - - - - - -"),
        (State::Terminated, "- - - - - - - -"),
    ];

    fn state(letter: &str) -> Option<State> {
        Some(match letter {
            "D" => State::Draft,
            "R" => State::Reviewed,
            "A" => State::Approved,
            "S" => State::Signed,
            "I" => State::InForce,
            "P" => State::Suspended,
            "T" => State::Terminated,
            _ => return None,
        })
    }

    fn day(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).unwrap()
    }

    #[test]
    fn f_05_every_transition_legal_and_illegal() {
        assert_eq!(F_05.len(), State::ALL.len());
        for (from, row) in F_05 {
            for (action, letter) in ACTIONS.iter().zip(row.split(' ')) {
                assert_eq!(step(*from, *action), state(letter).ok_or(Refusal::ContractState), "{from:?} {action:?}");
            }
        }
    }

    #[test]
    fn f_05_expiring_sixty_days_before_the_end_then_expired() {
        // 60 days before 31 December 2025 is 1 November.
        let end = day(2025, 12, 31);
        assert_eq!(on_day(State::InForce, end, day(2025, 10, 31)), State::InForce);
        assert_eq!(on_day(State::InForce, end, day(2025, 11, 1)), State::Expiring);
        assert_eq!(on_day(State::InForce, end, end), State::Expiring);
        assert_eq!(on_day(State::InForce, end, day(2026, 1, 1)), State::Expired);
        assert_eq!(on_day(State::Suspended, end, day(2025, 12, 1)), State::Suspended);
        assert_eq!(on_day(State::Suspended, end, day(2026, 1, 1)), State::Expired);
        assert_eq!(on_day(State::Signed, end, day(2026, 1, 1)), State::Expired);
        for never in [State::Draft, State::Reviewed, State::Approved, State::Terminated] {
            assert_eq!(on_day(never, end, day(2026, 1, 1)), never);
        }
    }

    fn terms(category: Category) -> Terms {
        let data = DataProcessing {
            purpose: "repair".into(),
            method: "on site".into(),
            data_kinds: vec!["address".into()],
            protection: "least access".into(),
            until: day(2026, 2, 28),
        };
        Terms {
            category,
            title: "repair of meters".into(),
            value: 10_000_000,
            start: day(2025, 3, 1),
            end: day(2026, 2, 28),
            confidentiality_document: "NDA-7".into(),
            data_processing: Some(data),
            sla: vec![Sla {
                metric: "response".into(),
                target: "4 h".into(),
                window: "month".into(),
                deduction_basis_points: 100,
            }],
            emergency_plan_document: "EP-1".into(),
            retention_basis_points: Some(500),
            renewal_notice_days: 60,
            exit_plan_document: String::new(),
        }
    }

    const SIGNED: (i32, u32, u32) = (2025, 2, 20);

    fn sign(terms: &Terms, vendor: VendorState, qualified_to: Option<NaiveDate>) -> Result<(), Refusal> {
        may_sign(terms, Standing { vendor, qualified_to }, &[], day(SIGNED.0, SIGNED.1, SIGNED.2))
    }

    #[test]
    fn f_e_a_delegate_whose_authority_ended_signs_nothing() {
        let authority = |party, valid_to| Authority {
            party,
            document: "POA-1".into(),
            valid_to,
        };
        let (yesterday, today) = (day(2025, 2, 19), day(SIGNED.0, SIGNED.1, SIGNED.2));
        let standing = Standing {
            vendor: VendorState::Admitted,
            qualified_to: Some(today),
        };
        for (authorities, expected) in [
            (vec![authority(Party::Vendor, today)], Ok(())),
            (vec![authority(Party::Vendor, yesterday)], Err(Refusal::AuthorityExpired)),
            (
                vec![authority(Party::Vendor, today), authority(Party::Utility, yesterday)],
                Err(Refusal::AuthorityExpired),
            ),
        ] {
            assert_eq!(may_sign(&terms(Category::Training), standing, &authorities, today), expected, "{authorities:?}");
        }
    }

    #[test]
    fn f_04_each_guard_has_its_own_reason() {
        let good = terms(Category::OperationRepair);
        let to = Some(day(2025, 2, 20));
        let cases = [
            (good.clone(), VendorState::Admitted, to, Ok(())),
            (good.clone(), VendorState::Suspended, to, Err(Refusal::VendorNotAdmitted)),
            (good.clone(), VendorState::Admitted, None, Err(Refusal::VendorNotAdmitted)),
            (good.clone(), VendorState::Blacklisted, to, Err(Refusal::VendorBlacklisted)),
            (good.clone(), VendorState::Exiting, to, Err(Refusal::VendorNotAdmitted)),
            (good.clone(), VendorState::Admitted, Some(day(2025, 2, 19)), Err(Refusal::QualificationOutdated)),
            (
                Terms {
                    confidentiality_document: String::new(),
                    ..good.clone()
                },
                VendorState::Admitted,
                to,
                Err(Refusal::ConfidentialityMissing),
            ),
            (
                Terms {
                    data_processing: None,
                    ..good.clone()
                },
                VendorState::Admitted,
                to,
                Err(Refusal::DataTermsMissing),
            ),
            (Terms { sla: vec![], ..good.clone() }, VendorState::Admitted, to, Err(Refusal::SlaMissing)),
            (
                Terms {
                    emergency_plan_document: String::new(),
                    ..good.clone()
                },
                VendorState::Admitted,
                to,
                Err(Refusal::EmergencyPlanMissing),
            ),
            (
                Terms {
                    retention_basis_points: None,
                    ..good
                },
                VendorState::Admitted,
                to,
                Err(Refusal::RetentionMissing),
            ),
        ];
        for (terms, vendor, to, expected) in cases {
            assert_eq!(sign(&terms, vendor, to), expected);
        }
    }

    #[test]
    fn f_04_plans_and_data_clauses_only_where_the_category_needs_them() {
        let to = Some(day(2025, 12, 31));
        let bare = |category| Terms {
            data_processing: None,
            emergency_plan_document: String::new(),
            ..terms(category)
        };
        assert_eq!(sign(&bare(Category::SupplyHardware), VendorState::Admitted, to), Ok(()));
        assert_eq!(sign(&bare(Category::FieldRepair), VendorState::Admitted, to), Err(Refusal::DataTermsMissing));
        let crew = Terms {
            emergency_plan_document: String::new(),
            ..terms(Category::FieldRepair)
        };
        assert_eq!(
            sign(&crew, VendorState::Admitted, to),
            Ok(()),
            "a field crew needs no emergency plan of its own"
        );
    }

    #[test]
    fn drafts_have_days_in_order_and_no_negative_value() {
        let good = terms(Category::Training);
        assert_eq!(
            Terms {
                end: day(2025, 2, 28),
                ..good.clone()
            }
            .checked()
            .unwrap_err(),
            Refusal::TermOrder
        );
        assert_eq!(Terms { value: -1, ..good.clone() }.checked().unwrap_err(), Refusal::ValueNegative);
        assert_eq!(
            Terms {
                category: Category::InternalAudit,
                ..good.clone()
            }
            .checked()
            .unwrap_err(),
            Refusal::CategoryNotOutsourceable
        );
        assert!(
            Terms {
                value: 0,
                end: good.start,
                ..good
            }
            .checked()
            .is_ok()
        );
    }
}
