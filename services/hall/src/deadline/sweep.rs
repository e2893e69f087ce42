//! Sees breaches when they happen, so that they are kept whatever comes later. Callers do not wait for it: what a clock came to is
//! worked out whenever it is looked at.

use calendar::Calendar;
use database::Scope;
use rpc::{Call, Fault};

use super::{model, store};
use crate::Desk;

const BATCH: u64 = 100;

/// One run; says how many clocks it looked at.
pub async fn run(desk: &Desk) -> Result<usize, Fault> {
    let now = desk.clock.now();
    let late = store::late(desk.db.reader(), now, BATCH).await?;
    let mut seen = 0_usize;
    for row in &late {
        // One that stands still is not late.
        if row.clone().settled(now)?.sla.0.is_paused() {
            continue;
        }
        let mut write = desk.db.open(&Call::background("hall", "sweep-deadlines")).await?;
        let mut row = store::lock(&write, &Scope::everything(), row.id).await?;
        if !row.live {
            continue;
        }
        model::settle(&mut row.sla.0, Calendar::china(), write.now()).map_err(store::missing)?;
        row.sla.0.observe(write.now());
        row.keep(&write).await?;
        write.subject(row.id);
        write.close().await?;
        seen = seen.saturating_add(1);
    }
    Ok(seen)
}
