//! A tariff file as the request that publishes it.

use anyhow::{Result, bail};
use calendar::NaiveDate;
use contracts::hearth::billing::v1::{HouseholdUplift, PublishTariffRequest, TariffClass, Tier, tariff, tariff_class::LowIncome};
use rating::{Boundary, Class, Commodity, Component, ReliefRule, Span, Tariff};
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
/// What billing cannot price yet: prices by bill, a choice of a flat price, several meters of one household.
pub fn request(text: &str, read: Tariff, published: Option<NaiveDate>) -> Result<PublishTariffRequest> {
    let Some(year) = read.tier_year.filter(|_| read.commodity == Commodity::NaturalGas && read.tax.is_none()) else {
        bail!("only tariffs of piped gas by annual tiers are taken: commodity natural_gas, model graduated_annual, no tax");
    };
    if read.rounding != rating::Rounding::default() {
        bail!("only rounding to the fen, half up, once per bill is taken");
    }
    let Some(start) = year.start.in_year(2001) else {
        bail!("the tier year starts on no day")
    };
    let mut classes = vec![];
    for class in &read.classes {
        classes.push(class_of(class)?);
    }
    let day = wire::date(start);
    Ok(PublishTariffRequest {
        // Two different files never have one digest, and one file is published once.
        request_id: rpc::derived_request_id(text, "publish-tariff"),
        name: read.name,
        commodity: read.commodity.code().to_owned(),
        from_date: Some(wire::date(read.effective_from)),
        until_date: None,
        legal_basis: read.legal_basis,
        approved_by: read.approved_by,
        published_date: Some(wire::date(published.unwrap_or(read.effective_from))),
        tier_year_start_month: day.month,
        tier_year_start_day: day.day,
        boundary: match year.boundary {
            Boundary::ReadingCycle => tariff::Boundary::ReadingCycle,
            Boundary::DaySplit => tariff::Boundary::DaySplit,
        }
        .into(),
        currency_code: "CNY".to_owned(),
        classes,
        follows_tariff_id: None,
    })
}

/// Whether two lists of classes say the same, however many zeros their numbers end with.
pub fn same(one: &[TariffClass], other: &[TariffClass]) -> bool {
    fn plain(class: &TariffClass) -> TariffClass {
        let mut class = class.clone();
        let numbers = class
            .tiers
            .iter_mut()
            .flat_map(|t| [t.up_to.as_mut(), t.unit_price.as_mut()])
            .chain([class.household.as_mut().and_then(|h| h.plus.as_mut())]);
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
    let [Component::Graduated(tiers, Span::TierYear)] = class.components.as_slice() else {
        bail!("class {name}: only annual tiers are taken");
    };
    if class.household.choice.is_some() || class.aggregate_meters {
        bail!("class {name}: a flat price to choose and meters that share their tiers are not priced yet");
    }
    if tiers.as_slice().iter().any(|t| !t.flat.is_zero()) {
        bail!("class {name}: a flat amount on a tier is not priced yet");
    }
    let low_income = match (class.relief.subsistence, class.relief.destitute) {
        (None, None) => LowIncome::Unspecified,
        (Some(ReliefRule::AllAtTier1), None | Some(ReliefRule::AllAtTier1)) => LowIncome::AllAtTier1,
        (Some(ReliefRule::NoTier3), None | Some(ReliefRule::NoTier3)) => LowIncome::NoTier3,
        _ => bail!("class {name}: a volume free of charge is not priced yet"),
    };
    Ok(TariffClass {
        use_class: name.clone(),
        tiers: tiers
            .as_slice()
            .iter()
            .map(|t| Tier {
                up_to: t.up_to.map(wire::decimal),
                unit_price: Some(wire::decimal(t.price)),
            })
            .collect(),
        low_income: low_income.into(),
        household: class.household.uplift.map(|u| HouseholdUplift {
            from_persons: u.from_persons.into(),
            plus: Some(wire::decimal(u.plus)),
            per_person: u.per_person,
        }),
    })
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
    fn what_cannot_be_priced_is_refused_by_name() {
        let choice = TIANJIN.replace(
            "low_income = \"all_at_tier_1\"",
            "household = { choice_from_persons = 7, choice_flat_price = \"3.05\" }",
        );
        assert!(read(&choice, None).unwrap_err().to_string().contains("class living"));
        assert!(read("name = 1", None).unwrap_err().to_string().contains("TARIFF_FORMAT"));
    }
}
