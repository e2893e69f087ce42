//! Tariffs as billing keeps them (A-04), pure: what the database holds of a version and of the prices of a class, and what rating makes of it.

use std::{collections::HashMap, sync::Arc};

use calendar::NaiveDate;
use chrono::Months;
use money::{Mode, Money, Ratio, UnitPrice, Volume};
use rating::{
    Boundary, Change, Class, Commodity, Component, FlatChoice, Household, Measure, MonthDay, Per, Price, RatingError, Relief, ReliefRule, Rounding, Span,
    Tariff, Tax, Tier, TierYear, Tiers, Uplift, YearStart,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{refusal::Refusal, words::words};

pub use rating::Book;

words! {
    /// To which tier year a usage period across its end belongs.
    pub enum BoundaryWord {
        /// To the one in which it is read.
        ReadingCycle "READING_CYCLE",
        /// Shared by days.
        DaySplit "DAY_SPLIT",
    }
}

words! {
    /// How a usage period passes from the version before to this one (9.2).
    pub enum ChangeWord {
        /// Shared by days.
        DaySplit "DAY_SPLIT",
        /// By the day of the reading.
        ByReadDate "BY_READ_DATE",
        /// By a reading before the change.
        CutoverRead "CUTOVER_READ",
        /// Shared by degree days.
        DegreeDays "DEGREE_DAYS",
    }
}

words! {
    /// How low income is priced.
    pub enum LowIncomeWord {
        /// All volume at the price of the first tier.
        AllAtTier1 "ALL_AT_TIER_1",
        /// The third and further tiers at the price of the second.
        NoTier3 "NO_TIER_3",
        /// Like everybody else.
        Nothing "NONE",
    }
}

words! {
    /// What tiers count.
    pub enum TieringWord {
        /// The volume of a tier year.
        Annual "ANNUAL",
        /// The volume of a bill.
        Bill "BILL",
        /// The volume of a bill, priced as a whole.
        Whole "WHOLE",
    }
}

words! {
    /// What a standing charge is due for.
    pub enum PerWord {
        /// A bill.
        Bill "BILL",
        /// A day.
        Day "DAY",
        /// A month.
        Month "MONTH",
        /// A year.
        Year "YEAR",
    }
}

words! {
    /// Where use that became known late is billed (thread 19).
    pub enum DestinationWord {
        /// In the period in which it was used.
        OriginalPeriod "ORIGINAL_PERIOD",
        /// With the next bill.
        NextBill "NEXT_BILL",
    }
}

words! {
    /// A direction of rounding.
    pub enum ModeWord {
        /// Half up.
        HalfUp "HALF_UP",
        /// Down.
        Floor "FLOOR",
        /// Up.
        Ceiling "CEILING",
    }
}

/// The prices of one class, as the database keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    pub tiers: Vec<TierTerms>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_income: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplift: Option<UpliftTerms>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destitute: Option<String>,
    /// Code of a [`TieringWord`]; annual where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiering: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standing: Vec<StandingTerms>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<ChoiceTerms>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub meters_share_tiers: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<FreeTerms>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounding: Option<RoundingTerms>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<UnitTerms>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub months_open: bool,
}

/// One tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierTerms {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<Volume>,
    pub price: UnitPrice,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flat: Option<UnitPrice>,
}

/// Wider tiers for larger households.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpliftTerms {
    pub from_persons: u16,
    pub plus: Volume,
    pub per_person: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub first_tier_only: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full_year: bool,
}

/// A standing charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandingTerms {
    pub price: UnitPrice,
    /// Code of a [`PerWord`].
    pub per: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounding: Option<RoundingTerms>,
}

/// A charge for each cubic metre besides the tiers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitTerms {
    pub price: UnitPrice,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounding: Option<RoundingTerms>,
}

/// A flat price that a large household may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChoiceTerms {
    pub from_persons: u16,
    pub price: UnitPrice,
}

/// A volume free of charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreeTerms {
    pub per_month: Volume,
    pub all_low_income: bool,
    pub after_year: bool,
}

/// How an amount becomes money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundingTerms {
    /// Code of a [`ModeWord`].
    pub mode: String,
    pub place: Money,
}

