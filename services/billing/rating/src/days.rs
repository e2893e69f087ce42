//! Days: usage periods across a boundary, and factors.
//!
//! A usage period runs from one reading day to another: its days are those after `from`, up to and including `to`.

use chrono::{Datelike, Days, NaiveDate};
use money::{Exact, Money, Ratio, UnitPrice, Volume};

use crate::{Per, RatingError, Rounding, Tariff};

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

/// Degree days (度日) of a place: how much colder than its base temperature each day was, in tenths of a kelvin day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DegreeDays {
    /// Each known day, and the sum of all days up to it.
    days: Vec<(NaiveDate, u64)>,
}

impl DegreeDays {
    /// From days in any order; of a day that stands twice the later one counts.
    pub fn new(days: impl IntoIterator<Item = (NaiveDate, u32)>) -> Self {
        let ordered: std::collections::BTreeMap<_, _> = days.into_iter().collect();
        let mut sum = 0_u64;
        let days = ordered.into_iter().map(|(day, tenths)| {
            sum = sum.saturating_add(u64::from(tenths));
            (day, sum)
        });
        Self { days: days.collect() }
    }

    /// The sum over the days after `from` up to and including `to`.
    ///
    /// # Errors
    /// [`RatingError::DegreeDaysMissing`] where one of the days is not known: nothing is guessed.
    pub fn between(&self, from: NaiveDate, to: NaiveDate) -> Result<u64, RatingError> {
        let first = self.days.partition_point(|(day, _)| *day <= from);
        let end = self.days.partition_point(|(day, _)| *day <= to);
        let known = end.checked_sub(first).and_then(|count| i64::try_from(count).ok());
        if known != Some(to.signed_duration_since(from).num_days()) {
            return Err(RatingError::DegreeDaysMissing);
        }
        let sum = |end: usize| end.checked_sub(1).and_then(|index| self.days.get(index)).map_or(0, |(_, sum)| *sum);
        sum(end).checked_sub(sum(first)).ok_or(RatingError::Overflow)
    }
}

/// By what a volume is shared.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Weights<'a> {
    Days,
    DegreeDays(&'a DegreeDays),
}

/// The weights of the parts of a usage period; days, where there was no degree day in all of it.
pub(crate) fn weights(bounds: &[(NaiveDate, NaiveDate)], by: Weights<'_>) -> Result<Vec<u64>, RatingError> {
    if let Weights::DegreeDays(table) = by {
        let degrees = bounds.iter().map(|(from, to)| table.between(*from, *to)).collect::<Result<Vec<_>, _>>()?;
        if degrees.iter().any(|degrees| *degrees > 0) {
            return Ok(degrees);
        }
    }
    Ok(bounds
        .iter()
        .map(|(from, to)| to.signed_duration_since(*from).num_days().unsigned_abs())
        .collect())
}

/// The parts of a usage period between cuts. A cut is the first day under something new; cuts ascend and lie within the period.
pub(crate) fn bounds(from: NaiveDate, to: NaiveDate, cuts: &[NaiveDate]) -> Result<Vec<(NaiveDate, NaiveDate)>, RatingError> {
    if to < from {
        return Err(RatingError::DayOrder);
    }
    let mut bounds = Vec::with_capacity(cuts.len().saturating_add(1));
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
    Ok(bounds)
}

/// The step in which a volume is shared: whole m³ stay whole (domain.md edge case 2), anything finer is shared by the litre.
pub(crate) fn sharing_step(volume: Volume) -> Volume {
    Volume::from_litres(if volume.litres().checked_rem(1000) == Some(0) { 1000 } else { 1 })
}

/// Shares a volume by days. A cut is the first day under something new (a tariff, a tier-year); cuts ascend and lie within the period.
/// Whole m³ stay whole (domain.md edge case 2), anything finer is shared by the litre; ties go to the earlier part.
///
/// # Errors
/// [`RatingError::DayOrder`], [`RatingError::NegativeVolume`].
pub fn split_by_days(from: NaiveDate, to: NaiveDate, cuts: &[NaiveDate], volume: Volume) -> Result<Vec<DayPart>, RatingError> {
    split(from, to, cuts, volume, Weights::Days)
}

