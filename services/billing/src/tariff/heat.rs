//! Prices of heat as billing keeps them, pure.

use calendar::NaiveDate;
use money::{Ratio, UnitPrice};
use rating::{Class, Component, HeightSurcharge, Measure, Price};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::model::{RoundingTerms, Rules, StandingTerms};
use crate::{refusal::Refusal, words::words};

words! {
    /// What the energy price counts.
    pub enum EnergyUnit {
        /// Kilowatt hours.
        Kwh "KWH",
        /// Gigajoules.
        Gj "GJ",
    }
}

impl EnergyUnit {
    /// The unit as people write it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Kwh => "kWh",
            Self::Gj => "GJ",
        }
    }
}

words! {
    /// What is done with the difference between area and meter at the end of a season (9.3).
    pub enum SettlementRule {
        /// Refund and supplement (多退少补).
        RefundAndSupplement "REFUND_AND_SUPPLEMENT",
        /// No supplement, a surplus is kept for the next season.
        CarryOver "CARRY_OVER",
        /// Never more than by area.
        Capped "CAPPED",
    }
}

impl SettlementRule {
    /// The rule of the rating engine.
    pub const fn rated(self) -> rating::SettlementRule {
        match self {
            Self::RefundAndSupplement => rating::SettlementRule::RefundAndSupplement,
            Self::CarryOver => rating::SettlementRule::CarryOver,
            Self::Capped => rating::SettlementRule::Capped,
        }
    }
}

/// The prices of one class, as the database keeps them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeatTerms {
    /// Yuan a square metre, for the season or for a month.
    pub area: UnitPrice,
    /// Months that the price by area is multiplied by; 0 for a price of the season.
    pub months: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metered: Option<MeteredTerms>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surcharge: Option<SurchargeTerms>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standing: Vec<StandingTerms>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounding: Option<RoundingTerms>,
}

/// The two-part price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeteredTerms {
    /// Yuan a square metre.
    pub base: UnitPrice,
    /// Yuan a unit of energy.
    pub energy: UnitPrice,
    /// Code of [`EnergyUnit`].
    pub unit: String,
    /// Code of [`SettlementRule`].
    pub settlement: String,
}

impl MeteredTerms {
    /// What the energy price counts.
    pub fn unit(&self) -> Option<EnergyUnit> {
        EnergyUnit::of(&self.unit)
    }

    /// What is done with the difference.
    pub fn settlement(&self) -> Option<SettlementRule> {
        SettlementRule::of(&self.settlement)
    }
}

/// The surcharge for high rooms, as the notice writes its numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurchargeTerms {
    /// Metres without surcharge.
    pub above: String,
    /// Percent of the price by area a metre above.
    pub percent: String,
}

impl HeatTerms {
    /// The class that the rating engine prices.
    ///
    /// # Errors
    /// HEAT_PRICE where a price is negative or does not fit; TIERS or TARIFF_RULE where a standing charge or a rounding does not.
    pub fn class(&self, name: &str) -> Result<Class, Refusal> {
        let times = i64::from(self.months.max(1));
        let area = self.area.checked_mul(times).map_err(|_| Refusal::HeatPrice)?;
        let energy = self.metered.iter().flat_map(|m| [m.base, m.energy]);
        if std::iter::once(area).chain(energy).any(UnitPrice::is_negative) {
            return Err(Refusal::HeatPrice);
        }
        let rounding = self.rounding.as_ref().map(RoundingTerms::rounding).transpose()?;
        let standing = self.standing.iter().map(StandingTerms::component).collect::<Result<Vec<_>, _>>()?;
        let with_standing = |units: Vec<Price>| {
            let units = units.into_iter().map(|price| Component { price, rounding });
            standing.iter().cloned().chain(units).collect()
        };
        let two_parts = |m: &MeteredTerms| with_standing(vec![Price::Unit(Measure::Area, m.base), Price::Unit(Measure::Energy, m.energy)]);
        Ok(Class {
            metered: self.metered.as_ref().map(two_parts),
            ..Class::plain(name, with_standing(vec![Price::Unit(Measure::Area, area)]))
        })
    }

