//! A tariff of heat as the request that publishes it.

use anyhow::{Result, bail, ensure};
use contracts::hearth::{
    billing::v1::{
        HeatClass, HeatMeteredPrice, HeightSurcharge, PublishHeatTariffRequest, StandingCharge,
        heat_metered_price::{self, Unit},
    },
    r#type::v1::Decimal,
};
use money::{Ratio, UnitPrice};
use rating::{Class, Component, EnergyUnit, Measure, Price, Rounding, SettlementRule, Tariff};
use rpc::wire;

use super::tariff::{Told, percent, rounding_of, standing_of};

/// What is done with the difference between area and meter at the end of a season.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Settlement {
    /// Refund and supplement (多退少补).
    Refund,
    /// No supplement; a surplus is kept for the next season.
    CarryOver,
    /// Never more than by area; a surplus goes back.
    Capped,
}

impl From<SettlementRule> for Settlement {
    fn from(rule: SettlementRule) -> Self {
        match rule {
            SettlementRule::RefundAndSupplement => Self::Refund,
            SettlementRule::CarryOver => Self::CarryOver,
            SettlementRule::Capped => Self::Capped,
        }
    }
}

impl From<Settlement> for heat_metered_price::Settlement {
    fn from(settlement: Settlement) -> Self {
        match settlement {
            Settlement::Refund => Self::RefundAndSupplement,
            Settlement::CarryOver => Self::CarryOver,
            Settlement::Capped => Self::Capped,
        }
    }
}

/// The request for a tariff that was read from `text`.
///
/// # Errors
/// What the contract of publication has no word for, by the class: charges by area or energy besides; a settlement that is not that of the file.
pub fn request(text: &str, read: Tariff, settlement: Option<Settlement>, told: &Told) -> Result<PublishHeatTariffRequest> {
    let own = read.settlement.map(Settlement::from);
    if let Some((own, asked)) = own.zip(settlement) {
        ensure!(own == asked, "the file settles a season in another way than --settlement says");
    }
    let settlement = own.or(settlement).unwrap_or(Settlement::Refund);
    let surcharge = match read.height_surcharge {
        Some(height) => Some(HeightSurcharge {
            above_metres: Some(decimal(height.above)?),
            percent_per_metre: Some(decimal(Ratio::new(100, 1)?.checked_mul(height.per_metre)?)?),
        }),
        None => None,
    };
    let class = |class: &Class| -> Result<HeatClass> {
        Ok(HeatClass {
            use_class: class.name.clone(),
            area_price: Some(price(&class.components, Measure::Area, &class.name)?.0),
            months: 0,
            metered: match &class.metered {
                Some(parts) => Some(HeatMeteredPrice {
                    base_price: Some(price(parts, Measure::Area, &class.name)?.0),
                    energy_price: Some(price(parts, Measure::Energy, &class.name)?.0),
                    unit: match class.energy {
                        EnergyUnit::Kwh => Unit::Kwh,
                        EnergyUnit::Gj => Unit::Gj,
                    }
                    .into(),
                    settlement: heat_metered_price::Settlement::from(settlement).into(),
                }),
                None => None,
            },
            height_surcharge: surcharge.clone(),
            standing_charges: class.components.iter().filter_map(standing).collect(),
            rounding: price(&class.components, Measure::Area, &class.name)?.1.map(rounding_of),
        })
    };
    Ok(PublishHeatTariffRequest {
        request_id: rpc::derived_request_id(format!("{text}\n{settlement:?}\n{told:?}"), "publish-heat-tariff"),
        from_date: Some(wire::date(read.effective_from)),
        until_date: None,
        published_date: Some(wire::date(told.published.unwrap_or(read.effective_from))),
        currency_code: "CNY".to_owned(),
        classes: read.classes.iter().map(class).collect::<Result<_>>()?,
        follows_tariff_id: told.follows.map(|id| id.to_string()),
        replaces_tariff_id: told.replaces.map(|id| id.to_string()),
        branch: told.branch.clone(),
        rounding: (read.rounding != Rounding::default()).then(|| rounding_of(read.rounding)),
        tax_percent: read.tax.map(|tax| percent(tax.rate)).transpose()?,
        tax_included: read.tax.is_some_and(|tax| tax.included),
        tax_rounding: read.tax.and_then(|tax| tax.rounding).map(rounding_of),
        name: read.name,
        legal_basis: read.legal_basis,
        approved_by: read.approved_by,
    })
}

fn standing(part: &Component) -> Option<StandingCharge> {
    match part.price {
        Price::Standing(price, per) => Some(standing_of(price, per, part.rounding)),
        _ => None,
    }
}

/// The only price of a measure, and how its amount is rounded.
fn price(parts: &[Component], measure: Measure, class: &str) -> Result<(Decimal, Option<Rounding>)> {
    let mut of_measure = parts.iter().filter_map(|part| match part.price {
        Price::Unit(of, price) if of == measure => Some((price, part.rounding)),
        _ => None,
    });
    match (of_measure.next(), of_measure.next()) {
        (Some((price, rounding)), None) => Ok((wire::decimal(price.short()), rounding)),
        _ => bail!("class {class}: heat has one price for each square metre and one for each unit of energy"),
    }
}

