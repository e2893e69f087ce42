//! The work of heat runs: agreements in chunks, one transaction a chunk, season bills before the season and settlements after it.

use calendar::Instant;
use database::{
    Write,
    jobs::{Job, Step, Work},
};
use rpc::{Call, Fault};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::{
    decide::{Assessed, Assessing, SeasonBill, Settlement, SettlementBill, Settling},
    model::{Action, HeatState, outcome, step},
    store::{account, season},
};
use crate::{
    Desk,
    bill::{
        issue::{issue, issue_in_turn},
        ops::{settle_others, take_all_back},
        store::{bill, explanation, line},
    },
    run::{
        batch::{finish, locked, more},
        model::{Outcome, Purpose, RunState},
        store::{item, run},
    },
    supply::{
        model::Service,
        store::{self as supplies, supply},
    },
    table,
};

/// Kind of the job.
pub const KIND: &str = "heat-run";
/// Agreements of a chunk.
const CHUNK: u64 = 100;

/// Heat runs.
pub struct HeatRun(pub Desk);

#[tonic::async_trait]
impl Work for HeatRun {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn step(&self, job: &Job) -> Result<Step, Fault> {
        let id = Uuid::from_slice(&job.request).map_err(Fault::internal)?;
        match self.chunk(id, CHUNK).await {
            Err(fault) if !fault.is_transient() => {
                tracing::warn!(%fault, "a chunk of a heat run failed as a whole; its agreements are tried one by one");
            }
            done => return done,
        }
        match self.chunk(id, 1).await {
            // One bad agreement must not stop the others: it is parked with the reason of its failure.
            Err(fault) if !fault.is_transient() => self.park(id, fault.reason()).await,
            done => done,
        }
    }
}

/// The agreements on file that a season may be billed to, the voided ones among them. Who is filed after a run began is left to the next run, so that it comes to
/// exactly those that it counted.
pub fn agreements(branch: &str, filed_until: Option<i64>) -> Select<supply::Entity> {
    let select = supply::Entity::find()
        .filter(supply::Column::Service.eq(Service::Heat.code()))
        .filter(supply::Column::Branch.eq(branch));
    match filed_until {
        Some(last) => select.filter(supply::Column::FiledNo.lte(last)),
        None => select,
    }
}

impl HeatRun {
    async fn open(&self) -> Result<Write, Fault> {
        self.0.db.open(&Call::background("billing", KIND)).await
    }

    async fn chunk(&self, id: Uuid, count: u64) -> Result<Step, Fault> {
        let write = self.open().await?;
        let run = locked(&write, id).await?.ok_or_else(|| Fault::not_found("bill run", id))?;
        let season = season_of(&write, &run).await?;
        if run.state != RunState::Running.code() {
            return finish(write, run).await;
        }
        if run.purpose()? == Purpose::HeatSettlement {
            self.settle(write, run, season, count).await
        } else {
            self.assess(write, run, season, count).await
        }
    }

    /// Issues season bills.
    async fn assess(&self, mut write: Write, mut run: run::Model, season: season::Model, count: u64) -> Result<Step, Fault> {
        let chunk = next_supplies(&write, &run, count).await?;
        let Some(last) = chunk.last().map(|s| s.id) else {
            return finish(write, run).await;
        };
        lock(&write, chunk.iter().map(|s| s.account_id)).await?;
        let loaded = Assessing::of(&write, &season, &chunk).await?;
        let now = write.now();
        let mut made = Made::default();
        for supply in &chunk {
            match loaded.decide(supply, now)? {
                Assessed::Voided => run.voided = Some(run.voided.unwrap_or(0).saturating_add(1)),
                Assessed::NotDue => run.not_due = run.not_due.saturating_add(1),
                Assessed::Already => run.already = run.already.saturating_add(1),
                Assessed::Parked(reason) => made.without(&mut run, supply, Outcome::Parked, reason),
                Assessed::Bill(due) => made.assess(&mut run, &season, supply, *due, now)?,
            }
        }
        run.reached = Some(last);
        let (bills, lines, explanations) = made.take();
        issue(&mut write, bills, lines, explanations).await?;
        made.close(write, run).await
    }

