//! Starting a run.

use contracts::hearth::billing::v1::{StartBillRunRequest, StartBillRunResponse};
use database::{Begun, jobs};
use rpc::{Call, Fault};
use sea_orm::PaginatorTrait;
use uuid::Uuid;

use super::{
    batch::KIND,
    model::Period,
    store::{self, run},
};
use crate::{Desk, Refusal, table};

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
    let expected = store::agreements(&request.branch).count(&*write).await?;
    let id = Uuid::now_v7();
    let job_id = jobs::start(&write, KIND, id.as_bytes()).await?;
    let row = run::Model {
        year: request.year,
        month: request.month,
        due_days: request.due_days,
        ..run::Model::begun(id, job_id, &request.branch, expected, &write)
    };
    table::insert::<run::Entity>(&write, row).await?;
    write.subject(id);
    write
        .commit(StartBillRunResponse {
            run_id: id.to_string(),
            job_id: job_id.to_string(),
        })
        .await
}
