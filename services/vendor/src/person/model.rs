//! Persons who work for vendors (F-10, A-01, S-01): pure rules.

use calendar::Instant;
use chrono::{Days, NaiveDate};
use ids::{CertificateId, GrantId, PersonId, VendorId};

use crate::{codes::codes, refusal::Refusal, vendor::State as VendorState};

codes! {
    /// Where a person stands.
    pub enum State {
        Active = 1 "ACTIVE",
        Ended = 2 "ENDED",
    }
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
    pub state: State,
    pub confidentiality: Option<NaiveDate>,
    pub confidentiality_document: String,
    pub end_reason: String,
    pub version: i64,
    pub created: Instant,
    pub trainings: Vec<Training>,
    pub certificates: Vec<Certificate>,
    pub grants: Vec<Grant>,
}

impl Person {
    /// Refuses a write on a person who has left.
    pub fn active(&self) -> Result<(), Refusal> {
        if self.state == State::Active { Ok(()) } else { Err(Refusal::PersonEnded) }
    }

    /// Takes that the person has left, once.
    pub fn end(&mut self, reason: String) -> Result<(), Refusal> {
        self.active()?;
        (self.state, self.end_reason) = (State::Ended, reason);
        Ok(())
    }

    fn at_work(&self, vendor: VendorState) -> Result<(), Refusal> {
        self.active()?;
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
            state: State::Active,
            confidentiality: Some(day(1, 5)),
            confidentiality_document: "NDA-1".into(),
            end_reason: String::new(),
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
            assert_eq!((person.state, person.end("left".into()), person.state), (before, expected, after));
        }
        assert_eq!(State::ALL.len(), 2);
        let mut certificate = certificate(CertificateKind::Repair);
        assert_eq!(certificate.revoke(day(6, 1), "forged"), Ok(()));
        assert_eq!(certificate.revoke(day(6, 2), "again"), Err(Refusal::CertificateRevoked));
        assert_eq!((certificate.revoked, certificate.revoke_reason.as_str()), (Some(day(6, 1)), "forged"));
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
