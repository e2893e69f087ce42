//! Standing charges by time (基本费): a day's as often as there are days, a month's and a year's by the days of each month or year.

use chrono::NaiveDate;
use money::{Exact, Money, Ratio, UnitPrice, Volume, amount};

use crate::{
    Per, RatingError, Rounding, Rule,
    bill::{Quantity, price_of},
    days::{Stretch, stretches},
    explain::{Token, Trace},
};

/// What is due of a standing charge.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Due {
    /// The days after the first up to the last.
    Days { from: NaiveDate, to: NaiveDate, days: i64, exact: Exact },
    /// What is due until a day of a month less what was due until an earlier one: so the parts of a month sum to its price, however it is cut.
    Share {
        stretch: Stretch,
        rounding: Rounding,
        until: Money,
        after: Money,
        charge: Money,
    },
}

/// What is due for the days after `from` up to `to`; nothing of a charge for each bill, which is no charge by time.
pub(crate) fn dues(price: UnitPrice, per: Per, (from, to): (NaiveDate, NaiveDate), rounding: Rounding) -> Result<Vec<Due>, RatingError> {
    match per {
        Per::Bill => Ok(Vec::new()),
        Per::Day => {
            let days = to.signed_duration_since(from).num_days();
            let exact = amount(Volume::from_cubic_metres(days)?, price)?;
            let due = Due::Days { from, to, days, exact };
            Ok(if exact == Exact::ZERO { vec![] } else { vec![due] })
        }
        Per::Month | Per::Year => {
            let shares = stretches(from, to, per)?.into_iter().map(|stretch| share(price, stretch, rounding));
            shares
                .filter(|share| !matches!(share, Ok(Due::Share { charge, .. }) if charge.is_zero()))
                .collect()
        }
    }
}

fn share(price: UnitPrice, stretch: Stretch, rounding: Rounding) -> Result<Due, RatingError> {
    let due = |days: i64| Exact::from(price).round_times(Ratio::new(days, stretch.all)?, rounding.mode, rounding.step);
    let (until, after) = (due(stretch.until)?, due(stretch.after)?);
    let charge = until.checked_sub(after)?;
    Ok(Due::Share {
        stretch,
        rounding,
        until,
        after,
        charge,
    })
}

impl Due {
    pub(crate) fn exact(self) -> Exact {
        match self {
            Self::Days { exact, .. } => exact,
            Self::Share { charge, .. } => Exact::from(charge),
        }
    }

    pub(crate) fn quantity(self) -> Quantity {
        match self {
            Self::Days { days, .. } => Quantity::Days(days),
            Self::Share { .. } => Quantity::Once,
        }
    }

    /// What the line shows as its price.
    pub(crate) fn unit_price(self, price: UnitPrice) -> Result<UnitPrice, RatingError> {
        match self {
            Self::Days { .. } => Ok(price),
            Self::Share { charge, .. } => price_of(charge),
        }
    }

    /// Explains it as the amount of a line.
    pub(crate) fn tell(self, trace: &mut Trace, line: usize, price: UnitPrice) {
        let of = |letter| Token::Of(letter, line, "");
        match self {
            Self::Days { from, to, days, exact } => {
                trace.step(of('q'), Rule::Days, &[Token::Day(from), Token::Day(to)], Token::Count(days));
                trace.step(of('a'), Rule::Mul, &[of('q'), Token::Price(price)], Token::Exact(exact));
            }
            Self::Share {
                stretch,
                rounding,
                until,
                after,
                charge,
            } => {
                let whole = Token::Price(price);
                if stretch.after == 0 {
                    trace.round(of('a'), rounding, whole, Some((stretch.until, stretch.all)), until);
                    return;
                }
                trace.round(of('u'), rounding, whole, Some((stretch.until, stretch.all)), until);
                trace.round(of('l'), rounding, whole, Some((stretch.after, stretch.all)), after);
                trace.step(of('a'), Rule::Sub, &[of('u'), of('l')], Token::Money(charge));
            }
        }
    }
}
