use contracts::hearth::hall::v1::{interaction_service_server::InteractionService, *};

use super::ops;
use crate::Desk;

/// Serves `InteractionService`.
pub struct Api(pub Desk);

rpc::service! {
    InteractionService for Api(Desk) {
        write receive_interaction(ReceiveInteractionRequest) -> ReceiveInteractionResponse = ops::receive;
        write record_interaction(RecordInteractionRequest) -> RecordInteractionResponse = ops::record;
        write assign_interaction(AssignInteractionRequest) -> AssignInteractionResponse = ops::assign;
        write give_opinion(GiveOpinionRequest) -> GiveOpinionResponse = ops::give_opinion;
        write link_interaction(LinkInteractionRequest) -> LinkInteractionResponse = ops::link;
        write close_interaction(CloseInteractionRequest) -> CloseInteractionResponse = ops::close;
        read get_interaction(GetInteractionRequest) -> GetInteractionResponse = ops::get;
        read list_interactions(ListInteractionsRequest) -> ListInteractionsResponse = ops::list;
        write reveal_interaction(RevealInteractionRequest) -> RevealInteractionResponse = ops::reveal;
    }
}
