//! The work of heat runs: agreements in chunks, one transaction a chunk, season bills before the season and settlements after it.

use std::collections::HashMap;

use database::{
    Write,
    jobs::{Job, Step, Work},
};
use rpc::{Call, Fault};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::{
    model::{self, Action, Asked, HeatMethod, HeatState, Index, Moment, energy, outcome, standing, step},
    ops::{after, season_due},
    rows::{Bill, Used, enrolled},
    store::{self, account, season},
};
use crate::{
    Desk,
    bill::{
        issue::issue,
        model::BillKind,
        ops::{settle_others, take_back},
        store::{bill, explanation, line},
    },
    meter::store::{self as meters, installation, meter},
    run::{
        batch::{finish, locked, more},
        model::{Outcome, Purpose, RunState},
        store::{item, run},
    },
    supply::{
        model::{Service, SupplyState},
        store::{self as supplies, supply},
    },
    table,
    tariff::{
        heat::{EnergyUnit, HeatBook},
        store::heat_book,
    },
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

/// The agreements on file that a season may be billed to, the voided ones among them.
pub fn agreements(branch: &str) -> Select<supply::Entity> {
    supply::Entity::find()
        .filter(supply::Column::Service.eq(Service::Heat.code()))
        .filter(supply::Column::Branch.eq(branch))
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
        let ids: Vec<Uuid> = chunk.iter().map(|s| s.id).collect();
        lock(&write, chunk.iter().map(|s| s.account_id)).await?;
        let terms = supplies::terms(&write, &ids).await?;
        let mut there = store::in_season(&write, season.id, &ids).await?;
        let before = store::before(&write, season.start_date, &ids).await?;
        let book = heat_book(&write).await?;
        let (now, due) = (write.now(), season_due(&season, write.now().date()));
        let mut made = Made::default();
        for supply in &chunk {
            if supply.state == SupplyState::Voided.code() {
                run.voided = Some(run.voided.unwrap_or(0).saturating_add(1));
                continue;
            }
            let known = there.remove(&supply.id);
            let fresh = known.is_none();
            let mut account = match known {
                Some(account) => account,
                // Who was charged in an earlier season goes on with the same area until something else is said.
                None => match before.get(&supply.id) {
                    Some(earlier) => account::Model {
                        document_reference: earlier.document_reference.clone(),
                        entered_by: earlier.entered_by.clone(),
                        ..enrolled(&season, supply, &earlier.basis()?, now.micros())
                    },
                    None if is_heated(supply, &season) => {
                        made.without(&mut run, supply, Outcome::Parked, "HEAT_NOT_ENROLLED");
                        continue;
                    }
                    None => {
                        run.not_due = run.not_due.saturating_add(1);
                        continue;
                    }
                },
            };
            if account.kept()? != HeatState::Enrolled {
                run.already = run.already.saturating_add(1);
                continue;
            }
            if !is_heated(supply, &season) {
                run.not_due = run.not_due.saturating_add(1);
                continue;
            }
            let own = supplies::terms_of(supply, terms.iter().filter(|t| t.agreement_id == supply.id));
            let priced = own
                .class(season.start_date)
                .ok_or("USE_CLASS_MISSING")
                .and_then(|class| book.price(class, season.start_date).ok_or("TARIFF_MISSING"));
            let basis = account.basis()?;
            match priced.and_then(|price| model::assess(price, &basis).map(|draft| (price, draft))) {
                Ok((price, draft)) => {
                    let bill = Bill {
                        season: &season,
                        supply,
                        kind: BillKind::HeatSeason,
                        price,
                        draft: &draft,
                        due,
                        run: Some(run.id),
                        energy: None,
                    };
                    let (bill, lines, explanation) = bill.rows(now);
                    account.state = step(HeatState::Enrolled, Action::Assess)?.code().to_owned();
                    account.bill_id = Some(bill.id);
                    account.by_area = Some(bill.amount);
                    run.produced = run.produced.saturating_add(1);
                    run.amount = run.amount.saturating_add(bill.amount);
                    made.bills.push(bill);
                    made.lines.extend(lines);
                    made.explanations.push(explanation);
                    made.keep(account, fresh);
                }
                Err(reason) => made.without(&mut run, supply, Outcome::Parked, reason),
            }
        }
        run.reached = Some(last);
        let (bills, lines, explanations) = (
            std::mem::take(&mut made.bills),
            std::mem::take(&mut made.lines),
            std::mem::take(&mut made.explanations),
        );
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
        let loaded = Loaded::of(&write, &season, &chunk).await?;
        let (now, today) = (write.now(), write.now().date());
        let mut made = Made::default();
        let mut surplus = vec![];
        for mut account in chunk {
            let Some(supply) = loaded.supplies.get(&account.agreement_id) else {
                return Err(Fault::internal("an agreement in a season that is not there"));
            };
            match account.kept()? {
                HeatState::Assessed => {}
                HeatState::Enrolled => {
                    made.without(&mut run, supply, Outcome::Parked, "HEAT_NOT_ASSESSED");
                    continue;
                }
                _ => {
                    run.already = run.already.saturating_add(1);
                    continue;
                }
            }
            let old = account
                .bill_id
                .and_then(|id| loaded.bills.get(&id))
                .cloned()
                .ok_or_else(|| Fault::internal("a season without its bill"))?;
            let asked = Asked {
                amount: old.amount,
                paid: old.paid,
                ahead: 0,
            };
            let state = standing(HeatState::Assessed, season.span(), asked, today)?;
            let basis = account.basis()?;
            account.settled_date = Some(today);
            if basis.method == HeatMethod::Area || !account.meter_fault.is_empty() {
                account.charged = Some(old.amount);
                account.state = step(state, outcome(old.amount, old.paid))?.code().to_owned();
                run.already = run.already.saturating_add(1);
                made.keep(account, false);
                continue;
            }
            let decided = loaded.indexes(&account, &season).and_then(|indexes| {
                let (energy, unit) = energy(&indexes)?;
                let price = loaded.book.price(&old.use_class, season.start_date).ok_or("TARIFF_MISSING")?;
                let settled = model::settle(price, &basis, energy, unit)?;
                Ok((price, settled, used(&indexes, energy.watt_hours(), unit)))
            });
            let (price, settled, used) = match decided {
                Ok(decided) => decided,
                Err("SEASON_READING_MISSING") => {
                    made.without(&mut run, supply, Outcome::Missing, "SEASON_READING_MISSING");
                    continue;
                }
                Err(reason) => {
                    made.without(&mut run, supply, Outcome::Parked, reason);
                    continue;
                }
            };
            let paid = old.paid;
            take_back(&mut write, old, "settlement of the season").await?;
            let bill = Bill {
                season: &season,
                supply,
                kind: BillKind::HeatSettlement,
                price,
                draft: &settled.charged,
                due: after(today, run.due_days),
                run: Some(run.id),
                energy: Some(used),
            };
            let (bill, lines, explanation) = bill.rows(now);
            let issued = issue(&mut write, vec![bill], lines, vec![explanation]).await?;
            let Some(bill) = issued.first() else { continue };
            account.bill_id = Some(bill.id);
            account.by_meter = Some(settled.by_meter);
            account.charged = Some(bill.amount);
            account.energy = Some(used.energy);
            account.energy_unit = used.unit.code().to_owned();
            let action = outcome(bill.amount, paid.max(bill.paid));
            let mut state = step(state, action)?;
            if action == Action::SettleRefund {
                surplus.push(account.account_id);
                if settled.carries_over {
                    state = step(state, Action::Close)?;
                }
            }
            account.state = state.code().to_owned();
            run.produced = run.produced.saturating_add(1);
            run.amount = run.amount.saturating_add(bill.amount);
            made.keep(account, false);
        }
        run.reached = Some(last);
        for account in surplus {
            settle_others(&mut write, account).await?;
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

/// Whether an agreement is in force in a season.
fn is_heated(supply: &supply::Model, season: &season::Model) -> bool {
    supply.state == SupplyState::InForce.code() && supply.from_date.is_some_and(|from| from <= season.end_date)
}

async fn season_of(write: &Write, run: &run::Model) -> Result<season::Model, Fault> {
    let name = run.season.as_deref().unwrap_or_default();
    season(write, &database::Scope::everything(), &run.branch, name).await
}

async fn next_supplies(write: &Write, run: &run::Model, count: u64) -> Result<Vec<supply::Model>, Fault> {
    let mut select = agreements(&run.branch).order_by_asc(supply::Column::Id).limit(count);
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

fn used(indexes: &[Index], energy: i64, unit: EnergyUnit) -> Used {
    let first = indexes.iter().find(|i| i.moment == Moment::Start);
    let last = indexes.iter().rev().find(|i| i.moment == Moment::End);
    Used {
        from: first.map_or(0, |i| i.value),
        to: last.map_or(0, |i| i.value),
        energy,
        unit,
    }
}

/// What a chunk of settlements is decided on.
struct Loaded {
    supplies: HashMap<Uuid, supply::Model>,
    bills: HashMap<Uuid, bill::Model>,
    readings: Vec<store::reading::Model>,
    installs: Vec<installation::Model>,
    units: HashMap<Uuid, EnergyUnit>,
    book: HeatBook,
}

impl Loaded {
    async fn of(write: &Write, season: &season::Model, chunk: &[account::Model]) -> Result<Self, Fault> {
        let ids: Vec<Uuid> = chunk.iter().map(|a| a.agreement_id).collect();
        let supplies = supply::Entity::find().filter(supply::Column::Id.is_in(ids.clone())).all(&**write).await?;
        let bills = bill::Entity::find()
            .filter(bill::Column::Id.is_in(chunk.iter().filter_map(|a| a.bill_id)))
            .all(&**write)
            .await?;
        let installs = meters::of_agreements(write, &ids).await?;
        let found = meter::Entity::find()
            .filter(meter::Column::Id.is_in(installs.iter().map(|i| i.meter_id)))
            .all(&**write)
            .await?;
        let mut units = HashMap::new();
        for meter in found {
            if let Some(unit) = meter.kind()?.energy() {
                units.insert(meter.id, unit);
            }
        }
        Ok(Self {
            supplies: supplies.into_iter().map(|s| (s.id, s)).collect(),
            bills: bills.into_iter().map(|b| (b.id, b)).collect(),
            readings: store::readings(write, season.id, &ids).await?,
            installs,
            units,
            book: heat_book(write).await?,
        })
    }

    /// The indexes of each meter that hung there in the season. A meter that came or went within it has its first or last index from the
    /// installation where no season reading says more.
    fn indexes(&self, account: &account::Model, season: &season::Model) -> Result<Vec<Index>, &'static str> {
        let mut indexes = vec![];
        let own = self.installs.iter().filter(|i| i.agreement_id == account.agreement_id);
        for install in own.filter(|i| i.from_date < season.end_date && i.end_date.is_none_or(|end| end > season.start_date)) {
            let unit = self.units.get(&install.meter_id).copied().ok_or("HEAT_UNIT_MISMATCH")?;
            let read = |moment: Moment| {
                self.readings
                    .iter()
                    .find(|r| r.agreement_id == account.agreement_id && r.meter_id == install.meter_id && r.moment == moment.code())
                    .map(|r| r.value)
            };
            let came = (install.from_date >= season.start_date).then_some(install.initial_index);
            let went = install.end_date.filter(|end| *end <= season.end_date).and(install.final_index);
            for (moment, value) in [(Moment::Start, read(Moment::Start).or(came)), (Moment::End, read(Moment::End).or(went))] {
                indexes.push(Index {
                    meter: install.meter_id,
                    moment,
                    value: value.ok_or("SEASON_READING_MISSING")?,
                    unit,
                });
            }
        }
        Ok(indexes)
    }
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
