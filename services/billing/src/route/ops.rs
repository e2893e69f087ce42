//! Writes about books and tasks.

use contracts::hearth::billing::v1::{
    ChangeBookRequest, ChangeBookResponse, OpenBookRequest, OpenBookResponse, PlanTasksRequest, PlanTasksResponse, PutIntoBookRequest, PutIntoBookResponse,
    ReportVisitRequest, ReportVisitResponse,
};
use database::{Begun, Scope, find};
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{
    model::{Cycle, TaskState, check_day, cycles, visited},
    plan,
    store::{self, book, entry, task},
};
use crate::{Desk, Refusal, meter::store::installation, table};

/// OpenBook.
pub async fn open(desk: Desk, call: Call, request: OpenBookRequest) -> Result<OpenBookResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let cycle = Cycle::of_number(request.cycle).ok_or_else(|| Fault::invalid("cycle", "CYCLE", "the cycle is not known"))?;
    check_day(cycle, request.read_day.unsigned_abs()).map_err(|r| Fault::from(r).field("read_day"))?;
    let row = book::Model {
        id: Uuid::now_v7(),
        code: request.code.clone(),
        name: request.name.clone(),
        branch: request.branch.clone(),
        cycle: cycle.code().to_owned(),
        read_day: request.read_day,
        from_date: wire::date_of(request.from_date.as_ref(), "from_date")?,
        reader: request.reader.clone(),
        version: 1,
        created_at: write.now().micros(),
    };
    table::insert::<book::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    write
        .commit(OpenBookResponse {
            book: Some(store::book_message(&row, 0)?),
        })
        .await
}

/// ChangeBook.
pub async fn change(desk: Desk, call: Call, request: ChangeBookRequest) -> Result<ChangeBookResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = store::locked(&write, &Scope::of(&call), wire::id_of("book_id", &request.book_id)?).await?;
    rpc::check_etag(&request.etag, row.id, row.version)?;
    check_day(row.cycle()?, request.read_day.unsigned_abs()).map_err(|r| Fault::from(r).field("read_day"))?;
    row.reader.clone_from(&request.reader);
    row.read_day = request.read_day;
    row.version = row.version.saturating_add(1);
    table::update::<book::Entity>(&write, row.clone()).await?;
    store::hand_over(&write, &row, write.now().date()).await?;
    let meters = store::count(&write, row.id).await?;
    write.subject(row.id);
    write
        .commit(ChangeBookResponse {
            book: Some(store::book_message(&row, meters)?),
        })
        .await
}

/// PutIntoBook (E2-01).
pub async fn put(desk: Desk, call: Call, request: PutIntoBookRequest) -> Result<PutIntoBookResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let book = store::locked(&write, &scope, wire::id_of("book_id", &request.book_id)?).await?;
    let installed = find::<installation::Entity>(&scope)
        .filter(installation::Column::MeterNo.is_in(&request.meter_nos))
        .filter(installation::Column::Branch.eq(&book.branch))
        .filter(installation::Column::EndDate.is_null())
        .all(&*write)
        .await?;
    let last = entry::Entity::find()
        .filter(entry::Column::BookId.eq(book.id))
        .order_by_desc(entry::Column::WalkOrder)
        .one(&*write)
        .await?;
    let last = last.map_or(0, |e| e.walk_order);
    let mut rows = vec![];
    for (number, walk_order) in request.meter_nos.iter().zip(last.saturating_add(1)..) {
        let found = installed.iter().find(|i| i.meter_no == *number);
        let install = found.ok_or_else(|| Fault::from(Refusal::MeterNotInstalled).meta("meter_no", number).field("meter_nos"))?;
        rows.push(entry::Model {
            installation_id: install.id,
            book_id: book.id,
            walk_order,
        });
    }
    let moved: Vec<Uuid> = rows.iter().map(|row| row.installation_id).collect();
    store::put(&write, rows).await?;
    plan::cover(&write, &moved).await?;
    let meters = store::count(&write, book.id).await?;
    write.subject(book.id);
    write
        .commit(PutIntoBookResponse {
            book: Some(store::book_message(&book, meters)?),
        })
        .await
}

/// PlanTasks (E2-01).
pub async fn plan_tasks(desk: Desk, call: Call, request: PlanTasksRequest) -> Result<PlanTasksResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let uncovered = store::uncovered(&scope, &request.branch).count(&*write).await?;
    if uncovered > 0 {
        return Err(Fault::from(Refusal::MetersUncovered).meta("meters", uncovered.to_string()));
    }
    let books = find::<book::Entity>(&scope)
        .filter(book::Column::Branch.eq(&request.branch))
        .order_by_asc(book::Column::Id)
        .lock_exclusive()
        .all(&*write)
        .await?;
    let places = store::entries(&write, &books.iter().map(|b| b.id).collect::<Vec<_>>()).await?;
    let mut tasks = vec![];
    for book in &books {
        let day = book.read_day.unsigned_abs();
        let spans = cycles(book.cycle()?, day, book.from_date, request.year, request.month.unsigned_abs());
        tasks.extend(plan::tasks(book, &spans, &places));
    }
    let all = i32::try_from(tasks.len()).unwrap_or(i32::MAX);
    let planned = i32::try_from(plan::file(&write, tasks).await?).unwrap_or(i32::MAX);
    write.subject(format!("tasks:{}-{:02}", request.year, request.month));
    write
        .commit(PlanTasksResponse {
            planned,
            already: all.saturating_sub(planned),
        })
        .await
}

/// ReportVisit.
pub async fn visit(desk: Desk, call: Call, request: ReportVisitRequest) -> Result<ReportVisitResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: Uuid = wire::id_of("task_id", &request.task_id)?;
    let row = find::<task::Entity>(&Scope::of(&call))
        .filter(task::Column::Id.eq(id))
        .lock_exclusive()
        .one(&*write)
        .await?;
    let mut row = row.ok_or_else(|| Fault::not_found("reading task", id))?;
    if row.reader != call.subject() {
        return Err(Refusal::NotYourTask.into());
    }
    rpc::check_etag(&request.etag, row.id, row.version)?;
    let outcome = TaskState::of_number(request.outcome).ok_or(Refusal::TaskDone)?;
    row.state = visited(row.state()?, outcome)?.code().to_owned();
    row.attempts = row.attempts.saturating_add(1);
    row.version = row.version.saturating_add(1);
    table::update::<task::Entity>(&write, row.clone()).await?;
    write.subject(id);
    write
        .commit(ReportVisitResponse {
            task: Some(store::task_message(&row)?),
        })
        .await
}
