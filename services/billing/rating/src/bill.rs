//! One bill: usage periods in, lines and a total out.

use std::collections::BTreeMap;

use money::{Area, Energy, Exact, Mode, Money, Ratio, UnitPrice, Volume, amount, round_together};

use crate::{
    Measure, Plan, RatingError, Span,
    plan::{Part, Step},
};

/// Volume billed so far per tier-year of one household and premises, the year named as by [`crate::Tariff::tier_year_of`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger(BTreeMap<i32, Volume>);

impl Ledger {
    /// Volume billed in that year; `None` before its first bill.
    pub fn volume(&self, year: i32) -> Option<Volume> {
        self.0.get(&year).copied()
    }

    /// The years and their volumes.
    pub fn iter(&self) -> impl Iterator<Item = (i32, Volume)> {
        self.0.iter().map(|(year, volume)| (*year, *volume))
    }
}

impl FromIterator<(i32, Volume)> for Ledger {
    fn from_iter<I: IntoIterator<Item = (i32, Volume)>>(volumes: I) -> Self {
        Self(volumes.into_iter().collect())
    }
}

/// What was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Gas, m³.
    pub volume: Volume,
    /// Heat, in the unit that the notice prices: kWh or GJ, never converted.
    pub energy: Energy,
    /// Heated floor, m².
    pub area: Area,
}

impl Usage {
    /// Gas only.
    pub fn volume(volume: Volume) -> Self {
        Self { volume, ..Self::default() }
    }

    /// Heat: area and, where metered, energy.
    pub fn heat(area: Area, energy: Energy) -> Self {
        Self {
            area,
            energy,
            ..Self::default()
        }
    }
}

/// A usage period of a bill: a tariff change, the end of a tier-year or a meter swap starts another one.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// The prices in force.
    pub plan: &'a Plan,
    /// The tier-year whose ledger it goes to.
    pub tier_year: i32,
    /// What was used.
    pub usage: Usage,
    /// Months whose free volume is given with this segment; 0 for customers without one.
    pub free_months: u8,
}

impl<'a> Segment<'a> {
    /// A period without free months.
    pub fn new(plan: &'a Plan, tier_year: i32, usage: Usage) -> Self {
        Self {
            plan,
            tier_year,
            usage,
            free_months: 0,
        }
    }
}

/// A rated bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rated {
    /// What is due.
    pub total: Money,
    /// Its lines, period by period, tiers ascending; they sum to the total.
    pub lines: Vec<Line>,
    /// The sum before rounding and tax.
    pub exact: Exact,
    /// Volume billed in the tier-year of the last period, this bill included.
    pub volume_after: Volume,
    /// The ledger, this bill included.
    pub ledger: Ledger,
}

/// A line of a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Which usage period, from 0.
    pub segment: usize,
    /// Number of the tier, from 1; 0 where the line has none.
    pub tier: u16,
    /// For a tier the cumulative volume at which the line begins, so that it can be explained.
    pub from: Volume,
    /// What is priced.
    pub quantity: Quantity,
    /// Price of one unit; negative for what is given free.
    pub unit_price: UnitPrice,
    /// The line's share of the rounded total, at most one fen from quantity × price.
    pub amount: Money,
    /// Why the line is there.
    pub reason: Reason,
}

/// What a line prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// m³.
    Volume(Volume),
    /// kWh or GJ, as the notice prices it.
    Energy(Energy),
    /// m².
    Area(Area),
    /// Once.
    Once,
}

impl Quantity {
    /// In 10⁻³ of its unit; 1000 for `Once`.
    pub fn thousandths(self) -> i64 {
        match self {
            Self::Volume(volume) => volume.litres(),
            Self::Energy(energy) => energy.watt_hours(),
            Self::Area(area) => area.hundredths().saturating_mul(10),
            Self::Once => 1000,
        }
    }
}

/// Why a line is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Volume within a tier.
    Tier,
    /// Volume within a tier that the size of the household widened or moved.
    HouseholdTier,
    /// Volume of a higher tier at the price that low income gives.
    LowIncome,
    /// Volume given free, valued at the price of the first tier.
    FreeVolume,
    /// All volume at the flat price that the household chose.
    FlatChoice,
    /// Due once on entering a tier.
    TierFee,
    /// One price for every unit.
    Unit,
    /// Fixed charge of the bill.
    Fixed,
    /// Tax on all lines above.
    Tax,
    /// What coarse rounding of the total takes or adds.
    Rounding,
    /// What rooms above a height add to the fee by area.
    HeightSurcharge,
}

