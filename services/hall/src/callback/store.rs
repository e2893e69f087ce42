use calendar::{Instant, NaiveDate};
use contracts::hearth::hall::v1 as proto;
use database::{Conn, Database, Scope, Scoped, Write, find};
use rpc::{Fault, page::Page, wire};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;
use vault::Vault;

use super::model::{
    ATTEMPTS, Action, Cause, Channel, Courtesy, DEFAULTS, Outcome, REWORKED, Rank, RecordState, Rework, State, Tried, Verdict, WAITING, allowed, due, step,
};
use crate::{
    codes::Code,
    complaint::model::Utility,
    deadline::{model::Unit, store::missing},
    fields,
    refusal::Refusal,
    rows::{Packed, columns, table},
    sealed::{self, Clear},
    story,
};

columns!(Cause, State, Outcome, Channel, Rank, Rework, Courtesy, Tried, RecordState, Verdict);

table! {
    versioned task "callback_task" {
        cause: Cause,
        about_id: Uuid,
        account_id: Option<Uuid>,
        branch: String,
        due_at: i64,
        created_at: i64,
        state: State,
        policy_id: Option<Uuid>,
        channel: Channel,
        fallback: Option<Channel>,
        min_rank: Rank,
        safety: bool,
        handlers: Packed<Vec<String>>,
        vendor_id: Option<Uuid>,
        assignee_staff_id: Option<Uuid>,
        round: i32,
        outcome: Option<Outcome>,
        satisfied: Option<bool>,
        discourteous: Option<bool>,
        rework: Option<Rework>,
        rework_id: Option<Uuid>,
        utility: Option<Utility>,
    }
}
table! {
    policy "callback_policy" {
        cause: Cause,
        policy_version: i32,
        rate_bp: i32,
        hazard_rate_bp: i32,
        unit: Unit,
        amount: i32,
        channel: Channel,
        fallback: Option<Channel>,
        min_rank: Rank,
        max_attempts: i32,
        attempt_days: i32,
        safety: bool,
        effective_on: NaiveDate,
        source: String,
        published_by: String,
    }
}
table! {
    draw "callback_draw" {
        cause: Cause,
        about_id: Uuid,
        branch: String,
        policy_id: Uuid,
        seed: String,
        draw: i32,
        rate_bp: i32,
        verdict: Verdict,
        drawn_at: i64,
    }
}
table! {
    attempt "callback_attempt" {
        task_id: Uuid,
        round: i32,
        attempted_at: i64,
        channel: Channel,
        outcome: Tried,
        agent: String,
    }
}
table! {
    versioned record "callback_record" {
        task_id: Uuid,
        round: i32,
        recorded_at: i64,
        channel: Channel,
        score: i32,
        solved: bool,
        courtesy: Courtesy,
        reasons: Packed<Vec<String>>,
        verbatim: String,
        signature_file_id: String,
        agent: String,
        state: RecordState,
        rework: Rework,
        rework_task: String,
    }
}

pub use attempt::Model as Attempt;
pub use draw::Model as Draw;
pub use policy::Model as Policy;
pub use record::Model as Record;
pub use task::Model as Task;

/// Names of what is sealed in columns of texts, where older rows are clear.
pub const VERBATIM: &str = "callback_record.verbatim";
pub const REWORK_TASK: &str = "callback_record.rework_task";

impl Scoped for task::Entity {
    const BRANCH: Option<Self::Column> = Some(task::Column::Branch);
}
impl Scoped for draw::Entity {
    const BRANCH: Option<Self::Column> = Some(draw::Column::Branch);
}

