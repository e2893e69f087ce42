//! Volumes at the conditions of a meter as volumes at reference conditions (体积修正, B17): 20 °C and 101.325 kPa (GB/T 19205).

use money::{Exact, Overflow, Volume};

/// Pascal at reference conditions.
const PRESSURE: i128 = 101_325;
/// Hundredths of a kelvin at reference conditions.
const TEMPERATURE: i128 = 29_315;
/// Hundredths of a kelvin at 0 °C.
const ICE: i128 = 27_315;
/// Millionths at reference conditions.
const COMPRESSIBILITY: i128 = 1_000_000;

/// The conditions under which a meter counts that does not correct by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// Pressure above that of the air, in pascal.
    pub gauge_pressure: i64,
    /// Pressure of the air, in pascal.
    pub air_pressure: i64,
    /// Temperature of the gas, in hundredths of a degree Celsius.
    pub temperature: i64,
    /// Compressibility of the gas under these conditions by that under reference conditions, Z / Zₙ, in 10⁻⁶.
    pub compressibility: i64,
}

impl Conditions {
    /// What one cubic metre is in cubic metres at reference conditions, half up to five places: (p + pₐ) / pₙ × Tₙ / T × Zₙ / Z.
    ///
    /// # Errors
    /// [`Overflow`] for conditions at which there is no gas.
    pub fn factor(self) -> Result<Factor, Overflow> {
        let pressure = i128::from(self.gauge_pressure).checked_add(self.air_pressure.into()).ok_or(Overflow)?;
        let kelvin = ICE.checked_add(self.temperature.into()).ok_or(Overflow)?;
        let upper = [pressure, TEMPERATURE, COMPRESSIBILITY, Factor::ONE.0.into()]
            .into_iter()
            .try_fold(1, i128::checked_mul);
        let lower = [PRESSURE, kelvin, self.compressibility.into()].into_iter().try_fold(1, i128::checked_mul);
        match upper.zip(lower).filter(|(upper, lower)| *upper > 0 && *lower > 0) {
            Some((upper, lower)) => half_up(upper, lower).map(Factor),
            None => Err(Overflow),
        }
    }
}

/// What one cubic metre that a meter counts is in cubic metres at reference conditions, to five places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor(i64);

impl Factor {
    /// A meter under reference conditions, or one that corrects by itself.
    pub const ONE: Self = Self(100_000);

    /// From a count of 10⁻⁵.
    pub const fn from_hundred_thousandths(count: i64) -> Self {
        Self(count)
    }

    /// The count of 10⁻⁵.
    pub const fn hundred_thousandths(self) -> i64 {
        self.0
    }

    /// A volume at reference conditions, half up to the litre.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn convert(self, counted: Volume) -> Result<Volume, Overflow> {
        let exact = i128::from(counted.litres()).checked_mul(self.0.into()).ok_or(Overflow)?;
        half_up(exact, Self::ONE.0.into()).map(Volume::from_litres)
    }
}

fn half_up(upper: i128, lower: i128) -> Result<i64, Overflow> {
    let twice = upper.checked_mul(2).and_then(|twice| twice.checked_add(lower)).ok_or(Overflow)?;
    let quotient = twice.checked_div_euclid(lower.checked_mul(2).ok_or(Overflow)?).ok_or(Overflow)?;
    i64::try_from(quotient).map_err(|_| Overflow)
}

/// A part of what a meter counted, under one factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Converted {
    /// As counted.
    pub counted: Volume,
    /// The factor.
    pub factor: Factor,
    /// At reference conditions.
    pub volume: Volume,
}

impl Converted {
    /// The part before it is rounded.
    pub(crate) fn exact(self) -> Result<Exact, Overflow> {
        // Litres times 10⁻⁵ are 10⁻⁸ m³.
        let tens = i128::from(self.counted.litres()).checked_mul(self.factor.0.into()).ok_or(Overflow)?;
        tens.checked_mul(10).map(Exact::from_nanos).ok_or(Overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factor(gauge_pressure: i64, air_pressure: i64, temperature: i64, compressibility: i64) -> Option<i64> {
        let conditions = Conditions {
            gauge_pressure,
            air_pressure,
            temperature,
            compressibility,
        };
        conditions.factor().ok().map(Factor::hundred_thousandths)
    }

    /// Worked by hand: 104.325 / 101.325 × 293.15 / 288.15 = 1.0296077 × 1.0173521 = 1.0474735.
    #[test]
    fn b_17_a_factor_follows_from_pressure_temperature_and_compressibility() {
        assert_eq!(factor(0, 101_325, 2000, 1_000_000), Some(100_000), "reference conditions");
        assert_eq!(factor(3_000, 101_325, 1500, 1_000_000), Some(104_747));
        assert_eq!(factor(0, 101_325, 0, 1_000_000), Some(107_322), "293.15 / 273.15");
        assert_eq!(factor(0, 89_000, 2000, 1_000_000), Some(87_836), "on a high plain: 89 / 101.325");
        assert_eq!(factor(101_325, 101_325, 2000, 980_000), Some(204_082), "2 / 0.98");
        assert_eq!(factor(0, 0, 2000, 1_000_000), None, "a vacuum");
        assert_eq!(factor(0, 101_325, -27_315, 1_000_000), None, "absolute zero");
        assert_eq!(factor(0, 101_325, 2000, 0), None);
    }

    #[test]
    fn b_17_volumes_are_rounded_half_up_to_the_litre() {
        let of = |factor, litres| Factor(factor).convert(Volume::from_litres(litres)).ok().map(Volume::litres);
        assert_eq!(of(104_747, 100_000), Some(104_747));
        assert_eq!(of(104_747, 1), Some(1));
        assert_eq!(of(150_000, 1), Some(2), "1.5");
        assert_eq!(of(149_999, 1), Some(1));
        assert_eq!(of(i64::MAX, i64::MAX), None);
    }
}
