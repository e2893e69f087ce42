//! Tables of books, their meters and tasks.

use std::collections::HashMap;

use calendar::NaiveDate;
use chrono::{Datelike, Months};
use contracts::hearth::billing::v1 as proto;
use database::{Conn, Scope, Scoped, Write, find};
use rpc::{Fault, page::Page, wire};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    Statement,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use super::{
    model::{Cycle, Span, TaskState, cycles},
    plan,
};
use crate::{
    meter::store::{self as meters, installation},
    table,
    words::known,
};

table!(book, "reading_book", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    code: String,
    name: String,
    branch: String,
    cycle: String,
    read_day: i32,
    from_date: Date,
    reader: String,
    version: i64,
    created_at: i64,
});
table!(entry, "book_entry", {
    #[sea_orm(primary_key, auto_increment = false)] installation_id: Uuid,
    book_id: Uuid,
    walk_order: i32,
});
table!(task, "reading_task", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    book_id: Uuid,
    installation_id: Uuid,
    meter_no: String,
    account_no: String,
    agreement_id: Uuid,
    branch: String,
    from_date: Date,
    until_date: Date,
    due_date: Date,
    reader: String,
    walk_order: i32,
    state: String,
    attempts: i32,
    version: i64,
});

impl Scoped for book::Entity {
    const BRANCH: Option<book::Column> = Some(book::Column::Branch);
}

impl Scoped for task::Entity {
    const BRANCH: Option<task::Column> = Some(task::Column::Branch);
}

impl book::Model {
    /// How often it is read.
    pub fn cycle(&self) -> Result<Cycle, Fault> {
        known(Cycle::of(&self.cycle), &self.cycle)
    }
}

impl task::Model {
    /// Where it stands.
    pub fn state(&self) -> Result<TaskState, Fault> {
        known(TaskState::of(&self.state), &self.state)
    }
    /// Its cycle.
    fn span(&self) -> Span {
        Span {
            from: self.from_date,
            until: self.until_date,
            due: self.due_date,
        }
    }
}

/// States of a task that a reading ends.
const OPEN: [&str; 3] = [TaskState::Due.code(), TaskState::NoAccess.code(), TaskState::MeterFault.code()];

/// Installations in service that are in no book.
pub fn uncovered(scope: &Scope, branch: &str) -> Select<installation::Entity> {
    let select = find::<installation::Entity>(scope)
        .filter(installation::Column::EndDate.is_null())
        .filter(installation::Column::AwaitsOpening.eq(false))
        .filter(Expr::cust("NOT EXISTS (SELECT 1 FROM book_entry e WHERE e.installation_id = installation.id)"));
    if branch.is_empty() {
        select
    } else {
        select.filter(installation::Column::Branch.eq(branch))
    }
}

/// A book that the caller may see, locked.
pub async fn locked(conn: &Conn, scope: &Scope, id: Uuid) -> Result<book::Model, Fault> {
    let select = find::<book::Entity>(scope).filter(book::Column::Id.eq(id)).lock_exclusive();
    select.one(conn).await?.ok_or_else(|| Fault::not_found("reading book", id))
}

/// A book of a branch, or of any, that the caller may see.
pub async fn one(conn: &Conn, scope: &Scope, id: Uuid, branch: &str) -> Result<book::Model, Fault> {
    let found = find::<book::Entity>(scope).filter(book::Column::Id.eq(id)).one(conn).await?;
    found
        .filter(|book| branch.is_empty() || book.branch == branch)
        .ok_or_else(|| Fault::not_found("reading book", id))
}

/// The books of a branch, or of all, of which one, or those of a cycle that are read in a month.
pub async fn read_in(conn: &Conn, branch: &str, one: Option<Uuid>, cycle: Option<&str>, (year, month): (i32, u32)) -> Result<Vec<Uuid>, Fault> {
    let mut select = book::Entity::find().order_by_asc(book::Column::Id);
    if !branch.is_empty() {
        select = select.filter(book::Column::Branch.eq(branch));
    }
    if let Some(id) = one {
        select = select.filter(book::Column::Id.eq(id));
    }
    let mut books = vec![];
    for row in select.all(conn).await? {
        let own = match cycle {
            Some(code) => row.cycle == code && !cycles(row.cycle()?, row.read_day.unsigned_abs(), row.from_date, year, month).is_empty(),
            None => true,
        };
        if own {
            books.push(row.id);
        }
    }
    Ok(books)
}

