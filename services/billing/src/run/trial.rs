//! What a run would make of one agreement, tried and not written (B19).

use contracts::hearth::billing::v1::{TryBillRequest, TryBillResponse, try_bill_response::Outcome};
use database::Scope;
use rpc::{Call, Fault, wire};

use super::{
    chunk::{Loaded, Made, Meters, Origin},
    model::{Decision, Period},
};
use crate::{
    Desk,
    bill::{explain, model::BillState, store as bills},
    held::store::finding_message,
    supply::{model::Service, store as supplies},
};

/// TryBill.
pub async fn try_bill(desk: Desk, call: Call, request: TryBillRequest) -> Result<TryBillResponse, Fault> {
    let conn = desk.db.reader();
    let period = u32::try_from(request.month)
        .ok()
        .and_then(|month| Period::new(request.year, month))
        .ok_or_else(|| Fault::invalid("month", "DATE", "there is no such month"))?;
    let supply = supplies::supply(conn, &Scope::of(&call), wire::id_of("agreement_id", &request.agreement_id)?).await?;
    if supply.service != Service::Gas.code() {
        return Err(Fault::not_found("agreement", supply.id));
    }
    let loaded = Loaded::of(conn, std::slice::from_ref(&supply), period, Meters::Free).await?;
    let without = |outcome: Outcome, reason: &str| TryBillResponse {
        outcome: outcome.into(),
        reason: reason.to_owned(),
        ..TryBillResponse::default()
    };
    let draft = match loaded.decide(&supply, period)? {
        Decision::Bill(draft) => draft,
        Decision::Already => return Ok(without(Outcome::Already, "")),
        Decision::Held => return Ok(without(Outcome::Held, "")),
        Decision::Missing(_) => return Ok(without(Outcome::Missing, "")),
        Decision::Skipped => return Ok(without(Outcome::Skipped, "")),
        Decision::NotDue => return Ok(without(Outcome::NotDue, "")),
        Decision::Parked(reason) => return Ok(without(Outcome::Parked, reason)),
    };
    let now = desk.clock.now();
    let findings = loaded.findings(&supply, &draft, now.date());
    let mut made = Made::default();
    let origin = Origin {
        year: request.year,
        month: request.month,
        ..Origin::default()
    };
    made.bill(origin, &supply, *draft, now, &loaded);
    let (Some(mut row), Some(explanation)) = (made.bills.pop(), made.explanations.pop()) else {
        return Err(Fault::internal("a bill was priced and is not there"));
    };
    BillState::Draft.code().clone_into(&mut row.state);
    let mut message = bills::message(&row, &made.lines)?;
    let mut explanation = explain::message(&row, explanation.content)?;
    for field in [&mut message.bill_id, &mut message.etag, &mut explanation.bill_id] {
        field.clear();
    }
    Ok(TryBillResponse {
        outcome: if findings.is_empty() { Outcome::Bill } else { Outcome::BillHeld }.into(),
        reason: String::new(),
        bill: Some(message),
        explanation: Some(explanation),
        findings: findings.iter().map(finding_message).collect::<Result<_, _>>()?,
    })
}
