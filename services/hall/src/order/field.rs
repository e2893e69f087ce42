//! What a crew does with an order: accepts it, arrives, works, reports.

use calendar::NaiveDate;
use contracts::hearth::{hall::v1::*, options::v1::Role};
use database::{Begun, Scope, Write};
use rpc::{Call, Fault};
use uuid::Uuid;

use super::{
    model::{Action, Evidence, certificate, missing},
    ops::{Return, check_step, load, moved_here, return_to_pool, take},
    store::{self, Order, SUMMARY},
};
use crate::{
    Desk,
    deadline::{self, model::Clock},
    fields,
    refusal::Refusal,
    rows::Packed,
    staff::{self, certified, certified::Word},
};

pub async fn accept(desk: Desk, call: Call, request: AcceptOrderRequest) -> Result<AcceptOrderResponse, Fault> {
    let id = fields::id("order_id", &request.order_id)?;
    let word = ask_crew(&desk, &call, id, true).await;
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut order = load(&write, &call, id, &request.etag).await?;
    check_step(&order, Action::Accept)?;
    is_crew(&write, &order, &call, true).await?;
    let day = order.planned_on.max(write.now().date());
    let readiness = match still_certified(&mut write, &mut order, word, day).await? {
        true => {
            take(&mut write, &mut order, Action::Accept, "").await?;
            deadline::store::meet(&write, order.id, &[Clock::Acceptance]).await?;
            Readiness::Ready
        }
        false => Readiness::ReturnedToPool,
    };
    let order = order.proto(&write, &desk.vault).await?;
    write
        .commit(AcceptOrderResponse {
            order,
            readiness: readiness.into(),
        })
        .await
}

pub async fn arrive(desk: Desk, call: Call, request: ArriveOnSiteRequest) -> Result<ArriveOnSiteResponse, Fault> {
    let id = fields::id("order_id", &request.order_id)?;
    let word = ask_crew(&desk, &call, id, false).await;
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut order = load(&write, &call, id, &request.etag).await?;
    moved_here(&order)?;
    check_step(&order, Action::Arrive)?;
    is_crew(&write, &order, &call, true).await?;
    let ready = arrive_certified(&mut write, &mut order, word).await?;
    let readiness = if ready { Readiness::Ready } else { Readiness::ReturnedToPool };
    let order = order.proto(&write, &desk.vault).await?;
    write
        .commit(ArriveOnSiteResponse {
            order,
            readiness: readiness.into(),
        })
        .await
}

/// What the vendor service says about those who have an order now: its crew, or the person of the vendor that accepted it.
pub async fn ask_crew(desk: &Desk, call: &Call, order: Uuid, planned: bool) -> Result<Word, Fault> {
    let Ok(order) = store::get(desk.db.reader(), &Scope::of(call), order).await else {
        return Ok(Word::new());
    };
    let today = desk.clock.now().date();
    let day = if planned { order.planned_on.max(today) } else { today };
    let Some(kind) = certificate(order.kind) else { return Ok(Word::new()) };
    match order.vendor_person_id {
        Some(person) => {
            let (certified, vendor) = certified::ask_person(desk, call, person, kind, day).await?;
            Ok(Word::from([(person, certified && vendor == order.vendor_id)]))
        }
        None => certified::ask(desk, call, &order.crew.0, kind, day).await,
    }
}

/// The crew arrives, if its certificates count today; says whether it did, or the order went back to the pool.
pub async fn arrive_certified(write: &mut Write, order: &mut Order, word: Result<Word, Fault>) -> Result<bool, Fault> {
    let today = write.now().date();
    if !still_certified(write, order, word, today).await? {
        return Ok(false);
    }
    take(write, order, Action::Arrive, "").await?;
    deadline::store::meet(write, order.id, &[Clock::OnSite]).await?;
    if let Some(case) = order.case_id {
        deadline::store::meet(write, case, &[Clock::OnSite]).await?;
    }
    Ok(true)
}

