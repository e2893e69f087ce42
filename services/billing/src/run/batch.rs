//! The work of a run: its parts each by one worker at a time; of a part the agreements in chunks, loaded in sets, decided by the pure rules, written
//! in sets, one transaction a chunk.

use std::collections::HashSet;

use database::{
    Engine, Write,
    jobs::{Job, Step, Work},
};
use rpc::{Call, Fault};
use sea_orm::{EntityTrait, QuerySelect};
use uuid::Uuid;

use super::{
    chunk::{Loaded, Made, Meters},
    model::{Outcome, RunState, gap},
    store::{self, item, part, run},
};
use crate::{
    Desk, Refusal,
    supply::{
        model::SupplyState,
        store::{self as supplies, supply},
    },
    table,
};

/// Kind of the job.
pub const KIND: &str = "bill-run";

/// Bill runs.
pub struct BillRun(pub Desk);

#[tonic::async_trait]
impl Work for BillRun {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn step(&self, job: &Job) -> Result<Step, Fault> {
        let id = Uuid::from_slice(&job.request).map_err(Fault::internal)?;
        let write = self.open().await?;
        let Some(mut part) = store::take(&write, id).await? else {
            return self.without_part(write, id).await;
        };
        let run = run::Entity::find_by_id(id)
            .one(&*write)
            .await?
            .ok_or_else(|| Fault::not_found("bill run", id))?;
        let size = self.chunk_size();
        let chunk = store::next(&write, &run, &part, size).await?;
        part.done = u64::try_from(chunk.len()).is_ok_and(|len| len < size);
        let ids: Vec<Uuid> = chunk.iter().map(|s| s.id).collect();
        let ordinal = part.ordinal;
        match self.chunk(write, &run, part, chunk).await {
            Err(fault) if !fault.is_transient() && !ids.is_empty() => {
                tracing::warn!(%fault, "a chunk of a bill run failed as a whole; its agreements are tried one by one");
                self.one_by_one(&run, ordinal, ids).await?;
            }
            done => done?,
        }
        self.so_far(&run).await
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

/// Ends a run. One that lost agreements is no success: its job fails.
pub async fn finish(mut write: Write, mut run: run::Model) -> Result<Step, Fault> {
    if run.state == RunState::Running.code() {
        let lost = gap(run.filed.unwrap_or(run.expected), run.met());
        let state = if lost > 0 { RunState::Incomplete } else { RunState::Done };
        state.code().clone_into(&mut run.state);
        run.gap = Some(lost);
        run.finished_at = Some(write.now().micros());
        table::update::<run::Entity>(&write, run.clone()).await?;
        write.subject(run.id);
        write.close().await?;
    }
    if run.state == RunState::Incomplete.code() {
        return Err(Fault::from(Refusal::RunIncomplete).meta("gap", run.gap.unwrap_or(0)));
    }
    let checked = run.bills_held.unwrap_or(0);
    let note = format!(
        "{} bills, {} held, {} held by checks, {} missing, {} parked",
        run.produced, run.held, checked, run.missing, run.parked
    );
    Ok(Step::Done {
        done: run.done(),
        total: run.expected.max(run.done()),
        note,
    })
}

impl BillRun {
    async fn open(&self) -> Result<Write, Fault> {
        self.0.db.open(&Call::background("billing", KIND)).await
    }

    /// Agreements of a chunk: as many as make the statements of it cheap, and as few as callers can wait for whose accounts are in it.
    fn chunk_size(&self) -> u64 {
        match self.0.db.engine() {
            // Three of them are a part.
            Engine::Postgres => 3_400,
            Engine::Sqlite => 2_000,
        }
    }

