use contracts::hearth::archive::v1::{
    GrantFlatPriceRequest, GrantFlatPriceResponse, GrantHouseholdSizeRequest, GrantHouseholdSizeResponse, GrantLowIncomeRequest, GrantLowIncomeResponse,
    ListEntitlementsRequest, ListEntitlementsResponse, WithdrawEntitlementRequest, WithdrawEntitlementResponse, entitlement_service_server::EntitlementService,
};

use super::ops;
use crate::Desk;

/// The gRPC service of entitlements.
pub struct Api(pub Desk);

rpc::service! {
    EntitlementService for Api(Desk) {
        write grant_household_size(GrantHouseholdSizeRequest) -> GrantHouseholdSizeResponse = ops::grant_household_size;
        write grant_low_income(GrantLowIncomeRequest) -> GrantLowIncomeResponse = ops::grant_low_income;
        write grant_flat_price(GrantFlatPriceRequest) -> GrantFlatPriceResponse = ops::grant_flat_price;
        write withdraw_entitlement(WithdrawEntitlementRequest) -> WithdrawEntitlementResponse = ops::withdraw;
        read list_entitlements(ListEntitlementsRequest) -> ListEntitlementsResponse = ops::list;
    }
}
