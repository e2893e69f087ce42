//! Prices tried on the bills of a year (B19): the arithmetic of the bill run, and nothing stored.

pub mod heat;
mod model;
mod store;

use calendar::NaiveDate;
use contracts::hearth::billing::v1::{TariffTrial, TryTariffRequest, TryTariffResponse, tariff_trial};
use database::Scope;
use futures::{Stream, stream};
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use self::{
    model::{Customer, Effect, Tally},
    store::Whose,
};
use super::{
    model::{Book, Books, BoundaryWord, ChangeWord, Rules, Version},
    ops,
};
use crate::Desk;

/// TryTariff.
///
/// # Errors
/// TIERS, TARIFF_RULE, CLASS_TWICE as publication has them.
pub fn run(desk: Desk, call: Call, request: TryTariffRequest) -> Result<impl Stream<Item = Result<TryTariffResponse, Fault>> + Send + 'static, Fault> {
    let day = |year: i32, month, day| NaiveDate::from_ymd_opt(year, month, day).ok_or_else(|| Fault::internal("a year that the calendar does not reach"));
    let trial = Trial {
        whose: Whose {
            scope: Scope::of(&call),
            branch: request.branch.clone(),
            first: day(request.year, 1, 1)?,
            last: day(request.year, 12, 31)?,
        },
        // The bills of the year before fill the tier years that go over its end.
        since: day(request.year.saturating_sub(1), 1, 1)?,
        books: books(&request)?,
    };
    let tally = Tally::of(request.named);
    Ok(stream::try_unfold(Some((desk, trial, tally, None)), |state| async move {
        let Some((desk, trial, mut tally, after)) = state else { return Ok(None) };
        let reached = trial.step(&desk, after, &mut tally).await?;
        let answer = TryTariffResponse {
            agreements: tally.total.agreements,
            result: match reached {
                Some(_) => None,
                None => Some(told(&tally)),
            },
        };
        Ok(Some((answer, reached.map(|last| (desk, trial, tally, Some(last))))))
    }))
}

/// The prices, as if they had always been in force everywhere.
fn books(request: &TryTariffRequest) -> Result<Books, Fault> {
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
            late_use: None,
        },
    };
    let mut prices = vec![];
    for (class, terms) in ops::classes(&version, &request.classes)? {
        prices.push(version.price(Uuid::nil(), &class, None, &terms)?);
    }
    Ok(Book::new(prices).map_err(Fault::internal)?.into())
}

struct Trial {
    whose: Whose,
    since: NaiveDate,
    books: Books,
}

impl Trial {
    /// Rates the bills of the next accounts; the last of them, or nothing when all are done.
    async fn step(&self, desk: &Desk, after: Option<Uuid>, tally: &mut Tally) -> Result<Option<Uuid>, Fault> {
        let conn = desk.db.reader();
        let accounts = self.whose.accounts(conn, after).await?;
        let Some(reached) = accounts.last().copied() else { return Ok(None) };
        let (bills, population) = self.whose.population(conn, &accounts, self.since, &self.books).await?;
        for outcome in population.rate(&bills, &self.books).map_err(Fault::internal)? {
            tally.take(outcome).map_err(Fault::internal)?;
        }
        Ok(Some(reached))
    }
}

fn told(tally: &Tally) -> TariffTrial {
    let class = |(use_class, effect): (&String, &Effect)| tariff_trial::Class {
        use_class: use_class.clone(),
        effect: effect_of(effect),
    };
    TariffTrial {
        total: effect_of(&tally.total),
        winners: effect_of(&tally.winners),
        losers: effect_of(&tally.losers),
        unchanged: effect_of(&tally.unchanged),
        classes: tally.classes.iter().map(class).collect(),
        largest_gains: customers(&tally.gains),
        largest_losses: customers(&tally.losses),
        left_out: tally.left_out,
    }
}

fn customers(list: &[Customer]) -> Vec<tariff_trial::Customer> {
    let message = |customer: &Customer| tariff_trial::Customer {
        agreement_id: customer.agreement.to_string(),
        account_no: customer.account_no.clone(),
        use_class: customer.class.clone(),
        effect: effect_of(&customer.effect),
    };
    list.iter().map(message).collect()
}

fn effect_of(effect: &Effect) -> Option<tariff_trial::Effect> {
    Some(tariff_trial::Effect {
        agreements: effect.agreements,
        bills: effect.bills,
        billed: Some(wire::money(effect.billed)),
        tried: Some(wire::money(effect.tried)),
    })
}
