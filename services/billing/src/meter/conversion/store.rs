//! Table of conversions.

use calendar::Instant;
use contracts::hearth::billing::v1 as proto;
use database::{Conn, Scope, Scoped, find};
use money::{Area, UnitPrice, Volume};
use rating::Factor;
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::model::Conversion;
use crate::{
    fetch::{self, row},
    table,
};

table!(conversion, "conversion", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    installation_id: Uuid,
    meter_no: String,
    branch: String,
    from_date: Date,
    gauge_pressure: i64,
    air_pressure: i64,
    temperature: i64,
    compressibility: i64,
    factor: i64,
    basis: String,
    recorded_by: String,
    live: bool,
    created_at: i64,
});
row!(
    /// What counts of a conversion.
    Found,
    {
        installation_id: Uuid,
        from_date: calendar::NaiveDate,
        factor: i64,
    }
);

impl Scoped for conversion::Entity {
    const BRANCH: Option<conversion::Column> = Some(conversion::Column::Branch);
}

/// What holds at installations, oldest first.
pub async fn of(conn: &Conn, installations: impl IntoIterator<Item = Uuid>) -> Result<Vec<Conversion>, Fault> {
    let select = conversion::Entity::find()
        .filter(table::among(conn, conversion::Column::InstallationId, installations))
        .filter(conversion::Column::Live.eq(true));
    let found: Vec<Found> = fetch::all(conn, select).await?;
    let mut found: Vec<_> = found
        .into_iter()
        .map(|row| Conversion {
            install: row.installation_id,
            from: row.from_date,
            factor: Factor::from_hundred_thousandths(row.factor),
        })
        .collect();
    found.sort_unstable_by_key(|c| (c.install, c.from));
    Ok(found)
}

/// A page of what holds or was replaced at a meter.
pub async fn list(conn: &Conn, scope: &Scope, page: &Page, meter_no: &str) -> Result<(Vec<proto::Conversion>, String), Fault> {
    let mut select = find::<conversion::Entity>(scope)
        .filter(conversion::Column::MeterNo.eq(meter_no))
        .order_by_asc(conversion::Column::Id)
        .limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(conversion::Column::Id.gt(after));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |row| row.id);
    Ok((rows.iter().map(message).collect(), next))
}

/// The message of a conversion.
pub fn message(row: &conversion::Model) -> proto::Conversion {
    let kilopascal = |pascal| wire::decimal(Volume::from_litres(pascal).short());
    proto::Conversion {
        conversion_id: row.id.to_string(),
        installation_id: row.installation_id.to_string(),
        meter_no: row.meter_no.clone(),
        from_date: Some(wire::date(row.from_date)),
        gauge_pressure: Some(kilopascal(row.gauge_pressure)),
        air_pressure: Some(kilopascal(row.air_pressure)),
        temperature: Some(wire::decimal(Area::from_hundredths(row.temperature).short())),
        compressibility: Some(wire::decimal(UnitPrice::from_micros(row.compressibility).short())),
        // A factor has one place less than a price.
        factor: Some(wire::decimal(UnitPrice::from_micros(row.factor.saturating_mul(10)).short())),
        basis: row.basis.clone(),
        recorded_by: row.recorded_by.clone(),
        create_time: Some(wire::time(Instant::from_micros(row.created_at))),
        replaced: !row.live,
    }
}
