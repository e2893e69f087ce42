//! Readings over gRPC.

use contracts::hearth::billing::v1::{
    AdjustExceptionRequest, AdjustExceptionResponse, AssignCaseRequest, AssignCaseResponse, EstimateReadingsRequest, EstimateReadingsResponse,
    ImportReadingsRequest, ImportReadingsResponse, ListCasesRequest, ListCasesResponse, ListExceptionsRequest, ListExceptionsResponse, ListReadingsRequest,
    ListReadingsResponse, RecordReadingRequest, RecordReadingResponse, RejectExceptionRequest, RejectExceptionResponse, ReleaseExceptionsRequest,
    ReleaseExceptionsResponse, VoidReadingRequest, VoidReadingResponse, reading_service_server::ReadingService,
};
use database::Scope;
use rpc::{Call, Fault, Outflow, page::Page};
use tonic::{Request, Response, Status, Streaming};

use super::{case, estimate, intake, ops, store};
use crate::Desk;

/// ReadingService.
pub struct Api(pub Desk);

rpc::service! {
    ReadingService for Api(Desk) {
        write record_reading(RecordReadingRequest) -> RecordReadingResponse = intake::record;
        read list_readings(ListReadingsRequest) -> ListReadingsResponse = list;
        read list_exceptions(ListExceptionsRequest) -> ListExceptionsResponse = exceptions;
        write release_exceptions(ReleaseExceptionsRequest) -> ReleaseExceptionsResponse = ops::release;
        write reject_exception(RejectExceptionRequest) -> RejectExceptionResponse = ops::reject;
        write adjust_exception(AdjustExceptionRequest) -> AdjustExceptionResponse = ops::adjust;
        write void_reading(VoidReadingRequest) -> VoidReadingResponse = ops::void;
        write estimate_readings(EstimateReadingsRequest) -> EstimateReadingsResponse = estimate::estimate;
        read list_cases(ListCasesRequest) -> ListCasesResponse = case::list;
        write assign_case(AssignCaseRequest) -> AssignCaseResponse = case::assign;
    } and {
        type ImportReadingsStream = Outflow<ImportReadingsResponse>;

        async fn import_readings(&self, request: Request<Streaming<ImportReadingsRequest>>) -> Result<Response<Self::ImportReadingsStream>, Status> {
            rpc::exchange_some(&self.0, request, intake::TOGETHER, intake::import).await
        }
    }
}

async fn list(desk: Desk, call: Call, request: ListReadingsRequest) -> Result<ListReadingsResponse, Fault> {
    let filter = format!(
        "{:?}",
        ListReadingsRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        }
    );
    let page = Page::of(&call, &[&filter], request.page_size, &request.page_token)?;
    let (readings, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page, &request).await?;
    Ok(ListReadingsResponse { readings, next_page_token })
}

async fn exceptions(desk: Desk, call: Call, request: ListExceptionsRequest) -> Result<ListExceptionsResponse, Fault> {
    let days = format!("{:?} {:?}", request.from_date, request.until_date);
    let filters = [
        request.state.to_string(),
        request.code.to_string(),
        request.meter_no.clone(),
        request.branch.clone(),
        days,
    ];
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let (exceptions, next_page_token) = store::exceptions(desk.db.reader(), &Scope::of(&call), &page, &request).await?;
    Ok(ListExceptionsResponse { exceptions, next_page_token })
}
