//! Openings over gRPC.

use contracts::hearth::billing::v1::{ImportOpeningRequest, ImportOpeningResponse, opening_service_server::OpeningService};
use rpc::Outflow;
use tonic::{Request, Response, Status, Streaming};

use super::intake;
use crate::Desk;

/// OpeningService.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl OpeningService for Api {
    type ImportOpeningStream = Outflow<ImportOpeningResponse>;

    async fn import_opening(&self, request: Request<Streaming<ImportOpeningRequest>>) -> Result<Response<Self::ImportOpeningStream>, Status> {
        rpc::exchange(&self.0, request, intake::import).await
    }
}
