use contracts::hearth::hall::v1::{acceptance_service_server::AcceptanceService, *};

use super::ops;
use crate::Desk;

/// Serves `AcceptanceService`.
pub struct Api(pub Desk);

rpc::service! {
    AcceptanceService for Api(Desk) {
        write record_pipe_acceptance(RecordPipeAcceptanceRequest) -> RecordPipeAcceptanceResponse = ops::record_pipe;
        write record_appliance_acceptance(RecordApplianceAcceptanceRequest) -> RecordApplianceAcceptanceResponse = ops::record_appliance;
        read get_pipe_acceptance(GetPipeAcceptanceRequest) -> GetPipeAcceptanceResponse = ops::get_pipe;
        read get_appliance_acceptance(GetApplianceAcceptanceRequest) -> GetApplianceAcceptanceResponse = ops::get_appliance;
        read list_appliance_acceptances(ListApplianceAcceptancesRequest) -> ListApplianceAcceptancesResponse = ops::list;
    }
}
