use contracts::hearth::archive::v1::{
    AddServicePointRequest, AddServicePointResponse, GetPremisesRequest, GetPremisesResponse, ListPremisesRequest, ListPremisesResponse,
    RegisterPremisesRequest, RegisterPremisesResponse, premises_service_server::PremisesService,
};

use super::ops;
use crate::Desk;

/// The gRPC service of premises.
pub struct Api(pub Desk);

rpc::service! {
    PremisesService for Api(Desk) {
        write register_premises(RegisterPremisesRequest) -> RegisterPremisesResponse = ops::register;
        write add_service_point(AddServicePointRequest) -> AddServicePointResponse = ops::add_point;
        read get_premises(GetPremisesRequest) -> GetPremisesResponse = ops::get;
        read list_premises(ListPremisesRequest) -> ListPremisesResponse = ops::list;
    }
}
