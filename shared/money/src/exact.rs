//! Sums that are not rounded yet.

use std::fmt;

use crate::{Area, Energy, Money, Overflow, Ratio, UnitPrice, Volume, decimal};

/// An amount of money that has not been rounded, in 10⁻⁹ yuan: the product of any quantity and [`UnitPrice`] is held without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Exact(i128);

/// 10⁻⁹ yuan in a fen.
const FEN: i128 = 10_000_000;

/// How an exact amount becomes money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// To the nearest step, ties away from zero: half up on the magnitude, so that a credit mirrors the charge it takes back.
    #[default]
    HalfUp,
    /// To the step below (toward −∞).
    Floor,
    /// To the step above (toward +∞).
    Ceiling,
}

/// A quantity that a unit price applies to.
pub trait Measured: Copy {
    /// The quantity in 10⁻³ of its unit.
    fn thousandths(self) -> i128;
}

impl Measured for Volume {
    fn thousandths(self) -> i128 {
        i128::from(self.litres())
    }
}

impl Measured for Energy {
    fn thousandths(self) -> i128 {
        i128::from(self.watt_hours())
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "counted in i128, which an i64 and its small factors never fill")]
impl Measured for Area {
    fn thousandths(self) -> i128 {
        i128::from(self.hundredths()) * 10
    }
}

/// Quantity × price, exact.
///
/// # Errors
/// [`Overflow`].
pub fn amount(quantity: impl Measured, price: UnitPrice) -> Result<Exact, Overflow> {
    quantity.thousandths().checked_mul(i128::from(price.micros())).map(Exact).ok_or(Overflow)
}

impl Exact {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From a count of 10⁻⁹ yuan.
    pub const fn from_nanos(nanos: i128) -> Self {
        Self(nanos)
    }

    /// As a count of 10⁻⁹ yuan.
    pub const fn nanos(self) -> i128 {
        self.0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn checked_add(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_add(other.0).map(Self).ok_or(Overflow)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn checked_sub(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_sub(other.0).map(Self).ok_or(Overflow)
    }

    /// The opposite.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn checked_neg(self) -> Result<Self, Overflow> {
        self.0.checked_neg().map(Self).ok_or(Overflow)
    }

    /// The sum of all.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn sum(values: impl IntoIterator<Item = Self>) -> Result<Self, Overflow> {
        values.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// To the fen, half up on the magnitude.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn round_half_up(self) -> Result<Money, Overflow> {
        self.round_times(Ratio::ONE, Mode::HalfUp, Money::from_fen(1))
    }

    /// The amount times a ratio (a tax, a share of days), rounded once, to a multiple of `step`.
    ///
    /// # Errors
    /// [`Overflow`], also for a step that is not positive.
    pub fn round_times(self, ratio: Ratio, mode: Mode, step: Money) -> Result<Money, Overflow> {
        if step <= Money::ZERO {
            return Err(Overflow);
        }
        let dividend = self.0.checked_mul(i128::from(ratio.numerator())).ok_or(Overflow)?;
        let divisor = i128::from(ratio.denominator())
            .checked_mul(FEN)
            .and_then(|d| d.checked_mul(i128::from(step.fen())))
            .ok_or(Overflow)?;
        let steps = divide(dividend, divisor, mode)?;
        let fen = steps
            .checked_mul(i128::from(step.fen()))
            .and_then(|fen| i64::try_from(fen).ok())
            .ok_or(Overflow)?;
        Ok(Money::from_fen(fen))
    }

    /// Whole fen below, and what is left of the next one.
    fn floor(self) -> (i128, i128) {
        (self.0.div_euclid(FEN), self.0.rem_euclid(FEN))
    }
}

/// The divisor is positive.
#[expect(clippy::arithmetic_side_effects, reason = "a remainder lies below its divisor")]
pub(crate) fn divide(dividend: i128, divisor: i128, mode: Mode) -> Result<i128, Overflow> {
    let floor = dividend.checked_div_euclid(divisor).ok_or(Overflow)?;
    let rest = dividend.checked_rem_euclid(divisor).ok_or(Overflow)?;
    let up = match mode {
        Mode::Floor => false,
        Mode::Ceiling => rest > 0,
        // `rest * 2` could pass the end of i128; what is missing to the next step cannot.
        Mode::HalfUp => {
            let missing = divisor - rest;
            rest > missing || (rest == missing && dividend > 0)
        }
    };
    floor.checked_add(i128::from(up)).ok_or(Overflow)
}

/// The lines of one bill: their exact sum is rounded half up once, and each line gets the whole fen below its own amount plus at most
/// one of the fen that are left, the largest remainder first, ties to the earlier line. The lines always sum to the total.
///
/// # Errors
/// [`Overflow`].
#[expect(clippy::arithmetic_side_effects, reason = "counted in i128, which an i64 and its small factors never fill")]
pub fn round_together(lines: &[Exact]) -> Result<(Money, Vec<Money>), Overflow> {
    let total = Exact::sum(lines.iter().copied())?.round_half_up()?;
    let floors: Vec<(i128, i128)> = lines.iter().map(|line| line.floor()).collect();
    let given = floors.iter().try_fold(0_i128, |sum, (fen, _)| sum.checked_add(*fen)).ok_or(Overflow)?;
    let left = usize::try_from(i128::from(total.fen()) - given).map_err(|_| Overflow)?;
    let mut order: Vec<usize> = (0..floors.len()).collect();
    // The sort is stable, so equal remainders stay in the order of the lines.
    order.sort_by_key(|index| std::cmp::Reverse(floors.get(*index).map_or(0, |(_, rest)| *rest)));
    let mut extra = vec![0_i128; floors.len()];
    for index in order.into_iter().take(left) {
        if let Some(slot) = extra.get_mut(index) {
            *slot = 1;
        }
    }
    let lines = floors
        .iter()
        .zip(extra)
        .map(|((fen, _), one)| i64::try_from(fen + one).map(Money::from_fen).map_err(|_| Overflow))
        .collect::<Result<_, _>>()?;
    Ok((total, lines))
}

#[expect(clippy::arithmetic_side_effects, reason = "counted in i128, which an i64 and its small factors never fill")]
impl From<Money> for Exact {
    fn from(money: Money) -> Self {
        Self(i128::from(money.fen()) * FEN)
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "counted in i128, which an i64 and its small factors never fill")]
impl From<UnitPrice> for Exact {
    /// The amount of one unit.
    fn from(price: UnitPrice) -> Self {
        Self(i128::from(price.micros()) * 1000)
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(self.0, 9, false, f)
    }
}
