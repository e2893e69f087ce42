//! Fee items over gRPC.

use contracts::hearth::billing::v1::{
    ChargeFeeRequest, ChargeFeeResponse, GetFeeItemRequest, GetFeeItemResponse, ListFeeItemsRequest, ListFeeItemsResponse, PublishFeeItemRequest,
    PublishFeeItemResponse, WithdrawFeeItemRequest, WithdrawFeeItemResponse, fee_item_service_server::FeeItemService,
};
use rpc::{Call, Fault, page::Page, wire};

use super::{ops, store};
use crate::Desk;

/// FeeItemService.
pub struct Api(pub Desk);

rpc::service! {
    FeeItemService for Api(Desk) {
        write publish_fee_item(PublishFeeItemRequest) -> PublishFeeItemResponse = ops::publish;
        write withdraw_fee_item(WithdrawFeeItemRequest) -> WithdrawFeeItemResponse = ops::withdraw;
        read get_fee_item(GetFeeItemRequest) -> GetFeeItemResponse = get;
        read list_fee_items(ListFeeItemsRequest) -> ListFeeItemsResponse = list;
        write charge_fee(ChargeFeeRequest) -> ChargeFeeResponse = ops::charge;
    }
}

async fn get(desk: Desk, _: Call, request: GetFeeItemRequest) -> Result<GetFeeItemResponse, Fault> {
    let row = store::one(desk.db.reader(), wire::id_of("fee_item_id", &request.fee_item_id)?).await?;
    Ok(GetFeeItemResponse {
        fee_item: Some(store::message(&row, desk.clock.now().date())),
    })
}

async fn list(desk: Desk, call: Call, request: ListFeeItemsRequest) -> Result<ListFeeItemsResponse, Fault> {
    let day = wire::date_if(request.on_date.as_ref(), "on_date")?;
    let page = Page::of(&call, &[&format!("{} {day:?}", request.code)], request.page_size, &request.page_token)?;
    let (fee_items, next_page_token) = store::list(desk.db.reader(), &page, &request.code, day, desk.clock.now().date()).await?;
    Ok(ListFeeItemsResponse { fee_items, next_page_token })
}
