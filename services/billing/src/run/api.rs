//! Runs over gRPC.

use contracts::hearth::billing::v1::{
    GetBillRunRequest, GetBillRunResponse, ListBillRunItemsRequest, ListBillRunItemsResponse, ListBillRunsRequest, ListBillRunsResponse, StartBillRunRequest,
    StartBillRunResponse, TryBillRequest, TryBillResponse, bill_run_service_server::BillRunService,
};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};

use super::{model::Outcome, ops, store, trial::try_bill};
use crate::Desk;

/// BillRunService.
pub struct Api(pub Desk);

rpc::service! {
    BillRunService for Api(Desk) {
        write start_bill_run(StartBillRunRequest) -> StartBillRunResponse = ops::start;
        read get_bill_run(GetBillRunRequest) -> GetBillRunResponse = get;
        read list_bill_runs(ListBillRunsRequest) -> ListBillRunsResponse = list;
        read try_bill(TryBillRequest) -> TryBillResponse = try_bill;
        read list_bill_run_items(ListBillRunItemsRequest) -> ListBillRunItemsResponse = items;
    }
}

async fn get(desk: Desk, call: Call, request: GetBillRunRequest) -> Result<GetBillRunResponse, Fault> {
    let conn = desk.db.reader();
    let row = store::one(conn, &Scope::of(&call), wire::id_of("run_id", &request.run_id)?).await?;
    Ok(GetBillRunResponse {
        run: Some(store::message(conn, row).await?),
    })
}

async fn list(desk: Desk, call: Call, request: ListBillRunsRequest) -> Result<ListBillRunsResponse, Fault> {
    let page = Page::of(&call, &[], request.page_size, &request.page_token)?;
    let (runs, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page).await?;
    Ok(ListBillRunsResponse { runs, next_page_token })
}

async fn items(desk: Desk, call: Call, request: ListBillRunItemsRequest) -> Result<ListBillRunItemsResponse, Fault> {
    let page = Page::of(&call, &[&request.run_id, &request.outcome.to_string()], request.page_size, &request.page_token)?;
    let run = wire::id_of("run_id", &request.run_id)?;
    let (items, next_page_token) = store::items(desk.db.reader(), &Scope::of(&call), &page, run, Outcome::of_number(request.outcome)).await?;
    Ok(ListBillRunItemsResponse { items, next_page_token })
}
