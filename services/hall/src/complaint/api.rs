use contracts::hearth::hall::v1::{complaint_service_server::ComplaintService, *};

use super::{ops, outcome};
use crate::Desk;

/// Serves `ComplaintService`.
pub struct Api(pub Desk);

rpc::service! {
    ComplaintService for Api(Desk) {
        write open_complaint(OpenComplaintRequest) -> OpenComplaintResponse = ops::open;
        write classify_complaint(ClassifyComplaintRequest) -> ClassifyComplaintResponse = ops::classify;
        write respond_to_complaint(RespondToComplaintRequest) -> RespondToComplaintResponse = ops::respond;
        write assign_complaint(AssignComplaintRequest) -> AssignComplaintResponse = ops::assign;
        write investigate_complaint(InvestigateComplaintRequest) -> InvestigateComplaintResponse = ops::investigate;
        write visit_complaint(VisitComplaintRequest) -> VisitComplaintResponse = ops::visit;
        write recategorise_complaint(RecategoriseComplaintRequest) -> RecategoriseComplaintResponse = ops::recategorise;
        write propose_reply(ProposeReplyRequest) -> ProposeReplyResponse = outcome::propose;
        write reply_to_complaint(ReplyToComplaintRequest) -> ReplyToComplaintResponse = outcome::reply;
        write close_complaint(CloseComplaintRequest) -> CloseComplaintResponse = outcome::close;
        write reopen_complaint(ReopenComplaintRequest) -> ReopenComplaintResponse = outcome::reopen;
        write escalate_complaint(EscalateComplaintRequest) -> EscalateComplaintResponse = outcome::escalate;
        read get_complaint(GetComplaintRequest) -> GetComplaintResponse = ops::get;
        read list_complaints(ListComplaintsRequest) -> ListComplaintsResponse = ops::list;
        write reveal_complaint(RevealComplaintRequest) -> RevealComplaintResponse = ops::reveal;
    }
}
