//! A complaint from its arrival to the investigation.

use calendar::Instant;
use chrono::Datelike;
use contracts::hearth::{hall::v1::*, options::v1::Role};
use database::{Begun, Scope, Write, numbers};
use ids::Phone;
use rpc::{Call, Fault, page::Page};
use uuid::Uuid;
use vault::Vault;

use super::{
    model::{self, Action, Category, State, Utility, allowed, reporter_key, step},
    store::{self, ADDRESS, Complaint, DETAIL, NAME, PHONE},
};
use crate::{Desk, case::model::Channel, codes::Code, deadline, deadline::model::Clock, fields, refusal::Refusal, staff, story};

pub async fn open(desk: Desk, call: Call, request: OpenComplaintRequest) -> Result<OpenComplaintResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let account_id = fields::id_if("account_id", &request.account_id)?;
    let premises_id = fields::id_if("premises_id", &request.premises_id)?;
    let unknown = account_id.is_none() && request.reporter_phone.is_empty() && request.reporter_address.is_empty();
    match (request.anonymous, unknown) {
        (false, true) => return Err(Fault::from(Refusal::CallerNeeded).field("reporter_phone")),
        (true, false) => return Err(Fault::from(Refusal::AnonymousKnown).field("anonymous")),
        (true, true) if !request.reporter_name.is_empty() => return Err(Fault::from(Refusal::AnonymousKnown).field("reporter_name")),
        _ => {}
    }
    let id = Uuid::now_v7();
    let phone = match request.reporter_phone.as_str() {
        "" => None,
        text => Some(Phone::parse(text).map_err(|_| Fault::from(Refusal::PhoneInvalid).field("reporter_phone"))?),
    };
    let index = phone.as_ref().map(|phone| desk.vault.blind(PHONE, phone.as_str()));
    let mut sealed = [None, None, None];
    let clear = [
        (NAME, request.reporter_name.as_str()),
        (PHONE, phone.as_ref().map_or("", |phone| phone.as_str())),
        (ADDRESS, request.reporter_address.as_str()),
    ];
    for (column, (name, text)) in sealed.iter_mut().zip(clear) {
        if !text.is_empty() {
            *column = Some(desk.vault.seal(&*write, id, name, text).await.map_err(Fault::internal)?);
        }
    }
    let [reporter_name, reporter_phone, reporter_address] = sealed;
    let new = New {
        channel: fields::pick("channel", request.channel)?,
        utility: fields::pick("utility", request.utility)?,
        branch: request.branch,
        account_id,
        premises_id,
        anonymous: request.anonymous,
        no_callback: request.no_callback,
        remote: request.remote,
        reporter_key: reporter_key(account_id, index.as_deref(), premises_id),
        detail: request.detail,
        callback_task_id: None,
    };
    let complaint = Complaint {
        reporter_name,
        reporter_phone,
        reporter_address,
        ..new.row(&write, &desk.vault, id).await?
    };
    let complaint = take_down(&mut write, complaint).await?;
    let complaint = complaint.proto(&write, &desk.vault).await?;
    write.commit(OpenComplaintResponse { complaint }).await
}

/// A new complaint.
pub struct New {
    pub channel: Channel,
    pub utility: Utility,
    pub branch: String,
    pub account_id: Option<Uuid>,
    pub premises_id: Option<Uuid>,
    pub anonymous: bool,
    pub no_callback: bool,
    /// Whether the place lies outside the city (偏远地区).
    pub remote: bool,
    /// By what its duplicates are known; empty for a complaint that is nobody's duplicate.
    pub reporter_key: String,
    pub detail: String,
    /// The call-back whose rework it is.
    pub callback_task_id: Option<Uuid>,
}

