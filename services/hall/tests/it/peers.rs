//! The generated traits of the peers, in front of [`World`]; what the hall does not call is refused.

use contracts::hearth::{
    archive::v1::{
        self as archive, account_service_server::AccountService, agreement_service_server::AgreementService, premises_service_server::PremisesService,
        standing_service_server::StandingService,
    },
    billing::v1::{self as billing, meter_service_server::MeterService},
    vendor::v1::{self as vendor, person_service_server::PersonService},
};
use tonic::{Request, Response, Status, Streaming};

use crate::world::World;

/// Archive, billing and vendor as far as the hall calls them.
#[derive(Clone)]
pub struct Peer(pub World);

fn not_called<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("the hall does not call this"))
}

#[tonic::async_trait]
impl AccountService for Peer {
    async fn open_account(&self, _: Request<archive::OpenAccountRequest>) -> Result<Response<archive::OpenAccountResponse>, Status> {
        not_called()
    }
    async fn suspend_account(&self, _: Request<archive::SuspendAccountRequest>) -> Result<Response<archive::SuspendAccountResponse>, Status> {
        not_called()
    }
    async fn pause_account(&self, _: Request<archive::PauseAccountRequest>) -> Result<Response<archive::PauseAccountResponse>, Status> {
        not_called()
    }
    async fn resume_account(&self, _: Request<archive::ResumeAccountRequest>) -> Result<Response<archive::ResumeAccountResponse>, Status> {
        not_called()
    }
    async fn start_closing_account(&self, _: Request<archive::StartClosingAccountRequest>) -> Result<Response<archive::StartClosingAccountResponse>, Status> {
        not_called()
    }
    async fn close_account(&self, _: Request<archive::CloseAccountRequest>) -> Result<Response<archive::CloseAccountResponse>, Status> {
        not_called()
    }
    async fn get_account(&self, request: Request<archive::GetAccountRequest>) -> Result<Response<archive::GetAccountResponse>, Status> {
        self.0.get_account(&request.into_inner()).map(Response::new)
    }
    async fn list_accounts(&self, _: Request<archive::ListAccountsRequest>) -> Result<Response<archive::ListAccountsResponse>, Status> {
        not_called()
    }
}

#[tonic::async_trait]
impl PremisesService for Peer {
    async fn register_premises(&self, _: Request<archive::RegisterPremisesRequest>) -> Result<Response<archive::RegisterPremisesResponse>, Status> {
        not_called()
    }
    async fn add_service_point(&self, _: Request<archive::AddServicePointRequest>) -> Result<Response<archive::AddServicePointResponse>, Status> {
        not_called()
    }
    async fn get_premises(&self, request: Request<archive::GetPremisesRequest>) -> Result<Response<archive::GetPremisesResponse>, Status> {
        self.0.get_premises(&request.into_inner()).map(Response::new)
    }
    async fn list_premises(&self, _: Request<archive::ListPremisesRequest>) -> Result<Response<archive::ListPremisesResponse>, Status> {
        not_called()
    }
}

#[tonic::async_trait]
impl StandingService for Peer {
    async fn check_standing(&self, _: Request<archive::CheckStandingRequest>) -> Result<Response<archive::CheckStandingResponse>, Status> {
        self.0.check_standing().map(Response::new)
    }
}

#[tonic::async_trait]
impl AgreementService for Peer {
    async fn sign_agreement(&self, request: Request<archive::SignAgreementRequest>) -> Result<Response<archive::SignAgreementResponse>, Status> {
        self.0.sign_agreement(request.into_inner()).await.map(Response::new)
    }
    async fn activate_agreement(&self, request: Request<archive::ActivateAgreementRequest>) -> Result<Response<archive::ActivateAgreementResponse>, Status> {
        self.0.activate_agreement(request.into_inner()).await.map(Response::new)
    }
    async fn amend_agreement(&self, _: Request<archive::AmendAgreementRequest>) -> Result<Response<archive::AmendAgreementResponse>, Status> {
        not_called()
    }
    async fn end_agreement(&self, _: Request<archive::EndAgreementRequest>) -> Result<Response<archive::EndAgreementResponse>, Status> {
        not_called()
    }
    async fn void_agreement(&self, request: Request<archive::VoidAgreementRequest>) -> Result<Response<archive::VoidAgreementResponse>, Status> {
        self.0.void_agreement(request.into_inner()).await.map(Response::new)
    }
    async fn get_agreement(&self, request: Request<archive::GetAgreementRequest>) -> Result<Response<archive::GetAgreementResponse>, Status> {
        self.0.get_agreement(&request.into_inner()).map(Response::new)
    }
    async fn list_agreements(&self, _: Request<archive::ListAgreementsRequest>) -> Result<Response<archive::ListAgreementsResponse>, Status> {
        not_called()
    }
    async fn list_missing_contracts(
        &self,
        _: Request<archive::ListMissingContractsRequest>,
    ) -> Result<Response<archive::ListMissingContractsResponse>, Status> {
        not_called()
    }
    async fn close_missing_contract(
        &self,
        _: Request<archive::CloseMissingContractRequest>,
    ) -> Result<Response<archive::CloseMissingContractResponse>, Status> {
        not_called()
    }
}

