//! Heat by the season (A-11, 9.3), pure: states of an agreement in a season, the bill by area, the settlement by meter.

use calendar::NaiveDate;
use money::{Area, Energy, Money, Ratio};
use rating::{Class, HeatFee, HeatPrices, HeatUse, Quantity};

use crate::{
    reading::model::Register,
    refusal::Refusal,
    tariff::heat::{EnergyUnit, HeatPrice, SettlementRule},
    words::words,
};

words! {
    /// How a season is charged.
    pub enum HeatMethod {
        /// By area (按面积).
        Area "AREA",
        /// By meter (按热计量).
        Meter "METER",
    }
}

words! {
    /// Where a season stands for an agreement.
    pub enum HeatState {
        /// Enrolled.
        Enrolled "ENROLLED",
        /// The season bill is issued.
        Assessed "ASSESSED",
        /// Paid in part.
        PartlyPrepaid "PARTLY_PREPAID",
        /// Paid.
        Prepaid "PREPAID",
        /// Not paid in full by the due date.
        Overdue "OVERDUE",
        /// The season has begun.
        InSeason "IN_SEASON",
        /// The season is over.
        SeasonClosed "SEASON_CLOSED",
        /// Settled, more is paid than is due.
        RefundDue "REFUND_DUE",
        /// Settled, something is still due.
        SupplementDue "SUPPLEMENT_DUE",
        /// Settled, what is paid is what is due.
        Even "EVEN",
        /// Nothing is due either way.
        Closed "CLOSED",
    }
}

words! {
    /// Which end of the use a season reading stands for.
    pub enum Moment {
        /// Start of the season, or installation within it.
        Start "START",
        /// End of the season, or removal within it.
        End "END",
    }
}

/// What happens to an agreement in a season.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The season bill is issued.
    Assess,
    /// The season bill is issued anew.
    Correct,
    /// Some of it is paid.
    PayPart,
    /// All of it is paid.
    PayAll,
    /// Its due date passes.
    FallDue,
    /// The first heated day comes.
    StartSeason,
    /// The last heated day passes.
    EndSeason,
    /// Settled: more is paid than is due.
    SettleRefund,
    /// Settled: less is paid than is due.
    SettleSupplement,
    /// Settled: it fits.
    SettleEven,
    /// Nothing is due any more.
    Close,
}

/// The legal moves.
const MOVES: [(HeatState, Action, HeatState); 24] = {
    use Action as A;
    use HeatState as S;
    [
        (S::Enrolled, A::Assess, S::Assessed),
        (S::Assessed, A::Correct, S::Assessed),
        (S::PartlyPrepaid, A::Correct, S::Assessed),
        (S::Prepaid, A::Correct, S::Assessed),
        (S::Overdue, A::Correct, S::Assessed),
        (S::InSeason, A::Correct, S::Assessed),
        (S::SeasonClosed, A::Correct, S::Assessed),
        (S::Assessed, A::PayPart, S::PartlyPrepaid),
        (S::Assessed, A::PayAll, S::Prepaid),
        (S::Assessed, A::FallDue, S::Overdue),
        (S::PartlyPrepaid, A::PayAll, S::Prepaid),
        (S::PartlyPrepaid, A::FallDue, S::Overdue),
        (S::Overdue, A::PayAll, S::Prepaid),
        (S::Assessed, A::StartSeason, S::InSeason),
        (S::PartlyPrepaid, A::StartSeason, S::InSeason),
        (S::Prepaid, A::StartSeason, S::InSeason),
        (S::Overdue, A::StartSeason, S::InSeason),
        (S::InSeason, A::EndSeason, S::SeasonClosed),
        (S::SeasonClosed, A::SettleRefund, S::RefundDue),
        (S::SeasonClosed, A::SettleSupplement, S::SupplementDue),
        (S::SeasonClosed, A::SettleEven, S::Even),
        (S::RefundDue, A::Close, S::Closed),
        (S::SupplementDue, A::Close, S::Closed),
        (S::Even, A::Close, S::Closed),
    ]
};

