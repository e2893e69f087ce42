//! Late fees over gRPC.

use contracts::hearth::billing::v1::{
    ApproveWaiverRequest, ApproveWaiverResponse, GetLateFeeRequest, GetLateFeeResponse, ListWaiversRequest, ListWaiversResponse, ProposeWaiverRequest,
    ProposeWaiverResponse, RecordDeliveryRequest, RecordDeliveryResponse, RejectWaiverRequest, RejectWaiverResponse, late_fee_service_server::LateFeeService,
};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{model::WaiverState, ops, store};
use crate::{Desk, bill::store as bills};

/// LateFeeService.
pub struct Api(pub Desk);

rpc::service! {
    LateFeeService for Api(Desk) {
        read get_late_fee(GetLateFeeRequest) -> GetLateFeeResponse = get;
        write record_delivery(RecordDeliveryRequest) -> RecordDeliveryResponse = ops::deliver;
        write propose_waiver(ProposeWaiverRequest) -> ProposeWaiverResponse = ops::propose;
        write approve_waiver(ApproveWaiverRequest) -> ApproveWaiverResponse = ops::approve;
        write reject_waiver(RejectWaiverRequest) -> RejectWaiverResponse = ops::reject;
        read list_waivers(ListWaiversRequest) -> ListWaiversResponse = list;
    }
}

async fn get(desk: Desk, call: Call, request: GetLateFeeRequest) -> Result<GetLateFeeResponse, Fault> {
    let bill = bills::one(desk.db.reader(), &Scope::of(&call), wire::id_of("bill_id", &request.bill_id)?).await?;
    Ok(GetLateFeeResponse {
        late_fee: Some(store::message(desk.db.reader(), &bill, desk.clock.now().date()).await?),
    })
}

async fn list(desk: Desk, call: Call, request: ListWaiversRequest) -> Result<ListWaiversResponse, Fault> {
    let bill = request.bill_id.as_deref().map(|id| wire::id_of::<Uuid>("bill_id", id)).transpose()?;
    let page = Page::of(&call, &[&format!("{bill:?} {}", request.state)], request.page_size, &request.page_token)?;
    let state = WaiverState::of_number(request.state);
    let (waivers, next_page_token) = store::waivers(desk.db.reader(), &Scope::of(&call), &page, bill, state).await?;
    Ok(ListWaiversResponse { waivers, next_page_token })
}
