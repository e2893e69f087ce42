use contracts::hearth::archive::v1::{
    AppealListingRequest, AppealListingResponse, CloseDebtDisputeRequest, CloseDebtDisputeResponse, DecideAppealRequest, DecideAppealResponse,
    DismissCaseRequest, DismissCaseResponse, GetIntegrityCaseRequest, GetIntegrityCaseResponse, InvestigateConductRequest, InvestigateConductResponse,
    ListConductsRequest, ListConductsResponse, ListIntegrityCasesRequest, ListIntegrityCasesResponse, ListPartyRequest, ListPartyResponse, NotifyPartyRequest,
    NotifyPartyResponse, OpenDebtDisputeRequest, OpenDebtDisputeResponse, RecordStatementRequest, RecordStatementResponse, RemoveListingRequest,
    RemoveListingResponse, ReportConductRequest, ReportConductResponse, RevealIntegrityCaseRequest, RevealIntegrityCaseResponse,
    integrity_service_server::IntegrityService,
};

use super::{dispute, ops};
use crate::Desk;

/// The gRPC service of the list of dishonest customers.
pub struct Api(pub Desk);

rpc::service! {
    IntegrityService for Api(Desk) {
        read list_conducts(ListConductsRequest) -> ListConductsResponse = ops::conducts;
        write report_conduct(ReportConductRequest) -> ReportConductResponse = ops::report;
        write investigate_conduct(InvestigateConductRequest) -> InvestigateConductResponse = ops::investigate;
        write notify_party(NotifyPartyRequest) -> NotifyPartyResponse = ops::notify;
        write record_statement(RecordStatementRequest) -> RecordStatementResponse = ops::state_case;
        write list_party(ListPartyRequest) -> ListPartyResponse = ops::list_party;
        write dismiss_case(DismissCaseRequest) -> DismissCaseResponse = ops::dismiss;
        write appeal_listing(AppealListingRequest) -> AppealListingResponse = ops::appeal;
        write decide_appeal(DecideAppealRequest) -> DecideAppealResponse = ops::decide_appeal;
        write remove_listing(RemoveListingRequest) -> RemoveListingResponse = ops::remove;
        read get_integrity_case(GetIntegrityCaseRequest) -> GetIntegrityCaseResponse = ops::get;
        read list_integrity_cases(ListIntegrityCasesRequest) -> ListIntegrityCasesResponse = ops::list;
        write reveal_integrity_case(RevealIntegrityCaseRequest) -> RevealIntegrityCaseResponse = ops::reveal;
        write open_debt_dispute(OpenDebtDisputeRequest) -> OpenDebtDisputeResponse = dispute::open;
        write close_debt_dispute(CloseDebtDisputeRequest) -> CloseDebtDisputeResponse = dispute::close;
    }
}
