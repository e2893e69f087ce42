//! One bill: usage periods in, lines and a total out.

use chrono::NaiveDate;
use money::{Area, Energy, Exact, Money, Ratio, UnitPrice, Volume, amount, round_together};

use crate::{
    Explanation, Measure, Per, Plan, RatingError, Rounding, Rule, Span,
    explain::{Token, Trace},
    free::Grants,
    plan::{Part, Step},
    standing::dues,
    tax::{Closing, Group, Sum},
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
/// A standing charge for each bill and the fee of a [`crate::Price::Whole`] tier are due once per bill, by the plan of the last period. The rounding
/// is that of the last period too. Where the periods differ in tax, each tax is a share of the sum of the lines that have it.
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
        grants: Grants::default(),
    };
    let mut volume_after = Volume::ZERO;
    for (number, segment) in (1..).zip(segments) {
        volume_after = drafts.segment(number, segment)?;
    }
    drafts.free_before()?;
    let ledger = std::mem::take(&mut drafts.ledger);
    let rated = drafts.total(last.plan)?;
    Ok(Rated { volume_after, ledger, ..rated })
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
    grants: Grants,
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

pub(crate) const VOLUME: &str = "volume";
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
        self.free(segment)?;
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
        for due in dues(price, per, (from, to), rounding)? {
            let line = self.next();
            due.tell(&mut self.trace, line, price);
            let priced = Priced {
                quantity: due.quantity(),
                ..Priced::once(due.unit_price(price)?, Reason::Fixed)
            };
            self.push(priced, due.exact());
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

    /// Free volume of the months of a period, and what the periods before it left of theirs.
    fn free(&mut self, segment: &Segment<'_>) -> Result<(), RatingError> {
        let Some(free) = segment.plan.free else { return Ok(()) };
        let (line, number) = (self.next(), self.number);
        let given = self.grants.give(&mut self.trace, (number, line), segment, free)?;
        self.give(given, free.price)
    }

    /// What the periods left of their free volume goes to what earlier ones used, the latest first: a cut within a bill takes nothing of it.
    fn free_before(&mut self) -> Result<(), RatingError> {
        for (index, segment) in self.segments.iter().enumerate().rev() {
            let Some(free) = segment.plan.free else { continue };
            self.number = index.saturating_add(1);
            let (number, line) = (self.number, self.next());
            let given = self.grants.give_back(&mut self.trace, (number, line), segment.usage.volume)?;
            self.give(given, free.price)?;
        }
        Ok(())
    }

    /// A line for volume that is free: each m³ at the price of the first tier of the period that used it.
    fn give(&mut self, given: Volume, price: UnitPrice) -> Result<(), RatingError> {
        if given.is_zero() {
            return Ok(());
        }
        let price = price.checked_neg()?;
        let exact = amount(given, price)?;
        let line = self.next();
        let inputs = [Token::Of('q', line, ""), Token::Price(price)];
        self.trace.step(Token::Of('a', line, ""), Rule::Mul, &inputs, Token::Exact(exact));
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

    /// The lines by the tax on them, in the order of the lines.
    fn groups(&self) -> Result<Vec<Group>, RatingError> {
        let tax = |segment: usize| self.segments.get(segment).and_then(|segment| segment.plan.tax);
        let last = self.segments.len().saturating_sub(1);
        let mut groups: Vec<Group> = Vec::new();
        for (number, (line, exact)) in (1..).zip(&self.lines) {
            let tax = tax(line.segment);
            match groups.iter_mut().find(|group| group.tax == tax) {
                Some(group) => {
                    group.lines.push(number);
                    group.exact = group.exact.checked_add(*exact)?;
                    group.segment = group.segment.max(line.segment);
                }
                None => groups.push(Group {
                    tax,
                    segment: line.segment,
                    lines: vec![number],
                    exact: *exact,
                }),
            }
        }
        // One tax on all of the bill stands with its last period, even where that has no line.
        if let [only] = groups.as_mut_slice()
            && only.tax == tax(last)
        {
            only.segment = last;
        }
        Ok(groups)
    }

    /// The lines by tier, which decides ties; the sort is stable, so earlier periods come first within a tier.
    fn by_tier(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.lines.len()).collect();
        order.sort_by_key(|index| self.lines.get(*index).map(|(line, _)| line.tier));
        order
    }

    /// Rounds the sum of the lines by the last plan, once, with the taxes on them.
    fn total(self, last: &Plan) -> Result<Rated, RatingError> {
        let (groups, order) = (self.groups()?, self.by_tier());
        let segment = self.segments.len().saturating_sub(1);
        let (mut trace, mut lines) = (self.trace, self.lines);
        let exact = Exact::sum(lines.iter().map(|(_, exact)| *exact))?;
        let names: Vec<_> = (1..=lines.len()).map(|number| Token::Of('a', number, "")).collect();
        trace.step(Token::Word("sum"), Rule::Add, &names, Token::Exact(exact));
        let closing = match groups.as_slice() {
            [] => Closing::of(&mut trace, "", Sum { exact, of: 1 }, last.rounding, last.tax)?,
            [only] => Closing::of(&mut trace, "", Sum { exact, of: 1 }, last.rounding, only.tax)?,
            several => Closing::of_groups(&mut trace, several, exact, last.rounding)?,
        };
        let ordered: Vec<Exact> = order.iter().filter_map(|index| lines.get(*index).map(|(_, exact)| *exact)).collect();
        let (_, amounts) = round_together(&ordered)?;
        let mut inputs = vec![Token::Money(Rounding::default().step), closing.whole];
        inputs.extend(order.iter().filter_map(|index| names.get(*index).copied()));
        let shares = amounts.iter().map(|amount| Token::Money(*amount));
        trace.steps(Token::Word("lines"), Rule::Spread, &inputs, shares);
        for (index, amount) in order.into_iter().zip(amounts) {
            if let Some((line, _)) = lines.get_mut(index) {
                line.amount = amount;
            }
        }
        let rest = closing.rest(&mut trace)?;
        let mut lines = shown(lines)?;
        for added in &closing.added {
            let segment = groups.get(added.group).map_or(segment, |group| group.segment);
            lines.extend(closing_line(segment, added.tax, Reason::Tax)?);
        }
        lines.extend(closing_line(segment, rest, Reason::Rounding)?);
        Ok(Rated {
            total: closing.total,
            lines,
            exact,
            volume_after: Volume::ZERO,
            ledger: Ledger::default(),
            tax: closing.tax()?,
            explanation: trace.done(),
        })
    }
}

