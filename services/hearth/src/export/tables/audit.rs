//! The journals: who called which method, on whose behalf, why and about what, in the order in which it was sealed.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use contracts::hearth::{
    journal::v1::{ListRecordsRequest, Record, VerifyJournalRequest, journal_service_client::JournalServiceClient},
    options::v1::access::Audit,
};
use indicatif::ProgressBar;
use rpc::AccessTable;
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
    text("audit"),
    text("purpose"),
    text("subjects"),
    text("request_id"),
    text("digest"),
    text("hash"),
    text("traceparent"),
    text("record_id"),
];

pub async fn fill(clients: &[(&'static str, Client)], filter: &Filter, sheet: &mut Sheet, bar: &ProgressBar) -> Result<()> {
    let table = AccessTable::read().map_err(|e| anyhow!("the contracts cannot be read: {e}"))?;
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
            sheet.row(&row(service, &table, record))
        })?;
    }
    Ok(())
}

/// What an auditor looks for in a method beyond its row; nothing in work that no call asked for.
fn class(table: &AccessTable, method: &str) -> &'static str {
    match table.get(method).map(|method| method.access.audit()) {
        Some(Audit::Money) => "money",
        Some(Audit::Personal) => "personal data",
        Some(Audit::Authority) => "authority",
        Some(Audit::Unspecified) | None => "",
    }
}

fn row(service: &str, table: &AccessTable, record: Record) -> Vec<String> {
    let audit = class(table, &record.method).to_owned();
    vec![
        service.to_owned(),
        record.position.to_string(),
        moment(record.time.as_ref()),
        record.actor,
        record.service,
        record.method,
        audit,
        record.purpose,
        record.subjects.join(" "),
        record.request_id,
        record.digest,
        record.hash,
        record.traceparent,
        record.record_id,
    ]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_method_bears_the_audit_class_of_its_contract() {
        let table = AccessTable::read().unwrap();
        let class = |method| class(&table, method);
        assert_eq!(class("hearth.billing.v1.PaymentService/TakePayment"), "money");
        assert_eq!(class("hearth.archive.v1.PartyService/RevealParty"), "personal data");
        assert_eq!(class("hearth.hall.v1.StaffService/ConfirmCertificate"), "authority");
        assert_eq!([class("hearth.billing.v1.BillService/ListBills"), class("billing/bill-run")], ["", ""]);
    }
}
