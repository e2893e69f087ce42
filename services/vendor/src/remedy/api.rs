//! The gRPC service of what vendors have to set right.

use contracts::hearth::vendor::v1::{remedy_service_server::RemedyService, *};
use database::Scope;
use ids::VendorId;
use rpc::{Call, Fault, page::Page, wire};

use super::{ops, store, wire::remedy as view};
use crate::{Desk, vendor::wire::id_if};

/// Serves `hearth.vendor.v1.RemedyService`.
pub struct Api(pub Desk);

rpc::service! {
    RemedyService for Api(Desk) {
        write open_remedy(OpenRemedyRequest) -> OpenRemedyResponse = ops::open;
        write report_remedy(ReportRemedyRequest) -> ReportRemedyResponse = ops::report;
        write accept_remedy(AcceptRemedyRequest) -> AcceptRemedyResponse = ops::accept;
        write return_remedy(ReturnRemedyRequest) -> ReturnRemedyResponse = ops::give_back;
        read get_remedy(GetRemedyRequest) -> GetRemedyResponse = get;
        read list_remedies(ListRemediesRequest) -> ListRemediesResponse = list;
    }
}

async fn get(desk: Desk, call: Call, request: GetRemedyRequest) -> Result<GetRemedyResponse, Fault> {
    let vendor: VendorId = wire::id_of("vendor_id", &request.vendor_id)?;
    let id = wire::id_of("remedy_id", &request.remedy_id)?;
    let remedy = store::load(desk.db.reader(), &Scope::of(&call), id).await?;
    if remedy.vendor != vendor {
        return Err(Fault::not_found("remedy", id));
    }
    Ok(GetRemedyResponse {
        remedy: Some(view(&call, &remedy, desk.clock.now())),
    })
}

async fn list(desk: Desk, call: Call, request: ListRemediesRequest) -> Result<ListRemediesResponse, Fault> {
    let vendor = id_if("vendor_id", &request.vendor_id)?;
    let filters = [request.vendor_id.as_str(), if request.open_only { "open" } else { "" }];
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let (remedies, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), vendor, request.open_only, &page).await?;
    let now = desk.clock.now();
    Ok(ListRemediesResponse {
        remedies: remedies.iter().map(|r| view(&call, r, now)).collect(),
        next_page_token,
    })
}
