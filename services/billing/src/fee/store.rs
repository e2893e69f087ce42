//! Tables of fee items.

use calendar::{Instant, NaiveDate};
use contracts::hearth::billing::v1 as proto;
use database::Conn;
use money::UnitPrice;
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::model::state_on;
use crate::{ledger::store::instant, table};

table!(fee_item, "fee_item", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    code: String,
    version: i32,
    name: String,
    unit: String,
    price: i64,
    legal_basis: String,
    approving_body: String,
    from_date: Date,
    until_date: Option<Date>,
    customer_classes: String,
    published_by: String,
    created_at: i64,
    revision: i64,
});

impl fee_item::Model {
    /// Classes of customers that it applies to; none for all.
    pub fn classes(&self) -> Vec<&str> {
        self.customer_classes.lines().collect()
    }

    /// Day on which it was published; no service before it is charged.
    pub fn publish_date(&self) -> NaiveDate {
        Instant::from_micros(self.created_at).date()
    }

    /// Yuan a unit.
    pub const fn price(&self) -> UnitPrice {
        UnitPrice::from_micros(self.price)
    }
}

/// Versions of an item, the first one first.
pub async fn versions(conn: &Conn, code: &str) -> Result<Vec<fee_item::Model>, Fault> {
    Ok(fee_item::Entity::find()
        .filter(fee_item::Column::Code.eq(code))
        .order_by_asc(fee_item::Column::Version)
        .all(conn)
        .await?)
}

/// A version.
pub async fn one(conn: &Conn, id: Uuid) -> Result<fee_item::Model, Fault> {
    fee_item::Entity::find_by_id(id)
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("fee item", id))
}

/// A page of versions.
pub async fn list(conn: &Conn, page: &Page, code: &str, on: Option<NaiveDate>, today: NaiveDate) -> Result<(Vec<proto::FeeItem>, String), Fault> {
    let mut select = fee_item::Entity::find().order_by_asc(fee_item::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(fee_item::Column::Id.gt(after));
    }
    if !code.is_empty() {
        select = select.filter(fee_item::Column::Code.eq(code));
    }
    if let Some(day) = on {
        let open = Condition::any()
            .add(fee_item::Column::UntilDate.is_null())
            .add(fee_item::Column::UntilDate.gt(day));
        select = select.filter(fee_item::Column::FromDate.lte(day)).filter(open);
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((rows.iter().map(|row| message(row, today)).collect(), next))
}

/// The message of a version.
pub fn message(row: &fee_item::Model, today: NaiveDate) -> proto::FeeItem {
    proto::FeeItem {
        fee_item_id: row.id.to_string(),
        code: row.code.clone(),
        version: row.version,
        name: row.name.clone(),
        unit: row.unit.clone(),
        price: Some(wire::decimal(row.price().short())),
        legal_basis: row.legal_basis.clone(),
        approving_body: row.approving_body.clone(),
        from_date: Some(wire::date(row.from_date)),
        until_date: row.until_date.map(wire::date),
        customer_classes: row.classes().into_iter().map(str::to_owned).collect(),
        state: state_on(row.from_date, row.until_date, today).number(),
        publish_time: Some(instant(row.created_at)),
        etag: rpc::etag(row.id, row.revision),
    }
}
