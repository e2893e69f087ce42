use contracts::hearth::hall::v1::*;
use database::{Begun, Scope, Write};
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    certified,
    model::{Action, CertificateState, Employer, Kind, MemberAction, State, TrainingKind, allowed, member_step, step},
    store::{self, Certificate, Staff, Training},
};
use crate::{Desk, codes::Code, fields, refusal::Refusal, rows::Packed};

pub async fn register(desk: Desk, call: Call, request: RegisterStaffRequest) -> Result<RegisterStaffResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let employer: Employer = fields::pick("employer", request.employer)?;
    let vendor_id = fields::id_if("vendor_id", &request.vendor_id)?;
    let vendor_person_id = fields::id_if("vendor_person_id", &request.vendor_person_id)?;
    let named = [vendor_id, vendor_person_id].map(|id| id.is_some());
    if named != [employer == Employer::Vendor; 2] {
        return Err(Fault::from(Refusal::VendorPersonNeeded).field("vendor_person_id"));
    }
    let staff = Staff {
        id: Uuid::now_v7(),
        name: request.name,
        posts: Packed(posts(&request.posts)?),
        badge_no: request.badge_no,
        login: request.login,
        employer,
        vendor_id,
        vendor_person_id,
        branch: request.branch,
        state: State::Active,
        created_at: write.now().micros(),
        version: 1,
    };
    staff.clone().insert(&write).await?;
    changed(&mut write, staff.id);
    let staff = store::whole(&write, &staff, write.now().date()).await?;
    write.commit(RegisterStaffResponse { staff: Some(staff) }).await
}

pub async fn assign_posts(desk: Desk, call: Call, request: AssignPostsRequest) -> Result<AssignPostsResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut staff = taken(&write, &call, &request.staff_id, &request.etag, MemberAction::AssignPosts).await?;
    staff.posts = Packed(posts(&request.posts)?);
    let staff = save(&mut write, &mut staff).await?;
    write.commit(AssignPostsResponse { staff: Some(staff) }).await
}

pub async fn end(desk: Desk, call: Call, request: EndStaffRequest) -> Result<EndStaffResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut staff = taken(&write, &call, &request.staff_id, &request.etag, MemberAction::End).await?;
    let staff = save(&mut write, &mut staff).await?;
    write.commit(EndStaffResponse { staff: Some(staff) }).await
}

pub async fn record_training(desk: Desk, call: Call, request: RecordTrainingRequest) -> Result<RecordTrainingResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut staff = taken(&write, &call, &request.staff_id, &request.etag, MemberAction::Train).await?;
    let passed_on = wire::date_of(request.passed_date.as_ref(), "passed_date")?;
    fields::not_after("passed_date", passed_on, write.now().date())?;
    let kind: TrainingKind = fields::pick("kind", request.kind)?;
    Training {
        id: Uuid::now_v7(),
        staff_id: staff.id,
        kind,
        authority: request.authority,
        passed_on,
    }
    .insert(&write)
    .await?;
    let staff = save(&mut write, &mut staff).await?;
    write.commit(RecordTrainingResponse { staff: Some(staff) }).await
}

pub async fn record_certificate(desk: Desk, call: Call, request: RecordCertificateRequest) -> Result<RecordCertificateResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut staff = taken(&write, &call, &request.staff_id, &request.etag, MemberAction::Certify).await?;
    if staff.employer == Employer::Vendor {
        return Err(Refusal::CertificateKeptByVendor.into());
    }
    let issued_on = wire::date_of(request.issued_date.as_ref(), "issued_date")?;
    let valid_to = wire::date_of(request.valid_to_date.as_ref(), "valid_to_date")?;
    fields::not_after("issued_date", issued_on, write.now().date())?;
    if valid_to < issued_on {
        return Err(Fault::from(Refusal::ValidityOrder).field("valid_to_date"));
    }
    let certificate = Certificate {
        id: Uuid::now_v7(),
        staff_id: staff.id,
        branch: staff.branch.clone(),
        kind: fields::pick::<Kind>("kind", request.kind)?,
        certificate_no: request.certificate_no,
        issuing_body: request.issuing_body,
        issued_on,
        valid_to,
        scan_file_id: request.scan_file_id,
        state: CertificateState::Draft,
        revoked_on: None,
        recorded_by: call.subject().to_owned(),
        warned: 0,
        created_at: write.now().micros(),
    };
    let certificate_id = certificate.id.to_string();
    write.subject(certificate.id);
    certificate.insert(&write).await?;
    let staff = save(&mut write, &mut staff).await?;
    write
        .commit(RecordCertificateResponse {
            staff: Some(staff),
            certificate_id,
        })
        .await
}

pub async fn confirm_certificate(desk: Desk, call: Call, request: ConfirmCertificateRequest) -> Result<ConfirmCertificateResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut staff = taken(&write, &call, &request.staff_id, &request.etag, MemberAction::Certify).await?;
    let certificate = of(&write, &staff, &request.certificate_id).await?;
    if certificate.recorded_by == call.subject() {
        return Err(Refusal::SecondPersonNeeded.into());
    }
    let to = take(&certificate, Action::Confirm, &write)?;
    store::move_certificate(&write, certificate.id, to, None).await?;
    write.subject(certificate.id);
    let staff = save(&mut write, &mut staff).await?;
    write.commit(ConfirmCertificateResponse { staff: Some(staff) }).await
}

