//! The life of an order by its type, the certificate and the evidence that a type needs: all of it data.

use crate::{
    codes::{Code, codes},
    complaint::model::Utility,
    staff::model::Kind,
};

codes! {
    /// Kinds of work.
    pub enum Type {
        Repair = 1 "REPAIR",
        Leak = 2 "LEAK",
        Opening = 3 "OPENING",
        MeterExchange = 4 "METER_EXCHANGE",
        Inspection = 5 "INSPECTION",
        ReadingVisit = 6 "READING_VISIT",
    }
}

codes! {
    /// Where an order stands.
    pub enum State {
        Pool = 1 "POOL",
        Dispatched = 2 "DISPATCHED",
        Offered = 3 "OFFERED",
        Checking = 4 "CHECKING",
        Accepted = 5 "ACCEPTED",
        OnSite = 6 "ON_SITE",
        Safe = 7 "SAFE",
        NoAccess = 8 "NO_ACCESS",
        Reported = 9 "REPORTED",
        Rework = 10 "REWORK",
        Completed = 11 "COMPLETED",
        Cancelled = 12 "CANCELLED",
    }
}

codes! {
    /// What is done with an order.
    pub enum Action {
        Dispatch = 1 "DISPATCH",
        Offer = 2 "OFFER",
        Withdraw = 3 "WITHDRAW",
        Lapse = 4 "LAPSE",
        VendorAccept = 5 "VENDOR_ACCEPT",
        VendorDecline = 6 "VENDOR_DECLINE",
        VendorReport = 7 "VENDOR_REPORT",
        VendorApprove = 8 "VENDOR_APPROVE",
        VendorRefuse = 9 "VENDOR_REFUSE",
        Certify = 10 "CERTIFY",
        Accept = 11 "ACCEPT",
        Arrive = 12 "ARRIVE",
        Return = 13 "RETURN",
        MakeSafe = 14 "MAKE_SAFE",
        NoAccess = 15 "NO_ACCESS",
        Report = 16 "REPORT",
        Complete = 17 "COMPLETE",
        Refuse = 18 "REFUSE",
        Cancel = 19 "CANCEL",
    }
}

type Rows = &'static [(State, Action, State)];

/// Own crews, up to the door; every type has them.
const CREW: Rows = &[
    (State::Pool, Action::Dispatch, State::Dispatched),
    (State::Pool, Action::Cancel, State::Cancelled),
    (State::Dispatched, Action::Accept, State::Accepted),
    (State::Dispatched, Action::Return, State::Pool),
    (State::Dispatched, Action::Withdraw, State::Pool),
    (State::Dispatched, Action::Cancel, State::Cancelled),
    (State::Accepted, Action::Arrive, State::OnSite),
    (State::Accepted, Action::Return, State::Pool),
    (State::Accepted, Action::Withdraw, State::Pool),
    (State::Accepted, Action::Cancel, State::Cancelled),
    (State::OnSite, Action::Cancel, State::Cancelled),
];

/// Vendors: offer, answer, certificate, report, acceptance in the vendor service.
const OFFER: Rows = &[
    (State::Pool, Action::Offer, State::Offered),
    (State::Offered, Action::VendorAccept, State::Checking),
    (State::Offered, Action::VendorDecline, State::Pool),
    (State::Offered, Action::Lapse, State::Pool),
    (State::Offered, Action::Withdraw, State::Pool),
    (State::Offered, Action::Cancel, State::Cancelled),
    (State::Checking, Action::Certify, State::Accepted),
    (State::Checking, Action::Return, State::Pool),
    (State::Checking, Action::Withdraw, State::Pool),
    (State::Checking, Action::Cancel, State::Cancelled),
    (State::Accepted, Action::VendorReport, State::Reported),
    (State::OnSite, Action::VendorReport, State::Reported),
    (State::Rework, Action::VendorReport, State::Reported),
    (State::Reported, Action::VendorApprove, State::Completed),
    (State::Reported, Action::VendorRefuse, State::Rework),
];

/// Work and its acceptance.
const WORK: Rows = &[
    (State::OnSite, Action::Report, State::Reported),
    (State::Reported, Action::Complete, State::Completed),
    (State::Reported, Action::Refuse, State::Rework),
    (State::Rework, Action::Arrive, State::OnSite),
    (State::Rework, Action::Return, State::Pool),
];

/// A leak: the place is made safe before anything is reported.
const LEAK: Rows = &[
    (State::OnSite, Action::MakeSafe, State::Safe),
    (State::Safe, Action::Report, State::Reported),
    (State::Reported, Action::Complete, State::Completed),
    (State::Reported, Action::Refuse, State::Rework),
    (State::Rework, Action::Arrive, State::OnSite),
    (State::Rework, Action::Return, State::Pool),
];

/// An opening: the steps on site are those of its own story.
const OPENING: Rows = &[
    (State::OnSite, Action::Return, State::Pool),
    (State::OnSite, Action::Complete, State::Completed),
];

