//! The writes of offers, one transaction each.

use contracts::hearth::vendor::v1::{
    self as proto, AcceptOfferRequest, AcceptOfferResponse, ApproveWorkRequest, ApproveWorkResponse, DeclineOfferRequest, DeclineOfferResponse,
    RefuseWorkRequest, RefuseWorkResponse, ReportWorkRequest, ReportWorkResponse, WorkApproved, WorkOrderAccepted, WorkOrderDeclined, WorkRefused,
    WorkReported,
};
use database::{Begun, Scope, Write};
use rpc::{Call, Fault, wire};

use super::{
    model::{Action, Offer, Outcome, Report},
    store,
    wire::offer as view,
};
use crate::{Desk, person, refusal::Refusal, vendor};

/// Accepts an offer; of all who try on one order exactly one succeeds.
pub async fn accept(desk: Desk, call: Call, request: AcceptOfferRequest) -> Result<AcceptOfferResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = vendor::store::scope(&call);
    let vendor = vendor::store::lock(&write, &scope, wire::id_of("vendor_id", &request.vendor_id)?).await?;
    let (mut offer, mut others) = locked(&write, &call, &request.vendor_id, &request.offer_id).await?;
    if others.iter().any(|other| other.state.is_taken()) {
        return Err(Refusal::OfferTaken.into());
    }
    offer.act(Action::Accept, write.now())?;
    if !request.etag.is_empty() {
        rpc::check_etag(&request.etag, offer.id, offer.version)?;
    }
    let person = person::store::load_of(&write, &scope, vendor.id, wire::id_of("person_id", &request.person_id)?).await?;
    person.may_work(vendor.state, offer.certificate, offer.planned)?;
    offer.person = Some(person.id);
    // The others first: at no moment has an order two takers.
    for other in &mut others {
        if other.act(Action::Lose, write.now()).is_ok() {
            store::save(&write, other).await?;
        }
    }
    store::save(&write, &mut offer).await?;
    write.subject(offer.id);
    let event = WorkOrderAccepted {
        order_id: offer.order.to_string(),
        offer_id: offer.id.to_string(),
        vendor_id: offer.vendor.to_string(),
        person_id: person.id.to_string(),
    };
    write.event(offer.order, &event);
    let offer = seen(&write, &offer).await?;
    write.commit(AcceptOfferResponse { offer }).await
}

/// Declines an offer.
pub async fn decline(desk: Desk, call: Call, request: DeclineOfferRequest) -> Result<DeclineOfferResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut offer, _) = locked(&write, &call, &request.vendor_id, &request.offer_id).await?;
    rpc::check_etag(&request.etag, offer.id, offer.version)?;
    offer.act(Action::Decline, write.now())?;
    offer.decline_reason = request.reason;
    store::save(&write, &mut offer).await?;
    write.subject(offer.id);
    let event = WorkOrderDeclined {
        order_id: offer.order.to_string(),
        offer_id: offer.id.to_string(),
        vendor_id: offer.vendor.to_string(),
    };
    write.event(offer.order, &event);
    let offer = seen(&write, &offer).await?;
    write.commit(DeclineOfferResponse { offer }).await
}

/// Reports that the work is done and opens its acceptance.
pub async fn report(desk: Desk, call: Call, request: ReportWorkRequest) -> Result<ReportWorkResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let done = person::happened(wire::date_of(request.done_date.as_ref(), "done_date")?, write.now().date())?;
    let (mut offer, _) = locked(&write, &call, &request.vendor_id, &request.offer_id).await?;
    rpc::check_etag(&request.etag, offer.id, offer.version)?;
    offer.act(Action::Report, write.now())?;
    let report = Report {
        offer: offer.id,
        round: offer.round,
        summary: request.summary,
        done,
        reported: write.now(),
        reported_by: call.subject().to_owned(),
        outcome: Outcome::Pending,
        findings: String::new(),
        decided: None,
    };
    store::insert_report(&write, &report).await?;
    store::save(&write, &mut offer).await?;
    write.subject(offer.id);
    let event = WorkReported {
        order_id: offer.order.to_string(),
        offer_id: offer.id.to_string(),
        vendor_id: offer.vendor.to_string(),
        person_id: offer.person.map(|id| id.to_string()).unwrap_or_default(),
        round: offer.round,
        done_date: Some(wire::date(done)),
    };
    write.event(offer.order, &event);
    let offer = seen(&write, &offer).await?;
    write.commit(ReportWorkResponse { offer }).await
}

