//! A tariff file as the request that publishes it.

use anyhow::{Result, bail, ensure};
use calendar::NaiveDate;
use contracts::hearth::{
    billing::v1::{
        ClosingReading, FlatPriceChoice, FreeVolume, HouseholdUplift, LateUse, PublishTariffRequest, Rounding, StandingCharge, TariffClass, Tier, UnitCharge,
        late_use, rounding, standing_charge, tariff,
        tariff_class::{LowIncome, Tiering},
    },
    r#type::v1::Decimal,
};
use money::{Mode, Ratio, UnitPrice};
use rating::{Boundary, Change, Class, Commodity, Component, Measure, Per, Price, ReliefRule, Span, Tariff, YearStart};
use rpc::wire;
use uuid::Uuid;

/// What is told of a version besides its file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Told {
    /// Day on which the prices were made public; the first day in force where it is not given.
    #[arg(long, value_name = "DATE")]
    pub published: Option<NaiveDate>,
    /// Branch whose agreements it prices; all that have no price of their own where it is not given.
    #[arg(long, value_name = "NAME", default_value_t)]
    pub branch: String,
    /// Id of the version that it follows, which ends on the day before its first day.
    #[arg(long, value_name = "ID", conflicts_with = "replaces")]
    pub follows: Option<Uuid>,
    /// Id of the wrong version of the same first day whose place it takes.
    #[arg(long, value_name = "ID")]
    pub replaces: Option<Uuid>,
}

/// Reads a file.
///
/// # Errors
/// A text that is no tariff.
pub fn parse(text: &str) -> Result<Tariff> {
    match Tariff::from_toml(text) {
        Ok(read) => Ok(read),
        Err(error) => bail!("{error} ({})", error.reason),
    }
}

/// The request for a tariff of gas that was read from `text`.
///
/// # Errors
/// What the contract of publication has no word for, by the class: prices that count something else than cubic metres, a free volume for low income
/// that differs for destitute persons.
pub fn request(text: &str, read: Tariff, told: &Told) -> Result<PublishTariffRequest> {
    ensure!(read.commodity == Commodity::NaturalGas, "only tariffs of piped gas are taken here");
    let mut classes = vec![];
    for class in &read.classes {
        classes.push(class_of(class)?);
    }
    // Tiers by the bill have no tier year; the calendar year stands in its place.
    let (start, closing) = match read.tier_year.map(|year| year.start) {
        Some(YearStart::On(day)) => (day.in_year(2001), None),
        Some(YearStart::AfterReading { odd, even }) => (
            NaiveDate::from_ymd_opt(2001, 1, 1),
            Some(ClosingReading {
                odd_month: odd.into(),
                even_month: even.into(),
            }),
        ),
        None => (NaiveDate::from_ymd_opt(2001, 1, 1), None),
    };
    let Some(start) = start else { bail!("the tier year starts on no day") };
    let day = wire::date(start);
    let split = read.tier_year.is_some_and(|year| year.boundary == Boundary::DaySplit);
    Ok(PublishTariffRequest {
        // Two different files never have one digest, and one file is published once as it is told.
        request_id: rpc::derived_request_id(format!("{text}\n{told:?}"), "publish-tariff"),
        commodity: read.commodity.code().to_owned(),
        from_date: Some(wire::date(read.effective_from)),
        until_date: None,
        published_date: Some(wire::date(told.published.unwrap_or(read.effective_from))),
        tier_year_start_month: day.month,
        tier_year_start_day: day.day,
        boundary: if split { tariff::Boundary::DaySplit } else { tariff::Boundary::ReadingCycle }.into(),
        currency_code: "CNY".to_owned(),
        classes,
        follows_tariff_id: told.follows.map(|id| id.to_string()),
        replaces_tariff_id: told.replaces.map(|id| id.to_string()),
        branch: told.branch.clone(),
        change: match read.change {
            Change::DaySplit => tariff::Change::DaySplit,
            Change::ByReadDate => tariff::Change::ByReadDate,
            Change::CutoverRead => tariff::Change::CutoverRead,
            Change::DegreeDays => tariff::Change::DegreeDays,
        }
        .into(),
        closing_reading: closing,
        rounding: (read.rounding != rating::Rounding::default()).then(|| rounding_of(read.rounding)),
        tax_percent: read.tax.map(|tax| percent(tax.rate)).transpose()?,
        tax_included: read.tax.is_some_and(|tax| tax.included),
        tax_rounding: read.tax.and_then(|tax| tax.rounding).map(rounding_of),
        late_use: read.late_use.map(late_use),
        name: read.name,
        legal_basis: read.legal_basis,
        approved_by: read.approved_by,
    })
}

