//! Payments over gRPC.

use contracts::hearth::billing::v1::{
    GetPaymentRequest, GetPaymentResponse, ListPaymentsRequest, ListPaymentsResponse, ReversePaymentRequest, ReversePaymentResponse, TakePaymentRequest,
    TakePaymentResponse, payment_service_server::PaymentService,
};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{ops, store};
use crate::Desk;

/// PaymentService.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl PaymentService for Api {
    async fn take_payment(&self, request: Request<TakePaymentRequest>) -> Result<Response<TakePaymentResponse>, Status> {
        rpc::write(&self.0, request, ops::take).await
    }

    async fn reverse_payment(&self, request: Request<ReversePaymentRequest>) -> Result<Response<ReversePaymentResponse>, Status> {
        rpc::write(&self.0, request, ops::reverse).await
    }

    async fn get_payment(&self, request: Request<GetPaymentRequest>) -> Result<Response<GetPaymentResponse>, Status> {
        rpc::read(&self.0, request, get).await
    }

    async fn list_payments(&self, request: Request<ListPaymentsRequest>) -> Result<Response<ListPaymentsResponse>, Status> {
        rpc::read(&self.0, request, list).await
    }
}

async fn get(desk: Desk, call: Call, request: GetPaymentRequest) -> Result<GetPaymentResponse, Fault> {
    let row = store::one(desk.db.reader(), &Scope::of(&call), wire::id_of("payment_id", &request.payment_id)?).await?;
    let shares = store::shares(desk.db.reader(), row.id).await?;
    Ok(GetPaymentResponse {
        payment: Some(store::message(&row, &shares)?),
    })
}

async fn list(desk: Desk, call: Call, request: ListPaymentsRequest) -> Result<ListPaymentsResponse, Fault> {
    let party = request.party_id.as_deref().map(|id| wire::id_of::<Uuid>("party_id", id)).transpose()?;
    let account = request.account_id.as_deref().map(|id| wire::id_of::<Uuid>("account_id", id)).transpose()?;
    let page = Page::of(&call, &[&format!("{party:?} {account:?}")], request.page_size, &request.page_token)?;
    let (payments, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page, party, account).await?;
    Ok(ListPaymentsResponse { payments, next_page_token })
}
