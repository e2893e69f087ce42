use contracts::hearth::hall::v1::{deadline_service_server::DeadlineService, *};

use super::ops;
use crate::Desk;

/// Serves `DeadlineService`.
pub struct Api(pub Desk);

rpc::service! {
    DeadlineService for Api(Desk) {
        write publish_sla_policy(PublishSlaPolicyRequest) -> PublishSlaPolicyResponse = ops::publish;
        read list_sla_policies(ListSlaPoliciesRequest) -> ListSlaPoliciesResponse = ops::policies;
        read list_deadlines(ListDeadlinesRequest) -> ListDeadlinesResponse = ops::list;
        read explain_deadline(ExplainDeadlineRequest) -> ExplainDeadlineResponse = ops::explain;
        write pause_deadline(PauseDeadlineRequest) -> PauseDeadlineResponse = ops::pause;
        write resume_deadline(ResumeDeadlineRequest) -> ResumeDeadlineResponse = ops::resume;
    }
}