pub async fn revoke_certificate(desk: Desk, call: Call, request: RevokeCertificateRequest) -> Result<RevokeCertificateResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let mut staff = store::lock(&write, &scope, fields::id("staff_id", &request.staff_id)?).await?;
    staff.check(&request.etag)?;
    let certificate = of(&write, &staff, &request.certificate_id).await?;
    let to = take(&certificate, Action::Revoke, &write)?;
    let today = write.now().date();
    store::move_certificate(&write, certificate.id, to, Some(today)).await?;
    crate::story::note(
        &write,
        certificate.id,
        Action::Revoke.code(),
        certificate.state.code(),
        to.code(),
        &request.reason,
    )
    .await?;
    write.subject(certificate.id);
    let staff = save(&mut write, &mut staff).await?;
    write.commit(RevokeCertificateResponse { staff: Some(staff) }).await
}

pub async fn get(desk: Desk, call: Call, request: GetStaffRequest) -> Result<GetStaffResponse, Fault> {
    let staff = store::get(desk.db.reader(), &Scope::of(&call), fields::id("staff_id", &request.staff_id)?).await?;
    let staff = store::whole(desk.db.reader(), &staff, desk.clock.now().date()).await?;
    Ok(GetStaffResponse { staff: Some(staff) })
}

pub async fn list(desk: Desk, call: Call, request: ListStaffRequest) -> Result<ListStaffResponse, Fault> {
    let page = Page::of(&call, &[&request.post.to_string()], request.page_size, &request.page_token)?;
    let rows = store::list(desk.db.reader(), &Scope::of(&call), &page, fields::pick_if(request.post)).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListStaffResponse {
        staff: rows.iter().map(Staff::proto).collect(),
        next_page_token,
    })
}

pub async fn reveal(desk: Desk, call: Call, request: RevealStaffRequest) -> Result<RevealStaffResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let staff = store::get(&write, &Scope::of(&call), fields::id("staff_id", &request.staff_id)?).await?;
    write.subject(staff.id);
    write.purpose(&request.purpose);
    write.commit(RevealStaffResponse { name: staff.name }).await
}

pub async fn check(desk: Desk, call: Call, request: CheckStaffCertifiedRequest) -> Result<CheckStaffCertifiedResponse, Fault> {
    let kind: Kind = fields::pick("certificate_kind", request.certificate_kind)?;
    let day = wire::date_of(request.on_date.as_ref(), "on_date")?;
    let id = fields::id("staff_id", &request.staff_id)?;
    let staff = store::get(desk.db.reader(), &Scope::of(&call), id).await?;
    let word = certified::ask(&desk, &call, &[id], kind, day).await?;
    Ok(match certified::check(desk.db.reader(), &staff, &word, kind, day).await? {
        Ok(certificate) => CheckStaffCertifiedResponse {
            certified: true,
            reason: String::new(),
            certificate_id: fields::text(certificate),
        },
        Err(why) => CheckStaffCertifiedResponse {
            certified: false,
            reason: why.code().to_owned(),
            certificate_id: String::new(),
        },
    })
}

pub async fn warnings(desk: Desk, call: Call, request: ListCertificateWarningsRequest) -> Result<ListCertificateWarningsResponse, Fault> {
    let page = Page::of(&call, &[], request.page_size, &request.page_token)?;
    let rows = store::warnings(desk.db.reader(), &Scope::of(&call), &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListCertificateWarningsResponse {
        warnings: rows.iter().map(store::Warning::proto).collect(),
        next_page_token,
    })
}

fn posts(numbers: &[i32]) -> Result<Vec<super::model::Post>, Fault> {
    let mut posts: Vec<super::model::Post> = numbers.iter().map(|n| fields::pick("posts", *n)).collect::<Result<_, _>>()?;
    posts.sort_unstable();
    posts.dedup();
    Ok(posts)
}

/// A member after a step, at the version that the caller has seen.
async fn taken(write: &Write, call: &Call, id: &str, etag: &str, action: MemberAction) -> Result<Staff, Fault> {
    let mut staff = store::lock(write, &Scope::of(call), fields::id("staff_id", id)?).await?;
    staff.check(etag)?;
    staff.state = member_step(staff.state, action).ok_or(Refusal::StaffLeft)?;
    Ok(staff)
}

async fn of(write: &Write, staff: &Staff, id: &str) -> Result<Certificate, Fault> {
    let id = fields::id("certificate_id", id)?;
    let certificate = store::lock_certificate(write, id).await?;
    certificate
        .filter(|c| c.staff_id == staff.id)
        .ok_or_else(|| Fault::not_found("certificate", id))
}

/// The state after a step, from where the certificate stands today.
fn take(certificate: &Certificate, action: Action, write: &Write) -> Result<CertificateState, Fault> {
    let from = certificate.rule().state_on(write.now().date());
    step(from, action).ok_or_else(|| {
        Fault::from(Refusal::CertificateState)
            .meta("state", from.code())
            .meta("allowed", allowed(from).join(","))
    })
}

async fn save(write: &mut Write, staff: &mut Staff) -> Result<StaffMember, Fault> {
    staff.save(write).await?;
    changed(write, staff.id);
    store::whole(write, staff, write.now().date()).await
}

fn changed(write: &mut Write, id: Uuid) {
    write.subject(id);
    write.event(id, &StaffChanged { staff_id: id.to_string() });
}
