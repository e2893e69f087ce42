//! Prices tried on the bills of a year (B19): the arithmetic of the bill run, and nothing stored.

use std::{cmp::Reverse, collections::BTreeMap};

use calendar::NaiveDate;
use contracts::hearth::billing::v1::{TariffTrial, TryTariffRequest, TryTariffResponse, tariff_trial};
use database::{Scope, find};
use futures::{Stream, stream};
use money::{Money, Volume};
use rating::{Book, Ledger, Leg, LowIncome, Period, Profile, Terms};
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{
    model::{BoundaryWord, ChangeWord, Rules, Version},
    ops,
};
use crate::{
    Desk,
    bill::{
        model::{BillKind, BillState},
        store::bill,
    },
    supply::model::Service,
};

/// Agreements of one step.
const CHUNK: u64 = 500;

/// TryTariff.
///
/// # Errors
/// TIERS, TARIFF_RULE, CLASS_TWICE as publication has them.
pub fn run(desk: Desk, call: Call, request: TryTariffRequest) -> Result<impl Stream<Item = Result<TryTariffResponse, Fault>> + Send + 'static, Fault> {
    let trial = Trial {
        scope: Scope::of(&call),
        year: request.year,
        branch: request.branch.clone(),
        book: book(&request)?,
    };
    let tally = Tally {
        named: usize::try_from(request.named).ok().filter(|named| *named > 0).unwrap_or(10),
        ..Tally::default()
    };
    Ok(stream::try_unfold(Some((desk, trial, tally, None)), |state| async move {
        let Some((desk, trial, mut tally, after)) = state else { return Ok(None) };
        let reached = trial.step(&desk, after, &mut tally).await?;
        let answer = TryTariffResponse {
            agreements: tally.total.agreements,
            result: match reached {
                Some(_) => None,
                None => Some(tally.told()),
            },
        };
        Ok(Some((answer, reached.map(|last| (desk, trial, tally, Some(last))))))
    }))
}

/// The prices, as if they had always been in force.
fn book(request: &TryTariffRequest) -> Result<Book, Fault> {
    let version = Version {
        name: "trial".to_owned(),
        from: NaiveDate::MIN,
        legal_basis: "trial".to_owned(),
        approved_by: "trial".to_owned(),
        year_start: (request.tier_year_start_month.unsigned_abs(), request.tier_year_start_day.unsigned_abs()),
        boundary: BoundaryWord::of_number(request.boundary).unwrap_or(BoundaryWord::ReadingCycle),
        change: ChangeWord::DaySplit,
        rules: Rules {
            closing: ops::closing(request.closing_reading.as_ref()),
            rounding: ops::rounding(request.rounding.as_ref(), "rounding")?,
            tax_percent: request.tax_percent.as_ref().map(|percent| percent.value.clone()),
            tax_included: request.tax_included,
            tax_rounding: ops::rounding(request.tax_rounding.as_ref(), "tax_rounding")?,
        },
    };
    let mut prices = vec![];
    for (class, terms) in ops::classes(&version, &request.classes)? {
        prices.push(version.price(Uuid::nil(), &class, None, &terms)?);
    }
    Book::new(prices).map_err(Fault::internal)
}

struct Trial {
    scope: Scope,
    year: i32,
    branch: String,
    book: Book,
}

impl Trial {
    /// Rates the next agreements; the last of them, or nothing when all are done.
    async fn step(&self, desk: &Desk, after: Option<Uuid>, tally: &mut Tally) -> Result<Option<Uuid>, Fault> {
        let day = |year: i32, month, day| NaiveDate::from_ymd_opt(year, month, day).ok_or_else(|| Fault::internal("a year that the calendar does not reach"));
        let (first, last) = (day(self.year, 1, 1)?, day(self.year, 12, 31)?);
        let gas = Condition::any()
            .add(bill::Column::Service.is_null())
            .add(bill::Column::Service.eq(Service::Gas.code()));
        let mut regular = find::<bill::Entity>(&self.scope)
            .filter(bill::Column::Kind.eq(BillKind::Regular.code()))
            .filter(bill::Column::State.is_not_in([BillState::Draft.code(), BillState::Reversed.code()]))
            .filter(gas);
        if !self.branch.is_empty() {
            regular = regular.filter(bill::Column::Branch.eq(&self.branch));
        }
        let mut agreements = regular.clone().filter(bill::Column::ToDate.between(first, last));
        if let Some(after) = after {
            agreements = agreements.filter(bill::Column::AgreementId.gt(after));
        }
        let ids: Vec<Uuid> = agreements
            .select_only()
            .column(bill::Column::AgreementId)
            .distinct()
            .order_by_asc(bill::Column::AgreementId)
            .limit(CHUNK)
            .into_tuple()
            .all(desk.db.reader())
            .await?;
        let Some(reached) = ids.last().copied() else { return Ok(None) };
        // The bills of the year before fill the tier years that go over its end.
        let rows = regular
            .filter(bill::Column::AgreementId.is_in(ids))
            .filter(bill::Column::ToDate.between(day(self.year.saturating_sub(1), 1, 1)?, last))
            .order_by_asc(bill::Column::AgreementId)
            .order_by_asc(bill::Column::ToDate)
            .all(desk.db.reader())
            .await?;
        for bills in rows.chunk_by(|a, b| a.agreement_id == b.agreement_id) {
            tally.take(bills, &self.book, first)?;
        }
        Ok(Some(reached))
    }
}

/// What bills came to, and what they would have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Effect {
    agreements: i64,
    bills: i64,
    billed: Money,
    tried: Money,
}

