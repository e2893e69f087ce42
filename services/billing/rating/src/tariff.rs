//! A tariff as data.

use chrono::{Datelike, NaiveDate};
use money::{Exact, Mode, Money, Overflow, Ratio, UnitPrice, Volume};

use crate::RatingError;

/// One version of a public tariff (价格文件). Versions are immutable: a wrong one is followed by another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    /// Name for people.
    pub name: String,
    /// What is sold.
    pub commodity: Commodity,
    /// First civil day in force.
    pub effective_from: NaiveDate,
    /// The notice it rests on (文号).
    pub legal_basis: String,
    /// The authority that approved it (批准机关).
    pub approved_by: String,
    /// How a usage period across its first day passes from the version before to it.
    pub change: Change,
    /// How volume accumulates over a year, where it does.
    pub tier_year: Option<TierYear>,
    /// The heating season (供热季), for heat.
    pub season: Option<Season>,
    /// Surcharge for high rooms, for heat by area.
    pub height_surcharge: Option<HeightSurcharge>,
    /// What a metered season of heat makes of the difference to the fee by area, where the notice says so.
    pub settlement: Option<SettlementRule>,
    /// How the sum of a bill becomes money.
    pub rounding: Rounding,
    /// Tax on all components.
    pub tax: Option<Tax>,
    /// What holds for use that became known late, for gas; the notice may say nothing of it. No price depends on it.
    pub late_use: Option<LateUse>,
    /// Classes of use (用气性质, 用热性质), each with its prices.
    pub classes: Vec<Class>,
}

/// How far back use that became known late changes bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateUse {
    /// Months before the day of a correction within which the last day of a bill must lie, 1 to 120; no limit where there are none.
    pub look_back_months: Option<u8>,
    /// A difference up to which a bill is left as it is.
    pub tolerance: Option<Volume>,
    /// Whether the next bill brings the difference, and the bills of the period of use stay.
    pub next_bill: bool,
}

/// What is sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Commodity {
    /// Piped natural gas (管道天然气), in m³.
    NaturalGas,
    /// Central heating (集中供热), by area and energy.
    Heat,
}

impl Commodity {
    /// The word of the tariff file.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NaturalGas => "natural_gas",
            Self::Heat => "heat",
        }
    }
}

/// How a usage period across the first day of a version passes from the version before to it (domain.md 9.2). Governments prescribe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Change {
    /// Volume shared by days.
    #[default]
    DaySplit,
    /// The version in force on the day of the reading prices the whole period.
    ByReadDate,
    /// What a reading before the first day proves as used is priced by the version before, everything read later by this one.
    CutoverRead,
    /// Volume shared by degree days (度日).
    DegreeDays,
}

/// A class of use with its prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Name, unique in the tariff.
    pub name: String,
    /// The prices; for heat those of settlement by area.
    pub components: Vec<Component>,
    /// The prices of metered settlement (计量收费), for heat.
    pub metered: Option<Vec<Component>>,
    /// What its prices of energy count, for heat.
    pub energy: EnergyUnit,
    /// What a larger household gets.
    pub household: Household,
    /// What low-income households get.
    pub relief: Relief,
    /// Several meters of one household share the tiers (一户多表): their volumes are added up before rating.
    pub aggregate_meters: bool,
    /// Whether the tiers of a tier-year count only for the months in which the account was open, instead of in full.
    pub months_open: bool,
}

impl Class {
    /// A class of these prices, without any rule.
    pub fn plain(name: impl Into<String>, components: Vec<Component>) -> Self {
        Self {
            name: name.into(),
            components,
            metered: None,
            energy: EnergyUnit::default(),
            household: Household::default(),
            relief: Relief::default(),
            aggregate_meters: false,
            months_open: false,
        }
    }
}

/// What a price of energy counts. Notices round the two by themselves, so neither is converted (domain.md 9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EnergyUnit {
    /// Kilowatt hours.
    #[default]
    Kwh,
    /// Gigajoules.
    Gj,
}

/// One part of a price, with the rounding that it may have of its own. A class may combine any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// The price.
    pub price: Price,
    /// How its amount is rounded before the bill is summed up; `None` where only the bill is rounded.
    pub rounding: Option<Rounding>,
}

impl From<Price> for Component {
    fn from(price: Price) -> Self {
        Self { price, rounding: None }
    }
}

