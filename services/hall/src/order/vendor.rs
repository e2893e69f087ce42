//! What vendors do with orders, as their service tells it, and the certificate of the person whom a vendor sends.

use calendar::TimeDelta;
use contracts::hearth::{
    hall::v1::WorkOrderCompleted,
    vendor::v1::{WorkApproved, WorkOrderAccepted, WorkOrderDeclined, WorkRefused, WorkReported},
};
use database::{Consumer, Event, Scope, Write};
use prost::{Message, Name};
use rpc::{Call, Fault, wire};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    model::{Action, State, certificate},
    ops::{self, Return},
    store::{self, Order},
};
use crate::{
    Desk,
    codes::Code,
    deadline::{self, model::Clock},
    staff::{certified, model::NotCertified},
    step as steps,
};

/// How long after the time to answer an order may still wait: an answer in time may be on its way.
const GRACE: TimeDelta = TimeDelta::hours(1);
const BATCH: u64 = 100;

/// Takes the events of the vendor service.
pub struct VendorEvents;

#[tonic::async_trait]
impl Consumer for VendorEvents {
    async fn take(&self, write: &mut Write, event: &Event) -> Result<(), Fault> {
        let kind = event.r#type.as_str();
        if kind == WorkOrderAccepted::full_name() {
            accepted(write, decode(event)?).await
        } else if kind == WorkOrderDeclined::full_name() {
            declined(write, decode(event)?).await
        } else if kind == WorkReported::full_name() {
            reported(write, decode(event)?).await
        } else if kind == WorkApproved::full_name() {
            approved(write, decode(event)?).await
        } else if kind == WorkRefused::full_name() {
            refused(write, decode(event)?).await
        } else {
            Ok(())
        }
    }
}

fn decode<M: Message + Default>(event: &Event) -> Result<M, Fault> {
    M::decode(event.data.as_slice()).map_err(Fault::internal)
}

/// The order that a vendor speaks of, if the vendor still has it and the step is one that its state allows. An order that was taken
/// back in the meantime is passed over: the vendor is told so by its own event.
async fn order(write: &Write, order: &str, vendor: &str, action: Action) -> Result<Option<Order>, Fault> {
    let (Ok(id), Ok(vendor)) = (Uuid::try_parse(order), Uuid::try_parse(vendor)) else {
        return Err(Fault::internal("an event without ids"));
    };
    let order = match store::lock(write, &Scope::everything(), id).await {
        Ok(order) => order,
        Err(fault) if fault.code() == rpc::Code::NotFound => return Ok(None),
        Err(fault) => return Err(fault),
    };
    if order.vendor_id != Some(vendor) {
        return Ok(None);
    }
    if order.state == State::Checking && action != Action::VendorAccept {
        return Err(Fault::unavailable(
            "STEP_UNDER_WAY",
            "the certificate of the vendor's person is being asked for",
        ));
    }
    Ok(ops::check_step(&order, action).is_ok().then_some(order))
}

/// Input of the step that asks for a certificate.
#[derive(Serialize, Deserialize)]
struct Asked {
    vendor: Uuid,
    person: Uuid,
}

async fn accepted(write: &mut Write, event: WorkOrderAccepted) -> Result<(), Fault> {
    let Some(mut order) = order(write, &event.order_id, &event.vendor_id, Action::VendorAccept).await? else {
        return Ok(());
    };
    let (Some(vendor), Ok(person)) = (order.vendor_id, Uuid::try_parse(&event.person_id)) else {
        return Err(Fault::internal("an event without a person"));
    };
    order.vendor_person_id = Some(person);
    order.respond_by = None;
    ops::take(write, &mut order, Action::VendorAccept, &event.person_id).await?;
    steps::store::add(write, steps::model::Kind::CheckVendorPerson, order.id, &order.branch, &Asked { vendor, person }).await
}

