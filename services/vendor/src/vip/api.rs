//! The gRPC service of VIPs.

use contracts::hearth::vendor::v1::{vip_service_server::VipService, *};
use ids::VendorId;
use rpc::{Call, Fault, Outflow, page::Page, wire};
use tonic::{Request, Response, Status, Streaming};

use super::{
    model::Moment,
    ops, store, trade,
    wire::{case as view, evidence as evidence_view},
};
use crate::{
    Desk,
    vendor::{self, wire::id_if},
};

/// Serves `hearth.vendor.v1.VipService`.
pub struct Api(pub Desk);

rpc::service! {
    VipService for Api(Desk) {
        write assess_cooperation(AssessCooperationRequest) -> AssessCooperationResponse = trade::assess;
        read check_eligibility(CheckEligibilityRequest) -> CheckEligibilityResponse = check;
        write apply_vip(ApplyVipRequest) -> ApplyVipResponse = ops::apply;
        write propose_vip(ProposeVipRequest) -> ProposeVipResponse = ops::propose;
        write decide_vip_step(DecideVipStepRequest) -> DecideVipStepResponse = ops::decide;
        write withdraw_vip(WithdrawVipRequest) -> WithdrawVipResponse = ops::withdraw;
        write review_vip(ReviewVipRequest) -> ReviewVipResponse = ops::review;
        read get_vip_case(GetVipCaseRequest) -> GetVipCaseResponse = get;
        read list_vip_cases(ListVipCasesRequest) -> ListVipCasesResponse = list;
    } and {
        type ImportTradesStream = Outflow<ImportTradesResponse>;

        async fn import_trades(&self, request: Request<Streaming<ImportTradesRequest>>) -> Result<Response<Self::ImportTradesStream>, Status> {
            rpc::exchange(&self.0, request, trade::import).await
        }
    }
}

async fn check(desk: Desk, call: Call, request: CheckEligibilityRequest) -> Result<CheckEligibilityResponse, Fault> {
    let (conn, today) = (desk.db.reader(), desk.clock.now().date());
    let vendor = vendor::store::load(conn, &vendor::store::scope(&call), wire::id_of("vendor_id", &request.vendor_id)?).await?;
    let cases = store::of_vendors(conn, &[vendor.id]).await?;
    let culture = cases.last().is_some_and(|case| case.attestation.counts_on(today));
    let evidence = store::evidence(conn, &vendor.uscc, Moment::Inquiry, today, culture).await?;
    Ok(CheckEligibilityResponse {
        eligible: evidence.eligible().is_ok(),
        evidence: Some(evidence_view(&evidence)),
    })
}

async fn get(desk: Desk, call: Call, request: GetVipCaseRequest) -> Result<GetVipCaseResponse, Fault> {
    let conn = desk.db.reader();
    let vendor: VendorId = wire::id_of("vendor_id", &request.vendor_id)?;
    let id = wire::id_of("vip_case_id", &request.vip_case_id)?;
    let case = store::load(conn, &vendor::store::scope(&call), id).await?;
    if case.vendor != vendor {
        return Err(Fault::not_found("vip_case", id));
    }
    let evidence = store::evidence_of(conn, &[id]).await?;
    Ok(GetVipCaseResponse {
        vip_case: Some(view(&call, &case, &evidence, desk.clock.now().date())),
    })
}

async fn list(desk: Desk, call: Call, request: ListVipCasesRequest) -> Result<ListVipCasesResponse, Fault> {
    let conn = desk.db.reader();
    let vendor = id_if("vendor_id", &request.vendor_id)?;
    let page = Page::of(&call, &[&request.vendor_id], request.page_size, &request.page_token)?;
    let (cases, next_page_token) = store::list(conn, &vendor::store::scope(&call), vendor, &page).await?;
    let ids: Vec<_> = cases.iter().map(|case| case.id).collect();
    let evidence = store::evidence_of(conn, &ids).await?;
    let today = desk.clock.now().date();
    Ok(ListVipCasesResponse {
        vip_cases: cases.iter().map(|case| view(&call, case, &evidence, today)).collect(),
        next_page_token,
    })
}
