//! Deliveries and waivers.

use contracts::hearth::billing::v1::{
    ApproveWaiverRequest, ApproveWaiverResponse, ProposeWaiverRequest, ProposeWaiverResponse, RecordDeliveryRequest, RecordDeliveryResponse,
    RejectWaiverRequest, RejectWaiverResponse,
};
use database::{Begun, Scope, Write};
use money::Money;
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    model::{Action, WaiverState, step},
    store::{self, late_fee, waiver},
};
use crate::{
    Desk, Refusal,
    bill::{
        model::BillState,
        store::{self as bills, bill},
    },
    supply::{hold, store as supply},
    table,
};

/// RecordDelivery (9.4: no late fee before the bill was delivered).
pub async fn deliver(desk: Desk, call: Call, request: RecordDeliveryRequest) -> Result<RecordDeliveryResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let day = wire::date_of(request.delivered_date.as_ref(), "delivered_date")?;
    let mut row = locked(&write, &Scope::of(&call), wire::id_of("bill_id", &request.bill_id)?).await?;
    rpc::check_etag(&request.etag, row.id, row.version)?;
    if row.state()? == BillState::Reversed {
        return Err(Refusal::BillReversed.into());
    }
    if row.delivered_date.is_some() {
        return Err(Refusal::DeliveryRecorded.into());
    }
    if day < row.issue_date || day > write.now().date() {
        return Err(Fault::from(Refusal::DeliveryDate).field("delivered_date"));
    }
    let head = late_fee::Entity::find_by_id(row.id).one(&*write).await?;
    if head.is_some_and(|h| h.paid > 0 || h.waived > 0) {
        return Err(Refusal::LateFeeSettled.into());
    }
    row.delivered_date = Some(day);
    row.version = row.version.saturating_add(1);
    bill::Entity::update_many()
        .col_expr(bill::Column::DeliveredDate, row.delivered_date.into())
        .col_expr(bill::Column::Version, row.version.into())
        .filter(bill::Column::Id.eq(row.id))
        .exec(&*write)
        .await?;
    store::settle(&mut write, std::slice::from_ref(&row)).await?;
    write.subject(row.id);
    let lines = bills::lines(&write, row.id).await?;
    write
        .commit(RecordDeliveryResponse {
            bill: Some(bills::message(&row, &lines)?),
        })
        .await
}

/// ProposeWaiver (9.4).
pub async fn propose(desk: Desk, call: Call, request: ProposeWaiverRequest) -> Result<ProposeWaiverResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let amount = request.amount.as_ref().map(|a| wire::money_of(Some(a), "amount")).transpose()?;
    if amount.is_some_and(|a| a <= Money::ZERO) {
        return Err(Fault::from(Refusal::AmountNotPositive).field("amount"));
    }
    let bill = locked(&write, &Scope::of(&call), wire::id_of("bill_id", &request.bill_id)?).await?;
    let due = store::settle(&mut write, std::slice::from_ref(&bill)).await?.get(&bill.id).map_or(0, |l| l.due);
    if due == 0 {
        return Err(Refusal::NoLateFee.into());
    }
    no_favour(&write, &bill).await?;
    let row = waiver::Model {
        id: Uuid::now_v7(),
        bill_id: bill.id,
        account_id: bill.account_id,
        branch: bill.branch,
        state: WaiverState::Proposed.code().to_owned(),
        amount: amount.map(Money::fen),
        waived: 0,
        reason: request.reason.clone(),
        proposed_by: call.subject().to_owned(),
        proposed_at: write.now().micros(),
        decided_by: String::new(),
        decided_at: None,
        version: 1,
    };
    table::insert::<waiver::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    write
        .commit(ProposeWaiverResponse {
            waiver: Some(store::waiver_message(&row)?),
        })
        .await
}

/// ApproveWaiver (9.4): by another person.
pub async fn approve(desk: Desk, call: Call, request: ApproveWaiverRequest) -> Result<ApproveWaiverResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id = wire::id_of("waiver_id", &request.waiver_id)?;
    let mut row = decided(&write, &call, id, &request.etag, Action::Approve).await?;
    let bill = bills::one(&write, &Scope::everything(), row.bill_id).await?;
    no_favour(&write, &bill).await?;
    let due = store::settle(&mut write, std::slice::from_ref(&bill)).await?.get(&bill.id).map_or(0, |l| l.due);
    row.waived = row.amount.map_or(due, |amount| amount.min(due));
    store::waive(&write, bill.id, row.waived).await?;
    table::update::<waiver::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    write
        .commit(ApproveWaiverResponse {
            waiver: Some(store::waiver_message(&row)?),
        })
        .await
}

/// RejectWaiver.
pub async fn reject(desk: Desk, call: Call, request: RejectWaiverRequest) -> Result<RejectWaiverResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id = wire::id_of("waiver_id", &request.waiver_id)?;
    let row = decided(&write, &call, id, &request.etag, Action::Reject).await?;
    table::update::<waiver::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    write
        .commit(RejectWaiverResponse {
            waiver: Some(store::waiver_message(&row)?),
        })
        .await
}

/// G-11: a waiver is a favour, which a party on the list of dishonest customers does not get.
async fn no_favour(write: &Write, bill: &bill::Model) -> Result<(), Fault> {
    if hold::is_listed(write, bill.party_id, write.now().date()).await? {
        return Err(Refusal::ListedDishonest.into());
    }
    Ok(())
}

/// A bill under the lock of its account.
async fn locked(write: &Write, scope: &Scope, id: Uuid) -> Result<bill::Model, Fault> {
    let seen = bills::one(write, scope, id).await?;
    supply::lock_accounts(write, &[seen.account_id]).await?;
    bills::one(write, scope, id).await
}

/// A waiver as another person decides on it; not written yet.
async fn decided(write: &Write, call: &Call, id: Uuid, etag: &str, action: Action) -> Result<waiver::Model, Fault> {
    let scope = Scope::of(call);
    let seen = store::one_waiver(write, &scope, id).await?;
    supply::lock_accounts(write, &[seen.account_id]).await?;
    let mut row = store::one_waiver(write, &scope, id).await?;
    let state = step(row.state()?, action)?;
    if row.proposed_by == call.subject() {
        return Err(Refusal::OwnWaiver.into());
    }
    rpc::check_etag(etag, row.id, row.version)?;
    row.state = state.code().to_owned();
    row.decided_by = call.subject().to_owned();
    row.decided_at = Some(write.now().micros());
    row.version = row.version.saturating_add(1);
    Ok(row)
}
