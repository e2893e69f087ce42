//! Between the messages of the contract and the types of the rules.

use chrono::NaiveDate;
use contracts::hearth::vendor::v1 as proto;
use money::Money;
use rpc::{Call, Fault, wire};

use super::model::{Attestation, Case, Evidence, Office, Step};
use crate::keys::VipCaseId;

/// A case as a caller may see it on a day: who judged is not for vendors to know.
pub(super) fn case(call: &Call, c: &Case, found: &[(VipCaseId, Evidence)], today: NaiveDate) -> proto::VipCase {
    let inside = |text: &str| if call.vendor().is_some() { String::new() } else { text.to_owned() };
    let step = |s: &Step| proto::VipStep {
        ordinal: s.ordinal,
        role: s.office.number(),
        subject: inside(&s.subject),
        approved: s.approved,
        opinion: inside(&s.opinion),
        decide_time: Some(wire::time(s.decided)),
    };
    proto::VipCase {
        vip_case_id: c.id.to_string(),
        vendor_id: c.vendor.to_string(),
        route: c.route.number(),
        state: c.on(today).number(),
        next_step: c.next().map(Office::number).unwrap_or_default(),
        steps: c.steps.iter().map(step).collect(),
        evidence: found.iter().filter(|(id, _)| *id == c.id).map(|(_, e)| evidence(e)).collect(),
        attestation: Some(proto::CultureAttestation {
            document: c.attestation.document.clone(),
            signed_date: Some(wire::date(c.attestation.signed)),
        }),
        submit_time: Some(wire::time(c.submitted)),
        applicant: inside(&c.applicant),
        listed_date: c.listed.map(wire::date),
        review_due_date: c.review_due.map(wire::date),
        closed_date: c.closed.map(wire::date),
        close_reason: c.close_reason.clone(),
        etag: rpc::etag(c.id, c.version),
    }
}

/// The four conditions.
pub(super) fn evidence(e: &Evidence) -> proto::VipEvidence {
    proto::VipEvidence {
        moment: e.moment.number(),
        as_of_date: Some(wire::date(e.as_of)),
        trade_total: Some(wire::money(Money::from_fen(e.trade_total))),
        quality_fault: Some(wire::money(Money::from_fen(e.quality_fault))),
        problems: e.problems,
        unassessed: e.unassessed,
        uncooperative: e.uncooperative,
        trade_met: e.trade_met(),
        quality_met: e.quality_met(),
        cooperation_met: e.cooperation_met(),
        culture_met: e.culture,
    }
}

/// An attestation from a request.
pub(super) fn attestation_of(given: Option<proto::CultureAttestation>) -> Result<Attestation, Fault> {
    let given = given.ok_or_else(|| Fault::invalid("attestation", "REQUIRED", "a value is required"))?;
    Ok(Attestation {
        signed: wire::date_of(given.signed_date.as_ref(), "attestation.signed_date")?,
        document: given.document,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use testbed::assert_contract;

    use contracts::hearth::options::v1::Role;

    use super::*;
    use crate::vip::model::{Moment, Route, State};

    #[test]
    fn lists_are_those_of_the_contract() {
        let words: Vec<_> = State::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "STATE_", |n| proto::vip_case::State::try_from(n).ok().map(|w| w.as_str_name()));
        let words: Vec<_> = Moment::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "MOMENT_", |n| proto::vip_evidence::Moment::try_from(n).ok().map(|w| w.as_str_name()));
        let words: Vec<_> = Route::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "VIP_ROUTE_", |n| proto::VipRoute::try_from(n).ok().map(|w| w.as_str_name()));
        for office in Office::ALL {
            let role = Role::try_from(office.number()).unwrap();
            assert_eq!(role.as_str_name(), format!("ROLE_{}", office.code()));
        }
    }
}
