//! Reversal of bills.

use std::collections::{HashMap, HashSet};

use contracts::hearth::billing::v1::{BillReversed, ReverseBillRequest, ReverseBillResponse};
use database::{Begun, Scope, Write};
use money::Money;
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{
    credit::notes,
    model::{Action, BillKind, BillState, step},
    store::{self, bill},
    together::Together,
};
use crate::{
    Desk, Refusal,
    late_fee::store::{self as late_fees, LATE_FEE},
    ledger::store::{Book, Posting, post},
    meter::store as meters,
    payment::{
        model::Part,
        ops::{tell_late_fees, use_prepayment},
        store::{self as payments, allocation, part_code},
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
    let row = locked(&write, &Scope::of(&call), &request.bill_id, &request.etag).await?;
    if row.season.is_some() {
        return Err(Refusal::BillOfSeason.into());
    }
    if row.kind()? == BillKind::Theft {
        return Err(Refusal::BillOfAdjustment.into());
    }
    if row.kind()? == BillKind::Regular && is_below_others(&write, &row).await? {
        return Err(Refusal::BillNotLatest.into());
    }
    let end = row.reading_id.map(|reading| (reading, reading_after(request.reading_was_wrong)));
    give_back(&mut write, &desk, end.as_slice(), HashSet::from([row.id])).await?;
    let row = take_back(&mut write, row, &request.reason).await?;
    settle_others(&mut write, row.account_id).await?;
    write.subject(row.id);
    let lines = store::lines(&write, row.id).await?;
    write
        .commit(ReverseBillResponse {
            bill: Some(store::message(&row, &lines)?),
        })
        .await
}

/// Whether a later bill stands of the agreement, or one of its household whose tiers begin above those of the bill.
async fn is_below_others(write: &Write, row: &bill::Model) -> Result<bool, Fault> {
    let supply = supply::supply(write, &Scope::everything(), row.agreement_id).await?;
    let mut others = Together::of(write, &supply).await?.since(|bill| bill.id == row.id)?;
    others.retain(|bill| bill.id != row.id);
    if others.iter().any(|bill| bill.agreement_id == row.agreement_id) {
        return Ok(true);
    }
    let ids: Vec<Uuid> = others.iter().map(|bill| bill.id).chain([row.id]).collect();
    let uses = store::uses(write, &ids).await?;
    let of_row = |year: i32| uses.iter().any(|own| own.bill_id == row.id && own.tier_year == year);
    Ok(uses.iter().any(|above| above.bill_id != row.id && of_row(above.tier_year)))
}

/// A bill that is to be taken back, as its caller saw it; its account is locked.
pub async fn locked(write: &Write, scope: &Scope, bill_id: &str, etag: &str) -> Result<bill::Model, Fault> {
    let id: Uuid = wire::id_of("bill_id", bill_id)?;
    let seen = store::one(write, scope, id).await?;
    supply::lock_accounts(write, &[seen.account_id]).await?;
    let row = store::one(write, scope, id).await?;
    step(row.state()?, Action::Reverse)?;
    rpc::check_etag(etag, row.id, row.version)?;
    Ok(row)
}

/// Takes a bill back, as `take_all_back` does.
pub async fn take_back(write: &mut Write, row: bill::Model, reason: &str) -> Result<bill::Model, Fault> {
    let taken = take_all_back(write, vec![row], reason).await?.pop();
    taken.ok_or_else(|| Fault::internal("a bill that was not taken back"))
}

/// Takes bills back by credit notes over what stands of them and counter-entries, with their late fees; what was paid becomes prepayment. The caller has
/// locked the accounts, and settles their other bills.
pub async fn take_all_back(write: &mut Write, mut rows: Vec<bill::Model>, reason: &str) -> Result<Vec<bill::Model>, Fault> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut shares = standing(write, &ids).await?;
    let mut postings = vec![];
    for row in &rows {
        step(row.state()?, Action::Reverse)?;
        let (principal, late) = free(write, row, shares.remove(&row.id).unwrap_or_default()).await?;
        let counter = row.counter();
        postings.push(
            Posting::new("BILL_REVERSAL", row.id, &row.branch)
                .line(Book::Receivable, "", Some(row.account_id), principal.saturating_sub(row.stands()))
                .line(Book::Prepayment, "", Some(row.account_id), principal.saturating_add(late).saturating_neg())
                .line(Book::Revenue, LATE_FEE, None, late)
                .line(counter.0, counter.1, None, row.stands()),
        );
    }
    post(write, postings).await?;
    let credited: Vec<(&bill::Model, i64)> = rows.iter().map(|row| (row, row.stands())).collect();
    let notes = notes(write, &credited, reason).await?;
    for (row, (note, _)) in rows.iter_mut().zip(notes) {
        reversed(write, row, note.credit_note_no).await?;
    }
    Ok(rows)
}

