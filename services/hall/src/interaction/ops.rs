use chrono::Datelike;
use contracts::hearth::hall::v1::*;
use database::{Begun, Conn, Scope, Write, numbers};
use ids::Phone;
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    model::{self, Action, Channel, Lacks, Outcome, Reply, State, allowed, starts_clock, step},
    store::{self, DETAIL, Interaction as Row, NAME, OPINION, PHONE, REPLY, Wanted},
};
use crate::{
    Desk,
    callback::{
        self,
        model::{Cause, Contact},
        plan::Happening,
        store::Draw,
    },
    case,
    codes::Code,
    complaint, conduct,
    deadline::{self, model::Clock, store::Place},
    fields, notice,
    refusal::Refusal,
    story,
};

/// The promise of A-09.
const PROMISE: &str = "HEAT_STATION_OPINION";

pub async fn receive(desk: Desk, call: Call, request: ReceiveInteractionRequest) -> Result<ReceiveInteractionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let received = match &request.receive_time {
        Some(time) => wire::time_of(Some(time), "receive_time")?,
        None => write.now(),
    };
    if received > write.now() {
        return Err(Fault::from(Refusal::DateInFuture).field("receive_time"));
    }
    let year = write.now().date().year();
    let number = numbers::next(&write, "IN", &request.branch, year, 1).await?;
    let row = Row {
        id: Uuid::now_v7(),
        interaction_no: format!("IN-{}-{year}-{number:06}", request.branch),
        channel: fields::pick("channel", request.channel)?,
        branch: request.branch,
        received_at: received.micros(),
        handler: call.subject().to_owned(),
        badge_no: String::new(),
        party_id: fields::text(fields::id_if("party_id", &request.party_id)?),
        account_id: fields::text(fields::id_if("account_id", &request.account_id)?),
        caller_name: None,
        caller_phone: None,
        category: None,
        detail: String::new(),
        state: State::Received,
        case_id: None,
        complaint_id: None,
        station: String::new(),
        opinion: String::new(),
        opinion_at: None,
        outcome: None,
        reply_channel: None,
        reply_at: None,
        reply_text: String::new(),
        rule_cited: String::new(),
        version: 1,
    };
    row.clone().insert(&write).await?;
    story::note(&write, row.id, "RECEIVE", "", row.state.code(), "").await?;
    write.subject(row.id);
    let notices = notices(&write, &row, write.now().date()).await?;
    let interaction = row.proto(&write, &desk.vault).await?;
    write.commit(ReceiveInteractionResponse { interaction, notices }).await
}

pub async fn record(desk: Desk, call: Call, request: RecordInteractionRequest) -> Result<RecordInteractionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = load(&write, &call, &request.interaction_id, &request.etag).await?;
    if !request.badge_no.is_empty() {
        conduct::wears(&write, &call, &request.badge_no).await?;
    } else if row.channel == Channel::Visit {
        return Err(Fault::from(Refusal::BadgeNeeded).field("badge_no"));
    }
    if !request.caller_name.is_empty() {
        let sealed = desk.vault.seal(&*write, row.id, NAME, &request.caller_name).await;
        row.caller_name = Some(sealed.map_err(Fault::internal)?);
    }
    if !request.caller_phone.is_empty() {
        let phone = Phone::parse(&request.caller_phone).map_err(|_| Fault::from(Refusal::PhoneInvalid).field("caller_phone"))?;
        let sealed = desk.vault.seal(&*write, row.id, PHONE, phone.as_str()).await;
        row.caller_phone = Some(sealed.map_err(Fault::internal)?);
    }
    row.handler = call.subject().to_owned();
    row.badge_no = request.badge_no;
    row.category = Some(fields::pick("category", request.category)?);
    let clear = [(DETAIL, request.detail.as_str())];
    [row.detail] = desk.vault.seal_texts(&*write, row.id, clear).await.map_err(Fault::internal)?;
    take(&mut write, &mut row, Action::Record, "").await?;
    let notices = notices(&write, &row, write.now().date()).await?;
    let interaction = row.proto(&write, &desk.vault).await?;
    write.commit(RecordInteractionResponse { interaction, notices }).await
}

