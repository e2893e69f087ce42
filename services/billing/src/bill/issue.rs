//! Bills going out: numbered, paid from what was paid ahead, posted, told.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::Datelike;
use contracts::hearth::billing::v1::BillIssued;
use database::{Write, numbers};
use money::Money;
use rpc::{Fault, wire};
use uuid::Uuid;

use super::{
    ops::issued,
    store::{bill, explanation, line},
};
use crate::{
    late_fee::store::Lates,
    ledger::store::{Book, Posting, post},
    payment::{ops::use_prepayment, store::allocation},
    table,
};

/// Numbers bills in blocks per branch and year; one that was taken over keeps its number.
async fn number(write: &Write, bills: &mut [bill::Model]) -> Result<(), Fault> {
    let mut branches: BTreeMap<String, Vec<&mut bill::Model>> = BTreeMap::new();
    for row in bills.iter_mut().filter(|b| b.bill_no.is_empty()) {
        branches.entry(row.branch.clone()).or_default().push(row);
    }
    let year = write.now().date().year();
    for (branch, rows) in branches {
        let first = numbers::next(write, "BL", &branch, year, i64::try_from(rows.len()).unwrap_or(i64::MAX)).await?;
        for (number, row) in (first..).zip(rows) {
            row.bill_no = format!("BL-{branch}-{year}-{number:08}");
        }
    }
    Ok(())
}

/// Sends new bills out with their lines, and with the explanations of those that were priced by steps. The caller has locked the accounts.
pub async fn issue(
    write: &mut Write,
    bills: Vec<bill::Model>,
    lines: Vec<line::Model>,
    explanations: Vec<explanation::Model>,
) -> Result<Vec<bill::Model>, Fault> {
    let all = bills.len();
    send(write, bills, lines, explanations, all).await
}

/// The same, where what was paid ahead pays one bill after the other, as if each had gone out before the next one was made.
pub async fn issue_in_turn(
    write: &mut Write,
    bills: Vec<bill::Model>,
    lines: Vec<line::Model>,
    explanations: Vec<explanation::Model>,
) -> Result<Vec<bill::Model>, Fault> {
    send(write, bills, lines, explanations, 1).await
}

/// What was paid ahead is shared by so many bills at once.
async fn send(
    write: &mut Write,
    mut bills: Vec<bill::Model>,
    lines: Vec<line::Model>,
    explanations: Vec<explanation::Model>,
    at_once: usize,
) -> Result<Vec<bill::Model>, Fault> {
    let (mut used, mut shares) = (vec![], vec![]);
    for some in bills.chunks_mut(at_once.max(1)) {
        let accounts: HashSet<Uuid> = some.iter().map(|b| b.account_id).collect();
        let accounts: Vec<Uuid> = accounts.into_iter().collect();
        let (postings, rows) = use_prepayment(write, &accounts, some, Lates::new()).await?;
        used.extend(postings);
        shares.extend(rows);
    }
    for row in &mut bills {
        row.state = issued(row.amount, row.paid)?.code().to_owned();
    }
    let mut postings: Vec<Posting> = bills
        .iter()
        .map(|row| {
            let (book, detail) = row.counter();
            Posting::new("BILL", row.id, &row.branch)
                .line(Book::Receivable, "", Some(row.account_id), row.amount)
                .line(book, detail, None, row.amount.saturating_neg())
        })
        .collect();
    postings.extend(used);
    table::insert_all::<line::Entity>(write, lines).await?;
    table::insert_all::<explanation::Entity>(write, explanations).await?;
    post(write, postings).await?;
    // As late as can be: the next one who numbers bills of the branch waits from here to the commit.
    number(write, &mut bills).await?;
    let numbers: HashMap<Uuid, &str> = bills.iter().map(|b| (b.id, b.bill_no.as_str())).collect();
    for share in &mut shares {
        if let Some(number) = numbers.get(&share.bill_id) {
            (*number).clone_into(&mut share.bill_no);
        }
    }
    table::insert_all::<bill::Entity>(write, &bills).await?;
    table::insert_all::<allocation::Entity>(write, shares).await?;
    for row in &bills {
        told(write, row)?;
    }
    Ok(bills)
}

/// Tells the others of a bill that went out.
fn told(write: &mut Write, row: &bill::Model) -> Result<(), Fault> {
    write.event(
        row.account_id,
        &BillIssued {
            bill_id: row.id.to_string(),
            bill_no: row.bill_no.clone(),
            agreement_id: row.agreement_id.to_string(),
            account_id: row.account_id.to_string(),
            party_id: row.party_id.to_string(),
            branch: row.branch.clone(),
            year: row.year,
            month: row.month,
            amount: Some(wire::money(Money::from_fen(row.amount))),
            issue_date: Some(wire::date(row.issue_date)),
            due_date: Some(wire::date(row.due_date)),
            de_facto: row.de_facto,
            kind: row.kind()?.number(),
            service: row.service().code().to_owned(),
            from_date: Some(wire::date(row.from_date)),
            to_date: Some(wire::date(row.to_date)),
        },
    );
    Ok(())
}
