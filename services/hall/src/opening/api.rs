use contracts::hearth::hall::v1::{opening_service_server::OpeningService, *};

use super::{field, ops, review};
use crate::Desk;

/// Serves `OpeningService`.
pub struct Api(pub Desk);

rpc::service! {
    OpeningService for Api(Desk) {
        write apply_for_opening(ApplyForOpeningRequest) -> ApplyForOpeningResponse = ops::apply;
        write approve_papers(ApprovePapersRequest) -> ApprovePapersResponse = ops::approve_papers;
        write record_safety_review(RecordSafetyReviewRequest) -> RecordSafetyReviewResponse = ops::record_safety_review;
        write sign_contract(SignContractRequest) -> SignContractResponse = ops::sign_contract;
        write settle_fees(SettleFeesRequest) -> SettleFeesResponse = ops::settle_fees;
        write accept_appliances(AcceptAppliancesRequest) -> AcceptAppliancesResponse = ops::accept_appliances;
        write record_presence(RecordPresenceRequest) -> RecordPresenceResponse = ops::record_presence;
        write pass_review(PassReviewRequest) -> PassReviewResponse = review::pass;
        write schedule_opening(ScheduleOpeningRequest) -> ScheduleOpeningResponse = ops::schedule;
        write arrive_for_opening(ArriveForOpeningRequest) -> ArriveForOpeningResponse = field::arrive;
        write pass_tightness(PassTightnessRequest) -> PassTightnessResponse = field::pass_tightness;
        write purge_line(PurgeLineRequest) -> PurgeLineResponse = field::purge;
        write ignite_appliances(IgniteAppliancesRequest) -> IgniteAppliancesResponse = field::ignite;
        write train_user(TrainUserRequest) -> TrainUserResponse = field::train_user;
        write sign_opening(SignOpeningRequest) -> SignOpeningResponse = field::sign;
        write refuse_unsafe(RefuseUnsafeRequest) -> RefuseUnsafeResponse = field::refuse_unsafe;
        write start_rectification(StartRectificationRequest) -> StartRectificationResponse = ops::start_rectification;
        write cancel_opening(CancelOpeningRequest) -> CancelOpeningResponse = ops::cancel;
        read get_opening(GetOpeningRequest) -> GetOpeningResponse = ops::get;
        read list_openings(ListOpeningsRequest) -> ListOpeningsResponse = ops::list;
    }
}
