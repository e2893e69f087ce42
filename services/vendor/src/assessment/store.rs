//! Rows of assessments and of the complaints that hall upheld.

use calendar::Instant;
use chrono::NaiveDate;
use database::{Conn, Scope, Scoped};
use ids::{ContractId, VendorId};
use rpc::{Fault, page::Page};
use sea_orm::{
    ActiveValue::{Set, Unchanged},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};

use super::model::{Assessment, Fact, Grade, Month, Period, Scores};
use crate::{keys::AssessmentId, vendor::Points};

mod assessment {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "assessment")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub contract_id: Uuid,
        pub vendor_id: Uuid,
        pub branch: String,
        pub milestone: String,
        pub from_date: chrono::NaiveDate,
        pub to_date: chrono::NaiveDate,
        pub state: String,
        pub timeliness: Option<i64>,
        pub quality: Option<i64>,
        pub service_level: Option<i64>,
        pub staff_safety: Option<i64>,
        pub documents: Option<i64>,
        pub grade: String,
        pub findings: String,
        pub orders: i32,
        pub assessor: String,
        pub assessed_at: i64,
        pub objection_due: chrono::NaiveDate,
        pub objection: String,
        pub objected_at: Option<i64>,
        pub upheld: Option<bool>,
        pub decision_reason: String,
        pub decider: Option<String>,
        pub version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod complaint {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "upheld_complaint")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub complaint_id: String,
        pub vendor_id: Uuid,
        pub upheld_date: chrono::NaiveDate,
        pub contract_id: Option<Uuid>,
        pub order_id: String,
        pub fact: String,
        pub in_part: bool,
        pub reversed: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Scoped for assessment::Entity {
    const BRANCH: Option<assessment::Column> = Some(assessment::Column::Branch);
    const VENDOR: Option<assessment::Column> = Some(assessment::Column::VendorId);
}

/// A complaint that hall upheld.
pub(super) struct Complaint {
    pub id: String,
    pub vendor: VendorId,
    /// `None` where it counts under every contract with the vendor.
    pub contract: Option<ContractId>,
    pub upheld: NaiveDate,
    /// What it takes off the draft.
    pub fact: Fact,
    pub in_part: bool,
    /// The work order in hall; empty for none.
    pub order: String,
}

impl Complaint {
    /// Whether it counts in the assessment of a contract for a period.
    pub fn counts(&self, contract: ContractId, period: &Period) -> bool {
        self.contract.is_none_or(|own| own == contract) && (period.from..=period.to).contains(&self.upheld)
    }
}

/// A new assessment.
pub(super) async fn insert(conn: &Conn, assessment: &Assessment) -> Result<(), Fault> {
    assessment::Entity::insert(row(assessment)).exec_without_returning(conn).await?;
    Ok(())
}

/// An assessment within the scope. Writes load it under the lock of its vendor.
pub(crate) async fn load(conn: &Conn, scope: &Scope, id: AssessmentId) -> Result<Assessment, Fault> {
    let select = database::find::<assessment::Entity>(scope).filter(assessment::Column::Id.eq(id.uuid()));
    let found = select.one(conn).await?;
    of_row(found.ok_or_else(|| Fault::not_found("assessment", id))?)
}

