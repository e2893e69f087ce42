//! Heat by the season: by area before it, by meter after it, and what is due against what was prepaid by area (domain.md 9.3).

use chrono::NaiveDate;
use money::{Area, Energy, Exact, Money, Ratio, UnitPrice, Volume, amount};

use crate::{
    Class, Component, Explanation, HeightSurcharge, Measure, Per, Price, RatingError, Reason, Rounding, Rule, SettlementRule, Tariff, Tax,
    bill::{Line, Quantity, closing_line, shown},
    explain::{Token, Trace},
    standing::{Due, dues},
    tariff::part,
    tax::{Closing, Sum, common_multiple, scaled},
};

/// What a season of heat is priced by.
#[derive(Debug, Clone, Copy)]
pub struct HeatPrices<'a> {
    /// The class with its prices.
    pub class: &'a Class,
    /// What names the version of the tariff in the explanation; empty where nothing does.
    pub tariff: &'a str,
    /// How the sum becomes money.
    pub rounding: Rounding,
    /// Tax on all components.
    pub tax: Option<Tax>,
    /// Surcharge for high rooms, on the fee by area.
    pub surcharge: Option<HeightSurcharge>,
    /// First and last day of the season, both heated; standing charges for days, months and years need them.
    pub season: Option<(NaiveDate, NaiveDate)>,
}

/// What a metered season used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeatUse {
    /// Heated floor, m².
    pub area: Area,
    /// Height of the rooms in metres, where it is known.
    pub height: Option<Ratio>,
    /// Energy, in the unit that the notice prices.
    pub energy: Energy,
    /// Factor on the energy for the place in the building.
    pub correction: Ratio,
}

/// What one season of one customer costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeatFee {
    /// What is due, rounded once.
    pub total: Money,
    /// Its lines; they sum to the total.
    pub lines: Vec<Line>,
    /// The tax within or on top of the total; nothing where the tariff names none.
    pub tax: Money,
    /// From which everything above can be computed again.
    pub explanation: Explanation,
}

impl<'a> HeatPrices<'a> {
    /// Those of a class that stands alone.
    pub fn new(class: &'a Class, rounding: Rounding) -> Self {
        Self {
            class,
            tariff: "",
            rounding,
            tax: None,
            surcharge: None,
            season: None,
        }
    }

    /// Those of a class of a tariff, for its season that starts in `year`.
    ///
    /// # Errors
    /// [`RatingError::UnknownClass`].
    pub fn of(tariff: &'a Tariff, class: &str, year: i32) -> Result<Self, RatingError> {
        Ok(Self {
            tax: tariff.tax,
            surcharge: tariff.height_surcharge,
            season: tariff.season.and_then(|season| season.of(year)),
            ..Self::new(tariff.class(class)?, tariff.rounding)
        })
    }

    /// By area: area × price, and for rooms above the height of the surcharge a line of its own. The factor of the surcharge applies to the
    /// exact fee, so that the total is rounded once.
    ///
    /// # Errors
    /// [`RatingError::NegativeVolume`], [`RatingError::VolumePrice`], [`RatingError::DaysMissing`], [`RatingError::Overflow`].
    pub fn by_area(&self, area: Area, height: Option<Ratio>) -> Result<HeatFee, RatingError> {
        self.area_fee(area, height)?.alone(self, usage(area, Energy::ZERO))
    }

    /// By meter: area × base price + energy × energy price × correction, rounded once.
    ///
    /// # Errors
    /// [`RatingError::NoMeteredPrice`], and as [`Self::by_area`].
    pub fn by_meter(&self, area: Area, energy: Energy, correction: Ratio) -> Result<HeatFee, RatingError> {
        self.meter_fee(area, energy, correction)?.alone(self, usage(area, energy))
    }

