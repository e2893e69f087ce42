use contracts::hearth::archive::v1::{
    ApproveCreditLineRequest, ApproveCreditLineResponse, ApproveRatingRequest, ApproveRatingResponse, CancelCreditLineRequest, CancelCreditLineResponse,
    DecideCreditHoldRequest, DecideCreditHoldResponse, DesignateKeyAccountRequest, DesignateKeyAccountResponse, FreezeCreditLineRequest,
    FreezeCreditLineResponse, GetCreditModelRequest, GetCreditModelResponse, GetExposureRequest, GetExposureResponse, GetRatingRequest, GetRatingResponse,
    GrantRatingExceptionRequest, GrantRatingExceptionResponse, ListCreditHoldsRequest, ListCreditHoldsResponse, ListCreditLinesRequest,
    ListCreditLinesResponse, ListGuaranteesRequest, ListGuaranteesResponse, ListKeyAccountsRequest, ListKeyAccountsResponse, ListRatingsRequest,
    ListRatingsResponse, OpenRatingRequest, OpenRatingResponse, ProposeCreditLineRequest, ProposeCreditLineResponse, PublishCreditModelRequest,
    PublishCreditModelResponse, RebuildExposureRequest, RebuildExposureResponse, RegisterGuaranteeRequest, RegisterGuaranteeResponse, ReleaseGuaranteeRequest,
    ReleaseGuaranteeResponse, ReturnRatingRequest, ReturnRatingResponse, ReviewRatingRequest, ReviewRatingResponse, ScoreRatingRequest, ScoreRatingResponse,
    UnfreezeCreditLineRequest, UnfreezeCreditLineResponse, WithdrawKeyAccountRequest, WithdrawKeyAccountResponse, credit_service_server::CreditService,
};

use super::{accounts, exposure, lines, rating};
use crate::Desk;

/// The gRPC service of credit.
pub struct Api(pub Desk);

rpc::service! {
    CreditService for Api(Desk) {
        write designate_key_account(DesignateKeyAccountRequest) -> DesignateKeyAccountResponse = accounts::designate;
        write withdraw_key_account(WithdrawKeyAccountRequest) -> WithdrawKeyAccountResponse = accounts::withdraw;
        read list_key_accounts(ListKeyAccountsRequest) -> ListKeyAccountsResponse = accounts::list;
        write publish_credit_model(PublishCreditModelRequest) -> PublishCreditModelResponse = rating::publish;
        read get_credit_model(GetCreditModelRequest) -> GetCreditModelResponse = rating::get_model;
        write open_rating(OpenRatingRequest) -> OpenRatingResponse = rating::open;
        write score_rating(ScoreRatingRequest) -> ScoreRatingResponse = rating::score;
        write review_rating(ReviewRatingRequest) -> ReviewRatingResponse = rating::review;
        write return_rating(ReturnRatingRequest) -> ReturnRatingResponse = rating::send_back;
        write grant_rating_exception(GrantRatingExceptionRequest) -> GrantRatingExceptionResponse = rating::except;
        write approve_rating(ApproveRatingRequest) -> ApproveRatingResponse = rating::approve;
        read get_rating(GetRatingRequest) -> GetRatingResponse = rating::get;
        read list_ratings(ListRatingsRequest) -> ListRatingsResponse = rating::list;
        write propose_credit_line(ProposeCreditLineRequest) -> ProposeCreditLineResponse = lines::propose;
        write approve_credit_line(ApproveCreditLineRequest) -> ApproveCreditLineResponse = lines::approve;
        write freeze_credit_line(FreezeCreditLineRequest) -> FreezeCreditLineResponse = lines::freeze;
        write unfreeze_credit_line(UnfreezeCreditLineRequest) -> UnfreezeCreditLineResponse = lines::unfreeze;
        write cancel_credit_line(CancelCreditLineRequest) -> CancelCreditLineResponse = lines::cancel;
        read list_credit_lines(ListCreditLinesRequest) -> ListCreditLinesResponse = lines::list;
        write register_guarantee(RegisterGuaranteeRequest) -> RegisterGuaranteeResponse = exposure::register_guarantee;
        write release_guarantee(ReleaseGuaranteeRequest) -> ReleaseGuaranteeResponse = exposure::release_guarantee;
        read list_guarantees(ListGuaranteesRequest) -> ListGuaranteesResponse = exposure::list_guarantees;
        read get_exposure(GetExposureRequest) -> GetExposureResponse = exposure::get;
        write rebuild_exposure(RebuildExposureRequest) -> RebuildExposureResponse = exposure::rebuild;
        read list_credit_holds(ListCreditHoldsRequest) -> ListCreditHoldsResponse = exposure::list_holds;
        write decide_credit_hold(DecideCreditHoldRequest) -> DecideCreditHoldResponse = exposure::decide_hold;
    }
}
