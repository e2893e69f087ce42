use contracts::hearth::hall::v1::{estate_service_server::EstateService, *};

use super::ops;
use crate::Desk;

/// Serves `EstateService`.
pub struct Api(pub Desk);

rpc::service! {
    EstateService for Api(Desk) {
        write record_estate_inspection(RecordEstateInspectionRequest) -> RecordEstateInspectionResponse = ops::record;
        read get_estate(GetEstateRequest) -> GetEstateResponse = ops::get;
        read list_estates(ListEstatesRequest) -> ListEstatesResponse = ops::list;
    }
}
