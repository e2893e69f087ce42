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

/// The request for a tariff of gas that was read from `text`; `published` is the day on which the prices were made public, the first day in force
/// where it is not known.
///
/// # Errors
/// What the contract of publication has no word for, by the class: prices that count something else than cubic metres, a free volume for low income
/// that differs for destitute persons.
pub fn request(text: &str, read: Tariff, published: Option<NaiveDate>) -> Result<PublishTariffRequest> {
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
        // Two different files never have one digest, and one file is published once.
        request_id: rpc::derived_request_id(text, "publish-tariff"),
        commodity: read.commodity.code().to_owned(),
        from_date: Some(wire::date(read.effective_from)),
        until_date: None,
        published_date: Some(wire::date(published.unwrap_or(read.effective_from))),
        tier_year_start_month: day.month,
        tier_year_start_day: day.day,
        boundary: if split { tariff::Boundary::DaySplit } else { tariff::Boundary::ReadingCycle }.into(),
        currency_code: "CNY".to_owned(),
        classes,
        follows_tariff_id: None,
        replaces_tariff_id: None,
        change: match read.change {
            Change::DaySplit => tariff::Change::Unspecified,
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

fn rounding_of(rule: rating::Rounding) -> Rounding {
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
fn percent(share: Ratio) -> Result<Decimal> {
    let percent = Ratio::new(100, 1)?.checked_mul(share)?;
    Ok(wire::decimal(UnitPrice::from_micros(percent.round_half_up(6)?).short()))
}

/// Whether two lists of classes say the same, however many zeros their numbers end with.
pub fn same(one: &[TariffClass], other: &[TariffClass]) -> bool {
    fn plain(class: &TariffClass) -> TariffClass {
        let mut class = class.clone();
        let numbers = class
            .tiers
            .iter_mut()
            .flat_map(|t| [t.up_to.as_mut(), t.unit_price.as_mut(), t.flat_price.as_mut()])
            .chain([
                class.household.as_mut().and_then(|h| h.plus.as_mut()),
                class.flat_price_choice.as_mut().and_then(|c| c.unit_price.as_mut()),
                class.free_volume.as_mut().and_then(|f| f.per_month.as_mut()),
            ]);
        for number in numbers.flatten().filter(|n| n.value.contains('.')) {
            number.value = number.value.trim_end_matches('0').trim_end_matches('.').to_owned();
        }
        class
    }
    let sorted = |classes: &[TariffClass]| {
        let mut classes: Vec<_> = classes.iter().map(plain).collect();
        classes.sort_by(|a, b| a.use_class.cmp(&b.use_class));
        classes
    };
    sorted(one) == sorted(other)
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
        let rounding = component.rounding.map(rounding_of);
        match component.price {
            Price::Standing(price, per) => standing_charges.push(StandingCharge {
                price: Some(wire::decimal(price.short())),
                per: match per {
                    Per::Bill => standing_charge::Per::Bill,
                    Per::Day => standing_charge::Per::Day,
                    Per::Month => standing_charge::Per::Month,
                    Per::Year => standing_charge::Per::Year,
                }
                .into(),
                rounding,
            }),
            Price::Unit(Measure::Volume, price) => unit_charges.push(UnitCharge {
                price: Some(wire::decimal(price.short())),
                rounding,
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
                up_to: t.up_to.map(wire::decimal),
                unit_price: Some(wire::decimal(t.price)),
                flat_price: (!t.flat.is_zero()).then(|| wire::decimal(t.flat)),
            })
            .collect(),
        low_income: low_income.into(),
        household: uplift.map(|u| HouseholdUplift {
            from_persons: u.from_persons.into(),
            plus: Some(wire::decimal(u.plus)),
            per_person: u.per_person,
            first_tier_only: u.first_tier_only,
            full_year: u.full_year,
        }),
        tiering: tiering.into(),
        standing_charges,
        flat_price_choice: class.household.choice.map(|choice| FlatPriceChoice {
            from_persons: choice.from_persons.into(),
            unit_price: Some(wire::decimal(choice.price)),
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
            per_month: Some(wire::decimal(per_month)),
            all_low_income,
            after_year,
        })
    };
    if let Some(all) = free(subsistence, true) {
        ensure!(
            destitute.is_none() || destitute == subsistence,
            "class {}: a free volume for low income that differs for destitute persons is not taken",
            class.name
        );
        return Ok((LowIncome::Unspecified, LowIncome::Unspecified, Some(all)));
    }
    let own = if destitute == subsistence { LowIncome::Unspecified } else { word(destitute) };
    Ok((word(subsistence), own, free(destitute, false)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn read(text: &str, published: Option<NaiveDate>) -> Result<PublishTariffRequest> {
        request(text, parse(text)?, published)
    }

    const TIANJIN: &str = include_str!("../../data/cn_tianjin_gas_2024.toml");

    #[test]
    fn tianjin_becomes_three_classes() {
        let request = read(TIANJIN, None).unwrap();
        assert_eq!(
            request.classes.iter().map(|c| (c.use_class.as_str(), c.tiers.len())).collect::<Vec<_>>(),
            [("living", 3), ("independent heating", 3), ("non-resident at resident price", 1)]
        );
        assert_eq!(request.from_date, request.published_date);
        assert_eq!((request.tier_year_start_month, request.tier_year_start_day), (1, 1));
        let tier = &request.classes[0].tiers[1];
        assert_eq!(
            (tier.up_to.as_ref().unwrap().value.as_str(), tier.unit_price.as_ref().unwrap().value.as_str()),
            ("600.000", "3.360000")
        );
        assert_eq!(request.classes[0].low_income(), LowIncome::AllAtTier1);
        let mut listed = request.classes.clone();
        listed.reverse();
        listed[0].tiers[0].unit_price.as_mut().unwrap().value = "2.89".to_owned();
        assert!(same(&listed, &request.classes));
        listed[0].tiers[0].unit_price.as_mut().unwrap().value = "2.9".to_owned();
        assert!(!same(&listed, &request.classes));
        assert_eq!(request.request_id, read(TIANJIN, None).unwrap().request_id, "one file is published once");
    }

    #[test]
    fn every_rule_of_the_cities_has_a_word() {
        let living = |text: &str| read(text, None).unwrap().classes.remove(0);
        let shanghai = living(include_str!("../../../billing/rating/tests/data/tariffs/cn_shanghai_gas_2014.toml"));
        let choice = shanghai.flat_price_choice.unwrap();
        assert_eq!((shanghai.meters_share_tiers, choice.from_persons), (true, 7));
        assert_eq!(choice.unit_price.unwrap().value, "3.050000");
        let taian = living(include_str!("../../../billing/rating/tests/data/tariffs/cn_taian_gas_2024.toml"));
        let free = taian.free_volume.clone().unwrap();
        assert_eq!((taian.low_income(), free.all_low_income, free.after_year), (LowIncome::NoTier3, false, false));
        assert_eq!(free.per_month.unwrap().value, "6.000");
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
        let request = read(&format!("{HEAD}{text}"), None).unwrap();
        assert_eq!(
            (request.change(), request.tax_percent.unwrap().value.as_str()),
            (tariff::Change::CutoverRead, "5.8")
        );
        assert_eq!(request.closing_reading, Some(ClosingReading { odd_month: 11, even_month: 12 }));
        assert_eq!(request.rounding.unwrap().mode(), rounding::Mode::Floor);
        let living = &request.classes[0];
        assert_eq!(living.standing_charges[0].per(), standing_charge::Per::Month);
        assert_eq!(living.tiers[0].flat_price.as_ref().unwrap().value, "1.000000");
        let free = living.free_volume.as_ref().unwrap();
        assert_eq!((free.all_low_income, free.after_year), (true, true));
        assert_eq!(request.classes[1].tiering(), Tiering::Whole);
        assert_eq!(request.late_use, None);
    }

    #[test]
    fn thread_19_a_file_says_how_far_back_late_use_changes_bills() {
        let policy = |rule: &str| {
            let text = TIANJIN.replacen("model = ", &format!("late_use = {rule}\nmodel = "), 1);
            read(&text, None).map(|request| request.late_use.unwrap())
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
        let request = read(&format!("{head}{annual}"), None).unwrap();
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
        let boiler = read(&format!("{head}{flat}"), None).unwrap().classes.remove(0);
        assert_eq!((boiler.tiering(), boiler.tiers.len()), (Tiering::Bill, 1));
        assert_eq!(
            (boiler.tiers[0].up_to.clone(), boiler.tiers[0].unit_price.clone().unwrap().value),
            (None, "3.300000".to_owned())
        );
    }

    #[test]
    fn what_has_no_word_is_refused_by_name() {
        let heat = TIANJIN.replace("name = \"living\"", "name = \"living\"\ncharges = [{ per = \"kwh\", price = \"0.13\" }]");
        assert!(read(&heat, None).unwrap_err().to_string().contains("class living"));
        assert!(read("name = 1", None).unwrap_err().to_string().contains("TARIFF_FORMAT"));
    }
}
