use contracts::hearth::hall::v1::{deadline_service_server::DeadlineService, *};
use tonic::{Request, Response, Status};

use super::ops;
use crate::Desk;

/// Serves `DeadlineService`.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl DeadlineService for Api {
    async fn publish_sla_policy(&self, request: Request<PublishSlaPolicyRequest>) -> Result<Response<PublishSlaPolicyResponse>, Status> {
        rpc::write(&self.0, request, ops::publish).await
    }
    async fn list_sla_policies(&self, request: Request<ListSlaPoliciesRequest>) -> Result<Response<ListSlaPoliciesResponse>, Status> {
        rpc::read(&self.0, request, ops::policies).await
    }
    async fn list_deadlines(&self, request: Request<ListDeadlinesRequest>) -> Result<Response<ListDeadlinesResponse>, Status> {
        rpc::read(&self.0, request, ops::list).await
    }
    async fn explain_deadline(&self, request: Request<ExplainDeadlineRequest>) -> Result<Response<ExplainDeadlineResponse>, Status> {
        rpc::read(&self.0, request, ops::explain).await
    }
    async fn pause_deadline(&self, request: Request<PauseDeadlineRequest>) -> Result<Response<PauseDeadlineResponse>, Status> {
        rpc::write(&self.0, request, ops::pause).await
    }
    async fn resume_deadline(&self, request: Request<ResumeDeadlineRequest>) -> Result<Response<ResumeDeadlineResponse>, Status> {
        rpc::write(&self.0, request, ops::resume).await
    }
}
