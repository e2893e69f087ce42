//! Rules on staff: which certificate counts on which day.

use calendar::NaiveDate;

use crate::codes::codes;

codes! {
    /// Whether a member may be given work.
    pub enum State {
        Active = 1 "ACTIVE",
        Left = 2 "LEFT",
    }
}

codes! {
    /// What is done with a member; a certificate may be taken back from somebody who has left.
    pub enum MemberAction {
        AssignPosts = 1 "ASSIGN_POSTS",
        Train = 2 "TRAIN",
        Certify = 3 "CERTIFY",
        End = 4 "END",
    }
}

/// Every step of a member that there is.
pub const MEMBER_STEPS: &[(State, MemberAction, State)] = &[
    (State::Active, MemberAction::AssignPosts, State::Active),
    (State::Active, MemberAction::Train, State::Active),
    (State::Active, MemberAction::Certify, State::Active),
    (State::Active, MemberAction::End, State::Left),
];

/// The state of a member after a step; `None` where there is no such step.
pub fn member_step(from: State, action: MemberAction) -> Option<State> {
    MEMBER_STEPS
        .iter()
        .find(|(state, step, _)| *state == from && *step == action)
        .map(|(_, _, to)| *to)
}

codes! {
    /// Who employs a member.
    pub enum Employer {
        Own = 1 "OWN",
        Vendor = 2 "VENDOR",
    }
}

codes! {
    /// Posts (岗位).
    pub enum Post {
        Opener = 1 "OPENER",
        Inspector = 2 "INSPECTOR",
        Repairer = 3 "REPAIRER",
        Reader = 4 "READER",
        BoilerOperator = 5 "BOILER_OPERATOR",
        Agent = 6 "AGENT",
        Cashier = 7 "CASHIER",
        Dispatcher = 8 "DISPATCHER",
        DistrictManager = 9 "DISTRICT_MANAGER",
    }
}

codes! {
    /// What a certificate (上岗证) certifies.
    pub enum Kind {
        BoilerOperator = 1 "BOILER_OPERATOR",
        Repair = 2 "REPAIR",
        GasOpening = 3 "GAS_OPENING",
        SafetyInspection = 4 "SAFETY_INSPECTION",
        MeterReading = 5 "METER_READING",
        Electrician = 6 "ELECTRICIAN",
        Welder = 7 "WELDER",
        CustomerService = 8 "CUSTOMER_SERVICE",
    }
}

codes! {
    /// What a training was about (S-01).
    pub enum TrainingKind {
        Safety = 1 "SAFETY",
        Technical = 2 "TECHNICAL",
    }
}

codes! {
    /// Where a certificate stands.
    pub enum CertificateState {
        Draft = 1 "DRAFT",
        Valid = 2 "VALID",
        Expiring = 3 "EXPIRING",
        Expired = 4 "EXPIRED",
        Revoked = 5 "REVOKED",
    }
}

/// What happens to a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A second person held it against the paper.
    Confirm,
    /// Its last day is near.
    Near,
    /// Its last day has passed.
    End,
    /// It is taken back.
    Revoke,
}

impl Action {
    /// Its name for people.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Confirm => "CONFIRM",
            Self::Near => "NEAR",
            Self::End => "END",
            Self::Revoke => "REVOKE",
        }
    }
}

/// Every step of a certificate that there is. One that ends soon still counts, so it can be taken back like a valid one.
pub const STEPS: &[(CertificateState, Action, CertificateState)] = &[
    (CertificateState::Draft, Action::Confirm, CertificateState::Valid),
    (CertificateState::Valid, Action::Near, CertificateState::Expiring),
    (CertificateState::Expiring, Action::End, CertificateState::Expired),
    (CertificateState::Valid, Action::Revoke, CertificateState::Revoked),
    (CertificateState::Expiring, Action::Revoke, CertificateState::Revoked),
];

