//! `hearth bench bill-run`.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use calendar::Clock;
use database::{Database, Engine, jobs};
use sea_orm::{ConnectionTrait, Statement};
use tokio::task::JoinSet;

use super::{
    cost::{Cost, Meter, peak},
    figures::{Way, keep, publish, table},
    place::{Args, Place},
    reference,
    rows::{Table, fill, now, written},
};
use crate::say::say;

/// Bill a month of agreements with three annual tiers.
#[derive(clap::Args)]
pub struct BillRun {
    #[command(flatten)]
    place: Args,
    /// Agreements, each with one reading.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    agreements: i64,
    /// Rounds of every way, in turn.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Replicas of the service on the one database, of which the runs with one are compared with this many.
    #[arg(long, value_name = "N", default_value_t = 1)]
    replicas: usize,
    /// Only our own run, without references: for large numbers.
    #[arg(long)]
    alone: bool,
    /// Page to write the table into.
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
}

impl BillRun {
    pub async fn run(self) -> Result<ExitCode> {
        let clock = Clock::simulated(now()?);
        let place = self.place.open().await?;
        say(format!("filling a database with {} agreements", self.agreements))?;
        fill(&place, &clock, self.agreements).await?;
        let before = peak()?;
        let mut ways = vec![Way::new("bill run", (None, None))];
        if self.replicas > 1 {
            ways.push(Way::new("bill run, one replica", (None, Some(110))));
        }
        let copies = place.engine() == Engine::Postgres && !self.alone;
        if !self.alone {
            let goals = if copies { (Some(120), Some(90)) } else { (Some(60), None) };
            ways.push(Way::new("one INSERT … SELECT for each table", goals));
        }
        if copies {
            ways.push(Way::new("COPY of the finished rows", (Some(60), None)));
        }
        if let Some(ours) = ways.first_mut().filter(|_| self.replicas > 1) {
            ours.name = format!("bill run, {} replicas", self.replicas);
        }
        let mut own = 0;
        for round in 1..=self.rounds {
            let db = place.round(&clock).await?;
            let mut costs = vec![once(&place, &db, &clock, self.agreements, self.replicas).await?];
            // Later the comparison of the round before is in it.
            if round == 1 {
                own = peak()?.saturating_sub(before);
            }
            let result = written(&db, self.agreements).await?;
            let rows = if copies {
                Some(reference::finished(&place.pool().await?).await?)
            } else {
                None
            };
            db.close().await;
            if self.replicas > 1 {
                let db = place.round(&clock).await?;
                costs.push(once(&place, &db, &clock, self.agreements, 1).await?);
                self.compare(&db, &result).await?;
                db.close().await;
            }
            if !self.alone {
                let db = place.round(&clock).await?;
                let meter = Meter::begin(&db).await?;
                reference::set(&db, now()?.micros()).await?;
                costs.push(meter.end()?);
                self.compare(&db, &result).await?;
                db.close().await;
            }
            if let Some(rows) = rows {
                let db = place.round(&clock).await?;
                let pool = place.pool().await?;
                let meter = Meter::begin(&db).await?;
                reference::copy(&pool, &rows).await?;
                costs.push(meter.end()?);
                self.compare(&db, &result).await?;
                pool.close().await;
                db.close().await;
            }
            keep(round, &mut ways, costs)?;
        }
        let engine = place.engine_name();
        let text = format!(
            "{engine}, {} agreements, medians of {} rounds; memory of the process grew by {} MiB in the first round.\n\n{}",
            self.agreements,
            self.rounds,
            own.div_ceil(1024),
            table(&ways, self.agreements.unsigned_abs(), "bills")
        );
        let alone = if self.alone { " alone" } else { "" };
        publish(
            &format!("bill-run {engine} {} agreements, {} replicas{alone}", self.agreements, self.replicas),
            &text,
            self.into.as_deref(),
        )?;
        place.close().await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn compare(&self, db: &Database, ours: &[Table]) -> Result<()> {
        let theirs = written(db, self.agreements).await?;
        for (ours, theirs) in ours.iter().zip(&theirs) {
            ensure!(ours == theirs, "the rows differ:\n{ours:#?}\n{theirs:#?}");
        }
        Ok(())
    }
}

/// Runs the bills as the service does, in so many replicas.
pub async fn once(place: &Place, db: &Database, clock: &Clock, agreements: i64, replicas: usize) -> Result<Cost> {
    let job = start(db, agreements).await?;
    let mut all = vec![db.clone()];
    while all.len() < replicas {
        all.push(place.replica(clock).await?);
    }
    let meter = Meter::begin(db).await?;
    let mut workers = JoinSet::new();
    for db in &all {
        let work = billing::bill_runs(db.clone(), clock.clone())?;
        workers.spawn(jobs::work_forever(db.clone(), vec![Arc::clone(&work)]));
    }
    loop {
        match state(db, &job).await?.as_str() {
            "QUEUED" | "RUNNING" => tokio::time::sleep(Duration::from_millis(10)).await,
            "SUCCEEDED" => break,
            other => bail!("the run is {other}"),
        }
    }
    let cost = meter.end()?;
    workers.shutdown().await;
    for other in all.iter().skip(1) {
        other.close().await;
    }
    Ok(cost)
}

/// Asks for a run, as StartBillRun does. Gives the id of its job.
async fn start(db: &Database, agreements: i64) -> Result<String> {
    let (run, job) = ("00000000000000000000000000000001", "00000000000000000000000000000002");
    let bytes = |hex: &str| match db.engine() {
        Engine::Postgres => format!("decode('{hex}', 'hex')"),
        Engine::Sqlite => format!("unhex('{hex}')"),
    };
    let id = |hex: &str| match db.engine() {
        Engine::Postgres => format!("CAST('{hex}' AS uuid)"),
        Engine::Sqlite => bytes(hex),
    };
    for sql in [
        format!(
            "INSERT INTO bill_run (id, job_id, year, month, branch, due_days, state, expected, produced, already, held, missing, parked, skipped, not_due, amount, created_at)
             VALUES ({}, {}, 2025, 7, '', 0, 'RUNNING', {agreements}, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
            id(run),
            id(job)
        ),
        format!(
            "INSERT INTO job (id, kind, state, request, done, total, note, requested_by, created_at, updated_at, failures)
             VALUES ({}, 'bill-run', 'QUEUED', {}, 0, 0, '', 'bench', 0, 0, 0)",
            id(job),
            bytes(run)
        ),
    ] {
        db.writer().execute_unprepared(&sql).await?;
    }
    Ok(id(job))
}

async fn state(db: &Database, job: &str) -> Result<String> {
    let sql = format!("SELECT state FROM job WHERE id = {job}");
    let ask = Statement::from_string(db.reader().get_database_backend(), sql);
    let row = db.reader().query_one_raw(ask).await?.context("the job is gone")?;
    Ok(row.try_get_by_index(0)?)
}
