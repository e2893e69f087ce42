//! From a happening to a call: the draw, once and for good (C-01).

use contracts::hearth::hall::v1::*;
use database::{Begun, Write};
use rpc::{Call, Fault};
use uuid::Uuid;

use super::{
    model::{Action, Cause, Contact, State, Verdict, draw, due, seed, vendor_mark, verdict},
    objection, rework,
    store::{self, Draw, Task},
};
use crate::{Desk, codes::Code, deadline::store::missing, fields, rows::Packed, story};

/// What may lead to a call.
pub struct Happening<'a> {
    pub cause: Cause,
    /// What happened; drawn once.
    pub about: Uuid,
    pub account: Option<Uuid>,
    pub branch: &'a str,
    /// Logins of those who handled it.
    pub handlers: Vec<String>,
    /// The vendor whose crew did the work.
    pub vendor: Option<Uuid>,
    pub hazard: bool,
    pub contact: Contact,
}

/// Draws whether the customer is called, and plans the call. What was drawn already stays as it is; nothing is answered for a task that
/// is older than draws.
pub async fn plan(write: &mut Write, happening: Happening<'_>) -> Result<Option<Draw>, Fault> {
    let Happening { cause, about, account, .. } = happening;
    if let Some(draw) = store::draw_of(&**write, cause, about).await? {
        return Ok(Some(draw));
    }
    if store::lock_about(&**write, cause, about).await?.is_some() {
        return Ok(None);
    }
    let now = write.now();
    let policy = store::in_force(&**write, cause, now.date()).await?;
    let contact = match (happening.contact, account) {
        (Contact::Known, Some(account)) if objection::holds(&**write, account).await? => Contact::Objects,
        (contact, _) => contact,
    };
    let rate_bp = if happening.hazard { policy.hazard_rate_bp } else { policy.rate_bp };
    let seed = seed(cause, policy.policy_version, about);
    let number = draw(&seed);
    let drawn = Draw {
        id: Uuid::now_v7(),
        cause,
        about_id: about,
        branch: happening.branch.to_owned(),
        policy_id: policy.id,
        seed,
        draw: number,
        rate_bp,
        verdict: verdict(number, rate_bp, contact, policy.safety),
        drawn_at: now.micros(),
    };
    drawn.clone().insert(&**write).await?;
    write.subject(drawn.id);
    if drawn.verdict != Verdict::Call {
        return Ok(Some(drawn));
    }
    let task = Task {
        id: Uuid::now_v7(),
        cause,
        about_id: about,
        account_id: account,
        branch: happening.branch.to_owned(),
        due_at: due(policy.unit, policy.amount, now).map_err(missing)?.micros(),
        created_at: now.micros(),
        state: State::Planned,
        policy_id: Some(policy.id),
        channel: policy.channel,
        fallback: policy.fallback,
        min_rank: policy.min_rank,
        safety: policy.safety,
        handlers: Packed(marks(happening.handlers, happening.vendor)),
        vendor_id: happening.vendor,
        assignee_staff_id: None,
        round: 1,
        outcome: None,
        satisfied: None,
        discourteous: None,
        rework: None,
        rework_id: None,
        version: 1,
    };
    task.announce(write);
    story::note(write, task.id, "PLAN", "", task.state.code(), "").await?;
    write.subject(task.id);
    task.insert(&**write).await?;
    Ok(Some(drawn))
}

/// People and the vendor who handled a matter, each once.
fn marks(mut handlers: Vec<String>, vendor: Option<Uuid>) -> Vec<String> {
    handlers.extend(vendor.map(vendor_mark));
    handlers.sort_unstable();
    handlers.dedup();
    handlers
}

/// Those who handled a matter again join those who did before.
pub fn join(task: &mut Task, handlers: Vec<String>, vendor: Option<Uuid>) {
    let mut all = std::mem::take(&mut task.handlers.0);
    all.extend(handlers);
    task.handlers.0 = marks(all, vendor);
    task.vendor_id = task.vendor_id.or(vendor);
}

/// Plans the call of a complaint whose closing was approved, also where it was opened again in between; says whether it is called.
pub async fn again(write: &mut Write, happening: Happening<'_>) -> Result<bool, Fault> {
    let (cause, about) = (happening.cause, happening.about);
    let Some(mut task) = store::lock_about(&**write, cause, about).await? else {
        let drawn = plan(write, happening).await?;
        return Ok(drawn.is_some_and(|draw| draw.verdict == Verdict::Call));
    };
    join(&mut task, happening.handlers, happening.vendor);
    match task.state {
        State::Rework | State::Escalated => rework::second(write, &mut task).await?,
        State::Planned | State::Due => {
            task.due_at = task.due_from(write, write.now()).await?.micros();
            task.save(&**write).await?;
            task.announce(write);
        }
        _ => {}
    }
    Ok(task.state != State::Closed)
}

/// Puts the call about a complaint back: the complaint goes on (C(e)).
pub async fn hold(write: &mut Write, complaint: Uuid) -> Result<(), Fault> {
    let Some(mut task) = store::lock_about(&**write, Cause::ComplaintClosed, complaint).await? else {
        return Ok(());
    };
    task.assignee_staff_id = None;
    task.round = task.round.saturating_add(1);
    if task.rework_id.is_none() {
        // What was answered about a matter that goes on is no first answer.
        (task.outcome, task.satisfied, task.discourteous) = (None, None, None);
    }
    task.take(write, Action::Hold, "COMPLAINT_REOPENED").await
}

pub async fn report(desk: Desk, call: Call, request: ReportCallbackTriggerRequest) -> Result<ReportCallbackTriggerResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let account = fields::id_if("account_id", &request.account_id)?;
    let cause: Cause = fields::pick("cause", request.cause)?;
    let contact = match (account, cause) {
        (Some(_), _) | (None, Cause::OnlineSentiment) => Contact::Known,
        (None, _) => Contact::Unknown,
    };
    let happening = Happening {
        cause,
        about: fields::id("about_id", &request.about_id)?,
        account,
        branch: &request.branch,
        handlers: vec![call.subject().to_owned()],
        vendor: None,
        hazard: request.hazard,
        contact,
    };
    let drawn = plan(&mut write, happening).await?;
    // A happening of another branch under the same id is not told about.
    let drawn = drawn.filter(|draw| draw.branch == request.branch);
    let draw = drawn.ok_or_else(|| Fault::not_found("happening", &request.about_id))?.proto();
    write.commit(ReportCallbackTriggerResponse { draw: Some(draw) }).await
}
