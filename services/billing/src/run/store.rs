//! Tables of runs.

use contracts::hearth::billing::v1 as proto;
use database::{Conn, Scope, Scoped, Write, find};
use money::Money;
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::model::{Outcome, Period, Purpose, RunState};
use crate::{
    ledger::store::instant,
    supply::{model::SupplyState, store::supply},
    table,
    words::known,
};

table!(run, "bill_run", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    job_id: Uuid,
    year: i32,
    month: i32,
    branch: String,
    due_days: i32,
    state: String,
    reached: Option<Uuid>,
    expected: i64,
    produced: i64,
    already: i64,
    held: i64,
    missing: i64,
    parked: i64,
    skipped: i64,
    not_due: i64,
    amount: i64,
    created_at: i64,
    finished_at: Option<i64>,
    purpose: Option<String>,
    season: Option<String>,
    started_by: Option<String>,
    bills_held: Option<i64>,
});
table!(item, "bill_run_item", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    run_id: Uuid,
    agreement_id: Uuid,
    account_no: String,
    branch: String,
    outcome: String,
    reason: String,
});

impl item::Model {
    /// An agreement that gets no bill in the run.
    pub fn of(run: &run::Model, supply: &supply::Model, outcome: Outcome, reason: &str) -> Self {
        Self {
            id: Uuid::now_v7(),
            run_id: run.id,
            agreement_id: supply.id,
            account_no: supply.account_no.clone(),
            branch: supply.branch.clone(),
            outcome: outcome.code().to_owned(),
            reason: reason.to_owned(),
        }
    }
}

impl Scoped for run::Entity {
    const BRANCH: Option<run::Column> = Some(run::Column::Branch);
}

impl Scoped for item::Entity {
    const BRANCH: Option<item::Column> = Some(item::Column::Branch);
}

impl run::Model {
    /// A run of a branch that somebody starts now, for so many agreements; its period and its purpose are its starter's to say.
    pub fn begun(id: Uuid, job_id: Uuid, branch: &str, expected: u64, write: &Write) -> Self {
        Self {
            id,
            job_id,
            year: 0,
            month: 0,
            branch: branch.to_owned(),
            due_days: 0,
            state: RunState::Running.code().to_owned(),
            reached: None,
            expected: i64::try_from(expected).unwrap_or(i64::MAX),
            produced: 0,
            already: 0,
            held: 0,
            missing: 0,
            parked: 0,
            skipped: 0,
            not_due: 0,
            amount: 0,
            created_at: write.now().micros(),
            finished_at: None,
            purpose: None,
            season: None,
            started_by: Some(write.call().subject().to_owned()),
            bills_held: Some(0),
        }
    }

    /// Agreements that have an outcome.
    pub fn done(&self) -> i64 {
        let counts = [self.produced, self.already, self.held, self.missing, self.parked, self.skipped, self.not_due];
        counts.into_iter().chain(self.bills_held).fold(0, i64::saturating_add)
    }

    /// What it makes; gas bills where nothing else is said.
    pub fn purpose(&self) -> Result<Purpose, Fault> {
        self.purpose.as_deref().map_or(Ok(Purpose::Regular), |code| known(Purpose::of(code), code))
    }

    /// The month.
    pub fn period(&self) -> Result<Period, Fault> {
        u32::try_from(self.month)
            .ok()
            .and_then(|month| Period::new(self.year, month))
            .ok_or_else(|| Fault::internal("a run of a month that does not exist"))
    }
}

/// The agreements of a run: all for gas that were not voided, of its branch.
pub fn agreements(branch: &str) -> Select<supply::Entity> {
    let select = supply::Entity::find()
        .filter(supply::Column::Service.eq("GAS"))
        .filter(supply::Column::State.ne(SupplyState::Voided.code()));
    if branch.is_empty() {
        select
    } else {
        select.filter(supply::Column::Branch.eq(branch))
    }
}

/// The next agreements after the one reached.
pub async fn next(conn: &Conn, run: &run::Model, count: u64) -> Result<Vec<supply::Model>, Fault> {
    let mut select = agreements(&run.branch).order_by_asc(supply::Column::Id).limit(count);
    if let Some(reached) = run.reached {
        select = select.filter(supply::Column::Id.gt(reached));
    }
    Ok(select.all(conn).await?)
}

/// A run that the caller may see.
pub async fn one(conn: &Conn, scope: &Scope, id: Uuid) -> Result<run::Model, Fault> {
    find::<run::Entity>(scope)
        .filter(run::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("bill run", id))
}

/// A page of runs.
pub async fn list(conn: &Conn, scope: &Scope, page: &Page) -> Result<(Vec<proto::BillRun>, String), Fault> {
    let mut select = find::<run::Entity>(scope).order_by_asc(run::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(run::Column::Id.gt(after));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((rows.iter().map(message).collect::<Result<_, _>>()?, next))
}

/// A page of agreements without a bill.
pub async fn items(conn: &Conn, scope: &Scope, page: &Page, run: Uuid, outcome: Option<Outcome>) -> Result<(Vec<proto::BillRunItem>, String), Fault> {
    let mut select = find::<item::Entity>(scope)
        .filter(item::Column::RunId.eq(run))
        .order_by_asc(item::Column::Id)
        .limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(item::Column::Id.gt(after));
    }
    if let Some(outcome) = outcome {
        select = select.filter(item::Column::Outcome.eq(outcome.code()));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    let messages = rows.iter().map(|row| {
        Ok::<_, Fault>(proto::BillRunItem {
            item_id: row.id.to_string(),
            agreement_id: row.agreement_id.to_string(),
            account_no: row.account_no.clone(),
            outcome: known(Outcome::of(&row.outcome), &row.outcome)?.number(),
            reason: row.reason.clone(),
        })
    });
    Ok((messages.collect::<Result<_, _>>()?, next))
}

/// The message of a run.
pub fn message(row: &run::Model) -> Result<proto::BillRun, Fault> {
    Ok(proto::BillRun {
        run_id: row.id.to_string(),
        job_id: row.job_id.to_string(),
        year: row.year,
        month: row.month,
        branch: row.branch.clone(),
        state: known(RunState::of(&row.state), &row.state)?.number(),
        expected: row.expected,
        produced: row.produced,
        already: row.already,
        held: row.held,
        missing: row.missing,
        parked: row.parked,
        skipped: row.skipped,
        not_due: row.not_due,
        amount: Some(wire::money(Money::from_fen(row.amount))),
        create_time: Some(instant(row.created_at)),
        finish_time: row.finished_at.map(instant),
        purpose: row.purpose()?.number(),
        season: row.season.clone().unwrap_or_default(),
        bills_held: row.bills_held.unwrap_or(0),
    })
}
