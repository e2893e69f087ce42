//! Reversal of bills.

use chrono::Datelike;
use contracts::hearth::billing::v1::{BillReversed, ReverseBillRequest, ReverseBillResponse};
use database::{Begun, Scope, Write, numbers};
use money::Money;
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr, sea_query::ExprTrait};
use uuid::Uuid;

use super::{
    model::{Action, BillState, step},
    store::{self, bill, credit_note},
};
use crate::{
    Desk, Refusal,
    ledger::store::{Book, Posting, post},
    meter::store as meters,
    payment::{
        ops::use_prepayment,
        store::{allocation, payment},
    },
    reading::{chain::Chains, model::ReadingState, store::reading},
    supply::store as supply,
    table,
};

/// ReverseBill.
pub async fn reverse(desk: Desk, call: Call, request: ReverseBillRequest) -> Result<ReverseBillResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let id: Uuid = wire::id_of("bill_id", &request.bill_id)?;
    let seen = store::one(&*write, &scope, id).await?;
    supply::lock_accounts(&write, &[seen.account_id]).await?;
    let mut row = store::one(&*write, &scope, id).await?;
    let state = step(row.state()?, Action::Reverse)?;
    rpc::check_etag(&request.etag, row.id, row.version)?;
    if store::last(&*write, &[row.agreement_id])
        .await?
        .get(&row.agreement_id)
        .is_some_and(|last| last.id != row.id)
    {
        return Err(Refusal::BillNotLatest.into());
    }
    let freed = free(&write, &row).await?;
    let year = write.now().date().year();
    let number = numbers::next(&write, "CN", &row.branch, year, 1).await?;
    let note = credit_note::Model {
        id: Uuid::now_v7(),
        credit_note_no: format!("CN-{}-{year}-{number:07}", row.branch),
        bill_id: row.id,
        branch: row.branch.clone(),
        amount: row.amount,
        reason: request.reason.clone(),
        issued_by: call.subject().to_owned(),
        created_at: write.now().micros(),
    };
    let posting = Posting::new("BILL_REVERSAL", row.id, &row.branch)
        .line(Book::Receivable, "", Some(row.account_id), freed.saturating_sub(row.amount))
        .line(Book::Prepayment, "", Some(row.account_id), -freed)
        .line(Book::Revenue, &row.use_class, None, row.amount);
    row.state = state.code().to_owned();
    row.paid = 0;
    row.credit_note_no.clone_from(&note.credit_note_no);
    row.version = row.version.saturating_add(1);
    table::insert::<credit_note::Entity>(&*write, note).await?;
    bill::Entity::update_many()
        .col_expr(bill::Column::State, row.state.as_str().into())
        .col_expr(bill::Column::Paid, 0_i64.into())
        .col_expr(bill::Column::CreditNoteNo, row.credit_note_no.as_str().into())
        .col_expr(bill::Column::Version, row.version.into())
        .filter(bill::Column::Id.eq(row.id))
        .exec(&*write)
        .await?;
    post(&write, vec![posting]).await?;
    release_reading(&mut write, &desk, &row, request.reading_was_wrong).await?;
    if freed > 0 {
        settle_others(&write, row.account_id).await?;
    }
    write.subject(row.id);
    write.event(
        row.account_id,
        &BillReversed {
            bill_id: row.id.to_string(),
            bill_no: row.bill_no.clone(),
            credit_note_no: row.credit_note_no.clone(),
            agreement_id: row.agreement_id.to_string(),
            account_id: row.account_id.to_string(),
            party_id: row.party_id.to_string(),
            branch: row.branch.clone(),
            amount: Some(wire::money(Money::from_fen(row.amount))),
        },
    );
    let lines = store::lines(&*write, row.id).await?;
    write
        .commit(ReverseBillResponse {
            bill: Some(store::message(&row, &lines)?),
        })
        .await
}

/// Takes back what was paid on a bill: it becomes prepayment of the same payments. Gives the sum.
async fn free(write: &Write, row: &bill::Model) -> Result<i64, Fault> {
    let shares = allocation::Entity::find()
        .filter(allocation::Column::BillId.eq(row.id))
        .order_by_asc(allocation::Column::Id)
        .all(&**write)
        .await?;
    let mut standing: Vec<(Uuid, i64)> = vec![];
    for share in shares {
        match standing.iter_mut().find(|(id, _)| *id == share.payment_id) {
            Some((_, sum)) => *sum = sum.saturating_add(share.amount),
            None => standing.push((share.payment_id, share.amount)),
        }
    }
    let mut freed = 0_i64;
    let mut rows = vec![];
    for (payment_id, amount) in standing.into_iter().filter(|(_, amount)| *amount > 0) {
        freed = freed.saturating_add(amount);
        rows.push(allocation::Model {
            id: Uuid::now_v7(),
            payment_id,
            bill_id: row.id,
            bill_no: row.bill_no.clone(),
            amount: -amount,
            created_at: write.now().micros(),
        });
        payment::Entity::update_many()
            .col_expr(payment::Column::Unallocated, Expr::col(payment::Column::Unallocated).add(amount))
            .col_expr(payment::Column::Version, Expr::col(payment::Column::Version).add(1_i64))
            .filter(payment::Column::Id.eq(payment_id))
            .exec(&**write)
            .await?;
    }
    table::insert_all::<allocation::Entity>(&**write, rows).await?;
    Ok(freed)
}

/// The reading is billed anew, or, where it was wrong, never again (edge 5).
async fn release_reading(write: &mut Write, desk: &Desk, row: &bill::Model, wrong: bool) -> Result<(), Fault> {
    let Some(end) = reading::Entity::find_by_id(row.reading_id).one(&**write).await? else {
        return Ok(());
    };
    let meters = meters::lock(&**write, &Scope::everything(), &[&end.meter_no]).await?;
    let mut chains = Chains::load(&**write, &desk.thresholds, meters, end.read_date).await?;
    if let Some(link) = chains.link(end.id) {
        let state = if wrong { ReadingState::Corrected } else { ReadingState::Accepted };
        link.edit().state = state.code().to_owned();
    }
    chains.settle(write, &desk.thresholds).await?;
    Ok(())
}

/// What was freed pays other open bills of the account.
async fn settle_others(write: &Write, account: Uuid) -> Result<(), Fault> {
    let mut bills = store::open(&**write, &[account]).await?;
    let before: Vec<i64> = bills.iter().map(|b| b.paid).collect();
    let (postings, rows) = use_prepayment(write, &[account], &mut bills).await?;
    for (bill, _) in bills.iter_mut().zip(before).filter(|(b, before)| b.paid != *before) {
        store::set_paid(write, bill).await?;
    }
    table::insert_all::<allocation::Entity>(&**write, rows).await?;
    post(write, postings).await
}

/// The state of a bill that is made and issued in one step.
pub fn issued(amount: i64, paid: i64) -> Result<BillState, Refusal> {
    step(step(BillState::Draft, Action::Issue)?, super::model::payment(amount, paid))
}