/// A number of the notice, at most six places.
fn decimal(number: Ratio) -> Result<Decimal> {
    Ok(wire::decimal(UnitPrice::from_micros(number.round_half_up(6)?).short()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1::standing_charge;

    use super::*;

    fn read(text: &str, settlement: Settlement) -> PublishHeatTariffRequest {
        request(text, Tariff::from_toml(text).unwrap(), Some(settlement), &Told::default()).unwrap()
    }

    fn text_of(decimal: Option<&Decimal>) -> &str {
        decimal.unwrap().value.as_str()
    }

    #[test]
    fn a_11_tianjin_has_two_ways_to_price_a_home() {
        let request = read(include_str!("../../data/cn_tianjin_heat.toml"), Settlement::Refund);
        let homes = &request.classes[0];
        let metered = homes.metered.as_ref().unwrap();
        assert_eq!(
            [
                homes.use_class.as_str(),
                text_of(homes.area_price.as_ref()),
                text_of(metered.base_price.as_ref()),
                text_of(metered.energy_price.as_ref())
            ],
            ["resident", "25", "7.5", "0.13"]
        );
        assert_eq!(metered.settlement(), heat_metered_price::Settlement::RefundAndSupplement);
        assert_eq!((request.from_date, homes.height_surcharge.as_ref()), (request.published_date, None));
    }

    #[test]
    fn a_11_a_file_may_say_how_a_season_is_settled() {
        let text = include_str!("../../data/cn_tianjin_heat.toml").replace("rounding = ", "settlement = \"carry_over\"\nrounding = ");
        let read = |settlement| request(&text, Tariff::from_toml(&text).unwrap(), settlement, &Told::default());
        let metered = read(None).unwrap().classes.remove(0).metered.unwrap();
        assert_eq!(metered.settlement(), heat_metered_price::Settlement::CarryOver);
        assert!(read(Some(Settlement::CarryOver)).is_ok());
        assert!(read(Some(Settlement::Capped)).is_err());
    }

    #[test]
    fn a_11_tax_roundings_standing_charges_and_the_unit_of_energy_have_words() {
        let text = include_str!("../../data/cn_tianjin_heat.toml")
            .replacen(
                "rounding = \"half_up_0.01_once_per_bill\"",
                "rounding = \"floor_0.10_once_per_bill\"\ntax_percent = \"9\"\ntax_rounding = \"half_up_0.01\"",
                1,
            )
            .replacen(
                "[[class]]",
                "[[class]]\nrounding = \"floor_1\"\ncharges = [{ per = \"day\", price = \"0.50\" }]",
                1,
            )
            .replacen("metered_per_kwh = \"0.13\"", "metered_per_gj = \"44.45\"", 1);
        let asked = read(&text, Settlement::Refund);
        let homes = &asked.classes[0];
        let metered = homes.metered.as_ref().unwrap();
        assert_eq!((metered.unit(), text_of(metered.energy_price.as_ref())), (Unit::Gj, "44.45"));
        assert_eq!(asked.classes[1].metered.as_ref().unwrap().unit(), Unit::Kwh);
        let places = [&asked.rounding, &asked.tax_rounding, &homes.rounding].map(|rounding| text_of(rounding.as_ref().unwrap().place.as_ref()));
        assert_eq!(
            (places, text_of(asked.tax_percent.as_ref()), asked.tax_included),
            (["0.1", "0.01", "1"], "9", false)
        );
        let daily: Vec<_> = homes
            .standing_charges
            .iter()
            .map(|charge| (charge.per(), text_of(charge.price.as_ref())))
            .collect();
        assert_eq!(daily, [(standing_charge::Per::Day, "0.5")]);
        // A second price for the same has no word.
        let twice = text.replacen("per = \"day\"", "per = \"m2\"", 1);
        let refused = request(&twice, Tariff::from_toml(&twice).unwrap(), None, &Told::default()).unwrap_err();
        assert!(refused.to_string().contains("class resident"), "{refused}");
    }

    #[test]
    fn a_11_beijing_has_a_surcharge_for_high_rooms_and_classes_without_meter() {
        let beijing = include_str!("../../../billing/rating/tests/data/tariffs/cn_beijing_heat.toml");
        let request = read(beijing, Settlement::Capped);
        let height = request.classes[0].height_surcharge.as_ref().unwrap();
        assert_eq!(
            (text_of(height.above_metres.as_ref()), text_of(height.percent_per_metre.as_ref())),
            ("4", "12.5")
        );
        assert_eq!(
            request.classes[0].metered.as_ref().unwrap().settlement(),
            heat_metered_price::Settlement::Capped
        );
        assert_eq!(request.classes[2].metered, None);
        assert_ne!(
            request.request_id,
            read(beijing, Settlement::Refund).request_id,
            "another settlement is another tariff"
        );
    }
}
