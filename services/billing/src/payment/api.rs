//! Payments over gRPC.

use contracts::hearth::billing::v1::{
    GetPaymentRequest, GetPaymentResponse, ImportPaymentsRequest, ImportPaymentsResponse, ListPaymentsRequest, ListPaymentsResponse, ReversePaymentRequest,
    ReversePaymentResponse, TakePaymentRequest, TakePaymentResponse, payment_service_server::PaymentService,
};
use database::Scope;
use rpc::{Call, Fault, Outflow, page::Page, wire};
use tonic::{Request, Response, Status, Streaming};

use super::{intake, ops, store};
use crate::Desk;

/// PaymentService.
pub struct Api(pub Desk);

rpc::service! {
    PaymentService for Api(Desk) {
        write take_payment(TakePaymentRequest) -> TakePaymentResponse = ops::take;
        write reverse_payment(ReversePaymentRequest) -> ReversePaymentResponse = ops::reverse;
        read get_payment(GetPaymentRequest) -> GetPaymentResponse = get;
        read list_payments(ListPaymentsRequest) -> ListPaymentsResponse = list;
    } and {
        type ImportPaymentsStream = Outflow<ImportPaymentsResponse>;

        async fn import_payments(&self, request: Request<Streaming<ImportPaymentsRequest>>) -> Result<Response<Self::ImportPaymentsStream>, Status> {
            rpc::exchange(&self.0, request, intake::import).await
        }
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
    let filter = format!(
        "{:?}",
        ListPaymentsRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        }
    );
    let page = Page::of(&call, &[&filter], request.page_size, &request.page_token)?;
    let (payments, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page, &request).await?;
    Ok(ListPaymentsResponse { payments, next_page_token })
}