    /// The surcharge for high rooms.
    ///
    /// # Errors
    /// HEAT_PRICE where its numbers are negative or cannot be read.
    pub fn surcharge(&self) -> Result<Option<HeightSurcharge>, Refusal> {
        let Some(terms) = &self.surcharge else { return Ok(None) };
        let above = Ratio::parse(&terms.above).map_err(|_| Refusal::HeatPrice)?;
        let per_metre = Ratio::parse_percent(&terms.percent).map_err(|_| Refusal::HeatPrice)?;
        if above.numerator() < 0 || per_metre.numerator() < 0 {
            return Err(Refusal::HeatPrice);
        }
        Ok(Some(HeightSurcharge { above, per_metre }))
    }
}

/// The price of one class between two days.
#[derive(Clone, Debug)]
pub struct HeatPrice {
    pub tariff_id: Uuid,
    /// Empty for all that have no price of their own.
    pub branch: String,
    pub class: String,
    pub from: NaiveDate,
    /// First day on which it is not in force any more.
    pub until: Option<NaiveDate>,
    pub terms: HeatTerms,
    /// What its version says of tax and rounding.
    pub rules: Rules,
}

/// All prices of heat. The database keeps a notice behind each.
#[derive(Clone, Debug, Default)]
pub struct HeatBook(Vec<HeatPrice>);

impl HeatBook {
    pub fn new(prices: Vec<HeatPrice>) -> Self {
        Self(prices)
    }

    /// The price of a class on a day in a branch: its own, or else that for all.
    pub fn price(&self, branch: &str, class: &str, day: NaiveDate) -> Option<&HeatPrice> {
        let on_day = |p: &&HeatPrice| p.class == class && p.from <= day && p.until.is_none_or(|until| day < until);
        let of = |branch: &str| self.0.iter().filter(on_day).find(|p| p.branch == branch);
        of(branch).or_else(|| of(""))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;

    use super::*;

    fn terms(area: &str, months: i32) -> HeatTerms {
        HeatTerms {
            area: area.parse().unwrap(),
            months,
            metered: None,
            surcharge: None,
            standing: vec![],
            rounding: None,
        }
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = EnergyUnit::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "UNIT_", |n| proto::heat_metered_price::Unit::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = SettlementRule::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "SETTLEMENT_", |n| {
            proto::heat_metered_price::Settlement::try_from(n).ok().map(|v| v.as_str_name())
        });
    }

    #[test]
    fn a_11_price_of_a_month_counts_for_its_months() {
        let season = terms("25", 0).class("resident").unwrap();
        assert_eq!(season.components, [Price::Unit(Measure::Area, "25".parse().unwrap()).into()]);
        let monthly = terms("4.5", 4).class("resident").unwrap();
        assert_eq!(monthly.components, [Price::Unit(Measure::Area, "18".parse().unwrap()).into()]);
        assert_eq!(terms("-1", 0).class("resident").map(|_| ()), Err(Refusal::HeatPrice));
    }

    #[test]
    fn a_surcharge_is_read_as_the_notice_writes_it() {
        let with = |above: &str, percent: &str| {
            HeatTerms {
                surcharge: Some(SurchargeTerms {
                    above: above.to_owned(),
                    percent: percent.to_owned(),
                }),
                ..terms("24", 0)
            }
            .surcharge()
        };
        let read = with("4", "12.5").unwrap().unwrap();
        assert_eq!((read.above, read.per_metre), (Ratio::new(4, 1).unwrap(), Ratio::new(1, 8).unwrap()));
        assert_eq!(with("4", "-1").map(|_| ()), Err(Refusal::HeatPrice));
        assert_eq!(terms("24", 0).surcharge(), Ok(None));
    }
}