    /// Settles a whole season of a customer who prepaid by area, as the rule of the city wants it (9.3). The explanation holds both fees and what
    /// the rule makes of them; its total is what the season costs.
    ///
    /// # Errors
    /// As [`Self::by_meter`].
    pub fn settle(&self, rule: SettlementRule, used: HeatUse) -> Result<HeatSettled, RatingError> {
        let usage = usage(used.area, used.energy);
        let area_fee = self.area_fee(used.area, used.height)?;
        let meter_fee = self.meter_fee(used.area, used.energy, used.correction)?;
        let (by_area, metered) = (area_fee.alone(self, usage)?, meter_fee.alone(self, usage)?);
        let refund = by_area.total.checked_sub(metered.total)?;
        let settlement = HeatSettlement { by_area, metered, refund };
        let outcome = settlement.outcome(rule)?;
        let mut trace = self.opened(usage, true);
        area_fee.close(&mut trace, BY_AREA, 0, self)?;
        meter_fee.close(&mut trace, BY_METER, area_fee.parts.len(), self)?;
        outcome.tell(&mut trace, rule);
        Ok(HeatSettled {
            settlement,
            outcome,
            explanation: trace.done(),
        })
    }

    fn area_fee(&self, area: Area, height: Option<Ratio>) -> Result<Fee, RatingError> {
        let factor = match self.surcharge.zip(height) {
            Some((surcharge, height)) => surcharge.factor(height)?,
            None => Ratio::ONE,
        };
        let factors = Factors {
            height: factor.checked_add(Ratio::new(-1, 1)?)?,
            energy: Ratio::ONE,
        };
        Fee::of(&self.class.components, usage(area, Energy::ZERO), self.season, factors)
    }

    fn meter_fee(&self, area: Area, energy: Energy, correction: Ratio) -> Result<Fee, RatingError> {
        let components = self.class.metered.as_ref().ok_or(RatingError::NoMeteredPrice)?;
        let factors = Factors {
            height: Ratio::ZERO,
            energy: correction,
        };
        Fee::of(components, usage(area, energy), self.season, factors)
    }

    /// What the fee is priced by, and what was used.
    fn opened(&self, usage: Usage, metered: bool) -> Trace {
        let mut trace = Trace::new();
        if !self.tariff.is_empty() {
            trace.fact(Token::Word("tariff"), &[Token::Word(self.tariff)]);
        }
        trace.fact(Token::Word("class"), &[Token::Word(&self.class.name)]);
        trace.given(Token::Word("area"), Token::Area(usage.area));
        if metered {
            trace.given(Token::Word("energy"), Token::Energy(usage.energy));
        }
        trace
    }
}

impl HeatFee {
    /// As [`HeatPrices::by_area`], for prices without tax and without standing charges by time.
    ///
    /// # Errors
    /// As [`HeatPrices::by_area`].
    pub fn by_area(class: &Class, rounding: Rounding, area: Area, surcharge: Option<HeightSurcharge>, height: Option<Ratio>) -> Result<Self, RatingError> {
        let prices = HeatPrices {
            surcharge,
            ..HeatPrices::new(class, rounding)
        };
        prices.by_area(area, height)
    }

    /// The stop-supply fee (报停费): the share of the fee by area that a season costs whose heat was stopped at the customer's wish.
    ///
    /// # Errors
    /// [`RatingError::Overflow`].
    pub fn paused(&self, share: Ratio) -> Result<Money, RatingError> {
        part(self.total, share)
    }

    /// As [`HeatPrices::by_meter`], for prices without tax and without standing charges by time.
    ///
    /// # Errors
    /// As [`HeatPrices::by_meter`].
    pub fn by_meter(class: &Class, rounding: Rounding, area: Area, energy: Energy, correction: Ratio) -> Result<Self, RatingError> {
        HeatPrices::new(class, rounding).by_meter(area, energy, correction)
    }
}

const BY_AREA: &str = "by_area";
const BY_METER: &str = "by_meter";

#[derive(Clone, Copy)]
struct Usage {
    area: Area,
    energy: Energy,
}

fn usage(area: Area, energy: Energy) -> Usage {
    Usage { area, energy }
}

/// Factors on prices: what high rooms add to the fee by area, and the correction of the energy.
#[derive(Clone, Copy)]
struct Factors {
    height: Ratio,
    energy: Ratio,
}

/// A part of a fee: what its component charges × factor.
#[derive(Clone)]
struct Part {
    made: Made,
    /// Which component charges it, from 0.
    component: usize,
    price: UnitPrice,
    /// What the line shows as its price.
    unit_price: UnitPrice,
    /// Before the factor.
    exact: Exact,
    factor: Ratio,
    /// With the factor, kept to 10⁻⁹ yuan for the shares of the lines.
    share: Exact,
    /// With the factor, in parts of the fee.
    heavy: Exact,
    reason: Reason,
}