impl RoundingTerms {
    pub(super) fn rounding(&self) -> Result<Rounding, Refusal> {
        let mode = match ModeWord::of(&self.mode) {
            Some(ModeWord::HalfUp) => Mode::HalfUp,
            Some(ModeWord::Floor) => Mode::Floor,
            Some(ModeWord::Ceiling) => Mode::Ceiling,
            None => return Err(Refusal::TariffRule),
        };
        if self.place <= Money::ZERO {
            return Err(Refusal::TariffRule);
        }
        Ok(Rounding { mode, step: self.place })
    }
}

impl Terms {
    /// The class that the rating engine prices.
    ///
    /// # Errors
    /// TIERS where the bounds do not rise, the last tier is bounded or a price is negative; TARIFF_RULE where rules do not fit.
    pub fn class(&self, name: &str) -> Result<Class, Refusal> {
        let tiers = self
            .tiers
            .iter()
            .map(|t| Tier {
                up_to: t.up_to,
                price: t.price,
                flat: t.flat.unwrap_or_default(),
            })
            .collect();
        let tiers = Tiers::new(tiers).filter(Tiers::is_open).ok_or(Refusal::Tiers)?;
        let tiering = self.tiering()?;
        let besides = self
            .standing
            .iter()
            .map(StandingTerms::component)
            .chain(self.units.iter().map(UnitTerms::component));
        let mut components = besides.collect::<Result<Vec<_>, _>>()?;
        components.push(Component {
            price: match tiering {
                TieringWord::Annual => Price::Graduated(tiers, Span::TierYear),
                TieringWord::Bill => Price::Graduated(tiers, Span::Bill),
                TieringWord::Whole => Price::Whole(tiers),
            },
            rounding: self.rounding.as_ref().map(RoundingTerms::rounding).transpose()?,
        });
        let (relief, household) = (self.relief()?, self.household()?);
        let ruled = relief != Relief::default() || household != Household::default() || self.meters_share_tiers || self.months_open;
        if ruled && tiering != TieringWord::Annual {
            return Err(Refusal::TariffRule);
        }
        Ok(Class {
            household,
            relief,
            aggregate_meters: self.meters_share_tiers,
            months_open: self.months_open,
            ..Class::plain(name, components)
        })
    }

    fn tiering(&self) -> Result<TieringWord, Refusal> {
        match self.tiering.as_deref() {
            None => Ok(TieringWord::Annual),
            Some(code) => TieringWord::of(code).ok_or(Refusal::TariffRule),
        }
    }

    fn relief(&self) -> Result<Relief, Refusal> {
        let word = |code: &Option<String>| code.as_deref().and_then(LowIncomeWord::of);
        let rule = |word| match word {
            LowIncomeWord::AllAtTier1 => Some(ReliefRule::AllAtTier1),
            LowIncomeWord::NoTier3 => Some(ReliefRule::NoTier3),
            LowIncomeWord::Nothing => None,
        };
        let (subsistence, own) = (word(&self.low_income).and_then(rule), word(&self.destitute));
        let mut relief = Relief {
            subsistence,
            destitute: own.map_or(subsistence, rule),
        };
        if let Some(free) = &self.free {
            let given = if free.after_year {
                ReliefRule::FreeAfterYear(free.per_month)
            } else {
                ReliefRule::FreePerMonth(free.per_month)
            };
            // One household has one relief: a free volume takes the place of nothing else.
            let taken = own.and_then(rule).is_some() || (free.all_low_income && subsistence.is_some());
            let for_nobody = own.is_some() && !free.all_low_income;
            if taken || for_nobody || free.per_month <= Volume::ZERO {
                return Err(Refusal::TariffRule);
            }
            if own.is_none() {
                relief.destitute = Some(given);
            }
            if free.all_low_income {
                relief.subsistence = Some(given);
            }
        }
        Ok(relief)
    }

