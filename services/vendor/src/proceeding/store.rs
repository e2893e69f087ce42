//! Rows of proceedings.

use calendar::Instant;
use database::{Conn, Scope, Scoped};
use ids::{ContractId, VendorId};
use rpc::{Fault, page::Page};
use sea_orm::{
    ActiveValue::{Set, Unchanged},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::model::{Measure, Proceeding, State};
use crate::keys::{AssessmentId, ProceedingId};

mod proceeding {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "proceeding")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub kind: String,
        pub vendor_id: Uuid,
        pub contract_id: Uuid,
        pub branch: String,
        pub assessment_id: Option<Uuid>,
        pub opened_at: i64,
        pub due_date: chrono::NaiveDate,
        pub state: String,
        pub measure: Option<String>,
        pub reason: String,
        pub decider: Option<String>,
        pub closed_at: Option<i64>,
        pub version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Scoped for proceeding::Entity {
    const BRANCH: Option<proceeding::Column> = Some(proceeding::Column::Branch);
    const VENDOR: Option<proceeding::Column> = Some(proceeding::Column::VendorId);
}

/// New ones.
pub(super) async fn insert(conn: &Conn, proceedings: &[Proceeding]) -> Result<(), Fault> {
    if !proceedings.is_empty() {
        let rows = proceedings.iter().map(row);
        proceeding::Entity::insert_many(rows).exec_without_returning(conn).await?;
    }
    Ok(())
}

/// One within the scope. Writes load it under the lock of its vendor.
pub(super) async fn load(conn: &Conn, scope: &Scope, id: ProceedingId) -> Result<Proceeding, Fault> {
    let select = database::find::<proceeding::Entity>(scope).filter(proceeding::Column::Id.eq(id.uuid()));
    let found = select.one(conn).await?;
    of_row(found.ok_or_else(|| Fault::not_found("proceeding", id))?)
}

/// Keeps what changed; the version goes up by one.
pub(super) async fn save(conn: &Conn, proceeding: &mut Proceeding) -> Result<(), Fault> {
    proceeding.version = proceeding.version.saturating_add(1);
    let row = proceeding::ActiveModel {
        id: Unchanged(proceeding.id.uuid()),
        ..row(proceeding)
    };
    proceeding::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// A page, of one vendor or of all, with or without those that are closed.
pub(super) async fn list(conn: &Conn, scope: &Scope, vendor: Option<VendorId>, open_only: bool, page: &Page) -> Result<(Vec<Proceeding>, String), Fault> {
    let mut select = database::find::<proceeding::Entity>(scope);
    if let Some(vendor) = vendor {
        select = select.filter(proceeding::Column::VendorId.eq(vendor.uuid()));
    }
    if open_only {
        select = select.filter(proceeding::Column::State.eq(State::Open.code()));
    }
    if let Some(after) = page.after {
        select = select.filter(proceeding::Column::Id.gt(after));
    }
    let rows = select.order_by_asc(proceeding::Column::Id).limit(page.limit()).all(conn).await?;
    let (rows, next) = page.cut(rows, |row| row.id);
    Ok((rows.into_iter().map(of_row).collect::<Result<_, _>>()?, next))
}

/// Those of a vendor that were not dropped, oldest first.
pub(super) async fn of_vendor(conn: &Conn, vendor: VendorId) -> Result<Vec<Proceeding>, Fault> {
    let select = proceeding::Entity::find()
        .filter(proceeding::Column::VendorId.eq(vendor.uuid()))
        .filter(proceeding::Column::State.ne(State::Dropped.code()));
    let rows = select.order_by_asc(proceeding::Column::Id).all(conn).await?;
    rows.into_iter().map(of_row).collect()
}

fn row(p: &Proceeding) -> proceeding::ActiveModel {
    proceeding::ActiveModel {
        id: Set(p.id.uuid()),
        kind: Set(p.kind.code().to_owned()),
        vendor_id: Set(p.vendor.uuid()),
        contract_id: Set(p.contract.uuid()),
        branch: Set(p.branch.clone()),
        assessment_id: Set(p.assessment.map(AssessmentId::uuid)),
        opened_at: Set(p.opened.micros()),
        due_date: Set(p.due),
        state: Set(p.state.code().to_owned()),
        measure: Set(p.measure.map(|measure| measure.code().to_owned())),
        reason: Set(p.reason.clone()),
        decider: Set(p.decider.clone()),
        closed_at: Set(p.closed.map(Instant::micros)),
        version: Set(p.version),
    }
}

fn of_row(row: proceeding::Model) -> Result<Proceeding, Fault> {
    Ok(Proceeding {
        id: ProceedingId::from(row.id),
        kind: row.kind.parse().map_err(Fault::internal)?,
        vendor: VendorId::from(row.vendor_id),
        contract: ContractId::from(row.contract_id),
        branch: row.branch,
        assessment: row.assessment_id.map(AssessmentId::from),
        opened: Instant::from_micros(row.opened_at),
        due: row.due_date,
        state: row.state.parse().map_err(Fault::internal)?,
        measure: row.measure.as_deref().map(str::parse::<Measure>).transpose().map_err(Fault::internal)?,
        reason: row.reason,
        decider: row.decider,
        closed: row.closed_at.map(Instant::from_micros),
        version: row.version,
    })
}
