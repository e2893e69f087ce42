//! Broken promises that the company desk (公司值班台) looks after.

use contracts::hearth::hall::v1::{escalation_service_server::EscalationService, *};
use database::{Begun, Scope, Scoped, Write, find};
use rpc::{Call, Fault, page::Page};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::{
    Desk,
    codes::{Code, codes},
    deadline::{self, model::Clock, store::Deadline},
    fields,
    refusal::Refusal,
    rows::table,
};

codes! {
    /// Where an escalation stands.
    pub enum State {
        Raised = 1 "RAISED",
        Taken = 2 "TAKEN",
    }
}

codes! {
    /// What is done with an escalation.
    pub enum Action {
        Take = 1 "TAKE",
    }
}

/// Every step of an escalation that there is.
pub const STEPS: &[(State, Action, State)] = &[(State::Raised, Action::Take, State::Taken)];

/// The state after a step; `None` where there is no such step.
pub fn step(from: State, action: Action) -> Option<State> {
    STEPS.iter().find(|(state, step, _)| *state == from && *step == action).map(|(_, _, to)| *to)
}

/// Promises whose breach goes to the company desk.
pub const ESCALATED: &[&str] = &["HEAT_STATION_OPINION"];

table! {
    versioned row "escalation" {
        deadline_id: Uuid,
        branch: String,
        subject: String,
        clock: Clock,
        due_at: i64,
        raised_at: i64,
        taken_by: String,
        taken_at: Option<i64>,
        note: String,
    }
}
use row::Model as Row;

impl Scoped for row::Entity {
    const BRANCH: Option<Self::Column> = Some(row::Column::Branch);
}

/// Tells the company desk of a breach, where its promise says so.
pub async fn raise(write: &Write, clock: &Deadline) -> Result<(), Fault> {
    let first = clock.sla.0.breaches().first();
    let Some(breach) = first.filter(|_| ESCALATED.contains(&clock.subject.as_str())) else {
        return Ok(());
    };
    let row = Row {
        id: Uuid::now_v7(),
        deadline_id: clock.id,
        branch: clock.branch.clone(),
        subject: clock.subject.clone(),
        clock: clock.clock,
        due_at: breach.due.micros(),
        raised_at: write.now().micros(),
        taken_by: String::new(),
        taken_at: None,
        note: String::new(),
        version: 1,
    };
    row.insert(write).await
}

impl Row {
    fn state(&self) -> State {
        match self.taken_at {
            Some(_) => State::Taken,
            None => State::Raised,
        }
    }

    fn proto(&self, owner: Uuid) -> Escalation {
        Escalation {
            escalation_id: self.id.to_string(),
            deadline_id: self.deadline_id.to_string(),
            owner_id: owner.to_string(),
            subject: self.subject.clone(),
            clock: self.clock.number(),
            branch: self.branch.clone(),
            due_time: Some(fields::instant(self.due_at)),
            raise_time: Some(fields::instant(self.raised_at)),
            taken_by: self.taken_by.clone(),
            take_time: self.taken_at.map(fields::instant),
            note: self.note.clone(),
            etag: self.etag(),
        }
    }
}

async fn list(desk: Desk, call: Call, request: ListEscalationsRequest) -> Result<ListEscalationsResponse, Fault> {
    let page = Page::of(&call, &[&request.open_only.to_string()], request.page_size, &request.page_token)?;
    let mut select = find::<row::Entity>(&Scope::of(&call)).order_by_asc(row::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(row::Column::Id.gt(after));
    }
    if request.open_only {
        select = select.filter(row::Column::TakenAt.is_null());
    }
    let (rows, next_page_token) = page.cut(select.all(desk.db.reader()).await?, |row| row.id);
    let clocks: Vec<Uuid> = rows.iter().map(|row| row.deadline_id).collect();
    let owners = deadline::store::owners(desk.db.reader(), &clocks).await?;
    let owner = |row: &Row| owners.get(&row.deadline_id).copied().unwrap_or_default();
    Ok(ListEscalationsResponse {
        escalations: rows.iter().map(|row| row.proto(owner(row))).collect(),
        next_page_token,
    })
}

async fn take(desk: Desk, call: Call, request: TakeEscalationRequest) -> Result<TakeEscalationResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id = fields::id("escalation_id", &request.escalation_id)?;
    let select = find::<row::Entity>(&Scope::of(&call)).filter(row::Column::Id.eq(id)).lock_exclusive();
    let mut row = select.one(&*write).await?.ok_or_else(|| Fault::not_found("escalation", id))?;
    row.check(&request.etag)?;
    step(row.state(), Action::Take).ok_or(Refusal::EscalationTaken)?;
    row.taken_by = call.subject().to_owned();
    row.taken_at = Some(write.now().micros());
    row.note = request.note;
    row.save(&write).await?;
    write.subject(row.id);
    let owners = deadline::store::owners(&write, &[row.deadline_id]).await?;
    let answer = row.proto(owners.get(&row.deadline_id).copied().unwrap_or_default());
    write.commit(TakeEscalationResponse { escalation: Some(answer) }).await
}

/// Serves `EscalationService`.
pub struct Api(pub Desk);

rpc::service! {
    EscalationService for Api(Desk) {
        read list_escalations(ListEscalationsRequest) -> ListEscalationsResponse = list;
        write take_escalation(TakeEscalationRequest) -> TakeEscalationResponse = take;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All pairs of state and action: the legal one, and that there is no other.
    #[test]
    fn a_09_an_escalation_is_taken_once() {
        let mut found = vec![];
        for from in State::ALL {
            for action in Action::ALL {
                found.push((*from, *action, step(*from, *action)));
            }
        }
        let legal = [(State::Raised, Action::Take, Some(State::Taken)), (State::Taken, Action::Take, None)];
        assert_eq!(found, legal);
    }
}