pub async fn assign(desk: Desk, call: Call, request: AssignInteractionRequest) -> Result<AssignInteractionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = load(&write, &call, &request.interaction_id, &request.etag).await?;
    let fresh = starts_clock(row.state);
    if fresh {
        (row.opinion, row.opinion_at) = (String::new(), None);
    }
    row.station = request.station.clone();
    take(&mut write, &mut row, Action::Assign, &request.station).await?;
    if fresh {
        let now = write.now();
        let place = Place {
            branch: &row.branch,
            remote: false,
        };
        deadline::store::start(&write, row.id, place, PROMISE, |_| now).await?;
    }
    let interaction = row.proto(&write, &desk.vault).await?;
    write.commit(AssignInteractionResponse { interaction }).await
}

pub async fn give_opinion(desk: Desk, call: Call, request: GiveOpinionRequest) -> Result<GiveOpinionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = load(&write, &call, &request.interaction_id, &request.etag).await?;
    let clear = [(OPINION, request.opinion.as_str())];
    [row.opinion] = desk.vault.seal_texts(&*write, row.id, clear).await.map_err(Fault::internal)?;
    row.opinion_at = Some(write.now().micros());
    take(&mut write, &mut row, Action::GiveOpinion, "").await?;
    deadline::store::meet(&write, row.id, &[Clock::FirstResponse]).await?;
    let interaction = row.proto(&write, &desk.vault).await?;
    write.commit(GiveOpinionResponse { interaction }).await
}

pub async fn link(desk: Desk, call: Call, request: LinkInteractionRequest) -> Result<LinkInteractionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = load(&write, &call, &request.interaction_id, &request.etag).await?;
    let scope = Scope::of(&call);
    let to = if let Some(id) = fields::id_if("case_id", &request.case_id)? {
        let case = case::store::get(&write, &scope, id).await?;
        if case.branch != row.branch {
            return Err(Fault::not_found("case", id));
        }
        if row.case_id.replace(id).is_some() {
            return Err(Refusal::LinkedAlready.into());
        }
        id
    } else {
        let id = fields::id("complaint_id", &request.complaint_id)?;
        let complaint = complaint::store::get(&write, &scope, id).await?;
        if complaint.branch != row.branch {
            return Err(Fault::not_found("complaint", id));
        }
        if row.complaint_id.replace(id).is_some() {
            return Err(Refusal::LinkedAlready.into());
        }
        id
    };
    take(&mut write, &mut row, Action::Link, &to.to_string()).await?;
    let interaction = row.proto(&write, &desk.vault).await?;
    write.commit(LinkInteractionResponse { interaction }).await
}

pub async fn close(desk: Desk, call: Call, request: CloseInteractionRequest) -> Result<CloseInteractionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = load(&write, &call, &request.interaction_id, &request.etag).await?;
    to(&row, Action::Close)?;
    let reply = Reply {
        outcome: fields::pick::<Outcome>("outcome", request.outcome)?,
        at: wire::time_of(request.reply_time.as_ref(), "reply_time")?,
        text: &request.text,
        rule_cited: &request.rule_cited,
        linked: row.case_id.is_some() || row.complaint_id.is_some(),
    };
    model::check(reply, calendar::Instant::from_micros(row.received_at), write.now()).map_err(refused)?;
    let outcome = reply.outcome;
    row.outcome = Some(outcome);
    row.reply_channel = Some(fields::pick("reply_channel", request.reply_channel)?);
    row.reply_at = Some(reply.at.micros());
    let clear = [(REPLY, request.text.as_str())];
    [row.reply_text] = desk.vault.seal_texts(&*write, row.id, clear).await.map_err(Fault::internal)?;
    row.rule_cited = request.rule_cited;
    take(&mut write, &mut row, Action::Close, outcome.code()).await?;
    ask_about(&mut write, &row).await?;
    let interaction = row.proto(&write, &desk.vault).await?;
    write.commit(CloseInteractionResponse { interaction }).await
}

