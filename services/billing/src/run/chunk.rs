//! A chunk of agreements: what is loaded to decide on them, what is made of them and how it is written, in sets.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use calendar::{Instant, NaiveDate};
use chrono::{Datelike, Days, Months};
use contracts::hearth::billing::v1::MeterReadAccepted;
use database::{Conn, Write};
use rating::{DegreeDays, ReadMonths};
use rpc::{Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{
    household::{self, Members},
    model::{Billed, Decision, Draft, Facts, Install, Outcome, Period, Read, alone, decide},
    months::read_months,
    reads::{self, Reading},
    store::{item, part, run},
};
use crate::{
    adjustment::{model::Part, store as adjustments},
    bill::{
        issue::{issue, issue_in_turn},
        model::BillKind,
        store::{self as bills, bill, explanation, line, tier_use},
    },
    fetch::{self, row},
    held::{
        model::{Finding, Priced},
        store::{self as held, ESTIMATE, Gate, held_bill},
    },
    meter::{
        conversion::{model::Conversion, store as conversions},
        model::MeterKind,
        store::{self as meters, installation, meter},
    },
    opening::store as openings,
    profile::{model::Book as Profiles, store::book as profiles},
    reading::{
        chain::announce,
        model::{Code, ReadingState, Register, Validated, codes_of},
        store::{exception, reading},
    },
    supply::store::{self as supplies, supply},
    table,
    tariff::{
        model::Books,
        store::{books, degree_days},
    },
    words::known,
};

/// Whether the meters of a chunk are locked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Meters {
    /// Something will be written.
    Locked,
    /// It is only tried.
    Free,
}

row!(
    /// What decides of a meter. A chunk has thousands, so no column is read for nothing.
    Counter,
    {
        id: Uuid,
        kind: String,
        qmax: i64,
        digits: i32,
        multiplier: i32,
    }
);

/// What a chunk is decided on.
pub struct Loaded {
    terms: HashMap<Uuid, Vec<supplies::term::Model>>,
    installs: HashMap<Uuid, Vec<installation::Model>>,
    meters: HashMap<Uuid, Counter>,
    reads: HashMap<Uuid, Vec<Reading>>,
    billed: HashMap<Uuid, Billed>,
    used: HashMap<Uuid, Vec<(i32, i64)>>,
    households: HashMap<Uuid, Vec<Uuid>>,
    adjusted: HashMap<Uuid, Vec<Part>>,
    conversions: HashMap<Uuid, Vec<Conversion>>,
    read_months: HashMap<Uuid, ReadMonths>,
    profiles: Profiles,
    books: Books,
    degree_days: HashMap<String, Arc<DegreeDays>>,
    gate: Gate,
}

/// What is known of agreements before what decides on them is loaded.
pub struct Scene {
    /// Where what is billed of each ends.
    pub billed: HashMap<Uuid, Billed>,
    /// With whom each shares its tiers.
    pub households: HashMap<Uuid, Vec<Uuid>>,
    /// Agreements whose use counts besides theirs.
    pub shared: HashSet<Uuid>,
    pub books: Books,
}

impl Loaded {
    /// Loads what decides on agreements in a month, in sets.
    pub async fn of(conn: &Conn, chunk: &[supply::Model], period: Period, lock: Meters) -> Result<Self, Fault> {
        Self::of_months(conn, chunk, (period, period), lock).await
    }

    /// Loads what decides on the price of days of an agreement.
    pub async fn of_days(conn: &Conn, supply: &supply::Model, (from, to): (NaiveDate, NaiveDate), lock: Meters) -> Result<Self, Fault> {
        let month = |day: NaiveDate| Period::new(day.year(), day.month()).ok_or_else(|| Fault::internal("a day without a month"));
        Self::of_months(conn, std::slice::from_ref(supply), (month(from)?, month(to)?), lock).await
    }

    async fn of_months(conn: &Conn, chunk: &[supply::Model], months: (Period, Period), lock: Meters) -> Result<Self, Fault> {
        let ids: Vec<Uuid> = chunk.iter().map(|s| s.id).collect();
        let books = books(conn).await?;
        let households = household::sharing(conn, &books, chunk, months.1.last).await?;
        let scene = Scene {
            billed: billed(conn, &ids).await?,
            shared: households.values().flatten().copied().collect(),
            households,
            books,
        };
        Self::load(conn, chunk, months, lock, scene).await
    }

