//! What a heat run makes of one agreement, before anything is written: a run and a trial decide by the same code.

use std::collections::HashMap;

use calendar::{Instant, NaiveDate};
use database::Conn;
use rpc::Fault;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    model::{self, Asked, Draft, HeatMethod, HeatState, Index, Moment, Settled, Shown, energy, proved, standing},
    ops::{after, season_due},
    rows::{Bill, Used, enrolled},
    store::{self, account, season},
};
use crate::{
    bill::{model::BillKind, store::bill},
    fetch,
    meter::store::{self as meters, installation, meter},
    reading::model::Register,
    supply::{
        model::SupplyState,
        store::{self as supplies, supply, term},
    },
    table,
    tariff::{
        heat::{EnergyUnit, HeatBook, HeatPrice},
        store::heat_book,
    },
};

/// What a chunk of season bills is decided on.
pub struct Assessing<'a> {
    season: &'a season::Model,
    terms: Vec<term::Model>,
    there: HashMap<Uuid, account::Model>,
    before: HashMap<Uuid, account::Model>,
    book: HeatBook,
}

/// What becomes of an agreement before a season.
pub enum Assessed<'a> {
    Voided,
    /// It is not heated in the season.
    NotDue,
    Already,
    Parked(&'static str),
    Bill(Box<SeasonBill<'a>>),
}

/// A season bill to be.
pub struct SeasonBill<'a> {
    /// The agreement in the season, as it is before the bill.
    pub account: account::Model,
    /// Whether the database does not know it yet.
    pub fresh: bool,
    pub price: &'a HeatPrice,
    pub draft: Draft,
}

impl SeasonBill<'_> {
    /// Its bill, issued on a day.
    pub fn bill<'b>(&'b self, season: &'b season::Model, supply: &'b supply::Model, today: NaiveDate, run: Option<Uuid>) -> Bill<'b> {
        Bill {
            season,
            supply,
            kind: BillKind::HeatSeason,
            price: self.price,
            draft: &self.draft,
            due: season_due(season, today),
            run,
            energy: None,
        }
    }
}

impl<'a> Assessing<'a> {
    /// Loads what decides on agreements, in sets.
    pub async fn of(conn: &Conn, season: &'a season::Model, chunk: &[supply::Model]) -> Result<Self, Fault> {
        let ids: Vec<Uuid> = chunk.iter().map(|s| s.id).collect();
        Ok(Self {
            season,
            terms: supplies::terms(conn, &ids).await?,
            there: store::in_season(conn, season.id, &ids).await?,
            before: store::before(conn, season.start_date, &ids).await?,
            book: heat_book(conn).await?,
        })
    }

    /// What becomes of one of them.
    pub fn decide(&self, supply: &supply::Model, now: Instant) -> Result<Assessed<'_>, Fault> {
        if supply.state == SupplyState::Voided.code() {
            return Ok(Assessed::Voided);
        }
        let is_heated = is_heated(supply, self.season);
        let known = self.there.get(&supply.id);
        let account = match (known, self.before.get(&supply.id)) {
            (Some(account), _) => account.clone(),
            // Who was charged in an earlier season goes on with the same area until something else is said.
            (None, Some(earlier)) => account::Model {
                document_reference: earlier.document_reference.clone(),
                entered_by: earlier.entered_by.clone(),
                ..enrolled(self.season, supply, &earlier.basis()?, now.micros())
            },
            (None, None) if is_heated => return Ok(Assessed::Parked("HEAT_NOT_ENROLLED")),
            (None, None) => return Ok(Assessed::NotDue),
        };
        if account.kept()? != HeatState::Enrolled {
            return Ok(Assessed::Already);
        }
        if !is_heated {
            return Ok(Assessed::NotDue);
        }
        let first = self.season.start_date;
        let own = supplies::terms_of(supply, self.terms.iter().filter(|t| t.agreement_id == supply.id));
        let price = own
            .class(first)
            .ok_or("USE_CLASS_MISSING")
            .and_then(|class| self.book.price(&supply.branch, class, first).ok_or("TARIFF_MISSING"));
        let basis = account.basis()?;
        Ok(match price.and_then(|price| Ok((price, model::assess(price, &basis, heated(self.season))?))) {
            Ok((price, draft)) => Assessed::Bill(Box::new(SeasonBill {
                account,
                fresh: known.is_none(),
                price,
                draft,
            })),
            Err(reason) => Assessed::Parked(reason),
        })
    }
}

