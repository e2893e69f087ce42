//! Between the messages of the contract and the types of the rules.

use chrono::NaiveDate;
use contracts::hearth::vendor::v1 as proto;
use money::Money;
use rpc::{Call, Fault, wire};

use super::{
    model::{Authority, Contract, DataProcessing, Part, Party, Sla, Terms},
    store::Taken,
};
use crate::vendor::wire::{category_of, unknown};

/// A contract as a caller may see it on a day: who drafted, approved and signed for the utility is not for vendors to know.
pub(super) fn contract(call: &Call, c: &Contract, taken: &[Taken], today: NaiveDate) -> proto::Contract {
    let who = |part: Part| {
        let found = taken.iter().find(|t| t.contract == c.id && t.part == part && call.vendor().is_none());
        found.map(|t| t.subject.clone()).unwrap_or_default()
    };
    proto::Contract {
        contract_id: c.id.to_string(),
        contract_no: c.number.clone(),
        vendor_id: c.vendor.to_string(),
        branch: c.branch.clone(),
        state: c.on(today).number(),
        terms: Some(terms(&c.terms)),
        creator: who(Part::Creator),
        approver: who(Part::Approver),
        signer: who(Part::Signer),
        signed_date: c.signed.map(wire::date),
        state_reason: if call.vendor().is_some() { String::new() } else { c.state_reason.clone() },
        create_time: Some(wire::time(c.created)),
        etag: rpc::etag(c.id, c.version),
        authorities: c.authorities.iter().map(authority).collect(),
    }
}

fn authority(authority: &Authority) -> proto::SigningAuthority {
    proto::SigningAuthority {
        party: authority.party.number(),
        document: authority.document.clone(),
        valid_to_date: Some(wire::date(authority.valid_to)),
    }
}

/// An authority from a request.
pub(super) fn authority_of(given: &proto::SigningAuthority) -> Result<Authority, Fault> {
    Ok(Authority {
        party: Party::of_number(given.party).ok_or_else(|| unknown("authorities.party"))?,
        document: given.document.clone(),
        valid_to: wire::date_of(given.valid_to_date.as_ref(), "authorities.valid_to_date")?,
    })
}

fn terms(terms: &Terms) -> proto::ContractTerms {
    let data = terms.data_processing.as_ref().map(|data| proto::DataProcessingTerms {
        purpose: data.purpose.clone(),
        method: data.method.clone(),
        data_kinds: data.data_kinds.clone(),
        protection: data.protection.clone(),
        until_date: Some(wire::date(data.until)),
    });
    let sla = terms.sla.iter().map(|sla| proto::SlaTerm {
        metric: sla.metric.clone(),
        target: sla.target.clone(),
        window: sla.window.clone(),
        deduction_basis_points: sla.deduction_basis_points,
    });
    proto::ContractTerms {
        category: terms.category.number(),
        title: terms.title.clone(),
        value: Some(wire::money(Money::from_fen(terms.value))),
        start_date: Some(wire::date(terms.start)),
        end_date: Some(wire::date(terms.end)),
        confidentiality_document: terms.confidentiality_document.clone(),
        data_processing: data,
        sla: sla.collect(),
        emergency_plan_document: terms.emergency_plan_document.clone(),
        retention_basis_points: terms.retention_basis_points,
        renewal_notice_days: terms.renewal_notice_days,
        exit_plan_document: terms.exit_plan_document.clone(),
    }
}

/// Terms from a request.
pub(super) fn terms_of(terms: Option<proto::ContractTerms>) -> Result<Terms, Fault> {
    let terms = terms.ok_or_else(|| Fault::invalid("terms", "REQUIRED", "a value is required"))?;
    let data = |data: proto::DataProcessingTerms| {
        Ok::<_, Fault>(DataProcessing {
            until: wire::date_of(data.until_date.as_ref(), "terms.data_processing.until_date")?,
            purpose: data.purpose,
            method: data.method,
            data_kinds: data.data_kinds,
            protection: data.protection,
        })
    };
    let sla = |sla: proto::SlaTerm| Sla {
        metric: sla.metric,
        target: sla.target,
        window: sla.window,
        deduction_basis_points: sla.deduction_basis_points,
    };
    let terms = Terms {
        category: category_of(terms.category, "terms.category")?,
        value: wire::money_of(terms.value.as_ref(), "terms.value")?.fen(),
        start: wire::date_of(terms.start_date.as_ref(), "terms.start_date")?,
        end: wire::date_of(terms.end_date.as_ref(), "terms.end_date")?,
        data_processing: terms.data_processing.map(data).transpose()?,
        title: terms.title,
        confidentiality_document: terms.confidentiality_document,
        sla: terms.sla.into_iter().map(sla).collect(),
        emergency_plan_document: terms.emergency_plan_document,
        retention_basis_points: terms.retention_basis_points,
        renewal_notice_days: terms.renewal_notice_days,
        exit_plan_document: terms.exit_plan_document,
    };
    Ok(terms.checked()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use testbed::assert_contract;

    use crate::contract::model::State;

    #[test]
    fn lists_are_those_of_the_contract() {
        let words: Vec<_> = State::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "STATE_", |n| proto::contract::State::try_from(n).ok().map(|w| w.as_str_name()));
        let words: Vec<_> = Party::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "PARTY_", |n| proto::signing_authority::Party::try_from(n).ok().map(|w| w.as_str_name()));
    }
}
