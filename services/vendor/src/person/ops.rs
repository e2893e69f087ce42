//! The writes of persons, one transaction each.

use contracts::hearth::vendor::v1::{
    self as proto, ApproveKeyStaffRequest, ApproveKeyStaffResponse, EndPersonRequest, EndPersonResponse, GrantAccessRequest, GrantAccessResponse,
    RecordCertificateRequest, RecordCertificateResponse, RecordConfidentialityRequest, RecordConfidentialityResponse, RecordTrainingRequest,
    RecordTrainingResponse, RegisterPersonRequest, RegisterPersonResponse, RevealPersonRequest, RevealPersonResponse, RevokeAccessRequest,
    RevokeAccessResponse, RevokeCertificateRequest, RevokeCertificateResponse, VendorAccessRevoked, VendorPersonCertified,
};
use database::{Begun, Scope, Write};
use ids::{CertificateId, GrantId, IdNumber, PersonId, Phone, VendorId};
use rpc::{Call, Fault, wire};

use super::{
    model::{Certificate, Grant, Person, State, Training, gap, grant_until, happened},
    store,
    wire::{certificate_kind_of, person as view, training_kind_of},
};
use crate::{Desk, refusal::Refusal, vendor};

/// Registers a person. The lock of the vendor keeps two from replacing the same one (F-10).
pub async fn register(desk: Desk, call: Call, request: RegisterPersonRequest) -> Result<RegisterPersonResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id_number = IdNumber::parse(&request.id_number).map_err(|_| Fault::from(Refusal::IdNumberInvalid).field("id_number"))?;
    let phone = Phone::parse(&request.phone).map_err(|_| Fault::from(Refusal::PhoneInvalid).field("phone"))?;
    let vendor = vendor::store::lock(&write, &vendor::store::scope(&call), wire::id_of("vendor_id", &request.vendor_id)?).await?;
    vendor.open_for_business()?;
    let replaces = if request.key_staff {
        gap(&store::key_staff(&write, vendor.id).await?)
    } else {
        None
    };
    let person = Person {
        id: PersonId::new(),
        vendor: vendor.id,
        name: request.name,
        field_work: request.field_work,
        key_staff: request.key_staff,
        replaces,
        state: if replaces.is_some() { State::AwaitingApproval } else { State::Active },
        registrar: call.subject().to_owned(),
        approver: None,
        approval_opinion: String::new(),
        confidentiality: None,
        confidentiality_document: String::new(),
        end_reason: String::new(),
        ended: None,
        version: 1,
        created: write.now(),
        trainings: vec![],
        certificates: vec![],
        grants: vec![],
    };
    store::insert(&write, &desk.vault, &person, id_number.as_str(), phone.as_str()).await?;
    write.subject(person.id);
    let person = seen(&desk, &write, &person).await?;
    write.commit(RegisterPersonResponse { person }).await
}

/// Decides on a replacement of key staff (F-10).
pub async fn approve_key_staff(desk: Desk, call: Call, request: ApproveKeyStaffRequest) -> Result<ApproveKeyStaffResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut person = locked(&write, &call, &request.vendor_id, &request.person_id, &request.etag).await?;
    person
        .decide(request.approved, call.subject(), request.opinion)
        .map_err(|refusal| match refusal {
            Refusal::OpinionMissing => Fault::from(refusal).field("opinion"),
            other => other.into(),
        })?;
    store::save(&write, &mut person).await?;
    write.subject(person.id);
    let person = seen(&desk, &write, &person).await?;
    write.commit(ApproveKeyStaffResponse { person }).await
}

/// Records a signed confidentiality agreement.
pub async fn record_confidentiality(desk: Desk, call: Call, request: RecordConfidentialityRequest) -> Result<RecordConfidentialityResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let signed = happened(wire::date_of(request.signed_date.as_ref(), "signed_date")?, write.now().date())?;
    let mut person = locked(&write, &call, &request.vendor_id, &request.person_id, &request.etag).await?;
    person.writable()?;
    (person.confidentiality, person.confidentiality_document) = (Some(signed), request.document);
    store::save(&write, &mut person).await?;
    write.subject(person.id);
    let person = seen(&desk, &write, &person).await?;
    write.commit(RecordConfidentialityResponse { person }).await
}