    /// Loads what decides on agreements in the months from one to another, to be billed one after the other.
    pub async fn between(conn: &Conn, chunk: &[supply::Model], months: (Period, Period), scene: Scene) -> Result<Self, Fault> {
        Self::load(conn, chunk, months, Meters::Locked, scene).await
    }

    async fn load(conn: &Conn, chunk: &[supply::Model], (from, until): (Period, Period), lock: Meters, scene: Scene) -> Result<Self, Fault> {
        let Scene {
            billed,
            households,
            shared,
            books,
        } = scene;
        let ids: Vec<Uuid> = chunk.iter().map(|s| s.id).collect();
        let terms = supplies::terms(conn, &ids).await?;
        let installs = meters::of_agreements(conn, &ids).await?;
        let mut meters = meter::Entity::find().filter(table::among(conn, meter::Column::Id, installs.iter().map(|i| i.meter_id)));
        if lock == Meters::Locked {
            meters = meters.order_by_asc(meter::Column::Id).lock_exclusive();
        }
        let meters: Vec<Counter> = fetch::all(conn, meters).await?;
        let open = reads::open(&installs, &billed);
        let lately = from.first.checked_sub_months(Months::new(1)).unwrap_or(from.first);
        let days: Vec<(Uuid, NaiveDate)> = open.iter().map(|(install, since)| (install.id, *since)).collect();
        let found = reads::since(conn, &days, lately, until.last).await?;
        let read: HashSet<Uuid> = found.iter().map(|read| read.agreement_id).collect();
        let starts = || open.iter().filter(|(install, _)| read.contains(&install.agreement_id));
        let first = starts().map(|(_, since)| *since).min().map_or(from.first, |since| since.min(from.first));
        let conversions = conversions::of(conn, installs.iter().map(|i| i.id)).await?;
        let read_months = read_months(conn, &books, installs.iter().map(|i| i.id)).await?;
        let with_shared: HashSet<Uuid> = ids.iter().chain(&shared).copied().collect();
        let mut used = bills::used(conn, &Vec::from_iter(with_shared), from.year.saturating_sub(2)).await?;
        // Who was not billed for long is billed in tier years that are over for the others.
        let is_long = |since: NaiveDate| since.year() < from.year.saturating_sub(1);
        let long: HashSet<Uuid> = starts().filter(|(_, since)| is_long(*since)).map(|(install, _)| install.agreement_id).collect();
        if !long.is_empty() {
            let with_shared: HashSet<Uuid> = long.into_iter().chain(shared).collect();
            used.extend(bills::used(conn, &Vec::from_iter(with_shared), first.year().saturating_sub(2)).await?);
        }
        let degree_days = degree_days(conn, &books, first, until.last).await?;
        Ok(Self {
            terms: grouped(terms, |t| t.agreement_id),
            installs: grouped(installs, |i| i.agreement_id),
            meters: meters.into_iter().map(|m| (m.id, m)).collect(),
            reads: grouped(found, |r| r.agreement_id),
            billed,
            used,
            households,
            adjusted: adjustments::posted(conn, &ids).await?,
            conversions: grouped(conversions, |c| c.install),
            read_months,
            profiles: profiles(conn).await?,
            books,
            degree_days,
            gate: Gate::of(conn, &ids, from.first).await?,
        })
    }

    /// Lets an agreement go on from where what is billed of it ends, with those that it shares its tiers with in a month.
    pub fn stand(&mut self, agreement: Uuid, billed: Option<Billed>, members: &Members, period: Period) {
        self.households = members.sharing(&self.books, period.last);
        match billed {
            Some(billed) => self.billed.insert(agreement, billed),
            None => self.billed.remove(&agreement),
        };
    }

    /// Counts litres more, or less, in a tier year of an agreement.
    pub fn count(&mut self, agreement: Uuid, year: i32, volume: i64) {
        household::add(self.used.entry(agreement).or_default(), year, volume);
    }