    /// Settles a season.
    async fn settle(&self, mut write: Write, mut run: run::Model, season: season::Model, count: u64) -> Result<Step, Fault> {
        let chunk = next_accounts(&write, &run, season.id, count).await?;
        let Some(last) = chunk.last().map(|a| a.id) else {
            return finish(write, run).await;
        };
        lock(&write, chunk.iter().map(|a| a.account_id)).await?;
        let loaded = Settling::of(&write, &season, &chunk).await?;
        let today = write.now().date();
        let mut made = Made::default();
        let mut settled = vec![];
        for mut account in chunk {
            let supply = loaded.supply(&account)?;
            match loaded.decide(&account, today)? {
                Settlement::Already => run.already = run.already.saturating_add(1),
                Settlement::Missing(reason) => made.without(&mut run, supply, Outcome::Missing, reason),
                Settlement::Parked(reason) => made.without(&mut run, supply, Outcome::Parked, reason),
                Settlement::Stands(old) => {
                    account.settled_date = Some(today);
                    account.charged = Some(old.bill.amount);
                    account.state = step(old.state, outcome(old.bill.amount, old.bill.paid))?.code().to_owned();
                    run.already = run.already.saturating_add(1);
                    made.keep(account, false);
                }
                Settlement::Bill(due) => {
                    let (bill, lines, explanation) = due.bill(&season, supply, today, run.due_days, Some(run.id)).rows(write.now());
                    made.bill(bill, lines, explanation);
                    settled.push((account, *due));
                }
            }
        }
        run.reached = Some(last);
        // Numbers are drawn when all is decided (B24).
        let old = settled.iter().map(|(_, due)| due.old.bill.clone()).collect();
        take_all_back(&mut write, old, "settlement of the season").await?;
        let (bills, lines, explanations) = made.take();
        let issued = issue_in_turn(&mut write, bills, lines, explanations).await?;
        for ((mut account, due), bill) in settled.into_iter().zip(&issued) {
            account.settled_date = Some(today);
            if settle_by(&mut run, &mut account, &due, bill)? {
                settle_others(&mut write, account.account_id).await?;
            }
            made.keep(account, false);
        }
        made.close(write, run).await
    }

    /// Passes over the next agreement, with the reason of its failure.
    async fn park(&self, id: Uuid, reason: &str) -> Result<Step, Fault> {
        let write = self.open().await?;
        let mut run = locked(&write, id).await?.ok_or_else(|| Fault::not_found("bill run", id))?;
        let season = season_of(&write, &run).await?;
        let (reached, agreement) = if run.purpose()? == Purpose::HeatSettlement {
            let next = next_accounts(&write, &run, season.id, 1).await?;
            next.first().map(|a| (a.id, a.agreement_id)).unzip()
        } else {
            let next = next_supplies(&write, &run, 1).await?;
            next.first().map(|s| (s.id, s.id)).unzip()
        };
        let supply = match agreement {
            Some(agreement) => supply::Entity::find_by_id(agreement).one(&*write).await?,
            None => None,
        };
        let Some(supply) = supply else {
            return finish(write, run).await;
        };
        let mut made = Made::default();
        made.without(&mut run, &supply, Outcome::Parked, reason);
        run.reached = reached;
        made.close(write, run).await
    }
}

/// Notes that a season was billed by meter in the place of its bill by area. Whether more is paid than is due.
fn settle_by(run: &mut run::Model, account: &mut account::Model, due: &SettlementBill<'_>, bill: &bill::Model) -> Result<bool, Fault> {
    account.bill_id = Some(bill.id);
    account.by_meter = Some(due.settled.by_meter);
    account.charged = Some(bill.amount);
    account.energy = Some(due.used.energy);
    due.used.unit.code().clone_into(&mut account.energy_unit);
    let action = outcome(bill.amount, due.old.bill.paid.max(bill.paid));
    let mut state = step(due.old.state, action)?;
    let is_surplus = action == Action::SettleRefund;
    if is_surplus && due.settled.carries_over {
        state = step(state, Action::Close)?;
    }
    state.code().clone_into(&mut account.state);
    run.produced = run.produced.saturating_add(1);
    run.amount = run.amount.saturating_add(bill.amount);
    Ok(is_surplus)
}

