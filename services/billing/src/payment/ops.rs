//! Taking and reversing payments.

use std::collections::HashMap;

use calendar::Instant;
use chrono::Datelike;
use contracts::hearth::{
    billing::v1::{PaymentReceived, PaymentReversed, ReversePaymentRequest, ReversePaymentResponse, TakePaymentRequest, TakePaymentResponse},
    options::v1::Role,
};
use database::{Begun, Scope, Write, numbers};
use money::Money;
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    model::{Open, PaymentState, Share, allocate, standing},
    store::{self, allocation, payment},
};
use crate::{
    Desk, Refusal,
    bill::store::{self as bills, bill},
    ledger::store::{Book, Posting, post},
    supply::store as supply,
    table,
};

/// TakePayment (9.5, edges 22 to 25).
pub async fn take(desk: Desk, call: Call, request: TakePaymentRequest) -> Result<TakePaymentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    if call.has(Role::Reader) {
        return Err(Refusal::ReaderTakesNoCash.into());
    }
    let amount = wire::money_of(request.amount.as_ref(), "amount")?;
    if amount <= Money::ZERO {
        return Err(Fault::from(Refusal::AmountNotPositive).field("amount"));
    }
    let account = supply::account(&*write, &Scope::of(&call), wire::id_of("account_id", &request.account_id)?).await?;
    supply::lock_accounts(&write, &[account.id]).await?;
    let taken = payment::Entity::find()
        .filter(payment::Column::Channel.eq(&request.channel))
        .filter(payment::Column::ChannelReference.eq(&request.channel_reference))
        .one(&*write)
        .await?;
    if let Some(first) = taken {
        if first.account_id != account.id || first.amount != amount.fen() {
            return Err(Refusal::PaymentReferenceUnique.into());
        }
        let shares = store::shares(&*write, first.id).await?;
        write.subject(first.id);
        return write
            .commit(TakePaymentResponse {
                payment: Some(store::message(&first, &shares)?),
                already_taken: true,
            })
            .await;
    }
    let named = request
        .bill_ids
        .iter()
        .map(|id| wire::id_of::<Uuid>("bill_ids", id))
        .collect::<Result<Vec<_>, _>>()?;
    let mut open = bills::open(&*write, &[account.id]).await?;
    if let Some(id) = named.iter().find(|id| !open.iter().any(|b| b.id == **id)) {
        return Err(Fault::not_found("open bill", id));
    }
    let now = write.now();
    let (shares, rest) = allocate(amount.fen(), &named, &openings(&open));
    let year = now.date().year();
    let number = numbers::next(&write, "RC", &account.branch, year, 1).await?;
    let row = payment::Model {
        id: Uuid::now_v7(),
        receipt_no: format!("RC-{}-{year}-{number:07}", account.branch),
        account_id: account.id,
        account_no: account.account_no.clone(),
        party_id: account.party_id,
        branch: account.branch.clone(),
        amount: amount.fen(),
        unallocated: rest,
        channel: request.channel.clone(),
        channel_reference: request.channel_reference.clone(),
        state: PaymentState::Taken.code().to_owned(),
        taken_by: call.subject().to_owned(),
        taken_at: now.micros(),
        reversal_reason: String::new(),
        version: 1,
    };
    table::insert::<payment::Entity>(&*write, row.clone()).await?;
    let rows = pay(&write, row.id, &shares, &mut open).await?;
    let paid: i64 = shares.iter().map(|s| s.amount).sum();
    let posting = Posting::new("PAYMENT", row.id, &row.branch)
        .line(Book::Cash, &row.channel, None, row.amount)
        .line(Book::Receivable, "", Some(account.id), -paid)
        .line(Book::Prepayment, "", Some(account.id), -rest);
    post(&write, vec![posting]).await?;
    write.subject(row.id);
    write.event(
        row.account_id,
        &PaymentReceived {
            payment_id: row.id.to_string(),
            receipt_no: row.receipt_no.clone(),
            account_id: row.account_id.to_string(),
            party_id: row.party_id.to_string(),
            branch: row.branch.clone(),
            amount: Some(wire::money(amount)),
            channel: row.channel.clone(),
            date: Some(wire::date(now.date())),
            settled_bill_ids: open
                .iter()
                .filter(|b| shares.iter().any(|s| s.bill == b.id) && b.paid == b.amount)
                .map(|b| b.id.to_string())
                .collect(),
        },
    );
    write
        .commit(TakePaymentResponse {
            payment: Some(store::message(&row, &rows)?),
            already_taken: false,
        })
        .await
}