/// What a component charges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Price {
    /// A standing charge (基本费).
    Standing(UnitPrice, Per),
    /// One price for every unit.
    Unit(Measure, UnitPrice),
    /// Excess-progressive tiers (阶梯, 超额累进) over the volume: each tier's price for the volume within it.
    Graduated(Tiers, Span),
    /// The tier that holds the whole volume of the bill prices all of it.
    Whole(Tiers),
}

/// What a standing charge is due for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Per {
    /// Each bill.
    Bill,
    /// Each day of the usage period.
    Day,
    /// Each calendar month, a part of one by its days.
    Month,
    /// Each calendar year, a part of one by its days.
    Year,
}

/// What a unit price counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// m³.
    Volume,
    /// kWh or GJ, as the notice prices it.
    Energy,
    /// m².
    Area,
}

/// Over what the volume of graduated tiers accumulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Span {
    /// Each bill starts at the first tier.
    Bill,
    /// The bills of a tier-year go on where the one before ended.
    TierYear,
}

/// Tiers in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiers(Vec<Tier>);

/// One tier: it covers the volume above the tier before, up to and including `up_to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// Upper bound, inclusive (含); open only in the last tier.
    pub up_to: Option<Volume>,
    /// Price per unit.
    pub price: UnitPrice,
    /// Due once when the tier is entered; that of the first tier is always due.
    pub flat: UnitPrice,
}

impl Tiers {
    /// Tiers with ascending bounds above zero, of which only the last may be open; `None` for anything else.
    pub fn new(tiers: Vec<Tier>) -> Option<Self> {
        let (last, rest) = tiers.split_last()?;
        let mut lower = Volume::ZERO;
        for tier in rest {
            lower = tier.up_to.filter(|bound| *bound > lower)?;
        }
        if last.up_to.is_some_and(|bound| bound <= lower) || tiers.iter().any(|tier| tier.price.is_negative() || tier.flat.is_negative()) {
            return None;
        }
        Some(Self(tiers))
    }

    /// The tiers, lowest first; at least one.
    pub fn as_slice(&self) -> &[Tier] {
        &self.0
    }

    /// Whether every volume has a price.
    pub fn is_open(&self) -> bool {
        self.0.last().is_some_and(|tier| tier.up_to.is_none())
    }
}

/// What the size of a household changes (人口政策).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Household {
    /// Wider tiers.
    pub uplift: Option<Uplift>,
    /// A flat price to choose instead of the tiers.
    pub choice: Option<FlatChoice>,
}

/// Wider tiers: every threshold rises, so that only the first tier gets wider and the others move; or only the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uplift {
    /// The first size that gets it.
    pub from_persons: u16,
    /// What is added to every threshold of a whole year.
    pub plus: Volume,
    /// Whether it is added for each person from `from_persons` on, instead of once.
    pub per_person: bool,
    /// Whether only the first threshold rises, up to the second: what is beyond costs the price of the second tier.
    pub first_tier_only: bool,
    /// Whether a household that grows within a tier-year gets all of it, instead of its share by remaining months.
    pub full_year: bool,
}

impl Uplift {
    /// What a household of this size gets in a whole year.
    pub(crate) fn of(self, persons: u16) -> Result<Volume, Overflow> {
        match persons.checked_sub(self.from_persons) {
            None => Ok(Volume::ZERO),
            Some(beyond) if self.per_person => self.plus.checked_mul(i64::from(beyond).saturating_add(1)),
            Some(_) => Ok(self.plus),
        }
    }

    /// What this size gets for so many months of a year, to compare sizes: times 12 and by what is added once.
    pub(crate) fn weight(self, persons: u16, months: u8) -> u32 {
        let times = match persons.checked_sub(self.from_persons) {
            None => 0,
            Some(beyond) if self.per_person => u32::from(beyond).saturating_add(1),
            Some(_) => 1,
        };
        let months = if self.full_year && months > 0 { 12 } else { months };
        times.saturating_mul(u32::from(months))
    }
}

/// A flat price that a large household may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlatChoice {
    /// The first size that may choose.
    pub from_persons: u16,
    /// The price for every unit.
    pub price: UnitPrice,
}

/// What low-income households get (低收入优惠).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Relief {
    /// For households on subsistence allowance (低保).
    pub subsistence: Option<ReliefRule>,
    /// For destitute persons supported by the state (特困).
    pub destitute: Option<ReliefRule>,
}