async fn declined(write: &mut Write, event: WorkOrderDeclined) -> Result<(), Fault> {
    let Some(mut order) = order(write, &event.order_id, &event.vendor_id, Action::VendorDecline).await? else {
        return Ok(());
    };
    (order.vendor_id, order.respond_by) = (None, None);
    order.returned_reason = "DECLINED".to_owned();
    ops::take(write, &mut order, Action::VendorDecline, &event.vendor_id).await
}

async fn reported(write: &mut Write, event: WorkReported) -> Result<(), Fault> {
    let Some(mut order) = order(write, &event.order_id, &event.vendor_id, Action::VendorReport).await? else {
        return Ok(());
    };
    order.reported_by = format!("vendor:{}", event.vendor_id);
    ops::take(write, &mut order, Action::VendorReport, &event.person_id).await
}

async fn approved(write: &mut Write, event: WorkApproved) -> Result<(), Fault> {
    let Some(mut order) = order(write, &event.order_id, &event.vendor_id, Action::VendorApprove).await? else {
        return Ok(());
    };
    ops::take(write, &mut order, Action::VendorApprove, "").await?;
    ops::done(write, &order).await?;
    let broken = deadline::store::broken(write, order.id).await?;
    let completed = WorkOrderCompleted {
        order_id: event.order_id,
        vendor_id: event.vendor_id,
        rounds: order.round,
        broken_clocks: broken.into_iter().map(Code::number).collect(),
        completed_date: Some(wire::date(write.now().date())),
    };
    write.event(order.id, &completed);
    Ok(())
}

async fn refused(write: &mut Write, event: WorkRefused) -> Result<(), Fault> {
    let Some(mut order) = order(write, &event.order_id, &event.vendor_id, Action::VendorRefuse).await? else {
        return Ok(());
    };
    order.round = event.round;
    ops::take(write, &mut order, Action::VendorRefuse, "").await
}

/// Asks the vendor service whether the person who accepted an order is certified, and gives the order to the person or takes it
/// back. The step stays pending while the service does not answer.
pub async fn check_person(desk: &Desk, call: &Call, step: &steps::store::Step) -> Result<(), Fault> {
    let Asked { vendor, person } = step.input()?;
    let order = store::get(desk.db.reader(), &Scope::everything(), step.story_id).await?;
    let day = order.planned_on.max(desk.clock.now().date());
    let certified = match certificate(order.kind) {
        Some(kind) => {
            let (certified, of) = certified::ask_person(desk, call, person, kind, day).await?;
            certified && of == Some(vendor)
        }
        None => true,
    };

    let mut write = desk.db.open(call).await?;
    let Some(step) = steps::store::lock_pending(&write, step.id).await? else {
        return Ok(());
    };
    let mut order = store::lock(&write, &Scope::everything(), step.story_id).await?;
    if order.state == State::Checking && certified {
        ops::take(&mut write, &mut order, Action::Certify, "").await?;
        deadline::store::meet(&write, order.id, &[Clock::Acceptance]).await?;
    }
    // Done before the order moves on: a return drops what is open.
    steps::store::done(&write, step).await?;
    if order.state == State::Checking {
        let why = Return {
            action: Action::Return,
            code: NotCertified::VendorSaysNo.code(),
            note: "",
            staff: None,
        };
        ops::return_to_pool(&mut write, &mut order, why).await?;
    }
    write.close().await
}

/// Takes orders back from vendors who did not answer in time; says how many.
pub async fn sweep(desk: &Desk) -> Result<usize, Fault> {
    let Some(before) = desk.clock.now().minus(GRACE) else { return Ok(0) };
    let lapsed = store::lapsed(desk.db.reader(), before, BATCH).await?;
    for row in &lapsed {
        let mut write = desk.db.open(&Call::background("hall", "sweep-offers")).await?;
        let mut order = store::lock(&write, &Scope::everything(), row.id).await?;
        if order.state == State::Offered && order.respond_by.is_some_and(|by| by < before.micros()) {
            ops::return_to_pool(
                &mut write,
                &mut order,
                Return {
                    action: Action::Lapse,
                    code: "NO_ANSWER",
                    note: "",
                    staff: None,
                },
            )
            .await?;
            write.close().await?;
        }
    }
    Ok(lapsed.len())
}