/// The lines as the bill shows them, period by period: a rounding of less than half a fen leaves nothing to show.
pub(crate) fn shown(lines: Vec<(Line, Exact)>) -> Result<Vec<Line>, RatingError> {
    let mut lines: Vec<Line> = lines
        .into_iter()
        .map(|(line, _)| line)
        .filter(|line| line.reason != Reason::Rounding || !line.amount.is_zero())
        .collect();
    for line in lines.iter_mut().filter(|line| line.reason == Reason::Rounding) {
        line.unit_price = price_of(line.amount)?;
    }
    // Free volume that an earlier period takes over from a later one was drafted last.
    lines.sort_by_key(|line| line.segment);
    Ok(lines)
}

/// A line of what comes after all others; none for nothing.
pub(crate) fn closing_line(segment: usize, amount: Money, reason: Reason) -> Result<Option<Line>, RatingError> {
    if amount.is_zero() {
        return Ok(None);
    }
    Ok(Some(Line {
        segment,
        tier: 0,
        from: Volume::ZERO,
        quantity: Quantity::Once,
        unit_price: price_of(amount)?,
        amount,
        reason,
    }))
}

/// An amount as the price of something that is there once.
pub(crate) fn price_of(amount: Money) -> Result<UnitPrice, RatingError> {
    Ok(UnitPrice::from_micros(amount.fen().checked_mul(10_000).ok_or(RatingError::Overflow)?))
}
