//! Rows of what vendors have to set right.

use calendar::Instant;
use database::{Conn, Scope, Scoped};
use ids::{ContractId, VendorId};
use rpc::{Fault, page::Page};
use sea_orm::{
    ActiveValue::{Set, Unchanged},
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, ExprTrait, SelectStatement},
};

use super::model::{Kind, Remedy, State};
use crate::keys::{AssessmentId, RemedyId};

mod remedy {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "remedy")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub vendor_id: Uuid,
        pub contract_id: Option<Uuid>,
        pub branch: String,
        pub kind: String,
        pub severity: Option<String>,
        pub assessment_id: Option<Uuid>,
        pub complaint_id: Option<String>,
        pub description: String,
        pub state: String,
        pub opened_by: String,
        pub opened_at: i64,
        pub due_at: Option<i64>,
        pub report: String,
        pub reported_at: Option<i64>,
        pub opinion: String,
        pub closed_by: Option<String>,
        pub closed_at: Option<i64>,
        pub version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Scoped for remedy::Entity {
    const BRANCH: Option<remedy::Column> = Some(remedy::Column::Branch);
    const VENDOR: Option<remedy::Column> = Some(remedy::Column::VendorId);
}

/// A new one.
pub(super) async fn insert(conn: &Conn, remedy: &Remedy) -> Result<(), Fault> {
    remedy::Entity::insert(row(remedy)).exec_without_returning(conn).await?;
    Ok(())
}

/// One within the scope. Writes load it under the lock of its vendor.
pub(super) async fn load(conn: &Conn, scope: &Scope, id: RemedyId) -> Result<Remedy, Fault> {
    let select = database::find::<remedy::Entity>(scope).filter(remedy::Column::Id.eq(id.uuid()));
    let found = select.one(conn).await?;
    of_row(found.ok_or_else(|| Fault::not_found("remedy", id))?)
}