/// The state after a step; `None` where there is no such step.
pub fn step(from: CertificateState, action: Action) -> Option<CertificateState> {
    STEPS.iter().find(|(state, step, _)| *state == from && *step == action).map(|(_, _, to)| *to)
}

/// The steps that a state allows.
pub fn allowed(from: CertificateState) -> Vec<&'static str> {
    STEPS
        .iter()
        .filter(|(state, _, _)| *state == from)
        .map(|(_, action, _)| action.code())
        .collect()
}

/// Days before the last one on which a warning is due.
pub const MARKS: [i32; 3] = [90, 30, 7];

/// A certificate, as far as rules look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate<Id> {
    pub id: Id,
    pub kind: Kind,
    pub issued_on: NaiveDate,
    /// Last day on which it counts.
    pub valid_to: NaiveDate,
    pub state: CertificateState,
}

impl<Id> Certificate<Id> {
    /// Where it stands on a day, whether or not a run has noticed.
    pub fn state_on(&self, day: NaiveDate) -> CertificateState {
        match self.state {
            CertificateState::Draft | CertificateState::Revoked => self.state,
            _ if day > self.valid_to => CertificateState::Expired,
            _ if days_left(self.valid_to, day) <= i64::from(MARKS[0]) => CertificateState::Expiring,
            _ => CertificateState::Valid,
        }
    }

    /// Whether it counts on a day.
    pub fn counts_on(&self, day: NaiveDate) -> bool {
        self.issued_on <= day && matches!(self.state_on(day), CertificateState::Valid | CertificateState::Expiring)
    }
}

/// Days from `day` to the last one; negative when it has passed.
pub fn days_left(valid_to: NaiveDate, day: NaiveDate) -> i64 {
    valid_to.signed_duration_since(day).num_days()
}

/// The marks that are reached today and were not reached when the last warning was given; `warned` is the smallest mark so far, 0 for none.
pub fn marks_due(valid_to: NaiveDate, today: NaiveDate, warned: i32) -> Vec<i32> {
    let left = days_left(valid_to, today);
    MARKS
        .iter()
        .copied()
        .filter(|mark| left >= 0 && left <= i64::from(*mark) && (warned == 0 || *mark < warned))
        .collect()
}

/// Why a member does not count for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCertified {
    /// The member has left.
    StaffLeft,
    /// There is no certificate of the kind.
    CertificateMissing,
    /// There is one, and none counts on the day.
    CertificateNotValid,
    /// S-01: the safety or the technical training is missing on the day.
    TrainingMissing,
    /// The vendor service says no.
    VendorSaysNo,
}

impl NotCertified {
    /// Its code for callers.
    pub const fn code(self) -> &'static str {
        match self {
            Self::StaffLeft => "STAFF_LEFT",
            Self::CertificateMissing => "CERTIFICATE_MISSING",
            Self::CertificateNotValid => "CERTIFICATE_NOT_VALID",
            Self::TrainingMissing => "TRAINING_MISSING",
            Self::VendorSaysNo => "VENDOR_PERSON_NOT_CERTIFIED",
        }
    }
}

/// Kinds that count only with both trainings (S-01).
pub const TRAINED: &[Kind] = &[Kind::BoilerOperator, Kind::Repair];

