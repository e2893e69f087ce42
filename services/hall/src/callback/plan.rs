//! From a happening to a call: the draw, once and for good (C-01).

use contracts::hearth::{hall::v1::*, options::v1::Role};
use database::{Begun, Scope, Write};
use rpc::{Call, Fault};
use uuid::Uuid;

use super::{
    model::{Action, Cause, Contact, State, Verdict, draw, due, rate, seed, vendor_mark, verdict},
    objection, rework,
    store::{self, Draw, Policy, Task},
};
use crate::{Desk, codes::Code, complaint::model::Utility, deadline::store::missing, fields, interaction, order, refusal::Refusal, rows::Packed, story};

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
    /// What is supplied there; none where nobody knows.
    pub utility: Option<Utility>,
    pub hazard: bool,
    pub contact: Contact,
}

/// Draws whether the customer is called, and plans the call. What was drawn already stays as it is, save that a hazard which is told of later puts
/// the same number under the rate of hazards; nothing is answered for a task that is older than draws.
pub async fn plan(write: &mut Write, happening: Happening<'_>) -> Result<Option<Draw>, Fault> {
    let Happening { cause, about, account, .. } = happening;
    let rate_of = |policy: &Policy| rate(cause, (policy.rate_bp, policy.hazard_rate_bp), happening.hazard);
    let policy = match store::draw_of(write, cause, about).await? {
        Some(before) => {
            let policy = store::policy(write, before.policy_id).await?;
            let settled = !matches!(before.verdict, Verdict::NotDrawn | Verdict::Objected);
            if settled || rate_of(&policy) <= before.rate_bp {
                return Ok(Some(before));
            }
            policy
        }
        None if store::lock_about(write, cause, about).await?.is_some() => return Ok(None),
        None => store::in_force(write, cause, write.now().date()).await?,
    };
    let now = write.now();
    let contact = match (happening.contact, account) {
        (Contact::Known, Some(account)) if objection::holds(write, account).await? => Contact::Objects,
        (contact, _) => contact,
    };
    let rate_bp = rate_of(&policy);
    // C(e): a wish not to be called is no wish to stay in danger.
    let safety = policy.safety || happening.hazard;
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
        verdict: verdict(number, rate_bp, contact, safety),
        drawn_at: now.micros(),
    };
    drawn.clone().insert(write).await?;
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
        safety,
        handlers: Packed(marks(happening.handlers, happening.vendor)),
        vendor_id: happening.vendor,
        assignee_staff_id: None,
        round: 1,
        outcome: None,
        satisfied: None,
        discourteous: None,
        rework: None,
        rework_id: None,
        utility: happening.utility,
        version: 1,
    };
    task.announce(write);
    story::note(write, task.id, "PLAN", "", task.state.code(), "").await?;
    write.subject(task.id);
    task.insert(write).await?;
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
    let Some(mut task) = store::lock_about(write, cause, about).await? else {
        let drawn = plan(write, happening).await?;
        return Ok(drawn.is_some_and(|draw| draw.verdict == Verdict::Call));
    };
    join(&mut task, happening.handlers, happening.vendor);
    task.safety |= happening.hazard;
    match task.state {
        State::Rework | State::Escalated => rework::second(write, &mut task).await?,
        State::Planned | State::Due => {
            task.due_at = task.due_from(write, write.now()).await?.micros();
            task.save(write).await?;
            task.announce(write);
        }
        _ => {}
    }
    Ok(task.state != State::Closed)
}

/// Puts the call about a complaint back: the complaint goes on (C(e)).
pub async fn hold(write: &mut Write, complaint: Uuid) -> Result<(), Fault> {
    let Some(mut task) = store::lock_about(write, Cause::ComplaintClosed, complaint).await? else {
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
    let about = fields::id("about_id", &request.about_id)?;
    let drawn = match fields::pick("cause", request.cause)? {
        Cause::Inspection => inspected(&mut write, &call, about, request.hazard).await?,
        Cause::CounterTransaction if !at_another_counter(&call) => visited(&mut write, &call, about).await?,
        cause => told(&mut write, &call, cause, about, &request).await?,
    };
    // A happening of another branch under the same id is not told about.
    let drawn = drawn.filter(|draw| draw.branch == request.branch);
    let draw = drawn.ok_or_else(|| Fault::not_found("happening", about))?.proto();
    write.commit(ReportCallbackTriggerResponse { draw: Some(draw) }).await
}

/// Services have ids for what happens at their counters that no person chooses (C-01).
fn at_another_counter(call: &Call) -> bool {
    call.has(Role::ServiceArchive) || call.has(Role::ServiceBilling)
}

/// The draw of an inspection, which was made when its order was completed.
async fn inspected(write: &mut Write, call: &Call, about: Uuid, hazard: bool) -> Result<Option<Draw>, Fault> {
    let order = order::store::lock(write, &Scope::of(call), about).await?;
    if order.kind != order::model::Type::Inspection {
        return Ok(None);
    }
    if order.state != order::model::State::Completed {
        return Err(Fault::from(Refusal::OrderState).meta("state", order.state.code()));
    }
    let handlers = order::ops::handlers(write, &order).await?;
    order::ops::ask_about(write, &order, handlers, hazard).await
}

/// The draw of business at the counter, which was made when the visit was closed.
async fn visited(write: &mut Write, call: &Call, about: Uuid) -> Result<Option<Draw>, Fault> {
    let visit = interaction::store::lock(write, &Scope::of(call), about).await?;
    if visit.state != interaction::model::State::Closed {
        return Err(Fault::from(Refusal::InteractionState).meta("state", visit.state.code()));
    }
    interaction::ops::ask_about(write, &visit).await
}

/// A happening that stands nowhere else in the hall.
async fn told(write: &mut Write, call: &Call, cause: Cause, about: Uuid, request: &ReportCallbackTriggerRequest) -> Result<Option<Draw>, Fault> {
    let account = fields::id_if("account_id", &request.account_id)?;
    let contact = match (account, cause) {
        (Some(_), _) | (None, Cause::OnlineSentiment) => Contact::Known,
        (None, _) => Contact::Unknown,
    };
    let happening = Happening {
        cause,
        about,
        account,
        branch: &request.branch,
        handlers: vec![call.subject().to_owned()],
        vendor: None,
        utility: fields::pick_if(request.utility),
        hazard: request.hazard,
        contact,
    };
    plan(write, happening).await
}