    /// What a month makes of one of the agreements, or of the days of a bill with these adjustments, whatever was installed or read after them.
    pub fn decide_until(&self, supply: &supply::Model, period: Period, kept: Option<(&bill::Model, &[Part])>) -> Result<Decision, Fault> {
        let order = |i: &installation::Model| (i.from_date, i.id);
        let install = kept.and_then(|(old, _)| self.install(supply.id, old.installation_id?)).map(order);
        let day = kept.map_or(period.last, |(old, _)| old.to_date.min(period.last));
        let mut facts = self.facts_of(supply, |i| install.is_none_or(|last| order(i) <= last))?;
        facts.reads.retain(|read| read.date <= day);
        if let Some((_, adjusted)) = kept {
            facts.adjusted = adjusted.to_vec();
        }
        Ok(decide(period, &facts, self.books.of(&supply.branch)))
    }

    /// What a month makes of one of the agreements.
    pub fn decide(&self, supply: &supply::Model, period: Period) -> Result<Decision, Fault> {
        Ok(decide(period, &self.facts(supply)?, self.books.of(&supply.branch)))
    }

    /// What a volume of an agreement costs that no meter counted, or why it has no price; `taken` litres of its tier years do not count before it.
    pub fn alone(&self, supply: &supply::Model, days: (NaiveDate, NaiveDate), volume: i64, taken: i64) -> Result<Result<Draft, &'static str>, Fault> {
        let mut facts = self.facts(supply)?;
        for (_, used) in &mut facts.used {
            *used = used.saturating_sub(taken).max(0);
        }
        Ok(alone(&facts, self.books.of(&supply.branch), days.0, days.1, volume))
    }

    /// Lets the other meters of the household go on from where the bill of an agreement ends, if it was made last. One that checks hold may never be issued.
    pub fn keep(&mut self, agreement: Uuid, made: &Made) {
        let Some(bill) = made.bills.last().filter(|bill| bill.agreement_id == agreement) else {
            return;
        };
        if self.households.contains_key(&agreement) {
            let years = self.used.entry(agreement).or_default();
            for used in made.uses.iter().rev().take_while(|used| used.bill_id == bill.id) {
                household::add(years, used.tier_year, used.volume);
            }
        }
    }

    /// The checks that a bill to be does not pass.
    pub fn findings(&self, supply: &supply::Model, draft: &Draft, issue: NaiveDate) -> Vec<Finding> {
        let priced = Priced {
            class: &draft.class,
            from: draft.from,
            to: draft.to,
            volume: draft.volume,
            amount: draft.amount.fen(),
            estimated: draft.estimated,
            billed: self.billed.get(&supply.id).map(|b| b.to),
        };
        self.gate.findings(supply, &priced, issue)
    }

    fn install(&self, agreement: Uuid, id: Uuid) -> Option<&installation::Model> {
        self.installs.get(&agreement).into_iter().flatten().find(|i| i.id == id)
    }

    /// The meter that hung at an agreement last by a day, or else its first one.
    fn last_install(&self, agreement: Uuid, day: NaiveDate) -> Option<&installation::Model> {
        let installs = self.installs.get(&agreement)?;
        installs.iter().rfind(|i| i.from_date <= day).or(installs.first())
    }

    fn facts(&self, supply: &supply::Model) -> Result<Facts, Fault> {
        self.facts_of(supply, |_| true)
    }

    fn facts_of(&self, supply: &supply::Model, counts: impl Fn(&installation::Model) -> bool) -> Result<Facts, Fault> {
        let mut installs = vec![];
        for i in self.installs.get(&supply.id).into_iter().flatten().filter(|i| counts(i)) {
            let meter = self.meters.get(&i.meter_id).ok_or_else(|| Fault::internal("an installation without a meter"))?;
            installs.push(Install {
                id: i.id,
                kind: known(MeterKind::of(&meter.kind), &meter.kind)?,
                register: Register::of(meter.digits, meter.qmax, meter.multiplier),
                from: i.from_date,
                end: i.end_date,
                initial: i.initial_index,
                awaits_opening: i.awaits_opening,
            });
        }
        let read_months = installs.iter().rev().find_map(|i| self.read_months.get(&i.id)).copied();
        let conversions = installs.iter().filter_map(|i| self.conversions.get(&i.id)).flatten().copied().collect();
        let mut reads = vec![];
        for r in self.reads.get(&supply.id).into_iter().flatten() {
            let state = known(ReadingState::of(&r.state), &r.state)?;
            reads.push(Read {
                id: r.id,
                install: r.installation_id,
                date: r.read_date,
                at: r.read_at,
                estimated: r.source == ESTIMATE,
                index: Validated::of(state, r.value),
                state,
                codes: codes_of(&r.codes),
                rollover: r.rollover,
            });
        }
        Ok(Facts {
            terms: supplies::terms_of(supply, self.terms.get(&supply.id).into_iter().flatten()),
            installs,
            reads,
            billed: self.billed.get(&supply.id).copied(),
            used: match self.households.get(&supply.id) {
                Some(household) => household::together(household, &self.used),
                None => self.used.get(&supply.id).cloned().unwrap_or_default(),
            },
            adjusted: self.adjusted.get(&supply.id).cloned().unwrap_or_default(),
            conversions,
            read_months,
            degree_days: self.degree_days.get(&supply.branch).cloned(),
        })
    }
}

