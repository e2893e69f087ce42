use contracts::hearth::archive::v1::{
    AcknowledgePolicyVersionRequest, AcknowledgePolicyVersionResponse, AddPolicyDepartmentRequest, AddPolicyDepartmentResponse, ApprovePolicyVersionRequest,
    ApprovePolicyVersionResponse, CompletePolicyDutyRequest, CompletePolicyDutyResponse, CountersignPolicyVersionRequest, CountersignPolicyVersionResponse,
    DecidePolicyConflictRequest, DecidePolicyConflictResponse, DraftPolicyVersionRequest, DraftPolicyVersionResponse, GetPolicyCoverageRequest,
    GetPolicyCoverageResponse, GetPolicyRequest, GetPolicyResponse, GetPolicyVersionRequest, GetPolicyVersionResponse, IssuePolicyVersionRequest,
    IssuePolicyVersionResponse, ListPoliciesRequest, ListPoliciesResponse, ListPolicyAcknowledgementsRequest, ListPolicyAcknowledgementsResponse,
    ListPolicyConflictsRequest, ListPolicyConflictsResponse, ListPolicyDutiesRequest, ListPolicyDutiesResponse, ListPolicyTypeRequirementsRequest,
    ListPolicyTypeRequirementsResponse, RegisterPolicyRequest, RegisterPolicyResponse, ResolvePolicyConflictRequest, ResolvePolicyConflictResponse,
    ReturnPolicyVersionRequest, ReturnPolicyVersionResponse, ReviewPolicyVersionRequest, ReviewPolicyVersionResponse, RevisePolicyVersionRequest,
    RevisePolicyVersionResponse, SetPolicyTypeRequirementRequest, SetPolicyTypeRequirementResponse, SubmitPolicyVersionRequest, SubmitPolicyVersionResponse,
    WithdrawPolicyVersionRequest, WithdrawPolicyVersionResponse, policy_conflict_service_server::PolicyConflictService,
    policy_duty_service_server::PolicyDutyService, policy_service_server::PolicyService,
};

use super::{ack, conflict, duties, ops, read};
use crate::Desk;

/// The gRPC service of policy documents.
pub struct PolicyApi(pub Desk);

rpc::service! {
    PolicyService for PolicyApi(Desk) {
        write register_policy(RegisterPolicyRequest) -> RegisterPolicyResponse = ops::register;
        write set_policy_type_requirement(SetPolicyTypeRequirementRequest) -> SetPolicyTypeRequirementResponse = ops::require;
        read list_policy_type_requirements(ListPolicyTypeRequirementsRequest) -> ListPolicyTypeRequirementsResponse = read::requirements;
        write draft_policy_version(DraftPolicyVersionRequest) -> DraftPolicyVersionResponse = ops::draft;
        write revise_policy_version(RevisePolicyVersionRequest) -> RevisePolicyVersionResponse = ops::revise;
        write submit_policy_version(SubmitPolicyVersionRequest) -> SubmitPolicyVersionResponse = ops::submit;
        write review_policy_version(ReviewPolicyVersionRequest) -> ReviewPolicyVersionResponse = ops::review;
        write countersign_policy_version(CountersignPolicyVersionRequest) -> CountersignPolicyVersionResponse = ops::countersign;
        write approve_policy_version(ApprovePolicyVersionRequest) -> ApprovePolicyVersionResponse = ops::approve;
        write return_policy_version(ReturnPolicyVersionRequest) -> ReturnPolicyVersionResponse = ops::send_back;
        write issue_policy_version(IssuePolicyVersionRequest) -> IssuePolicyVersionResponse = ops::issue;
        write withdraw_policy_version(WithdrawPolicyVersionRequest) -> WithdrawPolicyVersionResponse = ops::withdraw;
        write add_policy_department(AddPolicyDepartmentRequest) -> AddPolicyDepartmentResponse = ops::add_department;
        read get_policy(GetPolicyRequest) -> GetPolicyResponse = read::get;
        read list_policies(ListPoliciesRequest) -> ListPoliciesResponse = read::list;
        read get_policy_version(GetPolicyVersionRequest) -> GetPolicyVersionResponse = read::version;
    }
}

/// The gRPC service of duties and acknowledgements.
pub struct DutyApi(pub Desk);

rpc::service! {
    PolicyDutyService for DutyApi(Desk) {
        read list_policy_duties(ListPolicyDutiesRequest) -> ListPolicyDutiesResponse = duties::list;
        write complete_policy_duty(CompletePolicyDutyRequest) -> CompletePolicyDutyResponse = duties::complete;
        write acknowledge_policy_version(AcknowledgePolicyVersionRequest) -> AcknowledgePolicyVersionResponse = ack::acknowledge;
        read list_policy_acknowledgements(ListPolicyAcknowledgementsRequest) -> ListPolicyAcknowledgementsResponse = ack::list;
        read get_policy_coverage(GetPolicyCoverageRequest) -> GetPolicyCoverageResponse = ack::coverage;
    }
}

/// The gRPC service of conflicts between policies.
pub struct ConflictApi(pub Desk);

rpc::service! {
    PolicyConflictService for ConflictApi(Desk) {
        write resolve_policy_conflict(ResolvePolicyConflictRequest) -> ResolvePolicyConflictResponse = conflict::resolve;
        write decide_policy_conflict(DecidePolicyConflictRequest) -> DecidePolicyConflictResponse = conflict::decide;
        read list_policy_conflicts(ListPolicyConflictsRequest) -> ListPolicyConflictsResponse = conflict::list;
    }
}
