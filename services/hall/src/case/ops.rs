use calendar::Instant;
use chrono::Datelike;
use contracts::hearth::{hall::v1::*, options::v1::Role};
use database::{Begun, Scope, Write, numbers};
use ids::Phone;
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    model::{Action, COMPLAINTS, Category, Channel, Outcome, State, allowed, cites_rightly, step},
    store::{self, ADDRESS, DETAIL, NAME, PHONE, REPLY},
};
use crate::{Desk, codes::Code, deadline, deadline::model::Clock, fields, notice, order, refusal::Refusal, staff, story};

pub async fn open(desk: Desk, call: Call, request: OpenCaseRequest) -> Result<OpenCaseResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let account_id = fields::id_if("account_id", &request.account_id)?;
    if account_id.is_none() && request.caller_phone.is_empty() && request.address.is_empty() {
        return Err(Fault::from(Refusal::CallerNeeded).field("caller_phone"));
    }
    let id = Uuid::now_v7();
    let caller_phone = if request.caller_phone.is_empty() {
        None
    } else {
        let phone = Phone::parse(&request.caller_phone).map_err(|_| Fault::from(Refusal::PhoneInvalid).field("caller_phone"))?;
        Some(desk.vault.seal(&*write, id, PHONE, phone.as_str()).await.map_err(Fault::internal)?)
    };
    let clear = [(NAME, request.caller_name.as_str()), (ADDRESS, &request.address), (DETAIL, &request.detail)];
    let [caller_name, address, detail] = desk.vault.seal_texts(&*write, id, clear).await.map_err(Fault::internal)?;
    let year = write.now().date().year();
    let number = numbers::next(&write, "CS", &request.branch, year, 1).await?;
    let case = store::Case {
        id,
        case_no: format!("CS-{}-{year}-{number:06}", request.branch),
        channel: fields::pick("channel", request.channel)?,
        category: fields::pick("category", request.category)?,
        branch: request.branch,
        account_id,
        caller_name,
        caller_phone,
        address,
        detail,
        state: State::Received,
        owner_staff_id: None,
        outcome: None,
        reply_channel: None,
        reply_at: None,
        reply_text: String::new(),
        rule_cited: String::new(),
        reopened: 0,
        received_at: write.now().micros(),
        remote: request.remote,
        version: 1,
    };
    case.clone().insert(&write).await?;
    let now = write.now();
    deadline::store::start(&write, id, case.place(), case.category.code(), |_| now).await?;
    story::note(&write, id, "OPEN", "", case.state.code(), "").await?;
    write.subject(id);
    let case = case.proto(&write, &desk.vault).await?;
    write.commit(OpenCaseResponse { case }).await
}

pub async fn assign(desk: Desk, call: Call, request: AssignCaseRequest) -> Result<AssignCaseResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut case = load(&write, &call, &request.case_id, &request.etag).await?;
    let owner = staff::store::get(&write, &Scope::of(&call), fields::id("owner_staff_id", &request.owner_staff_id)?).await?;
    if owner.state == staff::model::State::Left {
        return Err(Refusal::StaffLeft.into());
    }
    case.owner_staff_id = Some(owner.id);
    take(&mut write, &mut case, Action::Assign, &owner.id.to_string()).await?;
    let case = case.proto(&write, &desk.vault).await?;
    write.commit(AssignCaseResponse { case }).await
}

pub async fn respond(desk: Desk, call: Call, request: RespondToCaseRequest) -> Result<RespondToCaseResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut case = load(&write, &call, &request.case_id, &request.etag).await?;
    let channel: Channel = fields::pick("reply_channel", request.reply_channel)?;
    take(&mut write, &mut case, Action::Respond, channel.code()).await?;
    deadline::store::meet(&write, case.id, &[Clock::FirstResponse]).await?;
    let case = case.proto(&write, &desk.vault).await?;
    write.commit(RespondToCaseResponse { case }).await
}

pub async fn recategorise(desk: Desk, call: Call, request: RecategoriseCaseRequest) -> Result<RecategoriseCaseResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut case = load(&write, &call, &request.case_id, &request.etag).await?;
    let category: Category = fields::pick("category", request.category)?;
    let reason = format!("{} -> {}: {}", case.category.code(), category.code(), request.reason);
    case.category = category;
    take(&mut write, &mut case, Action::Recategorise, &reason).await?;
    let received = Instant::from_micros(case.received_at);
    deadline::store::recategorise(&write, case.id, case.place(), category.code(), received, Clock::ALL).await?;
    let case = case.proto(&write, &desk.vault).await?;
    write.commit(RecategoriseCaseResponse { case }).await
}