/// Moves an agreement in a season.
///
/// # Errors
/// Where the move is not legal: HEAT_NOT_ASSESSED before the season bill, HEAT_SETTLED after the settlement, SEASON_NOT_OVER for a
/// settlement before the end, HEAT_ASSESSED otherwise.
pub fn step(state: HeatState, action: Action) -> Result<HeatState, Refusal> {
    let found = MOVES.iter().find(|(from, by, _)| *from == state && *by == action);
    let settles = matches!(action, Action::SettleRefund | Action::SettleSupplement | Action::SettleEven);
    found.map(|(_, _, to)| *to).ok_or(match state {
        HeatState::Enrolled => Refusal::HeatNotAssessed,
        HeatState::RefundDue | HeatState::SupplementDue | HeatState::Even | HeatState::Closed => Refusal::HeatSettled,
        _ if settles => Refusal::SeasonNotOver,
        _ => Refusal::HeatAssessed,
    })
}

/// A season as the rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Season {
    pub start: NaiveDate,
    pub end: NaiveDate,
    pub due: NaiveDate,
}

/// The bill that stands for an agreement in a season.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Fen.
    pub amount: i64,
    /// Fen.
    pub paid: i64,
    /// What the account has paid ahead for heat, fen.
    pub ahead: i64,
}

/// Where a season stands on a day: the database keeps what persons and runs did, payments and the calendar do the rest by the same table.
///
/// # Errors
/// Never for a state that the database keeps.
pub fn standing(kept: HeatState, season: Season, asked: Asked, today: NaiveDate) -> Result<HeatState, Refusal> {
    let settled = asked.paid >= asked.amount;
    let mut actions = vec![];
    match kept {
        HeatState::Assessed => {
            if settled {
                actions.push(Action::PayAll);
            } else {
                if asked.paid > 0 {
                    actions.push(Action::PayPart);
                }
                if today > season.due {
                    actions.push(Action::FallDue);
                }
            }
            if today >= season.start {
                actions.push(Action::StartSeason);
            }
            if today > season.end {
                actions.push(Action::EndSeason);
            }
        }
        HeatState::SupplementDue | HeatState::Even if settled => actions.push(Action::Close),
        // The surplus went back, or paid something else.
        HeatState::RefundDue if asked.ahead <= 0 => actions.push(Action::Close),
        _ => {}
    }
    actions.into_iter().try_fold(kept, step)
}

/// Heated days of a season, both ends counted.
pub fn days(season: Season) -> i64 {
    season.end.signed_duration_since(season.start).num_days().saturating_add(1)
}

/// The name of a season is the years of its two days: "2025-2026".
///
/// # Errors
/// SEASON_NAME; DATE_ORDER where the days are out of order or the season takes more than a year.
pub fn check_season(name: &str, season: Season) -> Result<(), Refusal> {
    use chrono::Datelike;
    if season.end <= season.start || days(season) > 366 {
        return Err(Refusal::DateOrder);
    }
    let (first, last) = (season.start.year(), season.end.year());
    if first.checked_add(1) != Some(last) || name != format!("{first}-{last}") {
        return Err(Refusal::SeasonName);
    }
    Ok(())
}

/// What an agreement is charged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    pub method: HeatMethod,
    pub area: Area,
    /// Metres, 10⁻².
    pub height: Option<i64>,
    /// Factor on the energy, 10⁻⁴.
    pub correction: i64,
}

impl Basis {
    fn height(&self) -> Option<Ratio> {
        self.height.and_then(|cm| Ratio::new(cm, 100).ok())
    }
}

/// A factor of one, 10⁻⁴.
pub const NO_CORRECTION: i64 = 10_000;

/// Whether an area, a height and a correction can be charged by.
///
/// # Errors
/// HEAT_AREA, HEAT_HEIGHT, HEAT_CORRECTION.
pub fn check_basis(basis: &Basis) -> Result<(), Refusal> {
    if basis.area <= Area::ZERO || basis.area.hundredths() > 100_000_000 {
        return Err(Refusal::HeatArea);
    }
    if basis.height.is_some_and(|cm| !(100..=10_000).contains(&cm)) {
        return Err(Refusal::HeatHeight);
    }
    if !(1..=2 * NO_CORRECTION).contains(&basis.correction) {
        return Err(Refusal::HeatCorrection);
    }
    Ok(())
}

/// A heat bill to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub amount: Money,
    pub lines: Vec<DraftLine>,
    /// The steps to the amount.
    pub explanation: String,
}

/// A line of a heat bill to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftLine {
    /// 10⁻³ of the unit.
    pub quantity: i64,
    pub unit: &'static str,
    /// 10⁻⁶ yuan.
    pub price: i64,
    /// Fen.
    pub amount: i64,
    pub reason: &'static str,
}

