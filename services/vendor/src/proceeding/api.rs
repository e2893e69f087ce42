//! The gRPC service of proceedings.

use contracts::hearth::vendor::v1::{proceeding_service_server::ProceedingService, *};
use database::Scope;
use rpc::{Call, Fault, page::Page};

use super::{ops, store, wire::proceeding as view};
use crate::{Desk, vendor::wire::id_if};

/// Serves `hearth.vendor.v1.ProceedingService`.
pub struct Api(pub Desk);

rpc::service! {
    ProceedingService for Api(Desk) {
        write decide_proceeding(DecideProceedingRequest) -> DecideProceedingResponse = ops::decide;
        read list_proceedings(ListProceedingsRequest) -> ListProceedingsResponse = list;
    }
}

async fn list(desk: Desk, call: Call, request: ListProceedingsRequest) -> Result<ListProceedingsResponse, Fault> {
    let vendor = id_if("vendor_id", &request.vendor_id)?;
    let filters = [request.vendor_id.as_str(), if request.open_only { "open" } else { "" }];
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let (proceedings, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), vendor, request.open_only, &page).await?;
    Ok(ListProceedingsResponse {
        proceedings: proceedings.iter().map(view).collect(),
        next_page_token,
    })
}
