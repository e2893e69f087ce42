use contracts::hearth::hall::v1::{estate_service_server::EstateService, *};
use tonic::{Request, Response, Status};

use super::ops;
use crate::Desk;

/// Serves `EstateService`.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl EstateService for Api {
    async fn record_estate_inspection(&self, request: Request<RecordEstateInspectionRequest>) -> Result<Response<RecordEstateInspectionResponse>, Status> {
        rpc::write(&self.0, request, ops::record).await
    }
    async fn get_estate(&self, request: Request<GetEstateRequest>) -> Result<Response<GetEstateResponse>, Status> {
        rpc::read(&self.0, request, ops::get).await
    }
    async fn list_estates(&self, request: Request<ListEstatesRequest>) -> Result<Response<ListEstatesResponse>, Status> {
        rpc::read(&self.0, request, ops::list).await
    }
}
