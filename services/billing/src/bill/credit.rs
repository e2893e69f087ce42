//! Credit notes (红字) over a part of a bill.

use std::collections::{BTreeMap, HashMap};

use chrono::Datelike;
use contracts::hearth::billing::v1::{BillCredited, CreditBillRequest, CreditBillResponse};
use database::{Begun, Scope, Write, numbers};
use money::Money;
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    model::{BillKind, BillState, credited},
    ops::{free, locked, settle_others, standing},
    store::{self, bill, credit_note, credit_note_line},
};
use crate::{
    Desk, Refusal,
    ledger::store::{Book, Posting, post},
    payment::model::Part,
    table,
};

/// CreditBill: takes a part of what stands of a bill off it. What is not owed any more was paid ahead.
pub async fn credit(desk: Desk, call: Call, request: CreditBillRequest) -> Result<CreditBillResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = locked(&write, &Scope::of(&call), &request.bill_id, &request.etag).await?;
    match row.kind()? {
        BillKind::Regular | BillKind::Fee | BillKind::Opening => {}
        BillKind::HeatSeason | BillKind::HeatSettlement => return Err(Refusal::BillOfSeason.into()),
        BillKind::Theft => return Err(Refusal::BillOfAdjustment.into()),
    }
    let amount = wire::money_of(request.amount.as_ref(), "amount")?.fen();
    if amount <= 0 {
        return Err(Refusal::AmountNotPositive.into());
    }
    if amount >= row.stands() {
        return Err(Refusal::CreditAmount.into());
    }
    let Taken { note, lines, paid_ahead } = take_off(&mut write, &mut row, amount, &request.reason).await?;
    if paid_ahead > 0 {
        settle_others(&mut write, row.account_id).await?;
    }
    write.subject(row.id);
    let lines = store::note_message(&note, &lines);
    let bill = store::message(&row, &store::lines(&write, row.id).await?)?;
    write
        .commit(CreditBillResponse {
            credit_note: Some(lines),
            bill: Some(bill),
        })
        .await
}

/// A credit note that was issued.
pub struct Taken {
    pub note: credit_note::Model,
    pub lines: Vec<credit_note_line::Model>,
    /// Fen that were paid of the bill and are paid ahead now.
    pub paid_ahead: i64,
}

/// Takes so much of what stands of a bill off it by a credit note, at most all; what was paid beyond the rest becomes prepayment, the last payment first.
/// The caller has locked the account, and settles its other bills.
pub async fn take_off(write: &mut Write, row: &mut bill::Model, amount: i64, reason: &str) -> Result<Taken, Fault> {
    let paid_ahead = free_of(write, row, amount.saturating_sub(row.rest())).await?;
    row.paid = row.paid.saturating_sub(paid_ahead);
    row.credited = row.credited.saturating_add(amount);
    store::set_paid(write, row).await?;
    let (book, detail) = row.counter();
    let written = notes(write, &[(&*row, amount)], reason).await?.pop();
    let (note, lines) = written.ok_or_else(|| Fault::internal("a credit note that was not written"))?;
    let posting = Posting::new("BILL_CREDIT", note.id, &row.branch)
        .line(Book::Receivable, "", Some(row.account_id), paid_ahead.saturating_sub(amount))
        .line(Book::Prepayment, "", Some(row.account_id), paid_ahead.saturating_neg())
        .line(book, detail, None, amount);
    post(write, vec![posting]).await?;
    write.event(
        row.account_id,
        &BillCredited {
            bill_id: row.id.to_string(),
            bill_no: row.bill_no.clone(),
            credit_note_no: note.credit_note_no.clone(),
            account_id: row.account_id.to_string(),
            party_id: row.party_id.to_string(),
            branch: row.branch.clone(),
            amount: Some(wire::money(Money::from_fen(amount))),
            credited: Some(wire::money(Money::from_fen(row.credited))),
            settled: row.state()? == BillState::Paid,
            date: Some(wire::date(write.now().date())),
        },
    );
    Ok(Taken { note, lines, paid_ahead })
}

/// Takes back so much of what was paid on a bill, the last payment first. Gives the sum.
async fn free_of(write: &mut Write, row: &bill::Model, most: i64) -> Result<i64, Fault> {
    let mut left = most;
    let mut back = vec![];
    for ((payment, part), paid) in standing(write, &[row.id]).await?.remove(&row.id).unwrap_or_default().into_iter().rev() {
        let share = paid.min(left);
        if part == Part::Principal && share > 0 {
            left = left.saturating_sub(share);
            back.push(((payment, part), share));
        }
    }
    Ok(free(write, row, back).await?.0)
}

/// Writes credit notes over so much of bills, each shared over what stands of the lines of its bill. Of each series the numbers are taken in one block, as
/// the last thing before they are written.
pub async fn notes(write: &Write, bills: &[(&bill::Model, i64)], reason: &str) -> Result<Vec<(credit_note::Model, Vec<credit_note_line::Model>)>, Fault> {
    let ids: Vec<Uuid> = bills.iter().map(|(row, _)| row.id).collect();
    let mut standing: HashMap<Uuid, Vec<i64>> = HashMap::new();
    for line in store::lines_of(write, &ids).await? {
        standing.entry(line.bill_id).or_default().push(line.amount);
    }
    for taken in store::note_lines(write, &ids).await? {
        let lines = standing.entry(taken.bill_id).or_default();
        if let Some(line) = usize::try_from(taken.ordinal).ok().and_then(|at| lines.get_mut(at)) {
            *line = line.saturating_sub(taken.amount);
        }
    }
    let mut written = vec![];
    for (row, amount) in bills {
        let note = credit_note::Model {
            id: Uuid::now_v7(),
            credit_note_no: String::new(),
            bill_id: row.id,
            branch: row.branch.clone(),
            amount: *amount,
            reason: reason.to_owned(),
            issued_by: write.call().subject().to_owned(),
            created_at: write.now().micros(),
        };
        let of_bill = standing.get(&row.id).map(Vec::as_slice).unwrap_or_default();
        let shares = (0..).zip(credited(of_bill, *amount).map_err(Fault::internal)?);
        let lines: Vec<_> = shares
            .filter(|(_, amount)| *amount != 0)
            .map(|(ordinal, amount)| credit_note_line::Model {
                credit_note_id: note.id,
                ordinal,
                bill_id: row.id,
                amount,
            })
            .collect();
        written.push((note, lines));
    }
    number(write, written.iter_mut().map(|(note, _)| note)).await?;
    table::insert_all::<credit_note::Entity>(write, written.iter().map(|(note, _)| note)).await?;
    table::insert_all::<credit_note_line::Entity>(write, written.iter().flat_map(|(_, lines)| lines)).await?;
    Ok(written)
}

/// Numbers credit notes in blocks per branch and year.
async fn number(write: &Write, notes: impl Iterator<Item = &mut credit_note::Model>) -> Result<(), Fault> {
    let mut branches: BTreeMap<String, Vec<&mut credit_note::Model>> = BTreeMap::new();
    for note in notes {
        branches.entry(note.branch.clone()).or_default().push(note);
    }
    let year = write.now().date().year();
    for (branch, notes) in branches {
        let first = numbers::next(write, "CN", &branch, year, i64::try_from(notes.len()).unwrap_or(i64::MAX)).await?;
        for (number, note) in (first..).zip(notes) {
            note.credit_note_no = format!("CN-{branch}-{year}-{number:07}");
        }
    }
    Ok(())
}
