//! Heat by the season: by area before it, by meter after it, and what is due against what was prepaid by area (domain.md 9.3).

use money::{Area, Energy, Exact, Money, Ratio, UnitPrice, Volume, amount};

use crate::{
    Class, Component, Explanation, HeightSurcharge, Measure, Price, RatingError, Reason, Rounding, Rule, SettlementRule,
    bill::{Line, Quantity},
    explain::{Token, Trace},
};

/// What one season of one customer costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeatFee {
    /// What is due, rounded once.
    pub total: Money,
    /// Its lines; they sum to the total.
    pub lines: Vec<Line>,
    /// From which everything above can be computed again.
    pub explanation: Explanation,
}

impl HeatFee {
    /// By area: area × price, and for rooms above the height of the surcharge a line of its own. The factor of the surcharge applies to the
    /// exact fee, so that the total is rounded once.
    ///
    /// # Errors
    /// [`RatingError::NegativeVolume`], [`RatingError::Overflow`].
    pub fn by_area(class: &Class, rounding: Rounding, area: Area, surcharge: Option<HeightSurcharge>, height: Option<Ratio>) -> Result<Self, RatingError> {
        let factor = match surcharge.zip(height) {
            Some((surcharge, height)) => surcharge.factor(height)?,
            None => Ratio::ONE,
        };
        let usage = Usage { area, energy: Energy::ZERO };
        let mut fee = Fee::of(&class.components, usage)?;
        if factor == Ratio::ONE {
            return fee.total(rounding, &class.name, usage);
        }
        let share = factor.checked_add(Ratio::new(-1, 1)?)?;
        for part in fee.parts.clone().into_iter().filter(|part| matches!(part.quantity, Quantity::Area(_))) {
            let mut part = Part {
                unit_price: times(part.unit_price, share)?,
                factor: share,
                reason: Reason::HeightSurcharge,
                ..part
            };
            part.rounded = rounded(part.exact, share)?;
            fee.parts.push(part);
        }
        fee.total(rounding, &class.name, usage)
    }

    /// By meter: area × base price + energy × energy price × correction, rounded once.
    ///
    /// # Errors
    /// [`RatingError::NoMeteredPrice`], [`RatingError::NegativeVolume`], [`RatingError::Overflow`].
    pub fn by_meter(class: &Class, rounding: Rounding, area: Area, energy: Energy, correction: Ratio) -> Result<Self, RatingError> {
        let components = class.metered.as_ref().ok_or(RatingError::NoMeteredPrice)?;
        let usage = Usage { area, energy };
        let mut fee = Fee::of(components, usage)?;
        for part in &mut fee.parts {
            if matches!(part.quantity, Quantity::Energy(_)) {
                part.unit_price = times(part.unit_price, correction)?;
                part.factor = correction;
                part.rounded = rounded(part.exact, correction)?;
            }
        }
        fee.total(rounding, &class.name, usage)
    }
}

#[derive(Clone, Copy)]
struct Usage {
    area: Area,
    energy: Energy,
}

/// A part of a fee: quantity × price × factor.
#[derive(Clone, Copy)]
struct Part {
    quantity: Quantity,
    price: UnitPrice,
    /// What the line shows as its price.
    unit_price: UnitPrice,
    /// Quantity × price.
    exact: Exact,
    factor: Ratio,
    /// With the factor, kept to 10⁻⁹ yuan for the shares of the lines.
    rounded: Exact,
    reason: Reason,
}

struct Fee {
    parts: Vec<Part>,
}

impl Fee {
    fn of(components: &[Component], usage: Usage) -> Result<Self, RatingError> {
        if usage.area.is_negative() || usage.energy.is_negative() {
            return Err(RatingError::NegativeVolume);
        }
        let mut parts = vec![];
        for component in components {
            let (quantity, price, exact, reason) = match component.price {
                Price::Unit(Measure::Area, price) => (Quantity::Area(usage.area), price, amount(usage.area, price)?, Reason::Unit),
                Price::Unit(Measure::Energy, price) => (Quantity::Energy(usage.energy), price, amount(usage.energy, price)?, Reason::Unit),
                Price::Standing(price, _) => (Quantity::Once, price, Exact::from(price), Reason::Fixed),
                Price::Unit(Measure::Volume, _) | Price::Graduated(..) | Price::Whole(_) => continue,
            };
            if quantity.thousandths() != 0 {
                parts.push(Part {
                    quantity,
                    price,
                    unit_price: price,
                    exact,
                    factor: Ratio::ONE,
                    rounded: exact,
                    reason,
                });
            }
        }
        Ok(Self { parts })
    }

