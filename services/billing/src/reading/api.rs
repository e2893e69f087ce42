//! Readings over gRPC.

use contracts::hearth::billing::v1::{
    AdjustExceptionRequest, AdjustExceptionResponse, ImportReadingsRequest, ImportReadingsResponse, ListExceptionsRequest, ListExceptionsResponse,
    ListReadingsRequest, ListReadingsResponse, RecordReadingRequest, RecordReadingResponse, RejectExceptionRequest, RejectExceptionResponse,
    ReleaseExceptionsRequest, ReleaseExceptionsResponse, reading_service_server::ReadingService,
};
use database::Scope;
use rpc::{Call, Fault, Outflow, page::Page};
use tonic::{Request, Response, Status, Streaming};

use super::{intake, ops, store};
use crate::Desk;

/// ReadingService.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl ReadingService for Api {
    async fn record_reading(&self, request: Request<RecordReadingRequest>) -> Result<Response<RecordReadingResponse>, Status> {
        rpc::write(&self.0, request, intake::record).await
    }

    type ImportReadingsStream = Outflow<ImportReadingsResponse>;

    async fn import_readings(&self, request: Request<Streaming<ImportReadingsRequest>>) -> Result<Response<Self::ImportReadingsStream>, Status> {
        rpc::exchange(&self.0, request, intake::import).await
    }

    async fn list_readings(&self, request: Request<ListReadingsRequest>) -> Result<Response<ListReadingsResponse>, Status> {
        rpc::read(&self.0, request, list).await
    }

    async fn list_exceptions(&self, request: Request<ListExceptionsRequest>) -> Result<Response<ListExceptionsResponse>, Status> {
        rpc::read(&self.0, request, exceptions).await
    }

    async fn release_exceptions(&self, request: Request<ReleaseExceptionsRequest>) -> Result<Response<ReleaseExceptionsResponse>, Status> {
        rpc::write(&self.0, request, ops::release).await
    }

    async fn reject_exception(&self, request: Request<RejectExceptionRequest>) -> Result<Response<RejectExceptionResponse>, Status> {
        rpc::write(&self.0, request, ops::reject).await
    }

    async fn adjust_exception(&self, request: Request<AdjustExceptionRequest>) -> Result<Response<AdjustExceptionResponse>, Status> {
        rpc::write(&self.0, request, ops::adjust).await
    }
}

async fn list(desk: Desk, call: Call, request: ListReadingsRequest) -> Result<ListReadingsResponse, Fault> {
    let page = Page::of(
        &call,
        &[&request.meter_no, &request.state.to_string(), &request.branch],
        request.page_size,
        &request.page_token,
    )?;
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
