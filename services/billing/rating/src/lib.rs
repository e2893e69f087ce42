//! Tariff arithmetic (计价): from tariff versions, the terms of an agreement and measured use to the lines of a bill and their explanation.
//! Pure: no clock, no database, no float.
//!
//! A tariff is data, read from TOML ([`Tariff::from_toml`]): classes of use, each a list of price [`Component`]s. [`Tariff::plan`]
//! resolves one class for one [`Profile`] (household uplift, low income, months of allowance) into a [`Plan`], which may be kept and
//! used for every account of the same profile. [`rate`] prices the usage periods of **one bill** under their plans, against the
//! [`Ledger`] of the tier-years, and rounds once. [`Period`] finds these usage periods: it cuts what was used between two readings where a
//! version of a [`Book`], a term of the agreement or a tier-year begins. Every bill carries its [`Explanation`].
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod bill;
mod book;
mod conversion;
mod days;
pub mod explain;
mod file;
mod free;
mod heat;
mod period;
mod plan;
mod standing;
mod tariff;
mod tax;
mod terms;

pub use bill::{Ledger, Line, Origin, Quantity, Rated, Reason, Segment, Usage, rate};
pub use book::{Book, Version};
pub use conversion::{Conditions, Converted, Factor};
pub use days::{DayPart, DegreeDays, UsagePeriod, day_factor, prorate, split_by_days, split_by_degree_days};
pub use explain::{Broken, Entry, Explanation, Rule};
pub use file::{TariffError, toml_fault};
pub use heat::{HeatFee, HeatOutcome, HeatPrices, HeatSettled, HeatSettlement, HeatUse};
pub use period::{Index, Leg, Period, Priced, PricedPart};
pub use plan::{LowIncome, Plan, Profile, Returned, Settlement};
pub use tariff::{
    Boundary, Change, Class, Commodity, Component, EnergyUnit, FlatChoice, HeightSurcharge, Household, LateUse, Measure, MonthDay, Per, Price, ReadMonths,
    Relief, ReliefRule, Rounding, Season, SettlementRule, Span, Tariff, Tax, Tier, TierYear, Tiers, Uplift, YearStart,
};
pub use terms::{Term, Terms};

/// Why use cannot be priced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RatingError {
    /// The tariff has no class of that name.
    #[error("the tariff has no such class")]
    UnknownClass,
    /// The class has no price for metered settlement.
    #[error("the class has no price for metered settlement")]
    NoMeteredPrice,
    /// The household may not choose the flat price.
    #[error("the tariff does not offer the flat price to this household")]
    ChoiceNotOffered,
    /// Months of an allowance are 1 to 12.
    #[error("months of an allowance are 1 to 12")]
    Months,
    /// A bill needs at least one usage period.
    #[error("there is no usage period")]
    NoUsage,
    /// Use and cumulative volume are never negative; a correction is the difference of two totals.
    #[error("a volume is negative")]
    NegativeVolume,
    /// The last tier is closed and the use goes beyond it.
    #[error("the use goes beyond the last tier")]
    BeyondLastTier,
    /// Heat has no price for a volume.
    #[error("heat has no price for a volume")]
    VolumePrice,
    /// No class of use was ever agreed.
    #[error("no class of use was agreed")]
    ClassMissing,
    /// A day has no price.
    #[error("a day has no price")]
    TariffMissing,
    /// A class has two prices on a day.
    #[error("a class has two prices on a day")]
    TwoPrices,
    /// A standing charge needs the days of the usage period.
    #[error("a standing charge needs the days of the period")]
    DaysMissing,
    /// The degree days of a day are not known.
    #[error("the degree days of a day are not known")]
    DegreeDaysMissing,
    /// The period ends before it begins, or a cut lies outside it.
    #[error("the days of the period are out of order")]
    DayOrder,
    /// A number does not fit.
    #[error("a number is out of range")]
    Overflow,
}

impl RatingError {
    /// The stable reason for callers.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::UnknownClass => "UNKNOWN_CLASS",
            Self::NoMeteredPrice => "NO_METERED_PRICE",
            Self::ChoiceNotOffered => "CHOICE_NOT_OFFERED",
            Self::Months => "MONTHS",
            Self::NoUsage => "NO_USAGE",
            Self::NegativeVolume => "NEGATIVE_VOLUME",
            Self::BeyondLastTier => "BEYOND_LAST_TIER",
            Self::VolumePrice => "VOLUME_PRICE",
            Self::ClassMissing => "USE_CLASS_MISSING",
            Self::TariffMissing => "TARIFF_MISSING",
            Self::TwoPrices => "TARIFF_OVERLAP",
            Self::DaysMissing => "DAYS_MISSING",
            Self::DegreeDaysMissing => "DEGREE_DAYS_MISSING",
            Self::DayOrder => "DAY_ORDER",
            Self::Overflow => "OVERFLOW",
        }
    }
}

impl From<money::Overflow> for RatingError {
    fn from(_: money::Overflow) -> Self {
        Self::Overflow
    }
}

impl From<money::ShareError> for RatingError {
    fn from(_: money::ShareError) -> Self {
        Self::Overflow
    }
}
