//! Tells how many promises were kept and broken, once for each month that has ended (S-04).

use std::collections::BTreeMap;

use calendar::{Instant, NaiveDate};
use rpc::{Call, Fault};
use uuid::Uuid;

use super::{
    model::{Figures, decided, month_before, month_of, tally, told_in},
    store,
};
use crate::{Desk, deadline};

/// One run; says how many clocks it counted.
pub async fn run(desk: &Desk) -> Result<usize, Fault> {
    let this_month = month_of(desk.clock.now().date());
    let last_month = month_before(this_month);
    if store::last_month(desk.db.reader()).await?.is_some_and(|told| told >= last_month) {
        return Ok(0);
    }
    // A breach of the month that nobody has seen yet is waited for; the sweep of the clocks is at it.
    let month_end = Instant::start_of(this_month);
    if !deadline::store::late(desk.db.reader(), month_end, 1).await?.is_empty() {
        return Ok(0);
    }
    if !deadline::store::has_uncounted(desk.db.reader()).await? {
        store::told(desk.db.writer(), last_month, desk.clock.now().micros()).await?;
        return Ok(0);
    }
    tell(desk, this_month, last_month).await
}

async fn tell(desk: &Desk, this_month: NaiveDate, last_month: NaiveDate) -> Result<usize, Fault> {
    let mut write = desk.db.open(&Call::background("hall", "tell-figures")).await?;
    let told = store::last_month(&write).await?;
    if told.is_some_and(|told| told >= last_month) {
        return Ok(0);
    }
    let mut figures = Figures::new();
    let mut counted: BTreeMap<NaiveDate, Vec<Uuid>> = BTreeMap::new();
    for row in deadline::store::uncounted(&write).await? {
        let Some((kept, at)) = decided(&row.sla.0) else { continue };
        let Some(month) = told_in(at.date(), told, this_month) else { continue };
        tally(&mut figures, month, &row.subject, row.clock, kept);
        counted.entry(month).or_default().push(row.id);
    }
    for (month, ids) in &counted {
        deadline::store::count(&write, ids, *month).await?;
    }
    store::keep(&write, figures).await?;
    store::told(&write, last_month, write.now().micros()).await?;
    write.subject(last_month);
    write.close().await?;
    Ok(counted.values().map(Vec::len).sum())
}