impl New {
    /// The row of it, without what is known of the reporter.
    pub async fn row(self, write: &Write, vault: &Vault, id: Uuid) -> Result<Complaint, Fault> {
        let clear = [(DETAIL, self.detail.as_str())];
        let [detail] = vault.seal_texts(&**write, id, clear).await.map_err(Fault::internal)?;
        let year = write.now().date().year();
        let number = numbers::next(write, "CP", &self.branch, year, 1).await?;
        Ok(Complaint {
            id,
            complaint_no: format!("CP-{}-{year}-{number:06}", self.branch),
            channel: self.channel,
            utility: self.utility,
            category: None,
            branch: self.branch,
            account_id: self.account_id,
            premises_id: self.premises_id,
            anonymous: self.anonymous,
            no_callback: self.no_callback,
            reporter_name: None,
            reporter_phone: None,
            reporter_address: None,
            reporter_key: self.reporter_key,
            detail,
            state: State::Received,
            owner_staff_id: None,
            master_id: None,
            callback_task_id: self.callback_task_id,
            finding: None,
            summary: String::new(),
            proposed_by: String::new(),
            vendor_id: None,
            order_id: None,
            upheld_told: false,
            told_vendor_id: None,
            told_finding: None,
            reply_channel: None,
            reply_at: None,
            reply_text: String::new(),
            reopened: 0,
            received_at: write.now().micros(),
            remote: self.remote,
            version: 1,
        })
    }
}

/// Files a complaint and starts its clocks (C-05).
pub async fn take_down(write: &mut Write, complaint: Complaint) -> Result<Complaint, Fault> {
    complaint.clone().insert(write).await?;
    let now = write.now();
    deadline::store::start(write, complaint.id, complaint.place(), complaint.subject(), |_| now).await?;
    story::note(write, complaint.id, "OPEN", "", complaint.state.code(), "").await?;
    write.subject(complaint.id);
    let event = ComplaintOpened {
        complaint_id: complaint.id.to_string(),
        complaint_no: complaint.complaint_no.clone(),
        branch: complaint.branch.clone(),
        utility: complaint.utility.number(),
        account_id: fields::text(complaint.account_id),
    };
    write.event(complaint.id, &event);
    Ok(complaint)
}

pub async fn classify(desk: Desk, call: Call, request: ClassifyComplaintRequest) -> Result<ClassifyComplaintResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut complaint = load(&write, &call, &request.complaint_id, &request.etag).await?;
    let category: Category = fields::pick("category", request.category)?;
    check_step(&complaint, Action::Classify)?;
    complaint.category = Some(category);
    if !link(&desk, &mut write, &mut complaint, "").await? {
        take(&mut write, &mut complaint, Action::Classify, category.code()).await.map_err(lost_race)?;
    }
    follow_category(&write, &complaint).await?;
    let complaint = complaint.proto(&write, &desk.vault).await?;
    write.commit(ClassifyComplaintResponse { complaint }).await
}

/// Links a complaint to the open one about the same, if there is one, and with it what is linked to it so far (C-06). Says whether there is.
async fn link(desk: &Desk, write: &mut Write, complaint: &mut Complaint, why: &str) -> Result<bool, Fault> {
    let keys = keys(desk, write, complaint).await?;
    let Some(master) = store::master(write, complaint, &keys).await? else {
        return Ok(false);
    };
    let mut along = store::duplicates(write, complaint.id).await?;
    let note = format!("{} {why}", master.complaint_no);
    for duplicate in std::iter::once(complaint).chain(along.iter_mut()) {
        duplicate.master_id = Some(master.id);
        take(write, duplicate, Action::Link, note.trim_end()).await?;
    }
    Ok(true)
}

/// Two duplicates that are classified at once: the second one is linked when it is tried again.
fn lost_race(fault: Fault) -> Fault {
    if fault.reason() == "COMPLAINT_MASTER_UNIQUE" {
        Fault::aborted("CONTENTION", "others are writing the same rows; try again")
    } else {
        fault
    }
}

