//! Persons who work for vendors (F-10, A-01, S-01): pure rules.

use calendar::Instant;
use chrono::{Days, Months, NaiveDate};
use ids::{CertificateId, GrantId, PersonId, VendorId};

use crate::{codes::codes, refusal::Refusal, vendor::State as VendorState};

codes! {
    /// Where a person stands.
    pub enum State {
        Active = 1 "ACTIVE",
        Ended = 2 "ENDED",
        AwaitingApproval = 3 "AWAITING_APPROVAL",
        Refused = 4 "REFUSED",
    }
}

/// What is done to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Approve,
    Refuse,
    End,
}

/// F-10. Only whoever replaces key staff begins at AWAITING_APPROVAL. REFUSED is an end: the person may be registered anew.
pub const TRANSITIONS: &[(State, Action, State)] = &[
    (State::AwaitingApproval, Action::Approve, State::Active),
    (State::AwaitingApproval, Action::Refuse, State::Refused),
    (State::AwaitingApproval, Action::End, State::Ended),
    (State::Active, Action::End, State::Ended),
];

/// The state after an action, by the table of F-10.
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    let found = TRANSITIONS.iter().find(|(f, a, _)| (*f, *a) == (from, action)).map(|t| t.2);
    found.ok_or(if from == State::Ended { Refusal::PersonEnded } else { Refusal::PersonState })
}

codes! {
    /// What a training taught.
    pub enum TrainingKind {
        Safety = 1 "SAFETY",
        Technical = 2 "TECHNICAL",
        InformationSecurity = 3 "INFORMATION_SECURITY",
        ServiceConduct = 4 "SERVICE_CONDUCT",
    }
}

codes! {
    /// What a certificate certifies (上岗证).
    pub enum CertificateKind {
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

impl CertificateKind {
    /// Trainings without which a certificate of this kind does not count (S-01).
    pub const fn required_trainings(self) -> &'static [TrainingKind] {
        match self {
            Self::BoilerOperator | Self::Repair => &[TrainingKind::Safety, TrainingKind::Technical],
            _ => &[],
        }
    }
}

/// Days that a grant lasts where nobody says otherwise (F-11).
pub const GRANT_DAYS: u64 = 90;

/// A training that was passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Training {
    pub kind: TrainingKind,
    pub passed: NaiveDate,
    pub authority: String,
}

/// A certificate (上岗证).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub id: CertificateId,
    pub kind: CertificateKind,
    pub number: String,
    pub issuing_body: String,
    pub issued: NaiveDate,
    pub valid_to: NaiveDate,
    pub revoked: Option<NaiveDate>,
    pub revoke_reason: String,
}

impl Certificate {
    /// Whether it counts on a day: from the day of issue to the last day, both included, and before it was revoked.
    pub fn counts_on(&self, day: NaiveDate) -> bool {
        self.issued <= day && day <= self.valid_to && self.revoked.is_none_or(|revoked| day < revoked)
    }

    /// Takes it back from a day on, once.
    pub fn revoke(&mut self, day: NaiveDate, reason: &str) -> Result<(), Refusal> {
        if self.revoked.is_some() {
            return Err(Refusal::CertificateRevoked);
        }
        (self.revoked, self.revoke_reason) = (Some(day), reason.to_owned());
        Ok(())
    }
}

/// A grant of access (访问授权).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub id: GrantId,
    pub purpose: String,
    pub systems: Vec<String>,
    pub until: NaiveDate,
    pub revoked: Option<Instant>,
    pub revoke_reason: String,
}

/// A person who works for a vendor (外包人员), without what is sealed.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: PersonId,
    pub vendor: VendorId,
    pub name: String,
    pub field_work: bool,
    pub key_staff: bool,
    /// Who of the key staff that left is replaced by this person.
    pub replaces: Option<PersonId>,
    pub state: State,
    /// Who registered the person; empty for those registered before this was kept.
    pub registrar: String,
    /// Who decided on the replacement.
    pub approver: Option<String>,
    pub approval_opinion: String,
    pub confidentiality: Option<NaiveDate>,
    pub confidentiality_document: String,
    pub end_reason: String,
    /// The last day; `None` also for those who left before it was kept.
    pub ended: Option<NaiveDate>,
    pub version: i64,
    pub created: Instant,
    pub trainings: Vec<Training>,
    pub certificates: Vec<Certificate>,
    pub grants: Vec<Grant>,
}

