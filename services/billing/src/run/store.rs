//! Tables of runs.

use std::collections::HashMap;

use contracts::hearth::billing::v1 as proto;
use database::{Conn, Scope, Scoped, Write, find, jobs, numbers};
use money::Money;
use rpc::{Fault, page::Page, wire};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Statement,
    sea_query::{Expr, LockBehavior, LockType, Order, Query},
};
use uuid::Uuid;

use super::model::{Outcome, Period, Purpose, RunState};
use crate::{
    fetch,
    ledger::store::instant,
    route::{model::Cycle, store as routes},
    supply::{
        model::{Service, SupplyState},
        store::{FILED, supply},
    },
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
    gap: Option<i64>,
    /// Agreements on file when it began, the voided ones among them.
    filed: Option<i64>,
    filed_until: Option<i64>,
    voided: Option<i64>,
    book_id: Option<Uuid>,
    cycle: Option<String>,
});
table!(part, "bill_run_part", {
    #[sea_orm(primary_key, auto_increment = false)] run_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)] ordinal: i32,
    branch: String,
    /// Its accounts come after this one.
    after_account: Option<Uuid>,
    /// The last one of its accounts.
    last_account: Option<Uuid>,
    /// Account and agreement up to which all have an outcome.
    reached_account: Option<Uuid>,
    reached: Option<Uuid>,
    done: bool,
    produced: i64,
    already: i64,
    held: i64,
    missing: i64,
    parked: i64,
    skipped: i64,
    not_due: i64,
    bills_held: i64,
    amount: i64,
    voided: i64,
});
table!(member, "bill_run_account", {
    /// A run that is narrowed to some accounts.
    #[sea_orm(primary_key, auto_increment = false)] run_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)] account_id: Uuid,
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
            gap: None,
            filed: None,
            filed_until: None,
            voided: Some(0),
            book_id: None,
            cycle: None,
        }
    }

    /// Agreements that have an outcome.
    pub fn done(&self) -> i64 {
        let counts = [self.produced, self.already, self.held, self.missing, self.parked, self.skipped, self.not_due];
        counts.into_iter().chain(self.bills_held).fold(0, i64::saturating_add)
    }

    /// Agreements that it came to.
    pub fn met(&self) -> i64 {
        self.done().saturating_add(self.voided.unwrap_or(0))
    }

    /// Whether it bills some accounts only.
    fn is_narrow(&self) -> bool {
        self.book_id.is_some() || self.cycle.is_some()
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

/// Agreements of a part, about: some chunks, so that a city makes parts for every worker, and few of them are idle at the end.
const PART: i64 = 10_000;

impl run::Model {
    /// Takes its counts from its parts.
    pub fn sum(&mut self, parts: &[part::Model]) {
        let sum = |count: fn(&part::Model) -> i64| parts.iter().map(count).fold(0, i64::saturating_add);
        self.produced = sum(|p| p.produced);
        self.already = sum(|p| p.already);
        self.held = sum(|p| p.held);
        self.missing = sum(|p| p.missing);
        self.parked = sum(|p| p.parked);
        self.skipped = sum(|p| p.skipped);
        self.not_due = sum(|p| p.not_due);
        self.bills_held = Some(sum(|p| p.bills_held));
        self.amount = sum(|p| p.amount);
        self.voided = Some(sum(|p| p.voided));
    }
}

/// The agreements on file that a run comes to: all for gas, of its branch and its accounts, the voided ones among them. Who is filed after it began is left
/// to the next run, so that it comes to exactly those that it counted.
fn agreements(run: &run::Model) -> Select<supply::Entity> {
    let mut select = supply::Entity::find().filter(supply::Column::Service.eq(Service::Gas.code()));
    if let Some(last) = run.filed_until {
        select = select.filter(supply::Column::FiledNo.lte(last));
    }
    if !run.branch.is_empty() {
        select = select.filter(supply::Column::Branch.eq(&run.branch));
    }
    if run.is_narrow() {
        let members = member::Entity::find()
            .select_only()
            .column(member::Column::AccountId)
            .filter(member::Column::RunId.eq(run.id));
        select = select.filter(supply::Column::AccountId.in_subquery(members.into_query()));
    }
    select
}

/// Counts the agreements that a run has before it.
pub async fn expect(write: &Write, run: &mut run::Model) -> Result<(), Fault> {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    run.filed_until = Some(numbers::last(write, FILED, "", 0).await?);
    let filed = agreements(run);
    let voided = filed.clone().filter(supply::Column::State.eq(SupplyState::Voided.code()));
    let (filed, voided) = (count(filed.count(&**write).await?), count(voided.count(&**write).await?));
    run.filed = Some(filed);
    run.expected = filed.saturating_sub(voided);
    Ok(())
}

/// Files the accounts of a run that is narrowed to the meters of some books, as they hang there now.
async fn narrow(write: &Write, run: &run::Model) -> Result<(), Fault> {
    let period = run.period()?;
    let books = routes::read_in(write, &run.branch, run.book_id, run.cycle.as_deref(), (period.year, period.month)).await?;
    let (among, keys) = table::among_sql(write, 2, &books);
    let sql = format!(
        "INSERT INTO bill_run_account (run_id, account_id) SELECT DISTINCT $1, s.account_id FROM book_entry e \
         JOIN installation i ON i.id = e.installation_id JOIN supply s ON s.id = i.agreement_id WHERE e.book_id {among}"
    );
    let values = [run.id.into(), keys];
    write
        .execute_raw(Statement::from_sql_and_values(write.get_database_backend(), sql, values))
        .await?;
    // Nobody comes to the end of a run whose job was cancelled.
    let cancelled = "DELETE FROM bill_run_account WHERE run_id IN (SELECT r.id FROM bill_run r JOIN job j ON j.id = r.job_id WHERE j.state = 'CANCELLED')";
    write.execute_unprepared(cancelled).await?;
    Ok(())
}

/// Forgets the accounts of a run that is done.
pub async fn forget(write: &Write, run: &run::Model) -> Result<(), Fault> {
    if run.is_narrow() {
        member::Entity::delete_many().filter(member::Column::RunId.eq(run.id)).exec(&**write).await?;
    }
    Ok(())
}

/// Splits a run into parts that workers take on their own: ranges of the accounts of a branch, so that a household stays whole. Gives their number.
pub async fn split(write: &Write, run: &mut run::Model) -> Result<u64, Fault> {
    // What came of a run that began before runs had parts is made anew; its bills stand and are found.
    item::Entity::delete_many().filter(item::Column::RunId.eq(run.id)).exec(&**write).await?;
    if run.is_narrow() {
        narrow(write, run).await?;
        expect(write, run).await?;
        table::update::<run::Entity>(write, run.clone()).await?;
    }
    let numbered = agreements(run)
        .select_only()
        .columns([supply::Column::Branch, supply::Column::AccountId])
        .expr_as(Expr::cust("row_number() OVER (PARTITION BY supply.branch ORDER BY supply.account_id)"), "n")
        .expr_as(Expr::cust("count(*) OVER (PARTITION BY supply.branch)"), "total")
        .into_query();
    let ends = Query::select()
        .columns(["branch", "account_id"])
        .from_subquery(numbered, "numbered")
        .and_where(Expr::cust(format!("n % {PART} = 0 OR n = total")))
        .order_by("branch", Order::Asc)
        .order_by("account_id", Order::Asc)
        .to_owned();
    let mut parts: Vec<part::Model> = vec![];
    for row in write.query_all(&ends).await? {
        let (branch, last): (String, Uuid) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let before = parts.last().filter(|part| part.branch == branch).and_then(|part| part.last_account);
        if before == Some(last) {
            continue;
        }
        parts.push(part::Model {
            run_id: run.id,
            ordinal: 0,
            branch,
            after_account: before,
            last_account: Some(last),
            reached_account: None,
            reached: None,
            done: false,
            produced: 0,
            already: 0,
            held: 0,
            missing: 0,
            parked: 0,
            skipped: 0,
            not_due: 0,
            bills_held: 0,
            amount: 0,
            voided: 0,
        });
    }
    // Branches take turns, since parts of one branch wait for each other's numbers.
    let mut turns: HashMap<String, usize> = HashMap::new();
    parts.sort_by_cached_key(|part| {
        let turn = turns.entry(part.branch.clone()).or_default();
        *turn = turn.saturating_add(1);
        *turn
    });
    for (ordinal, part) in (1..).zip(&mut parts) {
        part.ordinal = ordinal;
    }
    let count = u64::try_from(parts.len()).unwrap_or(u64::MAX);
    table::insert_all::<part::Entity>(write, parts).await?;
    Ok(count)
}

/// Takes the first part of a run that is not done and that nobody has. The lock of its row is the lease: it ends with the transaction, whatever
/// ends that, and without it nothing is written.
pub async fn take(write: &Write, run: Uuid) -> Result<Option<part::Model>, Fault> {
    Ok(part::Entity::find()
        .filter(part::Column::RunId.eq(run))
        .filter(part::Column::Done.eq(false))
        .order_by_asc(part::Column::Ordinal)
        .limit(1)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .one(&**write)
        .await?)
}

/// Parts of a run and how many of them are done, once it is split.
pub async fn parts(conn: &Conn, run: Uuid) -> Result<Vec<part::Model>, Fault> {
    Ok(part::Entity::find().filter(part::Column::RunId.eq(run)).all(conn).await?)
}

/// The next agreements of a part, in the order of accounts and agreements.
pub async fn next(conn: &Conn, run: &run::Model, part: &part::Model, count: u64) -> Result<Vec<supply::Model>, Fault> {
    let mut select = agreements(run)
        .filter(supply::Column::Branch.eq(&part.branch))
        .order_by_asc(supply::Column::AccountId)
        .order_by_asc(supply::Column::Id)
        .limit(count);
    if let Some(after) = part.after_account {
        select = select.filter(supply::Column::AccountId.gt(after));
    }
    if let Some(last) = part.last_account {
        select = select.filter(supply::Column::AccountId.lte(last));
    }
    if let Some((account, agreement)) = part.reached_account.zip(part.reached) {
        let behind = Condition::any()
            .add(supply::Column::AccountId.gt(account))
            .add(supply::Column::Id.gt(agreement));
        select = select.filter(supply::Column::AccountId.gte(account)).filter(behind);
    }
    let mut rows: Vec<supply::Model> = fetch::all(conn, select).await?;
    rows.sort_unstable_by_key(|row| (row.account_id, row.id));
    Ok(rows)
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
    let mut messages = vec![];
    for row in rows {
        messages.push(message(conn, row).await?);
    }
    Ok((messages, next))
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

/// The message of a run, as far as its parts have come.
pub async fn message(conn: &Conn, mut row: run::Model) -> Result<proto::BillRun, Fault> {
    let parts = parts(conn, row.id).await?;
    if !parts.is_empty() {
        row.sum(&parts);
    }
    let mut state = known(RunState::of(&row.state), &row.state)?;
    if state == RunState::Running && jobs::is_cancelled(conn, row.job_id).await? {
        state = RunState::Cancelled;
    }
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    Ok(proto::BillRun {
        run_id: row.id.to_string(),
        job_id: row.job_id.to_string(),
        year: row.year,
        month: row.month,
        branch: row.branch.clone(),
        state: state.number(),
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
        gap: row.gap.unwrap_or(0),
        voided: row.voided.unwrap_or(0),
        book_id: row.book_id.map(|id| id.to_string()).unwrap_or_default(),
        cycle: row.cycle.as_deref().map_or(Ok(0), |code| known(Cycle::of(code), code).map(Cycle::number))?,
        parts: count(parts.len()),
        parts_done: count(parts.iter().filter(|part| part.done).count()),
    })
}
