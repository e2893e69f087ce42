//! Publication of tariffs.

use std::collections::HashSet;

use calendar::NaiveDate;
use contracts::hearth::{
    billing::v1::{
        HeatClass, HeatMeteredPrice, HouseholdUplift, PublishHeatTariffRequest, PublishHeatTariffResponse, PublishTariffRequest, PublishTariffResponse,
        TariffClass,
    },
    r#type::v1::Date,
};
use database::{Begun, Write};
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{
    heat::{EnergyUnit, HeatTerms, MeteredTerms, SettlementRule, SurchargeTerms},
    model::{BoundaryWord, LowIncomeWord, Terms, TierTerms, UpliftTerms, rests_on_notice},
    store::{self, price, tariff},
};
use crate::{Desk, Refusal, table};

/// PublishTariff.
pub async fn publish(desk: Desk, call: Call, request: PublishTariffRequest) -> Result<PublishTariffResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (from, until) = range(request.from_date.as_ref(), request.until_date.as_ref())?;
    let published = wire::date_if(request.published_date.as_ref(), "published_date")?;
    let published = rests_on_notice(&request.legal_basis, &request.approved_by, published).map_err(|r| Fault::from(r).field("legal_basis"))?;
    let row = tariff::Model {
        id: Uuid::now_v7(),
        name: request.name.clone(),
        commodity: request.commodity.clone(),
        from_date: from,
        until_date: until,
        legal_basis: request.legal_basis.clone(),
        approved_by: request.approved_by.clone(),
        published_date: published,
        year_start_month: request.tier_year_start_month,
        year_start_day: request.tier_year_start_day,
        boundary: BoundaryWord::of_number(request.boundary)
            .unwrap_or(BoundaryWord::ReadingCycle)
            .code()
            .to_owned(),
        created_at: write.now().micros(),
    };
    let prices = classes(&row, &request.classes)?;
    if let Some(before) = &request.follows_tariff_id {
        end(&write, wire::id_of("follows_tariff_id", before)?, from).await?;
    }
    table::insert::<tariff::Entity>(&*write, row.clone()).await?;
    table::insert_all::<price::Entity>(&*write, prices.clone()).await?;
    write.subject(row.id);
    write
        .commit(PublishTariffResponse {
            tariff: Some(store::message(&row, &prices)?),
        })
        .await
}

/// First day, and the first day that is not covered any more.
fn range(from: Option<&Date>, until: Option<&Date>) -> Result<(NaiveDate, Option<NaiveDate>), Fault> {
    let from = wire::date_of(from, "from_date")?;
    let until = wire::date_if(until, "until_date")?;
    if until.is_some_and(|until| until <= from) {
        return Err(Fault::from(Refusal::DateOrder).field("until_date"));
    }
    Ok((from, until))
}

/// PublishHeatTariff.
pub async fn publish_heat(desk: Desk, call: Call, request: PublishHeatTariffRequest) -> Result<PublishHeatTariffResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (from, until) = range(request.from_date.as_ref(), request.until_date.as_ref())?;
    let published = wire::date_if(request.published_date.as_ref(), "published_date")?;
    let published = rests_on_notice(&request.legal_basis, &request.approved_by, published).map_err(|r| Fault::from(r).field("legal_basis"))?;
    let row = tariff::Model {
        id: Uuid::now_v7(),
        name: request.name.clone(),
        commodity: store::HEAT.to_owned(),
        from_date: from,
        until_date: until,
        legal_basis: request.legal_basis.clone(),
        approved_by: request.approved_by.clone(),
        published_date: published,
        // Heat has seasons and no tier year; the columns keep the calendar year.
        year_start_month: 1,
        year_start_day: 1,
        boundary: BoundaryWord::ReadingCycle.code().to_owned(),
        created_at: write.now().micros(),
    };
    let prices = heat_classes(&row, &request.classes)?;
    if let Some(before) = &request.follows_tariff_id {
        end(&write, wire::id_of("follows_tariff_id", before)?, from).await?;
    }
    table::insert::<tariff::Entity>(&*write, row.clone()).await?;
    table::insert_all::<price::Entity>(&*write, prices.clone()).await?;
    write.subject(row.id);
    write
        .commit(PublishHeatTariffResponse {
            tariff: Some(store::message(&row, &prices)?),
        })
        .await
}

