//! Exact fractions.

use std::fmt;

use crate::{DecimalError, Exact, Mode, Money, Overflow, exact::divide};

/// An exact fraction in lowest terms with a positive denominator: a tax, a share of days, a correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ratio {
    numerator: i64,
    denominator: i64,
}

impl Ratio {
    /// One.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };
    /// Nothing.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };

    /// The fraction, reduced.
    ///
    /// # Errors
    /// [`Overflow`] for a denominator that is not positive.
    pub fn new(numerator: i64, denominator: i64) -> Result<Self, Overflow> {
        Self::reduce(i128::from(numerator), i128::from(denominator))
    }

    #[expect(clippy::arithmetic_side_effects, reason = "the divisor is not zero")]
    fn reduce(numerator: i128, denominator: i128) -> Result<Self, Overflow> {
        if denominator <= 0 {
            return Err(Overflow);
        }
        let (mut a, mut b) = (numerator.unsigned_abs(), denominator.unsigned_abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let divisor = i128::try_from(a).map_err(|_| Overflow)?;
        let part = |n: i128| i64::try_from(n / divisor).map_err(|_| Overflow);
        Ok(Self {
            numerator: part(numerator)?,
            denominator: part(denominator)?,
        })
    }

    /// From decimal text of at most nine places: `0.2`.
    ///
    /// # Errors
    /// [`DecimalError`].
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let count = crate::decimal::read(text, 9, crate::decimal::Excess::Refuse)?;
        Self::new(count, 1_000_000_000).map_err(|Overflow| DecimalError::Range)
    }

    /// From percent as decimal text of at most nine places: `5.8`.
    ///
    /// # Errors
    /// [`DecimalError`].
    pub fn parse_percent(text: &str) -> Result<Self, DecimalError> {
        let count = crate::decimal::read(text, 9, crate::decimal::Excess::Refuse)?;
        Self::new(count, 100_000_000_000).map_err(|Overflow| DecimalError::Range)
    }

    /// The upper part of the fraction in lowest terms.
    pub const fn numerator(self) -> i64 {
        self.numerator
    }

    /// The lower part, positive.
    pub const fn denominator(self) -> i64 {
        self.denominator
    }

    /// The sum.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn checked_add(self, other: Self) -> Result<Self, Overflow> {
        let cross = |a: i64, b: i64| i128::from(a).checked_mul(i128::from(b)).ok_or(Overflow);
        let upper = cross(self.numerator, other.denominator)?
            .checked_add(cross(other.numerator, self.denominator)?)
            .ok_or(Overflow)?;
        Self::reduce(upper, cross(self.denominator, other.denominator)?)
    }

    /// The product.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn checked_mul(self, other: Self) -> Result<Self, Overflow> {
        let upper = i128::from(self.numerator).checked_mul(i128::from(other.numerator)).ok_or(Overflow)?;
        let lower = i128::from(self.denominator).checked_mul(i128::from(other.denominator)).ok_or(Overflow)?;
        Self::reduce(upper, lower)
    }

    /// As a count of 10^-places, half up on the magnitude.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn round_half_up(self, places: u32) -> Result<i64, Overflow> {
        let scale = 10_i128.checked_pow(places).ok_or(Overflow)?;
        let dividend = i128::from(self.numerator).checked_mul(scale).ok_or(Overflow)?;
        i64::try_from(divide(dividend, i128::from(self.denominator), Mode::HalfUp)?).map_err(|_| Overflow)
    }

    /// This share of an amount, rounded half up to the fen: late fees, refunds for days.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn of(self, money: Money) -> Result<Money, Overflow> {
        Exact::from(money).round_times(self, Mode::HalfUp, Money::from_fen(1))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}