/// The keys under which duplicates of a complaint may stand: after a change of the ring's key a phone has several.
async fn keys(desk: &Desk, write: &Write, complaint: &Complaint) -> Result<Vec<String>, Fault> {
    if complaint.reporter_key.is_empty() {
        return Ok(vec![]);
    }
    let (None, Some(sealed)) = (complaint.account_id, &complaint.reporter_phone) else {
        return Ok(vec![complaint.reporter_key.clone()]);
    };
    let phone = desk
        .vault
        .open_many(&**write, &[(complaint.id, PHONE, sealed)])
        .await
        .map_err(Fault::internal)?;
    let Some(phone) = phone.into_iter().next().flatten() else {
        return Ok(vec![complaint.reporter_key.clone()]);
    };
    let indexes = desk.vault.blind_all(PHONE, &phone);
    Ok(indexes.iter().map(|index| reporter_key(None, Some(index), complaint.premises_id)).collect())
}

/// Puts the clocks under the promises of the category, counted from when the complaint came in. A breach stays.
async fn follow_category(write: &Write, complaint: &Complaint) -> Result<(), Fault> {
    let received = Instant::from_micros(complaint.received_at);
    // C-06: a crew is sent for the first complaint, once; whoever said the same is owed words.
    let clocks: &[Clock] = match complaint.master_id {
        Some(_) => &[Clock::FirstResponse, Clock::Resolution],
        None => Clock::ALL,
    };
    deadline::store::recategorise(write, complaint.id, complaint.place(), complaint.subject(), received, clocks).await
}

pub async fn respond(desk: Desk, call: Call, request: RespondToComplaintRequest) -> Result<RespondToComplaintResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut complaint = load(&write, &call, &request.complaint_id, &request.etag).await?;
    let channel: Channel = fields::pick("reply_channel", request.reply_channel)?;
    take(&mut write, &mut complaint, Action::Respond, channel.code()).await?;
    deadline::store::meet(&write, complaint.id, &[Clock::FirstResponse]).await?;
    let complaint = complaint.proto(&write, &desk.vault).await?;
    write.commit(RespondToComplaintResponse { complaint }).await
}

pub async fn assign(desk: Desk, call: Call, request: AssignComplaintRequest) -> Result<AssignComplaintResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut complaint = load(&write, &call, &request.complaint_id, &request.etag).await?;
    if complaint.state == State::Escalated && !call.has(Role::ServiceManager) {
        return Err(Refusal::ManagerNeeded.into());
    }
    let owner = staff::store::get(&write, &Scope::of(&call), fields::id("owner_staff_id", &request.owner_staff_id)?).await?;
    if owner.state == staff::model::State::Left {
        return Err(Refusal::StaffLeft.into());
    }
    complaint.owner_staff_id = Some(owner.id);
    take(&mut write, &mut complaint, Action::Assign, &owner.id.to_string()).await?;
    let complaint = complaint.proto(&write, &desk.vault).await?;
    write.commit(AssignComplaintResponse { complaint }).await
}

pub async fn investigate(desk: Desk, call: Call, request: InvestigateComplaintRequest) -> Result<InvestigateComplaintResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut complaint = load(&write, &call, &request.complaint_id, &request.etag).await?;
    take(&mut write, &mut complaint, Action::Investigate, "").await?;
    let complaint = complaint.proto(&write, &desk.vault).await?;
    write.commit(InvestigateComplaintResponse { complaint }).await
}

pub async fn visit(desk: Desk, call: Call, request: VisitComplaintRequest) -> Result<VisitComplaintResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut complaint = load(&write, &call, &request.complaint_id, &request.etag).await?;
    take(&mut write, &mut complaint, Action::Visit, "").await?;
    deadline::store::meet(&write, complaint.id, &[Clock::OnSite]).await?;
    let complaint = complaint.proto(&write, &desk.vault).await?;
    write.commit(VisitComplaintResponse { complaint }).await
}