    fn household(&self) -> Result<Household, Refusal> {
        let uplift = self.uplift.map(|u| Uplift {
            from_persons: u.from_persons,
            plus: u.plus,
            per_person: u.per_person,
            first_tier_only: u.first_tier_only,
            full_year: u.full_year,
        });
        let choice = self.choice.map(|c| FlatChoice {
            from_persons: c.from_persons,
            price: c.price,
        });
        if uplift.is_some_and(|u| u.plus.is_negative()) || choice.is_some_and(|c| c.price.is_negative()) {
            return Err(Refusal::Tiers);
        }
        Ok(Household { uplift, choice })
    }
}

impl StandingTerms {
    pub(super) fn component(&self) -> Result<Component, Refusal> {
        let per = match PerWord::of(&self.per) {
            Some(PerWord::Bill) => Per::Bill,
            Some(PerWord::Day) => Per::Day,
            Some(PerWord::Month) => Per::Month,
            Some(PerWord::Year) => Per::Year,
            None => return Err(Refusal::TariffRule),
        };
        if self.price.is_negative() {
            return Err(Refusal::Tiers);
        }
        Ok(Component {
            price: Price::Standing(self.price, per),
            rounding: self.rounding.as_ref().map(RoundingTerms::rounding).transpose()?,
        })
    }
}

impl UnitTerms {
    fn component(&self) -> Result<Component, Refusal> {
        if self.price.is_negative() {
            return Err(Refusal::Tiers);
        }
        Ok(Component {
            price: Price::Unit(Measure::Volume, self.price),
            rounding: self.rounding.as_ref().map(RoundingTerms::rounding).transpose()?,
        })
    }
}

/// What a version says for all of its classes besides its days, as the database keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<ClosingTerms>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounding: Option<RoundingTerms>,
    /// Percent, as the notice writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_percent: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tax_included: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_rounding: Option<RoundingTerms>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_use: Option<LateUseTerms>,
}

/// How far back use that became known late is billed anew (thread 19).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LateUseTerms {
    /// Months before the day of a correction within which the last day of a bill must lie; without a limit where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_back_months: Option<u32>,
    /// A difference in volume up to which a bill is left as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Volume>,
    /// Code of a [`DestinationWord`]; the original period where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
}

impl LateUseTerms {
    /// The policy that corrections are held against.
    ///
    /// # Errors
    /// TARIFF_RULE.
    fn policy(&self) -> Result<LateUse, Refusal> {
        let destination = match self.destination.as_deref() {
            None => DestinationWord::OriginalPeriod,
            Some(code) => DestinationWord::of(code).ok_or(Refusal::TariffRule)?,
        };
        let tolerance = self.tolerance.unwrap_or_default();
        if tolerance.is_negative() {
            return Err(Refusal::TariffRule);
        }
        Ok(LateUse {
            look_back: self.look_back_months.map(Months::new),
            tolerance: tolerance.litres(),
            destination,
        })
    }
}

/// What a version says about use that became known late. One that says nothing corrects every bill in its own period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateUse {
    look_back: Option<Months>,
    /// Litres.
    tolerance: i64,
    destination: DestinationWord,
}

impl Default for LateUse {
    fn default() -> Self {
        Self {
            look_back: None,
            tolerance: 0,
            destination: DestinationWord::OriginalPeriod,
        }
    }
}

words! {
    /// Which part of a policy keeps a bill as it is.
    pub enum Kept {
        /// It ended too long ago.
        LookBack "LOOK_BACK",
        /// The next bill brings the difference.
        NextBill "NEXT_BILL",
        /// The difference is too small.
        Tolerance "TOLERANCE",
    }
}

impl LateUse {
    /// What keeps a bill that ended on a day as it is on the day of the correction; `difference` are the litres that it would count more or less, none where that is
    /// not known or only its days would change.
    pub fn keeps(&self, last: NaiveDate, today: NaiveDate, difference: Option<i64>) -> Option<Kept> {
        let bound = self.look_back.and_then(|months| today.checked_sub_months(months));
        if bound.is_some_and(|bound| last < bound) {
            return Some(Kept::LookBack);
        }
        if self.destination == DestinationWord::NextBill {
            return Some(Kept::NextBill);
        }
        let tolerated = difference.is_some_and(|d| d != 0 && d.saturating_abs() <= self.tolerance);
        tolerated.then_some(Kept::Tolerance)
    }
}