/// ReversePayment (9.5): the last share first.
pub async fn reverse(desk: Desk, call: Call, request: ReversePaymentRequest) -> Result<ReversePaymentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let id: Uuid = wire::id_of("payment_id", &request.payment_id)?;
    let seen = store::one(&*write, &scope, id).await?;
    supply::lock_accounts(&write, &[seen.account_id]).await?;
    let row = store::one(&*write, &scope, id).await?;
    if row.state()? == PaymentState::Reversed {
        return Err(Refusal::PaymentReversed.into());
    }
    rpc::check_etag(&request.etag, row.id, row.version)?;
    let shares: Vec<Share> = store::shares(&*write, id)
        .await?
        .iter()
        .map(|s| Share {
            bill: s.bill_id,
            amount: s.amount,
        })
        .collect();
    let back: Vec<Share> = standing(&shares).iter().map(|s| Share { amount: -s.amount, ..*s }).collect();
    let ids: Vec<Uuid> = back.iter().map(|s| s.bill).collect();
    let mut touched = bill::Entity::find().filter(bill::Column::Id.is_in(ids)).all(&*write).await?;
    pay(&write, id, &back, &mut touched).await?;
    let reopened: i64 = back.iter().map(|s| -s.amount).sum();
    let posting = Posting::new("PAYMENT_REVERSAL", id, &row.branch)
        .line(Book::Cash, &row.channel, None, -row.amount)
        .line(Book::Receivable, "", Some(row.account_id), reopened)
        .line(Book::Prepayment, "", Some(row.account_id), row.unallocated);
    post(&write, vec![posting]).await?;
    let reversed = payment::Model {
        state: PaymentState::Reversed.code().to_owned(),
        unallocated: 0,
        reversal_reason: request.reason.clone(),
        version: row.version.saturating_add(1),
        ..row
    };
    table::update::<payment::Entity>(&*write, reversed.clone()).await?;
    write.subject(id);
    write.event(
        reversed.account_id,
        &PaymentReversed {
            payment_id: reversed.id.to_string(),
            receipt_no: reversed.receipt_no.clone(),
            account_id: reversed.account_id.to_string(),
            party_id: reversed.party_id.to_string(),
            branch: reversed.branch.clone(),
            amount: Some(wire::money(Money::from_fen(reversed.amount))),
            reopened_bill_ids: touched.iter().map(|b| b.id.to_string()).collect(),
        },
    );
    let shares = store::shares(&*write, id).await?;
    write
        .commit(ReversePaymentResponse {
            payment: Some(store::message(&reversed, &shares)?),
        })
        .await
}

/// Open bills as the rules see them.
pub fn openings(bills: &[bill::Model]) -> Vec<Open> {
    bills
        .iter()
        .map(|b| Open {
            id: b.id,
            due: b.due_date,
            rest: b.amount.saturating_sub(b.paid),
        })
        .filter(|b| b.rest > 0)
        .collect()
}

/// Writes shares of a payment, positive or negative, and brings the bills in line.
async fn pay(write: &Write, payment: Uuid, shares: &[Share], bills: &mut [bill::Model]) -> Result<Vec<allocation::Model>, Fault> {
    let mut rows = vec![];
    for share in shares {
        let Some(bill) = bills.iter_mut().find(|b| b.id == share.bill) else {
            return Err(Fault::internal("a share of a bill that is not there"));
        };
        bill.paid = bill.paid.saturating_add(share.amount);
        rows.push(row(payment, bill, share.amount, write.now()));
    }
    for bill in bills.iter_mut().filter(|b| shares.iter().any(|s| s.bill == b.id)) {
        bills::set_paid(write, bill).await?;
    }
    table::insert_all::<allocation::Entity>(&**write, rows.clone()).await?;
    Ok(rows)
}

fn row(payment: Uuid, bill: &bill::Model, amount: i64, now: Instant) -> allocation::Model {
    allocation::Model {
        id: Uuid::now_v7(),
        payment_id: payment,
        bill_id: bill.id,
        bill_no: bill.bill_no.clone(),
        amount,
        created_at: now.micros(),
    }
}

/// Pays open bills from what accounts have paid ahead, the oldest payment first (edge 23). `bills` are not written yet or will be
/// updated by the caller; their `paid` is brought in line here.
pub async fn use_prepayment(write: &Write, accounts: &[Uuid], bills: &mut [bill::Model]) -> Result<(Vec<Posting>, Vec<allocation::Model>), Fault> {
    let mut postings: HashMap<Uuid, (String, i64)> = HashMap::new();
    let mut rows = vec![];
    for mut source in store::with_rest(&**write, accounts).await? {
        let own: Vec<bill::Model> = bills.iter().filter(|b| b.account_id == source.account_id).cloned().collect();
        let (shares, rest) = allocate(source.unallocated, &[], &openings(&own));
        if shares.is_empty() {
            continue;
        }
        for share in &shares {
            let Some(bill) = bills.iter_mut().find(|b| b.id == share.bill) else {
                continue;
            };
            bill.paid = bill.paid.saturating_add(share.amount);
            rows.push(row(source.id, bill, share.amount, write.now()));
            let total = postings.entry(source.account_id).or_insert_with(|| (source.branch.clone(), 0));
            total.1 = total.1.saturating_add(share.amount);
        }
        source.unallocated = rest;
        source.version = source.version.saturating_add(1);
        table::update::<payment::Entity>(&**write, source).await?;
    }
    let postings = postings.into_iter().map(|(account, (branch, fen))| {
        Posting::new("PREPAYMENT_USE", account, &branch)
            .line(Book::Prepayment, "", Some(account), fen)
            .line(Book::Receivable, "", Some(account), -fen)
    });
    Ok((postings.collect(), rows))
}
