use contracts::hearth::archive::v1::{
    ClosePartyRequest, ClosePartyResponse, CorrectContactRequest, CorrectContactResponse, GetPartyRequest, GetPartyResponse, RegisterOrganisationRequest,
    RegisterOrganisationResponse, RegisterPersonRequest, RegisterPersonResponse, RevealPartyRequest, RevealPartyResponse, SearchPartiesRequest,
    SearchPartiesResponse, party_service_server::PartyService,
};
use tonic::{Request, Response, Status};

use super::ops;
use crate::Desk;

/// The gRPC service of parties.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl PartyService for Api {
    async fn register_person(&self, request: Request<RegisterPersonRequest>) -> Result<Response<RegisterPersonResponse>, Status> {
        rpc::write(&self.0, request, ops::register_person).await
    }
    async fn register_organisation(&self, request: Request<RegisterOrganisationRequest>) -> Result<Response<RegisterOrganisationResponse>, Status> {
        rpc::write(&self.0, request, ops::register_organisation).await
    }
    async fn correct_contact(&self, request: Request<CorrectContactRequest>) -> Result<Response<CorrectContactResponse>, Status> {
        rpc::write(&self.0, request, ops::correct).await
    }
    async fn close_party(&self, request: Request<ClosePartyRequest>) -> Result<Response<ClosePartyResponse>, Status> {
        rpc::write(&self.0, request, ops::close).await
    }
    async fn get_party(&self, request: Request<GetPartyRequest>) -> Result<Response<GetPartyResponse>, Status> {
        rpc::read(&self.0, request, ops::get).await
    }
    async fn search_parties(&self, request: Request<SearchPartiesRequest>) -> Result<Response<SearchPartiesResponse>, Status> {
        rpc::read(&self.0, request, ops::search).await
    }
    async fn reveal_party(&self, request: Request<RevealPartyRequest>) -> Result<Response<RevealPartyResponse>, Status> {
        rpc::write(&self.0, request, ops::reveal).await
    }
}
