//! Tables of tariffs.

use std::sync::Arc;

use calendar::Instant;
use contracts::hearth::billing::v1 as proto;
use rpc::{Fault, wire};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{
    heat::{EnergyUnit, HeatBook, HeatPrice, HeatTerms, SettlementRule},
    model::{Book, BoundaryWord, LowIncomeWord, Price, Terms, Version},
};
use crate::{table, words::known};

table!(tariff, "tariff", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    name: String,
    commodity: String,
    from_date: Date,
    until_date: Option<Date>,
    legal_basis: String,
    approved_by: String,
    published_date: Date,
    year_start_month: i32,
    year_start_day: i32,
    boundary: String,
    created_at: i64,
});
table!(price, "tariff_price", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    tariff_id: Uuid,
    commodity: String,
    use_class: String,
    from_date: Date,
    until_date: Option<Date>,
    terms: String,
});

impl tariff::Model {
    /// What it says besides its prices.
    pub fn version(&self) -> Result<Version, Fault> {
        Ok(Version {
            name: self.name.clone(),
            from: self.from_date,
            legal_basis: self.legal_basis.clone(),
            approved_by: self.approved_by.clone(),
            year_start: (self.year_start_month.unsigned_abs(), self.year_start_day.unsigned_abs()),
            boundary: known(BoundaryWord::of(&self.boundary), &self.boundary)?,
        })
    }
}

/// Prices of tariffs, by class in the order of publication.
pub async fn prices(conn: &impl ConnectionTrait, tariffs: &[Uuid]) -> Result<Vec<price::Model>, Fault> {
    Ok(price::Entity::find()
        .filter(price::Column::TariffId.is_in(tariffs.iter().copied()))
        .order_by_asc(price::Column::Id)
        .all(conn)
        .await?)
}

/// What gas tariffs sell.
pub const GAS: &str = "natural_gas";
/// What heat tariffs sell.
pub const HEAT: &str = "heat";

/// All prices of heat, for a run.
pub async fn heat_book(conn: &impl ConnectionTrait) -> Result<HeatBook, Fault> {
    let rows = price::Entity::find().filter(price::Column::Commodity.eq(HEAT)).all(conn).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        all.push(HeatPrice {
            tariff_id: row.tariff_id,
            terms: heat_terms(&row)?,
            class: row.use_class,
            from: row.from_date,
            until: row.until_date,
        });
    }
    Ok(HeatBook::new(all))
}

/// All prices of gas, for a run.
pub async fn book(conn: &impl ConnectionTrait) -> Result<Book, Fault> {
    let tariffs = tariff::Entity::find().filter(tariff::Column::Commodity.eq(GAS)).all(conn).await?;
    let rows = prices(conn, &tariffs.iter().map(|t| t.id).collect::<Vec<_>>()).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(tariff) = tariffs.iter().find(|t| t.id == row.tariff_id) else {
            continue;
        };
        let tariff = tariff.version()?.tariff(&row.use_class, &terms(&row)?)?;
        all.push(Price {
            tariff_id: row.tariff_id,
            class: row.use_class,
            from: row.from_date,
            until: row.until_date,
            tariff: Arc::new(tariff),
        });
    }
    Ok(Book::new(all))
}

fn terms(row: &price::Model) -> Result<Terms, Fault> {
    serde_json::from_str(&row.terms).map_err(Fault::internal)
}

fn heat_terms(row: &price::Model) -> Result<HeatTerms, Fault> {
    serde_json::from_str(&row.terms).map_err(Fault::internal)
}

fn heat_class(row: &price::Model) -> Result<proto::HeatClass, Fault> {
    let terms = heat_terms(row)?;
    let decimal = |price: money::UnitPrice| Some(wire::decimal(price.short()));
    Ok(proto::HeatClass {
        use_class: row.use_class.clone(),
        area_price: decimal(terms.area),
        months: terms.months,
        metered: terms.metered.map(|m| proto::HeatMeteredPrice {
            base_price: decimal(m.base),
            energy_price: decimal(m.energy),
            unit: m.unit().map_or(0, EnergyUnit::number),
            settlement: m.settlement().map_or(0, SettlementRule::number),
        }),
        height_surcharge: terms.surcharge.map(|s| proto::HeightSurcharge {
            above_metres: Some(wire::decimal(s.above)),
            percent_per_metre: Some(wire::decimal(s.percent)),
        }),
    })
}

/// The message of a version; `prices` may hold those of others too.
pub fn message(row: &tariff::Model, prices: &[price::Model]) -> Result<proto::Tariff, Fault> {
    let (mut classes, mut heat_classes) = (vec![], vec![]);
    for price in prices.iter().filter(|p| p.tariff_id == row.id) {
        if price.commodity == HEAT {
            heat_classes.push(heat_class(price)?);
            continue;
        }
        let terms = terms(price)?;
        let tiers = terms.tiers.iter().map(|t| proto::Tier {
            up_to: t.up_to.map(|v| wire::decimal(v.short())),
            unit_price: Some(wire::decimal(t.price.short())),
        });
        classes.push(proto::TariffClass {
            use_class: price.use_class.clone(),
            tiers: tiers.collect(),
            low_income: terms.low_income.as_deref().and_then(LowIncomeWord::of).map_or(0, LowIncomeWord::number),
            household: terms.uplift.map(|u| proto::HouseholdUplift {
                from_persons: i32::from(u.from_persons),
                plus: Some(wire::decimal(u.plus.short())),
                per_person: u.per_person,
            }),
        });
    }
    Ok(proto::Tariff {
        tariff_id: row.id.to_string(),
        name: row.name.clone(),
        commodity: row.commodity.clone(),
        from_date: Some(wire::date(row.from_date)),
        until_date: row.until_date.map(wire::date),
        legal_basis: row.legal_basis.clone(),
        approved_by: row.approved_by.clone(),
        published_date: Some(wire::date(row.published_date)),
        tier_year_start_month: row.year_start_month,
        tier_year_start_day: row.year_start_day,
        boundary: known(BoundaryWord::of(&row.boundary), &row.boundary)?.number(),
        classes,
        create_time: Some(wire::time(Instant::from_micros(row.created_at))),
        heat_classes,
    })
}
