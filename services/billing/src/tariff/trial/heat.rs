//! Prices of heat tried on the bills of a season (B19): the arithmetic of heat runs, and nothing stored.

use std::collections::HashMap;

use calendar::NaiveDate;
use contracts::hearth::billing::v1::{TryHeatTariffRequest, TryHeatTariffResponse};
use database::{Conn, Scope, find};
use futures::{Stream, stream};
use money::{Energy, Money};
use rpc::{Call, Fault};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{
    model::{Effect, Outcome, Tally},
    told,
};
use crate::{
    Desk,
    bill::{
        model::{BillKind, BillState},
        store::bill,
    },
    heat::{
        model::{assess, settle},
        store::account,
    },
    table,
    tariff::{
        heat::{EnergyUnit, HeatBook, HeatPrice},
        ops,
    },
};

/// Bills of one step.
const CHUNK: u64 = 500;

/// TryHeatTariff.
///
/// # Errors
/// HEAT_PRICE, TARIFF_RULE, CLASS_TWICE as publication has them.
pub fn run(desk: Desk, call: Call, request: TryHeatTariffRequest) -> Result<impl Stream<Item = Result<TryHeatTariffResponse, Fault>> + Send + 'static, Fault> {
    let trial = Trial {
        scope: Scope::of(&call),
        season: request.season.clone(),
        branch: request.branch.clone(),
        book: book(&request)?,
    };
    let tally = Tally::of(request.named);
    Ok(stream::try_unfold(Some((desk, trial, tally, None)), |state| async move {
        let Some((desk, trial, mut tally, after)) = state else { return Ok(None) };
        let reached = trial.step(desk.db.reader(), after, &mut tally).await?;
        let answer = TryHeatTariffResponse {
            agreements: tally.total.agreements,
            result: match reached {
                Some(_) => None,
                None => Some(told(&tally)),
            },
        };
        Ok(Some((answer, reached.map(|last| (desk, trial, tally, Some(last))))))
    }))
}

/// The prices, as if they had always been in force.
fn book(request: &TryHeatTariffRequest) -> Result<HeatBook, Fault> {
    let rules = ops::heat_rules(
        request.rounding.as_ref(),
        request.tax_percent.as_ref(),
        request.tax_included,
        request.tax_rounding.as_ref(),
    )?;
    let price = |(class, terms)| HeatPrice {
        tariff_id: Uuid::nil(),
        branch: String::new(),
        class,
        from: NaiveDate::MIN,
        until: None,
        terms,
        rules: rules.clone(),
    };
    Ok(HeatBook::new(ops::heat_terms(&request.classes)?.into_iter().map(price).collect()))
}

struct Trial {
    scope: Scope,
    season: String,
    branch: String,
    book: HeatBook,
}

impl Trial {
    /// Prices the next bills; the last of them, or nothing when all are done.
    async fn step(&self, conn: &Conn, after: Option<Uuid>, tally: &mut Tally) -> Result<Option<Uuid>, Fault> {
        let bills = self.bills(conn, after).await?;
        let Some(reached) = bills.last().map(|bill| bill.id) else { return Ok(None) };
        let accounts = account::Entity::find().filter(table::among(conn, account::Column::BillId, bills.iter().map(|bill| bill.id)));
        let accounts = accounts.all(conn).await?.into_iter();
        let accounts: HashMap<Option<Uuid>, account::Model> = accounts.map(|account| (account.bill_id, account)).collect();
        for bill in &bills {
            let tried = match accounts.get(&Some(bill.id)) {
                Some(account) => self.price(bill, account)?,
                None => None,
            };
            let effect = tried.map(|tried| Effect::of_bill(Money::from_fen(bill.amount), Money::from_fen(bill.credited), tried));
            let mut outcome = Outcome::new(bill.agreement_id, &bill.account_no);
            outcome
                .note(&bill.use_class, effect.transpose().map_err(Fault::internal)?)
                .map_err(Fault::internal)?;
            tally.take(outcome).map_err(Fault::internal)?;
        }
        Ok(Some(reached))
    }

    /// The bills of the season that stand, one of each agreement.
    async fn bills(&self, conn: &Conn, after: Option<Uuid>) -> Result<Vec<bill::Model>, Fault> {
        let mut bills = find::<bill::Entity>(&self.scope)
            .filter(bill::Column::Season.eq(&self.season))
            .filter(bill::Column::Kind.is_in([BillKind::HeatSeason.code(), BillKind::HeatSettlement.code()]))
            .filter(bill::Column::State.is_not_in([BillState::Draft.code(), BillState::Reversed.code()]));
        if !self.branch.is_empty() {
            bills = bills.filter(bill::Column::Branch.eq(&self.branch));
        }
        if let Some(after) = after {
            bills = bills.filter(bill::Column::Id.gt(after));
        }
        Ok(bills.order_by_asc(bill::Column::Id).limit(CHUNK).all(conn).await?)
    }

    /// What a bill would have come to; nothing where these prices do not say.
    fn price(&self, bill: &bill::Model, account: &account::Model) -> Result<Option<Money>, Fault> {
        let Some(price) = self.book.price("", &bill.use_class, bill.from_date) else {
            return Ok(None);
        };
        let basis = account.basis()?;
        let season = (bill.from_date.succ_opt().unwrap_or(bill.from_date), bill.to_date);
        if bill.kind()? == BillKind::HeatSeason {
            return Ok(assess(price, &basis, season).ok().map(|draft| draft.amount));
        }
        let Some((energy, unit)) = account.energy.zip(EnergyUnit::of(&account.energy_unit)) else {
            return Ok(None);
        };
        let settled = settle(price, &basis, season, (Energy::from_watt_hours(energy), unit));
        Ok(settled.ok().map(|settled| settled.charged.amount))
    }
}
