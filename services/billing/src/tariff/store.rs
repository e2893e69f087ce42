//! Tables of tariffs.

use database::{Conn, Write};
use std::{collections::HashMap, sync::Arc};

use calendar::{Instant, NaiveDate};
use contracts::hearth::billing::v1 as proto;
use money::UnitPrice;
use rating::{Change, DegreeDays};
use rpc::{Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{
    heat::{EnergyUnit, HeatBook, HeatPrice, HeatTerms, SettlementRule},
    model::{
        Books, BoundaryWord, ChangeWord, DestinationWord, LateUse, LateUseTerms, LowIncomeWord, ModeWord, PerWord, RoundingTerms, Rules, StandingTerms, Terms,
        TieringWord, Version,
    },
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
    change_mode: Option<String>,
    rules: Option<String>,
    replaced_by: Option<Uuid>,
    /// Whose prices it has; empty for all.
    branch: String,
});
table!(price, "tariff_price", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    tariff_id: Uuid,
    commodity: String,
    use_class: String,
    from_date: Date,
    until_date: Option<Date>,
    terms: String,
    replaced: bool,
    branch: String,
});
table!(degree_day, "degree_day", {
    #[sea_orm(primary_key, auto_increment = false)] branch: String,
    #[sea_orm(primary_key, auto_increment = false)] date: Date,
    tenths: i32,
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
            change: self.change()?,
            rules: self.rules()?,
        })
    }

    fn change(&self) -> Result<ChangeWord, Fault> {
        match &self.change_mode {
            None => Ok(ChangeWord::DaySplit),
            Some(code) => known(ChangeWord::of(code), code),
        }
    }

    fn rules(&self) -> Result<Rules, Fault> {
        self.rules
            .as_deref()
            .map_or_else(|| Ok(Rules::default()), |text| serde_json::from_str(text).map_err(Fault::internal))
    }
}

/// A version.
pub async fn one(conn: &Conn, id: Uuid) -> Result<tariff::Model, Fault> {
    tariff::Entity::find_by_id(id).one(conn).await?.ok_or_else(|| Fault::not_found("tariff", id))
}

/// A version of a commodity, locked.
pub async fn locked(write: &Write, commodity: &str, id: Uuid) -> Result<tariff::Model, Fault> {
    tariff::Entity::find_by_id(id)
        .filter(tariff::Column::Commodity.eq(commodity))
        .lock_exclusive()
        .one(&**write)
        .await?
        .ok_or_else(|| Fault::not_found("tariff", id))
}

/// The version in force in the place of a wrong one, locked with those between: what replaced it may have been wrong as well. None where it counts.
pub async fn in_place_of(write: &Write, wrong: tariff::Model) -> Result<Option<Uuid>, Fault> {
    let mut last = wrong;
    let first = last.id;
    while let Some(next) = last.replaced_by {
        last = locked(write, &last.commodity, next).await?;
    }
    Ok((last.id != first).then_some(last.id))
}

/// What holds for use that became known late of what gas versions billed: what they say, or what the versions say that stand in the places of wrong ones.
pub async fn late_uses(conn: &Conn) -> Result<HashMap<Uuid, LateUse>, Fault> {
    let rows = tariff::Entity::find().filter(tariff::Column::Commodity.eq(GAS)).all(conn).await?;
    let by_id: HashMap<Uuid, &tariff::Model> = rows.iter().map(|row| (row.id, row)).collect();
    let mut uses = HashMap::new();
    for row in &rows {
        let mut last = row;
        while let Some(next) = last.replaced_by.and_then(|id| by_id.get(&id).copied()) {
            last = next;
        }
        uses.insert(row.id, last.rules()?.late_use()?);
    }
    Ok(uses)
}

/// Prices of tariffs, by class in the order of publication.
pub async fn prices(conn: &Conn, tariffs: &[Uuid]) -> Result<Vec<price::Model>, Fault> {
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
pub async fn heat_book(conn: &Conn) -> Result<HeatBook, Fault> {
    let tariffs = tariff::Entity::find().filter(tariff::Column::Commodity.eq(HEAT)).all(conn).await?;
    let mut rules = HashMap::new();
    for tariff in tariffs {
        rules.insert(tariff.id, tariff.rules()?);
    }
    let rows = price::Entity::find()
        .filter(price::Column::Commodity.eq(HEAT))
        .filter(price::Column::Replaced.eq(false))
        .all(conn)
        .await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        all.push(HeatPrice {
            tariff_id: row.tariff_id,
            terms: heat_terms(&row)?,
            rules: rules.get(&row.tariff_id).cloned().unwrap_or_default(),
            branch: row.branch,
            class: row.use_class,
            from: row.from_date,
            until: row.until_date,
        });
    }
    Ok(HeatBook::new(all))
}

/// All prices of gas, for a run.
pub async fn books(conn: &Conn) -> Result<Books, Fault> {
    let tariffs = tariff::Entity::find().filter(tariff::Column::Commodity.eq(GAS)).all(conn).await?;
    let rows = prices(conn, &tariffs.iter().map(|t| t.id).collect::<Vec<_>>()).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(tariff) = tariffs.iter().find(|t| t.id == row.tariff_id).filter(|_| !row.replaced) else {
            continue;
        };
        let version = Version {
            from: row.from_date,
            ..tariff.version()?
        };
        let price = version.price(row.tariff_id, &row.use_class, row.until_date, &terms(&row)?)?;
        all.push((row.branch, price));
    }
    Books::new(all).map_err(Fault::internal)
}

