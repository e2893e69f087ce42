//! The work of a run: agreements in chunks, loaded in sets, decided by the pure rules, written in sets, one transaction a chunk.

use std::collections::{HashMap, HashSet};

use calendar::{Instant, NaiveDate};
use chrono::Days;
use contracts::hearth::billing::v1::MeterReadAccepted;
use database::{
    Scope, Write,
    jobs::{Job, Step, Work},
};
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{
    model::{Billed, Decision, Draft, Facts, Install, Outcome, Period, Read, RunState, decide},
    store::{self, item, run},
};
use crate::{
    Desk,
    bill::{
        issue::issue,
        model::BillKind,
        store::{self as bills, bill, line, tier_use},
    },
    meter::store::{self as meters, installation, meter},
    opening::store as openings,
    profile::{model::Book as Profiles, store::book as profiles},
    reading::{
        chain::announce,
        model::{Code, ExceptionState, ReadingState, codes_of},
        store::{exception, reading},
    },
    supply::store::{self as supplies, supply},
    table,
    tariff::store::book,
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
        let chunk = store::next(&*write, &run, CHUNK).await?;
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
        table::update::<run::Entity>(&*write, run.clone()).await?;
        write.subject(run.id);
        write.close().await?;
    }
    let note = format!("{} bills, {} held, {} missing, {} parked", run.produced, run.held, run.missing, run.parked);
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
                    table::insert_all::<item::Entity>(&*write, made.items).await?;
                    table::update::<run::Entity>(&*write, run.clone()).await?;
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
        let loaded = Loaded::of(&write, &chunk, period).await?;
        let book = book(&*write).await?;
        let mut made = Made::default();
        for supply in &chunk {
            let facts = loaded.facts(supply)?;
            let decision = decide(period, &facts, &book);
            made.take(&mut run, supply, decision, &write, &loaded);
        }
        run.reached = chunk.last().map(|s| s.id).or(run.reached);
        made.store(&mut write, period).await?;
        table::update::<run::Entity>(&*write, run.clone()).await?;
        write.subject(run.id);
        write.close().await?;
        Ok(run)
    }
}

/// What a chunk is decided on.
struct Loaded {
    terms: Vec<supplies::term::Model>,
    installs: Vec<installation::Model>,
    meters: HashMap<Uuid, meter::Model>,
    reads: HashMap<Uuid, Vec<reading::Model>>,
    billed: HashMap<Uuid, Billed>,
    used: HashMap<Uuid, Vec<(i32, i64)>>,
    profiles: Profiles,
}

impl Loaded {
    async fn of(write: &Write, chunk: &[supply::Model], period: Period) -> Result<Self, Fault> {
        let ids: Vec<Uuid> = chunk.iter().map(|s| s.id).collect();
        let terms = supplies::terms(&**write, &ids).await?;
        let installs = meters::of_agreements(&**write, &ids).await?;
        let numbers: Vec<&str> = installs.iter().map(|i| i.meter_no.as_str()).collect();
        let meters = meters::lock(&**write, &Scope::everything(), &numbers).await?;
        let billed = billed(write, &ids).await?;
        let since = |i: &installation::Model| billed.get(&i.agreement_id).filter(|b| b.install == i.id).map_or(i.from_date, |b| b.to);
        let first: NaiveDate = installs.iter().map(since).min().unwrap_or(period.first);
        let found = reading::Entity::find()
            .filter(reading::Column::InstallationId.is_in(installs.iter().map(|i| i.id)))
            .filter(reading::Column::ReadDate.gt(first))
            .filter(reading::Column::ReadDate.lte(period.last))
            .filter(reading::Column::State.is_not_in([ReadingState::Rejected.code(), ReadingState::Corrected.code()]))
            .all(&**write)
            .await?;
        let mut reads: HashMap<Uuid, Vec<reading::Model>> = HashMap::new();
        for row in found {
            reads.entry(row.agreement_id).or_default().push(row);
        }
        let used = bills::used(&**write, &ids, period.year.saturating_sub(2)).await?;
        Ok(Self {
            terms,
            installs,
            meters: meters.into_iter().map(|m| (m.id, m)).collect(),
            reads,
            billed,
            used,
            profiles: profiles(&**write).await?,
        })
    }

