//! What a heat run would make of one agreement, tried and not written (B19).

use calendar::Instant;
use contracts::hearth::billing::v1::try_bill_response::Outcome;
use database::Conn;
use rpc::Fault;

use super::{
    decide::{Assessed, Assessing, Settlement, Settling},
    ops::DUE_DAYS,
    rows::Bill,
    store::{self, season},
};
use crate::{
    bill::store::{bill, explanation, line},
    run::model::Period,
    supply::store::supply,
};

/// What a run would do.
pub enum Tried {
    /// No bill, and why it could not be priced where that is it.
    Nothing(Outcome, &'static str),
    Bill(Box<(bill::Model, Vec<line::Model>, explanation::Model)>),
}

/// What a run would make of an agreement now in the season of a month, or in the next one: its season bill up to the last day of the season, then its settlement.
pub async fn try_season(conn: &Conn, supply: &supply::Model, period: Period, now: Instant) -> Result<Tried, Fault> {
    let season = store::season_from(conn, &supply.branch, period.first).await?;
    if now.date() <= season.end_date {
        try_assessment(conn, &season, supply, now).await
    } else {
        try_settlement(conn, &season, supply, now).await
    }
}

async fn try_assessment(conn: &Conn, season: &season::Model, supply: &supply::Model, now: Instant) -> Result<Tried, Fault> {
    let loaded = Assessing::of(conn, season, std::slice::from_ref(supply)).await?;
    Ok(match loaded.decide(supply, now)? {
        Assessed::Bill(due) => tried(&due.bill(season, supply, now.date(), None), now),
        Assessed::Already => Tried::Nothing(Outcome::Already, ""),
        Assessed::Parked(reason) => Tried::Nothing(Outcome::Parked, reason),
        Assessed::NotDue | Assessed::Voided => Tried::Nothing(Outcome::NotDue, ""),
    })
}

async fn try_settlement(conn: &Conn, season: &season::Model, supply: &supply::Model, now: Instant) -> Result<Tried, Fault> {
    let Some(account) = store::in_season(conn, season.id, &[supply.id]).await?.remove(&supply.id) else {
        return Ok(Tried::Nothing(Outcome::NotDue, ""));
    };
    let loaded = Settling::of(conn, season, std::slice::from_ref(&account)).await?;
    Ok(match loaded.decide(&account, now.date())? {
        Settlement::Bill(due) => tried(&due.bill(season, supply, now.date(), DUE_DAYS, None), now),
        Settlement::Already | Settlement::Stands(_) => Tried::Nothing(Outcome::Already, ""),
        Settlement::Missing(_) => Tried::Nothing(Outcome::Missing, ""),
        Settlement::Parked(reason) => Tried::Nothing(Outcome::Parked, reason),
    })
}

fn tried(bill: &Bill<'_>, now: Instant) -> Tried {
    Tried::Bill(Box::new(bill.rows(now)))
}