async fn season_of(write: &Write, run: &run::Model) -> Result<season::Model, Fault> {
    let name = run.season.as_deref().unwrap_or_default();
    season(write, &database::Scope::everything(), &run.branch, name).await
}

async fn next_supplies(write: &Write, run: &run::Model, count: u64) -> Result<Vec<supply::Model>, Fault> {
    let mut select = agreements(&run.branch, run.filed_until).order_by_asc(supply::Column::Id).limit(count);
    if let Some(reached) = run.reached {
        select = select.filter(supply::Column::Id.gt(reached));
    }
    Ok(select.all(&**write).await?)
}

async fn next_accounts(write: &Write, run: &run::Model, season: Uuid, count: u64) -> Result<Vec<account::Model>, Fault> {
    let mut select = account::Entity::find()
        .filter(account::Column::SeasonId.eq(season))
        .order_by_asc(account::Column::Id)
        .limit(count);
    if let Some(reached) = run.reached {
        select = select.filter(account::Column::Id.gt(reached));
    }
    Ok(select.all(&**write).await?)
}

async fn lock(write: &Write, accounts: impl Iterator<Item = Uuid>) -> Result<(), Fault> {
    let mut accounts: Vec<Uuid> = accounts.collect();
    accounts.sort_unstable();
    accounts.dedup();
    supplies::lock_accounts(write, &accounts).await
}

/// What a chunk writes beside its bills.
#[derive(Default)]
struct Made {
    bills: Vec<bill::Model>,
    lines: Vec<line::Model>,
    explanations: Vec<explanation::Model>,
    fresh: Vec<account::Model>,
    changed: Vec<account::Model>,
    items: Vec<item::Model>,
}

impl Made {
    fn assess(&mut self, run: &mut run::Model, season: &season::Model, supply: &supply::Model, due: SeasonBill<'_>, now: Instant) -> Result<(), Fault> {
        let (bill, lines, explanation) = due.bill(season, supply, now.date(), Some(run.id)).rows(now);
        let SeasonBill { mut account, fresh, .. } = due;
        account.state = step(HeatState::Enrolled, Action::Assess)?.code().to_owned();
        account.bill_id = Some(bill.id);
        account.by_area = Some(bill.amount);
        run.produced = run.produced.saturating_add(1);
        run.amount = run.amount.saturating_add(bill.amount);
        self.bill(bill, lines, explanation);
        self.keep(account, fresh);
        Ok(())
    }

    fn bill(&mut self, bill: bill::Model, lines: Vec<line::Model>, explanation: explanation::Model) {
        self.bills.push(bill);
        self.lines.extend(lines);
        self.explanations.push(explanation);
    }

    /// The new bills with their lines and explanations.
    fn take(&mut self) -> (Vec<bill::Model>, Vec<line::Model>, Vec<explanation::Model>) {
        (
            std::mem::take(&mut self.bills),
            std::mem::take(&mut self.lines),
            std::mem::take(&mut self.explanations),
        )
    }

    fn keep(&mut self, mut account: account::Model, fresh: bool) {
        if fresh {
            self.fresh.push(account);
        } else {
            account.version = account.version.saturating_add(1);
            self.changed.push(account);
        }
    }

    fn without(&mut self, run: &mut run::Model, supply: &supply::Model, outcome: Outcome, reason: &str) {
        let count = if outcome == Outcome::Missing { &mut run.missing } else { &mut run.parked };
        *count = count.saturating_add(1);
        self.items.push(item::Model::of(run, supply, outcome, reason));
    }

    async fn close(self, mut write: Write, run: run::Model) -> Result<Step, Fault> {
        let mut digest = vec![];
        for account in self.fresh.iter().chain(&self.changed) {
            digest.extend_from_slice(account.id.as_bytes());
            digest.extend_from_slice(&account.charged.or(account.by_area).unwrap_or(0).to_be_bytes());
        }
        write.digest(&digest);
        table::insert_all::<account::Entity>(&write, self.fresh).await?;
        for account in self.changed {
            table::update::<account::Entity>(&write, account).await?;
        }
        table::insert_all::<item::Entity>(&write, self.items).await?;
        table::update::<run::Entity>(&write, run.clone()).await?;
        write.subject(run.id);
        write.close().await?;
        Ok(more(&run))
    }
}
