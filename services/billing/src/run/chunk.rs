//! A chunk of agreements: what is loaded to decide on them, what is made of them and how it is written, in sets.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use calendar::{Instant, NaiveDate};
use chrono::Days;
use contracts::hearth::billing::v1::MeterReadAccepted;
use database::{Scope, Write};
use rating::DegreeDays;
use rpc::{Fault, wire};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    household,
    model::{Billed, Decision, Draft, Facts, Install, Outcome, Period, Read, decide},
    store::{item, run},
};
use crate::{
    bill::{
        issue::issue,
        model::BillKind,
        store::{self as bills, bill, explanation, line, tier_use},
    },
    held::{
        model::{Finding, Priced},
        store::{self as held, ESTIMATE, Gate, held_bill},
    },
    meter::store::{self as meters, installation, meter},
    opening::store as openings,
    profile::{model::Book as Profiles, store::book as profiles},
    reading::{
        chain::announce,
        model::{Code, ExceptionState, ReadingState, Validated, codes_of},
        store::{exception, reading},
    },
    supply::store::{self as supplies, supply},
    table,
    tariff::{
        model::Book,
        store::{book, degree_days},
    },
};

/// Whether the meters of a chunk are locked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Meters {
    /// Something will be written.
    Locked,
    /// It is only tried.
    Free,
}

/// What a chunk is decided on.
pub struct Loaded {
    terms: Vec<supplies::term::Model>,
    installs: Vec<installation::Model>,
    meters: HashMap<Uuid, meter::Model>,
    reads: HashMap<Uuid, Vec<reading::Model>>,
    billed: HashMap<Uuid, Billed>,
    used: HashMap<Uuid, Vec<(i32, i64)>>,
    households: HashMap<Uuid, Vec<Uuid>>,
    profiles: Profiles,
    book: Book,
    degree_days: HashMap<String, Arc<DegreeDays>>,
    gate: Gate,
}

impl Loaded {
    /// Loads what decides on agreements in a month, in sets.
    pub async fn of(conn: &impl ConnectionTrait, chunk: &[supply::Model], period: Period, lock: Meters) -> Result<Self, Fault> {
        let ids: Vec<Uuid> = chunk.iter().map(|s| s.id).collect();
        let terms = supplies::terms(conn, &ids).await?;
        let installs = meters::of_agreements(conn, &ids).await?;
        let meters = match lock {
            Meters::Locked => {
                let numbers: Vec<&str> = installs.iter().map(|i| i.meter_no.as_str()).collect();
                meters::lock(conn, &Scope::everything(), &numbers).await?
            }
            Meters::Free => {
                let found = meter::Entity::find().filter(meter::Column::Id.is_in(installs.iter().map(|i| i.meter_id)));
                found.all(conn).await?
            }
        };
        let billed = billed(conn, &ids).await?;
        let since = |i: &installation::Model| billed.get(&i.agreement_id).filter(|b| b.install == i.id).map_or(i.from_date, |b| b.to);
        let first: NaiveDate = installs.iter().map(since).min().unwrap_or(period.first);
        let found = reading::Entity::find()
            .filter(reading::Column::InstallationId.is_in(installs.iter().map(|i| i.id)))
            .filter(reading::Column::ReadDate.gt(first))
            .filter(reading::Column::ReadDate.lte(period.last))
            .filter(reading::Column::State.is_not_in([ReadingState::Rejected.code(), ReadingState::Corrected.code()]))
            .all(conn)
            .await?;
        let mut reads: HashMap<Uuid, Vec<reading::Model>> = HashMap::new();
        for row in found {
            reads.entry(row.agreement_id).or_default().push(row);
        }
        let book = book(conn).await?;
        let households = household::sharing(conn, &book, chunk, period.last).await?;
        let with_shared: HashSet<Uuid> = ids.iter().copied().chain(households.values().flatten().copied()).collect();
        let with_shared: Vec<Uuid> = with_shared.into_iter().collect();
        let used = bills::used(conn, &with_shared, period.year.saturating_sub(2)).await?;
        let degree_days = degree_days(conn, &book, first, period.last).await?;
        Ok(Self {
            terms,
            installs,
            meters: meters.into_iter().map(|m| (m.id, m)).collect(),
            reads,
            billed,
            used,
            households,
            profiles: profiles(conn).await?,
            book,
            degree_days,
            gate: Gate::of(conn, &ids, period.first).await?,
        })
    }

    /// What a month makes of one of the agreements.
    pub fn decide(&self, supply: &supply::Model, period: Period) -> Result<Decision, Fault> {
        Ok(decide(period, &self.facts(supply)?, &self.book))
    }

    /// Lets the other meters of the household go on from where this bill ends.
    pub fn keep(&mut self, agreement: Uuid, decision: &Decision) {
        if let (Decision::Bill(draft), true) = (decision, self.households.contains_key(&agreement)) {
            let years = self.used.entry(agreement).or_default();
            for (year, volume) in &draft.uses {
                household::add(years, *year, *volume);
            }
        }
    }

