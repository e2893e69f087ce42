//! Routes over gRPC.

use contracts::hearth::billing::v1::{
    BookEntry, ChangeBookRequest, ChangeBookResponse, GetReadingFiguresRequest, GetReadingFiguresResponse, ListBookEntriesRequest, ListBookEntriesResponse,
    ListBooksRequest, ListBooksResponse, ListTasksRequest, ListTasksResponse, ListUncoveredRequest, ListUncoveredResponse, OpenBookRequest, OpenBookResponse,
    PlanTasksRequest, PlanTasksResponse, PutIntoBookRequest, PutIntoBookResponse, ReportVisitRequest, ReportVisitResponse, route_service_server::RouteService,
};
use database::{Scope, find};
use rpc::{Call, Fault, page::Page, wire};
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

use super::{
    figures, ops,
    store::{self, book},
};
use crate::Desk;

/// RouteService.
pub struct Api(pub Desk);

rpc::service! {
    RouteService for Api(Desk) {
        write open_book(OpenBookRequest) -> OpenBookResponse = ops::open;
        write change_book(ChangeBookRequest) -> ChangeBookResponse = ops::change;
        write put_into_book(PutIntoBookRequest) -> PutIntoBookResponse = ops::put;
        read list_books(ListBooksRequest) -> ListBooksResponse = books;
        read list_book_entries(ListBookEntriesRequest) -> ListBookEntriesResponse = entries;
        read list_uncovered(ListUncoveredRequest) -> ListUncoveredResponse = uncovered;
        write plan_tasks(PlanTasksRequest) -> PlanTasksResponse = ops::plan_tasks;
        read list_tasks(ListTasksRequest) -> ListTasksResponse = tasks;
        write report_visit(ReportVisitRequest) -> ReportVisitResponse = ops::visit;
        read get_reading_figures(GetReadingFiguresRequest) -> GetReadingFiguresResponse = figures::figures;
    }
}

async fn books(desk: Desk, call: Call, request: ListBooksRequest) -> Result<ListBooksResponse, Fault> {
    let page = Page::of(&call, &[&request.branch], request.page_size, &request.page_token)?;
    let (books, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page, &request.branch).await?;
    Ok(ListBooksResponse { books, next_page_token })
}

async fn entries(desk: Desk, call: Call, request: ListBookEntriesRequest) -> Result<ListBookEntriesResponse, Fault> {
    let id: Uuid = wire::id_of("book_id", &request.book_id)?;
    let seen = find::<book::Entity>(&Scope::of(&call))
        .filter(book::Column::Id.eq(id))
        .one(desk.db.reader())
        .await?;
    let book = seen.ok_or_else(|| Fault::not_found("reading book", id))?;
    let rows = store::entries(desk.db.reader(), &[book.id]).await?;
    let entries = rows.into_iter().map(|(entry, install)| BookEntry {
        installation_id: entry.installation_id.to_string(),
        book_id: entry.book_id.to_string(),
        meter_no: install.meter_no,
        account_no: install.account_no,
        walk_order: entry.walk_order,
    });
    Ok(ListBookEntriesResponse { entries: entries.collect() })
}

async fn uncovered(desk: Desk, call: Call, request: ListUncoveredRequest) -> Result<ListUncoveredResponse, Fault> {
    let page = Page::of(&call, &[&request.branch], request.page_size, &request.page_token)?;
    let (installations, next_page_token) = store::list_uncovered(desk.db.reader(), &Scope::of(&call), &page, &request.branch).await?;
    Ok(ListUncoveredResponse {
        installations,
        next_page_token,
    })
}

async fn tasks(desk: Desk, call: Call, request: ListTasksRequest) -> Result<ListTasksResponse, Fault> {
    let filter = format!(
        "{:?}",
        ListTasksRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        }
    );
    let page = Page::of(&call, &[&filter], request.page_size, &request.page_token)?;
    let (tasks, next_page_token) = store::tasks(desk.db.reader(), &Scope::of(&call), &page, &request).await?;
    Ok(ListTasksResponse { tasks, next_page_token })
}
