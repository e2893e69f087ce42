//! Climbs the ladder: chunk after chunk, each in a transaction of its own. What is left is found in the database, so it goes on where it
//! was stopped.

use std::collections::{BTreeMap, HashSet};

use contracts::hearth::billing::v1::{BillOverdue, SuspensionRequested, SuspensionWithdrawn};
use database::Write;
use money::Money;
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{
    model::{Action, Facts, Kind, RequestState, climb, step},
    store::{self, dunning, request, taken},
};
use crate::{
    Desk,
    bill::{model::BillKind, store::bill},
    dispute::store::pauses,
    profile::{model::Book, store::book},
    supply::store::lock_accounts,
    table,
};

/// Bills of a chunk.
const CHUNK: u64 = 300;

/// One run: steps that are due, then requests for suspension, then requests that have lost their ground.
pub async fn run(desk: &Desk) -> Result<(), Fault> {
    while take_steps(desk).await? {}
    while ask_for_suspension(desk).await? {}
    while withdraw(desk).await? {}
    Ok(())
}

async fn open(desk: &Desk) -> Result<Write, Fault> {
    desk.db.open(&Call::background("billing", "dunning")).await
}

async fn lock(write: &Write, accounts: impl Iterator<Item = Uuid>) -> Result<(), Fault> {
    let accounts: Vec<Uuid> = accounts.collect::<HashSet<_>>().into_iter().collect();
    lock_accounts(write, &accounts).await
}

/// Takes the steps of a chunk of bills; says whether there was one.
async fn take_steps(desk: &Desk) -> Result<bool, Fault> {
    let seen = store::waiting(desk.db.reader(), desk.clock.now().date(), CHUNK).await?;
    if seen.is_empty() {
        return Ok(false);
    }
    let mut write = open(desk).await?;
    lock(&write, seen.iter().map(|b| b.account_id)).await?;
    let ids: Vec<Uuid> = seen.iter().map(|b| b.id).collect();
    // What was paid, disputed or reversed in the meantime takes no step.
    let bills = store::still_waiting(&write, &ids).await?;
    let book = book(&write).await?;
    let mut taken = store::taken_of(&write, &ids).await?;
    let mut pauses = pauses(&write, &ids).await?;
    let (mut rows, mut looks) = (vec![], vec![]);
    for bill in &bills {
        let facts = Facts {
            due: bill.due_date,
            taken: taken.remove(&bill.id).unwrap_or_default(),
            pauses: pauses.remove(&bill.id).unwrap_or_default(),
            suspendable: bill.kind()? != BillKind::Fee,
        };
        looks.push(climb_one(&mut write, &book, bill, &facts, &mut rows));
    }
    table::insert_all::<taken::Entity>(&write, rows).await?;
    store::look_again(&write, looks).await?;
    write.close().await?;
    Ok(true)
}

fn climb_one(write: &mut Write, book: &Book, bill: &bill::Model, facts: &Facts, rows: &mut Vec<taken::Model>) -> dunning::Model {
    let today = write.now().date();
    let (steps, next_date) = climb(book.on(&bill.branch, bill.issue_date), facts, today);
    for step in steps {
        rows.push(taken::Model {
            id: Uuid::now_v7(),
            bill_id: bill.id,
            bill_no: bill.bill_no.clone(),
            account_id: bill.account_id,
            branch: bill.branch.clone(),
            kind: step.kind.code().to_owned(),
            days: step.days,
            taken_date: today,
            skipped: step.skipped,
            open_amount: bill.rest(),
        });
        if step.kind == Kind::Overdue {
            write.event(
                bill.account_id,
                &BillOverdue {
                    bill_id: bill.id.to_string(),
                    bill_no: bill.bill_no.clone(),
                    agreement_id: bill.agreement_id.to_string(),
                    account_id: bill.account_id.to_string(),
                    party_id: bill.party_id.to_string(),
                    branch: bill.branch.clone(),
                    open_amount: Some(wire::money(Money::from_fen(bill.rest()))),
                    due_date: Some(wire::date(bill.due_date)),
                },
            );
        }
    }
    dunning::Model { bill_id: bill.id, next_date }
}

