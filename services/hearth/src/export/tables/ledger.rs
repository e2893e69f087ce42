//! The ledger: one row for each side of a transaction.

use anyhow::Result;
use contracts::hearth::billing::v1::{ListTransactionsRequest, ledger_service_client::LedgerServiceClient};
use indicatif::ProgressBar;

use super::{day, moment, yuan};
use crate::{
    client::Client,
    export::{
        filter::Filter,
        page::list,
        sheet::{Column, Sheet, figure, text},
    },
};

pub const COLUMNS: &[Column] = &[
    text("date"),
    text("kind"),
    text("book"),
    text("detail"),
    figure("amount", 2),
    text("branch"),
    text("post_time"),
    text("account_id"),
    text("reference"),
    text("transaction_id"),
];

pub async fn fill(client: Client, filter: &Filter, sheet: &mut Sheet, bar: &ProgressBar) -> Result<()> {
    bar.set_message("ledger");
    let request = ListTransactionsRequest {
        branch: filter.branch(),
        account_id: filter.account_id(&client).await?,
        from_date: filter.first_date(),
        until_date: filter.until_date(),
        ..ListTransactionsRequest::default()
    };
    list!(LedgerServiceClient::new(client), list_transactions, request, transactions, |transaction| {
        for entry in transaction.entries {
            bar.inc(1);
            sheet.row(&[
                day(transaction.date.as_ref()),
                transaction.kind.clone(),
                entry.book,
                entry.detail,
                yuan(entry.amount.as_ref()),
                transaction.branch.clone(),
                moment(transaction.post_time.as_ref()),
                entry.account_id,
                transaction.reference.clone(),
                transaction.transaction_id.clone(),
            ])?;
        }
        Ok(())
    })
}
