//! The gRPC service of assessments.

use contracts::hearth::vendor::v1::{assessment_service_server::AssessmentService, *};
use database::Scope;
use ids::VendorId;
use rpc::{Call, Fault, page::Page, wire};

use super::{
    draft::draw,
    model::Period,
    ops, store,
    wire::{assessment as view, draft as draft_view},
};
use crate::{Desk, contract, vendor::wire::id_if};

/// Serves `hearth.vendor.v1.AssessmentService`.
pub struct Api(pub Desk);

rpc::service! {
    AssessmentService for Api(Desk) {
        write assess_contract(AssessContractRequest) -> AssessContractResponse = ops::assess;
        read draft_assessment(DraftAssessmentRequest) -> DraftAssessmentResponse = drafted;
        write object_to_assessment(ObjectToAssessmentRequest) -> ObjectToAssessmentResponse = ops::object;
        write decide_objection(DecideObjectionRequest) -> DecideObjectionResponse = ops::decide;
        read get_assessment(GetAssessmentRequest) -> GetAssessmentResponse = get;
        read list_assessments(ListAssessmentsRequest) -> ListAssessmentsResponse = list;
    }
}

async fn drafted(desk: Desk, call: Call, request: DraftAssessmentRequest) -> Result<DraftAssessmentResponse, Fault> {
    let (conn, now) = (desk.db.reader(), desk.clock.now());
    let from = wire::date_of(request.from_date.as_ref(), "from_date")?;
    let period = Period::of(request.milestone, from, wire::date_if(request.to_date.as_ref(), "to_date")?)?;
    let contract = contract::store::load(conn, &Scope::of(&call), wire::id_of("contract_id", &request.contract_id)?).await?;
    contract.was_in_force(now.date())?;
    period.assessable((contract.terms.start, contract.terms.end), now.date())?;
    let draft = draw(conn, &contract, &period, now).await?;
    Ok(DraftAssessmentResponse {
        draft: Some(draft_view(&draft)),
    })
}

async fn get(desk: Desk, call: Call, request: GetAssessmentRequest) -> Result<GetAssessmentResponse, Fault> {
    let conn = desk.db.reader();
    let vendor: VendorId = wire::id_of("vendor_id", &request.vendor_id)?;
    let id = wire::id_of("assessment_id", &request.assessment_id)?;
    let assessment = store::load(conn, &Scope::of(&call), id).await?;
    if assessment.vendor != vendor {
        return Err(Fault::not_found("assessment", id));
    }
    let around = ops::around(conn, &[vendor]).await?;
    Ok(GetAssessmentResponse {
        assessment: Some(view(&call, &assessment, &around, desk.clock.now().date())),
    })
}

async fn list(desk: Desk, call: Call, request: ListAssessmentsRequest) -> Result<ListAssessmentsResponse, Fault> {
    let conn = desk.db.reader();
    let (vendor, contract) = (id_if("vendor_id", &request.vendor_id)?, id_if("contract_id", &request.contract_id)?);
    let page = Page::of(&call, &[&request.vendor_id, &request.contract_id], request.page_size, &request.page_token)?;
    let (assessments, next_page_token) = store::list(conn, &Scope::of(&call), vendor, contract, &page).await?;
    let vendors: Vec<_> = assessments.iter().map(|a| a.vendor).collect();
    let around = ops::around(conn, &vendors).await?;
    let today = desk.clock.now().date();
    Ok(ListAssessmentsResponse {
        assessments: assessments.iter().map(|a| view(&call, a, &around, today)).collect(),
        next_page_token,
    })
}