/// How a part comes to its amount.
#[derive(Clone)]
enum Made {
    /// Area or energy × price.
    Measured(Quantity),
    Once,
    Due(Due),
    /// What rounding of a component takes from the sum of its parts or adds to it; they are numbered from 0.
    Rest {
        of: Vec<usize>,
        sum: Sum,
        rounding: Rounding,
        rounded: Money,
    },
}

impl Part {
    fn new(made: Made, price: UnitPrice, exact: Exact, reason: Reason) -> Self {
        Self {
            made,
            component: 0,
            price,
            unit_price: price,
            exact,
            factor: Ratio::ONE,
            share: exact,
            heavy: exact,
            reason,
        }
    }

    fn times(self, factor: Ratio) -> Result<Self, RatingError> {
        Ok(Self {
            unit_price: times(self.price, factor)?,
            share: rounded(self.exact, factor)?,
            factor,
            ..self
        })
    }

    fn quantity(&self) -> Quantity {
        match &self.made {
            Made::Measured(quantity) => *quantity,
            Made::Due(due) => due.quantity(),
            Made::Once | Made::Rest { .. } => Quantity::Once,
        }
    }

    fn is_of(&self, measure: Measure) -> bool {
        match self.quantity() {
            Quantity::Area(_) => measure == Measure::Area,
            Quantity::Energy(_) => measure == Measure::Energy,
            Quantity::Volume(_) | Quantity::Days(_) | Quantity::Once => false,
        }
    }

    /// The factor as a whole number of the parts that a fee is counted in.
    fn weight(&self, common: i64) -> Result<i64, RatingError> {
        Ok(self.factor.checked_mul(Ratio::new(common, 1)?)?.numerator())
    }

    /// Explains it as the amount of a line, `before` lines after the first of its fee.
    fn tell(&self, trace: &mut Trace, (number, before): (usize, usize), common: i64) -> Result<(), RatingError> {
        let of = |letter| Token::Of(letter, number, "");
        let own = of(if self.factor == Ratio::ONE { 'a' } else { 'e' });
        let word = if self.is_of(Measure::Energy) { "energy" } else { "area" };
        match &self.made {
            Made::Measured(_) => trace.step(own, Rule::Mul, &[Token::Word(word), Token::Price(self.price)], Token::Exact(self.exact)),
            Made::Once => trace.given(own, Token::Exact(self.exact)),
            Made::Due(due) => due.tell(trace, number, self.price),
            Made::Rest { of, sum, rounding, rounded } => {
                return self.tell_rest(trace, (number, before), (of, *sum), (*rounding, *rounded));
            }
        }
        if self.factor != Ratio::ONE {
            let place = Token::Exact(Exact::from_nanos(1));
            let (upper, lower) = (Token::Count(self.factor.numerator()), Token::Count(self.factor.denominator()));
            trace.step(
                of('a'),
                Rule::Round,
                &[Token::Word("half_up"), place, own, upper, lower],
                Token::Exact(self.share),
            );
        }
        if common != 1 {
            let weight = Token::Count(self.weight(common)?);
            trace.step(of('x'), Rule::Mul, &[own, weight], Token::Exact(self.heavy));
        }
        Ok(())
    }

    fn tell_rest(
        &self,
        trace: &mut Trace,
        (number, before): (usize, usize),
        (parts, sum): (&[usize], Sum),
        (rounding, rounded): (Rounding, Money),
    ) -> Result<(), RatingError> {
        let of = |letter| Token::Of(letter, number, "");
        let all = |letter| {
            parts
                .iter()
                .map(move |part| Token::Of(letter, part.saturating_add(before).saturating_add(1), ""))
        };
        let inputs: Vec<_> = all(if sum.of == 1 { 'a' } else { 'x' }).collect();
        trace.step(of('c'), Rule::Add, &inputs, Token::Exact(sum.exact));
        sum.round(trace, of('r'), of('c'), rounding)?;
        if sum.of == 1 {
            trace.step(of('a'), Rule::Sub, &[of('r'), of('c')], Token::Exact(self.share));
            return Ok(());
        }
        let whole = scaled(Exact::from(rounded), sum.of)?;
        trace.step(of('y'), Rule::Mul, &[of('r'), Token::Count(sum.of)], Token::Exact(whole));
        trace.step(of('x'), Rule::Sub, &[of('y'), of('c')], Token::Exact(self.heavy));
        let inputs: Vec<_> = std::iter::once(of('r')).chain(all('a')).collect();
        trace.step(of('a'), Rule::Sub, &inputs, Token::Exact(self.share));
        Ok(())
    }
}