/// Meters of books.
pub async fn entries(conn: &Conn, books: &[Uuid]) -> Result<Vec<(entry::Model, installation::Model)>, Fault> {
    installed(conn, entry::Column::BookId.is_in(books.iter().copied())).await
}

/// The places of meters in their books.
pub async fn places(conn: &Conn, installations: &[Uuid]) -> Result<Vec<(entry::Model, installation::Model)>, Fault> {
    installed(conn, table::among(conn, entry::Column::InstallationId, installations.iter().copied())).await
}

async fn installed(conn: &Conn, own: Expr) -> Result<Vec<(entry::Model, installation::Model)>, Fault> {
    let rows = entry::Entity::find()
        .filter(own)
        .order_by_asc(entry::Column::WalkOrder)
        .order_by_asc(entry::Column::InstallationId)
        .all(conn)
        .await?;
    let mut both = Vec::with_capacity(rows.len());
    for some in rows.chunks(10_000) {
        let ids = some.iter().map(|e| e.installation_id);
        let found = installation::Entity::find().filter(installation::Column::Id.is_in(ids)).all(conn).await?;
        let mut found: HashMap<Uuid, installation::Model> = found.into_iter().map(|i| (i.id, i)).collect();
        both.extend(some.iter().filter_map(|e| Some((e.clone(), found.remove(&e.installation_id)?))));
    }
    Ok(both)
}

/// The first and the last day on which something is due in a branch.
pub async fn planned(conn: &Conn, branch: &str) -> Result<Option<(NaiveDate, NaiveDate)>, Fault> {
    let sql = "SELECT min((SELECT min(t.due_date) FROM reading_task t WHERE t.book_id = b.id)) AS first, \
               max((SELECT max(t.due_date) FROM reading_task t WHERE t.book_id = b.id)) AS last FROM reading_book b WHERE b.branch = $1";
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, [branch.into()]);
    let Some(row) = conn.query_one_raw(statement).await? else { return Ok(None) };
    let (first, last): (Option<NaiveDate>, Option<NaiveDate>) = (row.try_get("", "first")?, row.try_get("", "last")?);
    Ok(first.zip(last))
}

/// Who reads meters by their books.
pub async fn readers(conn: &Conn, installations: impl IntoIterator<Item = Uuid>) -> Result<HashMap<Uuid, String>, Fault> {
    let entries = entry::Entity::find()
        .filter(table::among(conn, entry::Column::InstallationId, installations))
        .all(conn)
        .await?;
    let books = book::Entity::find()
        .filter(table::among(conn, book::Column::Id, entries.iter().map(|e| e.book_id)))
        .all(conn)
        .await?;
    let readers: HashMap<Uuid, String> = books.into_iter().map(|book| (book.id, book.reader)).collect();
    let of = |entry: &entry::Model| Some((entry.installation_id, readers.get(&entry.book_id)?.clone()));
    Ok(entries.iter().filter_map(of).collect())
}

/// Puts meters into a book; those of another one move.
pub async fn put(conn: &Conn, rows: Vec<entry::Model>) -> Result<(), Fault> {
    let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
    let moves = OnConflict::column(entry::Column::InstallationId)
        .update_columns([entry::Column::BookId, entry::Column::WalkOrder])
        .to_owned();
    entry::Entity::insert_many(rows).on_conflict(moves).exec_without_returning(conn).await?;
    Ok(())
}

/// Tasks of agreements whose cycle has days of the month of a day, without those that were dropped.
pub async fn of_month(conn: &Conn, agreements: &[Uuid], on: NaiveDate) -> Result<Vec<task::Model>, Fault> {
    let first = on.with_day(1).unwrap_or(on);
    let next = first.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
    let select = task::Entity::find()
        .filter(table::among(conn, task::Column::AgreementId, agreements.iter().copied()))
        .filter(task::Column::FromDate.lt(next))
        .filter(task::Column::UntilDate.gte(first))
        .filter(task::Column::State.ne(TaskState::Dropped.code()));
    Ok(select.all(conn).await?)
}

