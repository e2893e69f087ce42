//! What the callback centre does with a task.

use calendar::{Instant, NaiveDate};
use contracts::hearth::{hall::v1::*, options::v1::Role};
use database::{Begun, Scope, Write};
use rpc::{Call, Fault, page::Page};
use uuid::Uuid;
use vault::Vault;

use super::{
    model::{
        Action, Barred, Cause, Channel, Courtesy, Outcome, REWORKED, Rank, RecordAction, RecordState, Rework, State, Tried, barred, begins, channel_fits,
        record_step, satisfied, unreachable,
    },
    objection, rework,
    store::{self, Attempt, REWORK_TASK, Record, Task, VERBATIM},
};
use crate::{Desk, codes::Code, complaint, fields, refusal::Refusal, rows::Packed, staff, staff::store::Staff};

/// How many tasks are looked at for one that the caller may take.
const LOOK: u64 = 200;

pub async fn assign(desk: Desk, call: Call, request: AssignCallbackRequest) -> Result<AssignCallbackResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut task = load(&write, &call, &request.callback_task_id, &request.etag).await?;
    let agent = staff::store::get(&write, &Scope::of(&call), fields::id("assignee_staff_id", &request.assignee_staff_id)?).await?;
    if agent.state == staff::model::State::Left {
        return Err(Refusal::StaffLeft.into());
    }
    segregated(&task, &agent)?;
    task.assignee_staff_id = Some(agent.id);
    task.take(&mut write, Action::Assign, &agent.id.to_string()).await?;
    let task = task.whole(&write, &desk.vault, write.now()).await?;
    write.commit(AssignCallbackResponse { task: Some(task) }).await
}

pub async fn take_next(desk: Desk, call: Call, request: TakeNextCallbackRequest) -> Result<TakeNextCallbackResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let me = staff::store::of_login(&write, call.subject()).await?;
    let me = me.filter(|me| me.state != staff::model::State::Left).ok_or(Refusal::NotStaff)?;
    for free in store::free(&write, &me.branch, LOOK).await? {
        if segregated(&free, &me).is_err() || ranked(&free, &call).is_err() {
            continue;
        }
        if free.cause == Cause::ComplaintClosed && !complaint::outcome::waits_for_call(&write, free.about_id).await? {
            continue;
        }
        let mut task = store::lock(&write, &Scope::of(&call), free.id).await?;
        if task.assignee_staff_id.is_some() || task.version != free.version {
            continue;
        }
        task.assignee_staff_id = Some(me.id);
        task.take(&mut write, Action::Assign, &me.id.to_string()).await?;
        let task = task.whole(&write, &desk.vault, write.now()).await?;
        return write.commit(TakeNextCallbackResponse { task: Some(task) }).await;
    }
    Err(Fault::not_found("call-back", "next"))
}

pub async fn attempt(desk: Desk, call: Call, request: RecordCallbackAttemptRequest) -> Result<RecordCallbackAttemptResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut task = at_call(&write, &call, &request.callback_task_id, &request.etag).await?;
    task.check_step(Action::Attempt)?;
    let channel: Channel = fields::pick("channel", request.channel)?;
    let outcome: Tried = fields::pick("outcome", request.outcome)?;
    let before = store::attempts(&write, task.id).await?;
    if before.last().is_some_and(|last| last.outcome == Tried::NotTheCustomer) && !request.number_corrected {
        return Err(Fault::from(Refusal::NumberNotCorrected).field("number_corrected"));
    }
    let (round, now) = (task.round, write.now());
    let tried = before.iter().any(|attempt| attempt.round == round && attempt.channel == task.channel);
    planned(&task, channel, tried)?;
    if let Some(account) = task.account_id
        && !task.safety
        && objection::holds(&write, account).await?
    {
        return Err(Refusal::CustomerObjects.into());
    }
    let row = Attempt {
        id: Uuid::now_v7(),
        task_id: task.id,
        round,
        attempted_at: now.micros(),
        channel,
        outcome,
        agent: call.subject().to_owned(),
    };
    row.insert(&write).await?;
    task.take(&mut write, Action::Attempt, outcome.code()).await?;
    if outcome == Tried::Reached {
        task.outcome = Some(Outcome::Reached);
        task.take(&mut write, Action::Reach, channel.code()).await?;
    } else {
        let policy = store::policy_of(&write, &task, now.date()).await?;
        let this_round = before.iter().filter(|attempt| attempt.round == round);
        let mut days: Vec<NaiveDate> = this_round.map(|attempt| Instant::from_micros(attempt.attempted_at).date()).collect();
        days.push(now.date());
        if unreachable(&days, policy.max_attempts, policy.attempt_days) {
            task.outcome = task.outcome.or(Some(Outcome::Unreachable));
            task.take(&mut write, Action::GiveUp, &format!("{} attempts", days.len())).await?;
        }
    }
    let task = task.whole(&write, &desk.vault, now).await?;
    write.commit(RecordCallbackAttemptResponse { task: Some(task) }).await
}