pub async fn answer(desk: Desk, call: Call, request: AnswerCaseRequest) -> Result<AnswerCaseResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut case = load(&write, &call, &request.case_id, &request.etag).await?;
    let outcome: Outcome = fields::pick("outcome", request.outcome)?;
    if !cites_rightly(outcome, &request.rule_cited) {
        return Err(Fault::from(Refusal::RuleNeeded).field("rule_cited"));
    }
    if outcome == Outcome::DeclinedExplained && request.text.trim().is_empty() {
        return Err(Fault::from(Refusal::ExplanationNeeded).field("text"));
    }
    let reply_at = wire::time_of(request.reply_time.as_ref(), "reply_time")?;
    if reply_at > write.now() {
        return Err(Fault::from(Refusal::DateInFuture).field("reply_time"));
    }
    if reply_at.micros() < case.received_at {
        return Err(Fault::from(Refusal::ReplyBeforeContact).field("reply_time"));
    }
    case.outcome = Some(outcome);
    case.reply_channel = Some(fields::pick("reply_channel", request.reply_channel)?);
    case.reply_at = Some(reply_at.micros());
    [case.reply_text] = desk
        .vault
        .seal_texts(&*write, case.id, [(REPLY, request.text.as_str())])
        .await
        .map_err(Fault::internal)?;
    case.rule_cited = request.rule_cited;
    take(&mut write, &mut case, Action::Answer, outcome.code()).await?;
    deadline::store::meet(&write, case.id, &[Clock::FirstResponse, Clock::Resolution]).await?;
    let case = case.proto(&write, &desk.vault).await?;
    write.commit(AnswerCaseResponse { case }).await
}

pub async fn close(desk: Desk, call: Call, request: CloseCaseRequest) -> Result<CloseCaseResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut case = load(&write, &call, &request.case_id, &request.etag).await?;
    if COMPLAINTS.contains(&case.category) && !call.has(Role::ServiceManager) {
        return Err(Refusal::ManagerNeeded.into());
    }
    take(&mut write, &mut case, Action::Close, "").await?;
    if let Some(open) = order::store::open_of_case(&write, case.id).await? {
        return Err(Fault::from(Refusal::OrdersOpen).meta("order_id", open));
    }
    // A clock that nothing met, such as a leak's, ends with the case.
    deadline::store::end(&write, case.id).await?;
    let case = case.proto(&write, &desk.vault).await?;
    write.commit(CloseCaseResponse { case }).await
}

pub async fn reopen(desk: Desk, call: Call, request: ReopenCaseRequest) -> Result<ReopenCaseResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut case = load(&write, &call, &request.case_id, &request.etag).await?;
    case.reopened = case.reopened.saturating_add(1);
    take(&mut write, &mut case, Action::Reopen, &request.reason).await?;
    let case = case.proto(&write, &desk.vault).await?;
    write.commit(ReopenCaseResponse { case }).await
}

pub async fn get(desk: Desk, call: Call, request: GetCaseRequest) -> Result<GetCaseResponse, Fault> {
    let case = store::get(desk.db.reader(), &Scope::of(&call), fields::id("case_id", &request.case_id)?).await?;
    Ok(GetCaseResponse {
        notices: notice::of(desk.db.reader(), "", case.account_id, desk.clock.now().date()).await?,
        case: case.proto(desk.db.reader(), &desk.vault).await?,
    })
}

pub async fn list(desk: Desk, call: Call, request: ListCasesRequest) -> Result<ListCasesResponse, Fault> {
    let page = Page::of(
        &call,
        &[&request.state.to_string(), &request.account_id],
        request.page_size,
        &request.page_token,
    )?;
    let account = fields::id_if("account_id", &request.account_id)?;
    let rows = store::list(desk.db.reader(), &Scope::of(&call), &page, fields::pick_if(request.state), account).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    let cases = store::opened(desk.db.reader(), &desk.vault, &rows).await?;
    Ok(ListCasesResponse { cases, next_page_token })
}

pub async fn reveal(desk: Desk, call: Call, request: RevealCaseRequest) -> Result<RevealCaseResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let case = store::get(&write, &Scope::of(&call), fields::id("case_id", &request.case_id)?).await?;
    write.subject(case.id);
    write.purpose(&request.purpose);
    let case = case.proto(&write, &desk.vault).await?;
    write.commit(RevealCaseResponse { case }).await
}

async fn load(write: &Write, call: &Call, id: &str, etag: &str) -> Result<store::Case, Fault> {
    let case = store::lock(write, &Scope::of(call), fields::id("case_id", id)?).await?;
    case.check(etag)?;
    Ok(case)
}

/// Takes a step, writes the case and its history.
async fn take(write: &mut Write, case: &mut store::Case, action: Action, reason: &str) -> Result<(), Fault> {
    let from = case.state;
    let to = step(from, action).ok_or_else(|| {
        Fault::from(Refusal::CaseState)
            .meta("state", from.code())
            .meta("allowed", allowed(from).join(","))
    })?;
    case.state = to;
    case.save(write).await?;
    story::note(write, case.id, action.code(), from.code(), to.code(), reason).await?;
    write.subject(case.id);
    Ok(())
}
