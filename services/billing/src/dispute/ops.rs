//! Taking and answering disputes.

use calendar::TimeDelta;
use contracts::hearth::billing::v1::{AnswerDisputeRequest, AnswerDisputeResponse, BillDisputeAnswered, BillDisputed, DisputeBillRequest, DisputeBillResponse};
use database::{Begun, Scope};
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    model::{Action, DisputeState, step},
    store::{self, dispute},
};
use crate::{
    Desk, Refusal,
    bill::{model::BillState, store as bills},
    late_fee::store as late_fees,
    ledger::store::instant,
    supply::store as supply,
    table,
};

/// Hours within which the meter is read again (E2-06).
const REREAD_HOURS: i64 = 24;

/// DisputeBill (E2-06).
pub async fn open(desk: Desk, call: Call, request: DisputeBillRequest) -> Result<DisputeBillResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let bill = bills::one(&write, &Scope::of(&call), wire::id_of("bill_id", &request.bill_id)?).await?;
    supply::lock_accounts(&write, &[bill.account_id]).await?;
    if bill.state()? == BillState::Reversed {
        return Err(Refusal::BillReversed.into());
    }
    let now = write.now();
    let row = dispute::Model {
        id: Uuid::now_v7(),
        bill_id: bill.id,
        bill_no: bill.bill_no.clone(),
        account_id: bill.account_id,
        party_id: bill.party_id.to_string(),
        branch: bill.branch.clone(),
        state: DisputeState::Open.code().to_owned(),
        reason: request.reason.clone(),
        opened_by: call.subject().to_owned(),
        opened_at: now.micros(),
        opened_date: now.date(),
        reread_by: now.plus(TimeDelta::hours(REREAD_HOURS)).unwrap_or(now).micros(),
        answered_by: String::new(),
        answer: String::new(),
        answered_at: None,
        answered_date: None,
        version: 1,
    };
    table::insert::<dispute::Entity>(&write, row.clone()).await?;
    // What accrued up to today is written down before the days stop to count.
    late_fees::settle(&mut write, std::slice::from_ref(&bill)).await?;
    write.subject(row.id);
    write.event(
        bill.account_id,
        &BillDisputed {
            dispute_id: row.id.to_string(),
            bill_id: bill.id.to_string(),
            agreement_id: bill.agreement_id.to_string(),
            account_id: bill.account_id.to_string(),
            party_id: row.party_id.clone(),
            branch: row.branch.clone(),
            reread_by_time: Some(instant(row.reread_by)),
        },
    );
    write
        .commit(DisputeBillResponse {
            dispute: Some(store::message(&row)?),
        })
        .await
}

/// AnswerDispute (E2-06).
pub async fn answer(desk: Desk, call: Call, request: AnswerDisputeRequest) -> Result<AnswerDisputeResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let id: Uuid = wire::id_of("dispute_id", &request.dispute_id)?;
    let seen = store::one(&write, &scope, id).await?;
    supply::lock_accounts(&write, &[seen.account_id]).await?;
    let mut row = store::one(&write, &scope, id).await?;
    let action = if request.bill_stands { Action::Uphold } else { Action::Concede };
    let state = step(row.state()?, action)?;
    if row.opened_by == call.subject() {
        return Err(Refusal::OwnDispute.into());
    }
    rpc::check_etag(&request.etag, row.id, row.version)?;
    let now = write.now();
    row.state = state.code().to_owned();
    row.answered_by = call.subject().to_owned();
    row.answer = request.answer.clone();
    row.answered_at = Some(now.micros());
    row.answered_date = Some(now.date());
    row.version = row.version.saturating_add(1);
    table::update::<dispute::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    write.event(
        row.account_id,
        &BillDisputeAnswered {
            dispute_id: row.id.to_string(),
            bill_id: row.bill_id.to_string(),
            account_id: row.account_id.to_string(),
            party_id: row.party_id.clone(),
            branch: row.branch.clone(),
            bill_stands: request.bill_stands,
        },
    );
    write
        .commit(AnswerDisputeResponse {
            dispute: Some(store::message(&row)?),
        })
        .await
}
