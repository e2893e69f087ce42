//! A season of heat, priced by area and by meter.

use anyhow::{Context, Result, ensure};
use money::{Area, Energy, Money, Ratio};
use rating::{EnergyUnit, HeatPrices, HeatSettlement, SettlementRule, Tariff};

/// What a season is priced by.
#[derive(clap::Args)]
pub struct Heat {
    /// For heat: heated area in square metres.
    #[arg(long, value_name = "M2", conflicts_with_all = ["volumes", "file", "in_turn", "household", "low_income", "flat_price", "free_months", "then"])]
    pub area: Option<Area>,
    /// For heat by meter: energy of the season, where the tariff prices kWh.
    #[arg(long, value_name = "KWH", requires = "area", group = "energy")]
    pub kwh: Option<Energy>,
    /// For heat by meter: energy of the season, where the tariff prices GJ.
    #[arg(long, value_name = "GJ", requires = "area", group = "energy")]
    pub gj: Option<Energy>,
    /// For heat by area: height of the rooms in metres.
    #[arg(long, value_name = "METRES", requires = "area", value_parser = ratio)]
    pub height: Option<Ratio>,
    /// For heat by meter: factor on the energy for the place in the building.
    #[arg(long, value_name = "FACTOR", requires = "energy", value_parser = ratio)]
    pub correction: Option<Ratio>,
}

fn ratio(text: &str) -> Result<Ratio, String> {
    Ratio::parse(text)
        .ok()
        .filter(|ratio| ratio.numerator() > 0)
        .ok_or_else(|| "not a number above 0".to_owned())
}

impl Heat {
    /// The fee by area, that by meter where energy is given, and what the end of the season makes of the two.
    pub fn told(&self, tariff: &Tariff, class: &str, area: Area, explain: bool) -> Result<String> {
        let prices = HeatPrices::of(tariff, class, tariff.tier_year_of(tariff.effective_from))?;
        let by_area = prices.by_area(area, self.height)?;
        let mut text = format!(
            "{}, in force from {}\n{}, {}\nclass {class}\n\nby area   {}",
            tariff.name, tariff.effective_from, tariff.legal_basis, tariff.approved_by, by_area.total
        );
        let mut fees = vec![by_area.clone()];
        if let Some(energy) = self.kwh.or(self.gj) {
            let told = if self.gj.is_some() { EnergyUnit::Gj } else { EnergyUnit::Kwh };
            ensure!(
                prices.class.energy == told,
                "the tariff prices another unit of energy, and neither is converted into the other: give --{}",
                if self.gj.is_some() { "kwh" } else { "gj" }
            );
            let metered = prices.by_meter(area, energy, self.correction.unwrap_or(Ratio::ONE)).context("by meter")?;
            text.push_str(&format!("\nby meter  {}", metered.total));
            fees.push(metered.clone());
            let refund = by_area.total.checked_sub(metered.total)?;
            let settled = HeatSettlement { by_area, metered, refund };
            let outcome = settled.outcome(tariff.settlement.unwrap_or(SettlementRule::RefundAndSupplement))?;
            text.push_str(&format!("\ncharged   {}", outcome.charged));
            for (what, amount) in [
                ("refund", outcome.refund),
                ("carried over", outcome.carried),
                ("supplement", outcome.supplement),
            ] {
                if amount > Money::ZERO {
                    text.push_str(&format!(", {what} {amount}"));
                }
            }
        }
        if explain {
            for fee in &fees {
                text.push_str(&format!("\n\n{}", fee.explanation.as_str().trim_end()));
            }
        }
        Ok(text)
    }
}
