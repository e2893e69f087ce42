//! Re-rating runs over gRPC.

use contracts::hearth::billing::v1::{
    GetReratingRequest, GetReratingResponse, ListReratingItemsRequest, ListReratingItemsResponse, ListReratingsRequest, ListReratingsResponse,
    StartReratingRequest, StartReratingResponse, rerating_service_server::ReratingService,
};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};

use super::{model::Outcome, ops, store};
use crate::Desk;

/// ReratingService.
pub struct Api(pub Desk);

rpc::service! {
    ReratingService for Api(Desk) {
        write start_rerating(StartReratingRequest) -> StartReratingResponse = ops::start;
        read get_rerating(GetReratingRequest) -> GetReratingResponse = get;
        read list_reratings(ListReratingsRequest) -> ListReratingsResponse = list;
        read list_rerating_items(ListReratingItemsRequest) -> ListReratingItemsResponse = items;
    }
}

async fn get(desk: Desk, call: Call, request: GetReratingRequest) -> Result<GetReratingResponse, Fault> {
    let conn = desk.db.reader();
    let row = store::one(conn, &Scope::of(&call), wire::id_of("rerating_id", &request.rerating_id)?).await?;
    Ok(GetReratingResponse {
        rerating: Some(store::message(conn, &row).await?),
    })
}

async fn list(desk: Desk, call: Call, request: ListReratingsRequest) -> Result<ListReratingsResponse, Fault> {
    let tariff = request.tariff_id.as_deref().map(|id| wire::id_of("tariff_id", id)).transpose()?;
    let page = Page::of(&call, &[&format!("{tariff:?}")], request.page_size, &request.page_token)?;
    let (reratings, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page, tariff).await?;
    Ok(ListReratingsResponse { reratings, next_page_token })
}

async fn items(desk: Desk, call: Call, request: ListReratingItemsRequest) -> Result<ListReratingItemsResponse, Fault> {
    let page = Page::of(
        &call,
        &[&request.rerating_id, &request.outcome.to_string()],
        request.page_size,
        &request.page_token,
    )?;
    let run = wire::id_of("rerating_id", &request.rerating_id)?;
    let (items, next_page_token) = store::items(desk.db.reader(), &Scope::of(&call), &page, run, Outcome::of_number(request.outcome)).await?;
    Ok(ListReratingItemsResponse { items, next_page_token })
}
