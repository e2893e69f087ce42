//! The journals: what each service has told, in the order in which it was sealed.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use contracts::hearth::journal::v1::{Event, VerifyJournalRequest, WatchEventsRequest, journal_service_client::JournalServiceClient};
use indicatif::ProgressBar;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use tonic::Request;

use super::moment;
use crate::{
    client::Client,
    export::sheet::{Column, Sheet, figure, text},
    import::told,
};

/// Deadline of a verification, the longest that a service grants.
const VERIFICATION: Duration = Duration::from_secs(60);

pub const COLUMNS: &[Column] = &[
    text("service"),
    figure("position", 0),
    text("time"),
    text("type"),
    text("subject"),
    figure("sequence", 0),
    text("payload"),
    text("event_id"),
    text("traceparent"),
];

pub async fn fill(clients: &[(&'static str, Client)], sheet: &mut Sheet, bar: &ProgressBar) -> Result<()> {
    let contracts = DescriptorPool::decode(contracts::DESCRIPTORS).context("the contracts cannot be read")?;
    for (service, client) in clients {
        bar.set_message(format!("journal of {service}"));
        let mut client = JournalServiceClient::new(client.clone());
        let mut request = Request::new(VerifyJournalRequest {});
        request.set_timeout(VERIFICATION);
        let verified = client.verify_journal(request).await;
        let journal = verified.map_err(|status| anyhow!("{service}: {}", told(&status)))?.into_inner();
        if !journal.intact {
            bail!("{service}: the chain of the journal breaks at position {}", journal.broken_position);
        }
        if journal.events == 0 {
            continue;
        }
        let stream = client.watch_events(WatchEventsRequest { after_position: 0 }).await;
        let mut events = stream.map_err(|status| anyhow!("{service}: {}", told(&status)))?.into_inner();
        // What is told later belongs to the next export: the stream itself never ends.
        loop {
            let next = events.message().await.map_err(|status| anyhow!("{service}: {}", told(&status)))?;
            let Some(event) = next.with_context(|| format!("{service} ended the stream of its journal"))?.event else {
                continue;
            };
            let position = event.position;
            sheet.row(&row(event, &contracts)?)?;
            bar.inc(1);
            if position >= journal.events {
                break;
            }
        }
    }
    Ok(())
}

fn row(event: Event, contracts: &DescriptorPool) -> Result<Vec<String>> {
    Ok(vec![
        event.source,
        event.position.to_string(),
        moment(event.time.as_ref()),
        event.r#type.clone(),
        event.subject,
        event.sequence.to_string(),
        payload(contracts, &event.r#type, &event.data)?,
        event.id,
        event.traceparent,
    ])
}

/// What an event says, as JSON with the names of the contract; nothing for a type of a later version.
fn payload(contracts: &DescriptorPool, name: &str, data: &[u8]) -> Result<String> {
    let Some(descriptor) = contracts.get_message_by_name(name) else {
        return Ok(String::new());
    };
    let message = DynamicMessage::decode(descriptor, data).with_context(|| format!("an event {name} cannot be read"))?;
    let mut json = vec![];
    let options = SerializeOptions::new().use_proto_field_name(true);
    message.serialize_with_options(&mut serde_json::Serializer::new(&mut json), &options)?;
    Ok(String::from_utf8(json)?)
}