impl Person {
    /// Refuses a write on a person who has left or was refused. Who awaits approval is written on: certificates are what it is decided by.
    pub fn writable(&self) -> Result<(), Refusal> {
        match self.state {
            State::Active | State::AwaitingApproval => Ok(()),
            State::Ended => Err(Refusal::PersonEnded),
            State::Refused => Err(Refusal::KeyStaffNotApproved),
        }
    }

    /// Takes that the person has left, once.
    pub fn end(&mut self, reason: String, today: NaiveDate) -> Result<(), Refusal> {
        self.state = step(self.state, Action::End)?;
        (self.end_reason, self.ended) = (reason, Some(today));
        Ok(())
    }

    /// F-10: takes the decision on a replacement of key staff, by another person than whoever registered it.
    pub fn decide(&mut self, approved: bool, by: &str, opinion: String) -> Result<(), Refusal> {
        let to = step(self.state, if approved { Action::Approve } else { Action::Refuse })?;
        if by == self.registrar {
            return Err(Refusal::SecondPersonNeeded);
        }
        if !approved && opinion.trim().is_empty() {
            return Err(Refusal::OpinionMissing);
        }
        (self.state, self.approver, self.approval_opinion) = (to, Some(by.to_owned()), opinion);
        Ok(())
    }

    /// Whether the person works or worked for the vendor: who left or was refused before an approval that was needed never did.
    fn served(&self) -> bool {
        match self.state {
            State::Active => true,
            State::Ended => self.replaces.is_none() || self.approver.is_some(),
            State::AwaitingApproval | State::Refused => false,
        }
    }

    /// The days with the vendor; `None` for who never served, or left on a day that was not kept.
    pub fn stay(&self) -> Option<Stay> {
        let known = self.served() && (self.state != State::Ended || self.ended.is_some());
        known.then(|| Stay {
            from: self.created.date(),
            to: self.ended,
        })
    }

    fn at_work(&self, vendor: VendorState) -> Result<(), Refusal> {
        self.writable()?;
        if self.state == State::AwaitingApproval {
            return Err(Refusal::KeyStaffNotApproved);
        }
        if vendor == VendorState::Admitted {
            Ok(())
        } else {
            Err(Refusal::VendorNotAdmitted)
        }
    }

    fn trained(&self, kind: TrainingKind, day: NaiveDate) -> bool {
        self.trainings.iter().any(|t| t.kind == kind && t.passed <= day)
    }

    /// whether the person may do work that needs a certificate of a kind on a day, and by which certificate.
    pub fn certified(&self, vendor: VendorState, kind: CertificateKind, day: NaiveDate) -> Result<&Certificate, Refusal> {
        self.at_work(vendor)?;
        let mut of_kind = self.certificates.iter().filter(|c| c.kind == kind).peekable();
        if of_kind.peek().is_none() {
            return Err(Refusal::CertificateMissing);
        }
        let certificate = of_kind.find(|c| c.counts_on(day)).ok_or(Refusal::CertificateNotValid)?;
        let trained = kind.required_trainings().iter().all(|training| self.trained(*training, day));
        if trained { Ok(certificate) } else { Err(Refusal::TrainingMissing) }
    }

    /// Whether the person may do work on a day: certified where the work asks for it, at work in any case.
    pub fn may_work(&self, vendor: VendorState, kind: Option<CertificateKind>, day: NaiveDate) -> Result<(), Refusal> {
        match kind {
            Some(kind) => self.certified(vendor, kind, day).map(|_| ()),
            None => self.at_work(vendor),
        }
    }

    /// F-10: no access before the confidentiality agreement, a training, and for field work a certificate that counts today.
    pub fn may_have_access(&self, vendor: VendorState, today: NaiveDate) -> Result<(), Refusal> {
        self.at_work(vendor)?;
        let certified = || self.certificates.iter().any(|c| self.certified(vendor, c.kind, today).is_ok());
        let guards = [
            (self.confidentiality.is_some_and(|signed| signed <= today), Refusal::NdaMissing),
            (self.trainings.iter().any(|t| t.passed <= today), Refusal::TrainingMissing),
            (!self.field_work || certified(), Refusal::CertificateMissing),
        ];
        guards.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, refusal)| Err(*refusal))
    }
}

