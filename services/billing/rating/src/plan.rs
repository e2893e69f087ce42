//! The prices of one class for one customer.

use money::{Ratio, UnitPrice, Volume};

use crate::{
    Class, Component, Household, RatingError, Reason, ReliefRule, Rounding, Span, Tariff, Tier,
    bill::{Ledger, Rated, Segment, Usage, rate},
};

/// What a tariff asks about a customer. The default is a household without any entitlement, for a whole year.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Profile {
    /// Registered persons; 0 where unknown.
    pub persons: u16,
    /// Proven low income.
    pub low_income: Option<LowIncome>,
    /// The household chose the flat price that the tariff offers.
    pub flat_choice: bool,
    /// By area or by meter, for heat.
    pub settlement: Settlement,
    /// Months of the tier-year that the uplift counts for: 12, or the remaining ones after a change within the year.
    pub uplift_months: u8,
    /// Months of the tier-year that the tiers count for: 12, or the months open where the city prorates.
    pub allowance_months: u8,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            persons: 0,
            low_income: None,
            flat_choice: false,
            settlement: Settlement::Standard,
            uplift_months: 12,
            allowance_months: 12,
        }
    }
}

impl Profile {
    /// A household of so many persons.
    pub fn household(persons: u16) -> Self {
        Self { persons, ..Self::default() }
    }

    /// The same with proven low income.
    #[must_use]
    pub fn with_low_income(self, kind: LowIncome) -> Self {
        Self {
            low_income: Some(kind),
            ..self
        }
    }
}

/// Kinds of proven low income.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LowIncome {
    /// On subsistence allowance (低保).
    Subsistence,
    /// Destitute, supported by the state (特困).
    Destitute,
}

/// Which prices of a class apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Settlement {
    /// The usual ones; for heat by area.
    #[default]
    Standard,
    /// The two-part price of metered heat.
    Metered,
}

/// The prices of one class for one profile, resolved: rating needs nothing else, so one plan serves every account of that profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub(crate) parts: Vec<Part>,
    pub(crate) free: Option<Free>,
    pub(crate) rounding: Rounding,
    pub(crate) tax: Option<Ratio>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Fixed(UnitPrice),
    Unit(crate::Measure, UnitPrice, Reason),
    Graduated(Vec<Step>, Span),
    Whole(Vec<Step>),
}

/// A tier after the profile was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub number: u16,
    pub up_to: Option<Volume>,
    pub price: UnitPrice,
    pub flat: UnitPrice,
    pub reason: Reason,
}

/// Volume given back at the price of the first tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Free {
    pub per_month: Volume,
    pub price: UnitPrice,
}

impl Tariff {
    /// The prices of a class for a profile.
    ///
    /// # Errors
    /// [`RatingError::UnknownClass`], [`RatingError::NoMeteredPrice`], [`RatingError::ChoiceNotOffered`], [`RatingError::Months`],
    /// [`RatingError::Overflow`].
    pub fn plan(&self, class: &str, profile: &Profile) -> Result<Plan, RatingError> {
        Plan::new(self.class(class)?, profile, self.rounding, self.tax)
    }
}