impl Rules {
    /// What holds for use that became known late.
    ///
    /// # Errors
    /// TARIFF_RULE.
    pub fn late_use(&self) -> Result<LateUse, Refusal> {
        self.late_use.as_ref().map_or_else(|| Ok(LateUse::default()), LateUseTerms::policy)
    }

    /// How the sum of a bill becomes money.
    ///
    /// # Errors
    /// TARIFF_RULE.
    pub fn rounding(&self) -> Result<Rounding, Refusal> {
        self.rounding.as_ref().map_or_else(|| Ok(Rounding::default()), RoundingTerms::rounding)
    }

    /// The tax on a bill.
    ///
    /// # Errors
    /// TARIFF_RULE.
    pub fn tax(&self) -> Result<Option<Tax>, Refusal> {
        let Some(percent) = &self.tax_percent else {
            // What says something of a tax says its rate.
            let silent = !self.tax_included && self.tax_rounding.is_none();
            return silent.then_some(None).ok_or(Refusal::TariffRule);
        };
        let rate = Ratio::parse_percent(percent).ok().filter(|rate| rate.numerator() >= 0);
        Ok(Some(Tax {
            rate: rate.ok_or(Refusal::TariffRule)?,
            included: self.tax_included,
            rounding: self.tax_rounding.as_ref().map(RoundingTerms::rounding).transpose()?,
        }))
    }
}

/// Months of the last readings of a tier year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosingTerms {
    pub odd_month: u8,
    pub even_month: u8,
}

/// What a version says besides its prices.
#[derive(Clone, Debug)]
pub struct Version {
    pub name: String,
    pub from: NaiveDate,
    pub legal_basis: String,
    pub approved_by: String,
    pub year_start: (u32, u32),
    pub boundary: BoundaryWord,
    pub change: ChangeWord,
    pub rules: Rules,
}

impl Version {
    /// The tariff of one class, for the rating engine.
    ///
    /// # Errors
    /// TIERS as [`Terms::class`], also where the tier year starts on a day that not every year has; TARIFF_RULE.
    pub fn tariff(&self, class: &str, terms: &Terms) -> Result<Tariff, Refusal> {
        self.rules.late_use()?;
        let (month, day) = self.year_start;
        let start = match self.rules.closing {
            None => YearStart::On(MonthDay::parse(&format!("{month:02}-{day:02}")).ok_or(Refusal::Tiers)?),
            Some(closing) if self.boundary == BoundaryWord::ReadingCycle => YearStart::AfterReading {
                odd: closing.odd_month,
                even: closing.even_month,
            },
            Some(_) => return Err(Refusal::TariffRule),
        };
        let boundary = match self.boundary {
            BoundaryWord::ReadingCycle => Boundary::ReadingCycle,
            BoundaryWord::DaySplit => Boundary::DaySplit,
        };
        Ok(Tariff {
            name: self.name.clone(),
            commodity: Commodity::NaturalGas,
            effective_from: self.from,
            legal_basis: self.legal_basis.clone(),
            approved_by: self.approved_by.clone(),
            change: match self.change {
                ChangeWord::DaySplit => Change::DaySplit,
                ChangeWord::ByReadDate => Change::ByReadDate,
                ChangeWord::CutoverRead => Change::CutoverRead,
                ChangeWord::DegreeDays => Change::DegreeDays,
            },
            tier_year: Some(TierYear { start, boundary }),
            season: None,
            height_surcharge: None,
            settlement: None,
            rounding: self.rules.rounding()?,
            tax: self.rules.tax()?,
            late_use: None,
            classes: vec![terms.class(class)?],
        })
    }

    /// The price of one class between two days, for the book of prices.
    ///
    /// # Errors
    /// As [`Version::tariff`].
    pub fn price(&self, tariff_id: Uuid, class: &str, until: Option<NaiveDate>, terms: &Terms) -> Result<rating::Version, Refusal> {
        let tariff = Arc::new(self.tariff(class, terms)?);
        Ok(rating::Version::new(
            tariff_id.as_u128(),
            tariff_id.to_string(),
            class,
            (self.from, until),
            tariff,
        ))
    }
}

