use contracts::hearth::archive::v1::{
    ActivateAgreementRequest, ActivateAgreementResponse, AmendAgreementRequest, AmendAgreementResponse, CloseMissingContractRequest,
    CloseMissingContractResponse, EndAgreementRequest, EndAgreementResponse, GetAgreementRequest, GetAgreementResponse, ListAgreementsRequest,
    ListAgreementsResponse, ListMissingContractsRequest, ListMissingContractsResponse, SignAgreementRequest, SignAgreementResponse, VoidAgreementRequest,
    VoidAgreementResponse, agreement_service_server::AgreementService,
};

use super::{missing, ops};
use crate::Desk;

/// The gRPC service of agreements.
pub struct Api(pub Desk);

rpc::service! {
    AgreementService for Api(Desk) {
        write sign_agreement(SignAgreementRequest) -> SignAgreementResponse = ops::sign;
        write activate_agreement(ActivateAgreementRequest) -> ActivateAgreementResponse = ops::activate;
        write amend_agreement(AmendAgreementRequest) -> AmendAgreementResponse = ops::amend;
        write end_agreement(EndAgreementRequest) -> EndAgreementResponse = ops::end;
        write void_agreement(VoidAgreementRequest) -> VoidAgreementResponse = ops::void;
        read get_agreement(GetAgreementRequest) -> GetAgreementResponse = ops::get;
        read list_agreements(ListAgreementsRequest) -> ListAgreementsResponse = ops::list;
        read list_missing_contracts(ListMissingContractsRequest) -> ListMissingContractsResponse = missing::list;
        write close_missing_contract(CloseMissingContractRequest) -> CloseMissingContractResponse = missing::close;
    }
}
