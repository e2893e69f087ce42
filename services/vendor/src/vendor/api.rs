//! The gRPC service of vendors.

use contracts::hearth::vendor::v1::{vendor_service_server::VendorService, *};
use rpc::{Call, Fault, page::Page, wire};

use super::{
    model::{Category, State},
    ops, store,
    wire::vendor as view,
};
use crate::Desk;

/// Serves `hearth.vendor.v1.VendorService`.
pub struct Api(pub Desk);

rpc::service! {
    VendorService for Api(Desk) {
        write register_vendor(RegisterVendorRequest) -> RegisterVendorResponse = ops::register;
        write record_legal_representative(RecordLegalRepresentativeRequest) -> RecordLegalRepresentativeResponse = ops::represent;
        write rename_vendor(RenameVendorRequest) -> RenameVendorResponse = ops::rename;
        write complete_dossier(CompleteDossierRequest) -> CompleteDossierResponse = ops::complete_dossier;
        write verify_vendor(VerifyVendorRequest) -> VerifyVendorResponse = ops::verify;
        write score_vendor(ScoreVendorRequest) -> ScoreVendorResponse = ops::score;
        write rank_vendors(RankVendorsRequest) -> RankVendorsResponse = ops::rank;
        write review_site(ReviewSiteRequest) -> ReviewSiteResponse = ops::review_site;
        write admit_vendor(AdmitVendorRequest) -> AdmitVendorResponse = ops::admit;
        write suspend_vendor(SuspendVendorRequest) -> SuspendVendorResponse = ops::suspend;
        write resume_vendor(ResumeVendorRequest) -> ResumeVendorResponse = ops::resume;
        write blacklist_vendor(BlacklistVendorRequest) -> BlacklistVendorResponse = ops::blacklist;
        write start_exit(StartExitRequest) -> StartExitResponse = ops::start_exit;
        write finish_exit(FinishExitRequest) -> FinishExitResponse = ops::finish_exit;
        read get_vendor(GetVendorRequest) -> GetVendorResponse = get;
        read list_vendors(ListVendorsRequest) -> ListVendorsResponse = list;
    }
}

async fn get(desk: Desk, call: Call, request: GetVendorRequest) -> Result<GetVendorResponse, Fault> {
    let conn = desk.db.reader();
    let vendor = store::load(conn, &store::scope(&call), wire::id_of("vendor_id", &request.vendor_id)?).await?;
    let record = store::record(conn, &[vendor.id]).await?;
    Ok(GetVendorResponse {
        vendor: Some(view(&call, &vendor, &record)),
    })
}

async fn list(desk: Desk, call: Call, request: ListVendorsRequest) -> Result<ListVendorsResponse, Fault> {
    let conn = desk.db.reader();
    let (state, category) = (State::of_number(request.state), Category::of_number(request.category));
    let filters = [state.map_or("", State::code), category.map_or("", Category::code)];
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let (vendors, next_page_token) = store::list(conn, &store::scope(&call), state, category, &page).await?;
    let ids: Vec<_> = vendors.iter().map(|vendor| vendor.id).collect();
    let mut record = store::record(conn, &ids).await?;
    record.qualifications.iter_mut().for_each(|q| q.documents.clear());
    Ok(ListVendorsResponse {
        vendors: vendors.iter().map(|vendor| view(&call, vendor, &record)).collect(),
        next_page_token,
    })
}