    /// Splits a run that has no parts yet, leaves one to the workers that have all of them, ends one whose parts are done.
    async fn without_part(&self, write: Write, id: Uuid) -> Result<Step, Fault> {
        let mut run = locked(&write, id).await?.ok_or_else(|| Fault::not_found("bill run", id))?;
        let parts = store::parts(&write, id).await?;
        if parts.iter().any(|part| !part.done) {
            // Another worker may have split the run while this one waited for its lock.
            let free = store::take(&write, id).await?.is_some();
            return Ok(if free { more(&run) } else { Step::Taken });
        }
        if parts.is_empty() && run.state == RunState::Running.code() && store::split(&write, &mut run).await? > 0 {
            let step = more(&run);
            write.close().await?;
            return Ok(step);
        }
        run.sum(&parts);
        store::forget(&write, &run).await?;
        finish(write, run).await
    }

    async fn so_far(&self, run: &run::Model) -> Result<Step, Fault> {
        let mut run = run.clone();
        run.sum(&store::parts(self.0.db.reader(), run.id).await?);
        Ok(more(&run))
    }

    /// One bad agreement must not stop the others: it is parked with the reason of its failure.
    async fn one_by_one(&self, run: &run::Model, ordinal: i32, agreements: Vec<Uuid>) -> Result<(), Fault> {
        for agreement in agreements {
            let write = self.open().await?;
            let Some((part, row)) = still(&write, run, ordinal, agreement).await? else {
                continue;
            };
            match self.chunk(write, run, part, vec![row]).await {
                Err(fault) if !fault.is_transient() => {
                    let mut write = self.open().await?;
                    let Some((mut part, row)) = still(&write, run, ordinal, agreement).await? else {
                        continue;
                    };
                    part.parked = part.parked.saturating_add(1);
                    (part.reached_account, part.reached) = (Some(row.account_id), Some(row.id));
                    table::insert::<item::Entity>(&write, item::Model::of(run, &row, Outcome::Parked, fault.reason())).await?;
                    table::update::<part::Entity>(&write, part).await?;
                    write.subject(run.id);
                    write.close().await?;
                }
                done => done?,
            }
        }
        Ok(())
    }

    /// Bills a chunk of agreements and commits.
    async fn chunk(&self, mut write: Write, run: &run::Model, mut part: part::Model, chunk: Vec<supply::Model>) -> Result<(), Fault> {
        let period = run.period()?;
        if let Some(last) = chunk.last() {
            (part.reached_account, part.reached) = (Some(last.account_id), Some(last.id));
        }
        let (voided, chunk): (Vec<_>, Vec<_>) = chunk.into_iter().partition(|s| s.state == SupplyState::Voided.code());
        part.voided = part.voided.saturating_add(i64::try_from(voided.len()).unwrap_or(i64::MAX));
        if chunk.is_empty() {
            table::update::<part::Entity>(&write, part).await?;
            write.subject(run.id);
            return write.close().await;
        }
        let accounts: Vec<Uuid> = chunk.iter().map(|s| s.account_id).collect::<HashSet<_>>().into_iter().collect();
        supplies::lock_accounts(&write, &accounts).await?;
        let mut loaded = Loaded::of(&write, &chunk, period, Meters::Locked).await?;
        let mut made = Made::default();
        for supply in &chunk {
            let decision = loaded.decide(supply, period)?;
            made.take(run, &mut part, supply, decision, write.now(), &loaded)?;
            loaded.keep(supply.id, &made);
        }
        table::update::<part::Entity>(&write, part).await?;
        made.store(&mut write).await?;
        write.subject(run.id);
        write.close().await
    }
}

/// A part, locked, and an agreement of it that no worker has come to yet.
async fn still(write: &Write, run: &run::Model, ordinal: i32, agreement: Uuid) -> Result<Option<(part::Model, supply::Model)>, Fault> {
    let part = part::Entity::find_by_id((run.id, ordinal)).lock_exclusive().one(&**write).await?;
    let row = supply::Entity::find_by_id(agreement).one(&**write).await?;
    let both = part.zip(row);
    Ok(both.filter(|(part, row)| {
        let reached = part.reached_account.zip(part.reached);
        !part.done && reached.is_none_or(|reached| reached < (row.account_id, row.id))
    }))
}
