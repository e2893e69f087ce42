//! What a complaint comes to: finding, reply, call-back, closing, and the ways back.

use calendar::Instant;
use contracts::hearth::hall::v1::*;
use database::{Begun, Scope, Write};
use rpc::{Call, Fault, wire};
use uuid::Uuid;
use vault::Vault;

use super::{
    model::{Action, Category, Finding, State},
    ops::{check_step, handlers, load, take},
    store::{self, Complaint, REPLY, SUMMARY},
};
use crate::{
    Desk,
    callback::{
        self,
        model::{Cause, Contact},
        plan::Happening,
    },
    case::model::Channel,
    codes::Code,
    deadline,
    deadline::model::Clock,
    fields, order,
    refusal::Refusal,
    staff,
};

pub async fn propose(desk: Desk, call: Call, request: ProposeReplyRequest) -> Result<ProposeReplyResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut complaint = load(&write, &call, &request.complaint_id, &request.etag).await?;
    let finding: Finding = fields::pick("finding", request.finding)?;
    let mut vendor = fields::id_if("vendor_id", &request.vendor_id)?;
    let order_id = fields::id_if("order_id", &request.order_id)?;
    if let Some(id) = order_id {
        let order = order::store::get(&write, &Scope::of(&call), id).await?;
        if order.branch != complaint.branch {
            return Err(Fault::not_found("order", id));
        }
        if vendor.is_some() && vendor != order.vendor_id {
            return Err(Fault::from(Refusal::VendorNotOfOrder).field("vendor_id"));
        }
        vendor = order.vendor_id;
    }
    complaint.finding = Some(finding);
    let clear = [(SUMMARY, request.summary.as_str())];
    [complaint.summary] = desk.vault.seal_texts(&*write, complaint.id, clear).await.map_err(Fault::internal)?;
    complaint.proposed_by = call.subject().to_owned();
    (complaint.vendor_id, complaint.order_id) = (vendor, order_id);
    take(&mut write, &mut complaint, Action::Propose, finding.code()).await?;
    let complaint = complaint.proto(&write, &desk.vault).await?;
    write.commit(ProposeReplyResponse { complaint }).await
}

pub async fn reply(desk: Desk, call: Call, request: ReplyToComplaintRequest) -> Result<ReplyToComplaintResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut complaint = load(&write, &call, &request.complaint_id, &request.etag).await?;
    let channel: Option<Channel> = fields::pick_if(request.reply_channel);
    // C-07: nobody can be told; the reply is filed.
    if complaint.anonymous == channel.is_some() {
        return Err(Fault::from(Refusal::ReplyChannel).field("reply_channel"));
    }
    let reply_at = wire::time_of(request.reply_time.as_ref(), "reply_time")?;
    if reply_at > write.now() {
        return Err(Fault::from(Refusal::DateInFuture).field("reply_time"));
    }
    if reply_at.micros() < complaint.received_at {
        return Err(Fault::from(Refusal::ReplyBeforeContact).field("reply_time"));
    }
    if complaint.state == State::Linked && complaint.reply_at.is_some() {
        return Err(Fault::from(Refusal::ComplaintState).meta("state", complaint.state.code()));
    }
    complaint.reply_channel = channel;
    complaint.reply_at = Some(reply_at.micros());
    let clear = [(REPLY, request.text.as_str())];
    [complaint.reply_text] = desk.vault.seal_texts(&*write, complaint.id, clear).await.map_err(Fault::internal)?;
    let told = (complaint.told_vendor_id, complaint.told_finding);
    complaint.told_vendor_id = complaint.vendor_id.filter(|_| complaint.finding.is_some_and(Finding::upheld));
    complaint.told_finding = complaint.told_vendor_id.and(complaint.finding);
    complaint.upheld_told = complaint.told_vendor_id.is_some();
    take(&mut write, &mut complaint, Action::Reply, channel.map_or("FILED", Code::code)).await?;
    deadline::store::meet(&write, complaint.id, &[Clock::FirstResponse, Clock::Resolution]).await?;
    let event = ComplaintReplied {
        complaint_id: complaint.id.to_string(),
        finding: fields::number(complaint.finding),
    };
    write.event(complaint.id, &event);
    tell_vendor(&mut write, &complaint, told, reply_at);
    let complaint = complaint.proto(&write, &desk.vault).await?;
    write.commit(ReplyToComplaintResponse { complaint }).await
}

/// Tells the vendor service against whom a complaint stands now, and against whom no longer; nothing where all is as it was told before.
fn tell_vendor(write: &mut Write, complaint: &Complaint, told: (Option<Uuid>, Option<Finding>), reply_at: Instant) {
    if told == (complaint.told_vendor_id, complaint.told_finding) {
        return;
    }
    let complaint_id = complaint.id.to_string();
    if let (Some(vendor), _) = told {
        let event = ComplaintFindingReversed {
            complaint_id: complaint_id.clone(),
            vendor_id: vendor.to_string(),
        };
        write.event(complaint.id, &event);
    }
    if let Some(vendor) = complaint.told_vendor_id {
        let event = ComplaintUpheld {
            complaint_id,
            vendor_id: vendor.to_string(),
            order_id: fields::text(complaint.order_id),
            category: fields::number(complaint.category),
            finding: fields::number(complaint.finding),
            upheld_date: Some(wire::date(reply_at.date())),
        };
        write.event(complaint.id, &event);
    }
}