/// Approves the reported work.
pub async fn approve(desk: Desk, call: Call, request: ApproveWorkRequest) -> Result<ApproveWorkResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut offer, _) = locked(&write, &call, &request.vendor_id, &request.offer_id).await?;
    rpc::check_etag(&request.etag, offer.id, offer.version)?;
    offer.act(Action::Approve, write.now())?;
    decide(&write, &offer, Outcome::Approved, call.subject(), request.findings).await?;
    store::save(&write, &mut offer).await?;
    write.subject(offer.id);
    let event = WorkApproved {
        order_id: offer.order.to_string(),
        offer_id: offer.id.to_string(),
        vendor_id: offer.vendor.to_string(),
        round: offer.round,
    };
    write.event(offer.order, &event);
    let offer = seen(&write, &offer).await?;
    write.commit(ApproveWorkResponse { offer }).await
}

/// Refuses the reported work: the next round begins.
pub async fn refuse(desk: Desk, call: Call, request: RefuseWorkRequest) -> Result<RefuseWorkResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut offer, _) = locked(&write, &call, &request.vendor_id, &request.offer_id).await?;
    rpc::check_etag(&request.etag, offer.id, offer.version)?;
    offer.act(Action::Refuse, write.now())?;
    decide(&write, &offer, Outcome::Refused, call.subject(), request.findings).await?;
    offer.round = offer.round.saturating_add(1);
    store::save(&write, &mut offer).await?;
    write.subject(offer.id);
    let event = WorkRefused {
        order_id: offer.order.to_string(),
        offer_id: offer.id.to_string(),
        vendor_id: offer.vendor.to_string(),
        round: offer.round,
    };
    write.event(offer.order, &event);
    let offer = seen(&write, &offer).await?;
    write.commit(RefuseWorkResponse { offer }).await
}

/// The offer of a request and the other offers of its order, locked. The first look holds the offer against the caller's scope and
/// finds the order only; what counts is read under the locks.
async fn locked(write: &Write, call: &Call, vendor: &str, id: &str) -> Result<(Offer, Vec<Offer>), Fault> {
    let (vendor, id) = (wire::id_of("vendor_id", vendor)?, wire::id_of("offer_id", id)?);
    let order = store::load_of(write, &Scope::of(call), vendor, id).await?.order;
    let (mut own, others): (Vec<_>, Vec<_>) = store::lock_order(write, order).await?.into_iter().partition(|offer| offer.id == id);
    let offer = own.pop().ok_or_else(|| Fault::not_found("offer", id))?;
    Ok((offer, others))
}

/// Records what became of the report of the present round.
pub(super) async fn decide(write: &Write, offer: &Offer, outcome: Outcome, by: &str, findings: String) -> Result<(), Fault> {
    let reports = store::reports(write, &[offer.id]).await?;
    let present = reports.into_iter().find(|report| report.round == offer.round);
    let Some(mut report) = present else { return Ok(()) };
    if report.decide(outcome, findings, by, write.now()) {
        store::save_report(write, &report).await?;
    }
    Ok(())
}

async fn seen(write: &Write, offer: &Offer) -> Result<Option<proto::Offer>, Fault> {
    Ok(Some(view(offer, &store::reports(write, &[offer.id]).await?, write.now())))
}
