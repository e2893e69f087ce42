//! Disputes about debts, which keep a party off the list for them (G-12).

use contracts::hearth::archive::v1::{CloseDebtDisputeRequest, CloseDebtDisputeResponse, OpenDebtDisputeRequest, OpenDebtDisputeResponse};
use database::{Begun, Scope};
use ids::PartyId;
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::store::{self, dispute};
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
    let party = parties::load(&*write, &Scope::of(&call), id.uuid()).await?;
    let bill_id: Uuid = wire::id_of("bill_id", &request.bill_id)?;
    if books::known_bills(&*write, &[party.id], &[bill_id]).await?.is_empty() {
        return Err(Fault::not_found("bill", bill_id));
    }
    let now = write.now().micros();
    let row = dispute::Model {
        id: Uuid::now_v7(),
        party_id: party.id,
        branch: party.branch,
        bill_id,
        reference: text(&request.reference, 80).map_err(at("reference"))?,
        opened_date: write.now().date(),
        closed_date: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    insert::<dispute::Entity>(&*write, row.clone()).await?;
    write.subject(row.id);
    write.commit(OpenDebtDisputeResponse { dispute: Some(row.show()) }).await
}

pub(crate) async fn close(desk: Desk, call: Call, request: CloseDebtDisputeRequest) -> Result<CloseDebtDisputeResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id = wire::id_of("dispute_id", &request.dispute_id)?;
    let mut row = store::lock_dispute(&*write, &Scope::of(&call), id, &request.etag).await?;
    if row.closed_date.is_some() {
        return Err(Refusal::DisputeClosed.into());
    }
    row.closed_date = Some(write.now().date());
    row.version = row.version.saturating_add(1);
    row.updated_at = write.now().micros();
    update::<dispute::Entity>(&*write, row.clone()).await?;
    write.subject(row.id);
    write.commit(CloseDebtDisputeResponse { dispute: Some(row.show()) }).await
}
