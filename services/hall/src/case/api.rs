use contracts::hearth::hall::v1::{case_service_server::CaseService, *};

use super::ops;
use crate::Desk;

/// Serves `CaseService`.
pub struct Api(pub Desk);

rpc::service! {
    CaseService for Api(Desk) {
        write open_case(OpenCaseRequest) -> OpenCaseResponse = ops::open;
        write assign_case(AssignCaseRequest) -> AssignCaseResponse = ops::assign;
        write respond_to_case(RespondToCaseRequest) -> RespondToCaseResponse = ops::respond;
        write recategorise_case(RecategoriseCaseRequest) -> RecategoriseCaseResponse = ops::recategorise;
        write answer_case(AnswerCaseRequest) -> AnswerCaseResponse = ops::answer;
        write close_case(CloseCaseRequest) -> CloseCaseResponse = ops::close;
        write reopen_case(ReopenCaseRequest) -> ReopenCaseResponse = ops::reopen;
        read get_case(GetCaseRequest) -> GetCaseResponse = ops::get;
        read list_cases(ListCasesRequest) -> ListCasesResponse = ops::list;
        write reveal_case(RevealCaseRequest) -> RevealCaseResponse = ops::reveal;
    }
}