/// The prices of gas of all branches: a branch has its own, and on the days on which a class has none there those for all (decision 10).
#[derive(Clone, Debug, Default)]
pub struct Books {
    all: Book,
    own: HashMap<String, Book>,
}

impl Books {
    /// From versions in any order, with the branch that each is for; empty for all.
    ///
    /// # Errors
    /// TARIFF_OVERLAP where a class has two prices on a day in a branch, or two for all.
    pub fn new(versions: impl IntoIterator<Item = (String, rating::Version)>) -> Result<Self, RatingError> {
        let mut by_branch: HashMap<String, Vec<rating::Version>> = HashMap::new();
        for (branch, version) in versions {
            by_branch.entry(branch).or_default().push(version);
        }
        let all = Book::new(by_branch.remove("").unwrap_or_default())?;
        let own = by_branch.into_iter().map(|(branch, versions)| Ok((branch, all.beneath(versions)?)));
        let own = own.collect::<Result<_, RatingError>>()?;
        Ok(Self { all, own })
    }

    /// The prices that hold in a branch.
    pub fn of(&self, branch: &str) -> &Book {
        self.own.get(branch).unwrap_or(&self.all)
    }

    /// Whether the prices of any branch are so.
    pub fn any(&self, is: impl Fn(&Book) -> bool) -> bool {
        std::iter::once(&self.all).chain(self.own.values()).any(is)
    }
}

/// The same prices everywhere.
impl From<Book> for Books {
    fn from(all: Book) -> Self {
        Self { all, own: HashMap::new() }
    }
}