pub async fn record(desk: Desk, call: Call, request: RecordCallbackRequest) -> Result<RecordCallbackResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut task = at_call(&write, &call, &request.callback_task_id, &request.etag).await?;
    task.check_step(Action::Satisfy)?;
    let round = task.round;
    let attempts = store::attempts(&write, task.id).await?;
    let reached = |attempt: &&Attempt| attempt.round == round && attempt.outcome == Tried::Reached;
    let Some(reached) = attempts.iter().rfind(reached) else {
        return Err(Refusal::NotReached.into());
    };
    let channel: Channel = fields::pick("channel", request.channel)?;
    if channel != reached.channel {
        return Err(Fault::from(Refusal::ChannelNotPlanned).field("channel"));
    }
    let id = Uuid::now_v7();
    let clear = [(VERBATIM, request.verbatim.as_str()), (REWORK_TASK, &request.rework_task)];
    let [verbatim, rework_task] = desk.vault.seal_texts(&*write, id, clear).await.map_err(Fault::internal)?;
    let row = Record {
        id,
        task_id: task.id,
        round,
        recorded_at: write.now().micros(),
        channel,
        score: request.score,
        solved: request.solved,
        courtesy: fields::pick::<Courtesy>("courtesy", request.courtesy)?,
        reasons: Packed(request.reasons),
        verbatim,
        state: begins(channel, !request.signature_file_id.is_empty()),
        signature_file_id: request.signature_file_id,
        agent: call.subject().to_owned(),
        rework: fields::pick_if(request.rework).unwrap_or(Rework::Complaint),
        rework_task,
        version: 1,
    };
    row.clone().insert(&write).await?;
    if row.state == RecordState::Incomplete {
        // C-08: it moves nothing yet; the version shows that something was written.
        task.save(&write).await?;
        write.subject(task.id);
    } else {
        judge(&mut write, &desk.vault, &mut task, &row).await?;
    }
    let task = task.whole(&write, &desk.vault, write.now()).await?;
    write.commit(RecordCallbackResponse { task: Some(task) }).await
}

pub async fn complete(desk: Desk, call: Call, request: CompleteCallbackRecordRequest) -> Result<CompleteCallbackRecordResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut task = at_call(&write, &call, &request.callback_task_id, &request.etag).await?;
    task.check_step(Action::Satisfy)?;
    let mut records = store::records(&write, task.id).await?;
    let mut row = records.pop().filter(|row| row.round == task.round).ok_or(Refusal::RecordComplete)?;
    row.state = record_step(row.state, RecordAction::Sign).ok_or(Refusal::RecordComplete)?;
    row.signature_file_id = request.signature_file_id;
    row.save(&write).await?;
    judge(&mut write, &desk.vault, &mut task, &row).await?;
    let task = task.whole(&write, &desk.vault, write.now()).await?;
    write.commit(CompleteCallbackRecordResponse { task: Some(task) }).await
}

/// What a complete record means for its task (C-04).
async fn judge(write: &mut Write, vault: &Vault, task: &mut Task, record: &Record) -> Result<(), Fault> {
    let good = satisfied(record.score, record.solved);
    // The figures count the first answer: work done again does not make it a better one.
    task.satisfied.get_or_insert(good);
    task.discourteous.get_or_insert(record.courtesy == Courtesy::Discourteous);
    if good {
        task.take(write, Action::Satisfy, &format!("score {}", record.score)).await
    } else {
        rework::open(write, vault, task, record).await
    }
}

pub async fn close(desk: Desk, call: Call, request: CloseCallbackRequest) -> Result<CloseCallbackResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut task = load(&write, &call, &request.callback_task_id, &request.etag).await?;
    rework_done(&task)?;
    task.check_step(Action::Close)?;
    let last = store::records(&write, task.id).await?.pop().filter(|row| row.state == RecordState::Complete);
    let good = last.as_ref().is_some_and(|row| row.round == task.round && satisfied(row.score, row.solved));
    if task.state == State::SecondCallback && !good {
        return Err(Refusal::NotReached.into());
    }
    if task.rework_id.is_some() && !call.has(Role::CallbackDirector) {
        return Err(Refusal::DirectorNeeded.into());
    }
    task.take(&mut write, Action::Close, "").await?;
    finish(&mut write, &task, last.map_or(0, |row| row.score)).await?;
    let task = task.whole(&write, &desk.vault, write.now()).await?;
    write.commit(CloseCallbackResponse { task: Some(task) }).await
}

