//! Bills over gRPC.

use contracts::hearth::billing::v1::{
    GetBillRequest, GetBillResponse, ListBillsRequest, ListBillsResponse, ReverseBillRequest, ReverseBillResponse, bill_service_server::BillService,
};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};

use super::{ops, store};
use crate::Desk;

/// BillService.
pub struct Api(pub Desk);

rpc::service! {
    BillService for Api(Desk) {
        read get_bill(GetBillRequest) -> GetBillResponse = get;
        read list_bills(ListBillsRequest) -> ListBillsResponse = list;
        write reverse_bill(ReverseBillRequest) -> ReverseBillResponse = ops::reverse;
    }
}

async fn get(desk: Desk, call: Call, request: GetBillRequest) -> Result<GetBillResponse, Fault> {
    let row = store::one(desk.db.reader(), &Scope::of(&call), wire::id_of("bill_id", &request.bill_id)?).await?;
    let lines = store::lines(desk.db.reader(), row.id).await?;
    Ok(GetBillResponse {
        bill: Some(store::message(&row, &lines)?),
    })
}

async fn list(desk: Desk, call: Call, request: ListBillsRequest) -> Result<ListBillsResponse, Fault> {
    let filter = format!(
        "{:?}",
        ListBillsRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        }
    );
    let page = Page::of(&call, &[&filter], request.page_size, &request.page_token)?;
    let (bills, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page, &request).await?;
    Ok(ListBillsResponse { bills, next_page_token })
}
