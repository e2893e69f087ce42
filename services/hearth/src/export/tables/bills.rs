//! Bills without their lines.

use anyhow::Result;
use contracts::hearth::billing::v1::{Bill, ListBillsRequest, bill_service_client::BillServiceClient};
use indicatif::ProgressBar;

use super::{day, moment, number, word, yuan};
use crate::{
    client::Client,
    export::{
        filter::Filter,
        page::list,
        sheet::{Column, Sheet, figure, text},
    },
};

pub const COLUMNS: &[Column] = &[
    text("bill_no"),
    text("kind"),
    text("state"),
    text("account_no"),
    text("branch"),
    figure("year", 0),
    figure("month", 0),
    text("from_date"),
    text("to_date"),
    figure("from_index", 3),
    figure("to_index", 3),
    figure("volume", 3),
    text("unit"),
    figure("volume_before", 3),
    figure("tier_year", 0),
    text("use_class"),
    figure("amount", 2),
    figure("paid", 2),
    text("issue_date"),
    text("due_date"),
    figure("persons", 0),
    text("low_income"),
    text("de_facto"),
    text("credit_note_no"),
    text("create_time"),
    text("bill_id"),
    text("agreement_id"),
    text("account_id"),
    text("party_id"),
    text("tariff_id"),
    text("run_id"),
    figure("credited", 2),
];

pub async fn fill(client: Client, filter: &Filter, sheet: &mut Sheet, bar: &ProgressBar) -> Result<()> {
    bar.set_message("bills");
    let request = ListBillsRequest {
        branch: filter.branch(),
        account_no: filter.account_no(),
        ..ListBillsRequest::default()
    };
    list!(BillServiceClient::new(client), list_bills, request, bills, |bill: Bill| {
        bar.inc(1);
        if filter.holds(bill.issue_date.as_ref()) {
            sheet.row(&row(bill))
        } else {
            Ok(())
        }
    })
}

fn row(bill: Bill) -> Vec<String> {
    let (kind, state) = (bill.kind(), bill.state());
    vec![
        bill.bill_no,
        word(kind.as_str_name(), "KIND_").to_owned(),
        word(state.as_str_name(), "STATE_").to_owned(),
        bill.account_no,
        bill.branch,
        bill.year.to_string(),
        bill.month.to_string(),
        day(bill.from_date.as_ref()),
        day(bill.to_date.as_ref()),
        number(bill.from_index.as_ref()),
        number(bill.to_index.as_ref()),
        number(bill.volume.as_ref()),
        bill.unit,
        number(bill.volume_before.as_ref()),
        bill.tier_year.to_string(),
        bill.use_class,
        yuan(bill.amount.as_ref()),
        yuan(bill.paid.as_ref()),
        day(bill.issue_date.as_ref()),
        day(bill.due_date.as_ref()),
        bill.persons.to_string(),
        bill.low_income.to_string(),
        bill.de_facto.to_string(),
        bill.credit_note_no,
        moment(bill.create_time.as_ref()),
        bill.bill_id,
        bill.agreement_id,
        bill.account_id,
        bill.party_id,
        bill.tariff_id,
        bill.run_id,
        yuan(bill.credited.as_ref()),
    ]
}