/// Ends a task at the customer's wish.
pub async fn suppress(write: &mut Write, task: &mut Task) -> Result<(), Fault> {
    task.outcome = task.outcome.or(Some(Outcome::Suppressed));
    task.take(write, Action::Suppress, "CUSTOMER_OBJECTS").await?;
    finish(write, task, 0).await
}

/// What follows a closed task: who waits for it is told, the complaint closes.
async fn finish(write: &mut Write, task: &Task, score: i32) -> Result<(), Fault> {
    let event = CallbackCompleted {
        callback_task_id: task.id.to_string(),
        cause: task.cause.number(),
        about_id: task.about_id.to_string(),
        outcome: fields::number(task.outcome),
        score,
        vendor_id: fields::text(task.vendor_id),
    };
    write.event(task.id, &event);
    if task.cause == Cause::ComplaintClosed {
        complaint::outcome::called_back(write, task.about_id).await?;
    }
    Ok(())
}

pub async fn get(desk: Desk, call: Call, request: GetCallbackTaskRequest) -> Result<GetCallbackTaskResponse, Fault> {
    let task = store::get(desk.db.reader(), &Scope::of(&call), fields::id("callback_task_id", &request.callback_task_id)?).await?;
    let task = task.whole(desk.db.reader(), &desk.vault, desk.clock.now()).await?;
    Ok(GetCallbackTaskResponse { task: Some(task) })
}

pub async fn list(desk: Desk, call: Call, request: ListCallbackTasksRequest) -> Result<ListCallbackTasksResponse, Fault> {
    let page = Page::of(&call, &[&request.about_id, &request.state.to_string()], request.page_size, &request.page_token)?;
    let about = fields::id_if("about_id", &request.about_id)?;
    let rows = store::list(desk.db.reader(), &Scope::of(&call), &page, about, fields::pick_if(request.state)).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    let now = desk.clock.now();
    Ok(ListCallbackTasksResponse {
        tasks: rows.iter().map(|row| row.proto(now)).collect(),
        next_page_token,
    })
}

async fn load(write: &Write, call: &Call, id: &str, etag: &str) -> Result<Task, Fault> {
    let task = store::lock(write, &Scope::of(call), fields::id("callback_task_id", id)?).await?;
    task.check(etag)?;
    Ok(task)
}

/// A task in the hand of the caller, who may call: the matter does not go on, work is not being done again, and nobody asks about the own work.
async fn at_call(write: &Write, call: &Call, id: &str, etag: &str) -> Result<Task, Fault> {
    let task = load(write, call, id, etag).await?;
    if task.cause == Cause::ComplaintClosed && task.state != State::Closed {
        let waits = complaint::outcome::waits_for_call(write, task.about_id).await?;
        if !waits {
            return Err(Refusal::ComplaintReopened.into());
        }
    }
    rework_done(&task)?;
    let agent = match task.assignee_staff_id {
        Some(id) => staff::store::get(write, &Scope::everything(), id).await?,
        None => {
            // Nobody has it: the state says what is wanted first.
            task.check_step(Action::Attempt)?;
            return Err(Refusal::NotTheAssignee.into());
        }
    };
    if agent.login != call.subject() {
        return Err(Refusal::NotTheAssignee.into());
    }
    segregated(&task, &agent)?;
    ranked(&task, call)?;
    Ok(task)
}

/// C-04: nobody calls and nothing is closed while work is done again.
fn rework_done(task: &Task) -> Result<(), Fault> {
    if REWORKED.contains(&task.state) {
        Err(Fault::from(Refusal::ReworkOpen).meta("rework_id", fields::text(task.rework_id)))
    } else {
        Ok(())
    }
}

/// C-02: neither a handler nor anybody of the vendor whose crew did the work.
fn segregated(task: &Task, agent: &Staff) -> Result<(), Fault> {
    match barred(&task.handlers.0, &agent.login, agent.vendor_id) {
        None => Ok(()),
        Some(Barred::Handler) => Err(Refusal::CallerIsHandler.into()),
        Some(Barred::SameVendor) => Err(Refusal::CallerOfSameVendor.into()),
    }
}

fn ranked(task: &Task, call: &Call) -> Result<(), Fault> {
    if task.min_rank == Rank::Director && !call.has(Role::CallbackDirector) {
        Err(Refusal::RankTooLow.into())
    } else {
        Ok(())
    }
}

fn planned(task: &Task, channel: Channel, tried: bool) -> Result<(), Fault> {
    if channel_fits(channel, task.channel, task.fallback, tried) {
        Ok(())
    } else {
        Err(Fault::from(Refusal::ChannelNotPlanned).field("channel"))
    }
}