    fn facts(&self, supply: &supply::Model) -> Result<Facts, Fault> {
        let mut installs = vec![];
        for i in self.installs.iter().filter(|i| i.agreement_id == supply.id) {
            let meter = self.meters.get(&i.meter_id).ok_or_else(|| Fault::internal("an installation without a meter"))?;
            installs.push(Install {
                id: i.id,
                kind: meter.kind()?,
                register: meter.register(),
                from: i.from_date,
                end: i.end_date,
                initial: i.initial_index,
                awaits_opening: i.awaits_opening,
            });
        }
        let mut reads = vec![];
        for r in self.reads.get(&supply.id).into_iter().flatten() {
            reads.push(Read {
                id: r.id,
                install: r.installation_id,
                date: r.read_date,
                at: r.read_at,
                value: r.value,
                state: r.state()?,
                codes: codes_of(&r.codes),
                rollover: r.rollover,
            });
        }
        Ok(Facts {
            terms: supplies::terms_of(supply, self.terms.iter().filter(|t| t.agreement_id == supply.id)),
            installs,
            reads,
            billed: self.billed.get(&supply.id).copied(),
            used: self.used.get(&supply.id).cloned().unwrap_or_default(),
        })
    }
}

/// Where the last bill of each agreement ended; before the first one, where the system before this one ended (期初).
async fn billed(write: &Write, agreements: &[Uuid]) -> Result<HashMap<Uuid, Billed>, Fault> {
    let mut billed = HashMap::new();
    for (agreement, opening) in openings::of_agreements(&**write, agreements).await? {
        if let Some((install, index)) = opening.installation_id.zip(opening.value) {
            let to = opening.as_of;
            billed.insert(agreement, Billed { to, index, install });
        }
    }
    for (agreement, bill) in bills::last(&**write, agreements).await? {
        if let Some(install) = bill.installation_id {
            let (to, index) = (bill.to_date, bill.to_index);
            billed.insert(agreement, Billed { to, index, install });
        }
    }
    Ok(billed)
}

/// What a chunk writes.
#[derive(Default)]
struct Made {
    bills: Vec<bill::Model>,
    lines: Vec<line::Model>,
    uses: Vec<tier_use::Model>,
    items: Vec<item::Model>,
    exceptions: Vec<exception::Model>,
    /// Readings that bills end at.
    ends: Vec<reading::Model>,
}

impl Made {
    fn take(&mut self, run: &mut run::Model, supply: &supply::Model, decision: Decision, write: &Write, loaded: &Loaded) {
        let now = write.now();
        let count = match decision {
            Decision::Bill(draft) => {
                run.amount = run.amount.saturating_add(draft.amount.fen());
                self.bill(run, supply, *draft, now, loaded);
                &mut run.produced
            }
            Decision::Already => &mut run.already,
            Decision::Skipped => &mut run.skipped,
            Decision::NotDue => &mut run.not_due,
            Decision::Held => {
                self.item(run, supply, Outcome::Held, "");
                &mut run.held
            }
            Decision::Missing(install) => {
                self.item(run, supply, Outcome::Missing, "");
                if let Some(period) = Period::new(run.year, run.month.unsigned_abs()) {
                    self.exception(supply, loaded, install, Code::Missing, period.last, now);
                }
                &mut run.missing
            }
            Decision::Parked(reason) => {
                self.item(run, supply, Outcome::Parked, reason);
                &mut run.parked
            }
        };
        *count = count.saturating_add(1);
        if let Some((install, date)) = self
            .bills
            .last()
            .filter(|b| b.agreement_id == supply.id && b.de_facto)
            .and_then(|b| Some((b.installation_id?, b.to_date)))
        {
            self.exception(supply, loaded, install, Code::ContractMissing, date, now);
        }
    }

    fn item(&mut self, run: &run::Model, supply: &supply::Model, outcome: Outcome, reason: &str) {
        self.items.push(item::Model {
            id: Uuid::now_v7(),
            run_id: run.id,
            agreement_id: supply.id,
            account_no: supply.account_no.clone(),
            branch: supply.branch.clone(),
            outcome: outcome.code().to_owned(),
            reason: reason.to_owned(),
        });
    }

    #[allow(clippy::too_many_arguments, reason = "a finding has these parts")]
    fn exception(&mut self, supply: &supply::Model, loaded: &Loaded, install: Uuid, code: Code, date: NaiveDate, now: Instant) {
        let meter_no = loaded.installs.iter().find(|i| i.id == install).map(|i| i.meter_no.clone()).unwrap_or_default();
        self.exceptions.push(exception::Model {
            id: Uuid::now_v7(),
            codes: code.code().to_owned(),
            state: ExceptionState::Open.code().to_owned(),
            meter_no,
            account_no: supply.account_no.clone(),
            installation_id: install,
            agreement_id: supply.id,
            branch: supply.branch.clone(),
            date,
            volume: None,
            largest_before: None,
            smallest_before: None,
            recorded_by: String::new(),
            decided_by: String::new(),
            grounds: String::new(),
            created_at: now.micros(),
            decided_at: None,
            version: 1,
        });
    }