/// One relief.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReliefRule {
    /// Every tier at the price of the first.
    AllAtTier1,
    /// The third and further tiers at the price of the second.
    NoTier3,
    /// A volume per month free of charge, valued at the price of the first tier.
    FreePerMonth(Volume),
    /// The same, charged first and returned after the tier-year.
    FreeAfterYear(Volume),
}

/// When volume starts again at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierYear {
    /// When it begins.
    pub start: YearStart,
    /// To which tier-year a usage period across its end belongs.
    pub boundary: Boundary,
}

/// When a tier-year begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YearStart {
    /// On a day.
    On(MonthDay),
    /// After the reading of a month, which differs for who is read in odd and in even months (Yantai: November, December). A period then belongs
    /// whole to the tier-year in which it is read.
    AfterReading {
        /// Month of the last reading of the tier-year where readings are in odd months.
        odd: u8,
        /// The same where they are in even months.
        even: u8,
    },
}

/// In which months an account is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadMonths {
    /// January, March and so on.
    Odd,
    /// February, April and so on.
    Even,
}

impl ReadMonths {
    /// Those that the month of a day belongs to.
    pub fn of(day: NaiveDate) -> Self {
        if day.month().is_multiple_of(2) { Self::Even } else { Self::Odd }
    }

    fn pick<T>(self, odd: T, even: T) -> T {
        match self {
            Self::Odd => odd,
            Self::Even => even,
        }
    }
}

/// To which tier-year a usage period across the end of one belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Boundary {
    /// Whole to the year in which it is read.
    ReadingCycle,
    /// Shared by days.
    DaySplit,
}

/// A day that every year has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonthDay {
    month: u32,
    day: u32,
}

impl MonthDay {
    /// From `MM-DD`; 29 February is not in every year.
    pub fn parse(text: &str) -> Option<Self> {
        let (month, day) = text.split_once('-').filter(|parts| {
            [parts.0, parts.1]
                .iter()
                .all(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
        })?;
        let (month, day) = (month.parse().ok()?, day.parse().ok()?);
        NaiveDate::from_ymd_opt(2001, month, day).map(|_| Self { month, day })
    }

    /// The day in that year; `None` only for years that the calendar does not reach.
    pub fn in_year(self, year: i32) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(year, self.month, self.day)
    }
}

/// A heating season; both days are heated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Season {
    /// First day.
    pub start: MonthDay,
    /// Last day, in the next year where it is the earlier one in the calendar.
    pub end: MonthDay,
}

impl Season {
    /// How many days the season has that starts in `year`: 121, or 122 with a 29 February.
    pub fn days(self, year: i32) -> Option<i64> {
        let (first, last) = self.of(year)?;
        last.signed_duration_since(first).num_days().checked_add(1)
    }
}

impl Season {
    /// First and last day of the season that starts in `year`.
    pub fn of(self, year: i32) -> Option<(NaiveDate, NaiveDate)> {
        let end_year = if self.end < self.start { year.checked_add(1)? } else { year };
        Some((self.start.in_year(year)?, self.end.in_year(end_year)?))
    }

    /// The season that heats on a day, named by the year in which it starts; `None` outside.
    pub fn on(self, day: NaiveDate) -> Option<i32> {
        [day.year(), day.year().saturating_sub(1)]
            .into_iter()
            .find(|year| self.of(*year).is_some_and(|(first, last)| first <= day && day <= last))
    }

    /// The part of a season's fee that some of its days cost, or what a share of it goes back for days that were too cold: fee × days / days of that
    /// season × share, rounded once, half up to the fen.
    ///
    /// # Errors
    /// [`RatingError::DayOrder`] for days that the season does not have, [`RatingError::Overflow`].
    pub fn share(self, fee: Money, days: i64, share: Ratio, year: i32) -> Result<Money, RatingError> {
        let all = self.days(year).filter(|all| (0..=*all).contains(&days)).ok_or(RatingError::DayOrder)?;
        part(fee, Ratio::new(days, all)?.checked_mul(share)?)
    }
}

/// A share of a fee, rounded once, half up to the fen.
pub(crate) fn part(fee: Money, share: Ratio) -> Result<Money, RatingError> {
    Ok(Exact::from(fee).round_times(share, Mode::HalfUp, Money::from_fen(1))?)
}