fn grouped<T>(rows: Vec<T>, agreement: impl Fn(&T) -> Uuid) -> HashMap<Uuid, Vec<T>> {
    let mut groups: HashMap<Uuid, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(agreement(&row)).or_default().push(row);
    }
    groups
}

/// Where the last bill of each agreement ended; before the first one, where the system before this one ended (期初).
async fn billed(conn: &Conn, agreements: &[Uuid]) -> Result<HashMap<Uuid, Billed>, Fault> {
    let mut billed = HashMap::new();
    let mut ends = openings::ends(conn, agreements).await?;
    ends.extend(bills::ends(conn, agreements).await?);
    for end in ends {
        if let Some((install, index)) = end.installation_id.zip(end.to_index) {
            let to = end.to_date;
            billed.insert(end.agreement_id, Billed { to, index, install });
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
    ends: Vec<Reading>,
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
    pub fn take(
        &mut self,
        run: &run::Model,
        counts: &mut part::Model,
        supply: &supply::Model,
        decision: Decision,
        now: Instant,
        loaded: &Loaded,
    ) -> Result<(), Fault> {
        let count = match decision {
            Decision::Bill(draft) => {
                let findings = loaded.findings(supply, &draft, now.date());
                let open = loaded.gate.open(supply.id);
                if findings.is_empty() {
                    counts.amount = counts.amount.saturating_add(draft.amount.fen());
                    self.superseded.extend(open.map(|o| o.id));
                    self.bill(Origin::run(run), supply, *draft, now, loaded);
                    &mut counts.produced
                } else {
                    let row = held_bill::Model::of(run, supply, &draft, &findings, now)?;
                    self.item(run, supply, Outcome::BillHeld, &row.codes);
                    if !open.is_some_and(|o| o.is_same(&row)) {
                        self.superseded.extend(open.map(|o| o.id));
                        self.held.push(row);
                    }
                    &mut counts.bills_held
                }
            }
            Decision::Already => &mut counts.already,
            Decision::Skipped => &mut counts.skipped,
            Decision::NotDue => &mut counts.not_due,
            Decision::Held => {
                self.item(run, supply, Outcome::Held, "");
                &mut counts.held
            }
            Decision::Missing(install) => {
                self.item(run, supply, Outcome::Missing, "");
                if let Some(period) = Period::new(run.year, run.month.unsigned_abs()) {
                    let install = loaded.install(supply.id, install);
                    self.exceptions
                        .extend(install.map(|i| exception::Model::found(i, &[Code::Missing], period.last, now)));
                }
                &mut counts.missing
            }
            Decision::Parked(reason) => {
                self.item(run, supply, Outcome::Parked, reason);
                &mut counts.parked
            }
        };
        *count = count.saturating_add(1);
        Ok(())
    }

    /// Lists an agreement that gets no bill.
    pub fn item(&mut self, run: &run::Model, supply: &supply::Model, outcome: Outcome, reason: &str) {
        self.items.push(item::Model::of(run, supply, outcome, reason));
    }

    /// A bill, with what is due to a supply without a contract.
    pub fn bill(&mut self, origin: Origin, supply: &supply::Model, draft: Draft, now: Instant, loaded: &Loaded) {
        let id = Uuid::now_v7();
        let issue_date = now.date();
        if draft.de_facto {
            let install = loaded.install(supply.id, draft.install).or_else(|| loaded.last_install(supply.id, draft.to));
            self.exceptions
                .extend(install.map(|i| exception::Model::found(i, &[Code::ContractMissing], draft.to, now)));
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
            credited: 0,
            estimated: draft.estimated,
        });
    }

    /// The bill of a theft (E11-05): it counts in no tier year, so that other bills stay as they are.
    pub fn theft(&mut self, origin: Origin, supply: &supply::Model, draft: Draft, now: Instant, loaded: &Loaded) {
        let uses = self.uses.len();
        self.bill(origin, supply, draft, now, loaded);
        self.uses.truncate(uses);
        if let Some(bill) = self.bills.last_mut() {
            BillKind::Theft.code().clone_into(&mut bill.kind);
            bill.installation_id = None;
            bill.reading_id = None;
        }
    }

    /// Writes all of it and gives the bills as issued.
    pub async fn store(mut self, write: &mut Write) -> Result<Vec<bill::Model>, Fault> {
        self.put(write).await?;
        let bills = issue(write, self.bills, self.lines, self.explanations).await?;
        tell(write, &bills, &self.ends);
        Ok(bills)
    }

    /// The same, as if each bill had been issued before the next one was made.
    pub async fn store_in_turn(mut self, write: &mut Write) -> Result<Vec<bill::Model>, Fault> {
        self.put(write).await?;
        let bills = issue_in_turn(write, self.bills, self.lines, self.explanations).await?;
        tell(write, &bills, &self.ends);
        Ok(bills)
    }

    /// Writes all but the bills.
    async fn put(&mut self, write: &mut Write) -> Result<(), Fault> {
        table::insert_all::<tier_use::Entity>(write, &self.uses).await?;
        if !self.ends.is_empty() {
            reading::Entity::update_many()
                .col_expr(reading::Column::State, ReadingState::Billed.code().into())
                .filter(table::among(write, reading::Column::Id, self.ends.iter().map(|r| r.id)))
                .exec(&**write)
                .await?;
        }
        table::insert_all::<item::Entity>(write, &self.items).await?;
        let fresh = unknown(write, std::mem::take(&mut self.exceptions)).await?;
        table::insert_all::<exception::Entity>(write, &fresh).await?;
        announce(write, &fresh).await?;
        held::supersede(write, &self.superseded).await?;
        table::insert_all::<held_bill::Entity>(write, &self.held).await?;
        Ok(())
    }
}

/// Leaves out what is on the list already: a month is missing once, a contract is missing until somebody closed the case.
async fn unknown(write: &Write, mut found: Vec<exception::Model>) -> Result<Vec<exception::Model>, Fault> {
    if found.is_empty() {
        return Ok(found);
    }
    let agreements: HashSet<Uuid> = found.iter().map(|e| e.agreement_id).collect();
    let known = exception::Entity::find()
        .filter(table::among(write, exception::Column::AgreementId, agreements))
        .filter(exception::Column::Codes.is_in([Code::Missing.code(), Code::ContractMissing.code()]))
        .all(&**write)
        .await?;
    let listed = |e: &exception::Model| {
        known.iter().any(|k| {
            let same = k.codes == e.codes && k.installation_id == e.installation_id;
            same && if e.codes == Code::Missing.code() { k.date == e.date } else { k.is_open() }
        })
    };
    let mut once = HashSet::new();
    found.retain(|e| !listed(e) && once.insert((e.installation_id, e.codes.clone())));
    Ok(found)
}

fn tell(write: &mut Write, bills: &[bill::Model], ends: &[Reading]) {
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
