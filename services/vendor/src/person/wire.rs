//! Between the messages of the contract and the types of the rules.

use contracts::hearth::vendor::v1 as proto;
use rpc::{Fault, wire};

use super::{
    model::{CertificateKind, Person, TrainingKind},
    store::Clear,
};
use crate::vendor::wire::unknown;

/// A person. The frame masks it in every answer that does not reveal.
pub(super) fn person(person: &Person, clear: &Clear) -> proto::Person {
    let trainings = person.trainings.iter().map(|t| proto::Training {
        kind: t.kind.number(),
        passed_date: Some(wire::date(t.passed)),
        authority: t.authority.clone(),
    });
    let certificates = person.certificates.iter().map(|c| proto::Certificate {
        certificate_id: c.id.to_string(),
        kind: c.kind.number(),
        number: c.number.clone(),
        issuing_body: c.issuing_body.clone(),
        issued_date: Some(wire::date(c.issued)),
        valid_to_date: Some(wire::date(c.valid_to)),
        revoked_date: c.revoked.map(wire::date),
        revoke_reason: c.revoke_reason.clone(),
    });
    let grants = person.grants.iter().map(|g| proto::AccessGrant {
        grant_id: g.id.to_string(),
        purpose: g.purpose.clone(),
        systems: g.systems.clone(),
        until_date: Some(wire::date(g.until)),
        revoke_time: g.revoked.map(wire::time),
        revoke_reason: g.revoke_reason.clone(),
    });
    proto::Person {
        person_id: person.id.to_string(),
        vendor_id: person.vendor.to_string(),
        name: person.name.clone(),
        id_number: clear.id_number.clone().unwrap_or_default(),
        phone: clear.phone.clone().unwrap_or_default(),
        field_work: person.field_work,
        key_staff: person.key_staff,
        state: person.state.number(),
        confidentiality_date: person.confidentiality.map(wire::date),
        trainings: trainings.collect(),
        certificates: certificates.collect(),
        grants: grants.collect(),
        end_reason: person.end_reason.clone(),
        create_time: Some(wire::time(person.created)),
        etag: rpc::etag(person.id, person.version),
        replaces_person_id: person.replaces.map(|id| id.to_string()).unwrap_or_default(),
        approval_opinion: person.approval_opinion.clone(),
        end_date: person.ended.map(wire::date),
    }
}

/// A kind of training from a request.
pub(super) fn training_kind_of(number: i32) -> Result<TrainingKind, Fault> {
    TrainingKind::of_number(number).ok_or_else(|| unknown("kind"))
}

/// A kind of certificate from a request.
pub(super) fn certificate_kind_of(number: i32, field: &str) -> Result<CertificateKind, Fault> {
    CertificateKind::of_number(number).ok_or_else(|| unknown(field))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use testbed::assert_contract;

    use crate::person::model;

    #[test]
    fn lists_are_those_of_the_contract() {
        macro_rules! check {
            ($list:ty, $proto:ty, $prefix:literal) => {
                let words: Vec<_> = <$list>::ALL.iter().map(|w| (w.number(), w.code())).collect();
                assert_contract(&words, $prefix, |n| <$proto>::try_from(n).ok().map(|w| w.as_str_name()));
            };
        }
        check!(model::State, proto::person::State, "STATE_");
        check!(TrainingKind, proto::training::Kind, "KIND_");
        check!(CertificateKind, proto::CertificateKind, "CERTIFICATE_KIND_");
        // Hall keeps a list of its own for its staff; the events between the two carry the numbers.
        check!(CertificateKind, contracts::hearth::hall::v1::CertificateKind, "CERTIFICATE_KIND_");
    }
}