/// F-10: who of a vendor's key staff left first and was not replaced. A successor who was refused, or left before the approval, replaced nobody.
pub fn gap(key_staff: &[Person]) -> Option<PersonId> {
    let filled = |left: PersonId| {
        let fills = |p: &Person| p.replaces == Some(left) && (p.state == State::AwaitingApproval || p.served());
        key_staff.iter().any(fills)
    };
    let left = key_staff.iter().filter(|p| p.state == State::Ended && p.served() && !filled(p.id));
    left.min_by_key(|p| (p.ended, p.id)).map(|p| p.id)
}

/// First and last day of a person with a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    pub from: NaiveDate,
    pub to: Option<NaiveDate>,
}

/// Turnover of staff (人员流失) within twelve months (F-10).
///
/// The policy names the share and not its base. Read here: who left within the twelve months that end with the last day of the assessed period,
/// over who was with the vendor on the first of their days or came within them. It is the vendor's, whatever the contract: persons belong to vendors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turnover {
    pub leavers: usize,
    pub staff: usize,
}

/// The share of staff, in percent, above which turnover deducts (F-10).
pub const TURNOVER_PERCENT: usize = 30;

impl Turnover {
    /// That of the twelve months which end with a day.
    pub fn until(last: NaiveDate, stays: &[Stay]) -> Self {
        let first = last.succ_opt().and_then(|next| next.checked_sub_months(Months::new(12))).unwrap_or(last);
        let staff = stays.iter().filter(|stay| stay.from <= last && stay.to.is_none_or(|to| to >= first));
        let left = staff.clone().filter(|stay| stay.to.is_some_and(|to| to <= last));
        Self {
            leavers: left.count(),
            staff: staff.count(),
        }
    }

    /// Whether it is above what F-10 lets pass; compared without rounding.
    pub fn deducts(self) -> bool {
        self.leavers.saturating_mul(100) > self.staff.saturating_mul(TURNOVER_PERCENT)
    }
}

/// The last day of a grant: what was asked for, not before today, or 90 days from today (F-11).
pub fn grant_until(asked: Option<NaiveDate>, today: NaiveDate) -> Result<NaiveDate, Refusal> {
    match asked {
        Some(day) if day < today => Err(Refusal::DateInPast),
        Some(day) => Ok(day),
        None => today.checked_add_days(Days::new(GRANT_DAYS)).ok_or(Refusal::DateInPast),
    }
}

