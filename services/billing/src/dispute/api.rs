//! Disputes over gRPC.

use contracts::hearth::billing::v1::{
    AnswerDisputeRequest, AnswerDisputeResponse, DisputeBillRequest, DisputeBillResponse, ListDisputesRequest, ListDisputesResponse,
    dispute_service_server::DisputeService,
};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};

use super::{
    model::DisputeState,
    ops,
    store::{self, Filter},
};
use crate::Desk;

/// DisputeService.
pub struct Api(pub Desk);

rpc::service! {
    DisputeService for Api(Desk) {
        write dispute_bill(DisputeBillRequest) -> DisputeBillResponse = ops::open;
        write answer_dispute(AnswerDisputeRequest) -> AnswerDisputeResponse = ops::answer;
        read list_disputes(ListDisputesRequest) -> ListDisputesResponse = list;
    }
}

async fn list(desk: Desk, call: Call, request: ListDisputesRequest) -> Result<ListDisputesResponse, Fault> {
    let filter = Filter {
        party: request.party_id.as_deref().map(|id| wire::id_of("party_id", id)).transpose()?,
        bill: request.bill_id.as_deref().map(|id| wire::id_of("bill_id", id)).transpose()?,
        state: DisputeState::of_number(request.state),
    };
    let page = Page::of(&call, &[&format!("{filter:?}")], request.page_size, &request.page_token)?;
    let (disputes, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page, &filter).await?;
    Ok(ListDisputesResponse { disputes, next_page_token })
}