/// What is done with the difference between meter and area at the end of a metered season (domain.md 9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SettlementRule {
    /// Refund and supplement (多退少补, Tianjin).
    RefundAndSupplement,
    /// No supplement; a surplus is kept for the next season (Datong).
    CarryOver,
    /// Never more than by area; a surplus goes back (Linyi).
    Capped,
}

/// Tax on all components of a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tax {
    /// Its rate.
    pub rate: Ratio,
    /// Whether the prices hold it already, so that it is told and not added.
    pub included: bool,
    /// How it is rounded where it is rounded by itself; otherwise the bill is rounded together with it.
    pub rounding: Option<Rounding>,
}

impl Tax {
    /// A tax on top, rounded together with the bill.
    pub fn on_top(rate: Ratio) -> Self {
        Self {
            rate,
            included: false,
            rounding: None,
        }
    }
}

/// A surcharge for rooms above a height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeightSurcharge {
    /// Height in metres without surcharge.
    pub above: Ratio,
    /// Share added per metre above.
    pub per_metre: Ratio,
}

impl HeightSurcharge {
    /// The factor on the area price for a room of this height in metres.
    ///
    /// # Errors
    /// [`RatingError::Overflow`].
    pub fn factor(self, height: Ratio) -> Result<Ratio, RatingError> {
        let below = self.above.checked_mul(Ratio::new(-1, 1)?)?;
        let over = height.checked_add(below)?;
        if over.numerator() <= 0 {
            return Ok(Ratio::ONE);
        }
        Ok(Ratio::ONE.checked_add(over.checked_mul(self.per_metre)?)?)
    }
}

/// How an amount becomes money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rounding {
    /// The direction.
    pub mode: Mode,
    /// The total is a multiple of this.
    pub step: Money,
}

impl Default for Rounding {
    fn default() -> Self {
        Self {
            mode: Mode::HalfUp,
            step: Money::from_fen(1),
        }
    }
}

impl Tariff {
    /// The class of that name.
    ///
    /// # Errors
    /// [`RatingError::UnknownClass`].
    pub fn class(&self, name: &str) -> Result<&Class, RatingError> {
        self.classes.iter().find(|class| class.name == name).ok_or(RatingError::UnknownClass)
    }

    /// The tier-year that a day belongs to, named by the calendar year in which it starts; tariffs without one use calendar years. Where it ends
    /// with a reading, the day is that of a reading in the months of its own.
    pub fn tier_year_of(&self, day: NaiveDate) -> i32 {
        self.tier_year_for(day, ReadMonths::of(day))
    }

    /// The same for an account that is read in these months.
    pub fn tier_year_for(&self, day: NaiveDate, months: ReadMonths) -> i32 {
        let started = match self.tier_year.map(|year| year.start) {
            None => true,
            Some(YearStart::On(start)) => start.in_year(day.year()).is_none_or(|start| start <= day),
            Some(YearStart::AfterReading { odd, even }) => u32::from(months.pick(odd, even)) < day.month(),
        };
        if started { day.year() } else { day.year().saturating_sub(1) }
    }

    /// First day of a tier-year; `None` only for years that the calendar does not reach.
    pub fn tier_year_start(&self, year: i32) -> Option<NaiveDate> {
        self.tier_year_start_for(year, ReadMonths::Odd)
    }

    /// The same for an account that is read in these months: where a tier-year ends with a reading, the first day after the month of it.
    pub fn tier_year_start_for(&self, year: i32, months: ReadMonths) -> Option<NaiveDate> {
        match self.tier_year.map(|rule| rule.start) {
            None => NaiveDate::from_ymd_opt(year, 1, 1),
            Some(YearStart::On(start)) => start.in_year(year),
            Some(YearStart::AfterReading { odd, even }) => {
                NaiveDate::from_ymd_opt(year, u32::from(months.pick(odd, even)), 1)?.checked_add_months(chrono::Months::new(1))
            }
        }
    }

    /// Whether a usage period across the end of a tier-year is shared by days.
    pub fn splits_years(&self) -> bool {
        self.tier_year
            .is_some_and(|rule| rule.boundary == Boundary::DaySplit && matches!(rule.start, YearStart::On(_)))
    }
}
