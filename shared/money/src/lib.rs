//! Money and measured quantities as fixed-point integers.
//!
//! Every type is an `i64` count of its smallest unit, every operation is checked, and nothing here is a float or a decimal library:
//! what a customer pays must come out the same on every machine and in every database. A product of quantity and price is an
//! [`Exact`] sum, which is rounded **once** per bill; shares always sum to the whole.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod decimal;
mod exact;
mod fixed;
mod ratio;
mod share;

pub use decimal::DecimalError;
pub use exact::{Exact, Measured, Mode, amount, round_together};
pub use fixed::{Area, Energy, Money, UnitPrice, Volume};
pub use ratio::Ratio;
pub use share::{ShareError, allocate, split};

/// A result does not fit: the input was absurd, nobody pays or measures such a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the number is out of range")]
pub struct Overflow;
