//! The ledger over gRPC.

use contracts::hearth::billing::v1::{GetBalanceRequest, GetBalanceResponse, VerifyLedgerRequest, VerifyLedgerResponse, ledger_service_server::LedgerService};
use database::Scope;
use rpc::{Call, Fault, wire};
use tonic::{Request, Response, Status};

use super::store;
use crate::{Desk, supply};

/// LedgerService.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl LedgerService for Api {
    async fn get_balance(&self, request: Request<GetBalanceRequest>) -> Result<Response<GetBalanceResponse>, Status> {
        rpc::read(&self.0, request, balance).await
    }

    async fn verify_ledger(&self, request: Request<VerifyLedgerRequest>) -> Result<Response<VerifyLedgerResponse>, Status> {
        rpc::read(&self.0, request, verify).await
    }
}

async fn balance(desk: Desk, call: Call, request: GetBalanceRequest) -> Result<GetBalanceResponse, Fault> {
    let account = supply::store::account(desk.db.reader(), &Scope::of(&call), wire::id_of("account_id", &request.account_id)?).await?;
    Ok(GetBalanceResponse {
        balance: Some(store::balance(desk.db.reader(), &account).await?),
    })
}

async fn verify(desk: Desk, _: Call, _: VerifyLedgerRequest) -> Result<VerifyLedgerResponse, Fault> {
    Ok(VerifyLedgerResponse {
        report: Some(store::verify(desk.db.reader()).await?),
    })
}
