use contracts::hearth::hall::v1::*;
use database::{Begun, Scope};
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    model::{ApplianceKind, rejects},
    store::{self, ApplianceAcceptance, PipeAcceptance},
};
use crate::{
    Desk, fields,
    rows::Packed,
    staff::{certified, model::Kind},
};

/// Certificates by which a member may accept pipes and appliances.
pub const INSPECTORS: &[Kind] = &[Kind::SafetyInspection, Kind::GasOpening];

pub async fn record_pipe(desk: Desk, call: Call, request: RecordPipeAcceptanceRequest) -> Result<RecordPipeAcceptanceResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let tested_on = wire::date_of(request.test_date.as_ref(), "test_date")?;
    fields::not_after("test_date", tested_on, write.now().date())?;
    let inspector_id = fields::id("inspector_staff_id", &request.inspector_staff_id)?;
    certified::inspector(&write, &Scope::of(&call), inspector_id, INSPECTORS, tested_on).await?;
    let row = PipeAcceptance {
        id: Uuid::now_v7(),
        service_point_id: fields::id("service_point_id", &request.service_point_id)?,
        branch: request.branch,
        report_no: request.report_no,
        report_file_id: request.report_file_id,
        passed: request.passed,
        inspector_id,
        tested_on,
        created_at: write.now().micros(),
    };
    let acceptance = row.proto();
    write.subject(row.id);
    row.insert(&write).await?;
    write.commit(RecordPipeAcceptanceResponse { acceptance: Some(acceptance) }).await
}

pub async fn record_appliance(desk: Desk, call: Call, request: RecordApplianceAcceptanceRequest) -> Result<RecordApplianceAcceptanceResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let visited_on = wire::date_of(request.visit_date.as_ref(), "visit_date")?;
    fields::not_after("visit_date", visited_on, write.now().date())?;
    let inspector_id = fields::id("inspector_staff_id", &request.inspector_staff_id)?;
    certified::inspector(&write, &Scope::of(&call), inspector_id, INSPECTORS, visited_on).await?;
    let appliance = store::appliance_of(&request.appliance.unwrap_or_default())?;
    let profile = store::profile(&write, appliance.kind != ApplianceKind::Commercial, visited_on).await?;
    let service_point_id = fields::id("service_point_id", &request.service_point_id)?;
    let replaces_id = fields::id_if("replaces_acceptance_id", &request.replaces_acceptance_id)?;
    if let Some(id) = replaces_id {
        let replaced = store::appliance(&write, &Scope::of(&call), id).await?;
        if replaced.service_point_id != service_point_id {
            return Err(Fault::not_found("appliance acceptance", id));
        }
    }
    let rejects: Vec<String> = rejects(&appliance, &profile).into_iter().map(str::to_owned).collect();
    let row = ApplianceAcceptance {
        id: Uuid::now_v7(),
        service_point_id,
        branch: request.branch,
        appliance: Packed(appliance),
        passed: rejects.is_empty(),
        rejects: Packed(rejects),
        inspector_id,
        visited_on,
        replaces_id,
        created_at: write.now().micros(),
    };
    let acceptance = row.proto();
    write.subject(row.id);
    row.insert(&write).await?;
    write.commit(RecordApplianceAcceptanceResponse { acceptance: Some(acceptance) }).await
}

pub async fn get_pipe(desk: Desk, call: Call, request: GetPipeAcceptanceRequest) -> Result<GetPipeAcceptanceResponse, Fault> {
    let row = store::pipe(desk.db.reader(), &Scope::of(&call), fields::id("acceptance_id", &request.acceptance_id)?).await?;
    Ok(GetPipeAcceptanceResponse { acceptance: Some(row.proto()) })
}

pub async fn get_appliance(desk: Desk, call: Call, request: GetApplianceAcceptanceRequest) -> Result<GetApplianceAcceptanceResponse, Fault> {
    let row = store::appliance(desk.db.reader(), &Scope::of(&call), fields::id("acceptance_id", &request.acceptance_id)?).await?;
    Ok(GetApplianceAcceptanceResponse { acceptance: Some(row.proto()) })
}

pub async fn list(desk: Desk, call: Call, request: ListApplianceAcceptancesRequest) -> Result<ListApplianceAcceptancesResponse, Fault> {
    let page = Page::of(&call, &[&request.service_point_id], request.page_size, &request.page_token)?;
    let point = fields::id("service_point_id", &request.service_point_id)?;
    let rows = store::list(desk.db.reader(), &Scope::of(&call), &page, point).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListApplianceAcceptancesResponse {
        acceptances: rows.iter().map(ApplianceAcceptance::proto).collect(),
        next_page_token,
    })
}
