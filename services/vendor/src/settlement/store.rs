//! Rows of rate cards, lent assets, payment requests and what belongs to them.

use calendar::Instant;
use chrono::NaiveDate;
use database::{Conn, Scope, Scoped};
use ids::{ContractId, VendorId};
use rpc::{Fault, page::Page};
use sea_orm::{
    ActiveValue::{Set, Unchanged},
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};
use uuid::Uuid;

use super::model::{Adjustment, Amounts, Asset, Cause, Deduction, Hold, Payment, Rate, State};
use crate::{
    keys::{AssetId, DeductionId, HoldId, PaymentRequestId, RateId},
    remedy,
};

mod rate {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "vendor_rate")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub contract_id: Uuid,
        pub basis: String,
        pub work_kind: String,
        pub unit_price: i64,
        pub from_date: chrono::NaiveDate,
        pub set_by: String,
        pub tax: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod asset {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "lent_asset")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub vendor_id: Uuid,
        pub branch: String,
        pub asset_no: String,
        pub description: String,
        pub lent_date: chrono::NaiveDate,
        pub return_by: chrono::NaiveDate,
        pub returned_date: Option<chrono::NaiveDate>,
        pub return_condition: String,
        pub version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod payment {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "payment_request")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub payment_no: String,
        pub contract_id: Uuid,
        pub vendor_id: Uuid,
        pub branch: String,
        pub from_date: chrono::NaiveDate,
        pub to_date: chrono::NaiveDate,
        pub state: String,
        pub lines: String,
        pub due: i64,
        pub factor: i32,
        pub earned: i64,
        pub deducted: i64,
        pub carried: i64,
        pub retained: i64,
        pub payable: i64,
        pub invoice_no: String,
        pub invoice_date: Option<chrono::NaiveDate>,
        pub preparer: String,
        pub submitter: Option<String>,
        pub approver: Option<String>,
        pub state_reason: String,
        pub paid_date: Option<chrono::NaiveDate>,
        pub voucher_no: String,
        pub version: i64,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod deduction {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sla_deduction")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub payment_request_id: Uuid,
        pub metric: String,
        pub basis_points: i32,
        pub misses: i32,
        pub evidence: String,
        pub reason: String,
        pub recorder: String,
        pub recorded_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod adjustment {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "payment_adjustment")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub payment_request_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub earlier_id: Uuid,
        pub factor: i32,
        pub amount: i64,
        pub retained: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod hold {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "payment_hold")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub payment_request_id: Uuid,
        pub cause: String,
        pub reason: String,
        pub placed_by: String,
        pub placed_at: i64,
        pub released_at: Option<i64>,
        pub released_by: Option<String>,
        pub release_reason: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Scoped for asset::Entity {
    const BRANCH: Option<asset::Column> = Some(asset::Column::Branch);
    const VENDOR: Option<asset::Column> = Some(asset::Column::VendorId);
}

impl Scoped for payment::Entity {
    const BRANCH: Option<payment::Column> = Some(payment::Column::Branch);
    const VENDOR: Option<payment::Column> = Some(payment::Column::VendorId);
}

/// What belongs to payment requests.
pub(super) struct Book {
    pub deductions: Vec<Deduction>,
    pub adjustments: Vec<Adjustment>,
    pub holds: Vec<Hold>,
}

/// A new row of a rate card.
pub(super) async fn insert_rate(conn: &Conn, rate: &Rate) -> Result<(), Fault> {
    let row = rate::ActiveModel {
        id: Set(rate.id.uuid()),
        contract_id: Set(rate.contract.uuid()),
        basis: Set(rate.basis.code().to_owned()),
        work_kind: Set(rate.work_kind.clone()),
        unit_price: Set(rate.unit_price),
        from_date: Set(rate.from),
        set_by: Set(rate.set_by.clone()),
        tax: Set(rate.tax),
    };
    rate::Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

/// The rate cards of some contracts.
pub(super) async fn rates(conn: &Conn, contracts: &[ContractId]) -> Result<Vec<Rate>, Fault> {
    let select = rate::Entity::find().filter(rate::Column::ContractId.is_in(contracts.iter().map(|id| id.uuid())));
    let rows = select.order_by_asc(rate::Column::Id).all(conn).await?;
    rows.into_iter().map(of_rate_row).collect()
}

/// A page of the rate card of a contract.
pub(super) async fn list_rates(conn: &Conn, contract: ContractId, page: &Page) -> Result<(Vec<Rate>, String), Fault> {
    let mut select = rate::Entity::find().filter(rate::Column::ContractId.eq(contract.uuid()));
    if let Some(after) = page.after {
        select = select.filter(rate::Column::Id.gt(after));
    }
    let rows = select.order_by_asc(rate::Column::Id).limit(page.limit()).all(conn).await?;
    let (rows, next) = page.cut(rows, |row| row.id);
    Ok((rows.into_iter().map(of_rate_row).collect::<Result<_, _>>()?, next))
}

/// Something new that is lent.
pub(super) async fn insert_asset(conn: &Conn, asset: &Asset) -> Result<(), Fault> {
    asset::Entity::insert(asset_row(asset)).exec_without_returning(conn).await?;
    Ok(())
}

/// Something lent, within the scope. Writes load it under the lock of its vendor.
pub(super) async fn load_asset(conn: &Conn, scope: &Scope, id: AssetId) -> Result<Asset, Fault> {
    let select = database::find::<asset::Entity>(scope).filter(asset::Column::Id.eq(id.uuid()));
    let found = select.one(conn).await?;
    found.map(of_asset_row).ok_or_else(|| Fault::not_found("asset", id))
}

/// Keeps what changed; the version goes up by one.
pub(super) async fn save_asset(conn: &Conn, asset: &mut Asset) -> Result<(), Fault> {
    asset.version = asset.version.saturating_add(1);
    let row = asset::ActiveModel {
        id: Unchanged(asset.id.uuid()),
        ..asset_row(asset)
    };
    asset::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// A page of what is and was lent.
pub(super) async fn list_assets(conn: &Conn, scope: &Scope, vendor: Option<VendorId>, page: &Page) -> Result<(Vec<Asset>, String), Fault> {
    let mut select = database::find::<asset::Entity>(scope);
    if let Some(vendor) = vendor {
        select = select.filter(asset::Column::VendorId.eq(vendor.uuid()));
    }
    if let Some(after) = page.after {
        select = select.filter(asset::Column::Id.gt(after));
    }
    let rows = select.order_by_asc(asset::Column::Id).limit(page.limit()).all(conn).await?;
    let (rows, next) = page.cut(rows, |row| row.id);
    Ok((rows.into_iter().map(of_asset_row).collect(), next))
}

/// Numbers of what a vendor should have given back before a day.
pub(super) async fn overdue(conn: &Conn, vendor: VendorId, today: NaiveDate) -> Result<Vec<String>, Fault> {
    let select = asset::Entity::find()
        .filter(asset::Column::VendorId.eq(vendor.uuid()))
        .filter(asset::Column::ReturnedDate.is_null())
        .filter(asset::Column::ReturnBy.lt(today));
    let rows = select.order_by_asc(asset::Column::Id).all(conn).await?;
    Ok(rows.into_iter().map(|row| row.asset_no).collect())
}

/// A new payment request.
pub(super) async fn insert(conn: &Conn, payment: &Payment) -> Result<(), Fault> {
    payment::Entity::insert(row(payment)?).exec_without_returning(conn).await?;
    Ok(())
}

/// A payment request within the scope. Writes load it under the lock of its vendor.
pub(super) async fn load(conn: &Conn, scope: &Scope, id: PaymentRequestId) -> Result<Payment, Fault> {
    let select = database::find::<payment::Entity>(scope).filter(payment::Column::Id.eq(id.uuid()));
    let found = select.one(conn).await?;
    of_row(found.ok_or_else(|| Fault::not_found("payment_request", id))?)
}

/// Keeps what changed; the version goes up by one.
pub(super) async fn save(conn: &Conn, payment: &mut Payment) -> Result<(), Fault> {
    payment.version = payment.version.saturating_add(1);
    let row = payment::ActiveModel {
        id: Unchanged(payment.id.uuid()),
        ..row(payment)?
    };
    payment::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// A page of payment requests, of one vendor or contract or of all.
pub(super) async fn list(
    conn: &Conn,
    scope: &Scope,
    vendor: Option<VendorId>,
    contract: Option<ContractId>,
    page: &Page,
) -> Result<(Vec<Payment>, String), Fault> {
    let mut select = database::find::<payment::Entity>(scope);
    if let Some(vendor) = vendor {
        select = select.filter(payment::Column::VendorId.eq(vendor.uuid()));
    }
    if let Some(contract) = contract {
        select = select.filter(payment::Column::ContractId.eq(contract.uuid()));
    }
    if let Some(after) = page.after {
        select = select.filter(payment::Column::Id.gt(after));
    }
    let rows = select.order_by_asc(payment::Column::Id).limit(page.limit()).all(conn).await?;
    let (rows, next) = page.cut(rows, |row| row.id);
    Ok((rows.into_iter().map(of_row).collect::<Result<_, _>>()?, next))
}

/// The payment requests of a contract that were not given up, by month.
pub(super) async fn of_contract(conn: &Conn, contract: ContractId) -> Result<Vec<Payment>, Fault> {
    let select = payment::Entity::find()
        .filter(payment::Column::ContractId.eq(contract.uuid()))
        .filter(payment::Column::State.ne(State::Cancelled.code()));
    let rows = select.order_by_asc(payment::Column::FromDate).all(conn).await?;
    rows.into_iter().map(of_row).collect()
}

/// The payment requests of a vendor that are neither paid nor given up.
pub(super) async fn unpaid(conn: &Conn, vendor: VendorId) -> Result<Vec<Payment>, Fault> {
    let select = payment::Entity::find()
        .filter(payment::Column::VendorId.eq(vendor.uuid()))
        .filter(payment::Column::State.is_not_in([State::Cancelled.code(), State::Paid.code()]));
    let rows = select.order_by_asc(payment::Column::Id).all(conn).await?;
    rows.into_iter().map(of_row).collect()
}

/// Vendors with an unpaid request that is not held although something lent to them is late, or a rectification of its contract.
pub(super) async fn unheld(conn: &Conn, now: Instant, limit: u64) -> Result<Vec<VendorId>, Fault> {
    let unpaid_without = |cause: Cause| {
        let held = hold::Entity::find()
            .select_only()
            .column(hold::Column::PaymentRequestId)
            .filter(hold::Column::Cause.eq(cause.code()))
            .filter(hold::Column::ReleasedAt.is_null());
        payment::Entity::find()
            .select_only()
            .column(payment::Column::VendorId)
            .distinct()
            .filter(payment::Column::State.is_not_in([State::Cancelled.code(), State::Paid.code()]))
            .filter(payment::Column::Id.not_in_subquery(held.into_query()))
            .limit(limit)
    };
    let late = asset::Entity::find()
        .select_only()
        .column(asset::Column::VendorId)
        .filter(asset::Column::ReturnedDate.is_null())
        .filter(asset::Column::ReturnBy.lt(now.date()));
    let lent = unpaid_without(Cause::AssetsUnreturned).filter(payment::Column::VendorId.in_subquery(late.into_query()));
    let owed = unpaid_without(Cause::RectificationOverdue).filter(payment::Column::ContractId.in_subquery(remedy::store::overdue_contracts(now)));
    let mut found: Vec<Uuid> = lent.into_tuple().all(conn).await?;
    found.extend(owed.into_tuple::<Uuid>().all(conn).await?);
    found.sort_unstable();
    found.dedup();
    Ok(found.into_iter().map(VendorId::from).collect())
}

/// Whether a payment request of a contract has counted a day or a later one.
pub(super) async fn has_counted(conn: &Conn, contract: ContractId, day: NaiveDate) -> Result<bool, Fault> {
    let select = payment::Entity::find()
        .filter(payment::Column::ContractId.eq(contract.uuid()))
        .filter(payment::Column::State.ne(State::Cancelled.code()))
        .filter(payment::Column::ToDate.gte(day));
    Ok(select.count(conn).await? > 0)
}

/// What belongs to some payment requests.
pub(super) async fn book(conn: &Conn, payments: &[PaymentRequestId]) -> Result<Book, Fault> {
    let ids: Vec<_> = payments.iter().map(|id| id.uuid()).collect();
    let select = deduction::Entity::find().filter(deduction::Column::PaymentRequestId.is_in(ids.clone()));
    let deductions = select.order_by_asc(deduction::Column::Id).all(conn).await?;
    let select = adjustment::Entity::find().filter(adjustment::Column::PaymentRequestId.is_in(ids.clone()));
    let adjustments = select.order_by_asc(adjustment::Column::EarlierId).all(conn).await?;
    let select = hold::Entity::find().filter(hold::Column::PaymentRequestId.is_in(ids));
    let holds = select.order_by_asc(hold::Column::Id).all(conn).await?;
    Ok(Book {
        deductions: deductions.into_iter().map(of_deduction_row).collect(),
        adjustments: adjustments.into_iter().map(of_adjustment_row).collect(),
        holds: holds.into_iter().map(of_hold_row).collect::<Result<_, _>>()?,
    })
}

/// A new deduction.
pub(super) async fn insert_deduction(conn: &Conn, deduction: &Deduction) -> Result<(), Fault> {
    let row = deduction::ActiveModel {
        id: Set(deduction.id.uuid()),
        payment_request_id: Set(deduction.payment.uuid()),
        metric: Set(deduction.metric.clone()),
        basis_points: Set(deduction.basis_points),
        misses: Set(deduction.misses),
        evidence: Set(deduction.evidence.clone()),
        reason: Set(deduction.reason.clone()),
        recorder: Set(deduction.recorder.clone()),
        recorded_at: Set(deduction.recorded.micros()),
    };
    deduction::Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

/// The adjustments that other payment requests make for an earlier one; those that were given up make none.
pub(super) async fn adjusted(conn: &Conn, earlier: PaymentRequestId, but: PaymentRequestId) -> Result<Vec<Adjustment>, Fault> {
    let rows = adjustment::Entity::find()
        .filter(adjustment::Column::EarlierId.eq(earlier.uuid()))
        .filter(adjustment::Column::PaymentRequestId.ne(but.uuid()))
        .all(conn)
        .await?;
    let makers = payment::Entity::find()
        .filter(payment::Column::Id.is_in(rows.iter().map(|row| row.payment_request_id)))
        .filter(payment::Column::State.ne(State::Cancelled.code()))
        .all(conn)
        .await?;
    let live = rows.into_iter().filter(|row| makers.iter().any(|maker| maker.id == row.payment_request_id));
    Ok(live.map(of_adjustment_row).collect())
}

/// Replaces the adjustments of a payment request.
pub(super) async fn replace_adjustments(conn: &Conn, payment: PaymentRequestId, adjustments: &[Adjustment]) -> Result<(), Fault> {
    adjustment::Entity::delete_many()
        .filter(adjustment::Column::PaymentRequestId.eq(payment.uuid()))
        .exec(conn)
        .await?;
    let rows = adjustments.iter().map(|a| adjustment::ActiveModel {
        payment_request_id: Set(a.payment.uuid()),
        earlier_id: Set(a.earlier.uuid()),
        factor: Set(a.factor),
        amount: Set(a.amount),
        retained: Set(a.retained),
    });
    for row in rows {
        adjustment::Entity::insert(row).exec_without_returning(conn).await?;
    }
    Ok(())
}

/// A new hold.
pub(super) async fn insert_hold(conn: &Conn, hold: &Hold) -> Result<(), Fault> {
    hold::Entity::insert(hold_row(hold)).exec_without_returning(conn).await?;
    Ok(())
}

/// Keeps that a hold was released.
pub(super) async fn save_hold(conn: &Conn, hold: &Hold) -> Result<(), Fault> {
    let row = hold::ActiveModel {
        id: Unchanged(hold.id.uuid()),
        ..hold_row(hold)
    };
    hold::Entity::update(row).exec(conn).await?;
    Ok(())
}

fn of_rate_row(row: rate::Model) -> Result<Rate, Fault> {
    Ok(Rate {
        id: RateId::from(row.id),
        contract: ContractId::from(row.contract_id),
        basis: row.basis.parse().map_err(Fault::internal)?,
        work_kind: row.work_kind,
        unit_price: row.unit_price,
        tax: row.tax,
        from: row.from_date,
        set_by: row.set_by,
    })
}

fn asset_row(asset: &Asset) -> asset::ActiveModel {
    asset::ActiveModel {
        id: Set(asset.id.uuid()),
        vendor_id: Set(asset.vendor.uuid()),
        branch: Set(asset.branch.clone()),
        asset_no: Set(asset.asset_no.clone()),
        description: Set(asset.description.clone()),
        lent_date: Set(asset.lent),
        return_by: Set(asset.return_by),
        returned_date: Set(asset.returned),
        return_condition: Set(asset.condition.clone()),
        version: Set(asset.version),
    }
}

fn of_asset_row(row: asset::Model) -> Asset {
    Asset {
        id: AssetId::from(row.id),
        vendor: VendorId::from(row.vendor_id),
        branch: row.branch,
        asset_no: row.asset_no,
        description: row.description,
        lent: row.lent_date,
        return_by: row.return_by,
        returned: row.returned_date,
        condition: row.return_condition,
        version: row.version,
    }
}

fn row(p: &Payment) -> Result<payment::ActiveModel, Fault> {
    Ok(payment::ActiveModel {
        id: Set(p.id.uuid()),
        payment_no: Set(p.number.clone()),
        contract_id: Set(p.contract.uuid()),
        vendor_id: Set(p.vendor.uuid()),
        branch: Set(p.branch.clone()),
        from_date: Set(p.from),
        to_date: Set(p.to),
        state: Set(p.state.code().to_owned()),
        lines: Set(serde_json::to_string(&p.lines).map_err(Fault::internal)?),
        due: Set(p.amounts.due),
        factor: Set(p.amounts.factor),
        earned: Set(p.amounts.earned),
        deducted: Set(p.amounts.deducted),
        carried: Set(p.amounts.carried),
        retained: Set(p.amounts.retained),
        payable: Set(p.payable),
        invoice_no: Set(p.invoice_no.clone()),
        invoice_date: Set(p.invoice_date),
        preparer: Set(p.preparer.clone()),
        submitter: Set(p.submitter.clone()),
        approver: Set(p.approver.clone()),
        state_reason: Set(p.state_reason.clone()),
        paid_date: Set(p.paid),
        voucher_no: Set(p.voucher_no.clone()),
        version: Set(p.version),
        created_at: Set(p.created.micros()),
    })
}

fn of_row(row: payment::Model) -> Result<Payment, Fault> {
    Ok(Payment {
        id: PaymentRequestId::from(row.id),
        number: row.payment_no,
        contract: ContractId::from(row.contract_id),
        vendor: VendorId::from(row.vendor_id),
        branch: row.branch,
        from: row.from_date,
        to: row.to_date,
        state: row.state.parse().map_err(Fault::internal)?,
        lines: serde_json::from_str(&row.lines).map_err(Fault::internal)?,
        amounts: Amounts {
            due: row.due,
            factor: row.factor,
            earned: row.earned,
            deducted: row.deducted,
            carried: row.carried,
            retained: row.retained,
            own: row.earned.saturating_sub(row.deducted).saturating_sub(row.retained),
        },
        payable: row.payable,
        invoice_no: row.invoice_no,
        invoice_date: row.invoice_date,
        preparer: row.preparer,
        submitter: row.submitter,
        approver: row.approver,
        state_reason: row.state_reason,
        paid: row.paid_date,
        voucher_no: row.voucher_no,
        version: row.version,
        created: Instant::from_micros(row.created_at),
    })
}

fn of_deduction_row(row: deduction::Model) -> Deduction {
    Deduction {
        id: DeductionId::from(row.id),
        payment: PaymentRequestId::from(row.payment_request_id),
        metric: row.metric,
        basis_points: row.basis_points,
        misses: row.misses,
        evidence: row.evidence,
        reason: row.reason,
        recorder: row.recorder,
        recorded: Instant::from_micros(row.recorded_at),
    }
}

fn of_adjustment_row(row: adjustment::Model) -> Adjustment {
    Adjustment {
        payment: PaymentRequestId::from(row.payment_request_id),
        earlier: PaymentRequestId::from(row.earlier_id),
        factor: row.factor,
        amount: row.amount,
        retained: row.retained,
    }
}

fn hold_row(hold: &Hold) -> hold::ActiveModel {
    hold::ActiveModel {
        id: Set(hold.id.uuid()),
        payment_request_id: Set(hold.payment.uuid()),
        cause: Set(hold.cause.code().to_owned()),
        reason: Set(hold.reason.clone()),
        placed_by: Set(hold.placed_by.clone()),
        placed_at: Set(hold.placed.micros()),
        released_at: Set(hold.released.as_ref().map(|(at, _)| at.micros())),
        released_by: Set(hold.released.as_ref().map(|(_, by)| by.clone())),
        release_reason: Set(hold.release_reason.clone()),
    }
}

fn of_hold_row(row: hold::Model) -> Result<Hold, Fault> {
    Ok(Hold {
        id: HoldId::from(row.id),
        payment: PaymentRequestId::from(row.payment_request_id),
        cause: row.cause.parse().map_err(Fault::internal)?,
        reason: row.reason,
        placed_by: row.placed_by,
        placed: Instant::from_micros(row.placed_at),
        released: row.released_at.map(Instant::from_micros).zip(row.released_by),
        release_reason: row.release_reason,
    })
}