fn draft(fee: HeatFee, unit: Option<EnergyUnit>) -> Draft {
    let lines = fee.lines.iter().map(|line| DraftLine {
        quantity: line.quantity.thousandths(),
        unit: match line.quantity {
            Quantity::Area(_) => "m2",
            Quantity::Energy(_) => unit.map_or("", EnergyUnit::text),
            Quantity::Volume(_) | Quantity::Days(_) | Quantity::Once => "",
        },
        price: line.unit_price.micros(),
        amount: line.amount.fen(),
        reason: line.reason.code(),
    });
    Draft {
        amount: fee.total,
        lines: lines.collect(),
        explanation: fee.explanation.into_text(),
    }
}

/// The season bill: by area, with the surcharge for high rooms where the notice has one.
///
/// # Errors
/// The reason of the failure, such as NO_METERED_PRICE for a metered agreement whose class has no price by meter.
pub fn assess(price: &HeatPrice, basis: &Basis, season: (NaiveDate, NaiveDate)) -> Result<Draft, &'static str> {
    if basis.method == HeatMethod::Meter && price.terms.metered.is_none() {
        return Err("NO_METERED_PRICE");
    }
    let (class, version) = (price.terms.class(&price.class).map_err(Refusal::reason)?, price.tariff_id.to_string());
    let prices = prices(price, &class, &version, season)?;
    let fee = prices.by_area(basis.area, basis.height()).map_err(|e| e.reason())?;
    Ok(draft(fee, None))
}

fn prices<'a>(price: &HeatPrice, class: &'a Class, version: &'a str, season: (NaiveDate, NaiveDate)) -> Result<HeatPrices<'a>, &'static str> {
    Ok(HeatPrices {
        tariff: version,
        tax: price.rules.tax().map_err(Refusal::reason)?,
        surcharge: price.terms.surcharge().map_err(Refusal::reason)?,
        season: Some(season),
        ..HeatPrices::new(class, price.rules.rounding().map_err(Refusal::reason)?)
    })
}

/// What a heat meter shows on a day, 10⁻³ of its unit. Nothing is settled by it: it may be any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    pub day: NaiveDate,
    pub value: i64,
}

/// An index that a settlement may take. Only [`proved`] makes one, so what was not held against its meter has no number to settle by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proved(i64);

impl Proved {
    /// 10⁻³ of the unit.
    pub const fn value(self) -> i64 {
        self.0
    }
}

/// Holds what a meter showed, day after day, against what it can show and what it can pass: its register has the digits, the index does not fall, and between
/// two days it rises by no more than its largest power makes in as many hours, those of one day at least.
///
/// # Errors
/// TIME_RANGE for a day after today, DATE_ORDER where days fall, INDEX_DIGITS, FINAL_INDEX_LOWER, INDEX_OUT_OF_LINE for more than it can pass.
pub fn fits(register: Register, shown: &[Shown], today: NaiveDate) -> Result<(), Refusal> {
    for index in shown {
        if index.day > today {
            return Err(Refusal::FutureReading);
        }
        if !(0..register.capacity()).contains(&index.value) {
            return Err(Refusal::IndexDigits);
        }
    }
    for (before, after) in shown.iter().zip(shown.iter().skip(1)) {
        let days = after.day.signed_duration_since(before.day).num_days();
        let risen = after.value.saturating_sub(before.value);
        if days < 0 {
            return Err(Refusal::DateOrder);
        }
        if risen < 0 {
            return Err(Refusal::FinalIndexLower);
        }
        if risen > register.qmax.saturating_mul(days.max(1).saturating_mul(24)) {
            return Err(Refusal::IndexOutOfLine);
        }
    }
    Ok(())
}

/// The two ends of the use of a meter, where they fit.
///
/// # Errors
/// Those of [`fits`].
pub fn proved(register: Register, ends: [Shown; 2], today: NaiveDate) -> Result<[Proved; 2], Refusal> {
    fits(register, &ends, today)?;
    Ok(ends.map(|index| Proved(index.value)))
}

/// The index of a heat meter at one end of its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index {
    /// Number that tells meters apart.
    pub meter: uuid::Uuid,
    pub moment: Moment,
    pub value: Proved,
    pub unit: EnergyUnit,
}