/// Requests suspension for a chunk of agreements, each for its own bills only; says whether there was one.
async fn ask_for_suspension(desk: &Desk) -> Result<bool, Fault> {
    let today = desk.clock.now().date();
    let seen = store::ripe(desk.db.reader(), today, CHUNK).await?;
    if seen.is_empty() {
        return Ok(false);
    }
    let mut write = open(desk).await?;
    lock(&write, seen.iter().map(|b| b.account_id)).await?;
    let agreements: Vec<Uuid> = seen.iter().map(|b| b.agreement_id).collect::<HashSet<_>>().into_iter().collect();
    let standing: HashSet<Uuid> = request::Entity::find()
        .filter(request::Column::AgreementId.is_in(agreements.iter().copied()))
        .filter(request::Column::State.eq(RequestState::Requested.code()))
        .all(&*write)
        .await?
        .into_iter()
        .map(|r| r.agreement_id)
        .collect();
    let mut owed: BTreeMap<Uuid, Vec<bill::Model>> = BTreeMap::new();
    for bill in store::overdue_of(&write, &agreements, today).await? {
        owed.entry(bill.agreement_id).or_default().push(bill);
    }
    let mut rows = vec![];
    for (agreement, bills) in owed.iter().filter(|(id, _)| !standing.contains(id)) {
        // They stand in the order of their due days.
        let Some(first) = bills.first() else { continue };
        let row = request::Model {
            id: Uuid::now_v7(),
            agreement_id: *agreement,
            account_id: first.account_id,
            party_id: first.party_id.to_string(),
            branch: first.branch.clone(),
            state: RequestState::Requested.code().to_owned(),
            amount: bills.iter().map(bill::Model::rest).fold(0, i64::saturating_add),
            since_date: first.due_date,
            requested_at: write.now().micros(),
            withdrawn_at: None,
        };
        write.event(
            agreement,
            &SuspensionRequested {
                case_id: row.id.to_string(),
                account_id: row.account_id.to_string(),
                agreement_id: agreement.to_string(),
                party_id: row.party_id.clone(),
                branch: row.branch.clone(),
                overdue_amount: Some(wire::money(Money::from_fen(row.amount))),
                since_date: Some(wire::date(row.since_date)),
            },
        );
        write.subject(row.id);
        rows.push(row);
    }
    table::insert_all::<request::Entity>(&write, rows).await?;
    write.close().await?;
    Ok(true)
}

/// Withdraws a chunk of requests that have lost their ground; says whether there was one.
async fn withdraw(desk: &Desk) -> Result<bool, Fault> {
    let today = desk.clock.now().date();
    let seen = store::cured(desk.db.reader(), today, CHUNK).await?;
    if seen.is_empty() {
        return Ok(false);
    }
    let mut write = open(desk).await?;
    lock(&write, seen.iter().map(|r| r.account_id)).await?;
    let rows = request::Entity::find()
        .filter(request::Column::Id.is_in(seen.iter().map(|r| r.id)))
        .lock_exclusive()
        .all(&*write)
        .await?;
    let owing: HashSet<Uuid> = store::overdue_of(&write, &rows.iter().map(|r| r.agreement_id).collect::<Vec<_>>(), today)
        .await?
        .into_iter()
        .map(|b| b.agreement_id)
        .collect();
    for mut row in rows.into_iter().filter(|r| !owing.contains(&r.agreement_id)) {
        let Some(state) = step(row.state()?, Action::Cure) else { continue };
        row.state = state.code().to_owned();
        row.withdrawn_at = Some(write.now().micros());
        write.event(
            row.agreement_id,
            &SuspensionWithdrawn {
                case_id: row.id.to_string(),
                account_id: row.account_id.to_string(),
                agreement_id: row.agreement_id.to_string(),
                party_id: row.party_id.clone(),
                branch: row.branch.clone(),
                date: Some(wire::date(today)),
            },
        );
        write.subject(row.id);
        table::update::<request::Entity>(&write, row).await?;
    }
    write.close().await?;
    Ok(true)
}