/// Records a training that was passed.
pub async fn record_training(desk: Desk, call: Call, request: RecordTrainingRequest) -> Result<RecordTrainingResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let passed = happened(wire::date_of(request.passed_date.as_ref(), "passed_date")?, write.now().date())?;
    let training = Training {
        kind: training_kind_of(request.kind)?,
        passed,
        authority: request.authority,
    };
    let mut person = locked(&write, &call, &request.vendor_id, &request.person_id, &request.etag).await?;
    person.writable()?;
    store::insert_training(&write, person.id, &training).await?;
    person.trainings.push(training);
    store::save(&write, &mut person).await?;
    write.subject(person.id);
    let person = seen(&desk, &write, &person).await?;
    write.commit(RecordTrainingResponse { person }).await
}

/// Records a certificate.
pub async fn record_certificate(desk: Desk, call: Call, request: RecordCertificateRequest) -> Result<RecordCertificateResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let certificate = Certificate {
        id: CertificateId::new(),
        kind: certificate_kind_of(request.kind, "kind")?,
        number: request.number,
        issuing_body: request.issuing_body,
        issued: wire::date_of(request.issued_date.as_ref(), "issued_date")?,
        valid_to: wire::date_of(request.valid_to_date.as_ref(), "valid_to_date")?,
        revoked: None,
        revoke_reason: String::new(),
    };
    if certificate.valid_to < certificate.issued {
        return Err(Fault::from(Refusal::TermOrder).field("valid_to_date"));
    }
    let mut person = locked(&write, &call, &request.vendor_id, &request.person_id, &request.etag).await?;
    person.writable()?;
    store::insert_certificate(&write, person.id, &certificate).await?;
    let event = VendorPersonCertified {
        vendor_id: person.vendor.to_string(),
        person_id: person.id.to_string(),
        certificate_id: certificate.id.to_string(),
        certificate_kind: certificate.kind.number(),
        issued_date: Some(wire::date(certificate.issued)),
        valid_to_date: Some(wire::date(certificate.valid_to)),
    };
    let certificate_id = certificate.id.to_string();
    person.certificates.push(certificate);
    store::save(&write, &mut person).await?;
    write.subject(person.id);
    write.event(person.id, &event);
    let person = seen(&desk, &write, &person).await?;
    write.commit(RecordCertificateResponse { person, certificate_id }).await
}

/// Takes a certificate back from today on.
pub async fn revoke_certificate(desk: Desk, call: Call, request: RevokeCertificateRequest) -> Result<RevokeCertificateResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let today = write.now().date();
    let mut person = locked(&write, &call, &request.vendor_id, &request.person_id, &request.etag).await?;
    let id: CertificateId = wire::id_of("certificate_id", &request.certificate_id)?;
    let certificate = person
        .certificates
        .iter_mut()
        .find(|c| c.id == id)
        .ok_or_else(|| Fault::not_found("certificate", id))?;
    certificate.revoke(today, &request.reason)?;
    store::revoke_certificate(&write, id, today, &request.reason).await?;
    store::save(&write, &mut person).await?;
    write.subject(person.id);
    let person = seen(&desk, &write, &person).await?;
    write.commit(RevokeCertificateResponse { person }).await
}

/// Grants access (F-10, F-11).
pub async fn grant_access(desk: Desk, call: Call, request: GrantAccessRequest) -> Result<GrantAccessResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let today = write.now().date();
    let until = grant_until(wire::date_if(request.until_date.as_ref(), "until_date")?, today)?;
    // The vendor first: no grant slips past a vendor that is being listed or sent away.
    let vendor = vendor::store::lock(&write, &vendor::store::scope(&call), wire::id_of("vendor_id", &request.vendor_id)?).await?;
    let mut person = locked(&write, &call, &request.vendor_id, &request.person_id, &request.etag).await?;
    person.may_have_access(vendor.state, today)?;
    let grant = Grant {
        id: GrantId::new(),
        purpose: request.purpose,
        systems: request.systems,
        until,
        revoked: None,
        revoke_reason: String::new(),
    };
    store::insert_grant(&write, &person, &grant, call.subject(), write.now()).await?;
    let grant_id = grant.id.to_string();
    person.grants.push(grant);
    store::save(&write, &mut person).await?;
    write.subject(person.id);
    let person = seen(&desk, &write, &person).await?;
    write.commit(GrantAccessResponse { person, grant_id }).await
}

