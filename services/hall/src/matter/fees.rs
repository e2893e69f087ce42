//! Fees as billing publishes them, kept here so that they are told while billing is away.

use contracts::hearth::billing::v1::{AbnormalUsageDetected, FeeItemPublished, FeeItemWithdrawn, HeatSeasonOpened};
use database::{Consumer, Event, Write};
use prost::{Message, Name};
use rpc::{Fault, wire};
use uuid::Uuid;

use super::store::{self, Fee};
use crate::{Desk, deadline, order, rows::Packed};

/// Takes the events of the billing service.
pub struct BillingEvents(pub Desk);

#[tonic::async_trait]
impl Consumer for BillingEvents {
    async fn take(&self, write: &mut Write, event: &Event) -> Result<(), Fault> {
        let kind = event.r#type.as_str();
        if kind == FeeItemPublished::full_name() {
            published(write, FeeItemPublished::decode(event.data.as_slice()).map_err(Fault::internal)?).await
        } else if kind == FeeItemWithdrawn::full_name() {
            withdrawn(write, FeeItemWithdrawn::decode(event.data.as_slice()).map_err(Fault::internal)?).await
        } else if kind == HeatSeasonOpened::full_name() {
            deadline::season::opened(write, HeatSeasonOpened::decode(event.data.as_slice()).map_err(Fault::internal)?).await
        } else if kind == AbnormalUsageDetected::full_name() {
            let told = AbnormalUsageDetected::decode(event.data.as_slice()).map_err(Fault::internal)?;
            let found_at = event.time.as_ref().map(|time| wire::time_of(Some(time), "time")).transpose()?;
            let found_at = found_at.unwrap_or(write.now());
            order::visit::detected(write, &self.0.vault, told, found_at).await
        } else {
            Ok(())
        }
    }
}

async fn published(write: &mut Write, event: FeeItemPublished) -> Result<(), Fault> {
    let fee = Fee {
        id: Uuid::try_parse(&event.fee_item_id).map_err(Fault::internal)?,
        code: event.code,
        number: event.version,
        name: event.name,
        unit: event.unit,
        price: event.price.map(|price| price.value).ok_or_else(|| Fault::internal("a fee without a price"))?,
        legal_basis: event.legal_basis,
        approving_body: event.approving_body,
        from_on: wire::date_of(event.from_date.as_ref(), "from_date")?,
        until_on: wire::date_if(event.until_date.as_ref(), "until_date")?,
        customer_classes: Packed(event.customer_classes),
    };
    write.subject(fee.id);
    fee.insert(write).await
}

async fn withdrawn(write: &mut Write, event: FeeItemWithdrawn) -> Result<(), Fault> {
    let id = Uuid::try_parse(&event.fee_item_id).map_err(Fault::internal)?;
    write.subject(id);
    store::end_fee(write, id, wire::date_of(event.until_date.as_ref(), "until_date")?).await
}
