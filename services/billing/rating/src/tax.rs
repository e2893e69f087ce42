//! From the exact sum of a bill to its total: tax, and the one rounding.

use money::{Exact, Money, Ratio};

use crate::{
    RatingError, Rounding, Rule, Tax,
    explain::{Token, Trace},
};

/// An exact sum in yuan, as a count of parts: so fractions of an amount are added up without loss.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sum {
    pub exact: Exact,
    /// Parts of a yuan; 1 where it counts yuan.
    pub of: i64,
}

impl Sum {
    fn ratio(self, ratio: Ratio) -> Result<Ratio, RatingError> {
        Ok(ratio.checked_mul(Ratio::new(1, self.of)?)?)
    }

    fn times(self, ratio: Ratio, rounding: Rounding) -> Result<Money, RatingError> {
        Ok(self.exact.round_times(self.ratio(ratio)?, rounding.mode, rounding.step)?)
    }

    /// The fraction that a step of the explanation needs to round it.
    fn fraction(self) -> Option<(i64, i64)> {
        (self.of != 1).then_some((1, self.of))
    }

    /// Rounds it, as a step of that name.
    pub(crate) fn round(self, trace: &mut Trace, name: Token<'_>, of: Token<'_>, rounding: Rounding) -> Result<Money, RatingError> {
        let money = self.times(Ratio::ONE, rounding)?;
        trace.round(name, rounding, of, self.fraction(), money);
        Ok(money)
    }
}

/// Lines of a bill that have the same tax.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub tax: Option<Tax>,
    /// The last usage period that has lines in it, from 0.
    pub segment: usize,
    /// Numbers of the lines, from 1.
    pub lines: Vec<usize>,
    pub exact: Exact,
}

impl Group {
    fn on_top(&self) -> Option<Tax> {
        self.tax.filter(|tax| !tax.included)
    }

    /// What the sum is multiplied by where it is rounded together with its tax.
    fn factor(&self) -> Result<Ratio, RatingError> {
        match self.on_top() {
            Some(tax) if tax.rounding.is_none() => Ok(Ratio::ONE.checked_add(tax.rate)?),
            _ => Ok(Ratio::ONE),
        }
    }
}

/// A tax on top.
#[derive(Clone, Copy)]
pub(crate) struct Added {
    /// The group of lines that has it, from 0.
    pub group: usize,
    pub tax: Money,
    name: Token<'static>,
}

/// A tax that the prices hold.
#[derive(Clone, Copy)]
struct Held {
    tax: Money,
    name: Token<'static>,
    of: Token<'static>,
    share: Ratio,
    rounding: Rounding,
}

/// What a bill comes to.
#[derive(Clone)]
pub(crate) struct Closing {
    pub total: Money,
    /// The sum without tax on top, half up to the fen: what the lines are shares of.
    pub net: Money,
    /// The name of the step that gives it.
    pub whole: Token<'static>,
    pub added: Vec<Added>,
    held: Vec<Held>,
    section: &'static str,
}

impl Closing {
    /// Of a sum that has one tax, or none; the step `sum` of the section gives it.
    pub(crate) fn of(trace: &mut Trace, section: &'static str, sum: Sum, rounding: Rounding, tax: Option<Tax>) -> Result<Self, RatingError> {
        let name = |word| Token::In(section, word);
        let fen = Rounding::default();
        let on_top = tax.filter(|tax| !tax.included);
        let net = sum.times(Ratio::ONE, fen)?;
        let mut closing = Self {
            total: net,
            net,
            whole: name("total"),
            added: vec![],
            held: vec![],
            section,
        };
        if on_top.is_some() || rounding != fen {
            closing.whole = name("net");
            sum.round(trace, closing.whole, name("sum"), fen)?;
        }
        closing.total = match on_top {
            Some(tax) => closing.add(trace, sum, rounding, tax)?,
            None => sum.round(trace, name("total"), name("sum"), rounding)?,
        };
        if let Some(tax) = tax.filter(|tax| tax.included) {
            let total = Exact::from(closing.total);
            closing.held.push(held(tax, total, (name("tax_within"), name("total")))?);
        }
        Ok(closing)
    }

    /// Adds a tax on top; gives the total.
    fn add(&mut self, trace: &mut Trace, sum: Sum, rounding: Rounding, tax: Tax) -> Result<Money, RatingError> {
        let section = self.section;
        let name = |word| Token::In(section, word);
        let own = tax.rounding.unwrap_or_default();
        let added = sum.times(tax.rate, own)?;
        trace.round(name("tax"), own, name("sum"), Some(parts(sum.ratio(tax.rate)?)), added);
        self.added.push(Added {
            group: 0,
            tax: added,
            name: name("tax"),
        });
        if tax.rounding.is_none() {
            let gross = Ratio::ONE.checked_add(tax.rate)?;
            let total = sum.times(gross, rounding)?;
            trace.round(name("total"), rounding, name("sum"), Some(parts(sum.ratio(gross)?)), total);
            return Ok(total);
        }
        let scaled = scaled(Exact::from(added), sum.of)?;
        let mut share = name("tax");
        if sum.of != 1 {
            share = name("tax_share");
            trace.step(share, Rule::Mul, &[name("tax"), Token::Count(sum.of)], Token::Exact(scaled));
        }
        let gross = Sum {
            exact: sum.exact.checked_add(scaled)?,
            ..sum
        };
        trace.step(name("gross"), Rule::Add, &[name("sum"), share], Token::Exact(gross.exact));
        gross.round(trace, name("total"), name("gross"), rounding)
    }

