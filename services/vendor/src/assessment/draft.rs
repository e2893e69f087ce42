//! The draft of an assessment (考核草稿): what the service knows of a period.

use calendar::Instant;
use database::Conn;
use ids::ContractId;
use rpc::Fault;

use super::{
    model::{Counted, Deduction, Fact, Period, Scores, deductions, proposed},
    store::{self, Complaint},
};
use crate::{
    contract::Contract,
    offer::{self, Decided},
    person::{self, Turnover},
    remedy, settlement,
};

/// What is known of a period of a contract.
pub(super) struct Draft {
    pub contract: ContractId,
    pub period: Period,
    /// Who accepted or refused work of the vendor at the branch, under whatever contract.
    pub acceptors: Vec<String>,
    /// Accepted and refused work of the contract.
    pub decided: Vec<Decided>,
    pub complaints: Vec<Complaint>,
    pub deductions: Vec<Deduction>,
    pub open_p1: i32,
    pub turnover: Turnover,
}

impl Draft {
    /// Whether the period takes scores.
    pub fn is_scored(&self) -> bool {
        !self.period.milestone.is_empty() || !self.decided.is_empty()
    }

    /// The items that follow.
    pub fn proposed(&self) -> Scores {
        proposed(&self.deductions)
    }
}

/// Draws it up, as of now.
pub(super) async fn draw(conn: &Conn, contract: &Contract, period: &Period, now: Instant) -> Result<Draft, Fault> {
    let (from, to) = (Instant::start_of(period.from), Instant::end_of(period.to));
    let decided = offer::store::decided(conn, contract.vendor, &contract.branch, from, to).await?;
    let acceptors = decided.iter().map(|work| work.by.clone()).collect();
    let decided = settlement::orders_of(conn, contract, decided).await?;
    let broken = offer::store::broken_promises(conn, contract.vendor, &contract.branch, period.from, period.to).await?;
    let broken = settlement::orders_of(conn, contract, broken).await?;
    let mut complaints = store::complaints(conn, &[contract.vendor]).await?;
    complaints.retain(|complaint| complaint.counts(contract.id, period));
    let disturbances = remedy::store::disturbances(conn, contract.vendor, contract.id, from, to).await?;
    let open_p1 = remedy::store::open_of(conn, contract.vendor).await?;
    let open_p1 = open_p1
        .iter()
        .filter(|r| r.severity == Some(remedy::Severity::P1) && r.holds(contract.id, now))
        .count();
    let turnover = Turnover::until(period.to, &person::store::stays(conn, contract.vendor).await?);

    let whole = |fact| Counted { fact, in_part: false };
    let mut facts: Vec<_> = complaints
        .iter()
        .map(|c| Counted {
            fact: c.fact,
            in_part: c.in_part,
        })
        .collect();
    facts.extend(decided.iter().filter(|work| !work.accepted).map(|_| whole(Fact::WorkRefused)));
    facts.extend(broken.iter().map(|_| whole(Fact::PromiseBroken)));
    // One that came from a complaint is counted with the complaint.
    facts.extend(disturbances.iter().filter(|r| r.complaint.is_none()).map(|_| whole(Fact::Disturbance)));
    facts.extend(disturbances.iter().filter(|r| r.was_late(now)).map(|_| whole(Fact::DisturbanceLate)));
    facts.extend(turnover.deducts().then(|| whole(Fact::StaffTurnover)));
    Ok(Draft {
        contract: contract.id,
        period: period.clone(),
        acceptors,
        decided,
        complaints,
        deductions: deductions(&facts),
        open_p1: i32::try_from(open_p1).map_err(Fault::internal)?,
        turnover,
    })
}
