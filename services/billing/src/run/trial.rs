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
    bill::{
        explain,
        model::BillState,
        store::{self as bills, bill, explanation, line},
    },
    heat::trial::{Tried, try_season},
    held::{model::Finding, store::finding_message},
    supply::{model::Service, store::supply},
};

/// TryBill.
pub async fn try_bill(desk: Desk, call: Call, request: TryBillRequest) -> Result<TryBillResponse, Fault> {
    let conn = desk.db.reader();
    let period = u32::try_from(request.month)
        .ok()
        .and_then(|month| Period::new(request.year, month))
        .ok_or_else(|| Fault::invalid("month", "DATE", "there is no such month"))?;
    let supply = supply(conn, &Scope::of(&call), wire::id_of("agreement_id", &request.agreement_id)?).await?;
    if supply.service != Service::Heat.code() {
        return try_month(&desk, &supply, period).await;
    }
    match try_season(conn, &supply, period, desk.clock.now()).await? {
        Tried::Bill(made) => {
            let (row, lines, explanation) = *made;
            told(row, &lines, explanation, &[])
        }
        Tried::Nothing(outcome, reason) => Ok(without(outcome, reason)),
    }
}

async fn try_month(desk: &Desk, supply: &supply::Model, period: Period) -> Result<TryBillResponse, Fault> {
    let loaded = Loaded::of(desk.db.reader(), std::slice::from_ref(supply), period, Meters::Free).await?;
    let draft = match loaded.decide(supply, period)? {
        Decision::Bill(draft) => draft,
        Decision::Already => return Ok(without(Outcome::Already, "")),
        Decision::Held => return Ok(without(Outcome::Held, "")),
        Decision::Missing(_) => return Ok(without(Outcome::Missing, "")),
        Decision::Skipped => return Ok(without(Outcome::Skipped, "")),
        Decision::NotDue => return Ok(without(Outcome::NotDue, "")),
        Decision::Parked(reason) => return Ok(without(Outcome::Parked, reason)),
    };
    let now = desk.clock.now();
    let findings = loaded.findings(supply, &draft, now.date());
    let mut made = Made::default();
    let origin = Origin {
        year: period.year,
        month: i32::try_from(period.month).unwrap_or_default(),
        ..Origin::default()
    };
    made.bill(origin, supply, *draft, now, &loaded);
    let (Some(row), Some(explanation)) = (made.bills.pop(), made.explanations.pop()) else {
        return Err(Fault::internal("a bill was priced and is not there"));
    };
    told(row, &made.lines, explanation, &findings)
}

fn without(outcome: Outcome, reason: &str) -> TryBillResponse {
    TryBillResponse {
        outcome: outcome.into(),
        reason: reason.to_owned(),
        ..TryBillResponse::default()
    }
}

/// The answer with a bill, which has neither id nor number.
fn told(mut row: bill::Model, lines: &[line::Model], explanation: explanation::Model, findings: &[Finding]) -> Result<TryBillResponse, Fault> {
    BillState::Draft.code().clone_into(&mut row.state);
    let mut message = bills::message(&row, lines)?;
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
