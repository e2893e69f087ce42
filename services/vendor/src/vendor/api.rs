//! The gRPC service of vendors.

use contracts::hearth::vendor::v1::{
    AdmitVendorRequest, AdmitVendorResponse, BlacklistVendorRequest, BlacklistVendorResponse, CompleteDossierRequest, CompleteDossierResponse,
    FinishExitRequest, FinishExitResponse, GetVendorRequest, GetVendorResponse, ListVendorsRequest, ListVendorsResponse, RankVendorsRequest,
    RankVendorsResponse, RegisterVendorRequest, RegisterVendorResponse, ResumeVendorRequest, ResumeVendorResponse, ReviewSiteRequest, ReviewSiteResponse,
    ScoreVendorRequest, ScoreVendorResponse, StartExitRequest, StartExitResponse, SuspendVendorRequest, SuspendVendorResponse, VerifyVendorRequest,
    VerifyVendorResponse, vendor_service_server::VendorService,
};
use rpc::{Call, Fault, page::Page, wire};
use tonic::{Request, Response, Status};

use super::{
    model::{Category, State},
    ops, store,
    wire::vendor as view,
};
use crate::Desk;

/// Serves `hearth.vendor.v1.VendorService`.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl VendorService for Api {
    async fn register_vendor(&self, request: Request<RegisterVendorRequest>) -> Result<Response<RegisterVendorResponse>, Status> {
        rpc::write(&self.0, request, ops::register).await
    }
    async fn complete_dossier(&self, request: Request<CompleteDossierRequest>) -> Result<Response<CompleteDossierResponse>, Status> {
        rpc::write(&self.0, request, ops::complete_dossier).await
    }
    async fn verify_vendor(&self, request: Request<VerifyVendorRequest>) -> Result<Response<VerifyVendorResponse>, Status> {
        rpc::write(&self.0, request, ops::verify).await
    }
    async fn score_vendor(&self, request: Request<ScoreVendorRequest>) -> Result<Response<ScoreVendorResponse>, Status> {
        rpc::write(&self.0, request, ops::score).await
    }
    async fn rank_vendors(&self, request: Request<RankVendorsRequest>) -> Result<Response<RankVendorsResponse>, Status> {
        rpc::write(&self.0, request, ops::rank).await
    }
    async fn review_site(&self, request: Request<ReviewSiteRequest>) -> Result<Response<ReviewSiteResponse>, Status> {
        rpc::write(&self.0, request, ops::review_site).await
    }
    async fn admit_vendor(&self, request: Request<AdmitVendorRequest>) -> Result<Response<AdmitVendorResponse>, Status> {
        rpc::write(&self.0, request, ops::admit).await
    }
    async fn suspend_vendor(&self, request: Request<SuspendVendorRequest>) -> Result<Response<SuspendVendorResponse>, Status> {
        rpc::write(&self.0, request, ops::suspend).await
    }
    async fn resume_vendor(&self, request: Request<ResumeVendorRequest>) -> Result<Response<ResumeVendorResponse>, Status> {
        rpc::write(&self.0, request, ops::resume).await
    }
    async fn blacklist_vendor(&self, request: Request<BlacklistVendorRequest>) -> Result<Response<BlacklistVendorResponse>, Status> {
        rpc::write(&self.0, request, ops::blacklist).await
    }
    async fn start_exit(&self, request: Request<StartExitRequest>) -> Result<Response<StartExitResponse>, Status> {
        rpc::write(&self.0, request, ops::start_exit).await
    }
    async fn finish_exit(&self, request: Request<FinishExitRequest>) -> Result<Response<FinishExitResponse>, Status> {
        rpc::write(&self.0, request, ops::finish_exit).await
    }
    async fn get_vendor(&self, request: Request<GetVendorRequest>) -> Result<Response<GetVendorResponse>, Status> {
        rpc::read(&self.0, request, get).await
    }
    async fn list_vendors(&self, request: Request<ListVendorsRequest>) -> Result<Response<ListVendorsResponse>, Status> {
        rpc::read(&self.0, request, list).await
    }
}

async fn get(desk: Desk, call: Call, request: GetVendorRequest) -> Result<GetVendorResponse, Fault> {
    let conn = desk.db.reader();
    let vendor = store::load(conn, &store::scope(&call), wire::id_of("vendor_id", &request.vendor_id)?).await?;
    let qualifications = store::qualifications(conn, &[vendor.id]).await?;
    Ok(GetVendorResponse {
        vendor: Some(view(&call, &vendor, &qualifications)),
    })
}

async fn list(desk: Desk, call: Call, request: ListVendorsRequest) -> Result<ListVendorsResponse, Fault> {
    let conn = desk.db.reader();
    let (state, category) = (State::of_number(request.state), Category::of_number(request.category));
    let filters = [state.map_or("", State::code), category.map_or("", Category::code)];
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let (vendors, next_page_token) = store::list(conn, &store::scope(&call), state, category, &page).await?;
    let ids: Vec<_> = vendors.iter().map(|vendor| vendor.id).collect();
    let mut qualifications = store::qualifications(conn, &ids).await?;
    qualifications.iter_mut().for_each(|q| q.documents.clear());
    Ok(ListVendorsResponse {
        vendors: vendors.iter().map(|vendor| view(&call, vendor, &qualifications)).collect(),
        next_page_token,
    })
}