/// Keeps what changed; the version goes up by one.
pub(super) async fn save(conn: &Conn, assessment: &mut Assessment) -> Result<(), Fault> {
    assessment.version = assessment.version.saturating_add(1);
    let row = assessment::ActiveModel {
        id: Unchanged(assessment.id.uuid()),
        ..row(assessment)
    };
    assessment::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// A page of assessments, of one vendor or contract or of all.
pub(super) async fn list(
    conn: &Conn,
    scope: &Scope,
    vendor: Option<VendorId>,
    contract: Option<ContractId>,
    page: &Page,
) -> Result<(Vec<Assessment>, String), Fault> {
    let mut select = database::find::<assessment::Entity>(scope);
    if let Some(vendor) = vendor {
        select = select.filter(assessment::Column::VendorId.eq(vendor.uuid()));
    }
    if let Some(contract) = contract {
        select = select.filter(assessment::Column::ContractId.eq(contract.uuid()));
    }
    if let Some(after) = page.after {
        select = select.filter(assessment::Column::Id.gt(after));
    }
    let rows = select.order_by_asc(assessment::Column::Id).limit(page.limit()).all(conn).await?;
    let (rows, next) = page.cut(rows, |row| row.id);
    Ok((rows.into_iter().map(of_row).collect::<Result<_, _>>()?, next))
}

/// Every assessment of some vendors: what an assessment leads to depends on all of them.
pub(crate) async fn of_vendors(conn: &Conn, vendors: &[VendorId]) -> Result<Vec<Assessment>, Fault> {
    let vendors = vendors.iter().map(|id| id.uuid());
    let select = assessment::Entity::find().filter(assessment::Column::VendorId.is_in(vendors));
    let rows = select.order_by_asc(assessment::Column::Id).all(conn).await?;
    rows.into_iter().map(of_row).collect()
}

/// The grade that a contract has for a month: its own, or that of a milestone whose period holds the month.
pub(crate) async fn grade_of(conn: &Conn, contract: ContractId, month: Month) -> Result<Option<Grade>, Fault> {
    let found = assessment::Entity::find()
        .filter(assessment::Column::ContractId.eq(contract.uuid()))
        .filter(assessment::Column::FromDate.lte(month.first))
        .filter(assessment::Column::ToDate.gte(month.last))
        // The empty name of a month comes first.
        .order_by_asc(assessment::Column::Milestone)
        .order_by_desc(assessment::Column::Id)
        .one(conn)
        .await?;
    found.map(|row| row.grade.parse().map_err(Fault::internal)).transpose()
}

/// Keeps that hall upheld a complaint; told again, it stands as it was told last.
pub(super) async fn uphold(conn: &Conn, complaint: &Complaint) -> Result<(), Fault> {
    use complaint::Column;
    let row = complaint::ActiveModel {
        complaint_id: Set(complaint.id.clone()),
        vendor_id: Set(complaint.vendor.uuid()),
        upheld_date: Set(complaint.upheld),
        contract_id: Set(complaint.contract.map(ContractId::uuid)),
        order_id: Set(complaint.order.clone()),
        fact: Set(complaint.fact.code().to_owned()),
        in_part: Set(complaint.in_part),
        reversed: Set(false),
    };
    let again = OnConflict::column(Column::ComplaintId)
        .update_columns([
            Column::VendorId,
            Column::UpheldDate,
            Column::ContractId,
            Column::OrderId,
            Column::Fact,
            Column::InPart,
            Column::Reversed,
        ])
        .to_owned();
    complaint::Entity::insert(row).on_conflict(again).exec_without_returning(conn).await?;
    Ok(())
}

/// Keeps that a complaint against a vendor does not stand any more; says whether it did.
pub(super) async fn reverse(conn: &Conn, vendor: VendorId, complaint: &str) -> Result<bool, Fault> {
    let done = complaint::Entity::update_many()
        .col_expr(complaint::Column::Reversed, Expr::value(true))
        .filter(complaint::Column::ComplaintId.eq(complaint))
        .filter(complaint::Column::VendorId.eq(vendor.uuid()))
        .filter(complaint::Column::Reversed.eq(false))
        .exec(conn)
        .await?;
    Ok(done.rows_affected > 0)
}

/// The complaints against some vendors that stand, by day.
pub(super) async fn complaints(conn: &Conn, vendors: &[VendorId]) -> Result<Vec<Complaint>, Fault> {
    let vendors = vendors.iter().map(|id| id.uuid());
    let select = complaint::Entity::find()
        .filter(complaint::Column::VendorId.is_in(vendors))
        .filter(complaint::Column::Reversed.eq(false));
    let rows = select
        .order_by_asc(complaint::Column::UpheldDate)
        .order_by_asc(complaint::Column::ComplaintId)
        .all(conn)
        .await?;
    let complaint = |row: complaint::Model| {
        Ok(Complaint {
            id: row.complaint_id,
            vendor: VendorId::from(row.vendor_id),
            contract: row.contract_id.map(ContractId::from),
            upheld: row.upheld_date,
            fact: row.fact.parse().map_err(Fault::internal)?,
            in_part: row.in_part,
            order: row.order_id,
        })
    };
    rows.into_iter().map(complaint).collect()
}

fn row(a: &Assessment) -> assessment::ActiveModel {
    let points = |of: fn(&Scores) -> Points| Set(a.scores.as_ref().map(|scores| of(scores).thousandths()));
    assessment::ActiveModel {
        id: Set(a.id.uuid()),
        contract_id: Set(a.contract.uuid()),
        vendor_id: Set(a.vendor.uuid()),
        branch: Set(a.branch.clone()),
        milestone: Set(a.period.milestone.clone()),
        from_date: Set(a.period.from),
        to_date: Set(a.period.to),
        state: Set(a.state.code().to_owned()),
        timeliness: points(|s| s.timeliness),
        quality: points(|s| s.quality),
        service_level: points(|s| s.service_level),
        staff_safety: points(|s| s.staff_safety),
        documents: points(|s| s.documents),
        grade: Set(a.grade.code().to_owned()),
        findings: Set(a.findings.clone()),
        orders: Set(a.orders),
        assessor: Set(a.assessor.clone()),
        assessed_at: Set(a.assessed.micros()),
        objection_due: Set(a.objection_due),
        objection: Set(a.objection.clone()),
        objected_at: Set(a.objected.map(Instant::micros)),
        upheld: Set(a.upheld),
        decision_reason: Set(a.decision_reason.clone()),
        decider: Set(a.decider.clone()),
        version: Set(a.version),
    }
}

fn of_row(row: assessment::Model) -> Result<Assessment, Fault> {
    let scores = match (row.timeliness, row.quality, row.service_level, row.staff_safety, row.documents) {
        (Some(timeliness), Some(quality), Some(service_level), Some(staff_safety), Some(documents)) => Some(Scores {
            timeliness: Points::from_thousandths(timeliness),
            quality: Points::from_thousandths(quality),
            service_level: Points::from_thousandths(service_level),
            staff_safety: Points::from_thousandths(staff_safety),
            documents: Points::from_thousandths(documents),
        }),
        _ => None,
    };
    Ok(Assessment {
        id: AssessmentId::from(row.id),
        contract: ContractId::from(row.contract_id),
        vendor: VendorId::from(row.vendor_id),
        branch: row.branch,
        period: Period {
            milestone: row.milestone,
            from: row.from_date,
            to: row.to_date,
        },
        state: row.state.parse().map_err(Fault::internal)?,
        scores,
        grade: row.grade.parse().map_err(Fault::internal)?,
        findings: row.findings,
        orders: row.orders,
        assessor: row.assessor,
        assessed: Instant::from_micros(row.assessed_at),
        objection_due: row.objection_due,
        objection: row.objection,
        objected: row.objected_at.map(Instant::from_micros),
        upheld: row.upheld,
        decision_reason: row.decision_reason,
        decider: row.decider,
        version: row.version,
    })
}
