use contracts::hearth::archive::v1::{
    ActivateAgreementRequest, ActivateAgreementResponse, AmendAgreementRequest, AmendAgreementResponse, EndAgreementRequest, EndAgreementResponse,
    GetAgreementRequest, GetAgreementResponse, ListAgreementsRequest, ListAgreementsResponse, SignAgreementRequest, SignAgreementResponse,
    VoidAgreementRequest, VoidAgreementResponse, agreement_service_server::AgreementService,
};
use tonic::{Request, Response, Status};

use super::ops;
use crate::Desk;

/// The gRPC service of agreements.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl AgreementService for Api {
    async fn sign_agreement(&self, request: Request<SignAgreementRequest>) -> Result<Response<SignAgreementResponse>, Status> {
        rpc::write(&self.0, request, ops::sign).await
    }
    async fn activate_agreement(&self, request: Request<ActivateAgreementRequest>) -> Result<Response<ActivateAgreementResponse>, Status> {
        rpc::write(&self.0, request, ops::activate).await
    }
    async fn amend_agreement(&self, request: Request<AmendAgreementRequest>) -> Result<Response<AmendAgreementResponse>, Status> {
        rpc::write(&self.0, request, ops::amend).await
    }
    async fn end_agreement(&self, request: Request<EndAgreementRequest>) -> Result<Response<EndAgreementResponse>, Status> {
        rpc::write(&self.0, request, ops::end).await
    }
    async fn void_agreement(&self, request: Request<VoidAgreementRequest>) -> Result<Response<VoidAgreementResponse>, Status> {
        rpc::write(&self.0, request, ops::void).await
    }
    async fn get_agreement(&self, request: Request<GetAgreementRequest>) -> Result<Response<GetAgreementResponse>, Status> {
        rpc::read(&self.0, request, ops::get).await
    }
    async fn list_agreements(&self, request: Request<ListAgreementsRequest>) -> Result<Response<ListAgreementsResponse>, Status> {
        rpc::read(&self.0, request, ops::list).await
    }
}