/// What a component charges, before factors; nothing for nothing.
fn charged(price: &Price, rounding: Option<Rounding>, usage: Usage, season: Option<(NaiveDate, NaiveDate)>) -> Result<Vec<Part>, RatingError> {
    let measured = |quantity: Quantity, price, exact| {
        let part = Part::new(Made::Measured(quantity), price, exact, Reason::Unit);
        if quantity.thousandths() == 0 { vec![] } else { vec![part] }
    };
    match *price {
        Price::Unit(Measure::Area, price) => Ok(measured(Quantity::Area(usage.area), price, amount(usage.area, price)?)),
        Price::Unit(Measure::Energy, price) => Ok(measured(Quantity::Energy(usage.energy), price, amount(usage.energy, price)?)),
        Price::Standing(price, _) if price.is_zero() => Ok(vec![]),
        Price::Standing(price, Per::Bill) => Ok(vec![Part::new(Made::Once, price, Exact::from(price), Reason::Fixed)]),
        Price::Standing(price, per) => {
            let (first, last) = season.ok_or(RatingError::DaysMissing)?;
            let eve = first.pred_opt().ok_or(RatingError::DayOrder)?;
            let dues = dues(price, per, (eve, last), rounding.unwrap_or_default())?;
            dues.into_iter().map(|due| due_part(due, price)).collect()
        }
        Price::Unit(Measure::Volume, _) | Price::Graduated(..) | Price::Whole(_) => Err(RatingError::VolumePrice),
    }
}

fn due_part(due: Due, price: UnitPrice) -> Result<Part, RatingError> {
    Ok(Part {
        unit_price: due.unit_price(price)?,
        ..Part::new(Made::Due(due), price, due.exact(), Reason::Fixed)
    })
}

/// The parts of a fee, counted in fractions of a yuan so that every factor is a whole number of them.
struct Fee {
    parts: Vec<Part>,
    common: i64,
}

impl Fee {
    fn of(components: &[Component], usage: Usage, season: Option<(NaiveDate, NaiveDate)>, factors: Factors) -> Result<Self, RatingError> {
        if usage.area.is_negative() || usage.energy.is_negative() {
            return Err(RatingError::NegativeVolume);
        }
        let mut parts = vec![];
        for (component, Component { price, rounding }) in components.iter().enumerate() {
            for part in charged(price, *rounding, usage, season)? {
                let part = Part { component, ..part };
                let corrected = part.is_of(Measure::Energy) && factors.energy != Ratio::ONE;
                parts.push(if corrected { part.times(factors.energy)? } else { part });
            }
        }
        if factors.height != Ratio::ZERO {
            let raised = parts.iter().filter(|part| part.is_of(Measure::Area)).cloned();
            let raised: Vec<Part> = raised.map(|part| part.times(factors.height)).collect::<Result<_, _>>()?;
            parts.extend(raised.into_iter().map(|part| Part {
                reason: Reason::HeightSurcharge,
                ..part
            }));
        }
        let common = parts.iter().try_fold(1, |common, part| common_multiple(common, part.factor.denominator()))?;
        for part in &mut parts {
            part.heavy = scaled(part.exact, part.weight(common)?)?;
        }
        let mut fee = Self { parts, common };
        for (component, Component { rounding, .. }) in components.iter().enumerate() {
            if let Some(rounding) = rounding {
                fee.round(component, *rounding)?;
            }
        }
        Ok(fee)
    }

