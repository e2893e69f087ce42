//! What hall tells about orders that it gives to vendors.

use contracts::hearth::{
    hall::v1::{ComplaintFindingReversed, ComplaintUpheld, WorkOrderCompleted, WorkOrderOffered, WorkOrderWithdrawn},
    journal::v1::Event,
};
use database::{Consumer, Scope, Write};
use ids::{OfferId, OrderId, VendorId};
use prost::{Message, Name};
use rpc::{Fault, wire};

use super::{
    model::{Action, Offer, Outcome, State},
    ops::decide,
    store,
};
use crate::{assessment, person::CertificateKind, vendor};

/// Takes hall's events; the effect and the move of the cursor are one transaction.
pub struct HallEvents;

#[tonic::async_trait]
impl Consumer for HallEvents {
    async fn take(&self, write: &mut Write, event: &Event) -> Result<(), Fault> {
        let data = event.data.as_slice();
        match event.r#type.as_str() {
            kind if kind == WorkOrderOffered::full_name() => offered(write, &event.id, WorkOrderOffered::decode(data).map_err(Fault::internal)?).await,
            kind if kind == WorkOrderWithdrawn::full_name() => {
                let told = WorkOrderWithdrawn::decode(data).map_err(Fault::internal)?;
                act(write, &told.order_id, &told.vendor_id, Action::Withdraw).await
            }
            kind if kind == WorkOrderCompleted::full_name() => {
                let told = WorkOrderCompleted::decode(data).map_err(Fault::internal)?;
                act(write, &told.order_id, &told.vendor_id, Action::Complete).await?;
                completed(write, &told).await
            }
            kind if kind == ComplaintUpheld::full_name() => {
                let at = match event.time {
                    Some(time) => wire::time_of(Some(&time), "time")?,
                    None => write.now(),
                };
                assessment::complaint_upheld(write, ComplaintUpheld::decode(data).map_err(Fault::internal)?, at).await
            }
            kind if kind == ComplaintFindingReversed::full_name() => {
                assessment::finding_reversed(write, ComplaintFindingReversed::decode(data).map_err(Fault::internal)?).await
            }
            _ => Ok(()),
        }
    }
}

/// A new offer. One to the same vendor that still waits for an answer is replaced: hall offers anew when it has changed its mind.
async fn offered(write: &mut Write, event: &str, told: WorkOrderOffered) -> Result<(), Fault> {
    let event = event.parse().map_err(Fault::internal)?;
    if store::knows_event(write, event).await? {
        return Ok(());
    }
    let order: OrderId = wire::id_of("order_id", &told.order_id)?;
    let vendor: VendorId = wire::id_of("vendor_id", &told.vendor_id)?;
    let vendor = vendor::store::load(write, &Scope::everything(), vendor).await?;
    for mut before in store::lock_order(write, order).await? {
        if before.vendor == vendor.id && before.state == State::Offered {
            before.act(Action::Withdraw, write.now())?;
            store::save(write, &mut before).await?;
        }
    }
    let offer = Offer {
        id: OfferId::new(),
        event,
        order,
        order_no: told.order_no,
        kind: told.kind,
        vendor: vendor.id,
        branch: told.branch,
        certificate: CertificateKind::of_number(told.certificate_kind),
        planned: wire::date_of(told.planned_date.as_ref(), "planned_date")?,
        respond_by: wire::time_of(told.respond_by.as_ref(), "respond_by")?,
        state: State::Offered,
        person: None,
        round: 1,
        decline_reason: String::new(),
        version: 1,
        created: write.now(),
    };
    store::insert(write, &offer).await?;
    write.subject(offer.id);
    Ok(())
}

/// Keeps how an order went that the vendor had: which promised times were not kept counts in the assessment.
async fn completed(write: &Write, told: &WorkOrderCompleted) -> Result<(), Fault> {
    let day = wire::date_if(told.completed_date.as_ref(), "completed_date")?.unwrap_or(write.now().date());
    let broken = i32::try_from(told.broken_clocks.len()).map_err(Fault::internal)?;
    let (order, vendor) = (wire::id_of("order_id", &told.order_id)?, wire::id_of("vendor_id", &told.vendor_id)?);
    store::keep_promises(write, order, vendor, broken, day).await
}

/// What hall decided about its order. An offer that has come to its end by itself stays as it is.
async fn act(write: &mut Write, order: &str, vendor: &str, action: Action) -> Result<(), Fault> {
    let vendor: VendorId = wire::id_of("vendor_id", vendor)?;
    let order: OrderId = wire::id_of("order_id", order)?;
    for mut offer in store::lock_order(write, order).await? {
        if offer.vendor != vendor || offer.act(action, write.now()).is_err() {
            continue;
        }
        if action == Action::Withdraw {
            decide(write, &offer, Outcome::Dropped, "service:hall", String::new()).await?;
        }
        store::save(write, &mut offer).await?;
        write.subject(offer.id);
    }
    Ok(())
}
