//! The one question "may we deal with this party?" (准入核查).

use contracts::hearth::archive::v1::{CheckStandingRequest, CheckStandingResponse, standing_service_server::StandingService};
use database::Scope;
use ids::PartyId;
use rpc::{Call, Fault, wire};
use tonic::{Request, Response, Status};

use crate::{
    Desk,
    account::{model::State, store as accounts},
    party::{model, store as parties},
};

/// The gRPC service of standings.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl StandingService for Api {
    async fn check_standing(&self, request: Request<CheckStandingRequest>) -> Result<Response<CheckStandingResponse>, Status> {
        rpc::read(&self.0, request, check).await
    }
}

async fn check(desk: Desk, call: Call, request: CheckStandingRequest) -> Result<CheckStandingResponse, Fault> {
    let id: PartyId = wire::id_of("party_id", &request.party_id)?;
    let party = parties::load(desk.db.reader(), &Scope::of(&call), id.uuid()).await?;
    let suspended = accounts::count(desk.db.reader(), party.id, &[State::Suspended]).await? > 0;
    let reasons: Vec<_> = model::standing(party.standing()?, suspended).into_iter().map(str::to_owned).collect();
    Ok(CheckStandingResponse {
        may_deal: reasons.is_empty(),
        reasons,
        basic_supply: true,
    })
}
