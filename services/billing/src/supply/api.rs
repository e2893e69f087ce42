//! The copy over gRPC.

use contracts::hearth::billing::v1::{GetSupplyRequest, GetSupplyResponse, ListSuppliesRequest, ListSuppliesResponse, supply_service_server::SupplyService};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};

use super::store;
use crate::Desk;

/// SupplyService.
pub struct Api(pub Desk);

rpc::service! {
    SupplyService for Api(Desk) {
        read get_supply(GetSupplyRequest) -> GetSupplyResponse = get;
        read list_supplies(ListSuppliesRequest) -> ListSuppliesResponse = list;
    }
}

async fn get(desk: Desk, call: Call, request: GetSupplyRequest) -> Result<GetSupplyResponse, Fault> {
    let row = store::supply(desk.db.reader(), &Scope::of(&call), wire::id_of("agreement_id", &request.agreement_id)?).await?;
    let terms = store::terms(desk.db.reader(), &[row.id]).await?;
    Ok(GetSupplyResponse {
        supply: Some(store::message(&row, &terms)?),
    })
}

async fn list(desk: Desk, call: Call, request: ListSuppliesRequest) -> Result<ListSuppliesResponse, Fault> {
    let page = Page::of(&call, &[&request.account_no, &request.branch], request.page_size, &request.page_token)?;
    let (supplies, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page, &request.account_no, &request.branch).await?;
    Ok(ListSuppliesResponse { supplies, next_page_token })
}