pub async fn recategorise(desk: Desk, call: Call, request: RecategoriseComplaintRequest) -> Result<RecategoriseComplaintResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut complaint = load(&write, &call, &request.complaint_id, &request.etag).await?;
    let before = complaint.subject();
    complaint.utility = fields::pick("utility", request.utility)?;
    complaint.category = Some(fields::pick("category", request.category)?);
    let reason = format!("{before} -> {}: {}", complaint.subject(), request.reason);
    // One that was answered before has a call of its own, and stays by itself.
    let answered = complaint.reply_at.is_some();
    check_step(&complaint, Action::Recategorise)?;
    if answered || !link(&desk, &mut write, &mut complaint, &reason).await? {
        let taken = take(&mut write, &mut complaint, Action::Recategorise, &reason).await;
        taken.map_err(|fault| if answered { fault } else { lost_race(fault) })?;
    }
    follow_category(&write, &complaint).await?;
    let complaint = complaint.proto(&write, &desk.vault).await?;
    write.commit(RecategoriseComplaintResponse { complaint }).await
}

pub async fn get(desk: Desk, call: Call, request: GetComplaintRequest) -> Result<GetComplaintResponse, Fault> {
    let reader = desk.db.reader();
    let complaint = store::get(reader, &Scope::of(&call), fields::id("complaint_id", &request.complaint_id)?).await?;
    let duplicates = store::duplicates(reader, complaint.id).await?;
    Ok(GetComplaintResponse {
        complaint: complaint.proto(reader, &desk.vault).await?,
        duplicates: store::opened(reader, &desk.vault, &duplicates).await?,
    })
}

pub async fn list(desk: Desk, call: Call, request: ListComplaintsRequest) -> Result<ListComplaintsResponse, Fault> {
    let filters = [request.state.to_string(), request.account_id.clone(), request.category.to_string()];
    let page = Page::of(&call, &filters.each_ref().map(String::as_str), request.page_size, &request.page_token)?;
    let account = fields::id_if("account_id", &request.account_id)?;
    let rows = store::list(
        desk.db.reader(),
        &Scope::of(&call),
        &page,
        fields::pick_if(request.state),
        account,
        fields::pick_if(request.category),
    )
    .await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    let complaints = store::opened(desk.db.reader(), &desk.vault, &rows).await?;
    Ok(ListComplaintsResponse { complaints, next_page_token })
}

pub async fn reveal(desk: Desk, call: Call, request: RevealComplaintRequest) -> Result<RevealComplaintResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let complaint = store::get(&write, &Scope::of(&call), fields::id("complaint_id", &request.complaint_id)?).await?;
    write.subject(complaint.id);
    write.purpose(&request.purpose);
    let complaint = complaint.proto(&write, &desk.vault).await?;
    write.commit(RevealComplaintResponse { complaint }).await
}

pub(super) async fn load(write: &Write, call: &Call, id: &str, etag: &str) -> Result<Complaint, Fault> {
    let complaint = store::lock(write, &Scope::of(call), fields::id("complaint_id", id)?).await?;
    complaint.check(etag)?;
    Ok(complaint)
}

/// The state after a step, or the refusal that names what is allowed.
pub(super) fn check_step(complaint: &Complaint, action: Action) -> Result<State, Fault> {
    step(complaint.state, action).ok_or_else(|| {
        Fault::from(Refusal::ComplaintState)
            .meta("state", complaint.state.code())
            .meta("allowed", allowed(complaint.state).join(","))
    })
}

/// Takes a step, writes the complaint and its history.
pub(super) async fn take(write: &mut Write, complaint: &mut Complaint, action: Action, reason: &str) -> Result<(), Fault> {
    let (from, to) = (complaint.state, check_step(complaint, action)?);
    complaint.state = to;
    complaint.save(write).await?;
    story::note(write, complaint.id, action.code(), from.code(), to.code(), reason).await?;
    write.subject(complaint.id);
    Ok(())
}

/// Who has worked on a complaint: nobody of them may ask the reporter (C-02).
pub(super) async fn handlers(write: &Write, complaint: &Complaint) -> Result<Vec<String>, Fault> {
    let moves = story::of(write, complaint.id).await?;
    let mut handlers: Vec<String> = moves.into_iter().filter(|step| model::handles(&step.action)).map(|step| step.actor).collect();
    if let Some(owner) = complaint.owner_staff_id {
        handlers.push(staff::store::get(write, &Scope::everything(), owner).await?.login);
    }
    handlers.sort_unstable();
    handlers.dedup();
    Ok(handlers)
}