    /// Rounds what a component charges; what that takes or adds is a part of its own.
    fn round(&mut self, component: usize, rounding: Rounding) -> Result<(), RatingError> {
        let of = |part: &&Part| part.component == component;
        let exact = Exact::sum(self.parts.iter().filter(of).map(|part| part.heavy))?;
        let shares = Exact::sum(self.parts.iter().filter(of).map(|part| part.share))?;
        let rounded = exact.round_times(Ratio::new(1, self.common)?, rounding.mode, rounding.step)?;
        let heavy = scaled(Exact::from(rounded), self.common)?.checked_sub(exact)?;
        if heavy == Exact::ZERO {
            return Ok(());
        }
        let share = Exact::from(rounded).checked_sub(shares)?;
        let places = self.parts.iter().enumerate().filter(|(_, part)| part.component == component);
        let made = Made::Rest {
            of: places.map(|(place, _)| place).collect(),
            sum: Sum { exact, of: self.common },
            rounding,
            rounded,
        };
        self.parts.push(Part {
            component: usize::MAX,
            heavy,
            ..Part::new(made, UnitPrice::ZERO, share, Reason::Rounding)
        });
        Ok(())
    }

    /// The fee by itself.
    fn alone(&self, prices: &HeatPrices<'_>, usage: Usage) -> Result<HeatFee, RatingError> {
        let mut trace = prices.opened(usage, self.parts.iter().any(|part| part.is_of(Measure::Energy)));
        let (closing, lines) = self.close(&mut trace, "", 0, prices)?;
        Ok(HeatFee {
            total: closing.total,
            lines,
            tax: closing.tax()?,
            explanation: trace.done(),
        })
    }

    /// Rounds the exact sum, which has the factors as fractions, once; the lines get the fen by largest remainder. The explanation names the sums
    /// within the section and numbers the lines on from those before.
    fn close(&self, trace: &mut Trace, section: &'static str, before: usize, prices: &HeatPrices<'_>) -> Result<(Closing, Vec<Line>), RatingError> {
        let numbers = || (before.saturating_add(1)..).take(self.parts.len());
        let names = |letter| numbers().map(move |number| Token::Of(letter, number, ""));
        for (number, part) in numbers().zip(&self.parts) {
            part.tell(trace, (number, before), self.common)?;
        }
        let exact = Exact::sum(self.parts.iter().map(|part| part.heavy))?;
        let inputs: Vec<_> = names(if self.common == 1 { 'a' } else { 'x' }).collect();
        trace.step(Token::In(section, "sum"), Rule::Add, &inputs, Token::Exact(exact));
        let sum = Sum { exact, of: self.common };
        let closing = Closing::of(trace, section, sum, prices.rounding, prices.tax)?;
        let parts: Vec<Exact> = self.parts.iter().map(|part| part.share).collect();
        let shares = spread(closing.net, &parts)?;
        let inputs: Vec<_> = [Token::Money(Rounding::default().step), closing.whole].into_iter().chain(names('a')).collect();
        trace.steps(
            Token::In(section, "lines"),
            Rule::Spread,
            &inputs,
            shares.iter().map(|share| Token::Money(*share)),
        );
        let rest = closing.rest(trace)?;
        let mut lines = shown(self.parts.iter().zip(shares).map(|(part, share)| (part.line(share), part.share)).collect())?;
        for added in &closing.added {
            lines.extend(closing_line(0, added.tax, Reason::Tax)?);
        }
        lines.extend(closing_line(0, rest, Reason::Rounding)?);
        Ok((closing, lines))
    }
}

impl Part {
    fn line(&self, amount: Money) -> Line {
        Line {
            segment: 0,
            tier: 0,
            from: Volume::ZERO,
            quantity: self.quantity(),
            unit_price: self.unit_price,
            amount,
            reason: self.reason,
        }
    }
}

/// As [`Rule::Spread`] says, in fen.
fn spread(whole: Money, parts: &[Exact]) -> Result<Vec<Money>, RatingError> {
    const FEN: i128 = 10_000_000;
    let mut shares = Vec::with_capacity(parts.len());
    let mut order = Vec::with_capacity(parts.len());
    for (place, part) in parts.iter().enumerate() {
        let fen = part
            .nanos()
            .checked_div_euclid(FEN)
            .and_then(|fen| i64::try_from(fen).ok())
            .ok_or(RatingError::Overflow)?;
        shares.push(Money::from_fen(fen));
        order.push((std::cmp::Reverse(part.nanos().checked_rem_euclid(FEN)), place));
    }
    let missing = whole.checked_sub(Money::sum(shares.iter().copied())?)?.fen();
    order.sort_unstable();
    for (_, place) in order.into_iter().take(usize::try_from(missing).map_err(|_| RatingError::Overflow)?) {
        if let Some(share) = shares.get_mut(place) {
            *share = share.checked_add(Money::from_fen(1))?;
        }
    }
    Ok(shares)
}

