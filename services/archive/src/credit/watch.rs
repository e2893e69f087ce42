//! Looks whether a party has broken its limit or its term, and closes or opens the two locks (B-05). Supply is not its business.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use contracts::hearth::archive::v1::{CreditHoldCleared, CreditHoldRaised};
use database::{Scope, Write};
use rpc::{Fault, wire};
use uuid::Uuid;
use vault::Vault;

use super::{
    books,
    model::{self, HoldAction, HoldState, Lock, exposure::Books},
    store::{self, hold, line},
};
use crate::{
    account::store as accounts,
    party::store::{self as parties, row as party},
    table::insert,
};

/// A party owes more or less than before: every line of the legal person is looked at.
pub(crate) async fn party_owes(write: &mut Write, vault: &Vault, party: Uuid) -> Result<(), Fault> {
    let same = parties::with_number_of(&**write, party).await?;
    for id in store::with_live_line(&**write, same).await? {
        look(write, vault, id).await?;
    }
    Ok(())
}

/// Looks at one party. Locks move where its figures say so.
pub(crate) async fn look(write: &mut Write, vault: &Vault, party_id: Uuid) -> Result<(), Fault> {
    // The lock makes looks at one party follow each other.
    let party = parties::lock(&**write, &Scope::everything(), party_id).await?;
    let today = write.now().date();
    let line = store::live_line(&**write, party_id).await?;
    let figures = match &line {
        Some(line) => Figures::of(write, vault, &party, line, today).await?,
        // Without a line nothing can be broken: what is owed goes the way of every debt.
        None => Figures::default(),
    };
    let mut open = store::open_holds(&**write, party_id).await?;
    let before = raised(&open)?;
    let now = write.now().micros();
    for (lock, broken) in model::breaches(figures.exposure, figures.limit, figures.days_over_term) {
        let found = open.iter_mut().find(|hold| hold.lock_kind == lock.code());
        match (found, broken) {
            (Some(hold), false) => {
                hold.state = model::hold(hold.stands()?, HoldAction::Clear)?.code().to_owned();
                hold.cleared_date = Some(today);
                hold.save(&**write, now).await?;
            }
            (None, true) => {
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
                insert::<hold::Entity>(&**write, hold.clone()).await?;
                open.push(hold);
            }
            _ => {}
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

impl Figures {
    async fn of(write: &Write, vault: &Vault, party: &party::Model, line: &line::Model, today: NaiveDate) -> Result<Self, Fault> {
        let books = books_of(&**write, vault, party).await?;
        Ok(Self {
            exposure: books.exposure(today),
            limit: line.limit_fen,
            days_over_term: books.days_over_term(today, line.term_days.into()),
        })
    }
}

/// The books of the legal person that a party is.
pub(crate) async fn books_of(conn: &impl sea_orm::ConnectionTrait, vault: &Vault, party: &party::Model) -> Result<Books, Fault> {
    let same = parties::one_person(conn, vault, party).await?;
    books::load(conn, &same).await
}

/// Many limits of a branch broken on one day are the work of a price, not of the parties: they go on a list for review, and none has effect.
async fn review_mass_breach(write: &mut Write, party: &party::Model, open: &mut [hold::Model], today: NaiveDate) -> Result<(), Fault> {
    let new = open
        .iter()
        .any(|h| h.lock_kind == Lock::Limit.code() && h.breach_date == today && h.state == HoldState::Raised.code() && h.reviewed_by.is_empty());
    if !new {
        return Ok(());
    }
    let Some(rules) = store::model(&**write, None, today).await? else {
        return Ok(());
    };
    let broken = store::limits_broken(&**write, &party.branch, today).await?;
    if broken.len() <= usize::try_from(rules.mass_breach_parties).unwrap_or(usize::MAX) {
        return Ok(());
    }
    let now = write.now().micros();
    for mut other in broken {
        if other.state != HoldState::Raised.code() || !other.reviewed_by.is_empty() {
            continue;
        }
        other.state = model::hold(other.stands()?, HoldAction::PutInReview)?.code().to_owned();
        other.save(&**write, now).await?;
        if let Some(own) = open.iter_mut().find(|h| h.id == other.id) {
            *own = other;
            continue;
        }
        let theirs = parties::load(&**write, &Scope::everything(), other.party_id).await?;
        let after = raised(&store::open_holds(&**write, other.party_id).await?)?;
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
        account_ids: accounts::ids_of(&**write, &[party.id]).await?.iter().map(Uuid::to_string).collect(),
    };
    write.event(party.id, &event);
    Ok(())
}