    /// The checks that a bill to be does not pass.
    pub fn findings(&self, supply: &supply::Model, draft: &Draft, issue: NaiveDate) -> Vec<Finding> {
        let end = self.reads.get(&supply.id).into_iter().flatten().find(|r| r.id == draft.reading);
        let priced = Priced {
            class: &draft.class,
            from: draft.from,
            to: draft.to,
            volume: draft.volume,
            amount: draft.amount.fen(),
            estimated: end.is_some_and(|r| r.source == ESTIMATE),
            billed: self.billed.get(&supply.id).map(|b| b.to),
        };
        self.gate.findings(supply, &priced, issue)
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
                index: Validated::of(r.state()?, r.value),
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
            used: match self.households.get(&supply.id) {
                Some(household) => household::together(household, &self.used),
                None => self.used.get(&supply.id).cloned().unwrap_or_default(),
            },
            degree_days: self.degree_days.get(&supply.branch).cloned(),
            ..Facts::default()
        })
    }
}

/// Where the last bill of each agreement ended; before the first one, where the system before this one ended (期初).
async fn billed(conn: &impl ConnectionTrait, agreements: &[Uuid]) -> Result<HashMap<Uuid, Billed>, Fault> {
    let mut billed = HashMap::new();
    for (agreement, opening) in openings::of_agreements(conn, agreements).await? {
        if let Some((install, index)) = opening.installation_id.zip(opening.value) {
            let to = opening.as_of;
            billed.insert(agreement, Billed { to, index, install });
        }
    }
    for (agreement, bill) in bills::last(conn, agreements).await? {
        if let Some(install) = bill.installation_id {
            let (to, index) = (bill.to_date, bill.to_index);
            billed.insert(agreement, Billed { to, index, install });
        }
    }
    Ok(billed)
}

/// What a chunk writes.
#[derive(Default)]
pub struct Made {
    pub bills: Vec<bill::Model>,
    pub lines: Vec<line::Model>,
    pub explanations: Vec<explanation::Model>,
    uses: Vec<tier_use::Model>,
    pub items: Vec<item::Model>,
    exceptions: Vec<exception::Model>,
    /// Readings that bills end at.
    ends: Vec<reading::Model>,
    held: Vec<held_bill::Model>,
    /// Held bills whose place something else takes.
    superseded: Vec<Uuid>,
}

/// What a bill says of its making.
#[derive(Clone, Copy, Default)]
pub struct Origin {
    pub run: Option<Uuid>,
    pub year: i32,
    pub month: i32,
    /// Days from issue to due; 0: those of the profile.
    pub due_days: i32,
    /// The bill whose place it takes.
    pub replaces: Option<Uuid>,
}

impl Origin {
    /// Of a run.
    pub fn run(run: &run::Model) -> Self {
        Self {
            run: Some(run.id),
            year: run.year,
            month: run.month,
            due_days: run.due_days,
            replaces: None,
        }
    }
}

impl Made {
    /// Files what becomes of an agreement, and counts it.
    pub fn take(&mut self, run: &mut run::Model, supply: &supply::Model, decision: Decision, now: Instant, loaded: &Loaded) -> Result<(), Fault> {
        let count = match decision {
            Decision::Bill(draft) => {
                let findings = loaded.findings(supply, &draft, now.date());
                let open = loaded.gate.open(supply.id);
                if findings.is_empty() {
                    run.amount = run.amount.saturating_add(draft.amount.fen());
                    self.superseded.extend(open.map(|o| o.id));
                    self.bill(Origin::run(run), supply, *draft, now, loaded);
                    &mut run.produced
                } else {
                    let row = held_bill::Model::of(run, supply, &draft, &findings, now)?;
                    self.item(run, supply, Outcome::BillHeld, &row.codes);
                    if !open.is_some_and(|o| o.is_same(&row)) {
                        self.superseded.extend(open.map(|o| o.id));
                        self.held.push(row);
                    }
                    run.bills_held.get_or_insert(0)
                }
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
        Ok(())
    }

    /// Lists an agreement that gets no bill.
    pub fn item(&mut self, run: &run::Model, supply: &supply::Model, outcome: Outcome, reason: &str) {
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
            case_id: None,
        });
    }

    /// A bill, with what is due to a supply without a contract.
    pub fn bill(&mut self, origin: Origin, supply: &supply::Model, draft: Draft, now: Instant, loaded: &Loaded) {
        let id = Uuid::now_v7();
        let issue_date = now.date();
        if draft.de_facto {
            self.exception(supply, loaded, draft.install, Code::ContractMissing, draft.to, now);
        }
        self.explanations.push(explanation::Model {
            bill_id: id,
            content: draft.explanation,
        });
        let days = if origin.due_days > 0 {
            origin.due_days
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
            year: origin.year,
            month: origin.month,
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
            run_id: origin.run,
            credit_note_no: String::new(),
            created_at: now.micros(),
            version: 1,
            fee_item_id: None,
            delivered_date: None,
            service: None,
            season: None,
            unit: None,
            replaces_bill_id: origin.replaces,
        });
    }

    /// Writes all of it and gives the bills as issued.
    pub async fn store(self, write: &mut Write, period: Period) -> Result<Vec<bill::Model>, Fault> {
        let bills = issue(write, self.bills, self.lines, self.explanations).await?;
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
        held::supersede(write, &self.superseded).await?;
        table::insert_all::<held_bill::Entity>(&**write, self.held).await?;
        tell(write, &bills, &self.ends);
        Ok(bills)
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