fn late_use(policy: rating::LateUse) -> LateUse {
    let destination = if policy.next_bill {
        late_use::Destination::NextBill
    } else {
        late_use::Destination::OriginalPeriod
    };
    LateUse {
        look_back_months: policy.look_back_months.map(i32::from),
        tolerance: policy.tolerance.map(|volume| wire::decimal(volume.short())),
        destination: destination.into(),
    }
}

pub fn rounding_of(rule: rating::Rounding) -> Rounding {
    Rounding {
        mode: match rule.mode {
            Mode::HalfUp => rounding::Mode::HalfUp,
            Mode::Floor => rounding::Mode::Floor,
            Mode::Ceiling => rounding::Mode::Ceiling,
        }
        .into(),
        place: Some(wire::decimal(rule.step.short())),
    }
}

/// A share as percent, at most six places.
pub fn percent(share: Ratio) -> Result<Decimal> {
    let percent = Ratio::new(100, 1)?.checked_mul(share)?;
    Ok(wire::decimal(UnitPrice::from_micros(percent.round_half_up(6)?).short()))
}

/// A standing charge by time or bill.
pub fn standing_of(price: UnitPrice, per: Per, rounding: Option<rating::Rounding>) -> StandingCharge {
    StandingCharge {
        price: Some(wire::decimal(price.short())),
        per: match per {
            Per::Bill => standing_charge::Per::Bill,
            Per::Day => standing_charge::Per::Day,
            Per::Month => standing_charge::Per::Month,
            Per::Year => standing_charge::Per::Year,
        }
        .into(),
        rounding: rounding.map(rounding_of),
    }
}

fn class_of(class: &Class) -> Result<TariffClass> {
    let name = &class.name;
    let Some((Component { price, rounding }, besides)) = class.components.split_last() else {
        bail!("class {name} has no price");
    };
    // One price for every unit is a single tier without an end.
    let all = |price| {
        vec![rating::Tier {
            up_to: None,
            price,
            flat: UnitPrice::default(),
        }]
    };
    let (tiers, tiering) = match price {
        Price::Graduated(tiers, Span::TierYear) => (tiers.as_slice().to_vec(), Tiering::Unspecified),
        Price::Graduated(tiers, Span::Bill) => (tiers.as_slice().to_vec(), Tiering::Bill),
        Price::Whole(tiers) => (tiers.as_slice().to_vec(), Tiering::Whole),
        Price::Unit(Measure::Volume, price) => (all(*price), Tiering::Bill),
        Price::Standing(..) | Price::Unit(..) => bail!("class {name}: gas has a price by the cubic metre"),
    };
    let (mut standing_charges, mut unit_charges) = (vec![], vec![]);
    for component in besides {
        match component.price {
            Price::Standing(price, per) => standing_charges.push(standing_of(price, per, component.rounding)),
            Price::Unit(Measure::Volume, price) => unit_charges.push(UnitCharge {
                price: Some(wire::decimal(price.short())),
                rounding: component.rounding.map(rounding_of),
            }),
            _ => bail!("class {name}: a charge for gas counts cubic metres, or is due by time"),
        }
    }
    let uplift = class.household.uplift;
    let (low_income, destitute, free_volume) = relief(class)?;
    Ok(TariffClass {
        use_class: name.clone(),
        tiers: tiers
            .iter()
            .map(|t| Tier {
                up_to: t.up_to.map(|bound| wire::decimal(bound.short())),
                unit_price: Some(wire::decimal(t.price.short())),
                flat_price: (!t.flat.is_zero()).then(|| wire::decimal(t.flat.short())),
            })
            .collect(),
        low_income: low_income.into(),
        household: uplift.map(|u| HouseholdUplift {
            from_persons: u.from_persons.into(),
            plus: Some(wire::decimal(u.plus.short())),
            per_person: u.per_person,
            first_tier_only: u.first_tier_only,
            full_year: u.full_year,
        }),
        tiering: tiering.into(),
        standing_charges,
        flat_price_choice: class.household.choice.map(|choice| FlatPriceChoice {
            from_persons: choice.from_persons.into(),
            unit_price: Some(wire::decimal(choice.price.short())),
        }),
        meters_share_tiers: class.aggregate_meters,
        free_volume,
        rounding: rounding.map(rounding_of),
        destitute: destitute.into(),
        unit_charges,
        months_open: class.months_open,
    })
}