fn heat_classes(tariff: &tariff::Model, classes: &[HeatClass]) -> Result<Vec<price::Model>, Fault> {
    let mut names = HashSet::new();
    let mut rows = vec![];
    for (at, class) in classes.iter().enumerate() {
        let field = |name: &str| format!("classes[{at}].{name}");
        if !names.insert(class.use_class.as_str()) {
            return Err(Fault::from(Refusal::ClassTwice).field(field("use_class")));
        }
        let terms = HeatTerms {
            area: wire::decimal_of(class.area_price.as_ref(), &field("area_price"))?,
            months: class.months,
            metered: class.metered.as_ref().map(|m| metered(m, &field("metered"))).transpose()?,
            surcharge: class.height_surcharge.as_ref().map(|s| SurchargeTerms {
                above: s.above_metres.as_ref().map(|d| d.value.clone()).unwrap_or_default(),
                percent: s.percent_per_metre.as_ref().map(|d| d.value.clone()).unwrap_or_default(),
            }),
        };
        terms.class(&class.use_class).map_err(|r| Fault::from(r).field(field("area_price")))?;
        terms.surcharge().map_err(|r| Fault::from(r).field(field("height_surcharge")))?;
        rows.push(price::Model {
            id: Uuid::now_v7(),
            tariff_id: tariff.id,
            commodity: tariff.commodity.clone(),
            use_class: class.use_class.clone(),
            from_date: tariff.from_date,
            until_date: tariff.until_date,
            terms: serde_json::to_string(&terms).map_err(Fault::internal)?,
        });
    }
    Ok(rows)
}

fn metered(message: &HeatMeteredPrice, field: &str) -> Result<MeteredTerms, Fault> {
    let word = |code: Option<&'static str>| code.map(str::to_owned).ok_or_else(|| Fault::from(Refusal::HeatPrice).field(field.to_owned()));
    Ok(MeteredTerms {
        base: wire::decimal_of(message.base_price.as_ref(), field)?,
        energy: wire::decimal_of(message.energy_price.as_ref(), field)?,
        unit: word(EnergyUnit::of_number(message.unit).map(EnergyUnit::code))?,
        settlement: word(SettlementRule::of_number(message.settlement).map(SettlementRule::code))?,
    })
}

fn classes(tariff: &tariff::Model, classes: &[TariffClass]) -> Result<Vec<price::Model>, Fault> {
    let mut names = HashSet::new();
    let mut rows = vec![];
    for (at, class) in classes.iter().enumerate() {
        let field = |name: &str| format!("classes[{at}].{name}");
        if !names.insert(class.use_class.as_str()) {
            return Err(Fault::from(Refusal::ClassTwice).field(field("use_class")));
        }
        let mut tiers = vec![];
        for tier in &class.tiers {
            let up_to = tier.up_to.as_ref().map(|d| wire::decimal_of(Some(d), &field("tiers"))).transpose()?;
            tiers.push(TierTerms {
                up_to,
                price: wire::decimal_of(tier.unit_price.as_ref(), &field("tiers"))?,
            });
        }
        let uplift = class.household.as_ref().map(|u| uplift(u, &field("household"))).transpose()?;
        let terms = Terms {
            tiers,
            low_income: LowIncomeWord::of_number(class.low_income).map(|w| w.code().to_owned()),
            uplift,
        };
        tariff
            .version()?
            .tariff(&class.use_class, &terms)
            .map_err(|r| Fault::from(r).field(field("tiers")))?;
        rows.push(price::Model {
            id: Uuid::now_v7(),
            tariff_id: tariff.id,
            commodity: tariff.commodity.clone(),
            use_class: class.use_class.clone(),
            from_date: tariff.from_date,
            until_date: tariff.until_date,
            terms: serde_json::to_string(&terms).map_err(Fault::internal)?,
        });
    }
    Ok(rows)
}

fn uplift(message: &HouseholdUplift, field: &str) -> Result<UpliftTerms, Fault> {
    let from_persons = u16::try_from(message.from_persons).map_err(|_| Fault::invalid(field, "TIERS", "the number of persons is out of range"))?;
    Ok(UpliftTerms {
        from_persons,
        plus: wire::decimal_of(message.plus.as_ref(), field)?,
        per_person: message.per_person,
    })
}

/// Ends the version that a new one follows.
async fn end(write: &Write, id: Uuid, day: NaiveDate) -> Result<(), Fault> {
    let before = tariff::Entity::find_by_id(id)
        .lock_exclusive()
        .one(&**write)
        .await?
        .ok_or_else(|| Fault::not_found("tariff", id))?;
    if before.until_date.is_some() || before.from_date >= day {
        return Err(Refusal::TariffNotOpen.into());
    }
    price::Entity::update_many()
        .col_expr(price::Column::UntilDate, Some(day).into())
        .filter(price::Column::TariffId.eq(id))
        .exec(&**write)
        .await?;
    tariff::Entity::update_many()
        .col_expr(tariff::Column::UntilDate, Some(day).into())
        .filter(tariff::Column::Id.eq(id))
        .exec(&**write)
        .await?;
    Ok(())
}