/// Degree days by branch between two days, both included; nothing where no version shares by them.
pub async fn degree_days(conn: &Conn, books: &Books, first: NaiveDate, last: NaiveDate) -> Result<HashMap<String, Arc<DegreeDays>>, Fault> {
    let shares = |version: &rating::Version| version.tariff.change == Change::DegreeDays && (first..=last).contains(&version.from);
    if !books.any(|book| book.versions().iter().any(shares)) {
        return Ok(HashMap::new());
    }
    let rows = degree_day::Entity::find()
        .filter(degree_day::Column::Date.between(first, last))
        .all(conn)
        .await?;
    let mut days: HashMap<String, Vec<(NaiveDate, u32)>> = HashMap::new();
    for row in rows {
        days.entry(row.branch).or_default().push((row.date, row.tenths.unsigned_abs()));
    }
    Ok(days.into_iter().map(|(branch, days)| (branch, Arc::new(DegreeDays::new(days)))).collect())
}

/// The prices of a row.
pub fn terms(row: &price::Model) -> Result<Terms, Fault> {
    serde_json::from_str(&row.terms).map_err(Fault::internal)
}

fn heat_terms(row: &price::Model) -> Result<HeatTerms, Fault> {
    serde_json::from_str(&row.terms).map_err(Fault::internal)
}

fn heat_class(row: &price::Model) -> Result<proto::HeatClass, Fault> {
    let terms = heat_terms(row)?;
    let decimal = |price: UnitPrice| Some(wire::decimal(price.short()));
    Ok(proto::HeatClass {
        standing_charges: terms.standing.iter().map(standing).collect(),
        rounding: terms.rounding.as_ref().map(rounding),
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
        classes.push(class(&price.use_class, &terms(price)?));
    }
    let rules = row.rules()?;
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
        change: row.change()?.number(),
        closing_reading: rules.closing.map(|closing| proto::ClosingReading {
            odd_month: closing.odd_month.into(),
            even_month: closing.even_month.into(),
        }),
        rounding: rules.rounding.as_ref().map(rounding),
        tax_percent: rules.tax_percent.map(wire::decimal),
        tax_included: rules.tax_included,
        tax_rounding: rules.tax_rounding.as_ref().map(rounding),
        late_use: rules.late_use.as_ref().map(late_use),
        replaced_by_tariff_id: row.replaced_by.map(|id| id.to_string()).unwrap_or_default(),
        branch: row.branch.clone(),
    })
}

/// The message of the prices of a class of gas.
pub fn class(name: &str, terms: &Terms) -> proto::TariffClass {
    let decimal = |price: UnitPrice| Some(wire::decimal(price.short()));
    let low_income = |code: &Option<String>| code.as_deref().and_then(LowIncomeWord::of).map_or(0, LowIncomeWord::number);
    let tiers = terms.tiers.iter().map(|t| proto::Tier {
        up_to: t.up_to.map(|v| wire::decimal(v.short())),
        unit_price: decimal(t.price),
        flat_price: t.flat.and_then(decimal),
    });
    let units = terms.units.iter().map(|u| proto::UnitCharge {
        price: decimal(u.price),
        rounding: u.rounding.as_ref().map(rounding),
    });
    proto::TariffClass {
        use_class: name.to_owned(),
        tiers: tiers.collect(),
        low_income: low_income(&terms.low_income),
        household: terms.uplift.map(|u| proto::HouseholdUplift {
            from_persons: i32::from(u.from_persons),
            plus: Some(wire::decimal(u.plus.short())),
            per_person: u.per_person,
            first_tier_only: u.first_tier_only,
            full_year: u.full_year,
        }),
        tiering: terms.tiering.as_deref().and_then(TieringWord::of).map_or(0, TieringWord::number),
        standing_charges: terms.standing.iter().map(standing).collect(),
        flat_price_choice: terms.choice.map(|c| proto::FlatPriceChoice {
            from_persons: i32::from(c.from_persons),
            unit_price: decimal(c.price),
        }),
        meters_share_tiers: terms.meters_share_tiers,
        free_volume: terms.free.map(|f| proto::FreeVolume {
            per_month: Some(wire::decimal(f.per_month.short())),
            all_low_income: f.all_low_income,
            after_year: f.after_year,
        }),
        rounding: terms.rounding.as_ref().map(rounding),
        destitute: low_income(&terms.destitute),
        unit_charges: units.collect(),
        months_open: terms.months_open,
    }
}

fn standing(terms: &StandingTerms) -> proto::StandingCharge {
    proto::StandingCharge {
        price: Some(wire::decimal(terms.price.short())),
        per: PerWord::of(&terms.per).map_or(0, PerWord::number),
        rounding: terms.rounding.as_ref().map(rounding),
    }
}

fn late_use(terms: &LateUseTerms) -> proto::LateUse {
    proto::LateUse {
        look_back_months: terms.look_back_months.and_then(|months| i32::try_from(months).ok()),
        tolerance: terms.tolerance.map(|v| wire::decimal(v.short())),
        destination: terms.destination.as_deref().and_then(DestinationWord::of).map_or(0, DestinationWord::number),
    }
}

fn rounding(terms: &RoundingTerms) -> proto::Rounding {
    proto::Rounding {
        mode: ModeWord::of(&terms.mode).map_or(0, ModeWord::number),
        place: Some(wire::decimal(terms.place.short())),
    }
}
