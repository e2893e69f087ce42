//! The ledger over gRPC.

use contracts::hearth::billing::v1::{
    GetBalanceRequest, GetBalanceResponse, ListTransactionsRequest, ListTransactionsResponse, VerifyLedgerRequest, VerifyLedgerResponse,
    ledger_service_server::LedgerService,
};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};

use super::store;
use crate::{Desk, supply};

/// LedgerService.
pub struct Api(pub Desk);

rpc::service! {
    LedgerService for Api(Desk) {
        read get_balance(GetBalanceRequest) -> GetBalanceResponse = balance;
        read verify_ledger(VerifyLedgerRequest) -> VerifyLedgerResponse = verify;
        read list_transactions(ListTransactionsRequest) -> ListTransactionsResponse = list;
    }
}

async fn balance(desk: Desk, call: Call, request: GetBalanceRequest) -> Result<GetBalanceResponse, Fault> {
    let account = supply::store::account(desk.db.reader(), &Scope::of(&call), wire::id_of("account_id", &request.account_id)?).await?;
    Ok(GetBalanceResponse {
        balance: Some(store::balance(desk.db.reader(), &account, desk.clock.now().date()).await?),
    })
}

async fn verify(desk: Desk, _: Call, _: VerifyLedgerRequest) -> Result<VerifyLedgerResponse, Fault> {
    Ok(VerifyLedgerResponse {
        report: Some(store::verify(desk.db.reader()).await?),
    })
}

async fn list(desk: Desk, call: Call, request: ListTransactionsRequest) -> Result<ListTransactionsResponse, Fault> {
    let filter = format!(
        "{:?}",
        ListTransactionsRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        }
    );
    let page = Page::of(&call, &[&filter], request.page_size, &request.page_token)?;
    let (transactions, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page, &request).await?;
    Ok(ListTransactionsResponse { transactions, next_page_token })
}
