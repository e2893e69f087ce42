//! The gRPC service of contracts.

use contracts::hearth::vendor::v1::{
    ApproveContractRequest, ApproveContractResponse, DraftContractRequest, DraftContractResponse, GetContractRequest, GetContractResponse,
    ListContractsRequest, ListContractsResponse, ResumeContractRequest, ResumeContractResponse, ReviewContractRequest, ReviewContractResponse,
    ReviseContractRequest, ReviseContractResponse, SignContractRequest, SignContractResponse, StartContractRequest, StartContractResponse,
    SuspendContractRequest, SuspendContractResponse, TerminateContractRequest, TerminateContractResponse, contract_service_server::ContractService,
};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};

use super::{ops, store, wire::contract as view};
use crate::Desk;

/// Serves `hearth.vendor.v1.ContractService`.
pub struct Api(pub Desk);

rpc::service! {
    ContractService for Api(Desk) {
        write draft_contract(DraftContractRequest) -> DraftContractResponse = ops::draft;
        write revise_contract(ReviseContractRequest) -> ReviseContractResponse = ops::revise;
        write review_contract(ReviewContractRequest) -> ReviewContractResponse = ops::review;
        write approve_contract(ApproveContractRequest) -> ApproveContractResponse = ops::approve;
        write sign_contract(SignContractRequest) -> SignContractResponse = ops::sign;
        write start_contract(StartContractRequest) -> StartContractResponse = ops::start;
        write suspend_contract(SuspendContractRequest) -> SuspendContractResponse = ops::suspend;
        write resume_contract(ResumeContractRequest) -> ResumeContractResponse = ops::resume;
        write terminate_contract(TerminateContractRequest) -> TerminateContractResponse = ops::terminate;
        read get_contract(GetContractRequest) -> GetContractResponse = get;
        read list_contracts(ListContractsRequest) -> ListContractsResponse = list;
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
