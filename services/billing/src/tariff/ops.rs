//! Publication of tariffs.

use std::collections::{BTreeMap, HashMap, HashSet};

use calendar::NaiveDate;
use contracts::hearth::{
    billing::v1::{
        self as proto, HeatClass, HeatMeteredPrice, HouseholdUplift, PublishHeatTariffRequest, PublishHeatTariffResponse, PublishTariffRequest,
        PublishTariffResponse, RecordDegreeDaysRequest, RecordDegreeDaysResponse, TariffClass,
    },
    r#type::v1::{Date, Decimal},
};
use database::{Begun, Write};
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    heat::{EnergyUnit, HeatTerms, MeteredTerms, SettlementRule, SurchargeTerms},
    model::{
        BoundaryWord, ChangeWord, ChoiceTerms, ClosingTerms, DestinationWord, FreeTerms, LateUseTerms, LowIncomeWord, ModeWord, PerWord, RoundingTerms, Rules,
        StandingTerms, Terms, TierTerms, TieringWord, UnitTerms, UpliftTerms, Version, rests_on_notice,
    },
    store::{self, degree_day, price, tariff},
};
use crate::{
    Desk, Refusal,
    heat::store as seasons,
    rerating::store::{self as reratings, rerating},
    table,
};

/// PublishTariff.
pub async fn publish(desk: Desk, call: Call, request: PublishTariffRequest) -> Result<PublishTariffResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (from, until) = range(request.from_date.as_ref(), request.until_date.as_ref())?;
    let published = wire::date_if(request.published_date.as_ref(), "published_date")?;
    let published = rests_on_notice(&request.legal_basis, &request.approved_by, published).map_err(|r| Fault::from(r).field("legal_basis"))?;
    let replaced = match &request.replaces_tariff_id {
        Some(id) => Some(replaced(&write, (store::GAS, &request.branch), wire::id_of("replaces_tariff_id", id)?, from).await?),
        None => None,
    };
    // Half of its bills would come to one price and half to another.
    if let Some(before) = &replaced
        && reratings::goes_on(&write, rerating::Column::ReplacementId, before.id).await?
    {
        return Err(Refusal::ReratingRunning.into());
    }
    let rules = Rules {
        closing: closing(request.closing_reading.as_ref()),
        rounding: rounding(request.rounding.as_ref(), "rounding")?,
        tax_percent: request.tax_percent.as_ref().map(|percent| percent.value.clone()),
        tax_included: request.tax_included,
        tax_rounding: rounding(request.tax_rounding.as_ref(), "tax_rounding")?,
        late_use: late_use(request.late_use.as_ref())?,
    };
    rules.late_use().map_err(|r| Fault::from(r).field("late_use"))?;
    let row = tariff::Model {
        id: Uuid::now_v7(),
        name: request.name.clone(),
        commodity: request.commodity.clone(),
        from_date: from,
        until_date: until.or(replaced.as_ref().and_then(|before| before.until_date)),
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
        change_mode: ChangeWord::of_number(request.change).map(|word| word.code().to_owned()),
        rules: kept(&rules)?,
        replaced_by: None,
        branch: request.branch.clone(),
    };
    let prices = classes(&row.version()?, &request.classes)?
        .into_iter()
        .map(|(class, terms)| priced(&row, class, &terms))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(before) = &request.follows_tariff_id {
        end(&write, (store::GAS, &request.branch), wire::id_of("follows_tariff_id", before)?, from).await?;
    }
    if let Some(before) = replaced {
        replace(&write, before.id, row.id).await?;
    }
    table::insert::<tariff::Entity>(&write, row.clone()).await?;
    table::insert_all::<price::Entity>(&write, prices.clone()).await?;
    write.subject(row.id);
    write
        .commit(PublishTariffResponse {
            tariff: Some(store::message(&row, &prices)?),
        })
        .await
}

/// The row of the prices of a class.
fn priced(tariff: &tariff::Model, class: String, terms: &impl serde::Serialize) -> Result<price::Model, Fault> {
    Ok(price::Model {
        id: Uuid::now_v7(),
        tariff_id: tariff.id,
        commodity: tariff.commodity.clone(),
        use_class: class,
        from_date: tariff.from_date,
        until_date: tariff.until_date,
        terms: serde_json::to_string(terms).map_err(Fault::internal)?,
        replaced: false,
        branch: tariff.branch.clone(),
    })
}

