//! The gRPC service of tenders.

use contracts::hearth::vendor::v1::{tender_service_server::TenderService, *};
use rpc::{Call, Fault, page::Page, wire};

use super::{ops, store, wire::tender as view};
use crate::Desk;

/// Serves `hearth.vendor.v1.TenderService`.
pub struct Api(pub Desk);

rpc::service! {
    TenderService for Api(Desk) {
        write open_tender(OpenTenderRequest) -> OpenTenderResponse = ops::open;
        write submit_quote(SubmitQuoteRequest) -> SubmitQuoteResponse = ops::quote;
        write withdraw_quote(WithdrawQuoteRequest) -> WithdrawQuoteResponse = ops::withdraw;
        write review_quote(ReviewQuoteRequest) -> ReviewQuoteResponse = ops::review;
        write evaluate_tender(EvaluateTenderRequest) -> EvaluateTenderResponse = ops::award;
        write cancel_tender(CancelTenderRequest) -> CancelTenderResponse = ops::cancel;
        read get_tender(GetTenderRequest) -> GetTenderResponse = get;
        read list_tenders(ListTendersRequest) -> ListTendersResponse = list;
    }
}

async fn get(desk: Desk, call: Call, request: GetTenderRequest) -> Result<GetTenderResponse, Fault> {
    let conn = desk.db.reader();
    let tender = store::load(conn, &ops::branches(&call), wire::id_of("tender_id", &request.tender_id)?).await?;
    let quotes = store::quotes(conn, &ops::own(&call), &[tender.id]).await?;
    Ok(GetTenderResponse {
        tender: Some(view(&call, &tender, &quotes, desk.clock.now())),
    })
}

async fn list(desk: Desk, call: Call, request: ListTendersRequest) -> Result<ListTendersResponse, Fault> {
    let conn = desk.db.reader();
    // Whether a VIP was preferred is part of the outcome, which vendors do not see.
    let preferred = request.preference_applied && call.vendor().is_none();
    let filters = [request.vendor_id.as_str(), if preferred { "preferred" } else { "" }];
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let (tenders, next_page_token) = store::list(conn, &ops::branches(&call), preferred, &page).await?;
    let ids: Vec<_> = tenders.iter().map(|tender| tender.id).collect();
    let quotes = store::quotes(conn, &ops::own(&call), &ids).await?;
    let now = desk.clock.now();
    Ok(ListTendersResponse {
        tenders: tenders.iter().map(|tender| view(&call, tender, &quotes, now)).collect(),
        next_page_token,
    })
}
