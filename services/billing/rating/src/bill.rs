//! One bill: usage periods in, lines and a total out.

use chrono::NaiveDate;
use money::{Area, Energy, Exact, Money, Ratio, UnitPrice, Volume, amount, round_together};

use crate::{
    Explanation, Measure, Per, Plan, RatingError, Rounding, Rule, Span, Tax,
    days::stretches,
    explain::{Token, Trace},
    plan::{Free, Part, Step},
};

/// Volume billed so far per tier-year of one household and premises, the year named as by [`crate::Tariff::tier_year_of`]. The few years of a
/// bill are kept in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger(Vec<(i32, Volume)>);

impl Ledger {
    /// Volume billed in that year; `None` before its first bill.
    pub fn volume(&self, year: i32) -> Option<Volume> {
        self.0.iter().find(|(known, _)| *known == year).map(|(_, volume)| *volume)
    }

    /// The years and their volumes, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (i32, Volume)> {
        self.0.iter().copied()
    }

    fn set(&mut self, year: i32, volume: Volume) {
        match self.0.iter_mut().find(|(known, _)| *known == year) {
            Some((_, known)) => *known = volume,
            None => {
                let at = self.0.partition_point(|(known, _)| *known < year);
                self.0.insert(at, (year, volume));
            }
        }
    }
}

impl FromIterator<(i32, Volume)> for Ledger {
    fn from_iter<I: IntoIterator<Item = (i32, Volume)>>(volumes: I) -> Self {
        let mut ledger = Self::default();
        for (year, volume) in volumes {
            ledger.set(year, volume);
        }
        ledger
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
    /// The day of the reading (or cut) it starts after, and its last day; standing charges for days, months and years need them.
    pub days: Option<(NaiveDate, NaiveDate)>,
    /// What names the version of the tariff in the explanation; empty where nothing does.
    pub tariff: &'a str,
    /// Where a [`crate::Period`] has it from.
    pub origin: Origin,
}

/// Where a usage period comes from, if a [`crate::Period`] was cut into it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin {
    /// The day after which its standing charges are due, where a meter at its side has paid them up to there.
    pub(crate) charged_until: Option<NaiveDate>,
    /// Where the explanation has its volume from.
    pub(crate) source: Source,
}

/// Which step of an explanation a volume comes from.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Source {
    /// From outside.
    #[default]
    Given,
    /// Use of a meter, from 1.
    Meter(usize),
    /// A share that is one number, from 1.
    Share(usize),
    /// Part of a share, both from 1.
    Part(usize, usize),
}

impl Source {
    pub(crate) fn token(self) -> Option<Token<'static>> {
        match self {
            Self::Given => None,
            Self::Meter(number) => Some(Token::Of('m', number, "used")),
            Self::Share(share) => Some(Token::Of('v', share, "")),
            Self::Part(share, place) => Some(Token::Part(share, place)),
        }
    }
}

