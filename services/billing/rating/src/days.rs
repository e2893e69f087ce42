//! Days: usage periods across a boundary, and factors.
//!
//! A usage period runs from one reading day to another: its days are those after `from`, up to and including `to`.

use chrono::{Days, NaiveDate};
use money::{Ratio, Volume};

use crate::{Boundary, RatingError, Tariff};

/// A part of a usage period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayPart {
    /// Day of the reading (or cut) it starts after.
    pub from: NaiveDate,
    /// Its last day.
    pub to: NaiveDate,
    /// Its share of the volume.
    pub volume: Volume,
}

/// A part of a usage period within one tier-year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsagePeriod {
    /// The tier-year.
    pub tier_year: i32,
    /// The days and the volume.
    pub part: DayPart,
}

/// Shares a volume by days. A cut is the first day under something new (a tariff, a tier-year); cuts ascend and lie within the period.
/// Whole m³ stay whole (domain.md edge case 2), anything finer is shared by the litre; ties go to the earlier part.
///
/// # Errors
/// [`RatingError::DayOrder`], [`RatingError::NegativeVolume`].
pub fn split_by_days(from: NaiveDate, to: NaiveDate, cuts: &[NaiveDate], volume: Volume) -> Result<Vec<DayPart>, RatingError> {
    if to < from {
        return Err(RatingError::DayOrder);
    }
    if volume.is_negative() {
        return Err(RatingError::NegativeVolume);
    }
    let mut bounds = vec![];
    let mut start = from;
    for cut in cuts {
        let end = cut
            .checked_sub_days(Days::new(1))
            .filter(|end| start < *end && *end < to)
            .ok_or(RatingError::DayOrder)?;
        bounds.push((start, end));
        start = end;
    }
    bounds.push((start, to));
    if bounds.len() == 1 {
        return Ok(vec![DayPart { from, to, volume }]);
    }
    let days: Vec<u64> = bounds
        .iter()
        .map(|(from, to)| to.signed_duration_since(*from).num_days().unsigned_abs())
        .collect();
    let volumes = volume.allocate_in_steps(Volume::from_litres(1000), &days)?;
    Ok(bounds
        .into_iter()
        .zip(volumes)
        .map(|((from, to), volume)| DayPart { from, to, volume })
        .collect())
}

/// Days in `[from, to)` as a share of the days in `[start, end)`.
///
/// # Errors
/// [`RatingError::DayOrder`] unless `start <= from <= to <= end` and `start < end`.
pub fn day_factor(from: NaiveDate, to: NaiveDate, start: NaiveDate, end: NaiveDate) -> Result<Ratio, RatingError> {
    if !(start <= from && from <= to && to <= end && start < end) {
        return Err(RatingError::DayOrder);
    }
    Ok(Ratio::new(
        to.signed_duration_since(from).num_days(),
        end.signed_duration_since(start).num_days(),
    )?)
}

impl Tariff {
    /// The parts of a usage period by tier-year, as the tariff's boundary rule wants it.
    ///
    /// # Errors
    /// As [`split_by_days`].
    pub fn usage_periods(&self, from: NaiveDate, to: NaiveDate, volume: Volume) -> Result<Vec<UsagePeriod>, RatingError> {
        let last = self.tier_year_of(to);
        let split = self.tier_year.is_some_and(|rule| rule.boundary == Boundary::DaySplit);
        let mut cuts = Vec::new();
        if split {
            let first = from.succ_opt().map_or(last, |day| self.tier_year_of(day));
            for year in first.saturating_add(1)..=last {
                cuts.push(self.tier_year_start(year).ok_or(RatingError::DayOrder)?);
            }
        }
        let parts = split_by_days(from, to, &cuts, volume)?;
        Ok(parts
            .into_iter()
            .map(|part| UsagePeriod {
                tier_year: self.tier_year_of(part.to),
                part,
            })
            .collect())
    }
}
