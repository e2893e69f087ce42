//! Ends listings whose term is over (G-09). Nothing waits for it: whether a listing holds is decided by its days wherever it is asked for.

use database::Scope;
use rpc::{Call, Fault};

use super::{
    model::{Action, ON_THE_LIST, step},
    ops, store,
};
use crate::Desk;

const BATCH: u64 = 100;

/// One run; says how many listings ended.
pub(crate) async fn run(desk: &Desk) -> Result<usize, Fault> {
    let over = store::over(desk.db.reader(), desk.db.clock().now().date(), BATCH).await?;
    for case in &over {
        let mut write = desk.db.open(&Call::background("archive", "sweep-listings")).await?;
        let etag = rpc::etag(case.id, case.version);
        let mut case = match store::lock(&write, &Scope::everything(), case.id, &etag).await {
            Ok(case) => case,
            // Somebody moved it meanwhile: the next run looks again.
            Err(fault) if fault.reason() == "ETAG_MISMATCH" => continue,
            Err(fault) => return Err(fault),
        };
        let state = case.stands()?;
        if !ON_THE_LIST.contains(&state) {
            continue;
        }
        case.state = step(state, Action::Expire)?.code().to_owned();
        ops::ended(desk, &mut write, &mut case, "EXPIRED").await?;
        write.close().await?;
    }
    Ok(over.len())
}
