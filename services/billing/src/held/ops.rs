//! Publication of checks, and decisions about held bills.

use std::collections::HashSet;

use contracts::hearth::billing::v1::{
    PublishBillChecksRequest, PublishBillChecksResponse, RejectHeldBillRequest, RejectHeldBillResponse, ReleaseHeldBillRequest, ReleaseHeldBillResponse,
};
use database::{Begun, Scope, Write};
use rpc::{Call, Fault, wire};
use sea_orm::EntityTrait;
use uuid::Uuid;

use super::{
    model::{Action, fits, step},
    store::{self, check_set, held_bill},
};
use crate::{
    Desk, Refusal,
    bill::{ops::give_back, store as bills},
    reading::{model::ReadingState, store::reading},
    run::{
        chunk::{Loaded, Made, Meters, Origin},
        model::{Decision, Period},
        store::run,
    },
    supply::store as supplies,
    table,
};

/// PublishBillChecks.
pub async fn publish(desk: Desk, call: Call, request: PublishBillChecksRequest) -> Result<PublishBillChecksResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let from = wire::date_of(request.from_date.as_ref(), "from_date")?;
    let checks = store::checks_of(&request.checks)?;
    fits(&checks).map_err(|r| Fault::from(r).field("checks"))?;
    let row = check_set::Model {
        id: Uuid::now_v7(),
        branch: request.branch.clone(),
        from_date: from,
        document_reference: request.document_reference.clone(),
        checks: serde_json::to_string(&checks).map_err(Fault::internal)?,
        published_by: call.subject().to_owned(),
        created_at: write.now().micros(),
    };
    table::insert::<check_set::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    write
        .commit(PublishBillChecksResponse {
            check_set: Some(store::set_message(&row)?),
        })
        .await
}

/// ReleaseHeldBill: what a second person lets go out is priced anew first.
pub async fn release(desk: Desk, call: Call, request: ReleaseHeldBillRequest) -> Result<ReleaseHeldBillResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id = wire::id_of("held_bill_id", &request.held_bill_id)?;
    let mut row = decided(&write, &call, id, &request.etag, Action::Release, &request.grounds).await?;
    let period = u32::try_from(row.month).ok().and_then(|month| Period::new(row.year, month));
    let period = period.ok_or_else(|| Fault::internal("a held bill of a month that does not exist"))?;
    let supply = supplies::supply(&write, &Scope::everything(), row.agreement_id).await?;
    let Some(run) = run::Entity::find_by_id(row.run_id).one(&*write).await? else {
        return Err(Fault::internal("a held bill without a run"));
    };
    let loaded = Loaded::of(&write, std::slice::from_ref(&supply), period, Meters::Locked).await?;
    let draft = match loaded.decide(&supply, period)? {
        Decision::Bill(draft) if row.is_of(&draft) => draft,
        _ => return Err(Refusal::HeldBillChanged.into()),
    };
    let mut made = Made::default();
    made.bill(Origin::run(&run), &supply, *draft, write.now(), &loaded);
    let bill = made.store(&mut write).await?.pop().ok_or_else(|| Fault::internal("a release without a bill"))?;
    row.bill_id = Some(bill.id);
    table::update::<held_bill::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    let lines = bills::lines(&write, bill.id).await?;
    write
        .commit(ReleaseHeldBillResponse {
            held_bill: Some(store::message(&row)?),
            bill: Some(bills::message(&bill, &lines)?),
        })
        .await
}

/// RejectHeldBill: its reading is never billed.
pub async fn reject(desk: Desk, call: Call, request: RejectHeldBillRequest) -> Result<RejectHeldBillResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id = wire::id_of("held_bill_id", &request.held_bill_id)?;
    let row = decided(&write, &call, id, &request.etag, Action::Reject, &request.grounds).await?;
    give_back(&mut write, &desk, &[(row.reading_id, ReadingState::Rejected)], HashSet::new()).await?;
    table::update::<held_bill::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    write
        .commit(RejectHeldBillResponse {
            held_bill: Some(store::message(&row)?),
        })
        .await
}

/// A held bill as another person decides on it; not written yet.
async fn decided(write: &Write, call: &Call, id: Uuid, etag: &str, action: Action, grounds: &str) -> Result<held_bill::Model, Fault> {
    let scope = Scope::of(call);
    let seen = store::one(write, &scope, id).await?;
    supplies::lock_accounts(write, &[seen.account_id]).await?;
    let mut row = store::one(write, &scope, id).await?;
    let state = step(row.state()?, action)?;
    let read = reading::Entity::find_by_id(row.reading_id).one(&**write).await?;
    if row.started_by == call.subject() || read.is_some_and(|r| r.recorded_by == call.subject()) {
        return Err(Refusal::OwnHeldBill.into());
    }
    rpc::check_etag(etag, row.id, row.version)?;
    row.state = state.code().to_owned();
    row.decided_by = call.subject().to_owned();
    row.grounds = grounds.to_owned();
    row.decided_at = Some(write.now().micros());
    row.version = row.version.saturating_add(1);
    Ok(row)
}
