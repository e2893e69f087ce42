//! The work of a run: agreements in chunks, loaded in sets, decided by the pure rules, written in sets, one transaction a chunk.

use std::collections::HashSet;

use database::{
    Write,
    jobs::{Job, Step, Work},
};
use rpc::{Call, Fault};
use sea_orm::{EntityTrait, QuerySelect};
use uuid::Uuid;

use super::{
    chunk::{Loaded, Made, Meters},
    model::{Outcome, RunState},
    store::{self, item, run},
};
use crate::{
    Desk,
    supply::store::{self as supplies, supply},
    table,
};

/// Kind of the job.
pub const KIND: &str = "bill-run";
/// Agreements of a chunk.
const CHUNK: u64 = 300;

/// Bill runs.
pub struct BillRun(pub Desk);

#[tonic::async_trait]
impl Work for BillRun {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn step(&self, job: &Job) -> Result<Step, Fault> {
        let id = Uuid::from_slice(&job.request).map_err(Fault::internal)?;
        let write = self.open().await?;
        let Some(run) = locked(&write, id).await? else {
            return Err(Fault::not_found("bill run", id));
        };
        let chunk = store::next(&write, &run, CHUNK).await?;
        if run.state == RunState::Done.code() || chunk.is_empty() {
            return finish(write, run).await;
        }
        let ids: Vec<Uuid> = chunk.iter().map(|s| s.id).collect();
        match self.chunk(write, run, chunk).await {
            Ok(run) => Ok(more(&run)),
            Err(fault) if fault.is_transient() => Err(fault),
            Err(fault) => {
                tracing::warn!(%fault, "a chunk of a bill run failed as a whole; its agreements are tried one by one");
                self.one_by_one(id, ids).await
            }
        }
    }
}

/// How far a run has come.
pub fn more(run: &run::Model) -> Step {
    Step::More {
        done: run.done(),
        total: run.expected.max(run.done()),
    }
}

/// A run, locked: its workers queue here.
pub async fn locked(write: &Write, id: Uuid) -> Result<Option<run::Model>, Fault> {
    Ok(run::Entity::find_by_id(id).lock_exclusive().one(&**write).await?)
}

/// Ends a run.
pub async fn finish(mut write: Write, mut run: run::Model) -> Result<Step, Fault> {
    if run.state != RunState::Done.code() {
        run.state = RunState::Done.code().to_owned();
        run.finished_at = Some(write.now().micros());
        run.expected = run.done();
        table::update::<run::Entity>(&write, run.clone()).await?;
        write.subject(run.id);
        write.close().await?;
    }
    let checked = run.bills_held.unwrap_or(0);
    let note = format!(
        "{} bills, {} held, {} held by checks, {} missing, {} parked",
        run.produced, run.held, checked, run.missing, run.parked
    );
    Ok(Step::Done {
        done: run.done(),
        total: run.expected,
        note,
    })
}

impl BillRun {
    async fn open(&self) -> Result<Write, Fault> {
        self.0.db.open(&Call::background("billing", KIND)).await
    }

    /// One bad agreement must not stop the others: it is parked with the reason of its failure.
    async fn one_by_one(&self, id: Uuid, agreements: Vec<Uuid>) -> Result<Step, Fault> {
        let mut step = None;
        for agreement in agreements {
            let write = self.open().await?;
            let Some(run) = locked(&write, id).await? else { continue };
            if run.reached.is_some_and(|reached| reached >= agreement) {
                continue;
            }
            let Some(row) = supply::Entity::find_by_id(agreement).one(&*write).await? else {
                continue;
            };
            let run = match self.chunk(write, run, vec![row.clone()]).await {
                Ok(run) => run,
                Err(fault) if fault.is_transient() => return Err(fault),
                Err(fault) => {
                    let mut write = self.open().await?;
                    let Some(mut run) = locked(&write, id).await? else { continue };
                    let mut made = Made::default();
                    made.item(&run, &row, Outcome::Parked, fault.reason());
                    run.parked = run.parked.saturating_add(1);
                    run.reached = Some(agreement);
                    table::insert_all::<item::Entity>(&write, made.items).await?;
                    table::update::<run::Entity>(&write, run.clone()).await?;
                    write.subject(id);
                    write.close().await?;
                    run
                }
            };
            step = Some(more(&run));
        }
        step.ok_or_else(|| Fault::aborted("CONTENTION", "another worker took the chunk"))
    }

    /// Bills a chunk of agreements and commits.
    async fn chunk(&self, mut write: Write, mut run: run::Model, chunk: Vec<supply::Model>) -> Result<run::Model, Fault> {
        let period = run.period()?;
        let accounts: Vec<Uuid> = chunk.iter().map(|s| s.account_id).collect::<HashSet<_>>().into_iter().collect();
        supplies::lock_accounts(&write, &accounts).await?;
        let mut loaded = Loaded::of(&write, &chunk, period, Meters::Locked).await?;
        let mut made = Made::default();
        for supply in &chunk {
            let decision = loaded.decide(supply, period)?;
            loaded.keep(supply.id, &decision);
            made.take(&mut run, supply, decision, write.now(), &loaded)?;
        }
        run.reached = chunk.last().map(|s| s.id).or(run.reached);
        made.store(&mut write, period).await?;
        table::update::<run::Entity>(&write, run.clone()).await?;
        write.subject(run.id);
        write.close().await?;
        Ok(run)
    }
}
