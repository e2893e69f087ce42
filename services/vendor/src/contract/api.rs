//! The gRPC service of contracts.

use contracts::hearth::vendor::v1::{
    ApproveContractRequest, ApproveContractResponse, DraftContractRequest, DraftContractResponse, GetContractRequest, GetContractResponse,
    ListContractsRequest, ListContractsResponse, ResumeContractRequest, ResumeContractResponse, ReviewContractRequest, ReviewContractResponse,
    ReviseContractRequest, ReviseContractResponse, SignContractRequest, SignContractResponse, StartContractRequest, StartContractResponse,
    SuspendContractRequest, SuspendContractResponse, TerminateContractRequest, TerminateContractResponse, contract_service_server::ContractService,
};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};
use tonic::{Request, Response, Status};

use super::{ops, store, wire::contract as view};
use crate::Desk;

/// Serves `hearth.vendor.v1.ContractService`.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl ContractService for Api {
    async fn draft_contract(&self, request: Request<DraftContractRequest>) -> Result<Response<DraftContractResponse>, Status> {
        rpc::write(&self.0, request, ops::draft).await
    }
    async fn revise_contract(&self, request: Request<ReviseContractRequest>) -> Result<Response<ReviseContractResponse>, Status> {
        rpc::write(&self.0, request, ops::revise).await
    }
    async fn review_contract(&self, request: Request<ReviewContractRequest>) -> Result<Response<ReviewContractResponse>, Status> {
        rpc::write(&self.0, request, ops::review).await
    }
    async fn approve_contract(&self, request: Request<ApproveContractRequest>) -> Result<Response<ApproveContractResponse>, Status> {
        rpc::write(&self.0, request, ops::approve).await
    }
    async fn sign_contract(&self, request: Request<SignContractRequest>) -> Result<Response<SignContractResponse>, Status> {
        rpc::write(&self.0, request, ops::sign).await
    }
    async fn start_contract(&self, request: Request<StartContractRequest>) -> Result<Response<StartContractResponse>, Status> {
        rpc::write(&self.0, request, ops::start).await
    }
    async fn suspend_contract(&self, request: Request<SuspendContractRequest>) -> Result<Response<SuspendContractResponse>, Status> {
        rpc::write(&self.0, request, ops::suspend).await
    }
    async fn resume_contract(&self, request: Request<ResumeContractRequest>) -> Result<Response<ResumeContractResponse>, Status> {
        rpc::write(&self.0, request, ops::resume).await
    }
    async fn terminate_contract(&self, request: Request<TerminateContractRequest>) -> Result<Response<TerminateContractResponse>, Status> {
        rpc::write(&self.0, request, ops::terminate).await
    }
    async fn get_contract(&self, request: Request<GetContractRequest>) -> Result<Response<GetContractResponse>, Status> {
        rpc::read(&self.0, request, get).await
    }
    async fn list_contracts(&self, request: Request<ListContractsRequest>) -> Result<Response<ListContractsResponse>, Status> {
        rpc::read(&self.0, request, list).await
    }
}

async fn get(desk: Desk, call: Call, request: GetContractRequest) -> Result<GetContractResponse, Fault> {
    let conn = desk.db.reader();
    let (vendor, id) = (wire::id_of("vendor_id", &request.vendor_id)?, wire::id_of("contract_id", &request.contract_id)?);
    let contract = store::load(conn, &Scope::of(&call), id).await?;
    if contract.vendor != vendor {
        return Err(Fault::not_found("contract", id));
    }
    let parts = store::parts(conn, &[contract.id]).await?;
    Ok(GetContractResponse {
        contract: Some(view(&call, &contract, &parts, desk.clock.now().date())),
    })
}

async fn list(desk: Desk, call: Call, request: ListContractsRequest) -> Result<ListContractsResponse, Fault> {
    let conn = desk.db.reader();
    let vendor = Some(request.vendor_id.as_str())
        .filter(|id| !id.is_empty())
        .map(|id| wire::id_of("vendor_id", id))
        .transpose()?;
    let page = Page::of(&call, &[&request.vendor_id], request.page_size, &request.page_token)?;
    let (contracts, next_page_token) = store::list(conn, &Scope::of(&call), vendor, &page).await?;
    let ids: Vec<_> = contracts.iter().map(|contract| contract.id).collect();
    let parts = store::parts(conn, &ids).await?;
    let today = desk.clock.now().date();
    Ok(ListContractsResponse {
        contracts: contracts.iter().map(|contract| view(&call, contract, &parts, today)).collect(),
        next_page_token,
    })
}
