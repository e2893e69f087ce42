use contracts::hearth::hall::v1::{case_service_server::CaseService, *};
use tonic::{Request, Response, Status};

use super::ops;
use crate::Desk;

/// Serves `CaseService`.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl CaseService for Api {
    async fn open_case(&self, request: Request<OpenCaseRequest>) -> Result<Response<OpenCaseResponse>, Status> {
        rpc::write(&self.0, request, ops::open).await
    }
    async fn assign_case(&self, request: Request<AssignCaseRequest>) -> Result<Response<AssignCaseResponse>, Status> {
        rpc::write(&self.0, request, ops::assign).await
    }
    async fn respond_to_case(&self, request: Request<RespondToCaseRequest>) -> Result<Response<RespondToCaseResponse>, Status> {
        rpc::write(&self.0, request, ops::respond).await
    }
    async fn recategorise_case(&self, request: Request<RecategoriseCaseRequest>) -> Result<Response<RecategoriseCaseResponse>, Status> {
        rpc::write(&self.0, request, ops::recategorise).await
    }
    async fn answer_case(&self, request: Request<AnswerCaseRequest>) -> Result<Response<AnswerCaseResponse>, Status> {
        rpc::write(&self.0, request, ops::answer).await
    }
    async fn close_case(&self, request: Request<CloseCaseRequest>) -> Result<Response<CloseCaseResponse>, Status> {
        rpc::write(&self.0, request, ops::close).await
    }
    async fn reopen_case(&self, request: Request<ReopenCaseRequest>) -> Result<Response<ReopenCaseResponse>, Status> {
        rpc::write(&self.0, request, ops::reopen).await
    }
    async fn get_case(&self, request: Request<GetCaseRequest>) -> Result<Response<GetCaseResponse>, Status> {
        rpc::read(&self.0, request, ops::get).await
    }
    async fn list_cases(&self, request: Request<ListCasesRequest>) -> Result<Response<ListCasesResponse>, Status> {
        rpc::read(&self.0, request, ops::list).await
    }
    async fn reveal_case(&self, request: Request<RevealCaseRequest>) -> Result<Response<RevealCaseResponse>, Status> {
        rpc::write(&self.0, request, ops::reveal).await
    }
}