impl<'a> Segment<'a> {
    /// A period without days and free months.
    pub fn new(plan: &'a Plan, tier_year: i32, usage: Usage) -> Self {
        Self {
            plan,
            tier_year,
            usage,
            free_months: 0,
            days: None,
            tariff: "",
            origin: Origin::default(),
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
    /// The tax within or on top of the total; nothing where the tariff names none.
    pub tax: Money,
    /// From which everything above can be computed again.
    pub explanation: Explanation,
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
    /// Days.
    Days(i64),
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
            Self::Days(days) => days.saturating_mul(1000),
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
    /// Standing charge.
    Fixed,
    /// Tax on all lines above.
    Tax,
    /// What rounding of a component or of the total takes or adds.
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
/// A standing charge for each bill and the fee of a [`crate::Price::Whole`] tier are due once per bill, by the plan of the last period.
///
/// # Errors
/// [`RatingError`].
pub fn rate(segments: &[Segment<'_>], ledger: &Ledger) -> Result<Rated, RatingError> {
    rate_on(Trace::new(), segments, ledger)
}

/// The same, where something was explained before: how the volumes came to be.
pub(crate) fn rate_on(trace: Trace, segments: &[Segment<'_>], ledger: &Ledger) -> Result<Rated, RatingError> {
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
    let mut drafts = Drafts {
        trace,
        segments,
        ledger: ledger.clone(),
        billed: None,
        whole,
        number: 0,
        lines: Vec::with_capacity(4),
    };
    let mut volume_after = Volume::ZERO;
    for (number, segment) in (1..).zip(segments) {
        volume_after = drafts.segment(number, segment)?;
    }
    let ledger = std::mem::take(&mut drafts.ledger);
    let sum = drafts.total(last.plan.rounding, last.plan.tax)?;
    Ok(Rated {
        total: sum.total,
        lines: sum.lines,
        exact: sum.exact,
        volume_after,
        ledger,
        tax: sum.tax,
        explanation: sum.explanation,
    })
}

/// Lines with their exact amounts, and the explanation as far as it goes.
struct Drafts<'a> {
    trace: Trace,
    segments: &'a [Segment<'a>],
    ledger: Ledger,
    /// Volume of the periods before.
    billed: Option<Volume>,
    /// Volume of the bill.
    whole: Volume,
    /// Number of the period, from 1.
    number: usize,
    lines: Vec<(Line, Exact)>,
}

struct Sum {
    total: Money,
    lines: Vec<Line>,
    exact: Exact,
    tax: Money,
    explanation: Explanation,
}

/// What a line prices, before its exact amount.
struct Priced {
    tier: u16,
    from: Volume,
    quantity: Quantity,
    unit_price: UnitPrice,
    reason: Reason,
}

impl Priced {
    fn once(price: UnitPrice, reason: Reason) -> Self {
        Self {
            tier: 0,
            from: Volume::ZERO,
            quantity: Quantity::Once,
            unit_price: price,
            reason,
        }
    }
}

const VOLUME: &str = "volume";
const BEFORE: &str = "before";
const AFTER: &str = "after";

impl Drafts<'_> {
    fn segment(&mut self, number: usize, segment: &Segment<'_>) -> Result<Volume, RatingError> {
        self.number = number;
        let before = self.ledger.volume(segment.tier_year);
        let after = before.unwrap_or_default().checked_add(segment.usage.volume)?;
        self.open(segment, before, after);
        for (part, rounding) in &segment.plan.parts {
            let first = self.lines.len();
            match part {
                Part::Standing(price, per) => self.standing(segment, *price, *per, rounding.unwrap_or_default())?,
                Part::Unit(measure, price, reason) => self.unit(segment.usage, *measure, *price, *reason)?,
                Part::Graduated(steps, Span::TierYear) => self.graduated(steps, before, after, (BEFORE, AFTER))?,
                Part::Graduated(steps, Span::Bill) => {
                    let from = self.billed;
                    let to = from.unwrap_or_default().checked_add(segment.usage.volume)?;
                    self.trace.given(self.of("low"), Token::Volume(from.unwrap_or_default()));
                    self.trace
                        .step(self.of("high"), Rule::Add, &[self.of("low"), self.of(VOLUME)], Token::Volume(to));
                    self.graduated(steps, from, to, ("low", "high"))?;
                }
                Part::Whole(steps) => self.whole(steps, segment.usage.volume)?,
            }
            if let Some(rounding) = rounding {
                self.round(first, *rounding)?;
            }
        }
        if let Some(free) = segment.plan.free {
            self.free(free, segment)?;
        }
        self.ledger.set(segment.tier_year, after);
        self.billed = Some(self.billed.unwrap_or_default().checked_add(segment.usage.volume)?);
        Ok(after)
    }

    fn is_last(&self) -> bool {
        self.number == self.segments.len()
    }

    fn of(&self, word: &'static str) -> Token<'static> {
        Token::Of('s', self.number, word)
    }

    /// What the period was, and what went before it.
    fn open(&mut self, segment: &Segment<'_>, before: Option<Volume>, after: Volume) {
        let annual = |part: &(Part, Option<Rounding>)| matches!(part, (Part::Graduated(_, Span::TierYear), _));
        if !segment.tariff.is_empty() {
            self.trace.fact(self.of("tariff"), &[Token::Word(segment.tariff)]);
        }
        self.trace.fact(self.of("class"), &[Token::Word(&segment.plan.class)]);
        if let Some((from, to)) = segment.days {
            self.trace.fact(self.of("days"), &[Token::Day(from), Token::Day(to)]);
        }
        let usage = segment.usage;
        match segment.origin.source.token() {
            Some(source) => self.trace.step(self.of(VOLUME), Rule::Add, &[source], Token::Volume(usage.volume)),
            None if usage.area.is_zero() && usage.energy.is_zero() => self.trace.given(self.of(VOLUME), Token::Volume(usage.volume)),
            None => {
                self.trace.given(self.of("area"), Token::Area(usage.area));
                if !usage.energy.is_zero() {
                    self.trace.given(self.of("energy"), Token::Energy(usage.energy));
                }
            }
        }
        if segment.plan.parts.iter().any(annual) {
            self.trace.fact(self.of("year"), &[Token::Count(i64::from(segment.tier_year))]);
            self.trace.paste(&segment.plan.derivation, self.number);
            let earlier = self
                .segments
                .iter()
                .take(self.number.saturating_sub(1))
                .rposition(|other| other.tier_year == segment.tier_year);
            match earlier {
                Some(earlier) => {
                    let after = Token::Of('s', earlier.saturating_add(1), AFTER);
                    self.trace.step(self.of(BEFORE), Rule::Add, &[after], Token::Volume(before.unwrap_or_default()));
                }
                None => self.trace.given(self.of(BEFORE), Token::Volume(before.unwrap_or_default())),
            }
            self.trace
                .step(self.of(AFTER), Rule::Add, &[self.of(BEFORE), self.of(VOLUME)], Token::Volume(after));
        } else {
            self.trace.paste(&segment.plan.derivation, self.number);
        }
    }

    /// The number of the next line.
    fn next(&self) -> usize {
        self.lines.len().saturating_add(1)
    }

    fn push(&mut self, priced: Priced, exact: Exact) {
        let Priced {
            tier,
            from,
            quantity,
            unit_price,
            reason,
        } = priced;
        let line = Line {
            segment: self.number.saturating_sub(1),
            tier,
            from,
            quantity,
            unit_price,
            amount: Money::ZERO,
            reason,
        };
        self.lines.push((line, exact));
    }

    fn once(&mut self, tier: u16, price: UnitPrice, reason: Reason) {
        if !price.is_zero() {
            let exact = Exact::from(price);
            self.trace.given(Token::Of('a', self.next(), ""), Token::Exact(exact));
            self.push(
                Priced {
                    tier,
                    ..Priced::once(price, reason)
                },
                exact,
            );
        }
    }

    fn standing(&mut self, segment: &Segment<'_>, price: UnitPrice, per: Per, rounding: Rounding) -> Result<(), RatingError> {
        if per == Per::Bill {
            if self.is_last() {
                self.once(0, price, Reason::Fixed);
            }
            return Ok(());
        }
        let (first, to) = segment.days.ok_or(RatingError::DaysMissing)?;
        let from = segment.origin.charged_until.map_or(first, |until| until.clamp(first, to));
        if per == Per::Day {
            let line = self.next();
            let (quantity, amount_of) = (Token::Of('q', line, ""), Token::Of('a', line, ""));
            let days = to.signed_duration_since(from).num_days();
            let exact = amount(Volume::from_cubic_metres(days)?, price)?;
            if days != 0 && !price.is_zero() {
                self.trace.step(quantity, Rule::Days, &[Token::Day(from), Token::Day(to)], Token::Count(days));
                self.trace.step(amount_of, Rule::Mul, &[quantity, Token::Price(price)], Token::Exact(exact));
                let priced = Priced {
                    quantity: Quantity::Days(days),
                    ..Priced::once(price, Reason::Fixed)
                };
                self.push(priced, exact);
            }
            return Ok(());
        }
        // What is due until a day of a month less what was due until an earlier one: so the parts of a month sum to its price, however it is cut.
        let due = |days: i64, all: i64| Exact::from(price).round_times(Ratio::new(days, all)?, rounding.mode, rounding.step);
        for stretch in stretches(from, to, per)? {
            let (until, after) = (due(stretch.until, stretch.all)?, due(stretch.after, stretch.all)?);
            let charge = until.checked_sub(after)?;
            if charge.is_zero() {
                continue;
            }
            let line = self.next();
            let (amount_of, of) = (Token::Of('a', line, ""), Token::Price(price));
            if stretch.after == 0 {
                self.trace.round(amount_of, rounding, of, Some((stretch.until, stretch.all)), until);
            } else {
                let (upper, lower) = (Token::Of('u', line, ""), Token::Of('l', line, ""));
                self.trace.round(upper, rounding, of, Some((stretch.until, stretch.all)), until);
                self.trace.round(lower, rounding, of, Some((stretch.after, stretch.all)), after);
                self.trace.step(amount_of, Rule::Sub, &[upper, lower], Token::Money(charge));
            }
            self.push(Priced::once(price_of(charge)?, Reason::Fixed), Exact::from(charge));
        }
        Ok(())
    }

    fn unit(&mut self, usage: Usage, measure: Measure, price: UnitPrice, reason: Reason) -> Result<(), RatingError> {
        let (quantity, of, exact) = match measure {
            Measure::Volume => (Quantity::Volume(usage.volume), VOLUME, amount(usage.volume, price)?),
            Measure::Energy => (Quantity::Energy(usage.energy), "energy", amount(usage.energy, price)?),
            Measure::Area => (Quantity::Area(usage.area), "area", amount(usage.area, price)?),
        };
        if quantity.thousandths() != 0 {
            self.trace.step(
                Token::Of('a', self.next(), ""),
                Rule::Mul,
                &[self.of(of), Token::Price(price)],
                Token::Exact(exact),
            );
            let priced = Priced {
                quantity,
                ..Priced::once(price, reason)
            };
            self.push(priced, exact);
        }
        Ok(())
    }

    /// Each tier gets the overlap of (before, after] with (bound before, bound].
    fn graduated(&mut self, steps: &[Step], before: Option<Volume>, after: Volume, names: (&'static str, &'static str)) -> Result<(), RatingError> {
        let start = before.unwrap_or_default();
        let (low, high) = (self.of(names.0), self.of(names.1));
        let mut lower = Volume::ZERO;
        let mut lower_name = Token::Volume(lower);
        for step in steps {
            let upper = step.up_to.unwrap_or(Volume::MAX);
            let upper_name = if step.derived {
                Token::Bound(self.number, step.number)
            } else {
                Token::Volume(upper)
            };
            let entered = if step.number == 1 {
                before.is_none()
            } else {
                start <= lower && lower < after
            };
            if entered {
                self.once(step.number, step.flat, Reason::TierFee);
            }
            let (from, to) = (start.max(lower), after.min(upper));
            if from < to {
                let volume = to.checked_sub(from)?;
                let exact = amount(volume, step.price)?;
                let line = self.next();
                let (quantity, amount_of) = (Token::Of('q', line, ""), Token::Of('a', line, ""));
                let within = [low, high, lower_name, upper_name];
                let within = within.get(..if step.up_to.is_some() { 4 } else { 3 }).unwrap_or_default();
                self.trace.step(quantity, Rule::Overlap, within, Token::Volume(volume));
                self.trace
                    .step(amount_of, Rule::Mul, &[quantity, Token::Price(step.price)], Token::Exact(exact));
                let priced = Priced {
                    tier: step.number,
                    from,
                    quantity: Quantity::Volume(volume),
                    unit_price: step.price,
                    reason: step.reason,
                };
                self.push(priced, exact);
            }
            lower = upper;
            lower_name = upper_name;
        }
        if after > lower { Err(RatingError::BeyondLastTier) } else { Ok(()) }
    }

    fn whole(&mut self, steps: &[Step], volume: Volume) -> Result<(), RatingError> {
        let step = steps
            .iter()
            .find(|step| step.up_to.is_none_or(|bound| self.whole <= bound))
            .ok_or(RatingError::BeyondLastTier)?;
        if self.is_last() {
            self.once(step.number, step.flat, Reason::TierFee);
        }
        if volume.is_zero() {
            return Ok(());
        }
        let line = self.next();
        let (whole, tier, price) = (Token::Of('w', line, ""), Token::Of('t', line, ""), Token::Of('p', line, ""));
        // Later periods are told after this one: their volumes stand here as numbers.
        let volumes: Vec<_> = (1..)
            .zip(self.segments)
            .map(|(number, segment)| match number <= self.number {
                true => Token::Of('s', number, VOLUME),
                false => Token::Volume(segment.usage.volume),
            })
            .collect();
        self.trace.step(whole, Rule::Add, &volumes, Token::Volume(self.whole));
        let bounds: Vec<_> = std::iter::once(whole)
            .chain(steps.iter().filter_map(|step| step.up_to.map(Token::Volume)))
            .collect();
        self.trace.step(tier, Rule::Tier, &bounds, Token::Count(i64::from(step.number)));
        let prices: Vec<_> = std::iter::once(tier).chain(steps.iter().map(|step| Token::Price(step.price))).collect();
        self.trace.step(price, Rule::Pick, &prices, Token::Price(step.price));
        let exact = amount(volume, step.price)?;
        self.trace
            .step(Token::Of('a', line, ""), Rule::Mul, &[self.of(VOLUME), price], Token::Exact(exact));
        let priced = Priced {
            tier: step.number,
            from: Volume::ZERO,
            quantity: Quantity::Volume(volume),
            unit_price: step.price,
            reason: step.reason,
        };
        self.push(priced, exact);
        Ok(())
    }

    fn free(&mut self, free: Free, segment: &Segment<'_>) -> Result<(), RatingError> {
        let months = i64::from(segment.free_months);
        let granted = free.per_month.checked_mul(months)?;
        let given = granted.min(segment.usage.volume);
        if given.is_zero() {
            return Ok(());
        }
        let price = free.price.checked_neg()?;
        let exact = amount(given, price)?;
        let line = self.next();
        let (allowed, quantity) = (Token::Of('f', line, ""), Token::Of('q', line, ""));
        self.trace.step(
            allowed,
            Rule::Mul,
            &[Token::Volume(free.per_month), Token::Count(months)],
            Token::Volume(granted),
        );
        self.trace.step(quantity, Rule::Min, &[allowed, self.of(VOLUME)], Token::Volume(given));
        self.trace
            .step(Token::Of('a', line, ""), Rule::Mul, &[quantity, Token::Price(price)], Token::Exact(exact));
        let priced = Priced {
            quantity: Quantity::Volume(given),
            ..Priced::once(price, Reason::FreeVolume)
        };
        self.push(priced, exact);
        Ok(())
    }

    /// Rounds what a component drafted from line `first` on; what that takes or adds is a line of its own.
    fn round(&mut self, first: usize, rounding: Rounding) -> Result<(), RatingError> {
        let drafted = self.lines.get(first..).unwrap_or_default();
        let exact = Exact::sum(drafted.iter().map(|(_, exact)| *exact))?;
        let rounded = exact.round_times(Ratio::ONE, rounding.mode, rounding.step)?;
        let rest = Exact::from(rounded).checked_sub(exact)?;
        if rest == Exact::ZERO {
            return Ok(());
        }
        let line = self.next();
        let (sum, whole) = (Token::Of('c', line, ""), Token::Of('r', line, ""));
        let amounts: Vec<_> = (first.saturating_add(1)..line).map(|number| Token::Of('a', number, "")).collect();
        self.trace.step(sum, Rule::Add, &amounts, Token::Exact(exact));
        self.trace.round(whole, rounding, sum, None, rounded);
        self.trace.step(Token::Of('a', line, ""), Rule::Sub, &[whole, sum], Token::Exact(rest));
        self.push(Priced::once(UnitPrice::ZERO, Reason::Rounding), rest);
        Ok(())
    }

    fn total(self, rounding: Rounding, tax: Option<Tax>) -> Result<Sum, RatingError> {
        let (mut trace, mut lines) = (self.trace, self.lines);
        let segment = self.segments.len().saturating_sub(1);
        let exact = Exact::sum(lines.iter().map(|(_, exact)| *exact))?;
        let name = |word| Token::Word(word);
        let names: Vec<_> = (1..=lines.len()).map(|number| Token::Of('a', number, "")).collect();
        trace.step(name("sum"), Rule::Add, &names, Token::Exact(exact));
        // The order of the tiers decides ties; the sort is stable, so earlier periods come first within a tier.
        let mut order: Vec<usize> = (0..lines.len()).collect();
        order.sort_by_key(|index| lines.get(*index).map(|(line, _)| line.tier));
        let ordered: Vec<Exact> = order.iter().filter_map(|index| lines.get(*index).map(|(_, exact)| *exact)).collect();
        let (net, amounts) = round_together(&ordered)?;
        let taxed = taxed(exact, rounding, tax)?;
        let fen = Rounding::default();
        let mut whole = name("total");
        if !(taxed.added.is_none() && rounding == fen) {
            whole = name("net");
            trace.round(whole, fen, name("sum"), None, net);
        }
        if let Some((tax, rate)) = taxed.added {
            trace.round(
                name("tax"),
                rate.rounding.unwrap_or(fen),
                name("sum"),
                Some((rate.rate.numerator(), rate.rate.denominator())),
                tax,
            );
        }
        match taxed.added {
            Some((tax, Tax { rounding: Some(_), .. })) => {
                let sum = exact.checked_add(Exact::from(tax))?;
                trace.step(name("gross"), Rule::Add, &[name("sum"), name("tax")], Token::Exact(sum));
                trace.round(name("total"), rounding, name("gross"), None, taxed.total);
            }
            Some(_) => trace.round(name("total"), rounding, name("sum"), Some(taxed.factor), taxed.total),
            None => trace.round(name("total"), rounding, name("sum"), None, taxed.total),
        }
        let mut inputs = vec![Token::Money(fen.step), whole];
        inputs.extend(order.iter().filter_map(|index| names.get(*index).copied()));
        trace.steps(name("lines"), Rule::Spread, &inputs, amounts.iter().map(|amount| Token::Money(*amount)));
        for (index, amount) in order.into_iter().zip(amounts) {
            if let Some((line, _)) = lines.get_mut(index) {
                line.amount = amount;
            }
        }
        let added = taxed.added.map_or(Money::ZERO, |(tax, _)| tax);
        let rest = taxed.total.checked_sub(net)?.checked_sub(added)?;
        if !rest.is_zero() {
            let tax = if taxed.added.is_some() { name("tax") } else { Token::Count(0) };
            trace.step(name("rest"), Rule::Sub, &[name("total"), whole, tax], Token::Money(rest));
        }
        if let Some((tax, rate)) = taxed.within {
            trace.round(name("tax_within"), rate.rounding.unwrap_or(fen), name("total"), Some(taxed.factor), tax);
        }
        // A rounding of less than half a fen leaves nothing to show.
        let mut lines: Vec<Line> = lines
            .into_iter()
            .map(|(line, _)| line)
            .filter(|line| line.reason != Reason::Rounding || !line.amount.is_zero())
            .map(|line| match line.reason {
                Reason::Rounding => Ok(Line {
                    unit_price: price_of(line.amount)?,
                    ..line
                }),
                _ => Ok(line),
            })
            .collect::<Result<_, RatingError>>()?;
        for (amount, reason) in [(added, Reason::Tax), (rest, Reason::Rounding)] {
            if !amount.is_zero() {
                lines.push(Line {
                    segment,
                    tier: 0,
                    from: Volume::ZERO,
                    quantity: Quantity::Once,
                    unit_price: price_of(amount)?,
                    amount,
                    reason,
                });
            }
        }
        Ok(Sum {
            total: taxed.total,
            lines,
            exact,
            tax: taxed.within.or(taxed.added).map_or(Money::ZERO, |(tax, _)| tax),
            explanation: trace.done(),
        })
    }
}

/// A total with its tax.
struct Taxed {
    total: Money,
    /// What comes on top.
    added: Option<(Money, Tax)>,
    /// What the total holds.
    within: Option<(Money, Tax)>,
    /// The total as a part of the sum, or the tax as a part of the total.
    factor: (i64, i64),
}

fn taxed(exact: Exact, rounding: Rounding, tax: Option<Tax>) -> Result<Taxed, RatingError> {
    let round = |exact: Exact, ratio: Ratio, rounding: Rounding| exact.round_times(ratio, rounding.mode, rounding.step);
    let plain = round(exact, Ratio::ONE, rounding)?;
    let Some(tax) = tax else {
        return Ok(Taxed {
            total: plain,
            added: None,
            within: None,
            factor: (1, 1),
        });
    };
    let own = tax.rounding.unwrap_or_default();
    let gross = Ratio::ONE.checked_add(tax.rate)?;
    if tax.included {
        let share = Ratio::new(
            tax.rate.numerator(),
            tax.rate.denominator().checked_add(tax.rate.numerator()).ok_or(RatingError::Overflow)?,
        )?;
        let held = round(Exact::from(plain), share, own)?;
        return Ok(Taxed {
            total: plain,
            added: None,
            within: Some((held, tax)),
            factor: (share.numerator(), share.denominator()),
        });
    }
    let added = round(exact, tax.rate, own)?;
    let total = match tax.rounding {
        Some(_) => round(exact.checked_add(Exact::from(added))?, Ratio::ONE, rounding)?,
        None => round(exact, gross, rounding)?,
    };
    Ok(Taxed {
        total,
        added: Some((added, tax)),
        within: None,
        factor: (gross.numerator(), gross.denominator()),
    })
}

/// An amount as the price of something that is there once.
fn price_of(amount: Money) -> Result<UnitPrice, RatingError> {
    Ok(UnitPrice::from_micros(amount.fen().checked_mul(10_000).ok_or(RatingError::Overflow)?))
}