/// Visits that may end at a closed door.
const DOOR: Rows = &[
    (State::OnSite, Action::NoAccess, State::NoAccess),
    (State::NoAccess, Action::Dispatch, State::Dispatched),
    (State::NoAccess, Action::Offer, State::Offered),
    (State::NoAccess, Action::Cancel, State::Cancelled),
];

/// The tables of each type.
pub const STEPS: &[(Type, &[Rows])] = &[
    (Type::Repair, &[CREW, OFFER, WORK]),
    (Type::Leak, &[CREW, LEAK]),
    (Type::Opening, &[CREW, OPENING]),
    (Type::MeterExchange, &[CREW, OFFER, WORK, DOOR]),
    (Type::Inspection, &[CREW, OFFER, WORK, DOOR]),
    (Type::ReadingVisit, &[CREW, OFFER, WORK, DOOR]),
];

fn rows(kind: Type) -> impl Iterator<Item = &'static (State, Action, State)> {
    STEPS
        .iter()
        .filter(move |(of, _)| *of == kind)
        .flat_map(|(_, tables)| tables.iter())
        .flat_map(|table| table.iter())
}

/// The state after a step; `None` where the type has no such step.
pub fn step(kind: Type, from: State, action: Action) -> Option<State> {
    rows(kind).find(|(state, step, _)| *state == from && *step == action).map(|(_, _, to)| *to)
}

/// The steps that type and state allow.
pub fn allowed(kind: Type, from: State) -> Vec<&'static str> {
    rows(kind).filter(|(state, _, _)| *state == from).map(|(_, action, _)| action.code()).collect()
}

/// Promises of orders that are others for heat than for gas.
const HEAT_SUBJECTS: &[(Type, &str)] = &[(Type::Repair, "REPAIR_HEAT"), (Type::Leak, "LEAK_HEAT")];

/// The subject of the promises for a visit that billing asks for (E9-01).
pub const ABNORMAL_USE: &str = "ABNORMAL_USE";

/// The subject of the promises for an order.
pub fn subject(kind: Type, utility: Utility) -> &'static str {
    let heat = HEAT_SUBJECTS.iter().find(|(of, _)| *of == kind && utility == Utility::Heat);
    heat.map_or(kind.code(), |(_, subject)| subject)
}

/// Whether promises of this subject are those of orders.
#[cfg(test)]
pub fn is_subject(subject: &str) -> bool {
    subject == ABNORMAL_USE || Type::of_code(subject).is_some() || HEAT_SUBJECTS.iter().any(|(_, known)| *known == subject)
}

/// The certificate that each type needs.
pub const CERTIFICATES: &[(Type, Kind)] = &[
    (Type::Repair, Kind::Repair),
    (Type::Leak, Kind::Repair),
    (Type::Opening, Kind::GasOpening),
    (Type::MeterExchange, Kind::Repair),
    (Type::Inspection, Kind::SafetyInspection),
    (Type::ReadingVisit, Kind::MeterReading),
];

/// The certificate that a type needs.
pub fn certificate(kind: Type) -> Option<Kind> {
    CERTIFICATES.iter().find(|(of, _)| *of == kind).map(|(_, certificate)| *certificate)
}

/// A piece of field evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// At least so many photos.
    Photos(usize),
    Signature,
    Index,
    NewMeter,
    NewMeterIndex,
}

impl Evidence {
    /// The field of the report that carries it.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Photos(_) => "report.photo_file_ids",
            Self::Signature => "report.signature_file_id",
            Self::Index => "report.index",
            Self::NewMeter => "report.new_meter_no",
            Self::NewMeterIndex => "report.new_meter_index",
        }
    }
}

/// The evidence that each type needs.
pub const EVIDENCE: &[(Type, &[Evidence])] = &[
    (Type::Repair, &[Evidence::Photos(1), Evidence::Signature]),
    (Type::Leak, &[Evidence::Photos(1)]),
    (
        Type::MeterExchange,
        &[
            Evidence::Photos(2),
            Evidence::Signature,
            Evidence::Index,
            Evidence::NewMeter,
            Evidence::NewMeterIndex,
        ],
    ),
    (Type::Inspection, &[Evidence::Photos(1), Evidence::Signature]),
    (Type::ReadingVisit, &[Evidence::Photos(1), Evidence::Index]),
];

/// What a report has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given {
    pub photos: usize,
    pub signature: bool,
    pub index: bool,
    pub new_meter: bool,
    pub new_meter_index: bool,
}

/// Every piece of evidence that the type needs and that is absent.
pub fn missing(kind: Type, given: &Given) -> Vec<Evidence> {
    let needed = EVIDENCE.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, needed)| *needed);
    let there = |evidence: &Evidence| match evidence {
        Evidence::Photos(least) => given.photos >= *least,
        Evidence::Signature => given.signature,
        Evidence::Index => given.index,
        Evidence::NewMeter => given.new_meter,
        Evidence::NewMeterIndex => given.new_meter_index,
    };
    needed.iter().copied().filter(|evidence| !there(evidence)).collect()
}

#[cfg(test)]
mod tests {
    use contracts::hearth::hall::v1 as contract;

    use super::*;
    use crate::codes::assert_contract;

