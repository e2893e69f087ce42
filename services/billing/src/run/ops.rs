//! Starting a run.

use contracts::hearth::billing::v1::{StartBillRunRequest, StartBillRunResponse};
use database::{Begun, Scope, jobs};
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    batch::KIND,
    model::Period,
    store::{self, run},
};
use crate::{
    Desk, Refusal,
    route::{model::Cycle, store as routes},
    table,
};

/// StartBillRun.
pub async fn start(desk: Desk, call: Call, request: StartBillRunRequest) -> Result<StartBillRunResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let period = u32::try_from(request.month)
        .ok()
        .and_then(|month| Period::new(request.year, month))
        .ok_or_else(|| Fault::invalid("month", "DATE", "there is no such month"))?;
    if write.now().date() < period.last {
        return Err(Refusal::PeriodNotOver.into());
    }
    let book = match &request.book_id {
        Some(id) => Some(routes::one(&write, &Scope::of(&call), wire::id_of("book_id", id)?, &request.branch).await?),
        None => None,
    };
    let branch = book.as_ref().map_or(request.branch.as_str(), |book| &book.branch);
    let id = Uuid::now_v7();
    let job_id = jobs::start(&write, KIND, id.as_bytes()).await?;
    let mut row = run::Model {
        year: request.year,
        month: request.month,
        due_days: request.due_days,
        book_id: book.as_ref().map(|book| book.id),
        cycle: Cycle::of_number(request.cycle).map(|cycle| cycle.code().to_owned()),
        ..run::Model::begun(id, job_id, branch, 0, &write)
    };
    store::expect(&write, &mut row).await?;
    table::insert::<run::Entity>(&write, row).await?;
    write.subject(id);
    write
        .commit(StartBillRunResponse {
            run_id: id.to_string(),
            job_id: job_id.to_string(),
        })
        .await
}
