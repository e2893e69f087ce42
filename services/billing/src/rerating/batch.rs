//! The work of a re-rating run: one agreement after the other, each in a transaction of its own that holds its outcome too.

use database::{
    Write,
    jobs::{Job, Step, Work},
};
use rpc::{Call, Fault};
use uuid::Uuid;

use super::{
    model::{ReratingState, Verdict},
    ops::correct,
    store::{self, item, rerating},
};
use crate::{Desk, table};

/// Kind of the job.
pub const KIND: &str = "rerating";
/// Agreements of a step: each may have years of bills, and the lease of a job is short.
const STEP: usize = 10;

/// Re-rating runs.
pub struct ReratingRun(pub Desk);

#[tonic::async_trait]
impl Work for ReratingRun {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn step(&self, job: &Job) -> Result<Step, Fault> {
        let id = Uuid::from_slice(&job.request).map_err(Fault::internal)?;
        for _ in 1..STEP {
            match self.next(id).await? {
                Next::Filed => {}
                Next::Ended(step) => return Ok(step),
            }
        }
        match self.next(id).await? {
            Next::Ended(step) => Ok(step),
            Next::Filed => Ok(more(&store::one(self.0.db.reader(), &database::Scope::everything(), id).await?)),
        }
    }
}

/// What came of the next agreement.
enum Next {
    /// It has an outcome.
    Filed,
    /// There is none now.
    Ended(Step),
}

fn more(run: &rerating::Model) -> Step {
    Step::More {
        done: run.seen(),
        total: run.expected.unwrap_or(0),
    }
}

impl ReratingRun {
    /// A write of the run, whose workers queue here: one that has lost its lease finds what another has done meanwhile.
    async fn open(&self, id: Uuid) -> Result<(Write, rerating::Model), Fault> {
        let write = self.0.db.open(&Call::background("billing", KIND)).await?;
        let run = store::locked(&write, id).await?;
        Ok((write, run))
    }

    /// Does the next agreement, after it has found which ones there are.
    async fn next(&self, id: Uuid) -> Result<Next, Fault> {
        let (mut write, mut run) = self.open(id).await?;
        if run.state != ReratingState::Running.code() {
            return Ok(Next::Ended(ended(&run)));
        }
        if store::is_given_up(&write, run.job_id).await? {
            return Ok(Next::Ended(more(&run)));
        }
        if run.expected.is_none() {
            store::find(&write, &mut run).await?;
            let step = more(&run);
            keep(write, run).await?;
            return Ok(Next::Ended(step));
        }
        let Some(item) = store::next(&write, &run).await? else {
            ReratingState::Done.code().clone_into(&mut run.state);
            run.finished_at = Some(write.now().micros());
            let step = ended(&run);
            keep(write, run).await?;
            return Ok(Next::Ended(step));
        };
        let verdict = match correct(&mut write, &self.0, &run, item.agreement_id).await {
            // One bad agreement must not stop the others: it is parked with the reason of its failure.
            Err(fault) if !fault.is_transient() => {
                tracing::warn!(%fault, agreement = %item.agreement_id, "an agreement could not be billed anew");
                Verdict::Parked(fault.reason().to_owned())
            }
            verdict => verdict?,
        };
        if matches!(verdict, Verdict::Corrected(_)) && !run.dry_run {
            file(write, run, &item, verdict).await?;
        } else {
            // All that was tried goes back; only what came of it is written.
            drop(write);
            self.report(id, item.agreement_id, verdict).await?;
        }
        Ok(Next::Filed)
    }

    /// Writes what came of an agreement of which nothing else is written.
    async fn report(&self, id: Uuid, agreement: Uuid, verdict: Verdict) -> Result<(), Fault> {
        let (write, run) = self.open(id).await?;
        match item(&write, id, agreement).await?.filter(|item| item.outcome.is_none()) {
            Some(item) if run.state == ReratingState::Running.code() => file(write, run, &item, verdict).await,
            _ => Ok(()),
        }
    }
}

fn ended(run: &rerating::Model) -> Step {
    Step::Done {
        done: run.seen(),
        total: run.expected.unwrap_or(0),
        note: format!("{} corrected, {} unchanged, {} parked", run.corrected, run.unchanged, run.parked),
    }
}

async fn file(mut write: Write, mut run: rerating::Model, item: &item::Model, verdict: Verdict) -> Result<(), Fault> {
    store::file(&write, &mut run, item, verdict).await?;
    write.subject(item.agreement_id);
    keep(write, run).await
}

async fn keep(mut write: Write, run: rerating::Model) -> Result<(), Fault> {
    write.subject(run.id);
    table::update::<rerating::Entity>(&write, run).await?;
    write.close().await
}