    #[test]
    fn the_lists_are_those_of_the_contract() {
        assert_contract::<Type>("ORDER_TYPE_", |n| contract::OrderType::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<State>("STATE_", |n| contract::order::State::try_from(n).ok().map(|v| v.as_str_name()));
    }

    const CREWS: &str = "POOL DISPATCH DISPATCHED, POOL CANCEL CANCELLED, DISPATCHED ACCEPT ACCEPTED, DISPATCHED RETURN POOL, DISPATCHED WITHDRAW POOL, \
        DISPATCHED CANCEL CANCELLED, ACCEPTED ARRIVE ON_SITE, ACCEPTED RETURN POOL, ACCEPTED WITHDRAW POOL, ACCEPTED CANCEL CANCELLED, ON_SITE CANCEL CANCELLED";
    const VENDORS: &str = "POOL OFFER OFFERED, OFFERED VENDOR_ACCEPT CHECKING, OFFERED VENDOR_DECLINE POOL, OFFERED LAPSE POOL, OFFERED WITHDRAW POOL, \
        OFFERED CANCEL CANCELLED, CHECKING CERTIFY ACCEPTED, CHECKING RETURN POOL, CHECKING WITHDRAW POOL, CHECKING CANCEL CANCELLED, \
        ACCEPTED VENDOR_REPORT REPORTED, ON_SITE VENDOR_REPORT REPORTED, REWORK VENDOR_REPORT REPORTED, REPORTED VENDOR_APPROVE COMPLETED, \
        REPORTED VENDOR_REFUSE REWORK";
    const ACCEPTANCE: &str = "REPORTED COMPLETE COMPLETED, REPORTED REFUSE REWORK, REWORK ARRIVE ON_SITE, REWORK RETURN POOL";
    const DOORS: &str = "ON_SITE NO_ACCESS NO_ACCESS, NO_ACCESS DISPATCH DISPATCHED, NO_ACCESS OFFER OFFERED, NO_ACCESS CANCEL CANCELLED";

    #[test]
    fn h4_each_type_takes_these_steps_and_no_other() {
        let expected = [
            (Type::Repair, vec![CREWS, VENDORS, ACCEPTANCE, "ON_SITE REPORT REPORTED"]),
            (Type::Leak, vec![CREWS, ACCEPTANCE, "ON_SITE MAKE_SAFE SAFE, SAFE REPORT REPORTED"]),
            (Type::Opening, vec![CREWS, "ON_SITE RETURN POOL, ON_SITE COMPLETE COMPLETED"]),
            (Type::MeterExchange, vec![CREWS, VENDORS, ACCEPTANCE, DOORS, "ON_SITE REPORT REPORTED"]),
            (Type::Inspection, vec![CREWS, VENDORS, ACCEPTANCE, DOORS, "ON_SITE REPORT REPORTED"]),
            (Type::ReadingVisit, vec![CREWS, VENDORS, ACCEPTANCE, DOORS, "ON_SITE REPORT REPORTED"]),
        ];
        assert_eq!(expected.len(), Type::ALL.len());
        for (kind, legal) in expected {
            let mut legal: Vec<String> = legal.iter().flat_map(|text| text.split(", ")).map(str::to_owned).collect();
            let mut found = vec![];
            for from in State::ALL {
                for action in Action::ALL {
                    if let Some(to) = step(kind, *from, *action) {
                        found.push(format!("{} {} {}", from.code(), action.code(), to.code()));
                    }
                }
            }
            legal.sort();
            found.sort();
            assert_eq!(found, legal, "{kind:?}");
        }
    }

    #[test]
    fn no_step_stands_twice_in_a_type() {
        for kind in Type::ALL {
            let mut seen = std::collections::BTreeSet::new();
            for (from, action, _) in rows(*kind) {
                assert!(seen.insert((*from, *action)), "{kind:?} {from:?} {action:?}");
            }
        }
    }

    #[test]
    fn a_01_every_type_needs_a_certificate() {
        for kind in Type::ALL {
            assert!(certificate(*kind).is_some(), "{kind:?}");
        }
        assert_eq!(certificate(Type::Opening), Some(Kind::GasOpening));
    }

    #[test]
    fn all_missing_evidence_is_told_at_once() {
        let fields = |kind, given: &Given| missing(kind, given).iter().map(|e| e.field()).collect::<Vec<_>>();
        let nothing = Given::default();
        assert_eq!(fields(Type::Repair, &nothing), ["report.photo_file_ids", "report.signature_file_id"]);
        assert_eq!(fields(Type::ReadingVisit, &Given { photos: 1, ..nothing }), ["report.index"]);
        assert_eq!(
            fields(
                Type::MeterExchange,
                &Given {
                    photos: 1,
                    signature: true,
                    index: true,
                    new_meter: true,
                    new_meter_index: true
                }
            ),
            ["report.photo_file_ids"]
        );
        assert!(
            missing(
                Type::MeterExchange,
                &Given {
                    photos: 2,
                    signature: true,
                    index: true,
                    new_meter: true,
                    new_meter_index: true
                }
            )
            .is_empty()
        );
    }
}