/// Rules as the database keeps them; nothing where they say nothing.
fn kept(rules: &Rules) -> Result<Option<String>, Fault> {
    let said = (*rules != Rules::default()).then(|| serde_json::to_string(rules));
    said.transpose().map_err(Fault::internal)
}

/// Months of the last readings, which the contract has bounded.
pub(super) fn closing(message: Option<&proto::ClosingReading>) -> Option<ClosingTerms> {
    let month = |number: i32| u8::try_from(number).ok();
    let closing = message?;
    Some(ClosingTerms {
        odd_month: month(closing.odd_month)?,
        even_month: month(closing.even_month)?,
    })
}

/// What holds for use that became known late (thread 19).
fn late_use(message: Option<&proto::LateUse>) -> Result<Option<LateUseTerms>, Fault> {
    let Some(message) = message else { return Ok(None) };
    Ok(Some(LateUseTerms {
        look_back_months: message.look_back_months.map(i32::unsigned_abs),
        tolerance: optional(message.tolerance.as_ref(), "late_use")?,
        destination: DestinationWord::of_number(message.destination).map(|word| word.code().to_owned()),
    }))
}

/// A rounding; half up where no direction is set.
pub(super) fn rounding(message: Option<&proto::Rounding>, field: &str) -> Result<Option<RoundingTerms>, Fault> {
    let Some(message) = message else { return Ok(None) };
    Ok(Some(RoundingTerms {
        mode: ModeWord::of_number(message.mode).unwrap_or(ModeWord::HalfUp).code().to_owned(),
        place: wire::decimal_of(message.place.as_ref(), field)?,
    }))
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
    let replaced = match &request.replaces_tariff_id {
        Some(id) => Some(replaced(&write, (store::HEAT, &request.branch), wire::id_of("replaces_tariff_id", id)?, from).await?),
        None => None,
    };
    if let Some(before) = &replaced
        && seasons::is_settled_by(&write, before.id).await?
    {
        return Err(Refusal::TariffSettled.into());
    }
    let rules = heat_rules(
        request.rounding.as_ref(),
        request.tax_percent.as_ref(),
        request.tax_included,
        request.tax_rounding.as_ref(),
    )?;
    let row = tariff::Model {
        id: Uuid::now_v7(),
        name: request.name.clone(),
        commodity: store::HEAT.to_owned(),
        from_date: from,
        until_date: until.or(replaced.as_ref().and_then(|before| before.until_date)),
        legal_basis: request.legal_basis.clone(),
        approved_by: request.approved_by.clone(),
        published_date: published,
        // Heat has seasons and no tier year; the columns keep the calendar year.
        year_start_month: 1,
        year_start_day: 1,
        boundary: BoundaryWord::ReadingCycle.code().to_owned(),
        created_at: write.now().micros(),
        change_mode: None,
        rules: kept(&rules)?,
        replaced_by: None,
        branch: request.branch.clone(),
    };
    let prices = heat_classes(&row, &request.classes)?;
    if let Some(before) = &request.follows_tariff_id {
        end(&write, (store::HEAT, &request.branch), wire::id_of("follows_tariff_id", before)?, from).await?;
    }
    if let Some(before) = replaced {
        replace(&write, before.id, row.id).await?;
    }
    table::insert::<tariff::Entity>(&write, row.clone()).await?;
    table::insert_all::<price::Entity>(&write, prices.clone()).await?;
    write.subject(row.id);
    write
        .commit(PublishHeatTariffResponse {
            tariff: Some(store::message(&row, &prices)?),
        })
        .await
}

fn heat_classes(tariff: &tariff::Model, classes: &[HeatClass]) -> Result<Vec<price::Model>, Fault> {
    let terms = heat_terms(classes)?.into_iter();
    terms.map(|(class, terms)| priced(tariff, class, &terms)).collect()
}

/// What a version for heat says of tax and rounding.
pub(super) fn heat_rules(sum: Option<&proto::Rounding>, percent: Option<&Decimal>, included: bool, of_tax: Option<&proto::Rounding>) -> Result<Rules, Fault> {
    let rules = Rules {
        rounding: rounding(sum, "rounding")?,
        tax_percent: percent.map(|percent| percent.value.clone()),
        tax_included: included,
        tax_rounding: rounding(of_tax, "tax_rounding")?,
        ..Rules::default()
    };
    rules.rounding().map_err(|r| Fault::from(r).field("rounding"))?;
    rules.tax().map_err(|r| Fault::from(r).field("tax_percent"))?;
    Ok(rules)
}

