use std::{collections::BTreeSet, time::Duration};

use calendar::Clock;
use contracts::hearth::hall::v1 as proto;
use database::{Conn, Database, Scope, Scoped, Write, find};
use rpc::{Fault, page::Page};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::model::{Action, Kind, OUTCOME_UNKNOWN, State, moved, wait};
use crate::{
    codes::Code,
    fields,
    refusal::Refusal,
    rows::{columns, table},
};

columns!(Kind, State);

table! {
    versioned step "step" {
        kind: Kind,
        story_id: Uuid,
        branch: String,
        state: State,
        input: String,
        attempts: i32,
        next_attempt_at: i64,
        claimed_until: i64,
        last_reason: String,
    }
}

pub use step::Model as Step;

impl Scoped for step::Entity {
    const BRANCH: Option<Self::Column> = Some(step::Column::Branch);
}

/// How long a step is left to the runner that claimed it. Should another one take it while it is still under way, it has one effect all the same.
const CLAIM: Duration = Duration::from_secs(1);

/// The machine's clock: tries are no matter of the rules.
fn real_now() -> i64 {
    Clock::real().now().micros()
}

fn later(duration: Duration) -> i64 {
    real_now().saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}

/// Adds a step to a story, to be taken at once. A story has one open step at a time.
pub async fn add(write: &Write, kind: Kind, story: Uuid, branch: &str, input: &impl Serialize) -> Result<(), Fault> {
    let row = Step {
        id: Uuid::now_v7(),
        kind,
        story_id: story,
        branch: branch.to_owned(),
        state: State::Pending,
        input: fields::pack(input)?,
        attempts: 0,
        next_attempt_at: real_now(),
        claimed_until: 0,
        last_reason: String::new(),
        version: 1,
    };
    row.insert(write).await
}

/// The step of a story that has not ended.
pub async fn open(conn: &Conn, story: Uuid) -> Result<Option<Step>, Fault> {
    let select = step::Entity::find()
        .filter(step::Column::StoryId.eq(story))
        .filter(step::Column::State.is_in([State::Pending, State::Parked]));
    Ok(select.one(conn).await?)
}

/// Drops the step of a story that has not ended, if there is one.
pub async fn drop_open(write: &Write, story: Uuid) -> Result<(), Fault> {
    if let Some(mut step) = open(write, story).await? {
        step.go(Action::Drop)?;
        step.save(write).await?;
    }
    Ok(())
}

/// Claims a step that is due and not in hand here.
pub async fn claim(db: &Database, in_hand: &BTreeSet<Uuid>) -> Result<Option<Step>, Fault> {
    let now = real_now();
    let due = || {
        step::Entity::find()
            .filter(step::Column::State.eq(State::Pending))
            .filter(step::Column::NextAttemptAt.lte(now))
            .filter(step::Column::ClaimedUntil.lte(now))
            .filter(step::Column::Id.is_not_in(in_hand.iter().copied()))
            .order_by_asc(step::Column::NextAttemptAt)
    };
    for found in due().limit(8).all(db.reader()).await? {
        let claimed = step::Entity::update_many()
            .col_expr(step::Column::ClaimedUntil, Expr::value(later(CLAIM)))
            .filter(step::Column::Id.eq(found.id))
            .filter(step::Column::State.eq(State::Pending))
            .filter(step::Column::ClaimedUntil.lte(now))
            .exec(db.writer())
            .await?;
        if claimed.rows_affected == 1 {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// A step that is still to be taken, held until the write has ended.
pub async fn lock_pending(write: &Write, id: Uuid) -> Result<Option<Step>, Fault> {
    let found = step::Entity::find_by_id(id).lock_exclusive().one(&**write).await?;
    Ok(found.filter(|step| step.state == State::Pending))
}

/// A step that the caller may see, held until the write has ended.
pub async fn lock(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Step, Fault> {
    find::<step::Entity>(scope)
        .filter(step::Column::Id.eq(id))
        .lock_exclusive()
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("step", id))
}

/// Ends a step.
pub async fn done(write: &Write, mut step: Step) -> Result<(), Fault> {
    step.go(Action::Succeed)?;
    step.attempts = step.attempts.saturating_add(1);
    step.last_reason.clear();
    step.save(write).await
}

/// Notes a try that failed: to be tried again, or parked for a person.
pub async fn failed(write: &Write, mut step: Step, reason: &str, park: bool) -> Result<(), Fault> {
    step.attempts = step.attempts.saturating_add(1);
    step.last_reason = reason.to_owned();
    step.next_attempt_at = later(wait(step.attempts));
    step.claimed_until = 0;
    step.go(if park { Action::Park } else { Action::Fail })?;
    step.save(write).await
}

/// Brings a parked step back.
pub async fn retry(write: &Write, step: &mut Step) -> Result<(), Fault> {
    step.go(Action::Retry)?;
    (step.attempts, step.next_attempt_at, step.claimed_until) = (0, real_now(), 0);
    step.save(write).await
}

pub async fn list(conn: &Conn, scope: &Scope, page: &Page, state: Option<State>, story: Option<Uuid>) -> Result<Vec<Step>, Fault> {
    let mut select = find::<step::Entity>(scope).order_by_asc(step::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(step::Column::Id.gt(after));
    }
    if let Some(state) = state {
        select = select.filter(step::Column::State.eq(state));
    }
    if let Some(story) = story {
        select = select.filter(step::Column::StoryId.eq(story));
    }
    Ok(select.all(conn).await?)
}

impl Step {
    /// Moves to the state after an action, or refuses it.
    fn go(&mut self, action: Action) -> Result<(), Fault> {
        let refused = || Fault::from(Refusal::StepState).meta("state", self.state.code());
        self.state = moved(self.state, action).ok_or_else(refused)?;
        Ok(())
    }

    /// Whether it may have an effect that nobody knows of: it is under way, or was parked without a word from the other service. Such a step runs to its
    /// end before its story goes another way.
    pub fn is_open_ended(&self) -> bool {
        self.state == State::Pending || self.state == State::Parked && self.last_reason == OUTCOME_UNKNOWN
    }

    /// What it needs to know.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        fields::unpack(&self.input)
    }

    /// Key of the call: the same on every try.
    pub fn request_id(&self) -> String {
        rpc::derived_request_id(self.id, self.kind.code())
    }

    pub fn proto(&self) -> proto::Step {
        proto::Step {
            step_id: self.id.to_string(),
            kind: self.kind.number(),
            story_id: self.story_id.to_string(),
            branch: self.branch.clone(),
            state: self.state.number(),
            attempts: self.attempts,
            next_attempt_time: Some(fields::instant(self.next_attempt_at)),
            last_reason: self.last_reason.clone(),
            etag: self.etag(),
        }
    }
}
