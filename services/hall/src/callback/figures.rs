//! Coverage and satisfaction (回访率、满意率, C-03).

use calendar::Instant;
use contracts::hearth::hall::v1::*;
use database::{Scope, find};
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, Condition, PaginatorTrait, QueryFilter, Select, sea_query::Query};

use super::{
    model::{Cause, Outcome, Verdict, WAITING, percent},
    store::{draw, task},
};
use crate::{Desk, fields, refusal::Refusal};

pub async fn get(desk: Desk, call: Call, request: GetCallbackFiguresRequest) -> Result<GetCallbackFiguresResponse, Fault> {
    let from = wire::date_of(request.from_date.as_ref(), "from_date")?;
    let to = wire::date_of(request.to_date.as_ref(), "to_date")?;
    if to < from {
        return Err(Fault::from(Refusal::ValidityOrder).field("to_date"));
    }
    let (since, until) = (Instant::start_of(from).micros(), Instant::end_of(to).micros());
    let scope = Scope::of(&call);
    let mut tasks = find::<task::Entity>(&scope).filter(task::Column::CreatedAt.between(since, until));
    // One that was drawn anew for a hazard has its task all the same.
    let called = Query::select().column(task::Column::AboutId).from(task::Entity).to_owned();
    let mut objected = find::<draw::Entity>(&scope)
        .filter(draw::Column::DrawnAt.between(since, until))
        .filter(draw::Column::Verdict.eq(Verdict::Objected))
        .filter(draw::Column::AboutId.not_in_subquery(called));
    if let Some(cause) = fields::pick_if::<Cause>(request.cause) {
        tasks = tasks.filter(task::Column::Cause.eq(cause));
        objected = objected.filter(draw::Column::Cause.eq(cause));
    }
    let count = async |which: Option<Condition>| count(&desk, &tasks, which).await;
    let is = |column: task::Column, value: bool| Some(Condition::all().add(column.eq(value)));
    let outcome = |outcome: Outcome| Some(Condition::all().add(task::Column::Outcome.eq(outcome)));
    let reached = count(outcome(Outcome::Reached)).await?;
    let unreachable = count(outcome(Outcome::Unreachable)).await?;
    let late = Condition::all()
        .add(task::Column::Outcome.is_null())
        .add(task::Column::State.is_in(WAITING))
        .add(task::Column::DueAt.lt(desk.clock.now().micros()));
    let overdue = count(Some(late)).await?;
    let satisfied = count(is(task::Column::Satisfied, true)).await?;
    let dissatisfied = count(is(task::Column::Satisfied, false)).await?;
    let whole = reached.saturating_add(unreachable).saturating_add(overdue);
    let answered = satisfied.saturating_add(dissatisfied);
    let figures = CallbackFigures {
        tasks: number(count(None).await?),
        suppressed: number(count(outcome(Outcome::Suppressed)).await?),
        reached: number(reached),
        unreachable: number(unreachable),
        overdue: number(overdue),
        satisfied: number(satisfied),
        dissatisfied: number(dissatisfied),
        discourteous: number(count(is(task::Column::Discourteous, true)).await?),
        coverage_percent: percent(reached, whole).map(wire::decimal),
        satisfaction_percent: percent(satisfied, answered).map(wire::decimal),
        objected: number(objected.count(desk.db.reader()).await?),
    };
    Ok(GetCallbackFiguresResponse { figures: Some(figures) })
}

async fn count(desk: &Desk, tasks: &Select<task::Entity>, which: Option<Condition>) -> Result<u64, Fault> {
    let mut select = tasks.clone();
    if let Some(which) = which {
        select = select.filter(which);
    }
    Ok(select.count(desk.db.reader()).await?)
}

fn number(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
