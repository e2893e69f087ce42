//! A tariff of heat as the request that publishes it.

use anyhow::{Result, bail, ensure};
use calendar::NaiveDate;
use contracts::hearth::{
    billing::v1::{
        HeatClass, HeatMeteredPrice, HeightSurcharge, PublishHeatTariffRequest,
        heat_metered_price::{self, Unit},
    },
    r#type::v1::Decimal,
};
use money::{Ratio, UnitPrice};
use rating::{Class, Component, Measure, Price, SettlementRule, Tariff};
use rpc::wire;

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

/// The request for a tariff that was read from `text`; `published` as for gas.
///
/// # Errors
/// What billing cannot price: a tax, another rounding, a charge besides those by area and energy; a settlement that is not that of the file.
pub fn request(text: &str, read: Tariff, settlement: Option<Settlement>, published: Option<NaiveDate>) -> Result<PublishHeatTariffRequest> {
    let own = read.settlement.map(Settlement::from);
    if let Some((own, asked)) = own.zip(settlement) {
        ensure!(own == asked, "the file settles a season in another way than --settlement says");
    }
    let settlement = own.or(settlement).unwrap_or(Settlement::Refund);
    ensure!(read.tax.is_none(), "a tax on top of the prices of heat is not taken");
    let measured = |component: &Component| component.rounding.is_none() && matches!(component.price, Price::Unit(Measure::Area | Measure::Energy, _));
    for class in &read.classes {
        ensure!(
            class.components.iter().chain(class.metered.iter().flatten()).all(measured),
            "class {}: heat has prices by area and energy, rounded once per bill",
            class.name
        );
    }
    ensure!(
        read.rounding == rating::Rounding::default(),
        "only rounding to the fen, half up, once per bill is taken"
    );
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
            area_price: Some(price(&class.components, Measure::Area, &class.name)?),
            months: 0,
            metered: match &class.metered {
                Some(parts) => Some(HeatMeteredPrice {
                    base_price: Some(price(parts, Measure::Area, &class.name)?),
                    energy_price: Some(price(parts, Measure::Energy, &class.name)?),
                    unit: Unit::Kwh.into(),
                    settlement: heat_metered_price::Settlement::from(settlement).into(),
                }),
                None => None,
            },
            height_surcharge: surcharge.clone(),
        })
    };
    Ok(PublishHeatTariffRequest {
        request_id: rpc::derived_request_id(format!("{text}\n{settlement:?}"), "publish-heat-tariff"),
        from_date: Some(wire::date(read.effective_from)),
        until_date: None,
        published_date: Some(wire::date(published.unwrap_or(read.effective_from))),
        currency_code: "CNY".to_owned(),
        classes: read.classes.iter().map(class).collect::<Result<_>>()?,
        follows_tariff_id: None,
        replaces_tariff_id: None,
        name: read.name,
        legal_basis: read.legal_basis,
        approved_by: read.approved_by,
    })
}

/// Whether two lists of classes say the same, in whichever order.
pub fn same(one: &[HeatClass], other: &[HeatClass]) -> bool {
    let sorted = |classes: &[HeatClass]| {
        let mut classes = classes.to_vec();
        classes.sort_by(|a, b| a.use_class.cmp(&b.use_class));
        classes
    };
    sorted(one) == sorted(other)
}

fn price(parts: &[Component], measure: Measure, class: &str) -> Result<Decimal> {
    let found = parts.iter().find_map(|part| match part.price {
        Price::Unit(of, price) if of == measure => Some(price),
        _ => None,
    });
    match found {
        Some(price) => Ok(wire::decimal(price.short())),
        None => bail!("class {class}: heat has one price for each square metre and one for each kWh"),
    }
}

/// A number of the notice, at most six places.
fn decimal(number: Ratio) -> Result<Decimal> {
    Ok(wire::decimal(UnitPrice::from_micros(number.round_half_up(6)?).short()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn read(text: &str, settlement: Settlement) -> PublishHeatTariffRequest {
        request(text, Tariff::from_toml(text).unwrap(), Some(settlement), None).unwrap()
    }

    fn text(decimal: Option<&Decimal>) -> &str {
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
                text(homes.area_price.as_ref()),
                text(metered.base_price.as_ref()),
                text(metered.energy_price.as_ref())
            ],
            ["resident", "25", "7.5", "0.13"]
        );
        assert_eq!(metered.settlement(), heat_metered_price::Settlement::RefundAndSupplement);
        assert_eq!((request.from_date, homes.height_surcharge.as_ref()), (request.published_date, None));
        let mut turned = request.classes.clone();
        turned.reverse();
        assert!(same(&turned, &request.classes));
        turned[0].months = 4;
        assert!(!same(&turned, &request.classes));
    }

    #[test]
    fn a_11_a_file_may_say_how_a_season_is_settled() {
        let text = include_str!("../../data/cn_tianjin_heat.toml").replace("rounding = ", "settlement = \"carry_over\"\nrounding = ");
        let read = |settlement| request(&text, Tariff::from_toml(&text).unwrap(), settlement, None);
        let metered = read(None).unwrap().classes.remove(0).metered.unwrap();
        assert_eq!(metered.settlement(), heat_metered_price::Settlement::CarryOver);
        assert!(read(Some(Settlement::CarryOver)).is_ok());
        assert!(read(Some(Settlement::Capped)).is_err());
    }

    #[test]
    fn a_11_beijing_has_a_surcharge_for_high_rooms_and_classes_without_meter() {
        let beijing = include_str!("../../../billing/rating/tests/data/tariffs/cn_beijing_heat.toml");
        let request = read(beijing, Settlement::Capped);
        let height = request.classes[0].height_surcharge.as_ref().unwrap();
        assert_eq!((text(height.above_metres.as_ref()), text(height.percent_per_metre.as_ref())), ("4", "12.5"));
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
