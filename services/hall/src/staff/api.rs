use contracts::hearth::hall::v1::{staff_service_server::StaffService, *};
use tonic::{Request, Response, Status};

use super::ops;
use crate::Desk;

/// Serves `StaffService`.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl StaffService for Api {
    async fn register_staff(&self, request: Request<RegisterStaffRequest>) -> Result<Response<RegisterStaffResponse>, Status> {
        rpc::write(&self.0, request, ops::register).await
    }
    async fn assign_posts(&self, request: Request<AssignPostsRequest>) -> Result<Response<AssignPostsResponse>, Status> {
        rpc::write(&self.0, request, ops::assign_posts).await
    }
    async fn end_staff(&self, request: Request<EndStaffRequest>) -> Result<Response<EndStaffResponse>, Status> {
        rpc::write(&self.0, request, ops::end).await
    }
    async fn record_training(&self, request: Request<RecordTrainingRequest>) -> Result<Response<RecordTrainingResponse>, Status> {
        rpc::write(&self.0, request, ops::record_training).await
    }
    async fn record_certificate(&self, request: Request<RecordCertificateRequest>) -> Result<Response<RecordCertificateResponse>, Status> {
        rpc::write(&self.0, request, ops::record_certificate).await
    }
    async fn confirm_certificate(&self, request: Request<ConfirmCertificateRequest>) -> Result<Response<ConfirmCertificateResponse>, Status> {
        rpc::write(&self.0, request, ops::confirm_certificate).await
    }
    async fn revoke_certificate(&self, request: Request<RevokeCertificateRequest>) -> Result<Response<RevokeCertificateResponse>, Status> {
        rpc::write(&self.0, request, ops::revoke_certificate).await
    }
    async fn get_staff(&self, request: Request<GetStaffRequest>) -> Result<Response<GetStaffResponse>, Status> {
        rpc::read(&self.0, request, ops::get).await
    }
    async fn list_staff(&self, request: Request<ListStaffRequest>) -> Result<Response<ListStaffResponse>, Status> {
        rpc::read(&self.0, request, ops::list).await
    }
    async fn reveal_staff(&self, request: Request<RevealStaffRequest>) -> Result<Response<RevealStaffResponse>, Status> {
        rpc::write(&self.0, request, ops::reveal).await
    }
    async fn check_staff_certified(&self, request: Request<CheckStaffCertifiedRequest>) -> Result<Response<CheckStaffCertifiedResponse>, Status> {
        rpc::read(&self.0, request, ops::check).await
    }
    async fn list_certificate_warnings(&self, request: Request<ListCertificateWarningsRequest>) -> Result<Response<ListCertificateWarningsResponse>, Status> {
        rpc::read(&self.0, request, ops::warnings).await
    }
}
