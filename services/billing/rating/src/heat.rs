//! Metered heat: what is due at the end of a season, against what was prepaid by area (domain.md 9.3).

use money::{Area, Energy, Money};

use crate::{
    Class, Plan, Profile, RatingError, Rounding, Settlement,
    bill::{Rated, Segment, Usage, rate},
};

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
        let fee = |settlement| {
            let plan = Plan::new(
                class,
                &Profile {
                    settlement,
                    ..Profile::default()
                },
                rounding,
                None,
            )?;
            rate(&[Segment::new(&plan, 0, Usage::heat(area, energy))], &crate::Ledger::default())
        };
        let (by_area, metered) = (fee(Settlement::Standard)?, fee(Settlement::Metered)?);
        let refund = by_area.total.checked_sub(metered.total)?;
        Ok(Self { by_area, metered, refund })
    }
}
