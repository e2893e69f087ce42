//! Payments.

use anyhow::Result;
use contracts::hearth::billing::v1::{ListPaymentsRequest, Payment, payment_service_client::PaymentServiceClient};
use indicatif::ProgressBar;

use super::{moment, word, yuan};
use crate::{
    client::Client,
    export::{
        filter::Filter,
        page::list,
        sheet::{Column, Sheet, figure, text},
    },
};

pub const COLUMNS: &[Column] = &[
    text("receipt_no"),
    text("state"),
    text("account_no"),
    text("branch"),
    figure("amount", 2),
    figure("prepayment", 2),
    text("service"),
    text("channel"),
    text("channel_reference"),
    text("taken_by"),
    text("take_time"),
    text("payment_id"),
    text("account_id"),
    text("party_id"),
];

pub async fn fill(client: Client, filter: &Filter, sheet: &mut Sheet, bar: &ProgressBar) -> Result<()> {
    bar.set_message("payments");
    let request = ListPaymentsRequest {
        branch: filter.branch(),
        account_id: filter.account_id(&client).await?,
        from_date: filter.first_date(),
        until_date: filter.until_date(),
        ..ListPaymentsRequest::default()
    };
    list!(PaymentServiceClient::new(client), list_payments, request, payments, |payment| {
        bar.inc(1);
        sheet.row(&row(payment))
    })
}

fn row(payment: Payment) -> Vec<String> {
    let state = payment.state();
    vec![
        payment.receipt_no,
        word(state.as_str_name(), "STATE_").to_owned(),
        payment.account_no,
        payment.branch,
        yuan(payment.amount.as_ref()),
        yuan(payment.prepayment.as_ref()),
        payment.service,
        payment.channel,
        payment.channel_reference,
        payment.taken_by,
        moment(payment.take_time.as_ref()),
        payment.payment_id,
        payment.account_id,
        payment.party_id,
    ]
}
