//! The fixed-point types.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    Overflow,
    decimal::{self, DecimalError, Excess},
    share::{self, ShareError},
};

macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident, $places:literal, $from:ident, $units:ident, $unit:literal) => {
        $(#[$doc])*
        ///
        /// Text and serde form is plain decimal text with all places, never a JSON number.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(i64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);
            /// The largest value.
            pub const MAX: Self = Self(i64::MAX);
            /// How many decimal places the type keeps.
            pub const PLACES: u32 = $places;

            #[doc = concat!("From a count of ", $unit, ".")]
            pub const fn $from(units: i64) -> Self {
                Self(units)
            }

            #[doc = concat!("As a count of ", $unit, "; what the database stores.")]
            pub const fn $units(self) -> i64 {
                self.0
            }

            /// From plain decimal text of at most [`Self::PLACES`] places.
            ///
            /// # Errors
            /// [`DecimalError`]: no exponent, sign other than a leading minus, separator, blank, full-width digit or further place.
            pub fn parse(text: &str) -> Result<Self, DecimalError> {
                decimal::read(text, Self::PLACES, Excess::Refuse).map(Self)
            }

            /// As [`Self::parse`], but further places are rounded half up (by magnitude).
            ///
            /// # Errors
            /// [`DecimalError`], never `Scale`.
            pub fn parse_half_up(text: &str) -> Result<Self, DecimalError> {
                decimal::read(text, Self::PLACES, Excess::HalfUp).map(Self)
            }

            /// As [`Self::parse_half_up`], and scientific notation such as `4e+05` is read: only for the raw registers that some
            /// remote systems send.
            ///
            /// # Errors
            /// [`DecimalError`], never `Scale`.
            pub fn parse_scientific(text: &str) -> Result<Self, DecimalError> {
                decimal::read_scientific(text, Self::PLACES).map(Self)
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

            /// The whole-number multiple.
            ///
            /// # Errors
            /// [`Overflow`].
            pub fn checked_mul(self, times: i64) -> Result<Self, Overflow> {
                self.0.checked_mul(times).map(Self).ok_or(Overflow)
            }

            /// The sum of all.
            ///
            /// # Errors
            /// [`Overflow`].
            pub fn sum(values: impl IntoIterator<Item = Self>) -> Result<Self, Overflow> {
                values.into_iter().try_fold(Self::ZERO, Self::checked_add)
            }

            /// Parts that sum to the whole and differ by at most one unit; the first ones get what is left over.
            ///
            /// # Errors
            /// [`ShareError::NoParts`].
            pub fn split(self, parts: usize) -> Result<Vec<Self>, ShareError> {
                Ok(share::split(self.0, parts)?.into_iter().map(Self).collect())
            }

            /// Parts in proportion to the weights, that sum to the whole: largest remainder first, ties to the earlier part.
            ///
            /// # Errors
            /// [`ShareError`].
            pub fn allocate(self, weights: &[u64]) -> Result<Vec<Self>, ShareError> {
                Ok(share::allocate(self.0, weights)?.into_iter().map(Self).collect())
            }

            /// Whether it is nothing.
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// Whether it is below nothing.
            pub const fn is_negative(self) -> bool {
                self.0 < 0
            }

            /// Decimal text without trailing zeros, for people: `2.61`, `46`.
            pub fn short(self) -> impl fmt::Display {
                Short(self.0, Self::PLACES)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                decimal::write(i128::from(self.0), Self::PLACES, false, f)
            }
        }

        impl FromStr for $name {
            type Err = DecimalError;

            fn from_str(text: &str) -> Result<Self, DecimalError> {
                Self::parse(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text($name::parse))
            }
        }
    };
}

fixed! {
    /// An amount of money (金额) in CNY, kept in fen.
    Money, 2, from_fen, fen, "fen (分)"
}
fixed! {
    /// A unit price (单价) in yuan per unit of a quantity.
    UnitPrice, 6, from_micros, micros, "10⁻⁶ yuan"
}
fixed! {
    /// A volume of gas (气量) in m³.
    Volume, 3, from_litres, litres, "litres, 10⁻³ m³"
}
fixed! {
    /// An amount of heat (热量) in kWh.
    Energy, 3, from_watt_hours, watt_hours, "watt hours, 10⁻³ kWh"
}
fixed! {
    /// A floor area (面积) in m².
    Area, 2, from_hundredths, hundredths, "10⁻² m²"
}

struct Short(i64, u32);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(i128::from(self.0), self.1, true, f)
    }
}

/// Takes texts only, so that no number passes through a binary float on its way in.
struct Text<T>(fn(&str) -> Result<T, DecimalError>);

impl<T> de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number as text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}

impl Volume {
    /// From whole cubic metres.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn from_cubic_metres(metres: i64) -> Result<Self, Overflow> {
        metres.checked_mul(1000).map(Self).ok_or(Overflow)
    }

    /// Shares by days or other weights in whole steps of `step` (domain.md edge case 2: whole m³), that sum to the whole: as
    /// [`Self::allocate`] on the steps; a volume that is no multiple of the step is shared by the litre.
    ///
    /// # Errors
    /// [`ShareError`].
    pub fn allocate_in_steps(self, step: Self, weights: &[u64]) -> Result<Vec<Self>, ShareError> {
        let steps = self.0.checked_rem(step.0).filter(|rest| *rest == 0).and_then(|_| self.0.checked_div(step.0));
        match steps {
            Some(steps) => share::allocate(steps, weights)?
                .into_iter()
                .map(|n| n.checked_mul(step.0).map(Self).ok_or(ShareError::Overflow))
                .collect(),
            None => self.allocate(weights),
        }
    }
}