/// Writes that a bill is reversed, and tells of it.
async fn reversed(write: &mut Write, row: &mut bill::Model, credit_note_no: String) -> Result<(), Fault> {
    row.state = step(row.state()?, Action::Reverse)?.code().to_owned();
    row.paid = 0;
    row.credit_note_no = credit_note_no;
    row.version = row.version.saturating_add(1);
    bill::Entity::update_many()
        .col_expr(bill::Column::State, row.state.as_str().into())
        .col_expr(bill::Column::Paid, 0_i64.into())
        .col_expr(bill::Column::CreditNoteNo, row.credit_note_no.as_str().into())
        .col_expr(bill::Column::Version, row.version.into())
        .filter(bill::Column::Id.eq(row.id))
        .exec(&**write)
        .await?;
    late_fees::drop_of(write, row).await?;
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
    Ok(())
}

/// What a payment pays of a bill or of its late fee, fen.
pub type Paid = ((Uuid, Part), i64);

/// What payments pay of bills and of their late fees, the first payment first.
pub async fn standing(write: &Write, bills: &[Uuid]) -> Result<HashMap<Uuid, Vec<Paid>>, Fault> {
    let shares = allocation::Entity::find()
        .filter(table::among(write, allocation::Column::BillId, bills.iter().copied()))
        .order_by_asc(allocation::Column::Id)
        .all(&**write)
        .await?;
    let mut standing: HashMap<Uuid, Vec<Paid>> = HashMap::new();
    for share in shares {
        let key = (share.payment_id, share.part()?);
        let of_bill = standing.entry(share.bill_id).or_default();
        match of_bill.iter_mut().find(|(k, _)| *k == key) {
            Some((_, sum)) => *sum = sum.saturating_add(share.amount),
            None => of_bill.push((key, share.amount)),
        }
    }
    for of_bill in standing.values_mut() {
        of_bill.retain(|(_, amount)| *amount > 0);
    }
    Ok(standing)
}

/// Takes back what was paid of a bill and its late fee: it becomes prepayment of the same payments. Gives both sums.
pub async fn free(write: &mut Write, row: &bill::Model, shares: Vec<Paid>) -> Result<(i64, i64), Fault> {
    let (mut principal, mut late) = (0_i64, 0_i64);
    let mut rows = vec![];
    for ((payment_id, part), amount) in shares {
        let sum = if part == Part::Principal { &mut principal } else { &mut late };
        *sum = sum.saturating_add(amount);
        rows.push(allocation::Model {
            id: Uuid::now_v7(),
            payment_id,
            bill_id: row.id,
            bill_no: row.bill_no.clone(),
            amount: amount.saturating_neg(),
            created_at: write.now().micros(),
            part: part_code(part),
        });
        payments::free(write, payment_id, amount).await?;
    }
    table::insert_all::<allocation::Entity>(write, rows.clone()).await?;
    tell_late_fees(write, &rows).await?;
    Ok((principal, late))
}

/// Gives readings of bills back: accepted, so that they are billed anew, or as ones that are never billed (edge 5). The bills that are taken back by the same
/// write need not be written yet: nothing is to be numbered before all of it is known (B24).
pub async fn give_back(write: &mut Write, desk: &Desk, readings: &[(Uuid, ReadingState)], taken_back: HashSet<Uuid>) -> Result<(), Fault> {
    let ends = reading::Entity::find()
        .filter(table::among(write, reading::Column::Id, readings.iter().map(|(id, _)| *id)))
        .all(&**write)
        .await?;
    let Some(first) = ends.iter().map(|end| end.read_date).min() else {
        return Ok(());
    };
    let meter_nos: Vec<&str> = ends.iter().map(|end| end.meter_no.as_str()).collect();
    let meters = meters::lock(write, &Scope::everything(), &meter_nos).await?;
    let mut chains = Chains::load(write, &desk.thresholds, meters, first).await?;
    chains.taken_back = taken_back;
    for (id, state) in readings {
        if let Some(link) = chains.link(*id) {
            link.edit().state = state.code().to_owned();
        }
    }
    chains.settle(write, &desk.thresholds).await?;
    Ok(())
}

/// What becomes of the reading of a bill that is taken back.
pub const fn reading_after(wrong: bool) -> ReadingState {
    if wrong { ReadingState::Corrected } else { ReadingState::Accepted }
}

/// What was freed pays other open bills of the account and their late fees.
pub async fn settle_others(write: &mut Write, account: Uuid) -> Result<(), Fault> {
    let mut bills = late_fees::payable(write, &[account]).await?;
    let before: Vec<i64> = bills.iter().map(|b| b.paid).collect();
    let late = late_fees::settle(write, &bills).await?;
    let (postings, rows) = use_prepayment(write, &[account], &mut bills, late).await?;
    for (bill, _) in bills.iter_mut().zip(before).filter(|(b, before)| b.paid != *before) {
        store::set_paid(write, bill).await?;
    }
    table::insert_all::<allocation::Entity>(write, rows.clone()).await?;
    tell_late_fees(write, &rows).await?;
    post(write, postings).await
}

/// The state of a bill that is made and issued in one step.
pub fn issued(amount: i64, paid: i64) -> Result<BillState, Refusal> {
    step(step(BillState::Draft, Action::Issue)?, super::model::payment(amount, paid))
}
