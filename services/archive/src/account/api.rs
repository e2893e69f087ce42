use contracts::hearth::archive::v1::{
    CloseAccountRequest, CloseAccountResponse, GetAccountRequest, GetAccountResponse, ListAccountsRequest, ListAccountsResponse, OpenAccountRequest,
    OpenAccountResponse, PauseAccountRequest, PauseAccountResponse, ResumeAccountRequest, ResumeAccountResponse, StartClosingAccountRequest,
    StartClosingAccountResponse, SuspendAccountRequest, SuspendAccountResponse, account_service_server::AccountService,
};
use tonic::{Request, Response, Status};

use super::ops;
use crate::Desk;

/// The gRPC service of accounts.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl AccountService for Api {
    async fn open_account(&self, request: Request<OpenAccountRequest>) -> Result<Response<OpenAccountResponse>, Status> {
        rpc::write(&self.0, request, ops::open).await
    }
    async fn suspend_account(&self, request: Request<SuspendAccountRequest>) -> Result<Response<SuspendAccountResponse>, Status> {
        rpc::write(&self.0, request, ops::suspend).await
    }
    async fn pause_account(&self, request: Request<PauseAccountRequest>) -> Result<Response<PauseAccountResponse>, Status> {
        rpc::write(&self.0, request, ops::pause).await
    }
    async fn resume_account(&self, request: Request<ResumeAccountRequest>) -> Result<Response<ResumeAccountResponse>, Status> {
        rpc::write(&self.0, request, ops::resume).await
    }
    async fn start_closing_account(&self, request: Request<StartClosingAccountRequest>) -> Result<Response<StartClosingAccountResponse>, Status> {
        rpc::write(&self.0, request, ops::start_closing).await
    }
    async fn close_account(&self, request: Request<CloseAccountRequest>) -> Result<Response<CloseAccountResponse>, Status> {
        rpc::write(&self.0, request, ops::close).await
    }
    async fn get_account(&self, request: Request<GetAccountRequest>) -> Result<Response<GetAccountResponse>, Status> {
        rpc::read(&self.0, request, ops::get).await
    }
    async fn list_accounts(&self, request: Request<ListAccountsRequest>) -> Result<Response<ListAccountsResponse>, Status> {
        rpc::read(&self.0, request, ops::list).await
    }
}
