//! The wish not to be called (拒绝回访): it holds for all calls but those about safety.

use contracts::hearth::hall::v1::*;
use database::{Begun, Conn, Scope, Scoped, find};
use rpc::{Call, Fault};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{ops, store};
use crate::{Desk, codes::codes, fields, rows::table};

codes! {
    /// Where an objection stands.
    pub enum State {
        Standing = 1 "STANDING",
        Lifted = 2 "LIFTED",
    }
}

codes! {
    /// What is done with an objection.
    pub enum Action {
        Lift = 1 "LIFT",
    }
}

/// Every step of an objection that there is: whoever objects anew makes another one, and has one at a time.
pub const STEPS: &[(State, Action, State)] = &[(State::Standing, Action::Lift, State::Lifted)];

/// The state after a step; `None` where there is no such step.
pub fn step(from: State, action: Action) -> Option<State> {
    STEPS.iter().find(|(state, step, _)| *state == from && *step == action).map(|(_, _, to)| *to)
}

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

impl objection::Model {
    fn state(&self) -> State {
        match self.lifted_at {
            Some(_) => State::Lifted,
            None => State::Standing,
        }
    }
}

impl Scoped for objection::Entity {
    const BRANCH: Option<Self::Column> = Some(objection::Column::Branch);
}

/// Whether the customer of an account does not want to be called.
pub async fn holds(conn: &Conn, account: Uuid) -> Result<bool, Fault> {
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
    row.insert(&write).await?;
    let mut suppressed_task_ids = vec![];
    for mut task in store::lock_suppressible(&write, &Scope::of(&call), account).await? {
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
        .order_by_desc(objection::Column::Id);
    let last = select.lock_exclusive().one(&*write).await?;
    let standing = last.filter(|row| step(row.state(), Action::Lift).is_some());
    let mut row = standing.ok_or_else(|| Fault::not_found("objection", account))?;
    row.lifted_by = call.subject().to_owned();
    row.lifted_note = request.note;
    row.lifted_at = Some(write.now().micros());
    row.save(&write).await?;
    write.subject(row.id);
    write
        .commit(LiftCallObjectionResponse {
            account_id: account.to_string(),
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::Code;

    /// All pairs of state and action: the legal one, and that there is no other.
    #[test]
    fn c_e_an_objection_is_lifted_once() {
        let mut found = vec![];
        for from in State::ALL {
            for action in Action::ALL {
                found.push((*from, *action, step(*from, *action)));
            }
        }
        let legal = [(State::Standing, Action::Lift, Some(State::Lifted)), (State::Lifted, Action::Lift, None)];
        assert_eq!(found, legal);
    }
}
