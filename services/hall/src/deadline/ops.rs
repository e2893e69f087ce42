use contracts::hearth::hall::v1::*;
use database::{Begun, Scope};
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    model::{Action, Clock, PauseReason, State, Unit, state, step},
    store::{self, Policy},
};
use crate::{Desk, case, codes::Code, complaint, fields, refusal::Refusal, story};

pub async fn publish(desk: Desk, call: Call, request: PublishSlaPolicyRequest) -> Result<PublishSlaPolicyResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let effective_on = wire::date_of(request.effective_date.as_ref(), "effective_date")?;
    if effective_on < write.now().date() {
        return Err(Fault::from(Refusal::DateInPast).field("effective_date"));
    }
    let policy = Policy {
        id: Uuid::now_v7(),
        subject: request.subject,
        clock: fields::pick::<Clock>("clock", request.clock)?,
        unit: fields::pick::<Unit>("unit", request.unit)?,
        amount: request.amount,
        pausable: request.pausable,
        effective_on,
        source: request.source,
        season_days: request.season_days,
        remote: request.remote,
    };
    let answer = policy.proto();
    write.subject(policy.id);
    policy.insert(&write).await?;
    write.commit(PublishSlaPolicyResponse { policy: Some(answer) }).await
}

pub async fn policies(desk: Desk, call: Call, request: ListSlaPoliciesRequest) -> Result<ListSlaPoliciesResponse, Fault> {
    let page = Page::of(&call, &[&request.subject], request.page_size, &request.page_token)?;
    let rows = store::policies(desk.db.reader(), &request.subject, &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListSlaPoliciesResponse {
        policies: rows.iter().map(Policy::proto).collect(),
        next_page_token,
    })
}

pub async fn list(desk: Desk, call: Call, request: ListDeadlinesRequest) -> Result<ListDeadlinesResponse, Fault> {
    let page = Page::of(
        &call,
        &[&request.owner_id, &request.breached_only.to_string()],
        request.page_size,
        &request.page_token,
    )?;
    let now = desk.clock.now();
    let owner = fields::id_if("owner_id", &request.owner_id)?;
    let rows = store::list(desk.db.reader(), &Scope::of(&call), &page, owner, request.breached_only.then_some(now)).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    let rows = rows
        .into_iter()
        .map(|row| Ok(row.settled(now)?.proto(now)))
        .collect::<Result<Vec<_>, Fault>>()?;
    Ok(ListDeadlinesResponse {
        deadlines: rows.into_iter().filter(|row| row.breached || !request.breached_only).collect(),
        next_page_token,
    })
}

pub async fn explain(desk: Desk, call: Call, request: ExplainDeadlineRequest) -> Result<ExplainDeadlineResponse, Fault> {
    let now = desk.clock.now();
    let deadline = store::get(desk.db.reader(), &Scope::of(&call), fields::id("deadline_id", &request.deadline_id)?)
        .await?
        .settled(now)?;
    let policy = store::policy(desk.db.reader(), deadline.policy_id).await?;
    // What was written down about the pauses stands in the history of the clock, in the same order.
    let notes = story::of(desk.db.reader(), deadline.id)
        .await?
        .into_iter()
        .filter(|step| step.action == Action::Pause.code())
        .map(|step| step.reason);
    let mut pauses = deadline.pauses();
    pauses.iter_mut().zip(notes).for_each(|(pause, note)| {
        let (evidence, note) = proved(&note);
        (pause.evidence_file_id, pause.note) = (evidence.to_owned(), note.to_owned());
    });
    Ok(ExplainDeadlineResponse {
        deadline: Some(deadline.proto(now)),
        policy: Some(policy.proto()),
        steps: deadline.steps()?,
        pauses,
        breaches: deadline.breaches(),
    })
}

pub async fn pause(desk: Desk, call: Call, request: PauseDeadlineRequest) -> Result<PauseDeadlineResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now();
    let row = store::lock(&write, &Scope::of(&call), fields::id("deadline_id", &request.deadline_id)?).await?;
    row.check(&request.etag)?;
    let mut row = row.settled(now)?;
    let (at, breached) = state(&row.sla.0, calendar::Calendar::china(), now, row.ended_at.is_some());
    if breached {
        return Err(Refusal::ClockBreached.into());
    }
    let paused = step(at, Action::Pause).ok_or_else(|| refused(at))?;
    if !row.pausable {
        return Err(Refusal::ClockNotPausable.into());
    }
    let reason: PauseReason = fields::pick("reason", request.reason)?;
    if complaint::model::is_subject(&row.subject) || case::model::is_complaint(&row.subject) {
        // C-05: only the customer may be waited for, and it has to be proved.
        if reason != PauseReason::WaitingForCustomer {
            return Err(Fault::from(Refusal::PauseReason).field("reason"));
        }
        if request.evidence_file_id.is_empty() {
            return Err(Fault::from(Refusal::EvidenceMissing).field("evidence_file_id"));
        }
    }
    row.sla.0.pause(now, reason.code()).map_err(Fault::internal)?;
    row.keep(&write).await?;
    let note = proof(&request.evidence_file_id, &request.note);
    story::note(&write, row.id, Action::Pause.code(), at.code(), paused.code(), &note).await?;
    write.subject(row.id);
    let answer = row.proto(now);
    write.commit(PauseDeadlineResponse { deadline: Some(answer) }).await
}

/// Parts the evidence of a pause from its note: a text for people holds no such character.
const PART: char = '\u{1f}';

/// What the history keeps of a pause.
fn proof(evidence: &str, note: &str) -> String {
    if evidence.is_empty() {
        note.to_owned()
    } else {
        format!("{evidence}{PART}{note}")
    }
}

/// Evidence and note of a pause.
fn proved(kept: &str) -> (&str, &str) {
    kept.split_once(PART).unwrap_or(("", kept))
}

pub async fn resume(desk: Desk, call: Call, request: ResumeDeadlineRequest) -> Result<ResumeDeadlineResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now();
    let mut row = store::lock(&write, &Scope::of(&call), fields::id("deadline_id", &request.deadline_id)?).await?;
    row.check(&request.etag)?;
    // A clock that stands still may be known as broken by an earlier promise.
    let at = match row.live && row.sla.0.is_paused() {
        true => State::Paused,
        false => state(&row.sla.0, calendar::Calendar::china(), now, row.ended_at.is_some()).0,
    };
    let running = step(at, Action::Resume).ok_or_else(|| refused(at))?;
    super::model::settle(&mut row.sla.0, calendar::Calendar::china(), now).map_err(store::missing)?;
    if row.sla.0.is_paused() {
        row.sla.0.resume(calendar::Calendar::china(), now).map_err(Fault::internal)?;
    }
    row.keep(&write).await?;
    story::note(&write, row.id, Action::Resume.code(), at.code(), running.code(), "").await?;
    write.subject(row.id);
    let answer = row.proto(now);
    write.commit(ResumeDeadlineResponse { deadline: Some(answer) }).await
}

fn refused(at: State) -> Fault {
    Fault::from(Refusal::ClockState).meta("state", at.code())
}
