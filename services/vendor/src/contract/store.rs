//! Rows of contracts and of the parts that people take in them.

use calendar::Instant;
use chrono::NaiveDate;
use database::{Conn, Scope, Scoped};
use ids::{ContractId, VendorId};
use rpc::{Fault, page::Page};
use sea_orm::{
    ActiveValue::{Set, Unchanged},
    ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::model::{Contract, Part, State, Terms};

mod contract {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "contract")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub contract_no: String,
        pub vendor_id: Uuid,
        pub branch: String,
        pub state: String,
        pub state_reason: String,
        pub category: String,
        pub title: String,
        pub value: i64,
        pub start_date: chrono::NaiveDate,
        pub end_date: chrono::NaiveDate,
        pub confidentiality_document: String,
        pub data_processing: Option<String>,
        pub sla: String,
        pub emergency_plan_document: String,
        pub retention_basis_points: Option<i32>,
        pub renewal_notice_days: i32,
        pub exit_plan_document: String,
        pub signed_date: Option<chrono::NaiveDate>,
        pub ended_date: Option<chrono::NaiveDate>,
        pub authorities: String,
        pub version: i64,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod part {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "contract_part")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub contract_id: Uuid,
        pub vendor_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub subject: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub part: String,
        pub taken_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Scoped for contract::Entity {
    const BRANCH: Option<contract::Column> = Some(contract::Column::Branch);
    const VENDOR: Option<contract::Column> = Some(contract::Column::VendorId);
}

/// Who took which part in which contract.
pub(super) struct Taken {
    pub contract: ContractId,
    pub subject: String,
    pub part: Part,
}

/// A new contract.
pub(super) async fn insert(conn: &Conn, contract: &Contract) -> Result<(), Fault> {
    contract::Entity::insert(row(contract)?).exec_without_returning(conn).await?;
    Ok(())
}

/// A contract within the scope. Writes load it under the lock of its vendor.
pub(crate) async fn load(conn: &Conn, scope: &Scope, id: ContractId) -> Result<Contract, Fault> {
    let found = database::find::<contract::Entity>(scope)
        .filter(contract::Column::Id.eq(id.uuid()))
        .one(conn)
        .await?;
    of_row(found.ok_or_else(|| Fault::not_found("contract", id))?)
}

/// Keeps what changed; the version goes up by one.
pub(super) async fn save(conn: &Conn, contract: &mut Contract) -> Result<(), Fault> {
    contract.version = contract.version.saturating_add(1);
    let row = contract::ActiveModel {
        id: Unchanged(contract.id.uuid()),
        ..row(contract)?
    };
    contract::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// A page of contracts, of one vendor or of all.
pub(super) async fn list(conn: &Conn, scope: &Scope, vendor: Option<VendorId>, page: &Page) -> Result<(Vec<Contract>, String), Fault> {
    let mut select = database::find::<contract::Entity>(scope);
    if let Some(vendor) = vendor {
        select = select.filter(contract::Column::VendorId.eq(vendor.uuid()));
    }
    if let Some(after) = page.after {
        select = select.filter(contract::Column::Id.gt(after));
    }
    let rows = select.order_by_asc(contract::Column::Id).limit(page.limit()).all(conn).await?;
    let (rows, next) = page.cut(rows, |row| row.id);
    Ok((rows.into_iter().map(of_row).collect::<Result<_, _>>()?, next))
}

/// Every contract with a vendor at a branch.
pub(crate) async fn of_vendor_at(conn: &Conn, vendor: VendorId, branch: &str) -> Result<Vec<Contract>, Fault> {
    let select = contract::Entity::find()
        .filter(contract::Column::VendorId.eq(vendor.uuid()))
        .filter(contract::Column::Branch.eq(branch));
    let rows = select.order_by_asc(contract::Column::Id).all(conn).await?;
    rows.into_iter().map(of_row).collect()
}

/// Every contract with a vendor.
pub(crate) async fn of_vendor(conn: &Conn, vendor: VendorId) -> Result<Vec<Contract>, Fault> {
    let select = contract::Entity::find().filter(contract::Column::VendorId.eq(vendor.uuid()));
    let rows = select.order_by_asc(contract::Column::Id).all(conn).await?;
    rows.into_iter().map(of_row).collect()
}

/// The contracts with the vendor that have not ended by a day (F-15, G-11).
pub(crate) async fn unended(conn: &Conn, vendor: VendorId, today: NaiveDate) -> Result<Vec<Contract>, Fault> {
    let run_out = Condition::all()
        .add(contract::Column::State.is_in([State::Signed.code(), State::InForce.code(), State::Suspended.code()]))
        .add(contract::Column::EndDate.lt(today));
    let select = contract::Entity::find()
        .filter(contract::Column::VendorId.eq(vendor.uuid()))
        .filter(contract::Column::State.ne(State::Terminated.code()))
        .filter(run_out.not());
    let rows = select.order_by_asc(contract::Column::Id).all(conn).await?;
    rows.into_iter().map(of_row).collect()
}

/// Records that a person took a part; the second time changes nothing.
pub(super) async fn take_part(conn: &Conn, contract: &Contract, subject: &str, part: Part, now: Instant) -> Result<(), Fault> {
    let row = part::ActiveModel {
        contract_id: Set(contract.id.uuid()),
        vendor_id: Set(contract.vendor.uuid()),
        subject: Set(subject.to_owned()),
        part: Set(part.code().to_owned()),
        taken_at: Set(now.micros()),
    };
    part::Entity::insert(row).on_conflict_do_nothing().exec_without_returning(conn).await?;
    Ok(())
}

/// The parts taken in some contracts, in the order in which they were taken.
pub(super) async fn parts(conn: &Conn, contracts: &[ContractId]) -> Result<Vec<Taken>, Fault> {
    let contracts = contracts.iter().map(|id| id.uuid());
    let rows = part::Entity::find()
        .filter(part::Column::ContractId.is_in(contracts))
        .order_by_asc(part::Column::TakenAt)
        .all(conn)
        .await?;
    let taken = |row: part::Model| {
        let part = row.part.parse().map_err(Fault::internal)?;
        Ok(Taken {
            contract: ContractId::from(row.contract_id),
            subject: row.subject,
            part,
        })
    };
    rows.into_iter().map(taken).collect()
}

/// Whether a person created, approved or signed a contract with the vendor (F-02). Asked under the vendor's lock.
pub(crate) async fn has_part(conn: &Conn, vendor: VendorId, subject: &str) -> Result<bool, Fault> {
    let select = part::Entity::find()
        .filter(part::Column::VendorId.eq(vendor.uuid()))
        .filter(part::Column::Subject.eq(subject));
    Ok(select.count(conn).await? > 0)
}

fn row(c: &Contract) -> Result<contract::ActiveModel, Fault> {
    let terms = &c.terms;
    Ok(contract::ActiveModel {
        id: Set(c.id.uuid()),
        contract_no: Set(c.number.clone()),
        vendor_id: Set(c.vendor.uuid()),
        branch: Set(c.branch.clone()),
        state: Set(c.state.code().to_owned()),
        state_reason: Set(c.state_reason.clone()),
        category: Set(terms.category.code().to_owned()),
        title: Set(terms.title.clone()),
        value: Set(terms.value),
        start_date: Set(terms.start),
        end_date: Set(terms.end),
        confidentiality_document: Set(terms.confidentiality_document.clone()),
        data_processing: Set(terms.data_processing.as_ref().map(serde_json::to_string).transpose().map_err(Fault::internal)?),
        sla: Set(serde_json::to_string(&terms.sla).map_err(Fault::internal)?),
        emergency_plan_document: Set(terms.emergency_plan_document.clone()),
        retention_basis_points: Set(terms.retention_basis_points),
        renewal_notice_days: Set(terms.renewal_notice_days),
        exit_plan_document: Set(terms.exit_plan_document.clone()),
        signed_date: Set(c.signed),
        ended_date: Set(c.ended),
        authorities: Set(serde_json::to_string(&c.authorities).map_err(Fault::internal)?),
        version: Set(c.version),
        created_at: Set(c.created.micros()),
    })
}

fn of_row(row: contract::Model) -> Result<Contract, Fault> {
    let data_processing = row.data_processing.as_deref().map(serde_json::from_str).transpose().map_err(Fault::internal)?;
    Ok(Contract {
        id: ContractId::from(row.id),
        number: row.contract_no,
        vendor: VendorId::from(row.vendor_id),
        branch: row.branch,
        state: row.state.parse().map_err(Fault::internal)?,
        state_reason: row.state_reason,
        terms: Terms {
            category: row.category.parse().map_err(Fault::internal)?,
            title: row.title,
            value: row.value,
            start: row.start_date,
            end: row.end_date,
            confidentiality_document: row.confidentiality_document,
            data_processing,
            sla: serde_json::from_str(&row.sla).map_err(Fault::internal)?,
            emergency_plan_document: row.emergency_plan_document,
            retention_basis_points: row.retention_basis_points,
            renewal_notice_days: row.renewal_notice_days,
            exit_plan_document: row.exit_plan_document,
        },
        signed: row.signed_date,
        authorities: serde_json::from_str(&row.authorities).map_err(Fault::internal)?,
        ended: row.ended_date,
        version: row.version,
        created: Instant::from_micros(row.created_at),
    })
}
