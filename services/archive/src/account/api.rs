use contracts::hearth::archive::v1::{
    CloseAccountRequest, CloseAccountResponse, GetAccountRequest, GetAccountResponse, ListAccountsRequest, ListAccountsResponse, OpenAccountRequest,
    OpenAccountResponse, PauseAccountRequest, PauseAccountResponse, ResumeAccountRequest, ResumeAccountResponse, StartClosingAccountRequest,
    StartClosingAccountResponse, SuspendAccountRequest, SuspendAccountResponse, account_service_server::AccountService,
};

use super::ops;
use crate::Desk;

/// The gRPC service of accounts.
pub struct Api(pub Desk);

rpc::service! {
    AccountService for Api(Desk) {
        write open_account(OpenAccountRequest) -> OpenAccountResponse = ops::open;
        write suspend_account(SuspendAccountRequest) -> SuspendAccountResponse = ops::suspend;
        write pause_account(PauseAccountRequest) -> PauseAccountResponse = ops::pause;
        write resume_account(ResumeAccountRequest) -> ResumeAccountResponse = ops::resume;
        write start_closing_account(StartClosingAccountRequest) -> StartClosingAccountResponse = ops::start_closing;
        write close_account(CloseAccountRequest) -> CloseAccountResponse = ops::close;
        read get_account(GetAccountRequest) -> GetAccountResponse = ops::get;
        read list_accounts(ListAccountsRequest) -> ListAccountsResponse = ops::list;
    }
}
