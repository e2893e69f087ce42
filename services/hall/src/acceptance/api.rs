use contracts::hearth::hall::v1::{acceptance_service_server::AcceptanceService, *};
use tonic::{Request, Response, Status};

use super::ops;
use crate::Desk;

/// Serves `AcceptanceService`.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl AcceptanceService for Api {
    async fn record_pipe_acceptance(&self, request: Request<RecordPipeAcceptanceRequest>) -> Result<Response<RecordPipeAcceptanceResponse>, Status> {
        rpc::write(&self.0, request, ops::record_pipe).await
    }
    async fn record_appliance_acceptance(
        &self,
        request: Request<RecordApplianceAcceptanceRequest>,
    ) -> Result<Response<RecordApplianceAcceptanceResponse>, Status> {
        rpc::write(&self.0, request, ops::record_appliance).await
    }
    async fn get_pipe_acceptance(&self, request: Request<GetPipeAcceptanceRequest>) -> Result<Response<GetPipeAcceptanceResponse>, Status> {
        rpc::read(&self.0, request, ops::get_pipe).await
    }
    async fn get_appliance_acceptance(&self, request: Request<GetApplianceAcceptanceRequest>) -> Result<Response<GetApplianceAcceptanceResponse>, Status> {
        rpc::read(&self.0, request, ops::get_appliance).await
    }
    async fn list_appliance_acceptances(
        &self,
        request: Request<ListApplianceAcceptancesRequest>,
    ) -> Result<Response<ListApplianceAcceptancesResponse>, Status> {
        rpc::read(&self.0, request, ops::list).await
    }
}