/// First and last heated day of a season.
pub fn heated(season: &season::Model) -> (NaiveDate, NaiveDate) {
    (season.start_date, season.end_date)
}

/// Whether an agreement is in force in a season.
fn is_heated(supply: &supply::Model, season: &season::Model) -> bool {
    supply.state == SupplyState::InForce.code() && supply.from_date.is_some_and(|from| from <= season.end_date)
}

/// A heat meter as it counts.
#[derive(Clone, Copy)]
struct Counter {
    unit: EnergyUnit,
    register: Register,
}

/// What a chunk of settlements is decided on.
pub struct Settling<'a> {
    season: &'a season::Model,
    supplies: HashMap<Uuid, supply::Model>,
    bills: HashMap<Uuid, bill::Model>,
    readings: Vec<store::reading::Model>,
    installs: Vec<installation::Model>,
    counters: HashMap<Uuid, Counter>,
    book: HeatBook,
}

/// What becomes of an agreement after a season.
pub enum Settlement<'a> {
    Already,
    /// An index of the season is not known.
    Missing(&'static str),
    Parked(&'static str),
    /// Nothing is billed anew: the season bill stands for the season.
    Stands(Standing<'a>),
    Bill(Box<SettlementBill<'a>>),
}

/// The season bill as it stands.
pub struct Standing<'a> {
    pub bill: &'a bill::Model,
    pub state: HeatState,
}

/// A settlement bill to be, in the place of the season bill.
pub struct SettlementBill<'a> {
    pub old: Standing<'a>,
    pub price: &'a HeatPrice,
    pub settled: Settled,
    pub used: Used,
}

impl SettlementBill<'_> {
    /// Its bill, issued on a day and due so many days later.
    pub fn bill<'b>(&'b self, season: &'b season::Model, supply: &'b supply::Model, today: NaiveDate, due_days: i32, run: Option<Uuid>) -> Bill<'b> {
        Bill {
            season,
            supply,
            kind: BillKind::HeatSettlement,
            price: self.price,
            draft: &self.settled.charged,
            due: after(today, due_days),
            run,
            energy: Some(self.used),
        }
    }
}

impl<'a> Settling<'a> {
    /// Loads what decides on agreements in a season, in sets.
    pub async fn of(conn: &Conn, season: &'a season::Model, chunk: &[account::Model]) -> Result<Self, Fault> {
        let ids: Vec<Uuid> = chunk.iter().map(|a| a.agreement_id).collect();
        let supplies = supply::Entity::find().filter(supply::Column::Id.is_in(ids.clone())).all(conn).await?;
        let bills = bill::Entity::find()
            .filter(bill::Column::Id.is_in(chunk.iter().filter_map(|a| a.bill_id)))
            .all(conn)
            .await?;
        let installs = meters::of_agreements(conn, &ids).await?;
        let meters = meter::Entity::find().filter(table::among(conn, meter::Column::Id, installs.iter().map(|i| i.meter_id)));
        let meters: Vec<meter::Model> = fetch::all(conn, meters).await?;
        let mut counters = HashMap::new();
        for meter in meters {
            if let Some(unit) = meter.kind()?.energy() {
                let register = meter.register();
                counters.insert(meter.id, Counter { unit, register });
            }
        }
        Ok(Self {
            season,
            supplies: supplies.into_iter().map(|s| (s.id, s)).collect(),
            bills: bills.into_iter().map(|b| (b.id, b)).collect(),
            readings: store::readings(conn, season.id, &ids).await?,
            installs,
            counters,
            book: heat_book(conn).await?,
        })
    }

    /// The agreement that stands in the season.
    pub fn supply(&self, account: &account::Model) -> Result<&supply::Model, Fault> {
        self.supplies
            .get(&account.agreement_id)
            .ok_or_else(|| Fault::internal("an agreement in a season that is not there"))
    }