/// The energy of a season: each meter from its start to its end, in the one unit of all of them.
///
/// # Errors
/// SEASON_READING_MISSING, INDEX_REVERSED, HEAT_UNIT_MISMATCH.
pub fn energy(indexes: &[Index]) -> Result<(Energy, EnergyUnit), &'static str> {
    let unit = indexes.first().ok_or("SEASON_READING_MISSING")?.unit;
    let mut sum = 0_i64;
    for index in indexes {
        if index.unit != unit {
            return Err("HEAT_UNIT_MISMATCH");
        }
        let other = match index.moment {
            Moment::Start => Moment::End,
            Moment::End => Moment::Start,
        };
        let pair = indexes
            .iter()
            .find(|i| i.meter == index.meter && i.moment == other)
            .ok_or("SEASON_READING_MISSING")?;
        if index.moment == Moment::Start {
            let used = pair
                .value
                .value()
                .checked_sub(index.value.value())
                .filter(|used| *used >= 0)
                .ok_or("INDEX_REVERSED")?;
            sum = sum.checked_add(used).ok_or("OVERFLOW")?;
        }
    }
    Ok((Energy::from_watt_hours(sum), unit))
}

/// A settlement to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Fen.
    pub by_meter: i64,
    /// What the season is charged, with its lines.
    pub charged: Draft,
    /// Whether a surplus is kept for the next season by rule.
    pub carries_over: bool,
}

/// The settlement by meter against the fee by area (9.3).
///
/// # Errors
/// NO_METERED_PRICE; HEAT_UNIT_MISMATCH where the notice prices another unit than the meter counts: nothing is converted.
pub fn settle(price: &HeatPrice, basis: &Basis, season: (NaiveDate, NaiveDate), (energy, unit): (Energy, EnergyUnit)) -> Result<Settled, &'static str> {
    let terms = price.terms.metered.as_ref().ok_or("NO_METERED_PRICE")?;
    if terms.unit() != Some(unit) {
        return Err("HEAT_UNIT_MISMATCH");
    }
    let rule = terms.settlement().ok_or("NO_METERED_PRICE")?;
    let (class, version) = (price.terms.class(&price.class).map_err(Refusal::reason)?, price.tariff_id.to_string());
    let used = HeatUse {
        area: basis.area,
        height: basis.height(),
        energy,
        correction: Ratio::new(basis.correction, NO_CORRECTION).map_err(|_| "OVERFLOW")?,
    };
    let settled = prices(price, &class, &version, season)?.settle(rule.rated(), used).map_err(|e| e.reason())?;
    let rating::HeatSettlement { by_area, metered, .. } = settled.settlement;
    let (by_meter, by_area) = (draft(metered, Some(unit)), draft(by_area, None));
    let capped = rule != SettlementRule::RefundAndSupplement && by_meter.amount > by_area.amount;
    Ok(Settled {
        by_meter: by_meter.amount.fen(),
        charged: Draft {
            explanation: settled.explanation.into_text(),
            ..if capped { by_area } else { by_meter }
        },
        carries_over: rule == SettlementRule::CarryOver,
    })
}

