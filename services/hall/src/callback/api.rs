use contracts::hearth::hall::v1::{callback_service_server::CallbackService, *};

use super::{figures, objection, ops, plan, policy};
use crate::Desk;

/// Serves `CallbackService`.
pub struct Api(pub Desk);

rpc::service! {
    CallbackService for Api(Desk) {
        read list_callback_tasks(ListCallbackTasksRequest) -> ListCallbackTasksResponse = ops::list;
        read get_callback_task(GetCallbackTaskRequest) -> GetCallbackTaskResponse = ops::get;
        write publish_callback_policy(PublishCallbackPolicyRequest) -> PublishCallbackPolicyResponse = policy::publish;
        read list_callback_policies(ListCallbackPoliciesRequest) -> ListCallbackPoliciesResponse = policy::list;
        write report_callback_trigger(ReportCallbackTriggerRequest) -> ReportCallbackTriggerResponse = plan::report;
        read list_callback_draws(ListCallbackDrawsRequest) -> ListCallbackDrawsResponse = policy::draws;
        write assign_callback(AssignCallbackRequest) -> AssignCallbackResponse = ops::assign;
        write take_next_callback(TakeNextCallbackRequest) -> TakeNextCallbackResponse = ops::take_next;
        write record_callback_attempt(RecordCallbackAttemptRequest) -> RecordCallbackAttemptResponse = ops::attempt;
        write record_callback(RecordCallbackRequest) -> RecordCallbackResponse = ops::record;
        write complete_callback_record(CompleteCallbackRecordRequest) -> CompleteCallbackRecordResponse = ops::complete;
        write close_callback(CloseCallbackRequest) -> CloseCallbackResponse = ops::close;
        write record_call_objection(RecordCallObjectionRequest) -> RecordCallObjectionResponse = objection::record;
        write lift_call_objection(LiftCallObjectionRequest) -> LiftCallObjectionResponse = objection::lift;
        read get_callback_figures(GetCallbackFiguresRequest) -> GetCallbackFiguresResponse = figures::get;
    }
}
