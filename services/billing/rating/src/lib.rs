//! Tariff arithmetic (计价): from a tariff version, a customer's profile and measured use to the lines of a bill. Pure: no clock, no
//! database, no float.
//!
//! A tariff is data, read from TOML ([`Tariff::from_toml`]): classes of use, each a list of price [`Component`]s. [`Tariff::plan`]
//! resolves one class for one [`Profile`] (household uplift, low income, months of allowance) into a [`Plan`], which may be kept and
//! used for every account of the same profile. [`rate`] prices the usage periods of **one bill** under their plans, against the
//! [`Ledger`] of the tier-years, and rounds once.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod bill;
mod days;
mod file;
mod heat;
mod plan;
mod tariff;

pub use bill::{Ledger, Line, Quantity, Rated, Reason, Segment, Usage, rate};
pub use days::{DayPart, UsagePeriod, day_factor, split_by_days};
pub use file::TariffError;
pub use heat::{HeatFee, HeatSettlement};
pub use plan::{LowIncome, Plan, Profile, Settlement};
pub use tariff::{
    Boundary, Class, Commodity, Component, FlatChoice, HeightSurcharge, Household, Measure, MonthDay, Relief, ReliefRule, Rounding, Season, Span, Tariff, Tier,
    TierYear, Tiers, Uplift,
};

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
    /// The plans of one bill round or tax differently.
    #[error("the plans of one bill round differently")]
    MixedRounding,
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
            Self::MixedRounding => "MIXED_ROUNDING",
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
