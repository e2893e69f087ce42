//! The tariff file (TOML). Numbers are decimal strings, so that no price passes through a binary float.

use chrono::NaiveDate;
use money::{Mode, Money, Ratio, UnitPrice, Volume};
use serde::Deserialize;

use crate::{
    Boundary, Change, Class, Commodity, Component, EnergyUnit, FlatChoice, HeightSurcharge, Household, LateUse, Measure, MonthDay, Per, Price, Relief,
    ReliefRule, Rounding, Season, SettlementRule, Span, Tariff, Tax, Tier, TierYear, Tiers, Uplift, YearStart,
};

/// Why a tariff file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", place(.field))]
pub struct TariffError {
    /// The place in the file, such as `class[2].tiers`; empty where the text is no TOML of this shape.
    pub field: String,
    /// The stable reason: `TARIFF_FORMAT`, `CURRENCY`, `DATE`, `TIERS`, `MODEL`, `CLASS`, `RULE`.
    pub reason: &'static str,
    /// For people, in English.
    pub message: String,
}

fn place(field: &str) -> String {
    if field.is_empty() { String::new() } else { format!("{field}: ") }
}

/// Why a text is no TOML of the wanted shape, in one line.
pub fn toml_fault(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    format!("line {line}: {}", error.message().replace('\n', ", "))
}

