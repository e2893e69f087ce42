//! Returns free volume after the tier-years, once a day. What is due is found in the database each time, so a run goes on where one was stopped, and a second
//! one gives nothing.

use std::collections::BTreeSet;

use rpc::{Call, Fault};
use uuid::Uuid;

use super::{model::returns, ops, store};
use crate::{
    Desk,
    tariff::{model::Books, store::books},
};

/// Agreements of low income that are looked at together.
const CHUNK: usize = 300;

/// One run over all households of low income, chunk by chunk; where no tariff returns anything it is over at once.
pub async fn run(desk: &Desk) -> Result<(), Fault> {
    let conn = desk.db.reader();
    let books = books(conn).await?;
    if !books.any(|book| book.versions().iter().any(returns)) {
        return Ok(());
    }
    let mut after = Uuid::nil();
    loop {
        let agreements = store::low_income(conn, after, CHUNK).await?;
        let Some(last) = agreements.last() else { return Ok(()) };
        after = *last;
        let accounts = store::accounts(conn, &agreements).await?;
        let found = ops::due(conn, &books, desk.clock.now().date(), &accounts).await?;
        let accounts: BTreeSet<Uuid> = found.iter().map(ops::Due::account).collect();
        for account in accounts {
            match give(desk, &books, account).await {
                // One bad account must not stop the others.
                Err(fault) if !fault.is_transient() => tracing::warn!(%fault, %account, "a relief was not given"),
                done => done?,
            }
        }
    }
}

/// An account is a transaction of its own, so that nobody waits for those of a whole chunk.
async fn give(desk: &Desk, books: &Books, account: Uuid) -> Result<(), Fault> {
    let mut write = desk.db.open(&Call::background("billing", "return-free-volume")).await?;
    if ops::give(&mut write, books, account).await? {
        write.close().await?;
    }
    Ok(())
}
