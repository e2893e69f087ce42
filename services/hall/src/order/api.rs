use contracts::hearth::hall::v1::{order_service_server::OrderService, *};
use tonic::{Request, Response, Status};

use super::{field, ops};
use crate::Desk;

/// Serves `OrderService`.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl OrderService for Api {
    async fn create_order(&self, request: Request<CreateOrderRequest>) -> Result<Response<CreateOrderResponse>, Status> {
        rpc::write(&self.0, request, ops::create).await
    }
    async fn dispatch_order(&self, request: Request<DispatchOrderRequest>) -> Result<Response<DispatchOrderResponse>, Status> {
        rpc::write(&self.0, request, ops::dispatch).await
    }
    async fn offer_order(&self, request: Request<OfferOrderRequest>) -> Result<Response<OfferOrderResponse>, Status> {
        rpc::write(&self.0, request, ops::offer).await
    }
    async fn withdraw_order(&self, request: Request<WithdrawOrderRequest>) -> Result<Response<WithdrawOrderResponse>, Status> {
        rpc::write(&self.0, request, ops::withdraw).await
    }
    async fn accept_order(&self, request: Request<AcceptOrderRequest>) -> Result<Response<AcceptOrderResponse>, Status> {
        rpc::write(&self.0, request, field::accept).await
    }
    async fn arrive_on_site(&self, request: Request<ArriveOnSiteRequest>) -> Result<Response<ArriveOnSiteResponse>, Status> {
        rpc::write(&self.0, request, field::arrive).await
    }
    async fn make_safe(&self, request: Request<MakeSafeRequest>) -> Result<Response<MakeSafeResponse>, Status> {
        rpc::write(&self.0, request, field::make_safe).await
    }
    async fn report_order(&self, request: Request<ReportOrderRequest>) -> Result<Response<ReportOrderResponse>, Status> {
        rpc::write(&self.0, request, field::report).await
    }
    async fn report_no_access(&self, request: Request<ReportNoAccessRequest>) -> Result<Response<ReportNoAccessResponse>, Status> {
        rpc::write(&self.0, request, field::report_no_access).await
    }
    async fn complete_order(&self, request: Request<CompleteOrderRequest>) -> Result<Response<CompleteOrderResponse>, Status> {
        rpc::write(&self.0, request, ops::complete).await
    }
    async fn refuse_order(&self, request: Request<RefuseOrderRequest>) -> Result<Response<RefuseOrderResponse>, Status> {
        rpc::write(&self.0, request, ops::refuse).await
    }
    async fn cancel_order(&self, request: Request<CancelOrderRequest>) -> Result<Response<CancelOrderResponse>, Status> {
        rpc::write(&self.0, request, ops::cancel).await
    }
    async fn get_order(&self, request: Request<GetOrderRequest>) -> Result<Response<GetOrderResponse>, Status> {
        rpc::read(&self.0, request, ops::get).await
    }
    async fn list_orders(&self, request: Request<ListOrdersRequest>) -> Result<Response<ListOrdersResponse>, Status> {
        rpc::read(&self.0, request, ops::list).await
    }
}