impl Plan {
    /// As [`Tariff::plan`], for a class that stands alone.
    ///
    /// # Errors
    /// As [`Tariff::plan`], without `UnknownClass`.
    pub fn new(class: &Class, profile: &Profile, rounding: Rounding, tax: Option<Ratio>) -> Result<Self, RatingError> {
        if !(1..=12).contains(&profile.uplift_months) || !(1..=12).contains(&profile.allowance_months) {
            return Err(RatingError::Months);
        }
        let components = match profile.settlement {
            Settlement::Standard => &class.components,
            Settlement::Metered => class.metered.as_ref().ok_or(RatingError::NoMeteredPrice)?,
        };
        let relief = match profile.low_income {
            None => None,
            Some(LowIncome::Subsistence) => class.relief.subsistence,
            Some(LowIncome::Destitute) => class.relief.destitute,
        };
        let choice = match class.household.choice {
            _ if !profile.flat_choice => None,
            Some(choice) if profile.persons >= choice.from_persons => Some(choice),
            _ => return Err(RatingError::ChoiceNotOffered),
        };
        let mut parts = Vec::with_capacity(components.len());
        for component in components {
            parts.push(match component {
                Component::Fixed(amount) => Part::Fixed(*amount),
                Component::Unit(measure, price) => Part::Unit(*measure, *price, Reason::Unit),
                Component::Graduated(_, Span::TierYear) if let Some(choice) = choice => Part::Unit(crate::Measure::Volume, choice.price, Reason::FlatChoice),
                Component::Graduated(tiers, span) => {
                    let mut steps = steps(tiers.as_slice());
                    if *span == Span::TierYear {
                        widen(&mut steps, &class.household, profile)?;
                    }
                    relieve(&mut steps, relief);
                    Part::Graduated(steps, *span)
                }
                Component::Whole(tiers) => Part::Whole(steps(tiers.as_slice())),
            });
        }
        let free = match relief {
            Some(ReliefRule::FreePerMonth(per_month)) => first_price(components).map(|price| Free { per_month, price }),
            _ => None,
        };
        Ok(Self { parts, free, rounding, tax })
    }

    /// The bill of one usage period: `before` is the volume billed in the tier-year so far, `None` before its first bill.
    ///
    /// # Errors
    /// As [`rate`].
    pub fn rate(&self, before: Option<Volume>, volume: Volume) -> Result<Rated, RatingError> {
        let ledger = before.map_or_else(Ledger::default, |before| Ledger::from_iter([(0, before)]));
        rate(&[Segment::new(self, 0, Usage::volume(volume))], &ledger)
    }

    /// What the difference between two volumes of a whole span is worth, each total rounded as a bill: a credit where `to` is less.
    ///
    /// # Errors
    /// As [`rate`].
    pub fn difference(&self, from: Volume, to: Volume) -> Result<money::Money, RatingError> {
        Ok(self.rate(None, to)?.total.checked_sub(self.rate(None, from)?.total)?)
    }
}

fn steps(tiers: &[Tier]) -> Vec<Step> {
    tiers
        .iter()
        .zip(1..)
        .map(|(tier, number)| Step {
            number,
            up_to: tier.up_to,
            price: tier.price,
            flat: tier.flat,
            reason: Reason::Tier,
        })
        .collect()
}

/// Months of the year of the tiers themselves, then the household's uplift on every threshold; each in whole m³, half up.
fn widen(steps: &mut [Step], household: &Household, profile: &Profile) -> Result<(), RatingError> {
    let uplift = match household.uplift {
        Some(uplift) => months_of(uplift.of(profile.persons)?, profile.uplift_months)?,
        None => Volume::ZERO,
    };
    for step in steps {
        let Some(bound) = step.up_to else { continue };
        step.up_to = Some(months_of(bound, profile.allowance_months)?.checked_add(uplift)?);
        if !uplift.is_zero() {
            step.reason = Reason::HouseholdTier;
        }
    }
    Ok(())
}

fn months_of(volume: Volume, months: u8) -> Result<Volume, RatingError> {
    if months == 12 {
        return Ok(volume);
    }
    let metres = Ratio::new(volume.checked_mul(i64::from(months))?.litres(), 12_000)?.round_half_up(0)?;
    Ok(Volume::from_cubic_metres(metres)?)
}

fn relieve(steps: &mut [Step], relief: Option<ReliefRule>) {
    let keep = match relief {
        Some(ReliefRule::AllAtTier1) => 1,
        Some(ReliefRule::NoTier3) => 2,
        Some(ReliefRule::FreePerMonth(_)) | None => return,
    };
    let (kept, rest) = steps.split_at_mut(keep.min(steps.len()));
    let Some(price) = kept.last().map(|step| step.price) else { return };
    for step in rest {
        step.price = price;
        step.reason = Reason::LowIncome;
    }
}

fn first_price(components: &[Component]) -> Option<UnitPrice> {
    components.iter().find_map(|component| match component {
        Component::Graduated(tiers, _) | Component::Whole(tiers) => tiers.as_slice().first().map(|tier| tier.price),
        Component::Unit(crate::Measure::Volume, price) => Some(*price),
        Component::Fixed(_) | Component::Unit(..) => None,
    })
}