/// Shares a volume by degree days, where a notice says so (B14); by days, where the whole period had none.
///
/// # Errors
/// As [`split_by_days`], and [`RatingError::DegreeDaysMissing`].
pub fn split_by_degree_days(from: NaiveDate, to: NaiveDate, cuts: &[NaiveDate], volume: Volume, table: &DegreeDays) -> Result<Vec<DayPart>, RatingError> {
    split(from, to, cuts, volume, Weights::DegreeDays(table))
}

fn split(from: NaiveDate, to: NaiveDate, cuts: &[NaiveDate], volume: Volume, by: Weights<'_>) -> Result<Vec<DayPart>, RatingError> {
    let bounds = bounds(from, to, cuts)?;
    if volume.is_negative() {
        return Err(RatingError::NegativeVolume);
    }
    if bounds.len() == 1 {
        return Ok(vec![DayPart { from, to, volume }]);
    }
    let volumes = volume.allocate_in_steps(sharing_step(volume), &weights(&bounds, by)?)?;
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

/// What a part of a period costs of a price for all of it: price × days / days of the period, rounded once.
///
/// # Errors
/// [`RatingError::DayOrder`] unless there are days in the period and no more than it has, [`RatingError::Overflow`].
pub fn prorate(price: UnitPrice, days: i64, period_days: i64, rounding: Rounding) -> Result<Money, RatingError> {
    if !(0..=period_days).contains(&days) || period_days == 0 {
        return Err(RatingError::DayOrder);
    }
    Ok(Exact::from(price).round_times(Ratio::new(days, period_days)?, rounding.mode, rounding.step)?)
}

/// Days of a month or a year that a usage period covers: those after the first `after` up to the first `until` of `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub after: i64,
    pub until: i64,
    pub all: i64,
}

/// The calendar months, or years, that a usage period touches.
pub(crate) fn stretches(from: NaiveDate, to: NaiveDate, per: Per) -> Result<Vec<Stretch>, RatingError> {
    if to < from {
        return Err(RatingError::DayOrder);
    }
    let mut found = Vec::new();
    let mut start = from;
    while start < to {
        let day = start.succ_opt().ok_or(RatingError::DayOrder)?;
        let first = if per == Per::Year { day.with_ordinal(1) } else { day.with_day(1) }.ok_or(RatingError::DayOrder)?;
        let months = if per == Per::Year { 12 } else { 1 };
        let next = first.checked_add_months(chrono::Months::new(months)).ok_or(RatingError::DayOrder)?;
        let last = next.pred_opt().ok_or(RatingError::DayOrder)?;
        let eve = first.pred_opt().ok_or(RatingError::DayOrder)?;
        let end = last.min(to);
        found.push(Stretch {
            after: start.signed_duration_since(eve).num_days(),
            until: end.signed_duration_since(eve).num_days(),
            all: last.signed_duration_since(eve).num_days(),
        });
        start = end;
    }
    Ok(found)
}

/// Months whose end lies between two readings: what is given for each month is given so often, and a year has twelve of them however it is read.
pub(crate) fn months_between(from: NaiveDate, to: NaiveDate) -> u8 {
    let month = |day: NaiveDate| i64::from(day.year()).saturating_mul(12).saturating_add(i64::from(day.month0()));
    let after = |day: NaiveDate| day.succ_opt().map_or_else(|| month(day), month);
    u8::try_from(after(to).saturating_sub(after(from))).unwrap_or_default()
}

impl Tariff {
    /// The parts of a usage period by tier-year, as the tariff's boundary rule wants it.
    ///
    /// # Errors
    /// As [`split_by_days`].
    pub fn usage_periods(&self, from: NaiveDate, to: NaiveDate, volume: Volume) -> Result<Vec<UsagePeriod>, RatingError> {
        let last = self.tier_year_of(to);
        let mut cuts = Vec::new();
        if self.splits_years() {
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