#[tonic::async_trait]
impl MeterService for Peer {
    async fn register_meter(&self, _: Request<billing::RegisterMeterRequest>) -> Result<Response<billing::RegisterMeterResponse>, Status> {
        not_called()
    }
    async fn get_meter(&self, _: Request<billing::GetMeterRequest>) -> Result<Response<billing::GetMeterResponse>, Status> {
        not_called()
    }
    async fn get_meter_by_number(&self, request: Request<billing::GetMeterByNumberRequest>) -> Result<Response<billing::GetMeterByNumberResponse>, Status> {
        self.0.get_meter(&request.into_inner()).map(Response::new)
    }
    async fn install_meter(&self, request: Request<billing::InstallMeterRequest>) -> Result<Response<billing::InstallMeterResponse>, Status> {
        self.0.install_meter(request.into_inner()).await.map(Response::new)
    }
    async fn remove_installation(&self, request: Request<billing::RemoveInstallationRequest>) -> Result<Response<billing::RemoveInstallationResponse>, Status> {
        self.0.remove_installation(request.into_inner()).await.map(Response::new)
    }
    async fn list_installations(&self, _: Request<billing::ListInstallationsRequest>) -> Result<Response<billing::ListInstallationsResponse>, Status> {
        not_called()
    }
    async fn exchange_meter(&self, _: Request<billing::ExchangeMeterRequest>) -> Result<Response<billing::ExchangeMeterResponse>, Status> {
        not_called()
    }
    async fn verify_meter(&self, _: Request<billing::VerifyMeterRequest>) -> Result<Response<billing::VerifyMeterResponse>, Status> {
        not_called()
    }
    async fn seal_meter(&self, _: Request<billing::SealMeterRequest>) -> Result<Response<billing::SealMeterResponse>, Status> {
        not_called()
    }
    async fn inspect_seal(&self, _: Request<billing::InspectSealRequest>) -> Result<Response<billing::InspectSealResponse>, Status> {
        not_called()
    }
    async fn set_conversion(&self, _: Request<billing::SetConversionRequest>) -> Result<Response<billing::SetConversionResponse>, Status> {
        not_called()
    }
    async fn list_conversions(&self, _: Request<billing::ListConversionsRequest>) -> Result<Response<billing::ListConversionsResponse>, Status> {
        not_called()
    }
    async fn list_seals(&self, _: Request<billing::ListSealsRequest>) -> Result<Response<billing::ListSealsResponse>, Status> {
        not_called()
    }
    type ImportMetersStream = futures::stream::Empty<Result<billing::ImportMetersResponse, Status>>;
    async fn import_meters(&self, _: Request<Streaming<billing::ImportMetersRequest>>) -> Result<Response<Self::ImportMetersStream>, Status> {
        not_called()
    }
}

#[tonic::async_trait]
impl PersonService for Peer {
    async fn register_person(&self, _: Request<vendor::RegisterPersonRequest>) -> Result<Response<vendor::RegisterPersonResponse>, Status> {
        not_called()
    }
    async fn approve_key_staff(&self, _: Request<vendor::ApproveKeyStaffRequest>) -> Result<Response<vendor::ApproveKeyStaffResponse>, Status> {
        not_called()
    }
    async fn record_confidentiality(
        &self,
        _: Request<vendor::RecordConfidentialityRequest>,
    ) -> Result<Response<vendor::RecordConfidentialityResponse>, Status> {
        not_called()
    }
    async fn record_training(&self, _: Request<vendor::RecordTrainingRequest>) -> Result<Response<vendor::RecordTrainingResponse>, Status> {
        not_called()
    }
    async fn record_certificate(&self, _: Request<vendor::RecordCertificateRequest>) -> Result<Response<vendor::RecordCertificateResponse>, Status> {
        not_called()
    }
    async fn revoke_certificate(&self, _: Request<vendor::RevokeCertificateRequest>) -> Result<Response<vendor::RevokeCertificateResponse>, Status> {
        not_called()
    }
    async fn grant_access(&self, _: Request<vendor::GrantAccessRequest>) -> Result<Response<vendor::GrantAccessResponse>, Status> {
        not_called()
    }
    async fn revoke_access(&self, _: Request<vendor::RevokeAccessRequest>) -> Result<Response<vendor::RevokeAccessResponse>, Status> {
        not_called()
    }
    async fn end_person(&self, _: Request<vendor::EndPersonRequest>) -> Result<Response<vendor::EndPersonResponse>, Status> {
        not_called()
    }
    async fn get_person(&self, _: Request<vendor::GetPersonRequest>) -> Result<Response<vendor::GetPersonResponse>, Status> {
        not_called()
    }
    async fn list_persons(&self, _: Request<vendor::ListPersonsRequest>) -> Result<Response<vendor::ListPersonsResponse>, Status> {
        not_called()
    }
    async fn reveal_person(&self, _: Request<vendor::RevealPersonRequest>) -> Result<Response<vendor::RevealPersonResponse>, Status> {
        not_called()
    }
    async fn check_certified(&self, request: Request<vendor::CheckCertifiedRequest>) -> Result<Response<vendor::CheckCertifiedResponse>, Status> {
        self.0.check_certified(&request.into_inner()).map(Response::new)
    }
}
