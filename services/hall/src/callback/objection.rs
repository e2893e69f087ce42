//! The wish not to be called (拒绝回访): it holds for all calls but those about safety.

use contracts::hearth::hall::v1::*;
use database::{Begun, Scope, Scoped, find};
use rpc::{Call, Fault};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{ops, store};
use crate::{Desk, fields, rows::table};

table! {
    versioned objection "call_objection" {
        account_id: Uuid,
        branch: String,
        note: String,
        recorded_by: String,
        recorded_at: i64,
        lifted_by: String,
        lifted_note: String,
        lifted_at: Option<i64>,
    }
}

impl Scoped for objection::Entity {
    const BRANCH: Option<Self::Column> = Some(objection::Column::Branch);
}

/// Whether the customer of an account does not want to be called.
pub async fn holds(conn: &impl ConnectionTrait, account: Uuid) -> Result<bool, Fault> {
    let select = objection::Entity::find()
        .filter(objection::Column::AccountId.eq(account))
        .filter(objection::Column::LiftedAt.is_null());
    Ok(select.one(conn).await?.is_some())
}

pub async fn record(desk: Desk, call: Call, request: RecordCallObjectionRequest) -> Result<RecordCallObjectionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let account = fields::id("account_id", &request.account_id)?;
    let row = objection::Model {
        id: Uuid::now_v7(),
        account_id: account,
        branch: request.branch,
        note: request.note,
        recorded_by: call.subject().to_owned(),
        recorded_at: write.now().micros(),
        lifted_by: String::new(),
        lifted_note: String::new(),
        lifted_at: None,
        version: 1,
    };
    write.subject(row.id);
    row.insert(&*write).await?;
    let mut suppressed_task_ids = vec![];
    for mut task in store::lock_suppressible(&*write, &Scope::of(&call), account).await? {
        ops::suppress(&mut write, &mut task).await?;
        suppressed_task_ids.push(task.id.to_string());
    }
    write.commit(RecordCallObjectionResponse { suppressed_task_ids }).await
}

pub async fn lift(desk: Desk, call: Call, request: LiftCallObjectionRequest) -> Result<LiftCallObjectionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let account = fields::id("account_id", &request.account_id)?;
    let select = find::<objection::Entity>(&Scope::of(&call))
        .filter(objection::Column::AccountId.eq(account))
        .filter(objection::Column::LiftedAt.is_null());
    let found = select.lock_exclusive().one(&*write).await?;
    let mut row = found.ok_or_else(|| Fault::not_found("objection", account))?;
    row.lifted_by = call.subject().to_owned();
    row.lifted_note = request.note;
    row.lifted_at = Some(write.now().micros());
    row.save(&*write).await?;
    write.subject(row.id);
    write
        .commit(LiftCallObjectionResponse {
            account_id: account.to_string(),
        })
        .await
}
