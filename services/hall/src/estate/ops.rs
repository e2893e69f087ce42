use contracts::hearth::hall::v1::*;
use database::{Begun, Scope};
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    model::{may_pass, papers_due},
    store::{self, Estate, Inspection},
};
use crate::{
    Desk, fields,
    refusal::Refusal,
    staff::{certified, model::Kind},
};

pub async fn record(desk: Desk, call: Call, request: RecordEstateInspectionRequest) -> Result<RecordEstateInspectionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let inspected_on = wire::date_of(request.inspected_date.as_ref(), "inspected_date")?;
    fields::not_after("inspected_date", inspected_on, write.now().date())?;
    if request.passed && !may_pass(request.panel_distance_mm) {
        return Err(Fault::from(Refusal::PanelDistance).field("panel_distance_mm"));
    }
    let inspector_id = fields::id("inspector_staff_id", &request.inspector_staff_id)?;
    certified::inspector(&write, &Scope::of(&call), inspector_id, &[Kind::SafetyInspection], inspected_on).await?;

    let estate = match store::lock_by_code(&write, &request.community_code).await? {
        // One of another branch looks like one that does not exist.
        Some(estate) if estate.branch != request.branch => return Err(Fault::not_found("estate", &request.community_code)),
        Some(mut estate) => {
            estate.name = request.name;
            estate.save(&write).await?;
            estate
        }
        None => {
            let estate = Estate {
                id: Uuid::now_v7(),
                community_code: request.community_code,
                name: request.name,
                branch: request.branch,
                version: 1,
            };
            estate.clone().insert(&write).await?;
            estate
        }
    };
    let inspection = Inspection {
        id: Uuid::now_v7(),
        estate_id: estate.id,
        inspector_id,
        inspected_on,
        passed: request.passed,
        findings: request.findings,
        panel_distance_mm: request.panel_distance_mm,
        papers_due_on: papers_due(inspected_on).ok_or_else(|| Fault::internal("a month without a third day"))?,
    };
    write.subject(estate.id);
    write.event(
        estate.id,
        &EstateInspected {
            estate_id: estate.id.to_string(),
            community_code: estate.community_code.clone(),
            passed: inspection.passed,
            inspected_date: Some(wire::date(inspected_on)),
        },
    );
    inspection.insert(&write).await?;
    let inspections = store::inspections(&write, estate.id).await?;
    write
        .commit(RecordEstateInspectionResponse {
            estate: Some(estate.proto(&inspections)),
        })
        .await
}

pub async fn get(desk: Desk, call: Call, request: GetEstateRequest) -> Result<GetEstateResponse, Fault> {
    let estate = store::get(desk.db.reader(), &Scope::of(&call), fields::id("estate_id", &request.estate_id)?).await?;
    let inspections = store::inspections(desk.db.reader(), estate.id).await?;
    Ok(GetEstateResponse {
        estate: Some(estate.proto(&inspections)),
    })
}

pub async fn list(desk: Desk, call: Call, request: ListEstatesRequest) -> Result<ListEstatesResponse, Fault> {
    let page = Page::of(&call, &[&request.community_code], request.page_size, &request.page_token)?;
    let rows = store::list(desk.db.reader(), &Scope::of(&call), &page, &request.community_code).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListEstatesResponse {
        estates: rows.iter().map(|estate| estate.proto(&[])).collect(),
        next_page_token,
    })
}
