//! The journals: who called which method, on whose behalf, why and about what, in the order in which it was sealed.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use contracts::hearth::journal::v1::{ListRecordsRequest, Record, VerifyJournalRequest, journal_service_client::JournalServiceClient};
use indicatif::ProgressBar;
use tonic::Request;

use super::moment;
use crate::{
    client::Client,
    export::{
        filter::Filter,
        page::list,
        sheet::{Column, Sheet, figure, text},
    },
    import::told,
};

/// Deadline of a verification, the longest that a service grants.
const VERIFICATION: Duration = Duration::from_secs(60);

pub const COLUMNS: &[Column] = &[
    text("service"),
    figure("position", 0),
    text("time"),
    text("actor"),
    text("on_behalf_by"),
    text("method"),
    text("purpose"),
    text("subjects"),
    text("request_id"),
    text("digest"),
    text("hash"),
    text("traceparent"),
    text("record_id"),
];

pub async fn fill(clients: &[(&'static str, Client)], filter: &Filter, sheet: &mut Sheet, bar: &ProgressBar) -> Result<()> {
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
        let request = ListRecordsRequest {
            from_time: filter.first_time(),
            until_time: filter.until_time(),
            ..ListRecordsRequest::default()
        };
        list!(client, list_records, request, records, |record: Record| {
            // What was written since belongs to the next export.
            if record.position > journal.sealed_rows {
                return Ok(());
            }
            bar.inc(1);
            sheet.row(&row(service, record))
        })?;
    }
    Ok(())
}

fn row(service: &str, record: Record) -> Vec<String> {
    vec![
        service.to_owned(),
        record.position.to_string(),
        moment(record.time.as_ref()),
        record.actor,
        record.service,
        record.method,
        record.purpose,
        record.subjects.join(" "),
        record.request_id,
        record.digest,
        record.hash,
        record.traceparent,
        record.record_id,
    ]
}
