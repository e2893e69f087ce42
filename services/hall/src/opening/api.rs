use contracts::hearth::hall::v1::{opening_service_server::OpeningService, *};
use tonic::{Request, Response, Status};

use super::{field, ops, review};
use crate::Desk;

/// Serves `OpeningService`.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl OpeningService for Api {
    async fn apply_for_opening(&self, request: Request<ApplyForOpeningRequest>) -> Result<Response<ApplyForOpeningResponse>, Status> {
        rpc::write(&self.0, request, ops::apply).await
    }
    async fn approve_papers(&self, request: Request<ApprovePapersRequest>) -> Result<Response<ApprovePapersResponse>, Status> {
        rpc::write(&self.0, request, ops::approve_papers).await
    }
    async fn record_safety_review(&self, request: Request<RecordSafetyReviewRequest>) -> Result<Response<RecordSafetyReviewResponse>, Status> {
        rpc::write(&self.0, request, ops::record_safety_review).await
    }
    async fn sign_contract(&self, request: Request<SignContractRequest>) -> Result<Response<SignContractResponse>, Status> {
        rpc::write(&self.0, request, ops::sign_contract).await
    }
    async fn settle_fees(&self, request: Request<SettleFeesRequest>) -> Result<Response<SettleFeesResponse>, Status> {
        rpc::write(&self.0, request, ops::settle_fees).await
    }
    async fn accept_appliances(&self, request: Request<AcceptAppliancesRequest>) -> Result<Response<AcceptAppliancesResponse>, Status> {
        rpc::write(&self.0, request, ops::accept_appliances).await
    }
    async fn record_presence(&self, request: Request<RecordPresenceRequest>) -> Result<Response<RecordPresenceResponse>, Status> {
        rpc::write(&self.0, request, ops::record_presence).await
    }
    async fn pass_review(&self, request: Request<PassReviewRequest>) -> Result<Response<PassReviewResponse>, Status> {
        rpc::write(&self.0, request, review::pass).await
    }
    async fn schedule_opening(&self, request: Request<ScheduleOpeningRequest>) -> Result<Response<ScheduleOpeningResponse>, Status> {
        rpc::write(&self.0, request, ops::schedule).await
    }
    async fn arrive_for_opening(&self, request: Request<ArriveForOpeningRequest>) -> Result<Response<ArriveForOpeningResponse>, Status> {
        rpc::write(&self.0, request, field::arrive).await
    }
    async fn pass_tightness(&self, request: Request<PassTightnessRequest>) -> Result<Response<PassTightnessResponse>, Status> {
        rpc::write(&self.0, request, field::pass_tightness).await
    }
    async fn purge_line(&self, request: Request<PurgeLineRequest>) -> Result<Response<PurgeLineResponse>, Status> {
        rpc::write(&self.0, request, field::purge).await
    }
    async fn ignite_appliances(&self, request: Request<IgniteAppliancesRequest>) -> Result<Response<IgniteAppliancesResponse>, Status> {
        rpc::write(&self.0, request, field::ignite).await
    }
    async fn train_user(&self, request: Request<TrainUserRequest>) -> Result<Response<TrainUserResponse>, Status> {
        rpc::write(&self.0, request, field::train_user).await
    }
    async fn sign_opening(&self, request: Request<SignOpeningRequest>) -> Result<Response<SignOpeningResponse>, Status> {
        rpc::write(&self.0, request, field::sign).await
    }
    async fn refuse_unsafe(&self, request: Request<RefuseUnsafeRequest>) -> Result<Response<RefuseUnsafeResponse>, Status> {
        rpc::write(&self.0, request, field::refuse_unsafe).await
    }
    async fn start_rectification(&self, request: Request<StartRectificationRequest>) -> Result<Response<StartRectificationResponse>, Status> {
        rpc::write(&self.0, request, ops::start_rectification).await
    }
    async fn cancel_opening(&self, request: Request<CancelOpeningRequest>) -> Result<Response<CancelOpeningResponse>, Status> {
        rpc::write(&self.0, request, ops::cancel).await
    }
    async fn get_opening(&self, request: Request<GetOpeningRequest>) -> Result<Response<GetOpeningResponse>, Status> {
        rpc::read(&self.0, request, ops::get).await
    }
    async fn list_openings(&self, request: Request<ListOpeningsRequest>) -> Result<Response<ListOpeningsResponse>, Status> {
        rpc::read(&self.0, request, ops::list).await
    }
}