/// Files tasks of cycles for which their meter has none and gives their number.
pub async fn plan(conn: &Conn, rows: Vec<task::Model>) -> Result<u64, Fault> {
    let mut planned = 0_u64;
    for some in rows.chunks(1900) {
        let there = around(conn, some).await?;
        let serves = |row: &task::Model| {
            there
                .get(&row.installation_id)
                .is_some_and(|own| own.iter().any(|span| span.serves(&row.span())))
        };
        let fresh: Vec<_> = some
            .iter()
            .filter(|row| !serves(row))
            .map(|row| row.clone().into_active_model().reset_all())
            .collect();
        if fresh.is_empty() {
            continue;
        }
        let first_wins = OnConflict::new().do_nothing().to_owned();
        let count = task::Entity::insert_many(fresh).on_conflict(first_wins).exec_without_returning(conn).await?;
        planned = planned.saturating_add(count);
    }
    Ok(planned)
}

/// The cycles of meters that touch those of some tasks and for which they have a task.
async fn around(conn: &Conn, rows: &[task::Model]) -> Result<HashMap<Uuid, Vec<Span>>, Fault> {
    let (from, until) = (rows.iter().map(|r| r.from_date).min(), rows.iter().map(|r| r.until_date).max());
    let found = task::Entity::find()
        .filter(table::among(conn, task::Column::InstallationId, rows.iter().map(|r| r.installation_id)))
        .filter(task::Column::State.ne(TaskState::Dropped.code()))
        .filter(task::Column::FromDate.lte(until))
        .filter(task::Column::UntilDate.gte(from))
        .all(conn)
        .await?;
    let mut spans: HashMap<Uuid, Vec<Span>> = HashMap::new();
    for row in found {
        spans.entry(row.installation_id).or_default().push(row.span());
    }
    Ok(spans)
}

/// Ends the tasks of meters that somebody has read within the cycle.
pub async fn mark_read(conn: &Conn, installations: &[Uuid]) -> Result<(), Fault> {
    let (among, keys) = table::among_sql(conn, 1, installations);
    let sql = format!(
        "UPDATE reading_task SET state = 'READ', version = version + 1 WHERE state IN ('DUE', 'NO_ACCESS', 'METER_FAULT') AND installation_id {among} \
         AND EXISTS (SELECT 1 FROM reading r WHERE r.installation_id = reading_task.installation_id AND r.read_date >= reading_task.from_date \
         AND r.read_date <= reading_task.until_date AND r.source NOT IN ('estimate', 'adjusted', 'opening'))"
    );
    conn.execute_raw(Statement::from_sql_and_values(conn.get_database_backend(), sql, [keys]))
        .await?;
    Ok(())
}

/// The meter is gone: its place in the walk is free, or goes to the one that came in its stead with what is to be read, and what was to be read later is dropped.
pub async fn follow(write: &Write, gone: Uuid, end: NaiveDate, instead: Option<Uuid>) -> Result<(), Fault> {
    let known = entry::Entity::find_by_id(gone).one(&**write).await?;
    entry::Entity::delete_many()
        .filter(entry::Column::InstallationId.eq(gone))
        .exec(&**write)
        .await?;
    task::Entity::update_many()
        .col_expr(task::Column::State, TaskState::Dropped.code().into())
        .filter(task::Column::InstallationId.eq(gone))
        .filter(task::Column::State.is_in(OPEN))
        .filter(task::Column::DueDate.gt(end))
        .exec(&**write)
        .await?;
    if let Some((row, installation_id)) = known.zip(instead) {
        put(write, vec![entry::Model { installation_id, ..row }]).await?;
        plan::cover(write, &[installation_id]).await?;
    }
    Ok(())
}

/// The tasks of a book that are not done go to its reader; what was left undone in a cycle that is over stays with whom it was left by (E2-08).
pub async fn hand_over(conn: &Conn, book: &book::Model, today: NaiveDate) -> Result<(), Fault> {
    task::Entity::update_many()
        .col_expr(task::Column::Reader, book.reader.as_str().into())
        .filter(task::Column::BookId.eq(book.id))
        .filter(task::Column::State.is_in(OPEN))
        .filter(task::Column::UntilDate.gte(today))
        .exec(conn)
        .await?;
    Ok(())
}

