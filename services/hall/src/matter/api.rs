use contracts::hearth::hall::v1::{matter_service_server::MatterService, *};

use super::ops;
use crate::Desk;

/// Serves `MatterService`.
pub struct Api(pub Desk);

rpc::service! {
    MatterService for Api(Desk) {
        write draft_matter(DraftMatterRequest) -> DraftMatterResponse = ops::draft;
        write publish_matter(PublishMatterRequest) -> PublishMatterResponse = ops::publish;
        write withdraw_matter(WithdrawMatterRequest) -> WithdrawMatterResponse = ops::withdraw;
        read get_matter(GetMatterRequest) -> GetMatterResponse = ops::get;
        read list_matters(ListMattersRequest) -> ListMattersResponse = ops::list;
        read get_published_matters(GetPublishedMattersRequest) -> GetPublishedMattersResponse = ops::published;
        read get_compliance(GetComplianceRequest) -> GetComplianceResponse = ops::compliance;
    }
}
