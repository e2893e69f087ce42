//! On whom a listing bears (G-11): on the legal person under every number that it has here, and on a firm that takes the list along under another one.

use chrono::NaiveDate;
use contracts::hearth::archive::v1::{PartyListedDishonest, PartyListingEnded};
use database::{Conn, Scope, Write};
use rpc::{Fault, wire};
use uuid::Uuid;
use vault::Vault;

use super::store::{self, row};
use crate::{
    credit::{lines, rating},
    party::store::{self as parties, row as party},
};

/// What bears on a party on a day: the listings of its person, and those that its legal representative would leave behind.
pub(crate) async fn bearing(conn: &Conn, vault: &Vault, party: &party::Model, same: &[Uuid], today: NaiveDate) -> Result<Vec<row::Model>, Fault> {
    let mut cases = store::in_force(conn, same, today).await?;
    cases.extend(store::of_representative(conn, vault, party, same, today).await?);
    Ok(cases)
}

/// The parties that a case bears on, in a fixed order, in which they are locked.
async fn reached(conn: &Conn, vault: &Vault, case: &row::Model) -> Result<Vec<party::Model>, Fault> {
    let listed = parties::load(conn, &Scope::everything(), case.party_id).await?;
    let mut ids = parties::one_person(conn, vault, &listed).await?;
    ids.extend(store::followers(conn, vault, case, &ids).await?);
    let mut reached = parties::with_ids(conn, ids).await?;
    reached.sort_by_key(|party| party.id);
    Ok(reached)
}

/// A case has put its person on the list: whomever it bears on is told of, gets no credit (G-11) and grade C (B-02).
pub(crate) async fn begun(write: &mut Write, vault: &Vault, case: &row::Model) -> Result<(), Fault> {
    for party in reached(write, vault, case).await? {
        bear(write, vault, case, &party).await?;
    }
    Ok(())
}

async fn bear(write: &mut Write, vault: &Vault, case: &row::Model, party: &party::Model) -> Result<(), Fault> {
    tell(write, case, party);
    lines::freeze_listed(write, party.id).await?;
    rating::stop(write, vault, party.id).await?;
    Ok(())
}

fn tell(write: &mut Write, case: &row::Model, party: &party::Model) {
    let event = PartyListedDishonest {
        party_id: party.id.to_string(),
        branch: party.branch.clone(),
        conduct_code: case.conduct_code.clone(),
        from_date: case.from_date.map(wire::date),
        until_date: case.until_date.map(wire::date),
    };
    write.event(party.id, &event);
}

/// A listing has ended: those that it bore on are told of, unless something else bears on them.
pub(crate) async fn ended(write: &mut Write, vault: &Vault, case: &row::Model, reason: &str) -> Result<(), Fault> {
    for party in reached(write, vault, case).await? {
        release(write, vault, &party, reason).await?;
    }
    Ok(())
}

async fn release(write: &mut Write, vault: &Vault, party: &party::Model, reason: &str) -> Result<(), Fault> {
    let same = parties::one_person(write, vault, party).await?;
    if bearing(write, vault, party, &same, write.now().date()).await?.is_empty() {
        let event = PartyListingEnded {
            party_id: party.id.to_string(),
            branch: party.branch.clone(),
            reason: reason.to_owned(),
        };
        write.event(party.id, &event);
    }
    Ok(())
}

/// A party was registered: where its person is on the list already, others have to hear of the new number, too.
pub(crate) async fn registered(write: &mut Write, vault: &Vault, party: &party::Model) -> Result<(), Fault> {
    let same = parties::one_person(write, vault, party).await?;
    for case in store::in_force(write, &same, write.now().date()).await? {
        tell(write, &case, party);
    }
    Ok(())
}

/// A listing that bears on a firm through its legal representative.
type Tie = (Uuid, row::Model);

/// The listings that pass through the legal representative of a party: those that it takes along from others, and its own that others do.
pub(crate) async fn ties(write: &Write, vault: &Vault, party: Uuid) -> Result<Vec<Tie>, Fault> {
    let today = write.now().date();
    let party = parties::load(write, &Scope::everything(), party).await?;
    let same = parties::one_person(write, vault, &party).await?;
    let taken = store::of_representative(write, vault, &party, &same, today).await?;
    let mut ties: Vec<_> = taken.into_iter().map(|case| (party.id, case)).collect();
    for case in store::in_force(write, &same, today).await? {
        for follower in store::followers(write, vault, &case, &same).await? {
            ties.push((follower, case.clone()));
        }
    }
    Ok(ties)
}

/// A party has another legal representative: what bears on others or on itself since, and what does no more.
pub(crate) async fn retied(write: &mut Write, vault: &Vault, party: Uuid, before: &[Tie]) -> Result<(), Fault> {
    let after = ties(write, vault, party).await?;
    let among = |(party, case): &Tie, ties: &[Tie]| ties.iter().any(|(other, known)| (other, known.id) == (party, case.id));
    for tie in after.iter().filter(|tie| !among(tie, before)) {
        let party = parties::load(write, &Scope::everything(), tie.0).await?;
        bear(write, vault, &tie.1, &party).await?;
    }
    for tie in before.iter().filter(|tie| !among(tie, &after)) {
        let party = parties::load(write, &Scope::everything(), tie.0).await?;
        release(write, vault, &party, "LEGAL_REPRESENTATIVE_CHANGED").await?;
    }
    Ok(())
}