    /// Rounds the exact sum, which has the factors as fractions, once; the lines get the fen by largest remainder.
    fn total(self, rounding: Rounding, class: &str, usage: Usage) -> Result<HeatFee, RatingError> {
        let mut trace = Trace::new();
        trace.fact(Token::Word("class"), &[Token::Word(class)]);
        trace.given(Token::Word("area"), Token::Area(usage.area));
        if self.parts.iter().any(|part| matches!(part.quantity, Quantity::Energy(_))) {
            trace.given(Token::Word("energy"), Token::Energy(usage.energy));
        }
        let common = self
            .parts
            .iter()
            .try_fold(1_i64, |common, part| common_multiple(common, part.factor.denominator()))?;
        let mut sum = Exact::ZERO;
        let mut scaled = Vec::new();
        let mut amounts = Vec::new();
        for (number, part) in (1..).zip(&self.parts) {
            let (exact, of) = (Token::Of('e', number, ""), Token::Of('a', number, ""));
            let own = if part.factor == Ratio::ONE { of } else { exact };
            match part.quantity {
                Quantity::Area(_) => trace.step(own, Rule::Mul, &[Token::Word("area"), Token::Price(part.price)], Token::Exact(part.exact)),
                Quantity::Energy(_) => trace.step(own, Rule::Mul, &[Token::Word("energy"), Token::Price(part.price)], Token::Exact(part.exact)),
                Quantity::Volume(_) | Quantity::Days(_) | Quantity::Once => trace.given(own, Token::Exact(part.exact)),
            }
            if part.factor != Ratio::ONE {
                let inputs = [
                    Token::Word("half_up"),
                    Token::Exact(Exact::from_nanos(1)),
                    exact,
                    Token::Count(part.factor.numerator()),
                    Token::Count(part.factor.denominator()),
                ];
                trace.step(of, Rule::Round, &inputs, Token::Exact(part.rounded));
            }
            let weight = common
                .checked_div(part.factor.denominator())
                .and_then(|weight| weight.checked_mul(part.factor.numerator()))
                .ok_or(RatingError::Overflow)?;
            let heavy = part
                .exact
                .nanos()
                .checked_mul(i128::from(weight))
                .map(Exact::from_nanos)
                .ok_or(RatingError::Overflow)?;
            sum = sum.checked_add(heavy)?;
            if common == 1 {
                scaled.push(of);
            } else {
                let name = Token::Of('x', number, "");
                trace.step(name, Rule::Mul, &[own, Token::Count(weight)], Token::Exact(heavy));
                scaled.push(name);
            }
            amounts.push(of);
        }
        trace.step(Token::Word("sum"), Rule::Add, &scaled, Token::Exact(sum));
        let once = |rounding: Rounding| sum.round_times(Ratio::new(1, common)?, rounding.mode, rounding.step);
        let fraction = (common != 1).then_some((1, common));
        let (total, fen) = (once(rounding)?, Rounding::default());
        let net = once(fen)?;
        let whole = Token::Word(if rounding == fen { "total" } else { "net" });
        if rounding != fen {
            trace.round(whole, fen, Token::Word("sum"), fraction, net);
        }
        trace.round(Token::Word("total"), rounding, Token::Word("sum"), fraction, total);
        let parts: Vec<Exact> = self.parts.iter().map(|part| part.rounded).collect();
        let shares = spread(net, &parts)?;
        let mut inputs = vec![Token::Money(fen.step), whole];
        inputs.extend(amounts);
        trace.steps(Token::Word("lines"), Rule::Spread, &inputs, shares.iter().map(|share| Token::Money(*share)));
        let line = |quantity, unit_price, amount, reason| Line {
            segment: 0,
            tier: 0,
            from: Volume::ZERO,
            quantity,
            unit_price,
            amount,
            reason,
        };
        let mut lines: Vec<Line> = self
            .parts
            .iter()
            .zip(shares)
            .map(|(part, share)| line(part.quantity, part.unit_price, share, part.reason))
            .collect();
        let rest = total.checked_sub(net)?;
        if !rest.is_zero() {
            trace.step(Token::Word("rest"), Rule::Sub, &[Token::Word("total"), whole], Token::Money(rest));
            let price = UnitPrice::from_micros(rest.fen().checked_mul(10_000).ok_or(RatingError::Overflow)?);
            lines.push(line(Quantity::Once, price, rest, Reason::Rounding));
        }
        Ok(HeatFee {
            total,
            lines,
            explanation: trace.done(),
        })
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

fn common_multiple(left: i64, right: i64) -> Result<i64, RatingError> {
    // The denominator of left/right in lowest terms is what right has beyond left.
    let beyond = Ratio::new(left, right)?.denominator();
    left.checked_mul(beyond).ok_or(RatingError::Overflow)
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

impl HeatSettlement {
    /// Settles a whole season of one customer who prepaid by area.
    ///
    /// # Errors
    /// [`RatingError::NoMeteredPrice`], [`RatingError::NegativeVolume`], [`RatingError::Overflow`].
    pub fn new(class: &Class, rounding: Rounding, area: Area, energy: Energy) -> Result<Self, RatingError> {
        let by_area = HeatFee::by_area(class, rounding, area, None, None)?;
        let metered = HeatFee::by_meter(class, rounding, area, energy, Ratio::ONE)?;
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