/// The prices of classes that a version for heat can have.
pub(super) fn heat_terms(classes: &[HeatClass]) -> Result<Vec<(String, HeatTerms)>, Fault> {
    let mut names = HashSet::new();
    let mut all = vec![];
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
            standing: standing(&class.standing_charges, &field("standing_charges"))?,
            rounding: rounding(class.rounding.as_ref(), &field("rounding"))?,
        };
        terms.class(&class.use_class).map_err(|r| Fault::from(r).field(field("area_price")))?;
        terms.surcharge().map_err(|r| Fault::from(r).field(field("height_surcharge")))?;
        all.push((class.use_class.clone(), terms));
    }
    Ok(all)
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

/// The prices of classes that a version can have.
pub(super) fn classes(version: &Version, classes: &[TariffClass]) -> Result<Vec<(String, Terms)>, Fault> {
    let mut names = HashSet::new();
    let mut all = vec![];
    for (at, class) in classes.iter().enumerate() {
        let field = |name: &str| format!("classes[{at}].{name}");
        if !names.insert(class.use_class.as_str()) {
            return Err(Fault::from(Refusal::ClassTwice).field(field("use_class")));
        }
        let terms = terms(class, &field)?;
        version.tariff(&class.use_class, &terms).map_err(|r| Fault::from(r).field(field("tiers")))?;
        all.push((class.use_class.clone(), terms));
    }
    Ok(all)
}

fn terms(class: &TariffClass, field: &impl Fn(&str) -> String) -> Result<Terms, Fault> {
    let mut tiers = vec![];
    for tier in &class.tiers {
        tiers.push(TierTerms {
            up_to: optional(tier.up_to.as_ref(), &field("tiers"))?,
            price: wire::decimal_of(tier.unit_price.as_ref(), &field("tiers"))?,
            flat: optional(tier.flat_price.as_ref(), &field("tiers"))?,
        });
    }
    let mut units = vec![];
    for charge in &class.unit_charges {
        units.push(UnitTerms {
            price: wire::decimal_of(charge.price.as_ref(), &field("unit_charges"))?,
            rounding: rounding(charge.rounding.as_ref(), &field("unit_charges"))?,
        });
    }
    let choice = match &class.flat_price_choice {
        Some(choice) => Some(ChoiceTerms {
            from_persons: persons(choice.from_persons, &field("flat_price_choice"))?,
            price: wire::decimal_of(choice.unit_price.as_ref(), &field("flat_price_choice"))?,
        }),
        None => None,
    };
    let free = match &class.free_volume {
        Some(free) => Some(FreeTerms {
            per_month: wire::decimal_of(free.per_month.as_ref(), &field("free_volume"))?,
            all_low_income: free.all_low_income,
            after_year: free.after_year,
        }),
        None => None,
    };
    let low_income = |number| LowIncomeWord::of_number(number).map(|word| word.code().to_owned());
    Ok(Terms {
        tiers,
        low_income: low_income(class.low_income),
        uplift: class.household.as_ref().map(|u| uplift(u, &field("household"))).transpose()?,
        destitute: low_income(class.destitute),
        tiering: TieringWord::of_number(class.tiering)
            .filter(|word| *word != TieringWord::Annual)
            .map(|word| word.code().to_owned()),
        standing: standing(&class.standing_charges, &field("standing_charges"))?,
        choice,
        meters_share_tiers: class.meters_share_tiers,
        free,
        rounding: rounding(class.rounding.as_ref(), &field("rounding"))?,
        units,
        months_open: class.months_open,
    })
}

fn standing(charges: &[proto::StandingCharge], field: &str) -> Result<Vec<StandingTerms>, Fault> {
    let terms = |charge: &proto::StandingCharge| {
        Ok(StandingTerms {
            price: wire::decimal_of(charge.price.as_ref(), field)?,
            per: PerWord::of_number(charge.per).unwrap_or(PerWord::Bill).code().to_owned(),
            rounding: rounding(charge.rounding.as_ref(), field)?,
        })
    };
    charges.iter().map(terms).collect()
}

fn optional<T: std::str::FromStr<Err = money::DecimalError>>(value: Option<&Decimal>, field: &str) -> Result<Option<T>, Fault> {
    value.map(|value| wire::decimal_of(Some(value), field)).transpose()
}

