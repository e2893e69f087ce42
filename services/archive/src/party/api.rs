use contracts::hearth::archive::v1::{
    ClosePartyRequest, ClosePartyResponse, CorrectContactRequest, CorrectContactResponse, GetPartyRequest, GetPartyResponse, RegisterOrganisationRequest,
    RegisterOrganisationResponse, RegisterPersonRequest, RegisterPersonResponse, RevealPartyRequest, RevealPartyResponse, SearchPartiesRequest,
    SearchPartiesResponse, party_service_server::PartyService,
};

use super::ops;
use crate::Desk;

/// The gRPC service of parties.
pub struct Api(pub Desk);

rpc::service! {
    PartyService for Api(Desk) {
        write register_person(RegisterPersonRequest) -> RegisterPersonResponse = ops::register_person;
        write register_organisation(RegisterOrganisationRequest) -> RegisterOrganisationResponse = ops::register_organisation;
        write correct_contact(CorrectContactRequest) -> CorrectContactResponse = ops::correct;
        write close_party(ClosePartyRequest) -> ClosePartyResponse = ops::close;
        read get_party(GetPartyRequest) -> GetPartyResponse = ops::get;
        read search_parties(SearchPartiesRequest) -> SearchPartiesResponse = ops::search;
        write reveal_party(RevealPartyRequest) -> RevealPartyResponse = ops::reveal;
    }
}
