//! Between the messages of the contract and the types of the rules.

use contracts::hearth::{r#type::v1::Money as ProtoMoney, vendor::v1 as proto};
use money::Money;
use rpc::{Call, Fault, wire};

use super::{
    model::{Asset, Deduction, Hold, Line, Payment, Rate},
    store::Book,
};

fn fen(amount: i64) -> Option<ProtoMoney> {
    Some(wire::money(Money::from_fen(amount)))
}

/// A row of a rate card.
pub(super) fn rate(rate: &Rate) -> proto::Rate {
    proto::Rate {
        rate_id: rate.id.to_string(),
        contract_id: rate.contract.to_string(),
        basis: rate.basis.number(),
        work_kind: rate.work_kind.clone(),
        unit_price: fen(rate.unit_price),
        from_date: Some(wire::date(rate.from)),
        tax_basis_points: rate.tax,
    }
}

/// Something lent.
pub(super) fn asset(asset: &Asset) -> proto::LentAsset {
    proto::LentAsset {
        asset_id: asset.id.to_string(),
        vendor_id: asset.vendor.to_string(),
        branch: asset.branch.clone(),
        asset_no: asset.asset_no.clone(),
        description: asset.description.clone(),
        lent_date: Some(wire::date(asset.lent)),
        return_by_date: Some(wire::date(asset.return_by)),
        returned_date: asset.returned.map(wire::date),
        condition: asset.condition.clone(),
        etag: rpc::etag(asset.id, asset.version),
    }
}

/// A payment request with what belongs to it as a caller may see it: who made and judged it is not for vendors to know.
pub(super) fn payment(call: &Call, p: &Payment, book: &Book) -> Result<proto::PaymentRequest, Fault> {
    let inside = |text: &str| if call.vendor().is_some() { String::new() } else { text.to_owned() };
    let deductions = book
        .deductions
        .iter()
        .filter(|d| d.payment == p.id)
        .map(|d| deduction(d, p.amounts.due, inside(&d.recorder)));
    let adjustments = book.adjustments.iter().filter(|a| a.payment == p.id).map(|a| proto::PaymentAdjustment {
        payment_request_id: a.earlier.to_string(),
        factor_basis_points: a.factor,
        amount: fen(a.amount),
    });
    let holds = book.holds.iter().filter(|h| h.payment == p.id).map(|h| hold(h, inside));
    Ok(proto::PaymentRequest {
        payment_request_id: p.id.to_string(),
        payment_no: p.number.clone(),
        contract_id: p.contract.to_string(),
        vendor_id: p.vendor.to_string(),
        branch: p.branch.clone(),
        from_date: Some(wire::date(p.from)),
        to_date: Some(wire::date(p.to)),
        state: p.state.number(),
        lines: p.lines.iter().map(line).collect(),
        due: fen(p.amounts.due),
        factor_basis_points: p.amounts.factor,
        earned: fen(p.amounts.earned),
        deductions: deductions.collect::<Result<_, _>>()?,
        deducted: fen(p.amounts.deducted),
        carried_to_retention: fen(p.amounts.carried),
        retained: fen(p.amounts.retained),
        adjustments: adjustments.collect(),
        payable: fen(p.payable),
        invoice_no: p.invoice_no.clone(),
        invoice_date: p.invoice_date.map(wire::date),
        holds: holds.collect(),
        preparer: inside(&p.preparer),
        approver: inside(p.approver.as_deref().unwrap_or_default()),
        state_reason: inside(&p.state_reason),
        paid_date: p.paid.map(wire::date),
        etag: rpc::etag(p.id, p.version),
    })
}

fn line(line: &Line) -> proto::PaymentLine {
    proto::PaymentLine {
        basis: line.basis.number(),
        work_kind: line.work_kind.clone(),
        count: line.count,
        unit_price: fen(line.unit_price),
        amount: fen(line.amount()),
        tax_basis_points: line.tax,
    }
}

fn deduction(d: &Deduction, due: i64, recorder: String) -> Result<proto::SlaDeduction, Fault> {
    Ok(proto::SlaDeduction {
        deduction_id: d.id.to_string(),
        metric: d.metric.clone(),
        misses: d.misses,
        amount: fen(d.amount(due)?),
        evidence: d.evidence.clone(),
        reason: d.reason.clone(),
        recorder,
    })
}

fn hold(h: &Hold, inside: impl Fn(&str) -> String) -> proto::PaymentHold {
    proto::PaymentHold {
        hold_id: h.id.to_string(),
        cause: h.cause.number(),
        owner: h.cause.owner().number(),
        reason: h.reason.clone(),
        placed_by: inside(&h.placed_by),
        place_time: Some(wire::time(h.placed)),
        release_time: h.released.as_ref().map(|(at, _)| wire::time(*at)),
        released_by: inside(h.released.as_ref().map(|(_, by)| by.as_str()).unwrap_or_default()),
        release_reason: h.release_reason.clone(),
    }
}

/// What is retained, claimed against it and left, in fen.
pub(super) fn retention((retained, claimed): (i64, i64)) -> proto::GetRetentionResponse {
    proto::GetRetentionResponse {
        retained: fen(retained),
        claimed: fen(claimed),
        balance: fen(retained.saturating_sub(claimed).max(0)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use testbed::assert_contract;

    use contracts::hearth::options::v1::Role;

    use super::*;
    use crate::settlement::model::{Basis, Cause, Owner, State};

    #[test]
    fn lists_are_those_of_the_contract() {
        let words: Vec<_> = State::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "STATE_", |n| proto::payment_request::State::try_from(n).ok().map(|w| w.as_str_name()));
        let words: Vec<_> = Cause::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "CAUSE_", |n| proto::payment_hold::Cause::try_from(n).ok().map(|w| w.as_str_name()));
        let words: Vec<_> = Basis::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "RATE_BASIS_", |n| proto::RateBasis::try_from(n).ok().map(|w| w.as_str_name()));
        for owner in Owner::ALL {
            let role = Role::try_from(owner.number()).unwrap();
            assert_eq!(role.as_str_name(), format!("ROLE_{}", owner.code()));
        }
    }
}