pub async fn close(desk: Desk, call: Call, request: CloseComplaintRequest) -> Result<CloseComplaintResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut complaint = load(&write, &call, &request.complaint_id, &request.etag).await?;
    check_step(&complaint, Action::CallBack)?;
    let owner = match complaint.owner_staff_id {
        Some(id) => staff::store::get(&write, &Scope::everything(), id).await?.login,
        None => String::new(),
    };
    if [&owner, &complaint.proposed_by].into_iter().any(|person| person == call.subject()) {
        return Err(Refusal::SecondPersonNeeded.into());
    }
    let duplicates = store::duplicates(&write, complaint.id).await?;
    if let Some(open) = duplicates.iter().find(|duplicate| duplicate.reply_at.is_none()) {
        return Err(Fault::from(Refusal::DuplicatesUnanswered).meta("complaint_id", open.id));
    }
    let mut handlers = handlers(&write, &complaint).await?;
    handlers.push(call.subject().to_owned());
    let called = match complaint.callback_task_id {
        // The customer is asked by the second call of the task whose rework this is.
        Some(_) => false,
        None => {
            let contact = match complaint {
                Complaint { anonymous: true, .. } => Contact::Anonymous,
                Complaint {
                    account_id: None,
                    reporter_phone: None,
                    ..
                } => Contact::Unknown,
                Complaint { no_callback: true, .. } => Contact::Objects,
                _ => Contact::Known,
            };
            let happening = Happening {
                cause: Cause::ComplaintClosed,
                about: complaint.id,
                account: complaint.account_id,
                branch: &complaint.branch,
                handlers: handlers.clone(),
                vendor: complaint.vendor_id,
                utility: Some(complaint.utility),
                hazard: complaint.category == Some(Category::Safety),
                contact,
            };
            callback::plan::again(&mut write, happening).await?
        }
    };
    if called {
        take(&mut write, &mut complaint, Action::CallBack, "").await?;
    } else {
        finish(&mut write, &mut complaint).await?;
        callback::rework::done(&mut write, complaint.id, handlers, complaint.vendor_id).await?;
    }
    let complaint = complaint.proto(&write, &desk.vault).await?;
    write.commit(CloseComplaintResponse { complaint }).await
}

async fn finish(write: &mut Write, complaint: &mut Complaint) -> Result<(), Fault> {
    take(write, complaint, Action::Close, "").await?;
    // A clock that nothing met, such as that of arrival, ends with the complaint.
    deadline::store::end(write, complaint.id).await?;
    let event = ComplaintClosed {
        complaint_id: complaint.id.to_string(),
        category: fields::number(complaint.category),
        account_id: fields::text(complaint.account_id),
    };
    write.event(complaint.id, &event);
    Ok(())
}

pub async fn reopen(desk: Desk, call: Call, request: ReopenComplaintRequest) -> Result<ReopenComplaintResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut complaint = load(&write, &call, &request.complaint_id, &request.etag).await?;
    open_again(&mut write, &mut complaint, &request.reason).await?;
    // The call that was planned would ask about something that goes on.
    callback::plan::hold(&mut write, complaint.id).await?;
    let complaint = complaint.proto(&write, &desk.vault).await?;
    write.commit(ReopenComplaintResponse { complaint }).await
}

async fn open_again(write: &mut Write, complaint: &mut Complaint, reason: &str) -> Result<(), Fault> {
    complaint.reopened = complaint.reopened.saturating_add(1);
    take(write, complaint, Action::Reopen, reason).await
}

pub async fn escalate(desk: Desk, call: Call, request: EscalateComplaintRequest) -> Result<EscalateComplaintResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut complaint = load(&write, &call, &request.complaint_id, &request.etag).await?;
    let called = complaint.state == State::Callback;
    lift(&mut write, &mut complaint, &request.reason).await?;
    if called {
        callback::plan::hold(&mut write, complaint.id).await?;
    }
    let complaint = complaint.proto(&write, &desk.vault).await?;
    write.commit(EscalateComplaintResponse { complaint }).await
}

async fn lift(write: &mut Write, complaint: &mut Complaint, reason: &str) -> Result<(), Fault> {
    take(write, complaint, Action::Escalate, reason).await?;
    let event = ComplaintEscalated {
        complaint_id: complaint.id.to_string(),
    };
    write.event(complaint.id, &event);
    Ok(())
}

/// Whether a complaint waits for its call-back; held until the write has ended.
pub async fn waits_for_call(write: &Write, id: Uuid) -> Result<bool, Fault> {
    let complaint = store::lock(write, &Scope::everything(), id).await?;
    Ok(complaint.state == State::Callback)
}

/// The call-back of a complaint is closed, and the complaint with it; one that goes on already stays as it is.
pub async fn called_back(write: &mut Write, id: Uuid) -> Result<(), Fault> {
    let mut complaint = store::lock(write, &Scope::everything(), id).await?;
    if complaint.state == State::Callback {
        finish(write, &mut complaint).await?;
    }
    Ok(())
}

/// The reporter is not satisfied: the complaint is opened again (C-04).
pub async fn dissatisfied(write: &mut Write, id: Uuid) -> Result<(), Fault> {
    let mut complaint = store::lock(write, &Scope::everything(), id).await?;
    open_again(write, &mut complaint, "CUSTOMER_DISSATISFIED").await
}

/// The customer is not satisfied again: the complaint, or the new one about what was done in vain, goes to the manager.
pub async fn dissatisfied_again(write: &mut Write, id: Uuid) -> Result<(), Fault> {
    let mut complaint = store::lock(write, &Scope::everything(), id).await?;
    lift(write, &mut complaint, "CUSTOMER_DISSATISFIED").await
}

/// Files the complaint of a dissatisfied customer about whom another happening than a complaint was asked (C-04).
pub async fn file_rework(write: &mut Write, vault: &Vault, new: super::ops::New) -> Result<Uuid, Fault> {
    let row = new.row(write, vault, Uuid::now_v7()).await?;
    Ok(super::ops::take_down(write, row).await?.id)
}
