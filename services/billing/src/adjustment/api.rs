//! Adjustments over gRPC.

use contracts::hearth::billing::v1::{
    ApproveAdjustmentRequest, ApproveAdjustmentResponse, DetermineTheftRequest, DetermineTheftResponse, DismissTheftCaseRequest, DismissTheftCaseResponse,
    FileEvidenceRequest, FileEvidenceResponse, GetAdjustmentRequest, GetAdjustmentResponse, ListAdjustmentsRequest, ListAdjustmentsResponse,
    ListTheftCasesRequest, ListTheftCasesResponse, OpenTheftCaseRequest, OpenTheftCaseResponse, PostAdjustmentRequest, PostAdjustmentResponse,
    RejectAdjustmentRequest, RejectAdjustmentResponse, ReportTheftCaseRequest, ReportTheftCaseResponse, RequestAdjustmentRequest, RequestAdjustmentResponse,
    ReverseAdjustmentRequest, ReverseAdjustmentResponse, SubmitAdjustmentRequest, SubmitAdjustmentResponse, adjustment_service_server::AdjustmentService,
};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{case, model::AdjustmentState, ops, post, store, theft::TheftState};
use crate::Desk;

/// AdjustmentService.
pub struct Api(pub Desk);

rpc::service! {
    AdjustmentService for Api(Desk) {
        write request_adjustment(RequestAdjustmentRequest) -> RequestAdjustmentResponse = ops::request;
        write file_evidence(FileEvidenceRequest) -> FileEvidenceResponse = ops::evidence;
        write submit_adjustment(SubmitAdjustmentRequest) -> SubmitAdjustmentResponse = ops::submit;
        write approve_adjustment(ApproveAdjustmentRequest) -> ApproveAdjustmentResponse = ops::approve;
        write reject_adjustment(RejectAdjustmentRequest) -> RejectAdjustmentResponse = ops::reject;
        write post_adjustment(PostAdjustmentRequest) -> PostAdjustmentResponse = post::post;
        write reverse_adjustment(ReverseAdjustmentRequest) -> ReverseAdjustmentResponse = post::reverse;
        read get_adjustment(GetAdjustmentRequest) -> GetAdjustmentResponse = get;
        read list_adjustments(ListAdjustmentsRequest) -> ListAdjustmentsResponse = list;
        write open_theft_case(OpenTheftCaseRequest) -> OpenTheftCaseResponse = case::open;
        write report_theft_case(ReportTheftCaseRequest) -> ReportTheftCaseResponse = case::report;
        write determine_theft(DetermineTheftRequest) -> DetermineTheftResponse = case::determine;
        write dismiss_theft_case(DismissTheftCaseRequest) -> DismissTheftCaseResponse = case::dismiss;
        read list_theft_cases(ListTheftCasesRequest) -> ListTheftCasesResponse = list_cases;
    }
}

async fn get(desk: Desk, call: Call, request: GetAdjustmentRequest) -> Result<GetAdjustmentResponse, Fault> {
    let conn = desk.db.reader();
    let row = store::one(conn, &Scope::of(&call), wire::id_of("adjustment_id", &request.adjustment_id)?).await?;
    let adjustment = Some(store::message(conn, &row).await?);
    Ok(GetAdjustmentResponse { adjustment })
}

fn agreement(id: Option<&str>) -> Result<Option<Uuid>, Fault> {
    id.map(|id| wire::id_of("agreement_id", id)).transpose()
}

async fn list(desk: Desk, call: Call, request: ListAdjustmentsRequest) -> Result<ListAdjustmentsResponse, Fault> {
    let (agreement, state) = (agreement(request.agreement_id.as_deref())?, AdjustmentState::of_number(request.state));
    let page = Page::of(&call, &[&format!("{agreement:?} {state:?}")], request.page_size, &request.page_token)?;
    let (adjustments, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page, agreement, state).await?;
    Ok(ListAdjustmentsResponse { adjustments, next_page_token })
}

async fn list_cases(desk: Desk, call: Call, request: ListTheftCasesRequest) -> Result<ListTheftCasesResponse, Fault> {
    let (agreement, state) = (agreement(request.agreement_id.as_deref())?, TheftState::of_number(request.state));
    let page = Page::of(&call, &[&format!("{agreement:?} {state:?}")], request.page_size, &request.page_token)?;
    let (theft_cases, next_page_token) = store::list_cases(desk.db.reader(), &Scope::of(&call), &page, agreement, state).await?;
    Ok(ListTheftCasesResponse { theft_cases, next_page_token })
}