/// A page of books.
pub async fn list(conn: &Conn, scope: &Scope, page: &Page, branch: &str) -> Result<(Vec<proto::ReadingBook>, String), Fault> {
    let mut select = find::<book::Entity>(scope).order_by_asc(book::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(book::Column::Id.gt(after));
    }
    if !branch.is_empty() {
        select = select.filter(book::Column::Branch.eq(branch));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    let counts = counts(conn, &rows.iter().map(|b| b.id).collect::<Vec<_>>()).await?;
    let message = |row: &book::Model| book_message(row, counts.iter().find(|(id, _)| *id == row.id).map_or(0, |(_, n)| *n));
    Ok((rows.iter().map(message).collect::<Result<_, _>>()?, next))
}

async fn counts(conn: &Conn, books: &[Uuid]) -> Result<Vec<(Uuid, i64)>, Fault> {
    let select = entry::Entity::find()
        .select_only()
        .column(entry::Column::BookId)
        .column_as(Expr::cust("count(*)"), "meters")
        .filter(entry::Column::BookId.is_in(books.iter().copied()))
        .group_by(entry::Column::BookId);
    Ok(select.into_tuple().all(conn).await?)
}

/// Meters in a book.
pub async fn count(conn: &Conn, book: Uuid) -> Result<i64, Fault> {
    let count = entry::Entity::find().filter(entry::Column::BookId.eq(book)).count(conn).await?;
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}

/// A page of installations in no book.
pub async fn list_uncovered(conn: &Conn, scope: &Scope, page: &Page, branch: &str) -> Result<(Vec<proto::Installation>, String), Fault> {
    let mut select = uncovered(scope, branch).order_by_asc(installation::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(installation::Column::Id.gt(after));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((rows.iter().map(meters::message).collect(), next))
}

/// A page of tasks.
pub async fn tasks(conn: &Conn, scope: &Scope, page: &Page, request: &proto::ListTasksRequest) -> Result<(Vec<proto::ReadingTask>, String), Fault> {
    let mut all = Condition::all();
    if let Some(after) = page.after {
        all = all.add(task::Column::Id.gt(after));
    }
    if let Some(book) = &request.book_id {
        all = all.add(task::Column::BookId.eq(wire::id_of::<Uuid>("book_id", book)?));
    }
    if !request.reader.is_empty() {
        all = all.add(task::Column::Reader.eq(&request.reader));
    }
    if let Some(state) = TaskState::of_number(request.state) {
        all = all.add(task::Column::State.eq(state.code()));
    }
    if let Some(from) = wire::date_if(request.from_date.as_ref(), "from_date")? {
        all = all.add(task::Column::DueDate.gte(from));
    }
    if let Some(until) = wire::date_if(request.until_date.as_ref(), "until_date")? {
        all = all.add(task::Column::DueDate.lte(until));
    }
    let select = find::<task::Entity>(scope).filter(all).order_by_asc(task::Column::Id).limit(page.limit());
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((rows.iter().map(task_message).collect::<Result<_, _>>()?, next))
}

/// The message of a book with so many meters.
pub fn book_message(row: &book::Model, meters: i64) -> Result<proto::ReadingBook, Fault> {
    Ok(proto::ReadingBook {
        book_id: row.id.to_string(),
        code: row.code.clone(),
        name: row.name.clone(),
        branch: row.branch.clone(),
        cycle: row.cycle()?.number(),
        read_day: row.read_day,
        from_date: Some(wire::date(row.from_date)),
        reader: row.reader.clone(),
        meters: i32::try_from(meters).unwrap_or(i32::MAX),
        etag: rpc::etag(row.id, row.version),
    })
}

/// The message of a task.
pub fn task_message(row: &task::Model) -> Result<proto::ReadingTask, Fault> {
    Ok(proto::ReadingTask {
        task_id: row.id.to_string(),
        book_id: row.book_id.to_string(),
        installation_id: row.installation_id.to_string(),
        meter_no: row.meter_no.clone(),
        account_no: row.account_no.clone(),
        branch: row.branch.clone(),
        from_date: Some(wire::date(row.from_date)),
        until_date: Some(wire::date(row.until_date)),
        due_date: Some(wire::date(row.due_date)),
        reader: row.reader.clone(),
        walk_order: row.walk_order,
        state: row.state()?.number(),
        attempts: row.attempts,
        etag: rpc::etag(row.id, row.version),
    })
}