    /// Of lines that have several taxes: each is a share of the sum of its own lines, and all of it is rounded once.
    pub(crate) fn of_groups(trace: &mut Trace, groups: &[Group], exact: Exact, rounding: Rounding) -> Result<Self, RatingError> {
        let sum = Sum { exact, of: 1 };
        let whole = Token::Word("net");
        let net = sum.round(trace, whole, Token::Word("sum"), Rounding::default())?;
        let mut closing = Self {
            total: net,
            net,
            whole,
            added: vec![],
            held: vec![],
            section: "",
        };
        let common = groups
            .iter()
            .try_fold(1, |common, group| common_multiple(common, group.factor()?.denominator()))?;
        let mut gross = Sum {
            exact: Exact::ZERO,
            of: common,
        };
        let mut inputs = vec![];
        for (number, group) in (1..).zip(groups) {
            let (mut of, due) = closing.group(trace, number, group)?;
            let weight = group.factor()?.checked_mul(Ratio::new(common, 1)?)?.numerator();
            let heavy = scaled(due, weight)?;
            if common != 1 {
                let due = of;
                of = Token::Of('g', number, "gross");
                trace.step(of, Rule::Mul, &[due, Token::Count(weight)], Token::Exact(heavy));
            }
            gross.exact = gross.exact.checked_add(heavy)?;
            inputs.push(of);
        }
        trace.step(Token::Word("gross"), Rule::Add, &inputs, Token::Exact(gross.exact));
        closing.total = gross.round(trace, Token::Word("total"), Token::Word("gross"), rounding)?;
        Ok(closing)
    }

    /// Explains the sum of a group and its tax; gives what is due before its share of the one rounding.
    fn group(&mut self, trace: &mut Trace, number: usize, group: &Group) -> Result<(Token<'static>, Exact), RatingError> {
        let name = |word| Token::Of('g', number, word);
        let lines: Vec<_> = group.lines.iter().map(|line| Token::Of('a', *line, "")).collect();
        trace.step(name("sum"), Rule::Add, &lines, Token::Exact(group.exact));
        if let Some(tax) = group.tax.filter(|tax| tax.included) {
            self.held.push(held(tax, group.exact, (name("tax_within"), name("sum")))?);
        }
        let Some(tax) = group.on_top() else {
            return Ok((name("sum"), group.exact));
        };
        let own = tax.rounding.unwrap_or_default();
        let added = group.exact.round_times(tax.rate, own.mode, own.step)?;
        trace.round(name("tax"), own, name("sum"), Some(parts(tax.rate)), added);
        self.added.push(Added {
            group: number.saturating_sub(1),
            tax: added,
            name: name("tax"),
        });
        if tax.rounding.is_none() {
            return Ok((name("sum"), group.exact));
        }
        let due = group.exact.checked_add(Exact::from(added))?;
        trace.step(name("due"), Rule::Add, &[name("sum"), name("tax")], Token::Exact(due));
        Ok((name("due"), due))
    }

    /// Explains what rounding of the total adds or takes, and the taxes within; gives the former.
    pub(crate) fn rest(&self, trace: &mut Trace) -> Result<Money, RatingError> {
        let name = |word| Token::In(self.section, word);
        let added = Money::sum(self.added.iter().map(|added| added.tax))?;
        let rest = self.total.checked_sub(self.net)?.checked_sub(added)?;
        if !rest.is_zero() {
            let mut inputs = vec![name("total"), self.whole];
            inputs.extend(self.added.iter().map(|added| added.name));
            if self.added.is_empty() {
                inputs.push(Token::Count(0));
            }
            trace.step(name("rest"), Rule::Sub, &inputs, Token::Money(rest));
        }
        for held in &self.held {
            trace.round(held.name, held.rounding, held.of, Some(parts(held.share)), held.tax);
        }
        Ok(rest)
    }

    /// All taxes, on top and within.
    pub(crate) fn tax(&self) -> Result<Money, RatingError> {
        let added = self.added.iter().map(|added| added.tax);
        Ok(Money::sum(added.chain(self.held.iter().map(|held| held.tax)))?)
    }
}

/// The tax that an amount holds.
fn held(tax: Tax, amount: Exact, (name, of): (Token<'static>, Token<'static>)) -> Result<Held, RatingError> {
    let (rate, rounding) = (tax.rate, tax.rounding.unwrap_or_default());
    let gross = rate.denominator().checked_add(rate.numerator()).ok_or(RatingError::Overflow)?;
    let share = Ratio::new(rate.numerator(), gross)?;
    Ok(Held {
        tax: amount.round_times(share, rounding.mode, rounding.step)?,
        name,
        of,
        share,
        rounding,
    })
}

fn parts(ratio: Ratio) -> (i64, i64) {
    (ratio.numerator(), ratio.denominator())
}

pub(crate) fn scaled(exact: Exact, times: i64) -> Result<Exact, RatingError> {
    let nanos = exact.nanos().checked_mul(i128::from(times)).ok_or(RatingError::Overflow)?;
    Ok(Exact::from_nanos(nanos))
}

/// The least common multiple.
pub(crate) fn common_multiple(left: i64, right: i64) -> Result<i64, RatingError> {
    // The denominator of left/right in lowest terms is what right has beyond left.
    let beyond = Ratio::new(left, right)?.denominator();
    left.checked_mul(beyond).ok_or(RatingError::Overflow)
}
