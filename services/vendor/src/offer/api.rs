//! The gRPC service of offers.

use contracts::hearth::vendor::v1::{
    AcceptOfferRequest, AcceptOfferResponse, ApproveWorkRequest, ApproveWorkResponse, DeclineOfferRequest, DeclineOfferResponse, GetOfferRequest,
    GetOfferResponse, ListOffersRequest, ListOffersResponse, RefuseWorkRequest, RefuseWorkResponse, ReportWorkRequest, ReportWorkResponse,
    offer_service_server::OfferService,
};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};

use super::{
    ops,
    store::{self, Filter},
    wire::offer as view,
};
use crate::Desk;

/// Serves `hearth.vendor.v1.OfferService`.
pub struct Api(pub Desk);

rpc::service! {
    OfferService for Api(Desk) {
        write accept_offer(AcceptOfferRequest) -> AcceptOfferResponse = ops::accept;
        write decline_offer(DeclineOfferRequest) -> DeclineOfferResponse = ops::decline;
        write report_work(ReportWorkRequest) -> ReportWorkResponse = ops::report;
        write approve_work(ApproveWorkRequest) -> ApproveWorkResponse = ops::approve;
        write refuse_work(RefuseWorkRequest) -> RefuseWorkResponse = ops::refuse;
        read get_offer(GetOfferRequest) -> GetOfferResponse = get;
        read list_offers(ListOffersRequest) -> ListOffersResponse = list;
    }
}

async fn get(desk: Desk, call: Call, request: GetOfferRequest) -> Result<GetOfferResponse, Fault> {
    let conn = desk.db.reader();
    let (vendor, id) = (wire::id_of("vendor_id", &request.vendor_id)?, wire::id_of("offer_id", &request.offer_id)?);
    let offer = store::load_of(conn, &Scope::of(&call), vendor, id).await?;
    let reports = store::reports(conn, &[offer.id]).await?;
    Ok(GetOfferResponse {
        offer: Some(view(&offer, &reports, desk.clock.now())),
    })
}

async fn list(desk: Desk, call: Call, request: ListOffersRequest) -> Result<ListOffersResponse, Fault> {
    let conn = desk.db.reader();
    let given = |id: &str| Some(id.to_owned()).filter(|id| !id.is_empty());
    let filter = Filter {
        vendor: given(&request.vendor_id).map(|id| wire::id_of("vendor_id", &id)).transpose()?,
        order: given(&request.order_id).map(|id| wire::id_of("order_id", &id)).transpose()?,
    };
    let page = Page::of(&call, &[&request.vendor_id, &request.order_id], request.page_size, &request.page_token)?;
    let (offers, next_page_token) = store::list(conn, &Scope::of(&call), &filter, &page).await?;
    let ids: Vec<_> = offers.iter().map(|offer| offer.id).collect();
    let reports = store::reports(conn, &ids).await?;
    let now = desk.clock.now();
    Ok(ListOffersResponse {
        offers: offers.iter().map(|offer| view(offer, &reports, now)).collect(),
        next_page_token,
    })
}