fn refuse<T>(field: impl Into<String>, reason: &'static str, message: impl Into<String>) -> Result<T, TariffError> {
    Err(TariffError {
        field: field.into(),
        reason,
        message: message.into(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TariffFile {
    name: String,
    commodity: String,
    currency: String,
    unit: Option<String>,
    effective_from: String,
    legal_basis: String,
    approved_by: String,
    model: Model,
    change: Option<ChangeWord>,
    tier_year_start: Option<String>,
    tier_year_closes: Option<ClosesFile>,
    boundary: Option<BoundaryWord>,
    allowance: Option<AllowanceWord>,
    season: Option<SeasonFile>,
    height_surcharge: Option<HeightFile>,
    settlement: Option<SettlementWord>,
    rounding: Option<String>,
    tax_percent: Option<String>,
    tax_included: Option<bool>,
    tax_rounding: Option<String>,
    late_use: Option<LateUseFile>,
    class: Vec<ClassFile>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Model {
    GraduatedAnnual,
    Graduated,
    Volume,
    Unit,
    Heat,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum BoundaryWord {
    ReadingCycle,
    DaySplit,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChangeWord {
    DaySplit,
    ByReadDate,
    CutoverRead,
    DegreeDays,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum AllowanceWord {
    Full,
    MonthsOpen,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum SettlementWord {
    RefundAndSupplement,
    CarryOver,
    Capped,
}

/// How far back use that became known late changes bills.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LateUseFile {
    look_back_months: Option<u8>,
    tolerance: Option<Volume>,
    destination: Option<DestinationWord>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum DestinationWord {
    OriginalPeriod,
    NextBill,
}

/// The months of the last readings of a tier-year.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClosesFile {
    odd_months: u8,
    even_months: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeasonFile {
    start: String,
    end: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeightFile {
    above_m: String,
    per_m_percent: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassFile {
    name: String,
    base: Option<UnitPrice>,
    price: Option<UnitPrice>,
    tiers: Option<Vec<TierFile>>,
    tiering: Option<TieringWord>,
    rounding: Option<String>,
    charges: Option<Vec<ChargeFile>>,
    area_per_m2: Option<UnitPrice>,
    metered_base_per_m2: Option<UnitPrice>,
    metered_per_kwh: Option<UnitPrice>,
    metered_per_gj: Option<UnitPrice>,
    household: Option<HouseholdFile>,
    household_meters: Option<MetersWord>,
    low_income: Option<ReliefFile>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum TieringWord {
    Annual,
    Bill,
    Whole,
}

/// A charge besides the price of the class.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChargeFile {
    per: PerWord,
    price: UnitPrice,
    rounding: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum PerWord {
    Bill,
    Day,
    Month,
    Year,
    M3,
    Kwh,
    Gj,
    M2,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TierFile {
    up_to: Option<Volume>,
    price: UnitPrice,
    flat: Option<UnitPrice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HouseholdFile {
    from_persons: Option<u16>,
    each_threshold_plus: Option<Volume>,
    above_persons: Option<u16>,
    each_threshold_plus_per_person: Option<Volume>,
    first_threshold_plus_per_person: Option<Volume>,
    within_year: Option<WithinYearWord>,
    choice_from_persons: Option<u16>,
    choice_flat_price: Option<UnitPrice>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum WithinYearWord {
    ByMonths,
    Full,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum MetersWord {
    Aggregated,
    Separate,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ReliefFile {
    Everyone(ReliefWord),
    ByKind(ReliefKinds),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReliefKinds {
    subsistence: Option<ReliefTerm>,
    destitute: Option<ReliefTerm>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ReliefTerm {
    Word(ReliefWord),
    Free(FreeFile),
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum ReliefWord {
    #[serde(rename = "all_at_tier_1")]
    AllAtTier1,
    #[serde(rename = "no_tier_3")]
    NoTier3,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FreeFile {
    free_per_month: Volume,
    #[serde(rename = "at")]
    _at: FreeAt,
    returned: Option<ReturnedWord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReturnedWord {
    AfterYear,
}

#[derive(Deserialize)]
enum FreeAt {
    #[serde(rename = "tier_1")]
    Tier1,
}

impl Tariff {
    /// Reads a tariff file.
    ///
    /// # Errors
    /// [`TariffError`]: the text is no TOML of this shape (unknown keys are refused), or a value has no meaning.
    pub fn from_toml(text: &str) -> Result<Self, TariffError> {
        let file: TariffFile = toml::from_str(text).or_else(|error| refuse("", "TARIFF_FORMAT", toml_fault(text, &error)))?;
        if file.currency != "CNY" {
            return refuse("currency", "CURRENCY", "only CNY is taken");
        }
        for (field, value) in [("name", &file.name), ("legal_basis", &file.legal_basis), ("approved_by", &file.approved_by)] {
            if value.trim().is_empty() {
                return refuse(field, "TARIFF_FORMAT", "must not be empty");
            }
        }
        let commodity = match (file.commodity.as_str(), file.unit.as_deref()) {
            ("natural_gas", None | Some("m3")) => Commodity::NaturalGas,
            ("heat", None) => Commodity::Heat,
            ("natural_gas" | "heat", _) => return refuse("unit", "MODEL", "gas is priced per m3; heat names no unit"),
            _ => return refuse("commodity", "MODEL", "must be natural_gas or heat"),
        };
        if (commodity == Commodity::Heat) != (file.model == Model::Heat) {
            return refuse("model", "MODEL", "the model does not fit the commodity");
        }
        let annual = file.model == Model::GraduatedAnnual || file.class.iter().any(|class| matches!(class.tiering, Some(TieringWord::Annual)));
        let years = [file.tier_year_start.is_some(), file.tier_year_closes.is_some()];
        if years.iter().filter(|named| **named).count() != usize::from(annual) {
            return refuse("tier_year_start", "MODEL", "annual tiers have one tier-year, and other prices have none");
        }
        if file.boundary.is_some() && file.tier_year_start.is_none() {
            return refuse("boundary", "MODEL", "a boundary belongs to a tier-year that starts on a day");
        }
        if file.allowance.is_some() && !annual {
            return refuse("allowance", "MODEL", "an allowance belongs to annual tiers");
        }
        if file.model != Model::Heat && (file.season.is_some() || file.height_surcharge.is_some() || file.settlement.is_some()) {
            return refuse("season", "MODEL", "season, height surcharge and settlement belong to heat");
        }
        let tier_year = match (&file.tier_year_start, &file.tier_year_closes) {
            (Some(start), _) => Some(TierYear {
                start: YearStart::On(month_day("tier_year_start", start)?),
                boundary: match file.boundary {
                    Some(BoundaryWord::ReadingCycle) => Boundary::ReadingCycle,
                    Some(BoundaryWord::DaySplit) | None => Boundary::DaySplit,
                },
            }),
            (None, Some(closes)) if [closes.odd_months, closes.even_months].iter().all(|month| (1..=12).contains(month)) => Some(TierYear {
                start: YearStart::AfterReading {
                    odd: closes.odd_months,
                    even: closes.even_months,
                },
                boundary: Boundary::ReadingCycle,
            }),
            (None, Some(_)) => return refuse("tier_year_closes", "DATE", "months are 1 to 12"),
            (None, None) => None,
        };
        let season = match &file.season {
            Some(season) => Some(Season {
                start: month_day("season.start", &season.start)?,
                end: month_day("season.end", &season.end)?,
            }),
            None => None,
        };
        let height_surcharge = match &file.height_surcharge {
            Some(height) => Some(HeightSurcharge {
                above: ratio("height_surcharge.above_m", Ratio::parse(&height.above_m))?,
                per_metre: ratio("height_surcharge.per_m_percent", Ratio::parse_percent(&height.per_m_percent))?,
            }),
            None => None,
        };
        let tax = match (&file.tax_percent, file.tax_included, &file.tax_rounding) {
            (Some(percent), included, own) => Some(Tax {
                rate: ratio("tax_percent", Ratio::parse_percent(percent))?,
                included: included.unwrap_or(false),
                rounding: own.as_deref().map(|text| rounding("tax_rounding", text)).transpose()?,
            }),
            (None, None, None) => None,
            (None, ..) => return refuse("tax_percent", "RULE", "a tax has a rate"),
        };
        let late_use = match file.late_use {
            Some(_) if commodity == Commodity::Heat => return refuse("late_use", "MODEL", "late use is that of gas"),
            Some(late) if late.look_back_months.is_some_and(|months| !(1..=120).contains(&months)) => {
                return refuse("late_use.look_back_months", "RULE", "months are 1 to 120");
            }
            Some(late) if late.tolerance.is_some_and(Volume::is_negative) => {
                return refuse("late_use.tolerance", "RULE", "must not be negative");
            }
            late => late.map(|late| LateUse {
                look_back_months: late.look_back_months,
                tolerance: late.tolerance,
                next_bill: late.destination == Some(DestinationWord::NextBill),
            }),
        };
        let mut classes: Vec<Class> = Vec::with_capacity(file.class.len());
        for (index, class) in file.class.into_iter().enumerate() {
            let class = read_class(&format!("class[{index}]"), file.model, file.allowance == Some(AllowanceWord::MonthsOpen), class)?;
            if classes.iter().any(|other| other.name == class.name) {
                return refuse(format!("class[{index}].name"), "CLASS", "the name is taken by an earlier class");
            }
            classes.push(class);
        }
        if classes.is_empty() {
            return refuse("class", "CLASS", "a tariff has at least one class");
        }
        Ok(Self {
            name: file.name,
            commodity,
            effective_from: day("effective_from", &file.effective_from)?,
            legal_basis: file.legal_basis,
            approved_by: file.approved_by,
            change: match file.change {
                Some(ChangeWord::DaySplit) | None => Change::DaySplit,
                Some(ChangeWord::ByReadDate) => Change::ByReadDate,
                Some(ChangeWord::CutoverRead) => Change::CutoverRead,
                Some(ChangeWord::DegreeDays) => Change::DegreeDays,
            },
            tier_year,
            season,
            height_surcharge,
            settlement: file.settlement.map(|word| match word {
                SettlementWord::RefundAndSupplement => SettlementRule::RefundAndSupplement,
                SettlementWord::CarryOver => SettlementRule::CarryOver,
                SettlementWord::Capped => SettlementRule::Capped,
            }),
            rounding: file
                .rounding
                .as_deref()
                .map_or_else(|| Ok(Rounding::default()), |text| rounding("rounding", text))?,
            tax,
            late_use,
            classes,
        })
    }
}

fn day(field: &str, text: &str) -> Result<NaiveDate, TariffError> {
    let plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .filter(|_| plain)
        .map_or_else(|| refuse(field, "DATE", "must be a day, YYYY-MM-DD"), Ok)
}

fn month_day(field: &str, text: &str) -> Result<MonthDay, TariffError> {
    MonthDay::parse(text).map_or_else(|| refuse(field, "DATE", "must be a day of every year, MM-DD"), Ok)
}

fn ratio(field: &str, value: Result<Ratio, money::DecimalError>) -> Result<Ratio, TariffError> {
    match value {
        Ok(ratio) if ratio.numerator() >= 0 => Ok(ratio),
        _ => refuse(field, "TARIFF_FORMAT", "must be a decimal number that is not negative"),
    }
}

/// `half_up_0.01`; `half_up_0.01_once_per_bill` where it is that of the bill.
fn rounding(field: &str, text: &str) -> Result<Rounding, TariffError> {
    let read = || {
        let body = match field {
            "rounding" => text.strip_suffix("_once_per_bill")?,
            _ => text,
        };
        let (mode, step) = body.rsplit_once('_')?;
        let mode = match mode {
            "half_up" => Mode::HalfUp,
            "floor" => Mode::Floor,
            "ceiling" => Mode::Ceiling,
            _ => return None,
        };
        Money::parse(step).ok().filter(|step| *step > Money::ZERO).map(|step| Rounding { mode, step })
    };
    read().map_or_else(
        || {
            refuse(
                field,
                "RULE",
                "must be half_up, floor or ceiling, then a step in yuan, such as half_up_0.01; that of the tariff ends in _once_per_bill",
            )
        },
        Ok,
    )
}

fn read_class(at: &str, model: Model, months_open: bool, file: ClassFile) -> Result<Class, TariffError> {
    if file.name.trim().is_empty() {
        return refuse(format!("{at}.name"), "CLASS", "must not be empty");
    }
    let prices = [
        file.base,
        file.price,
        file.area_per_m2,
        file.metered_base_per_m2,
        file.metered_per_kwh,
        file.metered_per_gj,
    ];
    let charges = file.charges.unwrap_or_default();
    if prices
        .into_iter()
        .flatten()
        .chain(charges.iter().map(|charge| charge.price))
        .any(UnitPrice::is_negative)
    {
        return refuse(at, "CLASS", "a price is negative");
    }
    let by_volume = charges.iter().position(|charge| matches!(charge.per, PerWord::M3));
    if let Some(index) = by_volume.filter(|_| model == Model::Heat) {
        return refuse(format!("{at}.charges[{index}].per"), "CLASS", "heat has no price for a volume");
    }
    let counts = |named: bool, per: PerWord| named || charges.iter().any(|charge| charge.per == per);
    let energy = match (
        counts(file.metered_per_kwh.is_some(), PerWord::Kwh),
        counts(file.metered_per_gj.is_some(), PerWord::Gj),
    ) {
        (true, true) => {
            return refuse(
                at,
                "CLASS",
                "energy has prices per kWh or per GJ, not both: nothing converts one into the other",
            );
        }
        (false, true) => EnergyUnit::Gj,
        (_, false) => EnergyUnit::Kwh,
    };
    let per_energy = file.metered_per_kwh.or(file.metered_per_gj);
    let heat = file.area_per_m2.is_some() || file.metered_base_per_m2.is_some() || per_energy.is_some();
    let tiering = file.tiering.or(match model {
        Model::GraduatedAnnual => Some(TieringWord::Annual),
        Model::Graduated => Some(TieringWord::Bill),
        Model::Volume => Some(TieringWord::Whole),
        Model::Unit | Model::Heat => None,
    });
    let mut standing: Vec<Component> = file.base.map(|base| Price::Standing(base, Per::Bill).into()).into_iter().collect();
    for (index, charge) in charges.iter().enumerate() {
        standing.push(extra(&format!("{at}.charges[{index}].rounding"), charge)?);
    }
    let own = file.rounding.as_deref().map(|text| rounding(&format!("{at}.rounding"), text)).transpose()?;
    let rounded = |price: Price| Component { price, rounding: own };
    let mut components = standing.clone();
    let mut metered = None;
    match (tiering, file.tiers, file.price) {
        (Some(tiering), Some(list), None) if !heat => {
            let tiers = tiers(at, list)?;
            components.push(rounded(match tiering {
                TieringWord::Annual => Price::Graduated(tiers, Span::TierYear),
                TieringWord::Bill => Price::Graduated(tiers, Span::Bill),
                TieringWord::Whole => Price::Whole(tiers),
            }));
        }
        (None, None, Some(price)) if !heat && model == Model::Unit => components.push(rounded(Price::Unit(Measure::Volume, price))),
        (None, None, None) if model == Model::Heat => {
            let Some(area) = file.area_per_m2 else {
                return refuse(format!("{at}.area_per_m2"), "CLASS", "heat has a price by area");
            };
            components.push(rounded(Price::Unit(Measure::Area, area)));
            metered = match (file.metered_base_per_m2, per_energy) {
                (Some(base), Some(energy)) => {
                    standing.extend([rounded(Price::Unit(Measure::Area, base)), rounded(Price::Unit(Measure::Energy, energy))]);
                    Some(standing)
                }
                (None, None) => None,
                _ => return refuse(at, "CLASS", "metered heat has two prices, per m2 and per kWh or GJ"),
            };
        }
        _ => return refuse(at, "CLASS", "the prices do not fit the model"),
    }
    let annual = matches!(tiering, Some(TieringWord::Annual));
    if !annual && (file.household.is_some() || file.household_meters.is_some() || file.low_income.is_some()) {
        return refuse(at, "RULE", "household and low-income rules belong to annual tiers");
    }
    Ok(Class {
        name: file.name,
        components,
        metered,
        energy,
        household: file
            .household
            .map_or_else(|| Ok(Household::default()), |rule| household(&format!("{at}.household"), &rule))?,
        relief: file
            .low_income
            .map_or_else(|| Ok(Relief::default()), |rule| relief(&format!("{at}.low_income"), rule))?,
        aggregate_meters: file.household_meters == Some(MetersWord::Aggregated),
        months_open: annual && months_open,
    })
}

fn extra(field: &str, charge: &ChargeFile) -> Result<Component, TariffError> {
    Ok(Component {
        price: match charge.per {
            PerWord::Bill => Price::Standing(charge.price, Per::Bill),
            PerWord::Day => Price::Standing(charge.price, Per::Day),
            PerWord::Month => Price::Standing(charge.price, Per::Month),
            PerWord::Year => Price::Standing(charge.price, Per::Year),
            PerWord::M3 => Price::Unit(Measure::Volume, charge.price),
            PerWord::Kwh | PerWord::Gj => Price::Unit(Measure::Energy, charge.price),
            PerWord::M2 => Price::Unit(Measure::Area, charge.price),
        },
        rounding: charge.rounding.as_deref().map(|text| rounding(field, text)).transpose()?,
    })
}

fn tiers(at: &str, list: Vec<TierFile>) -> Result<Tiers, TariffError> {
    let list = list
        .into_iter()
        .map(|tier| Tier {
            up_to: tier.up_to,
            price: tier.price,
            flat: tier.flat.unwrap_or_default(),
        })
        .collect();
    Tiers::new(list).filter(Tiers::is_open).map_or_else(
        || {
            refuse(
                format!("{at}.tiers"),
                "TIERS",
                "tiers ascend, only the last one is open, and no price is negative",
            )
        },
        Ok,
    )
}

fn household(at: &str, file: &HouseholdFile) -> Result<Household, TariffError> {
    let above = match file.above_persons.map(|above| above.checked_add(1)) {
        Some(None) => return refuse(at, "RULE", "above_persons is out of range"),
        Some(from_persons) => from_persons,
        None => None,
    };
    let once = file.from_persons.zip(file.each_threshold_plus);
    let each = above.zip(file.each_threshold_plus_per_person);
    let first = above.zip(file.first_threshold_plus_per_person);
    let named = [
        file.from_persons.is_some(),
        file.each_threshold_plus.is_some(),
        file.above_persons.is_some(),
        file.each_threshold_plus_per_person.is_some(),
        file.first_threshold_plus_per_person.is_some(),
    ];
    let uplift = match (once, each, first) {
        (None, None, None) if !named.contains(&true) && file.within_year.is_none() => None,
        (Some((from_persons, plus)), None, None) | (None, Some((from_persons, plus)), None) | (None, None, Some((from_persons, plus)))
            if named.iter().filter(|named| **named).count() == 2 =>
        {
            Some(Uplift {
                from_persons,
                plus,
                per_person: once.is_none(),
                first_tier_only: first.is_some(),
                full_year: file.within_year == Some(WithinYearWord::Full),
            })
        }
        _ => {
            return refuse(
                at,
                "RULE",
                "either from_persons with each_threshold_plus, or above_persons with each_threshold_plus_per_person or first_threshold_plus_per_person",
            );
        }
    };
    if uplift.is_some_and(|uplift| uplift.plus <= Volume::ZERO) {
        return refuse(at, "RULE", "an uplift adds a volume");
    }
    let choice = match (file.choice_from_persons, file.choice_flat_price) {
        (None, None) => None,
        (Some(from_persons), Some(price)) if !price.is_negative() => Some(FlatChoice { from_persons, price }),
        _ => return refuse(at, "RULE", "a choice has choice_from_persons and choice_flat_price"),
    };
    Ok(Household { uplift, choice })
}

fn relief(at: &str, file: ReliefFile) -> Result<Relief, TariffError> {
    let word = |word: ReliefWord| match word {
        ReliefWord::AllAtTier1 => ReliefRule::AllAtTier1,
        ReliefWord::NoTier3 => ReliefRule::NoTier3,
    };
    let term = |term: ReliefTerm| match term {
        ReliefTerm::Word(rule) => Ok(word(rule)),
        ReliefTerm::Free(free) if free.free_per_month > Volume::ZERO => Ok(match free.returned {
            None => ReliefRule::FreePerMonth(free.free_per_month),
            Some(ReturnedWord::AfterYear) => ReliefRule::FreeAfterYear(free.free_per_month),
        }),
        ReliefTerm::Free(_) => refuse(at, "RULE", "the free volume is above zero"),
    };
    Ok(match file {
        ReliefFile::Everyone(rule) => Relief {
            subsistence: Some(word(rule)),
            destitute: Some(word(rule)),
        },
        ReliefFile::ByKind(kinds) => Relief {
            subsistence: kinds.subsistence.map(term).transpose()?,
            destitute: kinds.destitute.map(term).transpose()?,
        },
    })
}
