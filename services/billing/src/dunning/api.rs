//! The ladder over gRPC.

use contracts::hearth::billing::v1::{
    ListDunningStepsRequest, ListDunningStepsResponse, ListSuspensionRequestsRequest, ListSuspensionRequestsResponse, dunning_service_server::DunningService,
};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    model::{Kind, RequestState},
    store,
};
use crate::Desk;

/// DunningService.
pub struct Api(pub Desk);

rpc::service! {
    DunningService for Api(Desk) {
        read list_dunning_steps(ListDunningStepsRequest) -> ListDunningStepsResponse = steps;
        read list_suspension_requests(ListSuspensionRequestsRequest) -> ListSuspensionRequestsResponse = requests;
    }
}

async fn steps(desk: Desk, call: Call, request: ListDunningStepsRequest) -> Result<ListDunningStepsResponse, Fault> {
    let bill = request.bill_id.as_deref().map(|id| wire::id_of::<Uuid>("bill_id", id)).transpose()?;
    let page = Page::of(&call, &[&format!("{bill:?} {}", request.kind)], request.page_size, &request.page_token)?;
    let (steps, next_page_token) = store::steps(desk.db.reader(), &Scope::of(&call), &page, bill, Kind::of_number(request.kind)).await?;
    Ok(ListDunningStepsResponse { steps, next_page_token })
}

async fn requests(desk: Desk, call: Call, request: ListSuspensionRequestsRequest) -> Result<ListSuspensionRequestsResponse, Fault> {
    let account = request.account_id.as_deref().map(|id| wire::id_of::<Uuid>("account_id", id)).transpose()?;
    let page = Page::of(&call, &[&format!("{account:?} {}", request.state)], request.page_size, &request.page_token)?;
    let state = RequestState::of_number(request.state);
    let (requests, next_page_token) = store::requests(desk.db.reader(), &Scope::of(&call), &page, account, state).await?;
    Ok(ListSuspensionRequestsResponse { requests, next_page_token })
}