/// Files the policies that ship; those that are there stay as they are.
pub async fn seed(db: &Database) -> Result<(), Fault> {
    let rows = DEFAULTS.iter().map(|default| {
        let id = rpc::derived_request_id(default.cause.code(), "callback-policy");
        Policy {
            id: Uuid::try_parse(&id).unwrap_or_default(),
            cause: default.cause,
            policy_version: 1,
            rate_bp: default.rates.0,
            hazard_rate_bp: default.rates.1,
            unit: default.unit,
            amount: default.amount,
            channel: default.channel,
            fallback: default.fallback,
            min_rank: default.min_rank,
            max_attempts: ATTEMPTS.0,
            attempt_days: ATTEMPTS.1,
            safety: default.safety,
            effective_on: NaiveDate::default(),
            source: default.source.to_owned(),
            published_by: String::new(),
        }
        .into_active_model()
        .reset_all()
    });
    policy::Entity::insert_many(rows)
        .on_conflict_do_nothing()
        .exec_without_returning(db.writer())
        .await?;
    Ok(())
}

/// The policy for a cause on a day: the newest version.
pub async fn in_force(conn: &Conn, cause: Cause, day: NaiveDate) -> Result<Policy, Fault> {
    let select = policy::Entity::find()
        .filter(policy::Column::Cause.eq(cause))
        .filter(policy::Column::EffectiveOn.lte(day))
        .order_by_desc(policy::Column::EffectiveOn);
    select.one(conn).await?.ok_or_else(|| Fault::internal("a cause without a policy"))
}

pub async fn policy(conn: &Conn, id: Uuid) -> Result<Policy, Fault> {
    let found = policy::Entity::find_by_id(id).one(conn).await?;
    found.ok_or_else(|| Fault::internal("a call-back without a policy"))
}

/// The policy by which a task was drawn; of one that is older than policies, the policy of its cause on the day.
pub async fn policy_of(conn: &Conn, task: &Task, day: NaiveDate) -> Result<Policy, Fault> {
    match task.policy_id {
        Some(id) => policy(conn, id).await,
        None => in_force(conn, task.cause, day).await,
    }
}

/// The newest version of a cause's policy.
pub async fn newest(conn: &Conn, cause: Cause) -> Result<Option<Policy>, Fault> {
    let select = policy::Entity::find()
        .filter(policy::Column::Cause.eq(cause))
        .order_by_desc(policy::Column::PolicyVersion);
    Ok(select.one(conn).await?)
}

pub async fn policies(conn: &Conn, page: &Page, cause: Option<Cause>) -> Result<Vec<Policy>, Fault> {
    let mut select = policy::Entity::find().order_by_asc(policy::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(policy::Column::Id.gt(after));
    }
    if let Some(cause) = cause {
        select = select.filter(policy::Column::Cause.eq(cause));
    }
    Ok(select.all(conn).await?)
}

/// What was drawn for a happening: the last draw, where a hazard was told of later.
pub async fn draw_of(conn: &Conn, cause: Cause, about: Uuid) -> Result<Option<Draw>, Fault> {
    let select = draw::Entity::find()
        .filter(draw::Column::AboutId.eq(about))
        .filter(draw::Column::Cause.eq(cause))
        .order_by_desc(draw::Column::Id);
    Ok(select.one(conn).await?)
}

pub async fn draws(conn: &Conn, scope: &Scope, page: &Page, cause: Option<Cause>, about: Option<Uuid>) -> Result<Vec<Draw>, Fault> {
    let mut select = find::<draw::Entity>(scope).order_by_asc(draw::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(draw::Column::Id.gt(after));
    }
    if let Some(cause) = cause {
        select = select.filter(draw::Column::Cause.eq(cause));
    }
    if let Some(about) = about {
        select = select.filter(draw::Column::AboutId.eq(about));
    }
    Ok(select.all(conn).await?)
}

