//! Disputes about debts, which keep a party off the list for them (G-12): those that people record here, and those that billing took.

use chrono::NaiveDate;
use contracts::hearth::{
    archive::v1::{CloseDebtDisputeRequest, CloseDebtDisputeResponse, OpenDebtDisputeRequest, OpenDebtDisputeResponse},
    billing::v1::{BillDisputeAnswered, BillDisputed},
};
use database::{Begun, Conn, Scope, Write};
use ids::PartyId;
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    model::{self, DisputeAction, TakenBy},
    store::{self, dispute},
};
use crate::{
    Desk,
    credit::books,
    party::{model::text, store as parties},
    refusal::{Refusal, at},
    table::{insert, update},
};

pub(crate) async fn open(desk: Desk, call: Call, request: OpenDebtDisputeRequest) -> Result<OpenDebtDisputeResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: PartyId = wire::id_of("party_id", &request.party_id)?;
    let party = parties::load(&write, &Scope::of(&call), id.uuid()).await?;
    let bill_id: Uuid = wire::id_of("bill_id", &request.bill_id)?;
    if books::known_bills(&write, &[party.id], &[bill_id]).await?.is_empty() {
        return Err(Fault::not_found("bill", bill_id));
    }
    let now = write.now().micros();
    let row = dispute::Model {
        id: Uuid::now_v7(),
        party_id: party.id,
        branch: party.branch,
        bill_id,
        reference: text(&request.reference, 80).map_err(at("reference"))?,
        taken_by: TakenBy::Archive.code().to_owned(),
        opened_date: write.now().date(),
        closed_date: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    insert::<dispute::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    write.commit(OpenDebtDisputeResponse { dispute: Some(row.show()) }).await
}

pub(crate) async fn close(desk: Desk, call: Call, request: CloseDebtDisputeRequest) -> Result<CloseDebtDisputeResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id = wire::id_of("dispute_id", &request.dispute_id)?;
    let mut row = store::lock_dispute(&write, &Scope::of(&call), id, &request.etag).await?;
    if row.taken_by == TakenBy::Billing.code() {
        return Err(Refusal::DisputeOfBilling.into());
    }
    model::dispute(row.stands(), DisputeAction::Close)?;
    row.closed_date = Some(write.now().date());
    row.version = row.version.saturating_add(1);
    row.updated_at = write.now().micros();
    update::<dispute::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    write.commit(CloseDebtDisputeResponse { dispute: Some(row.show()) }).await
}

/// Enters a dispute that billing took; telling it twice is telling it once.
pub(crate) async fn taken(write: &Write, party_id: Uuid, told: &BillDisputed, day: NaiveDate) -> Result<(), Fault> {
    let party = parties::load(write, &Scope::everything(), party_id).await?;
    let now = write.now().micros();
    let row = dispute::Model {
        id: wire::id_of("dispute_id", &told.dispute_id)?,
        party_id,
        branch: party.branch,
        bill_id: wire::id_of("bill_id", &told.bill_id)?,
        reference: String::new(),
        taken_by: TakenBy::Billing.code().to_owned(),
        opened_date: day,
        closed_date: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    store::enter_dispute(write, row).await
}

/// Enters that billing answered a dispute. Whether the bill stands is billing's matter: a wrong one is reversed, and then nothing is owed for it.
pub(crate) async fn answered(conn: &Conn, told: &BillDisputeAnswered, day: NaiveDate) -> Result<(), Fault> {
    store::answer_dispute(conn, wire::id_of("dispute_id", &told.dispute_id)?, day).await
}

/// G-12: nobody is listed for bills that are disputed.
pub(crate) async fn none_open(conn: &Conn, bills: &[Uuid]) -> Result<(), Fault> {
    let disputed = store::disputed(conn, bills).await?;
    if disputed.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = disputed.iter().map(Uuid::to_string).collect();
    Err(Fault::from(Refusal::DebtDisputed).meta("bills", names.join(" ")))
}