fn rounded(exact: Exact, factor: Ratio) -> Result<Exact, RatingError> {
    let upper = exact.nanos().checked_mul(i128::from(factor.numerator())).ok_or(RatingError::Overflow)?;
    let lower = i128::from(factor.denominator());
    let half = lower.checked_div(2).ok_or(RatingError::Overflow)?;
    let shifted = upper
        .checked_add(half)
        .and_then(|upper| upper.checked_div_euclid(lower))
        .ok_or(RatingError::Overflow)?;
    Ok(Exact::from_nanos(shifted))
}

fn times(price: UnitPrice, factor: Ratio) -> Result<UnitPrice, RatingError> {
    Ok(UnitPrice::from_micros(Ratio::new(price.micros(), 1)?.checked_mul(factor)?.round_half_up(0)?))
}

/// The end of a metered season.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeatSettlement {
    /// The fee by area that was due before the season.
    pub by_area: HeatFee,
    /// The two-part fee: area × base price + kWh × energy price.
    pub metered: HeatFee,
    /// What goes back to the customer; negative where a supplement is due. [`Self::outcome`] says what a rule makes of it.
    pub refund: Money,
}

/// A settled season.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeatSettled {
    /// The two fees.
    pub settlement: HeatSettlement,
    /// What the rule makes of them.
    pub outcome: HeatOutcome,
    /// From which both fees and what is charged can be computed again.
    pub explanation: Explanation,
}

/// What a settlement comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeatOutcome {
    /// What the season costs.
    pub charged: Money,
    /// What goes back.
    pub refund: Money,
    /// What is kept for the next season.
    pub carried: Money,
    /// What is still due.
    pub supplement: Money,
}

impl HeatOutcome {
    fn tell(&self, trace: &mut Trace, rule: SettlementRule) {
        let (by_area, by_meter, total) = (Token::In(BY_AREA, "total"), Token::In(BY_METER, "total"), Token::Word("total"));
        match rule {
            SettlementRule::RefundAndSupplement => trace.step(total, Rule::Add, &[by_meter], Token::Money(self.charged)),
            SettlementRule::CarryOver | SettlementRule::Capped => trace.step(total, Rule::Min, &[by_meter, by_area], Token::Money(self.charged)),
        }
        for (word, amount, inputs) in [
            ("refund", self.refund, [by_area, total]),
            ("carried", self.carried, [by_area, total]),
            ("supplement", self.supplement, [total, by_area]),
        ] {
            if !amount.is_zero() {
                trace.step(Token::Word(word), Rule::Sub, &inputs, Token::Money(amount));
            }
        }
    }
}

impl HeatSettlement {
    /// Settles a whole season of one customer who prepaid by area, for prices without tax and without standing charges by time.
    ///
    /// # Errors
    /// As [`HeatPrices::by_meter`].
    pub fn new(class: &Class, rounding: Rounding, area: Area, energy: Energy) -> Result<Self, RatingError> {
        let prices = HeatPrices::new(class, rounding);
        let by_area = prices.by_area(area, None)?;
        let metered = prices.by_meter(area, energy, Ratio::ONE)?;
        let refund = by_area.total.checked_sub(metered.total)?;
        Ok(Self { by_area, metered, refund })
    }

    /// What the rule of the city makes of the difference.
    ///
    /// # Errors
    /// [`RatingError::Overflow`].
    pub fn outcome(&self, rule: SettlementRule) -> Result<HeatOutcome, RatingError> {
        let surplus = self.refund.max(Money::ZERO);
        let short = self.refund.min(Money::ZERO).checked_neg()?;
        let none = Money::ZERO;
        let (charged, refund, carried, supplement) = match rule {
            SettlementRule::RefundAndSupplement => (self.metered.total, surplus, none, short),
            SettlementRule::CarryOver => (self.metered.total.min(self.by_area.total), none, surplus, none),
            SettlementRule::Capped => (self.metered.total.min(self.by_area.total), surplus, none, none),
        };
        Ok(HeatOutcome {
            charged,
            refund,
            carried,
            supplement,
        })
    }
}
