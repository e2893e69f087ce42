//! Writes late fees down day by day, in sets. Payments do not wait for it: what is due is worked out whenever it is asked for.

use std::collections::HashSet;

use rpc::{Call, Fault};
use uuid::Uuid;

use super::store;
use crate::{Desk, bill::store::by_ids, profile::store::book, supply::store::lock_accounts};

/// Bills of a chunk.
const CHUNK: u64 = 300;

/// One run: chunk after chunk, each in a transaction of its own, until every overdue bill reaches up to today. It finds what is left in
/// the database, so it goes on where it was stopped, and a second run of a day writes nothing.
pub async fn run(desk: &Desk) -> Result<(), Fault> {
    let today = desk.clock.now().date();
    let book = book(desk.db.reader()).await?;
    let branches = book.with_late_fee();
    if branches.is_empty() {
        return Ok(());
    }
    loop {
        let seen = store::behind(desk.db.reader(), &branches, today, CHUNK).await?;
        if seen.is_empty() {
            return Ok(());
        }
        let mut write = desk.db.open(&Call::background("billing", "accrue-late-fees")).await?;
        let accounts: Vec<Uuid> = seen.iter().map(|b| b.account_id).collect::<HashSet<_>>().into_iter().collect();
        lock_accounts(&write, &accounts).await?;
        let bills = by_ids(&write, &seen.iter().map(|b| b.id).collect::<Vec<_>>()).await?;
        store::settle(&mut write, &bills).await?;
        store::reach(&write, &bills).await?;
        write.close().await?;
    }
}
