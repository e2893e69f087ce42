use contracts::hearth::archive::v1::{ImportCustomersRequest, ImportCustomersResponse, intake_service_server::IntakeService};
use rpc::Outflow;
use tonic::{Request, Response, Status, Streaming};

use super::ops;
use crate::Desk;

/// The gRPC service that takes over registers.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl IntakeService for Api {
    type ImportCustomersStream = Outflow<ImportCustomersResponse>;

    async fn import_customers(&self, request: Request<Streaming<ImportCustomersRequest>>) -> Result<Response<Self::ImportCustomersStream>, Status> {
        rpc::exchange(&self.0, request, ops::import).await
    }
}
