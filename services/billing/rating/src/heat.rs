//! Heat by the season: by area before it, by meter after it, and what is due against what was prepaid by area (domain.md 9.3).

use money::{Area, Energy, Money, Ratio, UnitPrice, Volume};

use crate::{
    Class, Component, HeightSurcharge, Measure, Plan, Profile, RatingError, Rounding, Settlement,
    bill::{Line, Quantity, Rated, Reason, Segment, Usage, rate},
};

/// What one season of one customer costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeatFee {
    /// What is due, rounded once.
    pub total: Money,
    /// Its lines; they sum to the total.
    pub lines: Vec<Line>,
}

impl HeatFee {
    /// By area: area × price, and for rooms above the height of the surcharge a line of its own. The factor of the surcharge applies to the
    /// exact fee, so that the total is rounded once.
    ///
    /// # Errors
    /// [`RatingError::NegativeVolume`], [`RatingError::Overflow`].
    pub fn by_area(class: &Class, rounding: Rounding, area: Area, surcharge: Option<HeightSurcharge>, height: Option<Ratio>) -> Result<Self, RatingError> {
        let Rated { total, mut lines, exact, .. } = season(class, Settlement::Standard, rounding, area, Energy::ZERO)?;
        let factor = match surcharge.zip(height) {
            Some((surcharge, height)) => surcharge.factor(height)?,
            None => Ratio::ONE,
        };
        if factor == Ratio::ONE {
            return Ok(Self { total, lines });
        }
        let raised = exact.round_times(factor, rounding.mode, rounding.step)?;
        let share = factor.checked_add(Ratio::new(-1, 1)?)?;
        let mut price = UnitPrice::ZERO;
        for component in &class.components {
            if let Component::Unit(Measure::Area, unit) = component {
                price = price.checked_add(times(*unit, share)?)?;
            }
        }
        lines.push(Line {
            segment: 0,
            tier: 0,
            from: Volume::ZERO,
            quantity: Quantity::Area(area),
            unit_price: price,
            amount: raised.checked_sub(total)?,
            reason: Reason::HeightSurcharge,
        });
        Ok(Self { total: raised, lines })
    }

    /// By meter: area × base price + energy × energy price × correction. The corrected energy price is kept to 10⁻⁶ yuan, as prices are.
    ///
    /// # Errors
    /// [`RatingError::NoMeteredPrice`], [`RatingError::NegativeVolume`], [`RatingError::Overflow`].
    pub fn by_meter(class: &Class, rounding: Rounding, area: Area, energy: Energy, correction: Ratio) -> Result<Self, RatingError> {
        let mut class = class.clone();
        for component in class.metered.iter_mut().flatten() {
            if let Component::Unit(Measure::Energy, price) = component {
                *price = times(*price, correction)?;
            }
        }
        let Rated { total, lines, .. } = season(&class, Settlement::Metered, rounding, area, energy)?;
        Ok(Self { total, lines })
    }
}

fn times(price: UnitPrice, factor: Ratio) -> Result<UnitPrice, RatingError> {
    Ok(UnitPrice::from_micros(Ratio::new(price.micros(), 1)?.checked_mul(factor)?.round_half_up(0)?))
}

fn season(class: &Class, settlement: Settlement, rounding: Rounding, area: Area, energy: Energy) -> Result<Rated, RatingError> {
    let profile = Profile {
        settlement,
        ..Profile::default()
    };
    let plan = Plan::new(class, &profile, rounding, None)?;
    rate(&[Segment::new(&plan, 0, Usage::heat(area, energy))], &crate::Ledger::default())
}

/// The end of a metered season.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeatSettlement {
    /// The fee by area that was due before the season.
    pub by_area: Rated,
    /// The two-part fee: area × base price + kWh × energy price.
    pub metered: Rated,
    /// What goes back to the customer; negative where a supplement is due. Whether a supplement is asked for, or a surplus goes to the
    /// next season, is the city's rule and not decided here.
    pub refund: Money,
}

impl HeatSettlement {
    /// Settles a whole season of one customer.
    ///
    /// # Errors
    /// [`RatingError::NoMeteredPrice`], [`RatingError::NegativeVolume`], [`RatingError::Overflow`].
    pub fn new(class: &Class, rounding: Rounding, area: Area, energy: Energy) -> Result<Self, RatingError> {
        let fee = |settlement| season(class, settlement, rounding, area, energy);
        let (by_area, metered) = (fee(Settlement::Standard)?, fee(Settlement::Metered)?);
        let refund = by_area.total.checked_sub(metered.total)?;
        Ok(Self { by_area, metered, refund })
    }
}
