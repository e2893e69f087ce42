//! Looks whether a party has broken its limit or its term, and closes or opens the two locks (B-05). Supply is not its business.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use contracts::hearth::archive::v1::{CreditHoldCleared, CreditHoldRaised};
use database::{Conn, Scope, Write};
use rpc::{Fault, wire};
use uuid::Uuid;
use vault::Vault;

use super::{
    books,
    model::{self, HoldAction, HoldState, Lock, exposure::Books},
    store::{self, hold},
};
use crate::{
    account::store as accounts,
    party::store::{self as parties, row as party},
    table::insert,
};

/// A party owes more or less than before: whoever of the legal person is held to a limit is looked at.
pub(crate) async fn party_owes(write: &mut Write, vault: &Vault, party: Uuid) -> Result<(), Fault> {
    let same = parties::with_number_of(write, party).await?;
    for id in store::with_limit(write, &same).await? {
        look(write, vault, id).await?;
    }
    Ok(())
}

/// Looks at one party. Locks move where its figures say so.
pub(crate) async fn look(write: &mut Write, vault: &Vault, party_id: Uuid) -> Result<(), Fault> {
    // The lock makes looks at one party follow each other.
    let party = parties::lock(write, &Scope::everything(), party_id).await?;
    let today = write.now().date();
    let figures = match limit_of(write, party_id).await? {
        Some(limit) => {
            let books = books_of(write, vault, &party).await?;
            Figures {
                exposure: books.exposure(today),
                limit: limit.fen,
                days_over_term: books.days_over_term(today, limit.term_days),
            }
        }
        // What everybody else owes goes the way of every debt.
        None => Figures::default(),
    };
    let mut open = store::open_holds(write, party_id).await?;
    let before = raised(&open)?;
    let now = write.now().micros();
    for (lock, broken) in model::breaches(figures.exposure, figures.limit, figures.days_over_term) {
        let mut found = open.iter().position(|hold| hold.lock_kind == lock.code());
        if let Some(hold) = found.and_then(|at| open.get_mut(at)) {
            // What was let pass, or waits for it, was the breach of a limit that is gone.
            let outlived = hold.state != HoldState::Raised.code() && hold.limit_fen > 0 && figures.limit == 0;
            if !broken || outlived {
                hold.state = model::hold(hold.stands()?, HoldAction::Clear)?.code().to_owned();
                hold.cleared_date = Some(today);
                hold.save(write, now).await?;
                found = None;
            }
        }
        if broken && found.is_none() {
            let hold = hold::Model {
                id: Uuid::now_v7(),
                party_id,
                branch: party.branch.clone(),
                lock_kind: lock.code().to_owned(),
                state: HoldState::Raised.code().to_owned(),
                breach_date: today,
                exposure: figures.exposure,
                limit_fen: figures.limit,
                cleared_date: None,
                reviewed_by: String::new(),
                version: 1,
                created_at: now,
                updated_at: now,
            };
            insert::<hold::Entity>(write, hold.clone()).await?;
            open.push(hold);
        }
    }
    review_mass_breach(write, &party, &mut open, today).await?;
    tell(write, &party, &before, &raised(&open)?, today).await
}

#[derive(Default)]
struct Figures {
    exposure: i64,
    limit: i64,
    days_over_term: i64,
}

/// What a party is held to.
pub(crate) struct Limit {
    /// Most fen at risk.
    pub(crate) fen: i64,
    /// Days in which a bill is to be paid.
    pub(crate) term_days: i64,
}

/// The limit of a party: that of its line. Whose line has ended, or who is rated C, gets nothing on credit (B-04); nobody else is held to a limit.
pub(crate) async fn limit_of(conn: &Conn, party: Uuid) -> Result<Option<Limit>, Fault> {
    if let Some(line) = store::live_line(conn, party).await? {
        return Ok(Some(Limit {
            fen: line.limit_fen,
            term_days: line.term_days.into(),
        }));
    }
    let held = store::with_limit(conn, &[party]).await?;
    Ok((!held.is_empty()).then_some(Limit { fen: 0, term_days: 0 }))
}

/// The books of the legal person that a party is.
pub(crate) async fn books_of(conn: &Conn, vault: &Vault, party: &party::Model) -> Result<Books, Fault> {
    let same = parties::one_person(conn, vault, party).await?;
    books::load(conn, &same).await
}

/// Many limits of a branch broken on one day are the work of a price, not of the parties: they go on a list for review, and none has effect.
async fn review_mass_breach(write: &mut Write, party: &party::Model, open: &mut [hold::Model], today: NaiveDate) -> Result<(), Fault> {
    let new = open.iter().any(|h| {
        h.lock_kind == Lock::Limit.code() && h.limit_fen > 0 && h.breach_date == today && h.state == HoldState::Raised.code() && h.reviewed_by.is_empty()
    });
    if !new {
        return Ok(());
    }
    let Some(rules) = store::model(write, None, today).await? else {
        return Ok(());
    };
    let (broken, unreviewed) = store::limits_broken(write, &party.branch, today).await?;
    if broken <= u64::try_from(rules.mass_breach_parties).unwrap_or(u64::MAX) {
        return Ok(());
    }
    let now = write.now().micros();
    for mut other in unreviewed {
        other.state = model::hold(other.stands()?, HoldAction::PutInReview)?.code().to_owned();
        other.save(write, now).await?;
        if let Some(own) = open.iter_mut().find(|h| h.id == other.id) {
            *own = other;
            continue;
        }
        let theirs = parties::load(write, &Scope::everything(), other.party_id).await?;
        let after = raised(&store::open_holds(write, other.party_id).await?)?;
        let mut before = after.clone();
        before.insert(Lock::Limit);
        tell(write, &theirs, &before, &after, today).await?;
    }
    Ok(())
}

/// Which locks are closed.
pub(crate) fn raised(holds: &[hold::Model]) -> Result<BTreeSet<Lock>, Fault> {
    holds
        .iter()
        .filter(|hold| hold.state == HoldState::Raised.code())
        .map(hold::Model::lock_kind)
        .collect()
}

/// Tells that the hold of a party was raised, has another cause, or was cleared.
pub(crate) async fn tell(write: &mut Write, party: &party::Model, before: &BTreeSet<Lock>, after: &BTreeSet<Lock>, today: NaiveDate) -> Result<(), Fault> {
    if before == after {
        return Ok(());
    }
    write.subject(party.id);
    if after.is_empty() {
        let event = CreditHoldCleared {
            party_id: party.id.to_string(),
            branch: party.branch.clone(),
            cleared_date: Some(wire::date(today)),
        };
        write.event(party.id, &event);
        return Ok(());
    }
    let locks: Vec<_> = after.iter().copied().collect();
    let event = CreditHoldRaised {
        party_id: party.id.to_string(),
        branch: party.branch.clone(),
        cause: model::cause(&locks).to_owned(),
        raised_date: Some(wire::date(today)),
        account_ids: accounts::ids_of(write, &[party.id]).await?.iter().map(Uuid::to_string).collect(),
    };
    write.event(party.id, &event);
    Ok(())
}