/// A task that the caller may see.
pub async fn get(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Task, Fault> {
    let select = find::<task::Entity>(scope).filter(task::Column::Id.eq(id));
    select.one(conn).await?.ok_or_else(|| Fault::not_found("call-back", id))
}

/// The same, held until the write has ended.
pub async fn lock(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Task, Fault> {
    let select = find::<task::Entity>(scope).filter(task::Column::Id.eq(id)).lock_exclusive();
    select.one(conn).await?.ok_or_else(|| Fault::not_found("call-back", id))
}

/// The task about a happening, held until the write has ended.
pub async fn lock_about(conn: &Conn, cause: Cause, about: Uuid) -> Result<Option<Task>, Fault> {
    let select = task::Entity::find()
        .filter(task::Column::AboutId.eq(about))
        .filter(task::Column::Cause.eq(cause));
    Ok(select.lock_exclusive().one(conn).await?)
}

/// The tasks that wait for a rework, held until the write has ended.
pub async fn lock_waiting_for(conn: &Conn, rework: Uuid) -> Result<Vec<Task>, Fault> {
    let select = task::Entity::find()
        .filter(task::Column::ReworkId.eq(rework))
        .filter(task::Column::State.is_in(REWORKED));
    Ok(select.lock_exclusive().all(conn).await?)
}

/// The open tasks of an account that the customer's wish ends, held until the write has ended.
pub async fn lock_suppressible(conn: &Conn, scope: &Scope, account: Uuid) -> Result<Vec<Task>, Fault> {
    let select = find::<task::Entity>(scope)
        .filter(task::Column::AccountId.eq(account))
        .filter(task::Column::Safety.eq(false))
        .filter(task::Column::State.is_in(WAITING));
    Ok(select.order_by_asc(task::Column::Id).lock_exclusive().all(conn).await?)
}

/// Tasks of a branch that nobody has, those that are due first in front.
pub async fn free(conn: &Conn, branch: &str, limit: u64) -> Result<Vec<Task>, Fault> {
    let select = task::Entity::find()
        .filter(task::Column::Branch.eq(branch))
        .filter(task::Column::State.is_in([State::Planned, State::SecondCallback]))
        .filter(task::Column::AssigneeStaffId.is_null())
        .order_by_asc(task::Column::DueAt)
        .order_by_asc(task::Column::Id);
    Ok(select.limit(limit).all(conn).await?)
}

pub async fn list(conn: &Conn, scope: &Scope, page: &Page, about: Option<Uuid>, state: Option<State>) -> Result<Vec<Task>, Fault> {
    let mut select = find::<task::Entity>(scope).order_by_asc(task::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(task::Column::Id.gt(after));
    }
    if let Some(about) = about {
        select = select.filter(task::Column::AboutId.eq(about));
    }
    if let Some(state) = state {
        select = select.filter(task::Column::State.eq(state));
    }
    Ok(select.all(conn).await?)
}

/// The attempts of a task, oldest first.
pub async fn attempts(conn: &Conn, task: Uuid) -> Result<Vec<Attempt>, Fault> {
    let select = attempt::Entity::find().filter(attempt::Column::TaskId.eq(task));
    Ok(select.order_by_asc(attempt::Column::Id).all(conn).await?)
}

/// The answers to a task, oldest first.
pub async fn records(conn: &Conn, task: Uuid) -> Result<Vec<Record>, Fault> {
    let select = record::Entity::find().filter(record::Column::TaskId.eq(task));
    Ok(select.order_by_asc(record::Column::Round).all(conn).await?)
}

impl Task {
    /// When a call that follows its policy is due, counted from an instant.
    pub async fn due_from(&self, write: &Write, from: Instant) -> Result<Instant, Fault> {
        let policy = policy_of(write, self, write.now().date()).await?;
        due(policy.unit, policy.amount, from).map_err(missing)
    }

    /// The state after a step, or the refusal that names what is allowed.
    pub fn check_step(&self, action: Action) -> Result<State, Fault> {
        step(self.state, action).ok_or_else(|| {
            Fault::from(Refusal::CallbackState)
                .meta("state", self.state.code())
                .meta("allowed", allowed(self.state).join(","))
        })
    }

    /// Takes a step, writes the task and its history.
    pub async fn take(&mut self, write: &mut Write, action: Action, reason: &str) -> Result<(), Fault> {
        let (from, to) = (self.state, self.check_step(action)?);
        self.state = to;
        self.save(write).await?;
        story::note(write, self.id, action.code(), from.code(), to.code(), reason).await?;
        write.subject(self.id);
        Ok(())
    }

    /// Tells that a call is due.
    pub fn announce(&self, write: &mut Write) {
        let event = proto::CallbackPlanned {
            callback_task_id: self.id.to_string(),
            cause: self.cause.number(),
            about_id: self.about_id.to_string(),
            due_time: Some(fields::instant(self.due_at)),
        };
        write.event(self.id, &event);
    }

    /// The task alone, as lists show it.
    pub fn proto(&self, now: Instant) -> proto::CallbackTask {
        proto::CallbackTask {
            callback_task_id: self.id.to_string(),
            cause: self.cause.number(),
            about_id: self.about_id.to_string(),
            account_id: fields::text(self.account_id),
            branch: self.branch.clone(),
            due_time: Some(fields::instant(self.due_at)),
            create_time: Some(fields::instant(self.created_at)),
            state: self.state.number(),
            overdue: WAITING.contains(&self.state) && self.due_at < now.micros(),
            channel: self.channel.number(),
            fallback_channel: fields::number(self.fallback),
            policy_id: fields::text(self.policy_id),
            assignee_staff_id: fields::text(self.assignee_staff_id),
            vendor_id: fields::text(self.vendor_id),
            round: self.round,
            outcome: fields::number(self.outcome),
            rework_id: fields::text(self.rework_id),
            rework: fields::number(self.rework),
            attempts: vec![],
            records: vec![],
            etag: self.etag(),
            utility: fields::number(self.utility),
        }
    }

    /// The task with its attempts and answers.
    pub async fn whole(&self, conn: &Conn, vault: &Vault, now: Instant) -> Result<proto::CallbackTask, Fault> {
        let attempts = attempts(conn, self.id).await?;
        let records = records(conn, self.id).await?;
        let mut texts = sealed::texts(conn, vault, records.iter().map(|row| (row.id, VERBATIM, row.verbatim.as_str()))).await?;
        Ok(proto::CallbackTask {
            attempts: attempts.iter().map(Attempt::proto).collect(),
            records: records.iter().map(|row| row.told(&mut texts)).collect(),
            ..self.proto(now)
        })
    }
}

impl Attempt {
    fn proto(&self) -> proto::CallbackAttempt {
        proto::CallbackAttempt {
            attempt_time: Some(fields::instant(self.attempted_at)),
            round: self.round,
            channel: self.channel.number(),
            outcome: self.outcome.number(),
            agent: self.agent.clone(),
        }
    }
}

impl Record {
    fn told(&self, texts: &mut Clear) -> proto::CallbackRecord {
        proto::CallbackRecord {
            record_time: Some(fields::instant(self.recorded_at)),
            round: self.round,
            channel: self.channel.number(),
            score: self.score,
            solved: self.solved,
            courtesy: self.courtesy.number(),
            reasons: self.reasons.0.clone(),
            verbatim: texts.take(),
            signature_file_id: self.signature_file_id.clone(),
            agent: self.agent.clone(),
            state: self.state.number(),
        }
    }
}

impl Policy {
    pub fn proto(&self) -> proto::CallbackPolicy {
        proto::CallbackPolicy {
            policy_id: self.id.to_string(),
            cause: self.cause.number(),
            version: self.policy_version,
            rate_bp: self.rate_bp,
            hazard_rate_bp: self.hazard_rate_bp,
            unit: self.unit.number(),
            amount: self.amount,
            channel: self.channel.number(),
            fallback_channel: fields::number(self.fallback),
            min_rank: self.min_rank.number(),
            max_attempts: self.max_attempts,
            attempt_days: self.attempt_days,
            safety: self.safety,
            effective_date: Some(wire::date(self.effective_on)),
            source: self.source.clone(),
        }
    }
}

impl Draw {
    pub fn proto(&self) -> proto::CallbackDraw {
        proto::CallbackDraw {
            cause: self.cause.number(),
            about_id: self.about_id.to_string(),
            branch: self.branch.clone(),
            policy_id: self.policy_id.to_string(),
            seed: self.seed.clone(),
            number: self.draw,
            rate_bp: self.rate_bp,
            verdict: self.verdict.number(),
            draw_time: Some(fields::instant(self.drawn_at)),
        }
    }
}
