//! The gRPC service of persons.

use contracts::hearth::vendor::v1::{
    ApproveKeyStaffRequest, ApproveKeyStaffResponse, CheckCertifiedRequest, CheckCertifiedResponse, EndPersonRequest, EndPersonResponse, GetPersonRequest,
    GetPersonResponse, GrantAccessRequest, GrantAccessResponse, ListPersonsRequest, ListPersonsResponse, RecordCertificateRequest, RecordCertificateResponse,
    RecordConfidentialityRequest, RecordConfidentialityResponse, RecordTrainingRequest, RecordTrainingResponse, RegisterPersonRequest, RegisterPersonResponse,
    RevealPersonRequest, RevealPersonResponse, RevokeAccessRequest, RevokeAccessResponse, RevokeCertificateRequest, RevokeCertificateResponse,
    check_certified_response::Reason, person_service_server::PersonService,
};
use ids::PersonId;
use rpc::{Call, Fault, page::Page, wire};

use super::{
    ops, store,
    wire::{certificate_kind_of, person as view},
};
use crate::{Desk, refusal::Refusal, vendor};

/// Serves `hearth.vendor.v1.PersonService`.
pub struct Api(pub Desk);

rpc::service! {
    PersonService for Api(Desk) {
        write register_person(RegisterPersonRequest) -> RegisterPersonResponse = ops::register;
        write approve_key_staff(ApproveKeyStaffRequest) -> ApproveKeyStaffResponse = ops::approve_key_staff;
        write record_confidentiality(RecordConfidentialityRequest) -> RecordConfidentialityResponse = ops::record_confidentiality;
        write record_training(RecordTrainingRequest) -> RecordTrainingResponse = ops::record_training;
        write record_certificate(RecordCertificateRequest) -> RecordCertificateResponse = ops::record_certificate;
        write revoke_certificate(RevokeCertificateRequest) -> RevokeCertificateResponse = ops::revoke_certificate;
        write grant_access(GrantAccessRequest) -> GrantAccessResponse = ops::grant_access;
        write revoke_access(RevokeAccessRequest) -> RevokeAccessResponse = ops::revoke_access;
        write end_person(EndPersonRequest) -> EndPersonResponse = ops::end;
        read get_person(GetPersonRequest) -> GetPersonResponse = get;
        read list_persons(ListPersonsRequest) -> ListPersonsResponse = list;
        write reveal_person(RevealPersonRequest) -> RevealPersonResponse = ops::reveal;
        read check_certified(CheckCertifiedRequest) -> CheckCertifiedResponse = check_certified;
    }
}

async fn get(desk: Desk, call: Call, request: GetPersonRequest) -> Result<GetPersonResponse, Fault> {
    let conn = desk.db.reader();
    let (vendor, id) = (wire::id_of("vendor_id", &request.vendor_id)?, wire::id_of("person_id", &request.person_id)?);
    let person = store::load_of(conn, &vendor::store::scope(&call), vendor, id).await?;
    let clear = store::open(conn, &desk.vault, &[person.id]).await?.pop().unwrap_or_default();
    Ok(GetPersonResponse {
        person: Some(view(&person, &clear)),
    })
}

async fn list(desk: Desk, call: Call, request: ListPersonsRequest) -> Result<ListPersonsResponse, Fault> {
    let conn = desk.db.reader();
    let vendor = wire::id_of("vendor_id", &request.vendor_id)?;
    let with_ended = if request.with_ended { "with ended" } else { "" };
    let page = Page::of(&call, &[&request.vendor_id, with_ended], request.page_size, &request.page_token)?;
    let (persons, next_page_token) = store::list(conn, &vendor::store::scope(&call), vendor, request.with_ended, &page).await?;
    let ids: Vec<_> = persons.iter().map(|person| person.id).collect();
    let clear = store::open(conn, &desk.vault, &ids).await?;
    Ok(ListPersonsResponse {
        persons: persons.iter().zip(&clear).map(|(person, clear)| view(person, clear)).collect(),
        next_page_token,
    })
}

async fn check_certified(desk: Desk, call: Call, request: CheckCertifiedRequest) -> Result<CheckCertifiedResponse, Fault> {
    let conn = desk.db.reader();
    let scope = vendor::store::scope(&call);
    let id: PersonId = wire::id_of("person_id", &request.person_id)?;
    let kind = certificate_kind_of(request.certificate_kind, "certificate_kind")?;
    let day = wire::date_of(request.on_date.as_ref(), "on_date")?;
    let person = store::load(conn, &scope, id).await?;
    let vendor = vendor::store::load(conn, &scope, person.vendor).await?;
    let (reason, certificate_id) = match person.certified(vendor.state, kind, day) {
        Ok(certificate) => (Reason::Certified, certificate.id.to_string()),
        Err(refusal) => (reason(refusal)?, String::new()),
    };
    Ok(CheckCertifiedResponse {
        certified: reason == Reason::Certified,
        reason: reason.into(),
        vendor_id: vendor.id.to_string(),
        certificate_id,
    })
}

fn reason(refusal: Refusal) -> Result<Reason, Fault> {
    Ok(match refusal {
        Refusal::PersonEnded => Reason::PersonEnded,
        Refusal::KeyStaffNotApproved => Reason::KeyStaffNotApproved,
        Refusal::VendorNotAdmitted => Reason::VendorNotAdmitted,
        Refusal::CertificateMissing => Reason::CertificateMissing,
        Refusal::CertificateNotValid => Reason::CertificateNotValid,
        Refusal::TrainingMissing => Reason::TrainingMissing,
        other => return Err(other.into()),
    })
}