/// What a settlement makes of an agreement: paid against charged, fen.
pub const fn outcome(charged: i64, paid: i64) -> Action {
    if paid > charged {
        Action::SettleRefund
    } else if paid < charged {
        Action::SettleSupplement
    } else {
        Action::SettleEven
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;
    use uuid::Uuid;

    use super::*;
    use crate::tariff::{
        heat::{HeatTerms, MeteredTerms, SurchargeTerms},
        model::Rules,
    };

    fn day(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).unwrap()
    }

    fn tianjin_season() -> Season {
        Season {
            start: day(2025, 11, 15),
            end: day(2026, 3, 15),
            due: day(2025, 12, 31),
        }
    }

    fn price(area: &str, base: &str, energy: &str, unit: EnergyUnit, rule: SettlementRule) -> HeatPrice {
        HeatPrice {
            tariff_id: Uuid::nil(),
            branch: String::new(),
            class: "resident".to_owned(),
            from: day(2015, 1, 1),
            until: None,
            terms: HeatTerms {
                area: area.parse().unwrap(),
                months: 0,
                metered: Some(MeteredTerms {
                    base: base.parse().unwrap(),
                    energy: energy.parse().unwrap(),
                    unit: unit.code().to_owned(),
                    settlement: rule.code().to_owned(),
                }),
                surcharge: Some(SurchargeTerms {
                    above: "4".to_owned(),
                    percent: "12.5".to_owned(),
                }),
                standing: vec![],
                rounding: None,
            },
            rules: Rules::default(),
        }
    }

    /// Both days of the season of Tianjin.
    fn heated() -> (NaiveDate, NaiveDate) {
        (tianjin_season().start, tianjin_season().end)
    }

    fn tianjin(rule: SettlementRule) -> HeatPrice {
        price("25.00", "7.50", "0.13", EnergyUnit::Kwh, rule)
    }

    fn metered(area: &str) -> Basis {
        Basis {
            method: HeatMethod::Meter,
            area: area.parse().unwrap(),
            height: None,
            correction: NO_CORRECTION,
        }
    }

    fn settled(rule: SettlementRule, kwh: &str) -> (String, String) {
        let settled = settle(&tianjin(rule), &metered("100"), heated(), (kwh.parse().unwrap(), EnergyUnit::Kwh)).unwrap();
        assert_eq!(settled.charged.lines.iter().map(|l| l.amount).sum::<i64>(), settled.charged.amount.fen());
        (Money::from_fen(settled.by_meter).to_string(), settled.charged.amount.to_string())
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = HeatState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "STATE_", |n| proto::heat_account::State::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = HeatMethod::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "METHOD_", |n| proto::heat_account::Method::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = Moment::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "MOMENT_", |n| proto::season_reading::Moment::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn table_of_moves() {
        use Action::*;
        use HeatState as S;
        let actions = [
            Assess,
            Correct,
            PayPart,
            PayAll,
            FallDue,
            StartSeason,
            EndSeason,
            SettleRefund,
            SettleSupplement,
            SettleEven,
            Close,
        ];
        let (a, i) = (Some(S::Assessed), Some(S::InSeason));
        let table = [
            (S::Enrolled, [a, None, None, None, None, None, None, None, None, None, None]),
            (
                S::Assessed,
                [
                    None,
                    a,
                    Some(S::PartlyPrepaid),
                    Some(S::Prepaid),
                    Some(S::Overdue),
                    i,
                    None,
                    None,
                    None,
                    None,
                    None,
                ],
            ),
            (
                S::PartlyPrepaid,
                [None, a, None, Some(S::Prepaid), Some(S::Overdue), i, None, None, None, None, None],
            ),
            (S::Prepaid, [None, a, None, None, None, i, None, None, None, None, None]),
            (S::Overdue, [None, a, None, Some(S::Prepaid), None, i, None, None, None, None, None]),
            (S::InSeason, [None, a, None, None, None, None, Some(S::SeasonClosed), None, None, None, None]),
            (
                S::SeasonClosed,
                [
                    None,
                    a,
                    None,
                    None,
                    None,
                    None,
                    None,
                    Some(S::RefundDue),
                    Some(S::SupplementDue),
                    Some(S::Even),
                    None,
                ],
            ),
            (S::RefundDue, [None, None, None, None, None, None, None, None, None, None, Some(S::Closed)]),
            (S::SupplementDue, [None, None, None, None, None, None, None, None, None, None, Some(S::Closed)]),
            (S::Even, [None, None, None, None, None, None, None, None, None, None, Some(S::Closed)]),
            (S::Closed, [None; 11]),
        ];
        assert_eq!(table.len(), HeatState::ALL.len());
        for (state, row) in table {
            for (action, to) in actions.into_iter().zip(row) {
                assert_eq!(step(state, action).ok(), to, "{state:?} {action:?}");
            }
        }
        assert_eq!(step(S::Enrolled, Correct), Err(Refusal::HeatNotAssessed));
        assert_eq!(step(S::Assessed, SettleEven), Err(Refusal::SeasonNotOver));
        assert_eq!(step(S::Even, Correct), Err(Refusal::HeatSettled));
        assert_eq!(step(S::Prepaid, Assess), Err(Refusal::HeatAssessed));
    }

    #[test]
    fn a_11_payments_and_the_calendar_move_a_season() {
        use HeatState::*;
        let asked = |paid, ahead| Asked { amount: 250_000, paid, ahead };
        let at = |kept, paid, today| standing(kept, tianjin_season(), asked(paid, 69_700), today).unwrap();
        assert_eq!(at(Enrolled, 0, day(2025, 12, 1)), Enrolled);
        assert_eq!(at(Assessed, 0, day(2025, 10, 1)), Assessed);
        assert_eq!(at(Assessed, 1, day(2025, 10, 1)), PartlyPrepaid);
        assert_eq!(at(Assessed, 250_000, day(2025, 10, 1)), Prepaid);
        assert_eq!(at(Assessed, 250_000, day(2025, 11, 15)), InSeason);
        assert_eq!(at(Assessed, 0, day(2026, 3, 15)), InSeason);
        assert_eq!(at(Assessed, 0, day(2026, 3, 16)), SeasonClosed);
        assert_eq!(at(SupplementDue, 249_999, day(2026, 6, 1)), SupplementDue);
        assert_eq!(at(SupplementDue, 250_000, day(2026, 6, 1)), Closed);
        assert_eq!(at(Even, 250_000, day(2026, 6, 1)), Closed);
        assert_eq!(at(RefundDue, 250_000, day(2026, 6, 1)), RefundDue);
        assert_eq!(
            standing(RefundDue, tianjin_season(), asked(250_000, 0), day(2026, 6, 1)),
            Ok(Closed),
            "the surplus is gone"
        );
        // A season whose bill falls due before it begins.
        let early = Season {
            due: day(2025, 10, 31),
            ..tianjin_season()
        };
        for paid in [0, 1] {
            assert_eq!(standing(Assessed, early, asked(paid, 0), day(2025, 11, 1)), Ok(Overdue));
        }
    }

    #[test]
    fn edge_31_season_days_with_and_without_29_february() {
        let season = |y: i32| Season {
            start: day(y, 11, 15),
            end: day(y + 1, 3, 15),
            due: day(y, 12, 31),
        };
        assert_eq!((days(season(2023)), days(season(2024))), (122, 121));
        assert_eq!(check_season("2023-2024", season(2023)), Ok(()));
        assert_eq!(check_season("2024-2025", season(2023)), Err(Refusal::SeasonName));
        let short = Season {
            end: day(2023, 12, 15),
            ..season(2023)
        };
        assert_eq!(check_season("2023-2023", short), Err(Refusal::SeasonName));
        let turned = Season {
            end: day(2023, 1, 15),
            ..season(2023)
        };
        assert_eq!(check_season("2023-2023", turned), Err(Refusal::DateOrder));
    }

    #[test]
    fn a_11_by_area_and_height() {
        let of = |area: &str, height: Option<i64>| {
            let basis = Basis {
                method: HeatMethod::Area,
                height,
                ..metered(area)
            };
            assess(
                &price("24", "12", "0.16", EnergyUnit::Kwh, SettlementRule::RefundAndSupplement),
                &basis,
                heated(),
            )
            .unwrap()
            .amount
            .to_string()
        };
        assert_eq!(of("80.5", None), "1932.00");
        assert_eq!(of("80.5", Some(500)), "2173.50");
        assert_eq!(of("80.5", Some(480)), "2125.20");
        assert_eq!(of("80.5", Some(400)), "1932.00");
    }

    #[test]
    fn edge_38_break_even_of_a_metered_season() {
        let charged = |rule, kwh| settled(rule, kwh).1;
        assert_eq!(charged(SettlementRule::RefundAndSupplement, "13461"), "2499.93");
        assert_eq!(charged(SettlementRule::RefundAndSupplement, "13462"), "2500.06");
        assert_eq!(charged(SettlementRule::Capped, "13462"), "2500.00");
    }

    #[test]
    fn p_9_3_refund_and_supplement_carry_over_and_cap() {
        use SettlementRule::*;
        let both = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(settled(RefundAndSupplement, "8100"), both("1803.00", "1803.00"));
        assert_eq!(settled(RefundAndSupplement, "13461"), both("2499.93", "2499.93"));
        assert_eq!(settled(RefundAndSupplement, "13462"), both("2500.06", "2500.06"));
        assert_eq!(settled(CarryOver, "13462"), both("2500.06", "2500.00"));
        assert_eq!(settled(Capped, "20000"), both("3350.00", "2500.00"));
        assert_eq!(settled(Capped, "8100"), both("1803.00", "1803.00"));
        assert_eq!(outcome(180_300, 250_000), Action::SettleRefund);
        assert_eq!(outcome(250_006, 250_000), Action::SettleSupplement);
        assert_eq!(outcome(250_000, 250_000), Action::SettleEven);
    }

    #[test]
    fn p_9_3_units_are_never_converted() {
        let gj = price("25", "7.5", "44.45", EnergyUnit::Gj, SettlementRule::RefundAndSupplement);
        let energy = "10".parse().unwrap();
        // 100 × 7.50 + 10 × 44.45; by kWh it would be 2777.778 × 0.16 = 444.44.
        assert_eq!(
            settle(&gj, &metered("100"), heated(), (energy, EnergyUnit::Gj))
                .unwrap()
                .charged
                .amount
                .to_string(),
            "1194.50"
        );
        assert_eq!(settle(&gj, &metered("100"), heated(), (energy, EnergyUnit::Kwh)), Err("HEAT_UNIT_MISMATCH"));
    }

    #[test]
    fn energy_is_each_meter_from_its_start_to_its_end() {
        let index = |meter, moment, value| Index {
            meter: Uuid::from_u128(meter),
            moment,
            value: Proved(value),
            unit: EnergyUnit::Kwh,
        };
        let one = [index(1, Moment::Start, 1000), index(1, Moment::End, 9000)];
        assert_eq!(energy(&one), Ok((Energy::from_watt_hours(8000), EnergyUnit::Kwh)));
        let swapped = [one[0], one[1], index(2, Moment::End, 700), index(2, Moment::Start, 200)];
        assert_eq!(energy(&swapped), Ok((Energy::from_watt_hours(8500), EnergyUnit::Kwh)));
        assert_eq!(energy(&[]), Err("SEASON_READING_MISSING"));
        assert_eq!(energy(&one[..1]), Err("SEASON_READING_MISSING"));
        assert_eq!(energy(&swapped[..3]), Err("SEASON_READING_MISSING"));
        assert_eq!(energy(&[index(1, Moment::Start, 10), index(1, Moment::End, 9)]), Err("INDEX_REVERSED"));
        let other = Index {
            unit: EnergyUnit::Gj,
            ..one[1]
        };
        assert_eq!(energy(&[one[0], other]), Err("HEAT_UNIT_MISMATCH"));
    }

    #[test]
    fn b_06_an_index_is_held_against_what_its_meter_can_show_and_pass() {
        // 25 kW: 25 × 24 × 120 = 72 000 kWh from 15 November to 15 March.
        let register = Register {
            digits: 5,
            qmax: 25_000,
            multiplier: 1,
        };
        let (start, end) = (day(2025, 11, 15), day(2026, 3, 15));
        let held = |first: (NaiveDate, i64), last: (NaiveDate, i64), today| {
            let shown = [first, last].map(|(day, kwh)| Shown { day, value: kwh * 1000 });
            proved(register, shown, today).map(|both| both.map(|index| index.value() / 1000))
        };
        assert_eq!(held((start, 1000), (end, 73_000), end), Ok([1000, 73_000]));
        assert_eq!(held((start, 1000), (end, 73_001), end), Err(Refusal::IndexOutOfLine), "more than it can pass");
        assert_eq!(held((start, 1000), (end, 999), end), Err(Refusal::FinalIndexLower));
        assert_eq!(held((start, 99_999), (end, 99_999), end), Ok([99_999; 2]));
        assert_eq!(held((start, 99_999), (end, 100_000), end), Err(Refusal::IndexDigits));
        assert_eq!(held((start, -1), (end, 5), end), Err(Refusal::IndexDigits));
        assert_eq!(held((start, 0), (end, 5), day(2026, 3, 14)), Err(Refusal::FutureReading));
        assert_eq!(held((end, 0), (start, 5), end), Err(Refusal::DateOrder));
        assert_eq!(held((start, 0), (start, 600), end), Ok([0, 600]), "a day has 24 hours");
        assert_eq!(held((start, 0), (start, 601), end), Err(Refusal::IndexOutOfLine));
    }

    #[test]
    fn a_basis_has_an_area_a_height_and_a_correction_in_bounds() {
        assert_eq!(check_basis(&metered("80.5")), Ok(()));
        assert_eq!(check_basis(&metered("0")), Err(Refusal::HeatArea));
        assert_eq!(check_basis(&metered("-1")), Err(Refusal::HeatArea));
        let height = Basis {
            height: Some(50),
            ..metered("80")
        };
        assert_eq!(check_basis(&height), Err(Refusal::HeatHeight));
        let correction = Basis {
            correction: 0,
            ..metered("80")
        };
        assert_eq!(check_basis(&correction), Err(Refusal::HeatCorrection));
        let mut none = price("25", "7.5", "0.13", EnergyUnit::Kwh, SettlementRule::Capped);
        none.terms.metered = None;
        assert_eq!(assess(&none, &metered("80"), heated()), Err("NO_METERED_PRICE"));
    }
}