/// The certificate by which a member of own staff may do work on a day (A-01, S-01).
pub fn certified<Id: Copy>(
    state: State,
    certificates: &[Certificate<Id>],
    trainings: &[(TrainingKind, NaiveDate)],
    kind: Kind,
    day: NaiveDate,
) -> Result<Id, NotCertified> {
    if state == State::Left {
        return Err(NotCertified::StaffLeft);
    }
    let mut of_kind = certificates.iter().filter(|c| c.kind == kind && c.state != CertificateState::Draft).peekable();
    if of_kind.peek().is_none() {
        return Err(NotCertified::CertificateMissing);
    }
    let found = of_kind.find(|c| c.counts_on(day)).ok_or(NotCertified::CertificateNotValid)?;
    let trained = |wanted| trainings.iter().any(|(kind, passed_on)| *kind == wanted && *passed_on <= day);
    if TRAINED.contains(&kind) && !(trained(TrainingKind::Safety) && trained(TrainingKind::Technical)) {
        return Err(NotCertified::TrainingMissing);
    }
    Ok(found.id)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use contracts::hearth::hall::v1 as contract;

    use super::*;
    use crate::codes::{Code, assert_contract};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn paper(kind: Kind, issued_on: &str, valid_to: &str, state: CertificateState) -> Certificate<u8> {
        Certificate {
            id: 1,
            kind,
            issued_on: day(issued_on),
            valid_to: day(valid_to),
            state,
        }
    }

    #[test]
    fn the_lists_are_those_of_the_contract() {
        assert_contract::<State>("STATE_", |n| contract::staff_member::State::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Employer>("EMPLOYER_", |n| contract::Employer::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Post>("POST_", |n| contract::Post::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Kind>("CERTIFICATE_KIND_", |n| contract::CertificateKind::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<TrainingKind>("TRAINING_KIND_", |n| contract::TrainingKind::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<CertificateState>("STATE_", |n| contract::certificate::State::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn certificate_kinds_have_the_numbers_of_the_vendor_service() {
        for kind in Kind::ALL {
            let theirs = contracts::hearth::vendor::v1::CertificateKind::try_from(kind.number()).unwrap();
            assert_eq!(theirs.as_str_name(), format!("CERTIFICATE_KIND_{}", kind.code()));
        }
    }

    /// All pairs of state and action: the legal ones, and that there is no other.
    #[test]
    fn a_member_takes_these_steps_and_no_other() {
        let mut found = vec![];
        for from in State::ALL {
            for action in MemberAction::ALL {
                if let Some(to) = member_step(*from, *action) {
                    found.push(format!("{} {} {}", from.code(), action.code(), to.code()));
                }
            }
        }
        let legal = ["ACTIVE ASSIGN_POSTS ACTIVE", "ACTIVE TRAIN ACTIVE", "ACTIVE CERTIFY ACTIVE", "ACTIVE END LEFT"];
        assert_eq!(found, legal);
        assert_eq!(MEMBER_STEPS.len(), legal.len(), "no pair stands twice");
    }

    #[test]
    fn a_certificate_takes_these_steps_and_no_other() {
        use Action::{Confirm, End, Near, Revoke};
        use CertificateState::{Draft, Expired, Expiring, Revoked, Valid};
        let legal = [
            (Draft, Confirm, Valid),
            (Valid, Near, Expiring),
            (Expiring, End, Expired),
            (Valid, Revoke, Revoked),
            (Expiring, Revoke, Revoked),
        ];
        for from in CertificateState::ALL {
            for action in [Confirm, Near, End, Revoke] {
                let expected = legal.iter().find(|(s, a, _)| s == from && *a == action).map(|(_, _, to)| *to);
                assert_eq!(step(*from, action), expected, "{from:?} {action:?}");
            }
        }
        assert_eq!(allowed(Valid), ["NEAR", "REVOKE"]);
        assert!(allowed(Expired).is_empty());
    }

    #[test]
    fn a_01_only_valid_and_expiring_certificates_count() {
        use CertificateState::{Draft, Expired, Expiring, Revoked, Valid};
        for (state, counts) in [(Draft, false), (Valid, true), (Expiring, true), (Revoked, false)] {
            assert_eq!(
                paper(Kind::GasOpening, "2024-01-01", "2025-06-30", state).counts_on(day("2025-03-01")),
                counts,
                "{state:?}"
            );
        }
        // The stored state lags behind or runs ahead: the day decides.
        for state in [Valid, Expiring, Expired] {
            let paper = paper(Kind::GasOpening, "2024-01-01", "2025-06-30", state);
            assert!(paper.counts_on(day("2025-06-30")), "the last day counts");
            assert!(!paper.counts_on(day("2025-07-01")), "the day after does not");
            assert!(!paper.counts_on(day("2023-12-31")), "nor does the day before the first");
        }
    }

    #[test]
    fn a_02_a_certificate_turns_expiring_ninety_days_before_its_end() {
        let paper = paper(Kind::Welder, "2024-01-01", "2025-06-30", CertificateState::Valid);
        // 2025-04-01 is 90 days before 2025-06-30.
        assert_eq!(paper.state_on(day("2025-03-31")), CertificateState::Valid);
        assert_eq!(paper.state_on(day("2025-04-01")), CertificateState::Expiring);
        assert_eq!(paper.state_on(day("2025-06-30")), CertificateState::Expiring);
        assert_eq!(paper.state_on(day("2025-07-01")), CertificateState::Expired);
    }

    #[test]
    fn a_02_each_mark_warns_once() {
        let end = day("2025-06-30");
        assert_eq!(marks_due(end, day("2025-03-31"), 0), Vec::<i32>::new());
        assert_eq!(marks_due(end, day("2025-04-01"), 0), [90]);
        assert_eq!(marks_due(end, day("2025-05-30"), 90), Vec::<i32>::new());
        assert_eq!(marks_due(end, day("2025-05-31"), 90), [30]);
        assert_eq!(marks_due(end, day("2025-06-23"), 30), [7]);
        assert_eq!(marks_due(end, day("2025-06-30"), 0), [90, 30, 7], "a certificate that was recorded late");
        assert_eq!(marks_due(end, day("2025-07-01"), 7), Vec::<i32>::new());
    }

    #[test]
    fn s_01_boiler_operators_and_repairers_need_both_trainings_by_the_day() {
        let on = day("2025-03-01");
        let both = [(TrainingKind::Safety, day("2024-05-01")), (TrainingKind::Technical, day("2025-03-01"))];
        for kind in Kind::ALL {
            let papers = [paper(*kind, "2024-01-01", "2026-01-01", CertificateState::Valid)];
            let needs = matches!(kind, Kind::BoilerOperator | Kind::Repair);
            assert_eq!(certified(State::Active, &papers, &both, *kind, on), Ok(1), "{kind:?}");
            let without = certified(State::Active, &papers, &both[..1], *kind, on);
            assert_eq!(without, if needs { Err(NotCertified::TrainingMissing) } else { Ok(1) }, "{kind:?}");
            let before = certified(State::Active, &papers, &both, *kind, day("2025-02-28"));
            assert_eq!(before, if needs { Err(NotCertified::TrainingMissing) } else { Ok(1) }, "{kind:?}");
        }
    }

    #[test]
    fn a_01_reasons() {
        let on = day("2025-03-01");
        let paper = |state, to| [paper(Kind::GasOpening, "2024-01-01", to, state)];
        let ask = |staff, papers: &[Certificate<u8>], kind| certified(staff, papers, &[], kind, on);
        use CertificateState::{Draft, Revoked, Valid};
        assert_eq!(ask(State::Left, &paper(Valid, "2026-01-01"), Kind::GasOpening), Err(NotCertified::StaffLeft));
        assert_eq!(ask(State::Active, &[], Kind::GasOpening), Err(NotCertified::CertificateMissing));
        assert_eq!(
            ask(State::Active, &paper(Draft, "2026-01-01"), Kind::GasOpening),
            Err(NotCertified::CertificateMissing)
        );
        assert_eq!(
            ask(State::Active, &paper(Valid, "2026-01-01"), Kind::Repair),
            Err(NotCertified::CertificateMissing)
        );
        assert_eq!(
            ask(State::Active, &paper(Valid, "2025-02-28"), Kind::GasOpening),
            Err(NotCertified::CertificateNotValid)
        );
        assert_eq!(
            ask(State::Active, &paper(Revoked, "2026-01-01"), Kind::GasOpening),
            Err(NotCertified::CertificateNotValid)
        );
        assert_eq!(ask(State::Active, &paper(Valid, "2026-01-01"), Kind::GasOpening), Ok(1));
    }
}
