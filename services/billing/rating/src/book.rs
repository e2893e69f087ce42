//! Versions of tariffs by day.

use std::sync::Arc;

use chrono::NaiveDate;

use crate::{Change, Plan, Profile, RatingError, Tariff};

/// The prices of one class between two days, by one version of a tariff.
#[derive(Debug, Clone)]
pub struct Version {
    /// What tells it from others, for the caller.
    pub key: u128,
    /// What names it in an explanation.
    pub label: String,
    /// The class of use; the tariff has it.
    pub class: String,
    /// First day in force.
    pub from: NaiveDate,
    /// First day on which it is not in force any more; `None` while no successor is known.
    pub until: Option<NaiveDate>,
    /// The tariff.
    pub tariff: Arc<Tariff>,
    /// The plan of a customer without any entitlement, made once.
    pub(crate) standard: Option<Plan>,
}

impl Version {
    /// A version of the prices of a class.
    pub fn new(key: u128, label: String, class: &str, days: (NaiveDate, Option<NaiveDate>), tariff: Arc<Tariff>) -> Self {
        Self {
            key,
            label,
            from: days.0,
            until: days.1,
            standard: tariff.plan(class, &Profile::default()).ok(),
            class: class.to_owned(),
            tariff,
        }
    }

    fn between(&self, from: NaiveDate, until: Option<NaiveDate>) -> Self {
        Self { from, until, ..self.clone() }
    }

    fn covers(&self, day: NaiveDate) -> bool {
        self.from <= day && self.until.is_none_or(|until| day < until)
    }
}

/// One version is one key, class and first day: prices are immutable.
impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        (self.key, &self.class, self.from) == (other.key, &other.class, other.from)
    }
}

impl Eq for Version {}

/// All versions of what is sold, future ones too. No class has two prices on a day.
#[derive(Debug, Clone, Default)]
pub struct Book {
    /// By class and first day.
    versions: Vec<Version>,
}

impl Book {
    /// From versions in any order. One that rests on no notice prices nothing, nor does one without days.
    ///
    /// # Errors
    /// [`RatingError::TwoPrices`] where a class has two prices on a day.
    pub fn new(versions: impl IntoIterator<Item = Version>) -> Result<Self, RatingError> {
        let rests = |version: &Version| !version.tariff.legal_basis.trim().is_empty() && version.until.is_none_or(|until| version.from < until);
        let mut versions: Vec<Version> = versions.into_iter().filter(rests).collect();
        versions.sort_by(|a, b| (&a.class, a.from).cmp(&(&b.class, b.from)));
        let overlap = versions
            .iter()
            .zip(versions.iter().skip(1))
            .any(|(earlier, later)| earlier.class == later.class && earlier.until.is_none_or(|until| later.from < until));
        if overlap { Err(RatingError::TwoPrices) } else { Ok(Self { versions }) }
    }

    /// These versions, and those of this book on the days on which a class has none of them.
    ///
    /// # Errors
    /// [`RatingError::TwoPrices`] where a class has two of them on a day.
    pub fn beneath(&self, versions: impl IntoIterator<Item = Version>) -> Result<Self, RatingError> {
        let above = Self::new(versions)?;
        let mut all = above.versions.clone();
        for version in &self.versions {
            // What is left from a day on; nothing once one without an end has begun.
            let mut left = Some(version.from);
            for taken in above.versions.iter().filter(|taken| taken.class == version.class) {
                let Some(from) = left else { break };
                let until = version.until.map_or(taken.from, |until| until.min(taken.from));
                all.push(version.between(from, Some(until)));
                left = taken.until.map(|until| until.max(from));
            }
            all.extend(left.map(|from| version.between(from, version.until)));
        }
        Self::new(all)
    }

    /// All versions, by class and first day.
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// The version in force on a day.
    pub fn on(&self, class: &str, day: NaiveDate) -> Option<&Version> {
        let end = self.end(class, day);
        self.versions
            .get(end.checked_sub(1)?)
            .filter(|version| version.class == class && version.covers(day))
    }

    /// How many versions come no later than those of the class that have begun on the day.
    fn end(&self, class: &str, day: NaiveDate) -> usize {
        self.versions.partition_point(|version| (version.class.as_str(), version.from) <= (class, day))
    }

    /// The version that prices a day of a usage period, as the ways of passing to later versions within the period want it (domain.md 9.2).
    pub(crate) fn pricing(&self, class: &str, day: NaiveDate, read: NaiveDate, proved_before: impl Fn(NaiveDate) -> NaiveDate) -> Option<&Version> {
        let mut version = self.on(class, day)?;
        for next in self.versions.get(self.end(class, day)..)? {
            let taken = next.class == class
                && match next.tariff.change {
                    Change::DaySplit | Change::DegreeDays => false,
                    Change::ByReadDate => next.from <= read,
                    Change::CutoverRead => next.from <= read && proved_before(next.from) < day,
                };
            if !taken {
                break;
            }
            version = next;
        }
        Some(version)
    }

    /// The versions of a class that begin by a day, from the last one on that has begun by an earlier day.
    pub(crate) fn within<'a>(&'a self, class: &'a str, from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = &'a Version> {
        let range = self.end(class, from).saturating_sub(1)..self.end(class, to);
        let versions = self.versions.get(range).unwrap_or_default();
        versions.iter().filter(move |version| version.class == class)
    }
}
