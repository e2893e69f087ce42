//! Customers pay, through several channels, most of them; who pays what follows from the account number and the month alone.

use anyhow::{Result, ensure};
use contracts::hearth::billing::v1::{
    Bill, ImportPaymentsRequest, Payment, PaymentRow, ReversePaymentRequest, TakePaymentRequest, payment, payment_service_client::PaymentServiceClient,
};
use futures::{StreamExt, TryStreamExt, stream};
use money::Money;
use sha2::{Digest, Sha256};

use super::{
    cast::{ACCOUNTANT, CASHIER, Cast, held, key, said},
    stage::Chapter,
};
use crate::{client::Client, import::figures::fen};

/// Calls under way at once.
const AT_ONCE: usize = 24;
/// Channels that hand in a file of what they took; at the counter and by the bank it comes one by one.
const BY_FILE: [&str; 2] = ["WECHAT", "ALIPAY"];
/// Rows of a chunk of such a file.
const CHUNK: usize = 200;
/// Bills of a hundred that are paid.
const PAYERS: u64 = 90;
/// Payers of a hundred who pay ahead, and how much, in fen.
const AHEAD: u64 = 2;
const AHEAD_BY: i64 = 5000;
/// Month whose first payment by bank bounces.
const BOUNCE: u32 = 7;

/// What was taken.
#[derive(Default)]
pub struct Takings {
    pub payments: i64,
    pub fen: i64,
    pub reversed: i64,
    pub reversed_fen: i64,
}

impl Takings {
    pub fn took(&mut self, payments: i64, fen: i64) {
        self.payments = self.payments.saturating_add(payments);
        self.fen = self.fen.saturating_add(fen);
    }

    /// What was not reversed, in fen.
    pub fn kept(&self) -> i64 {
        self.fen.saturating_sub(self.reversed_fen)
    }
}

/// A number below `sides` that is always the same for an account, a month and a matter.
fn dice(account_no: &str, month: u32, matter: &str, sides: u64) -> u64 {
    let digest = Sha256::new()
        .chain_update(account_no)
        .chain_update(month.to_be_bytes())
        .chain_update(matter)
        .finalize();
    let head = digest.iter().take(4).fold(0_u64, |n, byte| n.wrapping_mul(256).wrapping_add(u64::from(*byte)));
    head.checked_rem(sides).unwrap_or_default()
}

fn channel(account_no: &str, month: u32) -> &'static str {
    match dice(account_no, month, "channel", 20) {
        0..=9 => "WECHAT",
        10..=14 => "ALIPAY",
        15..=17 => "BANK",
        _ => "COUNTER",
    }
}