/// Asks the certificates again; an order whose crew does not count any more goes back to the pool.
async fn still_certified(write: &mut Write, order: &mut Order, word: Result<Word, Fault>, day: NaiveDate) -> Result<bool, Fault> {
    let Some(kind) = certificate(order.kind) else { return Ok(true) };
    let word = word?;
    let refused = match order.vendor_person_id {
        Some(person) => match word.get(&person) {
            Some(true) => None,
            Some(false) => Some((None, staff::model::NotCertified::VendorSaysNo)),
            None => return Err(Fault::aborted("CONTENTION", "the crew has changed; try again")),
        },
        None => {
            let members = staff::store::crew(write, &Scope::everything(), &order.crew.0).await?;
            certified::first_without(write, &members, &word, kind, day)
                .await?
                .map(|(member, why)| (Some(member), why))
        }
    };
    match refused {
        None => Ok(true),
        Some((staff, why)) => {
            return_to_pool(
                write,
                order,
                Return {
                    action: Action::Return,
                    code: why.code(),
                    note: "",
                    staff,
                },
            )
            .await?;
            Ok(false)
        }
    }
}

pub async fn make_safe(desk: Desk, call: Call, request: MakeSafeRequest) -> Result<MakeSafeResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut order = load(&write, &call, fields::id("order_id", &request.order_id)?, &request.etag).await?;
    check_step(&order, Action::MakeSafe)?;
    is_crew(&write, &order, &call, true).await?;
    take(&mut write, &mut order, Action::MakeSafe, "").await?;
    let order = order.proto(&write, &desk.vault).await?;
    write.commit(MakeSafeResponse { order }).await
}

pub async fn report(desk: Desk, call: Call, request: ReportOrderRequest) -> Result<ReportOrderResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut order = load(&write, &call, fields::id("order_id", &request.order_id)?, &request.etag).await?;
    check_step(&order, Action::Report)?;
    is_crew(&write, &order, &call, false).await?;
    let mut report = store::report_of(&request.report.unwrap_or_default())?;
    evidence(&missing(order.kind, &report.given()))?;
    let clear = [(SUMMARY, report.summary.as_str())];
    [report.summary] = desk.vault.seal_texts(&*write, order.id, clear).await.map_err(Fault::internal)?;
    order.report = Some(Packed(report));
    order.reported_by = call.subject().to_owned();
    take(&mut write, &mut order, Action::Report, "").await?;
    let order = order.proto(&write, &desk.vault).await?;
    write.commit(ReportOrderResponse { order }).await
}

pub async fn report_no_access(desk: Desk, call: Call, request: ReportNoAccessRequest) -> Result<ReportNoAccessResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut order = load(&write, &call, fields::id("order_id", &request.order_id)?, &request.etag).await?;
    check_step(&order, Action::NoAccess)?;
    is_crew(&write, &order, &call, false).await?;
    if request.photo_file_ids.is_empty() {
        return Err(Fault::from(Refusal::EvidenceMissing).field("photo_file_ids"));
    }
    order.no_access = order.no_access.saturating_add(1);
    order.crew.0.clear();
    take(&mut write, &mut order, Action::NoAccess, &request.photo_file_ids.join(" ")).await?;
    let order = order.proto(&write, &desk.vault).await?;
    write.commit(ReportNoAccessResponse { order }).await
}

/// Refuses a caller who is not of the crew; where `by_phone`, a dispatcher may act for it.
pub async fn is_crew(write: &Write, order: &Order, call: &Call, by_phone: bool) -> Result<(), Fault> {
    if by_phone && call.has(Role::Dispatcher) {
        return Ok(());
    }
    let members = staff::store::crew(write, &Scope::everything(), &order.crew.0).await?;
    if members.iter().any(|member| member.login == call.subject()) {
        Ok(())
    } else {
        Err(Refusal::NotTheCrew.into())
    }
}

fn evidence(missing: &[Evidence]) -> Result<(), Fault> {
    if missing.is_empty() {
        return Ok(());
    }
    Err(missing
        .iter()
        .fold(Fault::from(Refusal::EvidenceMissing), |fault, piece| fault.field(piece.field())))
}
