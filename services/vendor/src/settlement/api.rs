//! The gRPC service of settlement.

use contracts::hearth::vendor::v1::{settlement_service_server::SettlementService, *};
use database::Scope;
use ids::{ContractId, VendorId};
use rpc::{Call, Fault, page::Page, wire};

use super::{model::State, ops, store, terms, wire as view};
use crate::{Desk, contract, vendor::wire::id_if};

/// Serves `hearth.vendor.v1.SettlementService`.
pub struct Api(pub Desk);

rpc::service! {
    SettlementService for Api(Desk) {
        write set_rate(SetRateRequest) -> SetRateResponse = terms::set_rate;
        read list_rates(ListRatesRequest) -> ListRatesResponse = list_rates;
        write lend_asset(LendAssetRequest) -> LendAssetResponse = terms::lend;
        write return_asset(ReturnAssetRequest) -> ReturnAssetResponse = terms::take_back;
        read list_assets(ListAssetsRequest) -> ListAssetsResponse = list_assets;
        write prepare_payment(PreparePaymentRequest) -> PreparePaymentResponse = ops::prepare;
        write record_invoice(RecordInvoiceRequest) -> RecordInvoiceResponse = ops::invoice;
        write add_deduction(AddDeductionRequest) -> AddDeductionResponse = ops::deduct;
        write review_payment(ReviewPaymentRequest) -> ReviewPaymentResponse = ops::review;
        write submit_payment(SubmitPaymentRequest) -> SubmitPaymentResponse = ops::submit;
        write return_payment(ReturnPaymentRequest) -> ReturnPaymentResponse = ops::give_back;
        write approve_payment(ApprovePaymentRequest) -> ApprovePaymentResponse = ops::approve;
        write pay_payment(PayPaymentRequest) -> PayPaymentResponse = ops::pay;
        write cancel_payment(CancelPaymentRequest) -> CancelPaymentResponse = ops::cancel;
        write place_hold(PlaceHoldRequest) -> PlaceHoldResponse = ops::hold;
        write release_hold(ReleaseHoldRequest) -> ReleaseHoldResponse = ops::unhold;
        read get_payment(GetPaymentRequest) -> GetPaymentResponse = get;
        read list_payments(ListPaymentsRequest) -> ListPaymentsResponse = list;
        read get_retention(GetRetentionRequest) -> GetRetentionResponse = retention;
    }
}

/// A contract of the vendor that a request names.
async fn contract_of(desk: &Desk, call: &Call, vendor: &str, contract: &str) -> Result<ContractId, Fault> {
    let (vendor, id): (VendorId, _) = (wire::id_of("vendor_id", vendor)?, wire::id_of("contract_id", contract)?);
    let contract = contract::store::load(desk.db.reader(), &Scope::of(call), id).await?;
    if contract.vendor == vendor {
        Ok(id)
    } else {
        Err(Fault::not_found("contract", id))
    }
}

async fn list_rates(desk: Desk, call: Call, request: ListRatesRequest) -> Result<ListRatesResponse, Fault> {
    let contract = contract_of(&desk, &call, &request.vendor_id, &request.contract_id).await?;
    let page = Page::of(&call, &[&request.vendor_id, &request.contract_id], request.page_size, &request.page_token)?;
    let (rates, next_page_token) = store::list_rates(desk.db.reader(), contract, &page).await?;
    Ok(ListRatesResponse {
        rates: rates.iter().map(view::rate).collect(),
        next_page_token,
    })
}

async fn list_assets(desk: Desk, call: Call, request: ListAssetsRequest) -> Result<ListAssetsResponse, Fault> {
    let vendor = id_if("vendor_id", &request.vendor_id)?;
    let page = Page::of(&call, &[&request.vendor_id], request.page_size, &request.page_token)?;
    let (assets, next_page_token) = store::list_assets(desk.db.reader(), &Scope::of(&call), vendor, &page).await?;
    Ok(ListAssetsResponse {
        assets: assets.iter().map(view::asset).collect(),
        next_page_token,
    })
}

async fn get(desk: Desk, call: Call, request: GetPaymentRequest) -> Result<GetPaymentResponse, Fault> {
    let conn = desk.db.reader();
    let vendor: VendorId = wire::id_of("vendor_id", &request.vendor_id)?;
    let id = wire::id_of("payment_request_id", &request.payment_request_id)?;
    let payment = store::load(conn, &Scope::of(&call), id).await?;
    if payment.vendor != vendor {
        return Err(Fault::not_found("payment_request", id));
    }
    let book = store::book(conn, &[payment.id]).await?;
    Ok(GetPaymentResponse {
        payment_request: Some(view::payment(&call, &payment, &book)?),
    })
}

async fn list(desk: Desk, call: Call, request: ListPaymentsRequest) -> Result<ListPaymentsResponse, Fault> {
    let conn = desk.db.reader();
    let (vendor, contract) = (id_if("vendor_id", &request.vendor_id)?, id_if("contract_id", &request.contract_id)?);
    let page = Page::of(&call, &[&request.vendor_id, &request.contract_id], request.page_size, &request.page_token)?;
    let (payments, next_page_token) = store::list(conn, &Scope::of(&call), vendor, contract, &page).await?;
    let ids: Vec<_> = payments.iter().map(|p| p.id).collect();
    let book = store::book(conn, &ids).await?;
    Ok(ListPaymentsResponse {
        payment_requests: payments.iter().map(|p| view::payment(&call, p, &book)).collect::<Result<_, _>>()?,
        next_page_token,
    })
}

async fn retention(desk: Desk, call: Call, request: GetRetentionRequest) -> Result<GetRetentionResponse, Fault> {
    let conn = desk.db.reader();
    let contract = contract_of(&desk, &call, &request.vendor_id, &request.contract_id).await?;
    let mut paid = store::of_contract(conn, contract).await?;
    paid.retain(|p| p.state == State::Paid);
    let ids: Vec<_> = paid.iter().map(|p| p.id).collect();
    let made = store::book(conn, &ids).await?.adjustments;
    let retained = paid.iter().map(|p| p.amounts.retained).chain(made.iter().map(|a| a.retained));
    let claimed = paid.iter().map(|p| p.amounts.carried);
    Ok(view::retention((retained.fold(0, i64::saturating_add), claimed.fold(0, i64::saturating_add))))
}