/// Draws whether somebody whose visit is closed is asked about it; nothing for other contacts.
pub async fn ask_about(write: &mut Write, row: &Row) -> Result<Option<Draw>, Fault> {
    if row.channel != Channel::Visit {
        return Ok(None);
    }
    let moves = story::of(write, row.id).await?;
    let known = row.account().is_some() || row.caller_phone.is_some();
    let happening = Happening {
        cause: Cause::CounterTransaction,
        about: row.id,
        account: row.account(),
        branch: &row.branch,
        handlers: moves.into_iter().map(|step| step.actor).collect(),
        vendor: None,
        utility: row.category.and_then(case::model::utility),
        hazard: false,
        contact: if known { Contact::Known } else { Contact::Unknown },
    };
    callback::plan::plan(write, happening).await
}

fn refused(lacks: Lacks) -> Fault {
    match lacks {
        Lacks::Rule => Fault::from(Refusal::RuleNeeded).field("rule_cited"),
        Lacks::Explanation => Fault::from(Refusal::ExplanationNeeded).field("text"),
        Lacks::Link => Refusal::LinkNeeded.into(),
        Lacks::Past => Fault::from(Refusal::DateInFuture).field("reply_time"),
        Lacks::Order => Fault::from(Refusal::ReplyBeforeContact).field("reply_time"),
    }
}

pub async fn get(desk: Desk, call: Call, request: GetInteractionRequest) -> Result<GetInteractionResponse, Fault> {
    let row = store::get(desk.db.reader(), &Scope::of(&call), fields::id("interaction_id", &request.interaction_id)?).await?;
    Ok(GetInteractionResponse {
        notices: notices(desk.db.reader(), &row, desk.clock.now().date()).await?,
        interaction: row.proto(desk.db.reader(), &desk.vault).await?,
    })
}

pub async fn list(desk: Desk, call: Call, request: ListInteractionsRequest) -> Result<ListInteractionsResponse, Fault> {
    let filters = [
        request.state.to_string(),
        request.channel.to_string(),
        request.party_id.clone(),
        request.case_id.clone(),
    ];
    let page = Page::of(&call, &filters.each_ref().map(String::as_str), request.page_size, &request.page_token)?;
    let wanted = Wanted {
        state: fields::pick_if(request.state),
        channel: fields::pick_if(request.channel),
        party_id: fields::text(fields::id_if("party_id", &request.party_id)?),
        case_id: fields::id_if("case_id", &request.case_id)?,
    };
    let rows = store::list(desk.db.reader(), &Scope::of(&call), &page, &wanted).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListInteractionsResponse {
        interactions: store::opened(desk.db.reader(), &desk.vault, &rows).await?,
        next_page_token,
    })
}

pub async fn reveal(desk: Desk, call: Call, request: RevealInteractionRequest) -> Result<RevealInteractionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let row = store::get(&write, &Scope::of(&call), fields::id("interaction_id", &request.interaction_id)?).await?;
    write.subject(row.id);
    write.purpose(&request.purpose);
    let interaction = row.proto(&write, &desk.vault).await?;
    write.commit(RevealInteractionResponse { interaction }).await
}

async fn notices(conn: &Conn, row: &Row, today: calendar::NaiveDate) -> Result<Vec<CustomerNotice>, Fault> {
    notice::of(conn, &row.party_id, row.account(), today).await
}

async fn load(write: &Write, call: &Call, id: &str, etag: &str) -> Result<Row, Fault> {
    let row = store::lock(write, &Scope::of(call), fields::id("interaction_id", id)?).await?;
    row.check(etag)?;
    Ok(row)
}

fn to(row: &Row, action: Action) -> Result<State, Fault> {
    step(row.state, action).ok_or_else(|| {
        Fault::from(Refusal::InteractionState)
            .meta("state", row.state.code())
            .meta("allowed", allowed(row.state).join(","))
    })
}

/// Takes a step, writes the entry and its history.
async fn take(write: &mut Write, row: &mut Row, action: Action, reason: &str) -> Result<(), Fault> {
    let from = row.state;
    row.state = to(row, action)?;
    row.save(write).await?;
    story::note(write, row.id, action.code(), from.code(), row.state.code(), reason).await?;
    write.subject(row.id);
    Ok(())
}