fn persons(number: i32, field: &str) -> Result<u16, Fault> {
    u16::try_from(number).map_err(|_| Fault::invalid(field, "TIERS", "the number of persons is out of range"))
}

fn uplift(message: &HouseholdUplift, field: &str) -> Result<UpliftTerms, Fault> {
    Ok(UpliftTerms {
        from_persons: persons(message.from_persons, field)?,
        plus: wire::decimal_of(message.plus.as_ref(), field)?,
        per_person: message.per_person,
        first_tier_only: message.first_tier_only,
        full_year: message.full_year,
    })
}

/// The version before a new one that sells the same to the same branch, locked: no branch ends what others have.
async fn before(write: &Write, (commodity, branch): (&str, &str), id: Uuid) -> Result<tariff::Model, Fault> {
    let before = store::locked(write, commodity, id).await?;
    if before.branch == branch {
        Ok(before)
    } else {
        Err(Fault::from(Refusal::TariffBranch).field("branch"))
    }
}

/// The version that a new one of the same first day replaces as wrong.
async fn replaced(write: &Write, of: (&str, &str), id: Uuid, from: NaiveDate) -> Result<tariff::Model, Fault> {
    let before = before(write, of, id).await?;
    if before.replaced_by.is_some() {
        return Err(Refusal::TariffReplaced.into());
    }
    if before.from_date != from {
        return Err(Fault::from(Refusal::DateOrder).field("from_date"));
    }
    Ok(before)
}

/// Takes a wrong version out of force; its bills keep it.
async fn replace(write: &Write, id: Uuid, by: Uuid) -> Result<(), Fault> {
    price::Entity::update_many()
        .col_expr(price::Column::Replaced, true.into())
        .filter(price::Column::TariffId.eq(id))
        .exec(&**write)
        .await?;
    tariff::Entity::update_many()
        .col_expr(tariff::Column::ReplacedBy, Some(by).into())
        .filter(tariff::Column::Id.eq(id))
        .exec(&**write)
        .await?;
    Ok(())
}

/// Ends the version that a new one follows.
async fn end(write: &Write, of: (&str, &str), id: Uuid, day: NaiveDate) -> Result<(), Fault> {
    let before = before(write, of, id).await?;
    if before.until_date.is_some() || before.replaced_by.is_some() || before.from_date >= day {
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

/// RecordDegreeDays (B14).
pub async fn record_degree_days(desk: Desk, call: Call, request: RecordDegreeDaysRequest) -> Result<RecordDegreeDaysResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut told = BTreeMap::new();
    for (at, day) in request.days.iter().enumerate() {
        let field = format!("days[{at}].value");
        let date = wire::date_of(day.date.as_ref(), &format!("days[{at}].date"))?;
        let tenths = tenths(wire::decimal_of(day.value.as_ref(), &field)?)
            .ok_or_else(|| Fault::invalid(&field, "SCALE", "degree days have one place and are not negative"))?;
        if told.insert(date, tenths).is_some() {
            return Err(Fault::from(Refusal::DayTwice).field(format!("days[{at}].date")));
        }
    }
    let known: HashMap<NaiveDate, i32> = degree_day::Entity::find()
        .filter(degree_day::Column::Branch.eq(&request.branch))
        .filter(degree_day::Column::Date.is_in(told.keys().copied()))
        .all(&*write)
        .await?
        .into_iter()
        .map(|row| (row.date, row.tenths))
        .collect();
    if told.iter().any(|(date, tenths)| known.get(date).is_some_and(|known| known != tenths)) {
        return Err(Fault::from(Refusal::DegreeDayKnown).field("days"));
    }
    let fresh: Vec<degree_day::Model> = told
        .into_iter()
        .filter(|(date, _)| !known.contains_key(date))
        .map(|(date, tenths)| degree_day::Model {
            branch: request.branch.clone(),
            date,
            tenths,
        })
        .collect();
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let answer = RecordDegreeDaysResponse {
        recorded: count(fresh.len()),
        known: count(known.len()),
    };
    table::insert_all::<degree_day::Entity>(&write, fresh).await?;
    write.digest(request.branch.as_bytes());
    write.commit(answer).await
}

/// A number with one place, in tenths.
fn tenths(value: money::Volume) -> Option<i32> {
    let thousandths = value.litres();
    (thousandths >= 0 && thousandths.checked_rem(100) == Some(0))
        .then_some(thousandths)?
        .checked_div(100)
        .and_then(|tenths| i32::try_from(tenths).ok())
}
