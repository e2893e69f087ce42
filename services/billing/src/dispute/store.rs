//! Tables of disputes.

use std::collections::HashMap;

use contracts::hearth::billing::v1 as proto;
use database::{Conn, Scope, Scoped, find};
use rpc::{Fault, page::Page};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::model::{DisputeState, Pause, pause};
use crate::{ledger::store::instant, table, words::known};

table!(dispute, "dispute", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    bill_id: Uuid,
    bill_no: String,
    account_id: Uuid,
    party_id: String,
    branch: String,
    state: String,
    reason: String,
    opened_by: String,
    opened_at: i64,
    opened_date: Date,
    reread_by: i64,
    answered_by: String,
    answer: String,
    answered_at: Option<i64>,
    answered_date: Option<Date>,
    version: i64,
});

impl Scoped for dispute::Entity {
    const BRANCH: Option<dispute::Column> = Some(dispute::Column::Branch);
    const CUSTOMER: Option<dispute::Column> = Some(dispute::Column::PartyId);
}

impl dispute::Model {
    /// Where it stands.
    pub fn state(&self) -> Result<DisputeState, Fault> {
        known(DisputeState::of(&self.state), &self.state)
    }
}

/// A dispute that the caller may see.
pub async fn one(conn: &Conn, scope: &Scope, id: Uuid) -> Result<dispute::Model, Fault> {
    find::<dispute::Entity>(scope)
        .filter(dispute::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("dispute", id))
}

/// The days on which bills were disputed.
pub async fn pauses(conn: &Conn, bills: &[Uuid]) -> Result<HashMap<Uuid, Vec<Pause>>, Fault> {
    let mut pauses: HashMap<Uuid, Vec<Pause>> = HashMap::new();
    let rows = dispute::Entity::find()
        .filter(dispute::Column::BillId.is_in(bills.iter().copied()))
        .all(conn)
        .await?;
    for row in rows {
        pauses
            .entry(row.bill_id)
            .or_default()
            .push(pause(row.state()?, row.opened_date, row.answered_date));
    }
    Ok(pauses)
}

/// A page of disputes.
pub async fn list(conn: &Conn, scope: &Scope, page: &Page, filter: &Filter) -> Result<(Vec<proto::Dispute>, String), Fault> {
    let mut select = find::<dispute::Entity>(scope).order_by_asc(dispute::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(dispute::Column::Id.gt(after));
    }
    if let Some(party) = filter.party {
        select = select.filter(dispute::Column::PartyId.eq(party.to_string()));
    }
    if let Some(bill) = filter.bill {
        select = select.filter(dispute::Column::BillId.eq(bill));
    }
    if let Some(state) = filter.state {
        select = select.filter(dispute::Column::State.eq(state.code()));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((rows.iter().map(message).collect::<Result<_, _>>()?, next))
}

/// Which disputes are asked for.
#[derive(Debug)]
pub struct Filter {
    pub party: Option<Uuid>,
    pub bill: Option<Uuid>,
    pub state: Option<DisputeState>,
}

/// The message of a dispute.
pub fn message(row: &dispute::Model) -> Result<proto::Dispute, Fault> {
    Ok(proto::Dispute {
        dispute_id: row.id.to_string(),
        bill_id: row.bill_id.to_string(),
        bill_no: row.bill_no.clone(),
        account_id: row.account_id.to_string(),
        party_id: row.party_id.clone(),
        branch: row.branch.clone(),
        state: row.state()?.number(),
        reason: row.reason.clone(),
        opened_by: row.opened_by.clone(),
        open_time: Some(instant(row.opened_at)),
        reread_by_time: Some(instant(row.reread_by)),
        answered_by: row.answered_by.clone(),
        answer: row.answer.clone(),
        answer_time: row.answered_at.map(instant),
        etag: rpc::etag(row.id, row.version),
    })
}
