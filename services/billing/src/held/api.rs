//! Held bills over gRPC.

use contracts::hearth::billing::v1::{
    GetBillChecksRequest, GetBillChecksResponse, GetHeldBillRequest, GetHeldBillResponse, ListHeldBillsRequest, ListHeldBillsResponse,
    PublishBillChecksRequest, PublishBillChecksResponse, RejectHeldBillRequest, RejectHeldBillResponse, ReleaseHeldBillRequest, ReleaseHeldBillResponse,
    held_bill_service_server::HeldBillService,
};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};

use super::{ops, store};
use crate::Desk;

/// HeldBillService.
pub struct Api(pub Desk);

rpc::service! {
    HeldBillService for Api(Desk) {
        write publish_bill_checks(PublishBillChecksRequest) -> PublishBillChecksResponse = ops::publish;
        read get_bill_checks(GetBillChecksRequest) -> GetBillChecksResponse = checks;
        read get_held_bill(GetHeldBillRequest) -> GetHeldBillResponse = get;
        read list_held_bills(ListHeldBillsRequest) -> ListHeldBillsResponse = list;
        write release_held_bill(ReleaseHeldBillRequest) -> ReleaseHeldBillResponse = ops::release;
        write reject_held_bill(RejectHeldBillRequest) -> RejectHeldBillResponse = ops::reject;
    }
}

async fn checks(desk: Desk, _: Call, request: GetBillChecksRequest) -> Result<GetBillChecksResponse, Fault> {
    let day = wire::date_if(request.date.as_ref(), "date")?.unwrap_or_else(|| desk.clock.now().date());
    Ok(GetBillChecksResponse {
        check_set: Some(store::set_on(desk.db.reader(), &request.branch, day).await?),
    })
}

async fn get(desk: Desk, call: Call, request: GetHeldBillRequest) -> Result<GetHeldBillResponse, Fault> {
    let row = store::one(desk.db.reader(), &Scope::of(&call), wire::id_of("held_bill_id", &request.held_bill_id)?).await?;
    Ok(GetHeldBillResponse {
        held_bill: Some(store::message(&row)?),
    })
}

async fn list(desk: Desk, call: Call, request: ListHeldBillsRequest) -> Result<ListHeldBillsResponse, Fault> {
    let filter = format!(
        "{:?}",
        ListHeldBillsRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        }
    );
    let page = Page::of(&call, &[&filter], request.page_size, &request.page_token)?;
    let (held_bills, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page, &request).await?;
    Ok(ListHeldBillsResponse { held_bills, next_page_token })
}