/// Takes the payments for the bills of a month.
pub async fn take(cast: &Cast, month: u32, bills: &[Bill], takings: &mut Takings, chapter: &Chapter) -> Result<()> {
    let due = |bill: &&Bill| open(bill) > 0 && dice(&bill.account_no, month, "pays", 100) < PAYERS;
    let (by_file, one_by_one): (Vec<_>, Vec<_>) = bills.iter().filter(due).partition(|bill| BY_FILE.contains(&channel(&bill.account_no, month)));
    file(cast, month, &by_file, takings, chapter).await?;
    let cashier = PaymentServiceClient::new(cast.ask("billing", CASHIER)?);
    let mut paid: Vec<Payment> = stream::iter(one_by_one)
        .map(|bill| {
            let cashier = cashier.clone();
            async move {
                let payment = pay(cashier, month, bill).await;
                chapter.step(1);
                payment
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    for payment in &paid {
        takings.took(1, fen(&payment.amount));
    }
    if month == BOUNCE {
        paid.sort_by(|a, b| a.account_no.cmp(&b.account_no));
        if let Some(bounced) = paid.into_iter().find(|p| p.channel == "BANK") {
            reverse(cast, bounced, takings).await?;
        }
    }
    Ok(())
}

/// What of a bill is open, in fen.
pub fn open(bill: &Bill) -> i64 {
    fen(&bill.amount).saturating_sub(fen(&bill.paid))
}

/// What is paid for a bill.
fn amount(bill: &Bill, month: u32) -> Money {
    let ahead = if dice(&bill.account_no, month, "ahead", 100) < AHEAD { AHEAD_BY } else { 0 };
    Money::from_fen(open(bill).saturating_add(ahead))
}

fn reference(bill: &Bill, month: u32) -> String {
    format!("2025{month:02}{}", bill.account_no)
}

/// Hands in what the channels with files took.
async fn file(cast: &Cast, month: u32, bills: &[&Bill], takings: &mut Takings, chapter: &Chapter) -> Result<()> {
    let row = |(line, bill): (usize, &&Bill)| {
        Ok(PaymentRow {
            line: i32::try_from(line)?.saturating_add(2),
            account_no: bill.account_no.clone(),
            amount: amount(bill, month).to_string(),
            channel: channel(&bill.account_no, month).to_owned(),
            channel_reference: reference(bill, month),
            paid_at: pay_day(month),
            service: "GAS".to_owned(),
        })
    };
    let rows: Vec<_> = bills.iter().enumerate().map(row).collect::<Result<_>>()?;
    let chunks = rows.chunks(CHUNK).zip(0..).map(|(rows, n)| ImportPaymentsRequest {
        request_id: key(&format!("payments {month} chunk {n}")),
        dry_run: false,
        rows: rows.to_vec(),
    });
    let chunks: Vec<_> = chunks.collect();
    let mut cashier = PaymentServiceClient::new(cast.ask("billing", CASHIER)?);
    let mut answers = said("the file of payments", cashier.import_payments(stream::iter(chunks))).await?;
    while let Some(answer) = answers.message().await? {
        ensure!(answer.refused.is_empty(), "payments were refused: {:?}", answer.refused);
        takings.took(answer.accepted.into(), fen(&answer.amount));
        chapter.step(usize::try_from(answer.accepted)?);
    }
    Ok(())
}

/// The tenth of the month after.
fn pay_day(month: u32) -> String {
    match month {
        12 => "2026-01-10".to_owned(),
        _ => format!("2025-{:02}-10", month.saturating_add(1)),
    }
}

async fn pay(mut cashier: PaymentServiceClient<Client>, month: u32, bill: &Bill) -> Result<Payment> {
    let request = TakePaymentRequest {
        request_id: key(&format!("payment {month} {}", bill.account_no)),
        account_id: bill.account_id.clone(),
        amount: Some(rpc::wire::money(amount(bill, month))),
        channel: channel(&bill.account_no, month).to_owned(),
        channel_reference: reference(bill, month),
        bill_ids: vec![bill.bill_id.clone()],
    };
    held("payment", said("a payment", cashier.take_payment(request)).await?.payment)
}

/// The bank takes a payment back: the bill is open again.
async fn reverse(cast: &Cast, bounced: Payment, takings: &mut Takings) -> Result<()> {
    let request = ReversePaymentRequest {
        request_id: key("bounced payment"),
        payment_id: bounced.payment_id,
        etag: bounced.etag,
        reason: "returned by the bank: account closed".to_owned(),
    };
    let payment = said(
        "the reversal",
        PaymentServiceClient::new(cast.ask("billing", ACCOUNTANT)?).reverse_payment(request),
    )
    .await?
    .payment;
    let payment = held("payment", payment)?;
    ensure!(
        payment.state() == payment::State::Reversed,
        "the bounced payment is {}",
        payment.state().as_str_name()
    );
    takings.reversed = takings.reversed.saturating_add(1);
    takings.reversed_fen = takings.reversed_fen.saturating_add(fen(&payment.amount));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_of_ten_pay_and_always_the_same() {
        let payers = (1..=1000).filter(|n| dice(&format!("T{n:07}"), 3, "pays", 100) < PAYERS).count();
        assert!((870..=930).contains(&payers), "{payers}");
        assert_eq!(dice("T0000001", 1, "pays", 100), dice("T0000001", 1, "pays", 100));
    }
}