/// Keeps what changed; the version goes up by one.
pub(super) async fn save(conn: &Conn, remedy: &mut Remedy) -> Result<(), Fault> {
    remedy.version = remedy.version.saturating_add(1);
    let row = remedy::ActiveModel {
        id: Unchanged(remedy.id.uuid()),
        ..row(remedy)
    };
    remedy::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// A page, of one vendor or of all, with or without those that are closed.
pub(super) async fn list(conn: &Conn, scope: &Scope, vendor: Option<VendorId>, open_only: bool, page: &Page) -> Result<(Vec<Remedy>, String), Fault> {
    let mut select = database::find::<remedy::Entity>(scope);
    if let Some(vendor) = vendor {
        select = select.filter(remedy::Column::VendorId.eq(vendor.uuid()));
    }
    if open_only {
        select = select.filter(is_open());
    }
    if let Some(after) = page.after {
        select = select.filter(remedy::Column::Id.gt(after));
    }
    let rows = select.order_by_asc(remedy::Column::Id).limit(page.limit()).all(conn).await?;
    let (rows, next) = page.cut(rows, |row| row.id);
    Ok((rows.into_iter().map(of_row).collect::<Result<_, _>>()?, next))
}

/// What a vendor has not set right yet.
pub(crate) async fn open_of(conn: &Conn, vendor: VendorId) -> Result<Vec<Remedy>, Fault> {
    let select = remedy::Entity::find().filter(remedy::Column::VendorId.eq(vendor.uuid())).filter(is_open());
    let rows = select.order_by_asc(remedy::Column::Id).all(conn).await?;
    rows.into_iter().map(of_row).collect()
}

/// The rectifications of some vendors that were not cancelled.
pub(crate) async fn of_vendors(conn: &Conn, vendors: &[VendorId]) -> Result<Vec<Remedy>, Fault> {
    let select = remedy::Entity::find()
        .filter(remedy::Column::VendorId.is_in(vendors.iter().map(|id| id.uuid())))
        .filter(remedy::Column::Kind.eq(Kind::Rectification.code()))
        .filter(remedy::Column::State.ne(State::Cancelled.code()));
    let rows = select.all(conn).await?;
    rows.into_iter().map(of_row).collect()
}

/// The rectification of an assessment that was not cancelled.
pub(super) async fn of_assessment(conn: &Conn, assessment: AssessmentId) -> Result<Option<Remedy>, Fault> {
    let select = remedy::Entity::find()
        .filter(remedy::Column::AssessmentId.eq(assessment.uuid()))
        .filter(remedy::Column::State.ne(State::Cancelled.code()));
    select.one(conn).await?.map(of_row).transpose()
}

/// What came from a complaint and was not cancelled.
pub(super) async fn of_complaint(conn: &Conn, complaint: &str) -> Result<Option<Remedy>, Fault> {
    let select = remedy::Entity::find()
        .filter(remedy::Column::ComplaintId.eq(complaint))
        .filter(remedy::Column::State.ne(State::Cancelled.code()));
    select.one(conn).await?.map(of_row).transpose()
}

/// The disturbances of a vendor that began between two times, both included, under a contract or under no certain one.
pub(crate) async fn disturbances(conn: &Conn, vendor: VendorId, contract: ContractId, from: Instant, to: Instant) -> Result<Vec<Remedy>, Fault> {
    let concerned = Condition::any()
        .add(remedy::Column::ContractId.is_null())
        .add(remedy::Column::ContractId.eq(contract.uuid()));
    let select = remedy::Entity::find()
        .filter(remedy::Column::VendorId.eq(vendor.uuid()))
        .filter(remedy::Column::Kind.eq(Kind::Disturbance.code()))
        .filter(remedy::Column::State.ne(State::Cancelled.code()))
        .filter(remedy::Column::OpenedAt.between(from.micros(), to.micros()))
        .filter(concerned);
    let rows = select.order_by_asc(remedy::Column::Id).all(conn).await?;
    rows.into_iter().map(of_row).collect()
}

/// Contracts of which a rectification is overdue: [`Remedy::is_overdue`] in SQL.
pub(crate) fn overdue_contracts(now: Instant) -> SelectStatement {
    let late = Condition::any()
        .add(
            Condition::all()
                .add(remedy::Column::State.eq(State::Open.code()))
                .add(remedy::Column::DueAt.lt(now.micros())),
        )
        .add(
            Condition::all()
                .add(remedy::Column::State.eq(State::Reported.code()))
                .add(Expr::col(remedy::Column::DueAt).lt(Expr::col(remedy::Column::ReportedAt))),
        );
    remedy::Entity::find()
        .select_only()
        .column(remedy::Column::ContractId)
        .filter(remedy::Column::Kind.eq(Kind::Rectification.code()))
        .filter(remedy::Column::ContractId.is_not_null())
        .filter(late)
        .into_query()
}

fn is_open() -> Condition {
    let open = State::ALL.iter().filter(|state| state.is_open()).map(|state| state.code());
    Condition::all().add(remedy::Column::State.is_in(open))
}

fn row(r: &Remedy) -> remedy::ActiveModel {
    remedy::ActiveModel {
        id: Set(r.id.uuid()),
        vendor_id: Set(r.vendor.uuid()),
        contract_id: Set(r.contract.map(ContractId::uuid)),
        branch: Set(r.branch.clone()),
        kind: Set(r.kind.code().to_owned()),
        severity: Set(r.severity.map(|severity| severity.code().to_owned())),
        assessment_id: Set(r.assessment.map(AssessmentId::uuid)),
        complaint_id: Set(r.complaint.clone()),
        description: Set(r.description.clone()),
        state: Set(r.state.code().to_owned()),
        opened_by: Set(r.opened_by.clone()),
        opened_at: Set(r.opened.micros()),
        due_at: Set(r.due.map(Instant::micros)),
        report: Set(r.report.clone()),
        reported_at: Set(r.reported.map(Instant::micros)),
        opinion: Set(r.opinion.clone()),
        closed_by: Set(r.closed.as_ref().map(|(_, by)| by.clone())),
        closed_at: Set(r.closed.as_ref().map(|(at, _)| at.micros())),
        version: Set(r.version),
    }
}

fn of_row(row: remedy::Model) -> Result<Remedy, Fault> {
    Ok(Remedy {
        id: RemedyId::from(row.id),
        vendor: VendorId::from(row.vendor_id),
        contract: row.contract_id.map(ContractId::from),
        branch: row.branch,
        kind: row.kind.parse().map_err(Fault::internal)?,
        severity: row.severity.as_deref().map(str::parse).transpose().map_err(Fault::internal)?,
        assessment: row.assessment_id.map(AssessmentId::from),
        complaint: row.complaint_id,
        description: row.description,
        state: row.state.parse().map_err(Fault::internal)?,
        opened_by: row.opened_by,
        opened: Instant::from_micros(row.opened_at),
        due: row.due_at.map(Instant::from_micros),
        report: row.report,
        reported: row.reported_at.map(Instant::from_micros),
        opinion: row.opinion,
        closed: row.closed_at.map(Instant::from_micros).zip(row.closed_by),
        version: row.version,
    })
}
