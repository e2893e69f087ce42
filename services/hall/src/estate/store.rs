use calendar::NaiveDate;
use contracts::hearth::hall::v1 as proto;
use database::{Conn, Scope, Scoped, find};
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::rows::table;

table! {
    versioned estate "estate" {
        community_code: String,
        name: String,
        branch: String,
    }
}
table! {
    inspection "estate_inspection" {
        estate_id: Uuid,
        inspector_id: Uuid,
        inspected_on: NaiveDate,
        passed: bool,
        findings: String,
        panel_distance_mm: i32,
        papers_due_on: NaiveDate,
    }
}

pub use estate::Model as Estate;
pub use inspection::Model as Inspection;

impl Scoped for estate::Entity {
    const BRANCH: Option<Self::Column> = Some(estate::Column::Branch);
}

/// An estate that the caller may see.
pub async fn get(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Estate, Fault> {
    find::<estate::Entity>(scope)
        .filter(estate::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("estate", id))
}

/// The estate of a community, held until the write has ended; of any branch, since the code is unique.
pub async fn lock_by_code(conn: &Conn, code: &str) -> Result<Option<Estate>, Fault> {
    Ok(estate::Entity::find()
        .filter(estate::Column::CommunityCode.eq(code))
        .lock_exclusive()
        .one(conn)
        .await?)
}

pub async fn list(conn: &Conn, scope: &Scope, page: &Page, code: &str) -> Result<Vec<Estate>, Fault> {
    let mut select = find::<estate::Entity>(scope).order_by_asc(estate::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(estate::Column::Id.gt(after));
    }
    if !code.is_empty() {
        select = select.filter(estate::Column::CommunityCode.eq(code));
    }
    Ok(select.all(conn).await?)
}

/// Inspections of an estate, in the order in which they were recorded.
pub async fn inspections(conn: &Conn, estate: Uuid) -> Result<Vec<Inspection>, Fault> {
    Ok(inspection::Entity::find()
        .filter(inspection::Column::EstateId.eq(estate))
        .order_by_asc(inspection::Column::Id)
        .all(conn)
        .await?)
}

impl Estate {
    pub fn proto(&self, inspections: &[Inspection]) -> proto::Estate {
        let inspection = |row: &Inspection| proto::EstateInspection {
            inspection_id: row.id.to_string(),
            inspector_staff_id: row.inspector_id.to_string(),
            inspected_date: Some(wire::date(row.inspected_on)),
            passed: row.passed,
            findings: row.findings.clone(),
            panel_distance_mm: row.panel_distance_mm,
            papers_due_date: Some(wire::date(row.papers_due_on)),
        };
        proto::Estate {
            estate_id: self.id.to_string(),
            community_code: self.community_code.clone(),
            name: self.name.clone(),
            branch: self.branch.clone(),
            inspections: inspections.iter().map(inspection).collect(),
            etag: self.etag(),
        }
    }
}
