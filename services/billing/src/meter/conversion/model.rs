//! What a meter counted as it is billed, pure: stretch by stretch at the factor that holds in it.

use calendar::NaiveDate;
use money::Volume;
use rating::{Conditions, Converted, Factor};
use uuid::Uuid;

use crate::{meter::model::MeterKind, refusal::Refusal};

/// What a cubic metre of a meter is from the reading of a day on.
#[derive(Clone, Copy, Debug)]
pub struct Conversion {
    pub install: Uuid,
    pub from: NaiveDate,
    pub factor: Factor,
}

/// Whether a meter counts gas that is billed by what it shows: what an IC card has prepaid is not, heat and water have no reference conditions.
///
/// # Errors
/// CONVERSION_METER.
pub const fn may_convert(kind: MeterKind) -> Result<(), Refusal> {
    match kind {
        MeterKind::Mechanical | MeterKind::Iot => Ok(()),
        MeterKind::Ic | MeterKind::HeatKwh | MeterKind::HeatGj | MeterKind::Water => Err(Refusal::ConversionMeter),
    }
}

/// The factor of conditions as they are found in a city's network (GB 50028: up to 4 MPa): air of 50 to 110 kPa, −40 to 80 °C, Z / Zₙ of 0.5 to 1.5.
///
/// # Errors
/// CONVERSION_CONDITIONS, with the field.
pub fn factor(conditions: Conditions) -> Result<Factor, (Refusal, &'static str)> {
    let fields = [
        ("gauge_pressure", conditions.gauge_pressure, 0..=4_000_000),
        ("air_pressure", conditions.air_pressure, 50_000..=110_000),
        ("temperature", conditions.temperature, -4_000..=8_000),
        ("compressibility", conditions.compressibility, 500_000..=1_500_000),
    ];
    for (field, value, range) in fields {
        if !range.contains(&value) {
            return Err((Refusal::ConversionConditions, field));
        }
    }
    conditions.factor().map_err(|_| (Refusal::ConversionConditions, "compressibility"))
}

/// What was counted when each stretch began, and its factor; nothing where nothing is converted.
pub struct Converting(Vec<(i64, Factor)>);

impl Converting {
    /// The stretches of the use between two days, from the conversions of the meter, oldest first. None where one begins on a day of which it is not known
    /// what was counted until then.
    pub fn new<'a>(
        conversions: impl Iterator<Item = &'a Conversion>,
        (from, to): (NaiveDate, NaiveDate),
        counted: i64,
        counted_on: impl Fn(NaiveDate) -> Option<i64>,
    ) -> Option<Self> {
        let mut stretches = vec![];
        for conversion in conversions.filter(|c| c.from < to) {
            if conversion.from <= from {
                stretches = vec![(0, conversion.factor)];
                continue;
            }
            let (before, _) = *stretches.last().unwrap_or(&(0, Factor::ONE));
            if stretches.is_empty() {
                stretches.push((0, Factor::ONE));
            }
            let until = counted_on(conversion.from).filter(|until| (before..=counted).contains(until))?;
            stretches.push((until, conversion.factor));
        }
        Some(Self(stretches))
    }

    /// The parts of what was counted until some moment.
    pub fn parts(&self, counted: i64) -> Option<Vec<Converted>> {
        let ends = self.0.iter().skip(1).map(|(begin, _)| (*begin).min(counted)).chain([counted]);
        let begun = self.0.iter().zip(ends).filter(|((begin, _), _)| *begin <= counted);
        begun
            .map(|((begin, factor), end)| {
                let counted = Volume::from_litres(end.checked_sub(*begin)?);
                let volume = factor.convert(counted).ok()?;
                Some(Converted {
                    counted,
                    factor: *factor,
                    volume,
                })
            })
            .collect()
    }

    /// What was counted until some moment, as it is billed.
    pub fn volume(&self, counted: i64) -> Option<i64> {
        if self.0.is_empty() {
            return Some(counted);
        }
        self.parts(counted)?.iter().try_fold(0_i64, |sum, part| sum.checked_add(part.volume.litres()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(n: i64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2024, 12, 31).unwrap() + chrono::Duration::days(n)
    }

    #[test]
    fn b_17_only_gas_that_is_billed_by_what_a_meter_shows_is_converted() {
        let may: Vec<_> = MeterKind::ALL.iter().filter(|kind| may_convert(**kind).is_ok()).collect();
        assert_eq!(may, [&MeterKind::Mechanical, &MeterKind::Iot]);
    }

    #[test]
    fn b_17_conditions_have_bounds() {
        let usual = Conditions {
            gauge_pressure: 3_000,
            air_pressure: 101_325,
            temperature: 1500,
            compressibility: 1_000_000,
        };
        assert_eq!(factor(usual).map(Factor::hundred_thousandths), Ok(104_747));
        for (field, wrong) in [
            ("gauge_pressure", Conditions { gauge_pressure: -1, ..usual }),
            (
                "gauge_pressure",
                Conditions {
                    gauge_pressure: 4_000_001,
                    ..usual
                },
            ),
            ("air_pressure", Conditions { air_pressure: 49_999, ..usual }),
            ("temperature", Conditions { temperature: 8_001, ..usual }),
            ("compressibility", Conditions { compressibility: 0, ..usual }),
        ] {
            assert_eq!(factor(wrong), Err((Refusal::ConversionConditions, field)));
        }
    }

    proptest! {
        /// Each stretch by itself, whatever is asked in between; a factor of one changes nothing.
        #[test]
        fn b_17_stretches_sum_up(
            steps in prop::collection::vec((0_i64..1_000_000, 80_000_i64..600_000), 1..6),
            share in 0_i64..=100,
            one in any::<bool>(),
        ) {
            let factor = |n: usize| if one { Factor::ONE } else { Factor::from_hundred_thousandths(steps[n].1) };
            let conversions: Vec<Conversion> = (0..steps.len())
                .map(|n| Conversion { install: Uuid::nil(), from: day(n as i64), factor: factor(n) })
                .collect();
            // The reading of day n ends what is counted at the factor of day n - 1.
            let until: Vec<i64> = steps.iter().scan(0, |sum, (step, _)| { *sum += step; Some(*sum) }).collect();
            let counted = *until.last().unwrap();
            let on = |asked: NaiveDate| (1..steps.len()).find(|n| day(*n as i64) == asked).map(|n| until[n - 1]);
            let converting = Converting::new(conversions.iter(), (day(0), day(steps.len() as i64)), counted, on).unwrap();
            let each: i64 = (0..steps.len()).map(|n| factor(n).convert(Volume::from_litres(steps[n].0)).unwrap().litres()).sum();
            prop_assert_eq!(converting.volume(counted), Some(each));
            let within = counted * share / 100;
            prop_assert_eq!(converting.parts(within).unwrap().iter().map(|p| p.counted.litres()).sum::<i64>(), within);
            prop_assert!(converting.volume(within) <= converting.volume(counted));
            if one {
                prop_assert_eq!(converting.volume(within), Some(within));
            }
        }
    }
}
