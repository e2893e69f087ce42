use contracts::hearth::archive::v1::{
    GrantHouseholdSizeRequest, GrantHouseholdSizeResponse, GrantLowIncomeRequest, GrantLowIncomeResponse, ListEntitlementsRequest, ListEntitlementsResponse,
    WithdrawEntitlementRequest, WithdrawEntitlementResponse, entitlement_service_server::EntitlementService,
};
use tonic::{Request, Response, Status};

use super::ops;
use crate::Desk;

/// The gRPC service of entitlements.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl EntitlementService for Api {
    async fn grant_household_size(&self, request: Request<GrantHouseholdSizeRequest>) -> Result<Response<GrantHouseholdSizeResponse>, Status> {
        rpc::write(&self.0, request, ops::grant_household_size).await
    }
    async fn grant_low_income(&self, request: Request<GrantLowIncomeRequest>) -> Result<Response<GrantLowIncomeResponse>, Status> {
        rpc::write(&self.0, request, ops::grant_low_income).await
    }
    async fn withdraw_entitlement(&self, request: Request<WithdrawEntitlementRequest>) -> Result<Response<WithdrawEntitlementResponse>, Status> {
        rpc::write(&self.0, request, ops::withdraw).await
    }
    async fn list_entitlements(&self, request: Request<ListEntitlementsRequest>) -> Result<Response<ListEntitlementsResponse>, Status> {
        rpc::read(&self.0, request, ops::list).await
    }
}