/// Revokes a grant.
pub async fn revoke_access(desk: Desk, call: Call, request: RevokeAccessRequest) -> Result<RevokeAccessResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut person = locked(&write, &call, &request.vendor_id, &request.person_id, &request.etag).await?;
    let id: GrantId = wire::id_of("grant_id", &request.grant_id)?;
    let grant = person.grants.iter().find(|g| g.id == id).ok_or_else(|| Fault::not_found("grant", id))?;
    if grant.revoked.is_some() {
        return Err(Refusal::AccessRevoked.into());
    }
    revoke(&mut write, &mut person, &request.reason, |grant| grant.id == id).await?;
    store::save(&write, &mut person).await?;
    write.subject(person.id);
    let person = seen(&desk, &write, &person).await?;
    write.commit(RevokeAccessResponse { person }).await
}

/// Records that a person has left and revokes every grant in the same transaction (F-10).
pub async fn end(desk: Desk, call: Call, request: EndPersonRequest) -> Result<EndPersonResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut person = locked(&write, &call, &request.vendor_id, &request.person_id, &request.etag).await?;
    person.end(request.reason, write.now().date())?;
    revoke(&mut write, &mut person, "the person has left", |_| true).await?;
    store::save(&write, &mut person).await?;
    write.subject(person.id);
    let person = seen(&desk, &write, &person).await?;
    write.commit(EndPersonResponse { person }).await
}

/// Gives a person in clear text; the write leaves the journal row.
pub async fn reveal(desk: Desk, call: Call, request: RevealPersonRequest) -> Result<RevealPersonResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    write.purpose(&request.purpose);
    let (vendor, id) = (wire::id_of("vendor_id", &request.vendor_id)?, wire::id_of("person_id", &request.person_id)?);
    let person = store::load_of(&write, &vendor::store::scope(&call), vendor, id).await?;
    let clear = store::open(&write, &desk.vault, &[person.id]).await?.pop().unwrap_or_default();
    if clear.id_number.is_none() {
        return Err(Refusal::DataErased.into());
    }
    write.subject(person.id);
    write
        .commit(RevealPersonResponse {
            person: Some(view(&person, &clear)),
        })
        .await
}

/// Revokes every grant of every person of a vendor, within the write that bars the vendor.
pub(crate) async fn revoke_all(write: &mut Write, vendor: VendorId, reason: &str) -> Result<(), Fault> {
    for (person, grant) in store::open_grants(write, vendor).await? {
        store::revoke_grant(write, grant, write.now(), reason).await?;
        write.subject(person);
        write.event(person, &revoked(vendor, person, grant));
    }
    Ok(())
}

async fn revoke(write: &mut Write, person: &mut Person, reason: &str, which: impl Fn(&Grant) -> bool) -> Result<(), Fault> {
    let (now, vendor, id) = (write.now(), person.vendor, person.id);
    for grant in person.grants.iter_mut().filter(|grant| grant.revoked.is_none() && which(grant)) {
        store::revoke_grant(write, grant.id, now, reason).await?;
        (grant.revoked, grant.revoke_reason) = (Some(now), reason.to_owned());
        write.event(id, &revoked(vendor, id, grant.id));
    }
    Ok(())
}

fn revoked(vendor: VendorId, person: PersonId, grant: GrantId) -> VendorAccessRevoked {
    VendorAccessRevoked {
        vendor_id: vendor.to_string(),
        person_id: person.to_string(),
        grant_id: grant.to_string(),
    }
}

/// The person of a request, locked, in the version that the caller has seen.
async fn locked(write: &Write, call: &Call, vendor: &str, id: &str, etag: &str) -> Result<Person, Fault> {
    let scope: Scope = vendor::store::scope(call);
    let person = store::lock_of(write, &scope, wire::id_of("vendor_id", vendor)?, wire::id_of("person_id", id)?).await?;
    rpc::check_etag(etag, person.id, person.version)?;
    Ok(person)
}

async fn seen(desk: &Desk, write: &Write, person: &Person) -> Result<Option<proto::Person>, Fault> {
    let clear = store::open(write, &desk.vault, &[person.id]).await?.pop().unwrap_or_default();
    Ok(Some(view(person, &clear)))
}