    fn bill(&mut self, run: &run::Model, supply: &supply::Model, draft: Draft, now: Instant, loaded: &Loaded) {
        let id = Uuid::now_v7();
        let issue_date = now.date();
        let days = if run.due_days > 0 {
            run.due_days
        } else {
            loaded.profiles.on(&supply.branch, issue_date).due_days
        };
        let due_date = issue_date.checked_add_days(Days::new(u64::from(days.unsigned_abs()))).unwrap_or(issue_date);
        self.ends
            .extend(loaded.reads.get(&supply.id).into_iter().flatten().find(|r| r.id == draft.reading).cloned());
        self.lines.extend((0..).zip(draft.lines).map(|(ordinal, l)| line::Model {
            bill_id: id,
            ordinal,
            tier: l.tier,
            volume: l.volume,
            price: l.price,
            amount: l.amount,
            reason: l.reason.to_owned(),
            tariff_id: Some(l.tariff),
            tier_year: l.tier_year,
            from_date: l.from,
            to_date: l.to,
            unit: None,
        }));
        self.uses.extend(draft.uses.iter().map(|(tier_year, volume)| tier_use::Model {
            bill_id: id,
            tier_year: *tier_year,
            agreement_id: supply.id,
            volume: *volume,
        }));
        self.bills.push(bill::Model {
            id,
            bill_no: String::new(),
            kind: BillKind::Regular.code().to_owned(),
            state: String::new(),
            agreement_id: supply.id,
            account_id: supply.account_id,
            account_no: supply.account_no.clone(),
            party_id: supply.party_id,
            branch: supply.branch.clone(),
            year: run.year,
            month: run.month,
            from_date: draft.from,
            to_date: draft.to,
            from_index: draft.from_index,
            to_index: draft.to_index,
            volume: draft.volume,
            volume_before: draft.before,
            tier_year: draft.tier_year,
            use_class: draft.class,
            tariff_id: Some(draft.tariff),
            amount: draft.amount.fen(),
            paid: 0,
            issue_date,
            due_date,
            de_facto: draft.de_facto,
            low_income: draft.low_income,
            persons: i32::from(draft.persons),
            installation_id: Some(draft.install),
            reading_id: Some(draft.reading),
            run_id: Some(run.id),
            credit_note_no: String::new(),
            created_at: now.micros(),
            version: 1,
            fee_item_id: None,
            delivered_date: None,
            service: None,
            season: None,
            unit: None,
        });
    }

    async fn store(self, write: &mut Write, period: Period) -> Result<(), Fault> {
        let bills = issue(write, self.bills, self.lines).await?;
        table::insert_all::<tier_use::Entity>(&**write, self.uses).await?;
        if !self.ends.is_empty() {
            reading::Entity::update_many()
                .col_expr(reading::Column::State, ReadingState::Billed.code().into())
                .filter(reading::Column::Id.is_in(self.ends.iter().map(|r| r.id)))
                .exec(&**write)
                .await?;
        }
        table::insert_all::<item::Entity>(&**write, self.items).await?;
        let fresh = unknown(write, self.exceptions, period.last).await?;
        table::insert_all::<exception::Entity>(&**write, fresh.clone()).await?;
        announce(write, &fresh).await?;
        tell(write, &bills, &self.ends);
        Ok(())
    }
}

/// Leaves out what is on the list already: a month is missing once, a contract is missing until somebody closed the case.
async fn unknown(write: &Write, found: Vec<exception::Model>, month_end: NaiveDate) -> Result<Vec<exception::Model>, Fault> {
    if found.is_empty() {
        return Ok(found);
    }
    let agreements: HashSet<Uuid> = found.iter().map(|e| e.agreement_id).collect();
    let known = exception::Entity::find()
        .filter(exception::Column::AgreementId.is_in(agreements))
        .filter(exception::Column::Codes.is_in([Code::Missing.code(), Code::ContractMissing.code()]))
        .all(&**write)
        .await?;
    let listed = |e: &exception::Model| {
        known.iter().any(|k| {
            let same = k.codes == e.codes && k.installation_id == e.installation_id;
            same && if e.codes == Code::Missing.code() { k.date == month_end } else { k.is_open() }
        })
    };
    Ok(found.into_iter().filter(|e| !listed(e)).collect())
}

fn tell(write: &mut Write, bills: &[bill::Model], ends: &[reading::Model]) {
    let mut digest = vec![];
    for row in bills {
        digest.extend_from_slice(row.id.as_bytes());
        digest.extend_from_slice(&row.amount.to_be_bytes());
    }
    for row in ends {
        write.event(
            row.agreement_id,
            &MeterReadAccepted {
                reading_id: row.id.to_string(),
                meter_no: row.meter_no.clone(),
                agreement_id: row.agreement_id.to_string(),
                read_time: Some(wire::time(Instant::from_micros(row.read_at))),
                index: Some(meters::metres(row.value)),
                branch: row.branch.clone(),
            },
        );
    }
    write.digest(&digest);
}
