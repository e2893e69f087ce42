use contracts::hearth::hall::v1::{order_service_server::OrderService, *};

use super::{field, ops};
use crate::Desk;

/// Serves `OrderService`.
pub struct Api(pub Desk);

rpc::service! {
    OrderService for Api(Desk) {
        write create_order(CreateOrderRequest) -> CreateOrderResponse = ops::create;
        write dispatch_order(DispatchOrderRequest) -> DispatchOrderResponse = ops::dispatch;
        write offer_order(OfferOrderRequest) -> OfferOrderResponse = ops::offer;
        write withdraw_order(WithdrawOrderRequest) -> WithdrawOrderResponse = ops::withdraw;
        write accept_order(AcceptOrderRequest) -> AcceptOrderResponse = field::accept;
        write arrive_on_site(ArriveOnSiteRequest) -> ArriveOnSiteResponse = field::arrive;
        write make_safe(MakeSafeRequest) -> MakeSafeResponse = field::make_safe;
        write report_order(ReportOrderRequest) -> ReportOrderResponse = field::report;
        write report_no_access(ReportNoAccessRequest) -> ReportNoAccessResponse = field::report_no_access;
        write complete_order(CompleteOrderRequest) -> CompleteOrderResponse = ops::complete;
        write refuse_order(RefuseOrderRequest) -> RefuseOrderResponse = ops::refuse;
        write cancel_order(CancelOrderRequest) -> CancelOrderResponse = ops::cancel;
        read get_order(GetOrderRequest) -> GetOrderResponse = ops::get;
        read list_orders(ListOrdersRequest) -> ListOrdersResponse = ops::list;
    }
}