impl Reason {
    /// All, for tables and checks.
    pub const ALL: [Self; 11] = [
        Self::Tier,
        Self::HouseholdTier,
        Self::LowIncome,
        Self::FreeVolume,
        Self::FlatChoice,
        Self::TierFee,
        Self::Unit,
        Self::Fixed,
        Self::Tax,
        Self::Rounding,
        Self::HeightSurcharge,
    ];

    /// The stable code, for storage and callers.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Tier => "TIER",
            Self::HouseholdTier => "HOUSEHOLD_TIER",
            Self::LowIncome => "LOW_INCOME",
            Self::FreeVolume => "FREE_VOLUME",
            Self::FlatChoice => "FLAT_CHOICE",
            Self::TierFee => "TIER_FEE",
            Self::Unit => "UNIT",
            Self::Fixed => "FIXED",
            Self::Tax => "TAX",
            Self::Rounding => "ROUNDING",
            Self::HeightSurcharge => "HEIGHT_SURCHARGE",
        }
    }
}

/// Prices the usage periods of one bill (domain.md 9.1): each under its own plan, on from the ledger of its tier-year, one rounding
/// for the whole bill; lines get the fen by largest remainder, ties to the lower tier, then to the earlier period.
///
/// A fixed charge and the fee of a [`crate::Component::Whole`] tier are due once per bill, by the plan of the last period.
///
/// # Errors
/// [`RatingError`].
pub fn rate(segments: &[Segment<'_>], ledger: &Ledger) -> Result<Rated, RatingError> {
    let last = segments.last().ok_or(RatingError::NoUsage)?;
    if segments
        .iter()
        .any(|segment| segment.plan.rounding != last.plan.rounding || segment.plan.tax != last.plan.tax)
    {
        return Err(RatingError::MixedRounding);
    }
    if segments
        .iter()
        .any(|segment| segment.usage.volume.is_negative() || segment.usage.energy.is_negative() || segment.usage.area.is_negative())
        || ledger.iter().any(|(_, volume)| volume.is_negative())
    {
        return Err(RatingError::NegativeVolume);
    }
    let whole = Volume::sum(segments.iter().map(|segment| segment.usage.volume))?;
    let mut ledger = ledger.clone();
    let mut drafts = Drafts::default();
    let mut billed: Option<Volume> = None;
    let mut volume_after = Volume::ZERO;
    let final_index = segments.len().checked_sub(1);
    for (index, segment) in segments.iter().enumerate() {
        let volume = segment.usage.volume;
        let is_last = Some(index) == final_index;
        let before = ledger.volume(segment.tier_year);
        drafts.segment = index;
        for part in &segment.plan.parts {
            match part {
                Part::Fixed(price) if is_last => drafts.once(0, *price, Reason::Fixed),
                Part::Fixed(_) => {}
                Part::Unit(measure, price, reason) => drafts.unit(segment.usage, *measure, *price, *reason)?,
                Part::Graduated(steps, Span::TierYear) => drafts.graduated(steps, before, volume)?,
                Part::Graduated(steps, Span::Bill) => drafts.graduated(steps, billed, volume)?,
                Part::Whole(steps) => drafts.whole(steps, whole, volume, is_last)?,
            }
        }
        if let Some(free) = segment.plan.free {
            let given = free.per_month.checked_mul(i64::from(segment.free_months))?.min(volume);
            drafts.push(
                0,
                Volume::ZERO,
                Quantity::Volume(given),
                amount(given, free.price.checked_neg()?)?,
                free.price.checked_neg()?,
                Reason::FreeVolume,
            );
        }
        volume_after = before.unwrap_or_default().checked_add(volume)?;
        ledger.0.insert(segment.tier_year, volume_after);
        billed = Some(billed.unwrap_or_default().checked_add(volume)?);
    }
    let (total, exact, lines) = drafts.total(last.plan)?;
    Ok(Rated {
        total,
        lines,
        exact,
        volume_after,
        ledger,
    })
}

/// Lines with their exact amounts.
#[derive(Default)]
struct Drafts {
    segment: usize,
    lines: Vec<(Line, Exact)>,
}

impl Drafts {
    fn push(&mut self, tier: u16, from: Volume, quantity: Quantity, exact: Exact, unit_price: UnitPrice, reason: Reason) {
        if quantity.thousandths() != 0 {
            self.lines.push((
                Line {
                    segment: self.segment,
                    tier,
                    from,
                    quantity,
                    unit_price,
                    amount: Money::ZERO,
                    reason,
                },
                exact,
            ));
        }
    }

    fn once(&mut self, tier: u16, price: UnitPrice, reason: Reason) {
        if !price.is_zero() {
            self.push(tier, Volume::ZERO, Quantity::Once, Exact::from(price), price, reason);
        }
    }

    fn unit(&mut self, usage: Usage, measure: Measure, price: UnitPrice, reason: Reason) -> Result<(), RatingError> {
        let (quantity, exact) = match measure {
            Measure::Volume => (Quantity::Volume(usage.volume), amount(usage.volume, price)?),
            Measure::Energy => (Quantity::Energy(usage.energy), amount(usage.energy, price)?),
            Measure::Area => (Quantity::Area(usage.area), amount(usage.area, price)?),
        };
        self.push(0, Volume::ZERO, quantity, exact, price, reason);
        Ok(())
    }

    /// Each tier gets the overlap of (before, before + volume] with (bound before, bound].
    fn graduated(&mut self, steps: &[Step], before: Option<Volume>, volume: Volume) -> Result<(), RatingError> {
        let start = before.unwrap_or_default();
        let end = start.checked_add(volume)?;
        let mut lower = Volume::ZERO;
        for step in steps {
            let upper = step.up_to.unwrap_or(Volume::MAX);
            let entered = if step.number == 1 { before.is_none() } else { start <= lower && lower < end };
            if entered {
                self.once(step.number, step.flat, Reason::TierFee);
            }
            let (from, to) = (start.max(lower), end.min(upper));
            if from < to {
                let part = to.checked_sub(from)?;
                self.push(step.number, from, Quantity::Volume(part), amount(part, step.price)?, step.price, step.reason);
            }
            lower = upper;
        }
        if end > lower { Err(RatingError::BeyondLastTier) } else { Ok(()) }
    }

    fn whole(&mut self, steps: &[Step], whole: Volume, volume: Volume, fee: bool) -> Result<(), RatingError> {
        let step = steps
            .iter()
            .find(|step| step.up_to.is_none_or(|bound| whole <= bound))
            .ok_or(RatingError::BeyondLastTier)?;
        if fee {
            self.once(step.number, step.flat, Reason::TierFee);
        }
        self.push(
            step.number,
            Volume::ZERO,
            Quantity::Volume(volume),
            amount(volume, step.price)?,
            step.price,
            step.reason,
        );
        Ok(())
    }

    fn total(self, plan: &Plan) -> Result<(Money, Exact, Vec<Line>), RatingError> {
        let mut lines = self.lines;
        let exact = Exact::sum(lines.iter().map(|(_, exact)| *exact))?;
        // The order of the tiers decides ties; the sort is stable, so earlier periods come first within a tier.
        let mut order: Vec<&mut (Line, Exact)> = lines.iter_mut().collect();
        order.sort_by_key(|(line, _)| line.tier);
        let (net, amounts) = round_together(&order.iter().map(|(_, exact)| *exact).collect::<Vec<_>>())?;
        for ((line, _), amount) in order.into_iter().zip(amounts) {
            line.amount = amount;
        }
        let mut lines: Vec<Line> = lines.into_iter().map(|(line, _)| line).collect();
        let factor = Ratio::ONE.checked_add(plan.tax.unwrap_or(Ratio::ZERO))?;
        let total = exact.round_times(factor, plan.rounding.mode, plan.rounding.step)?;
        let tax = match plan.tax {
            Some(tax) => exact.round_times(tax, Mode::HalfUp, Money::from_fen(1))?,
            None => Money::ZERO,
        };
        let rest = total.checked_sub(net)?.checked_sub(tax)?;
        for (amount, reason) in [(tax, Reason::Tax), (rest, Reason::Rounding)] {
            if !amount.is_zero() {
                let unit_price = UnitPrice::from_micros(amount.fen().checked_mul(10_000).ok_or(RatingError::Overflow)?);
                lines.push(Line {
                    segment: self.segment,
                    tier: 0,
                    from: Volume::ZERO,
                    quantity: Quantity::Once,
                    unit_price,
                    amount,
                    reason,
                });
            }
        }
        Ok((total, exact, lines))
    }
}