/// How low income is priced, how destitute persons are where it differs, and what is free.
fn relief(class: &Class) -> Result<(LowIncome, LowIncome, Option<FreeVolume>)> {
    let (subsistence, destitute) = (class.relief.subsistence, class.relief.destitute);
    let word = |rule| match rule {
        Some(ReliefRule::AllAtTier1) => LowIncome::AllAtTier1,
        Some(ReliefRule::NoTier3) => LowIncome::NoTier3,
        Some(ReliefRule::FreePerMonth(_) | ReliefRule::FreeAfterYear(_)) | None => LowIncome::Unspecified,
    };
    let free = |rule, all_low_income| {
        let (per_month, after_year) = match rule {
            Some(ReliefRule::FreePerMonth(volume)) => (volume, false),
            Some(ReliefRule::FreeAfterYear(volume)) => (volume, true),
            Some(ReliefRule::AllAtTier1 | ReliefRule::NoTier3) | None => return None,
        };
        Some(FreeVolume {
            per_month: Some(wire::decimal(per_month.short())),
            all_low_income,
            after_year,
        })
    };
    // Where nothing is said, destitute persons have what low income has.
    let own = match destitute {
        _ if destitute == subsistence => LowIncome::Unspecified,
        None => LowIncome::None,
        Some(_) => word(destitute),
    };
    let Some(all) = free(subsistence, true) else {
        return Ok((word(subsistence), own, free(destitute, false)));
    };
    ensure!(
        destitute.is_none() || destitute == subsistence,
        "class {}: a free volume for low income that differs for destitute persons is not taken",
        class.name
    );
    Ok((LowIncome::Unspecified, own, Some(all)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PublishTariffRequest> {
        request(text, parse(text)?, &Told::default())
    }

    const TIANJIN: &str = include_str!("../../data/cn_tianjin_gas_2024.toml");

    #[test]
    fn tianjin_becomes_three_classes() {
        let request = read(TIANJIN).unwrap();
        assert_eq!(
            request.classes.iter().map(|c| (c.use_class.as_str(), c.tiers.len())).collect::<Vec<_>>(),
            [("living", 3), ("independent heating", 3), ("non-resident at resident price", 1)]
        );
        assert_eq!(request.from_date, request.published_date);
        assert_eq!((request.tier_year_start_month, request.tier_year_start_day), (1, 1));
        let tier = &request.classes[0].tiers[1];
        assert_eq!(
            (tier.up_to.as_ref().unwrap().value.as_str(), tier.unit_price.as_ref().unwrap().value.as_str()),
            ("600", "3.36")
        );
        assert_eq!(request.classes[0].low_income(), LowIncome::AllAtTier1);
        assert_eq!(request.request_id, read(TIANJIN).unwrap().request_id, "one file is published once");
    }

    #[test]
    fn what_is_told_besides_the_file_is_asked_for() {
        let (before, wrong) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let told = Told {
            published: NaiveDate::from_ymd_opt(2024, 8, 20),
            branch: "河西区".to_owned(),
            follows: Some(before),
            replaces: Some(wrong),
        };
        let asked = request(TIANJIN, parse(TIANJIN).unwrap(), &told).unwrap();
        assert_eq!(
            (asked.branch.as_str(), asked.follows_tariff_id, asked.replaces_tariff_id),
            ("河西区", Some(before.to_string()), Some(wrong.to_string()))
        );
        assert_eq!(asked.published_date.map(|day| (day.month, day.day)), Some((8, 20)));
        assert_ne!(asked.request_id, read(TIANJIN).unwrap().request_id, "another branch has it besides");
    }

    #[test]
    fn destitute_persons_have_what_the_file_says_for_them() {
        let low_income = |rule: &str| {
            let living = read(&TIANJIN.replacen("\"all_at_tier_1\"", rule, 1)).unwrap().classes.remove(0);
            (living.low_income(), living.destitute(), living.free_volume.map(|free| free.all_low_income))
        };
        let (unsaid, nothing, no_tier_3) = (LowIncome::Unspecified, LowIncome::None, LowIncome::NoTier3);
        assert_eq!(low_income("\"no_tier_3\""), (no_tier_3, unsaid, None));
        assert_eq!(low_income("{ subsistence = \"no_tier_3\" }"), (no_tier_3, nothing, None));
        assert_eq!(low_income("{ destitute = \"no_tier_3\" }"), (unsaid, no_tier_3, None));
        let free = "{ free_per_month = \"6\", at = \"tier_1\" }";
        assert_eq!(low_income(&format!("{{ subsistence = {free} }}")), (unsaid, nothing, Some(true)));
        assert_eq!(
            low_income(&format!("{{ subsistence = {free}, destitute = {free} }}")),
            (unsaid, unsaid, Some(true))
        );
        assert_eq!(low_income(&format!("{{ destitute = {free} }}")), (unsaid, unsaid, Some(false)));
    }

    #[test]
    fn every_rule_of_the_cities_has_a_word() {
        let living = |text: &str| read(text).unwrap().classes.remove(0);
        let shanghai = living(include_str!("../../../billing/rating/tests/data/tariffs/cn_shanghai_gas_2014.toml"));
        let choice = shanghai.flat_price_choice.unwrap();
        assert_eq!((shanghai.meters_share_tiers, choice.from_persons), (true, 7));
        assert_eq!(choice.unit_price.unwrap().value, "3.05");
        let taian = living(include_str!("../../../billing/rating/tests/data/tariffs/cn_taian_gas_2024.toml"));
        let free = taian.free_volume.clone().unwrap();
        assert_eq!((taian.low_income(), free.all_low_income, free.after_year), (LowIncome::NoTier3, false, false));
        assert_eq!(free.per_month.unwrap().value, "6");
        let beijing = living(include_str!("../../../billing/rating/tests/data/tariffs/cn_beijing_gas_2024.toml"));
        assert_eq!(beijing.household.unwrap().from_persons, 6);
    }

    const HEAD: &str = r#"name = "Mixed"
commodity = "natural_gas"
currency = "CNY"
effective_from = "2024-01-01"
legal_basis = "notice"
approved_by = "authority"
"#;

    #[test]
    fn other_prices_have_words_too() {
        let text = r#"model = "graduated_annual"
change = "cutover_read"
tier_year_closes = { odd_months = 11, even_months = 12 }
rounding = "floor_1_once_per_bill"
tax_percent = "5.8"
[[class]]
name = "living"
charges = [{ per = "month", price = "3.10", rounding = "half_up_0.10" }]
tiers = [{ up_to = "300", price = "3.28", flat = "1" }, { price = "4.77" }]
low_income = { subsistence = { free_per_month = "5", at = "tier_1", returned = "after_year" } }
[[class]]
name = "shop"
tiering = "whole"
tiers = [{ up_to = "100", price = "3" }, { price = "2" }]
"#;
        let request = read(&format!("{HEAD}{text}")).unwrap();
        assert_eq!(
            (request.change(), request.tax_percent.unwrap().value.as_str()),
            (tariff::Change::CutoverRead, "5.8")
        );
        assert_eq!(request.closing_reading, Some(ClosingReading { odd_month: 11, even_month: 12 }));
        assert_eq!(request.rounding.unwrap().mode(), rounding::Mode::Floor);
        let living = &request.classes[0];
        assert_eq!(living.standing_charges[0].per(), standing_charge::Per::Month);
        assert_eq!(living.tiers[0].flat_price.as_ref().unwrap().value, "1");
        let free = living.free_volume.as_ref().unwrap();
        assert_eq!((free.all_low_income, free.after_year), (true, true));
        assert_eq!(request.classes[1].tiering(), Tiering::Whole);
        assert_eq!(request.late_use, None);
    }

    #[test]
    fn thread_19_a_file_says_how_far_back_late_use_changes_bills() {
        let policy = |rule: &str| {
            let text = TIANJIN.replacen("model = ", &format!("late_use = {rule}\nmodel = "), 1);
            read(&text).map(|request| request.late_use.unwrap())
        };
        let late = policy(r#"{ look_back_months = 24, tolerance = "2.5", destination = "next_bill" }"#).unwrap();
        let tolerance = late.tolerance.as_ref().map(|volume| volume.value.as_str());
        assert_eq!(
            (late.look_back_months, tolerance, late.destination()),
            (Some(24), Some("2.5"), late_use::Destination::NextBill)
        );
        let late = policy("{ look_back_months = 120 }").unwrap();
        assert_eq!(
            (late.look_back_months, late.tolerance.clone(), late.destination()),
            (Some(120), None, late_use::Destination::OriginalPeriod)
        );
        for (rule, place) in [
            ("{ look_back_months = 0 }", "late_use.look_back_months"),
            ("{ look_back_months = 121 }", "late_use.look_back_months"),
            (r#"{ tolerance = "-1" }"#, "late_use.tolerance"),
            (r#"{ destination = "never" }"#, "TARIFF_FORMAT"),
        ] {
            assert!(policy(rule).unwrap_err().to_string().contains(place), "{rule}");
        }
        let heat = include_str!("../../../billing/rating/tests/data/tariffs/cn_beijing_heat.toml");
        let heat = parse(&heat.replacen("model = ", "late_use = {}\nmodel = ", 1)).unwrap_err().to_string();
        assert!(heat.contains("late_use"), "{heat}");
    }

    #[test]
    fn what_is_no_tier_has_words_too() {
        let head = format!("{HEAD}tax_percent = \"9\"\ntax_included = true\ntax_rounding = \"half_up_0.10\"\n");
        let annual = r#"model = "graduated_annual"
tier_year_start = "01-01"
allowance = "months_open"
[[class]]
name = "living"
charges = [{ per = "m3", price = "0.05", rounding = "floor_0.10" }, { per = "bill", price = "2" }]
tiers = [{ up_to = "350", price = "2.61" }, { price = "2.83" }]
household = { from_persons = 6, each_threshold_plus = "150", within_year = "full" }
"#;
        let request = read(&format!("{head}{annual}")).unwrap();
        assert_eq!(
            (request.tax_included, request.tax_rounding.unwrap().place.unwrap().value.as_str()),
            (true, "0.1")
        );
        let living = &request.classes[0];
        let levy = &living.unit_charges[0];
        assert_eq!(
            (levy.price.as_ref().unwrap().value.as_str(), levy.rounding.as_ref().unwrap().mode()),
            ("0.05", rounding::Mode::Floor)
        );
        assert_eq!((living.standing_charges.len(), living.unit_charges.len(), living.months_open), (1, 1, true));
        assert!(living.household.as_ref().unwrap().full_year);
        let flat = "model = \"unit\"\n[[class]]\nname = \"boiler\"\nprice = \"3.30\"\n";
        let boiler = read(&format!("{head}{flat}")).unwrap().classes.remove(0);
        assert_eq!((boiler.tiering(), boiler.tiers.len()), (Tiering::Bill, 1));
        assert_eq!(
            (boiler.tiers[0].up_to.clone(), boiler.tiers[0].unit_price.clone().unwrap().value),
            (None, "3.3".to_owned())
        );
    }

    #[test]
    fn what_has_no_word_is_refused_by_name() {
        let heat = TIANJIN.replace("name = \"living\"", "name = \"living\"\ncharges = [{ per = \"kwh\", price = \"0.13\" }]");
        assert!(read(&heat).unwrap_err().to_string().contains("class living"));
        assert!(read("name = 1").unwrap_err().to_string().contains("TARIFF_FORMAT"));
    }
}
