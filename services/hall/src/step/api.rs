use contracts::hearth::hall::v1::{step_service_server::StepService, *};
use tonic::{Request, Response, Status};

use super::ops;
use crate::Desk;

/// Serves `StepService`.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl StepService for Api {
    async fn list_steps(&self, request: Request<ListStepsRequest>) -> Result<Response<ListStepsResponse>, Status> {
        rpc::read(&self.0, request, ops::list).await
    }
    async fn retry_step(&self, request: Request<RetryStepRequest>) -> Result<Response<RetryStepResponse>, Status> {
        rpc::write(&self.0, request, ops::retry).await
    }
}