    /// What becomes of one of them.
    pub fn decide(&self, account: &account::Model, today: NaiveDate) -> Result<Settlement<'_>, Fault> {
        match account.kept()? {
            HeatState::Assessed => {}
            HeatState::Enrolled => return Ok(Settlement::Parked("HEAT_NOT_ASSESSED")),
            _ => return Ok(Settlement::Already),
        }
        let bill = account.bill_id.and_then(|id| self.bills.get(&id));
        let bill = bill.ok_or_else(|| Fault::internal("a season without its bill"))?;
        let asked = Asked {
            amount: bill.amount,
            paid: bill.paid,
            ahead: 0,
        };
        let state = standing(HeatState::Assessed, self.season.span(), asked, today)?;
        let old = Standing { bill, state };
        let basis = account.basis()?;
        if basis.method == HeatMethod::Area || !account.meter_fault.is_empty() {
            return Ok(Settlement::Stands(old));
        }
        let decided = self.indexes(account, today).and_then(|indexes| {
            let (energy, unit) = energy(&indexes)?;
            let price = self.book.price(&bill.branch, &bill.use_class, self.season.start_date).ok_or("TARIFF_MISSING")?;
            let settled = model::settle(price, &basis, heated(self.season), (energy, unit))?;
            Ok((price, settled, used(&indexes, energy.watt_hours(), unit)))
        });
        Ok(match decided {
            Ok((price, settled, used)) => Settlement::Bill(Box::new(SettlementBill { old, price, settled, used })),
            Err(reason @ "SEASON_READING_MISSING") => Settlement::Missing(reason),
            Err(reason) => Settlement::Parked(reason),
        })
    }

    /// The indexes of each meter that hung there in the season. A meter that came or went within it has its first or last index from the
    /// installation where no season reading says more.
    fn indexes(&self, account: &account::Model, today: NaiveDate) -> Result<Vec<Index>, &'static str> {
        let mut indexes = vec![];
        let season = self.season;
        let own = self.installs.iter().filter(|i| i.agreement_id == account.agreement_id);
        for install in own.filter(|i| i.from_date < season.end_date && i.end_date.is_none_or(|end| end > season.start_date)) {
            let counter = self.counters.get(&install.meter_id).ok_or("HEAT_UNIT_MISMATCH")?;
            let read = |moment: Moment| {
                let of_moment = |r: &&store::reading::Model| r.meter_id == install.meter_id && r.moment == moment.code();
                let own = self.readings.iter().filter(|r| r.agreement_id == account.agreement_id);
                let found = own.filter(of_moment).find(|r| install.covers(r.read_date));
                found.map(|r| Shown {
                    day: r.read_date,
                    value: r.value,
                })
            };
            let (came, went) = (came(install, season), went(install, season));
            let start = read(Moment::Start).or(came).ok_or("SEASON_READING_MISSING")?;
            let end = read(Moment::End).or(went).ok_or("SEASON_READING_MISSING")?;
            let [start, end] = proved(counter.register, [start, end], today).map_err(|refusal| refusal.reason())?;
            for (moment, value) in [(Moment::Start, start), (Moment::End, end)] {
                let (meter, unit) = (install.meter_id, counter.unit);
                indexes.push(Index { meter, moment, value, unit });
            }
        }
        Ok(indexes)
    }
}

/// What a meter came with, where it came within the season.
fn came(install: &installation::Model, season: &season::Model) -> Option<Shown> {
    let value = install.initial_index;
    let day = Some(install.from_date).filter(|from| *from >= season.start_date)?;
    Some(Shown { day, value })
}

/// What a meter went with, where it went within the season.
fn went(install: &installation::Model, season: &season::Model) -> Option<Shown> {
    let day = install.end_date.filter(|end| *end <= season.end_date)?;
    install.final_index.map(|value| Shown { day, value })
}

fn used(indexes: &[Index], energy: i64, unit: EnergyUnit) -> Used {
    let first = indexes.iter().find(|i| i.moment == Moment::Start);
    let last = indexes.iter().rev().find(|i| i.moment == Moment::End);
    Used {
        from: first.map_or(0, |i| i.value.value()),
        to: last.map_or(0, |i| i.value.value()),
        energy,
        unit,
    }
}