impl Effect {
    fn add(&mut self, other: Self) -> Result<(), Fault> {
        self.agreements = self.agreements.saturating_add(other.agreements);
        self.bills = self.bills.saturating_add(other.bills);
        self.billed = self.billed.checked_add(other.billed).map_err(Fault::internal)?;
        self.tried = self.tried.checked_add(other.tried).map_err(Fault::internal)?;
        Ok(())
    }

    /// What the prices would take less.
    fn gain(&self) -> i64 {
        self.billed.fen().saturating_sub(self.tried.fen())
    }

    fn told(self) -> Option<tariff_trial::Effect> {
        Some(tariff_trial::Effect {
            agreements: self.agreements,
            bills: self.bills,
            billed: Some(wire::money(self.billed)),
            tried: Some(wire::money(self.tried)),
        })
    }
}

#[derive(Clone, Debug)]
struct Customer {
    agreement: Uuid,
    account_no: String,
    class: String,
    effect: Effect,
}

/// The result as far as it goes.
#[derive(Default)]
struct Tally {
    named: usize,
    total: Effect,
    winners: Effect,
    losers: Effect,
    unchanged: Effect,
    classes: BTreeMap<String, Effect>,
    gains: Vec<Customer>,
    losses: Vec<Customer>,
    left_out: i64,
}

impl Tally {
    /// Takes the bills of one agreement, oldest first; those that end before `first` only fill its tier years.
    fn take(&mut self, bills: &[bill::Model], book: &Book, first: NaiveDate) -> Result<(), Fault> {
        let Some((effects, last)) = rated(bills, book, first).zip(bills.last()) else {
            self.left_out = self.left_out.saturating_add(1);
            return Ok(());
        };
        let mut whole = Effect::default();
        for (class, effect) in effects {
            self.classes.entry(class).or_default().add(effect)?;
            whole.add(effect)?;
        }
        whole.agreements = 1;
        self.total.add(whole)?;
        let customer = Customer {
            agreement: last.agreement_id,
            account_no: last.account_no.clone(),
            class: last.use_class.clone(),
            effect: whole,
        };
        match whole.gain() {
            0 => self.unchanged.add(whole)?,
            1.. => {
                self.winners.add(whole)?;
                keep(&mut self.gains, customer, self.named, |effect| effect.gain());
            }
            _ => {
                self.losers.add(whole)?;
                keep(&mut self.losses, customer, self.named, |effect| effect.gain().saturating_neg());
            }
        }
        Ok(())
    }

    fn told(&self) -> TariffTrial {
        let customers = |list: &[Customer]| {
            list.iter()
                .map(|customer| tariff_trial::Customer {
                    agreement_id: customer.agreement.to_string(),
                    account_no: customer.account_no.clone(),
                    use_class: customer.class.clone(),
                    effect: customer.effect.told(),
                })
                .collect()
        };
        TariffTrial {
            total: self.total.told(),
            winners: self.winners.told(),
            losers: self.losers.told(),
            unchanged: self.unchanged.told(),
            classes: self
                .classes
                .iter()
                .map(|(use_class, effect)| tariff_trial::Class {
                    use_class: use_class.clone(),
                    effect: effect.told(),
                })
                .collect(),
            largest_gains: customers(&self.gains),
            largest_losses: customers(&self.losses),
            left_out: self.left_out,
        }
    }
}

/// Keeps the largest; equal ones by their agreement.
fn keep(list: &mut Vec<Customer>, customer: Customer, named: usize, size: impl Fn(&Effect) -> i64) {
    let key = |customer: &Customer| (Reverse(size(&customer.effect)), customer.agreement);
    let at = list.partition_point(|other| key(other) < key(&customer));
    list.insert(at, customer);
    list.truncate(named);
}

/// Each bill from `first` on by its class; nothing where one of them cannot be rated at these prices.
fn rated(bills: &[bill::Model], book: &Book, first: NaiveDate) -> Option<Vec<(String, Effect)>> {
    let mut ledger = Ledger::default();
    let mut effects: Vec<(String, Effect)> = vec![];
    for bill in bills {
        let terms = terms(bill);
        let legs = [Leg {
            from: bill.from_date,
            to: bill.to_date,
            volume: Volume::from_litres(bill.volume),
            ..Leg::default()
        }];
        let year = book.on(&bill.use_class, bill.to_date)?.tariff.tier_year_of(bill.to_date);
        // What was used before the first bill that is kept here counts where the years are the same.
        if year == bill.tier_year && ledger.volume(year).is_none() && bill.volume_before > 0 {
            ledger = ledger.iter().chain([(year, Volume::from_litres(bill.volume_before))]).collect();
        }
        let period = Period {
            terms: &terms,
            book,
            legs: &legs,
            read: bill.to_date,
            read_months: None,
            degree_days: None,
            ledger: &ledger,
        };
        let rated = period.price().ok()?.rated;
        if bill.to_date >= first {
            let effect = Effect {
                agreements: 0,
                bills: 1,
                billed: Money::from_fen(bill.amount),
                tried: rated.total,
            };
            match effects.iter_mut().find(|(class, _)| *class == bill.use_class) {
                Some((_, known)) => known.add(effect).ok()?,
                None => effects.push((bill.use_class.clone(), Effect { agreements: 1, ..effect })),
            }
        }
        ledger = rated.ledger;
    }
    Some(effects)
}

/// What the bill says of its customer, for all of its days.
fn terms(bill: &bill::Model) -> Terms {
    let profile = Profile {
        persons: u16::try_from(bill.persons).unwrap_or(0),
        low_income: bill.low_income.then_some(LowIncome::Subsistence),
        ..Profile::default()
    };
    Terms::always(&bill.use_class, &profile)
}