/// Refuses a day after today, for facts that must have happened.
pub fn happened(day: NaiveDate, today: NaiveDate) -> Result<NaiveDate, Refusal> {
    if day <= today { Ok(day) } else { Err(Refusal::DateInFuture) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn day(m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2025, m, d).unwrap()
    }

    fn training(kind: TrainingKind) -> Training {
        Training {
            kind,
            passed: day(1, 10),
            authority: "training centre".into(),
        }
    }

    fn certificate(kind: CertificateKind) -> Certificate {
        let (number, issuing_body) = ("R-1".into(), "Urban Gas Bureau".into());
        Certificate {
            id: CertificateId::new(),
            kind,
            number,
            issuing_body,
            issued: day(2, 1),
            valid_to: day(6, 30),
            revoked: None,
            revoke_reason: String::new(),
        }
    }

    fn repairer() -> Person {
        Person {
            id: PersonId::new(),
            vendor: VendorId::new(),
            name: "张三".into(),
            field_work: true,
            key_staff: false,
            replaces: None,
            state: State::Active,
            registrar: "it".into(),
            approver: None,
            approval_opinion: String::new(),
            confidentiality: Some(day(1, 5)),
            confidentiality_document: "NDA-1".into(),
            end_reason: String::new(),
            ended: None,
            version: 1,
            created: Instant::from_micros(0),
            grants: vec![],
            trainings: vec![training(TrainingKind::Safety), training(TrainingKind::Technical)],
            certificates: vec![certificate(CertificateKind::Repair)],
        }
    }

    const ADMITTED: VendorState = VendorState::Admitted;

    fn check(person: &Person, kind: CertificateKind, day: NaiveDate) -> Result<NaiveDate, Refusal> {
        person.certified(ADMITTED, kind, day).map(|c| c.valid_to)
    }

    #[test]
    fn a_01_a_certificate_counts_on_its_days_only() {
        let person = repairer();
        let repair = CertificateKind::Repair;
        assert_eq!(check(&person, repair, day(1, 31)), Err(Refusal::CertificateNotValid));
        assert_eq!(check(&person, repair, day(2, 1)), Ok(day(6, 30)));
        assert_eq!(check(&person, repair, day(6, 30)), Ok(day(6, 30)));
        assert_eq!(check(&person, repair, day(7, 1)), Err(Refusal::CertificateNotValid));
        let revoked = Person {
            certificates: vec![Certificate {
                revoked: Some(day(4, 1)),
                ..certificate(repair)
            }],
            ..person.clone()
        };
        assert_eq!(check(&revoked, repair, day(3, 31)), Ok(day(6, 30)));
        assert_eq!(check(&revoked, repair, day(4, 1)), Err(Refusal::CertificateNotValid));
        let renewed = Person {
            certificates: vec![
                Certificate {
                    valid_to: day(2, 20),
                    ..certificate(repair)
                },
                certificate(repair),
            ],
            ..person.clone()
        };
        assert_eq!(check(&renewed, repair, day(5, 1)), Ok(day(6, 30)), "any of several counts");
        assert_eq!(check(&person, CertificateKind::Welder, day(3, 1)), Err(Refusal::CertificateMissing));
    }

    #[test]
    fn a_01_only_an_active_person_of_an_admitted_vendor() {
        let ended = Person {
            state: State::Ended,
            ..repairer()
        };
        assert_eq!(check(&ended, CertificateKind::Repair, day(3, 1)), Err(Refusal::PersonEnded));
        let person = repairer();
        for vendor in VendorState::ALL.iter().copied().filter(|s| *s != ADMITTED) {
            assert_eq!(
                person.may_work(vendor, Some(CertificateKind::Repair), day(3, 1)),
                Err(Refusal::VendorNotAdmitted),
                "{vendor:?}"
            );
            assert_eq!(person.may_work(vendor, None, day(3, 1)), Err(Refusal::VendorNotAdmitted), "{vendor:?}");
        }
        assert_eq!(person.may_work(ADMITTED, None, day(12, 1)), Ok(()), "work without a certificate");
    }

    #[test]
    fn s_01_repairers_and_boiler_operators_need_both_trainings() {
        for kind in [CertificateKind::Repair, CertificateKind::BoilerOperator] {
            for only in [TrainingKind::Safety, TrainingKind::Technical] {
                let person = Person {
                    trainings: vec![training(only)],
                    certificates: vec![certificate(kind)],
                    ..repairer()
                };
                assert_eq!(check(&person, kind, day(3, 1)), Err(Refusal::TrainingMissing), "{kind:?} {only:?}");
            }
            let person = Person {
                certificates: vec![certificate(kind)],
                ..repairer()
            };
            assert!(check(&person, kind, day(3, 1)).is_ok(), "{kind:?}");
        }
        let reader = Person {
            trainings: vec![],
            certificates: vec![certificate(CertificateKind::MeterReading)],
            ..repairer()
        };
        assert!(check(&reader, CertificateKind::MeterReading, day(3, 1)).is_ok());
    }

    #[test]
    fn f_10_no_access_before_agreement_training_and_certificate() {
        let today = day(3, 1);
        let access = |person: Person| person.may_have_access(ADMITTED, today);
        assert_eq!(access(repairer()), Ok(()));
        assert_eq!(
            access(Person {
                confidentiality: None,
                ..repairer()
            }),
            Err(Refusal::NdaMissing)
        );
        assert_eq!(
            access(Person {
                trainings: vec![],
                ..repairer()
            }),
            Err(Refusal::TrainingMissing)
        );
        assert_eq!(
            access(Person {
                certificates: vec![],
                ..repairer()
            }),
            Err(Refusal::CertificateMissing)
        );
        assert_eq!(
            access(Person {
                certificates: vec![],
                field_work: false,
                ..repairer()
            }),
            Ok(()),
            "no field work"
        );
        assert_eq!(
            access(Person {
                state: State::Ended,
                ..repairer()
            }),
            Err(Refusal::PersonEnded)
        );
        assert_eq!(
            repairer().may_have_access(ADMITTED, day(7, 1)),
            Err(Refusal::CertificateMissing),
            "the only certificate has run out"
        );
        assert_eq!(repairer().may_have_access(VendorState::Suspended, today), Err(Refusal::VendorNotAdmitted));
    }

    #[test]
    fn f_10_a_person_leaves_once_and_a_certificate_is_revoked_once() {
        let mut person = repairer();
        for (before, expected, after) in [(State::Active, Ok(()), State::Ended), (State::Ended, Err(Refusal::PersonEnded), State::Ended)] {
            assert_eq!((person.state, person.end("left".into(), day(6, 1)), person.state), (before, expected, after));
        }
        assert_eq!(person.ended, Some(day(6, 1)));
        let mut certificate = certificate(CertificateKind::Repair);
        assert_eq!(certificate.revoke(day(6, 1), "forged"), Ok(()));
        assert_eq!(certificate.revoke(day(6, 2), "again"), Err(Refusal::CertificateRevoked));
        assert_eq!((certificate.revoked, certificate.revoke_reason.as_str()), (Some(day(6, 1)), "forged"));
    }

    #[test]
    fn f_10_every_transition_legal_and_illegal() {
        // Rows are states, columns approve, refuse and end; `-` is illegal.
        let table = [
            (State::Active, "- - E"),
            (State::Ended, "- - -"),
            (State::AwaitingApproval, "A R E"),
            (State::Refused, "- - -"),
        ];
        assert_eq!(table.len(), State::ALL.len());
        for (from, row) in table {
            for (action, letter) in [Action::Approve, Action::Refuse, Action::End].into_iter().zip(row.split(' ')) {
                let expected = match letter {
                    "A" => Ok(State::Active),
                    "R" => Ok(State::Refused),
                    "E" => Ok(State::Ended),
                    _ if from == State::Ended => Err(Refusal::PersonEnded),
                    _ => Err(Refusal::PersonState),
                };
                assert_eq!(step(from, action), expected, "{from:?} {action:?}");
            }
        }
    }

    fn key(state: State, replaces: Option<PersonId>, approver: Option<&str>, ended: Option<NaiveDate>) -> Person {
        Person {
            key_staff: true,
            state,
            replaces,
            approver: approver.map(str::to_owned),
            ended,
            ..repairer()
        }
    }

    #[test]
    fn f_10_a_replacement_may_do_nothing_before_another_person_approved_it() {
        let awaiting = key(State::AwaitingApproval, Some(PersonId::new()), None, None);
        let today = day(3, 1);
        let barred = Err(Refusal::KeyStaffNotApproved);
        for person in [&awaiting, &key(State::Refused, awaiting.replaces, Some("officer"), None)] {
            assert_eq!(person.may_have_access(ADMITTED, today), barred);
            assert_eq!(person.may_work(ADMITTED, None, today), barred);
            assert_eq!(check(person, CertificateKind::Repair, today), Err(Refusal::KeyStaffNotApproved));
        }
        assert_eq!(awaiting.writable(), Ok(()), "agreement and certificates come before");
        assert_eq!(key(State::Refused, None, None, None).writable(), barred);

        let decided = |approved, by: &str, opinion: &str| {
            let mut person = awaiting.clone();
            person.decide(approved, by, opinion.into()).map(|()| person)
        };
        assert_eq!(decided(true, "it", "").unwrap_err(), Refusal::SecondPersonNeeded, "who registered the person");
        assert_eq!(decided(false, "officer", " \n").unwrap_err(), Refusal::OpinionMissing);
        let refused = decided(false, "officer", "no experience").unwrap();
        assert_eq!((refused.state, refused.approval_opinion.as_str()), (State::Refused, "no experience"));
        let approved = decided(true, "officer", "").unwrap();
        assert_eq!((approved.state, approved.approver.as_deref()), (State::Active, Some("officer")));
        assert_eq!(approved.may_have_access(ADMITTED, today), Ok(()));
    }

    #[test]
    fn f_10_a_gap_is_filled_by_who_awaits_approval_or_served() {
        let first = key(State::Ended, None, None, Some(day(4, 1)));
        let second = key(State::Ended, None, None, Some(day(5, 1)));
        let stays = key(State::Active, None, None, None);
        let gap_with = |more: &[Person]| gap(&[&[second.clone(), first.clone(), stays.clone()], more].concat());
        assert_eq!(gap(std::slice::from_ref(&stays)), None);
        assert_eq!(gap_with(&[]), Some(first.id), "who left first");
        let to_first = Some(first.id);
        for (successor, expected) in [
            (key(State::AwaitingApproval, to_first, None, None), second.id),
            (key(State::Active, to_first, Some("officer"), None), second.id),
            (key(State::Refused, to_first, Some("officer"), None), first.id),
            // Left before it was approved: replaced nobody, and is no gap either.
            (key(State::Ended, to_first, None, Some(day(4, 20))), first.id),
        ] {
            assert_eq!(gap_with(std::slice::from_ref(&successor)), Some(expected), "{successor:?}");
        }
        // Left after it was approved: the next gap is its own, by its day.
        let successor = key(State::Ended, to_first, Some("officer"), Some(day(4, 20)));
        assert_eq!(gap_with(std::slice::from_ref(&successor)), Some(successor.id));
    }

    fn stays(count: usize, from: (i32, u32, u32), to: Option<(i32, u32, u32)>) -> Vec<Stay> {
        let on = |(y, m, d): (i32, u32, u32)| NaiveDate::from_ymd_opt(y, m, d).unwrap();
        vec![
            Stay {
                from: on(from),
                to: to.map(on)
            };
            count
        ]
    }

    #[test]
    fn f_10_turnover_deducts_above_thirty_percent_and_not_at_it() {
        let march = day(3, 31);
        for (leavers, remain, deducts) in [
            (0, 0, false),
            (0, 5, false),
            // 3 of 10 are exactly 30 %.
            (3, 7, false),
            (4, 6, true),
            // 300 of 1000, and one more.
            (300, 700, false),
            (301, 699, true),
            // 3 of 9 are 33 %; 2 of 7 are 29 %.
            (3, 6, true),
            (2, 5, false),
            (1, 0, true),
        ] {
            let all = [stays(leavers, (2023, 1, 1), Some((2025, 1, 15))), stays(remain, (2023, 1, 1), None)].concat();
            let turnover = Turnover::until(march, &all);
            let staff = leavers + remain;
            assert_eq!((turnover, turnover.deducts()), (Turnover { leavers, staff }, deducts));
        }
    }

    #[test]
    fn f_10_turnover_counts_the_twelve_months_that_end_with_the_period() {
        // The twelve months to 31 March 2025 begin on 1 April 2024.
        let counted = |stays: &[Stay]| {
            let t = Turnover::until(day(3, 31), stays);
            (t.leavers, t.staff)
        };
        let old = (2023, 1, 1);
        for (from, to, expected) in [
            (old, Some((2024, 3, 31)), (0, 0)),
            (old, Some((2024, 4, 1)), (1, 1)),
            (old, Some((2025, 3, 31)), (1, 1)),
            // Was there on every day of the period; left later.
            (old, Some((2025, 4, 1)), (0, 1)),
            (old, None, (0, 1)),
            // Came and left within the year.
            ((2024, 6, 1), Some((2024, 9, 1)), (1, 1)),
            ((2025, 3, 31), None, (0, 1)),
            ((2025, 4, 1), None, (0, 0)),
        ] {
            assert_eq!(counted(&stays(1, from, to)), expected, "{from:?} {to:?}");
        }
    }

    #[test]
    fn f_10_who_never_served_is_no_leaver() {
        let other = Some(PersonId::new());
        let (left, none) = (Some(day(2, 1)), None);
        for (person, counts) in [
            (key(State::Active, None, None, none), true),
            (key(State::Active, other, Some("officer"), none), true),
            (key(State::Ended, None, None, left), true),
            (key(State::Ended, other, Some("officer"), left), true),
            (key(State::Ended, other, None, left), false),
            (key(State::AwaitingApproval, other, None, none), false),
            (key(State::Refused, other, Some("officer"), none), false),
            // Left before the day was kept.
            (key(State::Ended, None, None, none), false),
        ] {
            assert_eq!(person.stay().is_some(), counts, "{person:?}");
        }
    }

    #[test]
    fn f_11_a_grant_lasts_ninety_days_by_default() {
        // 1 March + 90 days: 30 more in March, 30 in April, 30 in May.
        assert_eq!(grant_until(None, day(3, 1)), Ok(day(5, 30)));
        assert_eq!(grant_until(Some(day(3, 1)), day(3, 1)), Ok(day(3, 1)));
        assert_eq!(grant_until(Some(day(2, 28)), day(3, 1)), Err(Refusal::DateInPast));
    }

    #[test]
    fn facts_lie_in_the_past() {
        assert_eq!(happened(day(3, 1), day(3, 1)), Ok(day(3, 1)));
        assert_eq!(happened(day(3, 2), day(3, 1)), Err(Refusal::DateInFuture));
    }
}