/// A-04: no price without a notice, an authority and publication.
///
/// # Errors
/// LEGAL_BASIS_MISSING.
pub fn rests_on_notice(legal_basis: &str, approved_by: &str, published: Option<NaiveDate>) -> Result<NaiveDate, Refusal> {
    let written = |text: &str| text.trim().chars().count() >= 4;
    published
        .filter(|_| written(legal_basis) && written(approved_by))
        .ok_or(Refusal::LegalBasisMissing)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;

    use super::*;

    fn tier(up_to: Option<&str>, price: &str) -> TierTerms {
        TierTerms {
            up_to: up_to.map(|t| t.parse().unwrap()),
            price: price.parse().unwrap(),
            flat: None,
        }
    }

    fn day(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).unwrap()
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = BoundaryWord::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "BOUNDARY_", |n| proto::tariff::Boundary::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = LowIncomeWord::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "LOW_INCOME_", |n| {
            proto::tariff_class::LowIncome::try_from(n).ok().map(|v| v.as_str_name())
        });
        let words: Vec<_> = ChangeWord::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "CHANGE_", |n| proto::tariff::Change::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = TieringWord::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "TIERING_", |n| proto::tariff_class::Tiering::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = PerWord::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "PER_", |n| proto::standing_charge::Per::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = ModeWord::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "MODE_", |n| proto::rounding::Mode::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = DestinationWord::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "DESTINATION_", |n| {
            proto::late_use::Destination::try_from(n).ok().map(|v| v.as_str_name())
        });
    }

    #[test]
    fn a_04_tariff_needs_notice_authority_and_publication() {
        let published = Some(day(2024, 8, 30));
        assert_eq!(rests_on_notice("津发改价综〔2020〕311号", "天津市发展改革委", published), Ok(day(2024, 8, 30)));
        assert_eq!(rests_on_notice("  ", "天津市发展改革委", published), Err(Refusal::LegalBasisMissing));
        assert_eq!(rests_on_notice("津发改价综〔2020〕311号", "", published), Err(Refusal::LegalBasisMissing));
        assert_eq!(
            rests_on_notice("津发改价综〔2020〕311号", "天津市发展改革委", None),
            Err(Refusal::LegalBasisMissing)
        );
    }

    #[test]
    fn tiers_rise_and_end_open() {
        let class = |tiers: Vec<TierTerms>| Terms { tiers, ..Terms::default() }.class("living").map(|_| ());
        assert_eq!(class(vec![tier(Some("300"), "2.86"), tier(Some("600"), "3.36"), tier(None, "4.11")]), Ok(()));
        assert_eq!(class(vec![]), Err(Refusal::Tiers));
        assert_eq!(class(vec![tier(Some("300"), "2.86")]), Err(Refusal::Tiers));
        assert_eq!(
            class(vec![tier(Some("300"), "2.86"), tier(Some("300"), "3.36"), tier(None, "4.11")]),
            Err(Refusal::Tiers)
        );
        assert_eq!(class(vec![tier(None, "2.86"), tier(None, "4.11")]), Err(Refusal::Tiers));
        assert_eq!(class(vec![tier(None, "-2.86")]), Err(Refusal::Tiers));
    }

    fn notice() -> Version {
        Version {
            name: "T".to_owned(),
            from: day(2020, 1, 1),
            legal_basis: "notice".to_owned(),
            approved_by: "authority".to_owned(),
            year_start: (1, 1),
            boundary: BoundaryWord::ReadingCycle,
            change: ChangeWord::DaySplit,
            rules: Rules::default(),
        }
    }

    #[test]
    fn every_day_has_exactly_one_price() {
        let price = |id, from, until, text: &str| {
            let terms = Terms {
                tiers: vec![tier(None, text)],
                ..Terms::default()
            };
            Version { from, ..notice() }.price(Uuid::from_u128(id), "living", until, &terms).unwrap()
        };
        let versions = vec![
            price(2, day(2024, 9, 1), None, "2.86"),
            price(1, day(2020, 10, 1), Some(day(2024, 9, 1)), "2.50"),
        ];
        let book = Book::new(versions).unwrap();
        let key = |class, day| book.on(class, day).map(|version| version.key);
        assert_eq!(key("living", day(2020, 9, 30)), None);
        assert_eq!(key("living", day(2024, 8, 31)), Some(1));
        assert_eq!(key("living", day(2024, 9, 1)), Some(2));
        assert_eq!(key("boiler", day(2024, 9, 1)), None);
    }

    #[test]
    fn rules_that_do_not_fit_are_refused() {
        let living = || Terms {
            tiers: vec![tier(Some("240"), "2.97"), tier(None, "3.52")],
            ..Terms::default()
        };
        let free = FreeTerms {
            per_month: "6".parse().unwrap(),
            all_low_income: false,
            after_year: false,
        };
        let of = |terms: Terms| terms.class("living").map(|class| class.relief);
        let taian = Terms {
            low_income: Some("NO_TIER_3".to_owned()),
            free: Some(free),
            ..living()
        };
        assert_eq!(
            of(taian.clone()),
            Ok(Relief {
                subsistence: Some(ReliefRule::NoTier3),
                destitute: Some(ReliefRule::FreePerMonth("6".parse().unwrap()))
            })
        );
        let both = FreeTerms { all_low_income: true, ..free };
        assert_eq!(
            of(Terms {
                free: Some(both),
                ..taian.clone()
            }),
            Err(Refusal::TariffRule),
            "one household has one relief"
        );
        let alone = Terms {
            destitute: Some("NONE".to_owned()),
            free: None,
            ..taian.clone()
        };
        assert_eq!(
            of(alone.clone()),
            Ok(Relief {
                subsistence: Some(ReliefRule::NoTier3),
                destitute: None
            }),
            "destitute persons get what is said for them"
        );
        let free_alone = Terms {
            low_income: None,
            free: Some(both),
            ..alone.clone()
        };
        let given = Some(ReliefRule::FreePerMonth("6".parse().unwrap()));
        assert_eq!(
            of(free_alone),
            Ok(Relief {
                subsistence: given,
                destitute: None
            })
        );
        assert_eq!(
            of(Terms { free: Some(free), ..alone }),
            Err(Refusal::TariffRule),
            "a volume that is free for nobody"
        );
        let bill = Terms {
            tiering: Some("BILL".to_owned()),
            ..taian
        };
        assert_eq!(of(bill), Err(Refusal::TariffRule), "relief belongs to annual tiers");
        let coarse = RoundingTerms {
            mode: "FLOOR".to_owned(),
            place: Money::ZERO,
        };
        assert_eq!(
            of(Terms {
                rounding: Some(coarse),
                ..living()
            }),
            Err(Refusal::TariffRule)
        );
        let years = Version {
            boundary: BoundaryWord::DaySplit,
            rules: Rules {
                closing: Some(ClosingTerms { odd_month: 11, even_month: 12 }),
                ..Rules::default()
            },
            ..notice()
        };
        assert_eq!(
            years.tariff("living", &living()).map(|_| ()),
            Err(Refusal::TariffRule),
            "a year that ends with a reading is not split"
        );
        let taxed = Version {
            rules: Rules {
                tax_percent: Some("-9".to_owned()),
                ..Rules::default()
            },
            ..notice()
        };
        assert_eq!(taxed.tariff("living", &living()).map(|_| ()), Err(Refusal::TariffRule));
    }

    #[test]
    fn thread_19_a_policy_of_late_use_keeps_bills_by_their_last_day_destination_and_difference() {
        let policy = |look_back_months, tolerance: Option<&str>, destination: Option<&str>| {
            let rules = Rules {
                late_use: Some(LateUseTerms {
                    look_back_months,
                    tolerance: tolerance.map(|t| t.parse().unwrap()),
                    destination: destination.map(str::to_owned),
                }),
                ..Rules::default()
            };
            rules.late_use()
        };
        assert_eq!(policy(None, None, None), Ok(LateUse::default()));
        assert_eq!(policy(None, None, Some("ORIGINAL_PERIOD")), Ok(LateUse::default()));
        assert_eq!(Rules::default().late_use(), Ok(LateUse::default()));
        let today = day(2025, 5, 31);
        assert_eq!(LateUse::default().keeps(day(1999, 1, 1), today, Some(1)), None, "without a limit");
        // Three months before 31 May is the last day of February.
        let far = policy(Some(3), None, None).unwrap();
        assert_eq!(far.keeps(day(2025, 2, 28), today, Some(1)), None);
        assert_eq!(far.keeps(day(2025, 2, 27), today, Some(1)), Some(Kept::LookBack));
        assert_eq!(far.keeps(day(2025, 2, 27), today, None), Some(Kept::LookBack));
        let next = policy(None, None, Some("NEXT_BILL")).unwrap();
        assert_eq!(next.keeps(today, today, None), Some(Kept::NextBill));
        let five = policy(None, Some("5"), None).unwrap();
        for (litres, kept) in [
            (5_000, Some(Kept::Tolerance)),
            (-5_000, Some(Kept::Tolerance)),
            (5_001, None),
            (-5_001, None),
            (0, None),
        ] {
            assert_eq!(five.keeps(today, today, Some(litres)), kept, "{litres}");
        }
        assert_eq!(five.keeps(today, today, None), None, "in doubt it is corrected");
        assert_eq!(policy(None, Some("-0.001"), None), Err(Refusal::TariffRule));
        assert_eq!(policy(None, None, Some("NOBODY")), Err(Refusal::TariffRule));
        let wrong = Version {
            rules: Rules {
                late_use: Some(LateUseTerms {
                    tolerance: Some("-1".parse().unwrap()),
                    ..LateUseTerms::default()
                }),
                ..Rules::default()
            },
            ..notice()
        };
        let living = Terms {
            tiers: vec![tier(None, "2.86")],
            ..Terms::default()
        };
        assert_eq!(wrong.tariff("living", &living).map(|_| ()), Err(Refusal::TariffRule));
    }

    #[test]
    fn prices_that_were_kept_before_are_read_as_they_were() {
        let kept = r#"{"tiers":[{"up_to":"300.000","price":"2.860000"},{"price":"4.110000"}],"low_income":"ALL_AT_TIER_1","uplift":{"from_persons":5,"plus":"60.000","per_person":true}}"#;
        let terms: Terms = serde_json::from_str(kept).unwrap();
        assert_eq!(serde_json::to_string(&terms).unwrap(), kept);
        let class = terms.class("living").unwrap();
        assert_eq!(class.relief.destitute, Some(ReliefRule::AllAtTier1));
    }
}
