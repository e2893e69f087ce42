use contracts::hearth::archive::v1::{
    AddServicePointRequest, AddServicePointResponse, GetPremisesRequest, GetPremisesResponse, ListPremisesRequest, ListPremisesResponse,
    RegisterPremisesRequest, RegisterPremisesResponse, premises_service_server::PremisesService,
};
use tonic::{Request, Response, Status};

use super::ops;
use crate::Desk;

/// The gRPC service of premises.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl PremisesService for Api {
    async fn register_premises(&self, request: Request<RegisterPremisesRequest>) -> Result<Response<RegisterPremisesResponse>, Status> {
        rpc::write(&self.0, request, ops::register).await
    }
    async fn add_service_point(&self, request: Request<AddServicePointRequest>) -> Result<Response<AddServicePointResponse>, Status> {
        rpc::write(&self.0, request, ops::add_point).await
    }
    async fn get_premises(&self, request: Request<GetPremisesRequest>) -> Result<Response<GetPremisesResponse>, Status> {
        rpc::read(&self.0, request, ops::get).await
    }
    async fn list_premises(&self, request: Request<ListPremisesRequest>) -> Result<Response<ListPremisesResponse>, Status> {
        rpc::read(&self.0, request, ops::list).await
    }
}
