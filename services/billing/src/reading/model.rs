//! Validation of readings (E2-02) and decisions on exceptions, pure.

use calendar::{NaiveDate, TimeDelta};
use money::{DecimalError, Volume};
use serde::Deserialize;

use crate::{meter::model::MeterKind, refusal::Refusal, words::words};

words! {
    /// What was found about readings, gravest first.
    pub enum Code {
        /// Two values at one moment.
        Conflict "CONFLICT",
        /// Lower than before, no plausible rollover (edge 4).
        Reverse "REVERSE",
        /// Far above everything before.
        Spike "SPIKE",
        /// More than the meter can pass.
        OverQmax "OVER_QMAX",
        /// Above the comparison window.
        Spike50 "SPIKE_50",
        /// Below the comparison window.
        Drop50 "DROP_50",
        /// No use again (edge 11).
        Zero2 "ZERO_2",
        /// No reading in the month.
        Missing "MISSING",
        /// Consumption without a contract in force.
        ContractMissing "CONTRACT_MISSING",
    }
}

impl Code {
    /// Whether it keeps the reading from being billed.
    pub const fn holds(self) -> bool {
        matches!(
            self,
            Self::Conflict | Self::Reverse | Self::Spike | Self::OverQmax | Self::Spike50 | Self::Drop50
        )
    }

    /// Whether the index itself is doubted, so that the next reading is compared with the one before it.
    pub const fn doubts_index(self) -> bool {
        matches!(self, Self::Conflict | Self::Reverse | Self::Spike | Self::OverQmax)
    }

    /// Whether a person may close it with the readings as they are.
    pub const fn is_releasable(self) -> bool {
        matches!(
            self,
            Self::Spike | Self::Spike50 | Self::Drop50 | Self::Zero2 | Self::Missing | Self::ContractMissing
        )
    }
}

/// Codes as the database keeps them: gravest first, parted by blanks.
pub fn join(codes: &[Code]) -> String {
    codes.iter().map(|c| c.code()).collect::<Vec<_>>().join(" ")
}

/// Codes from the database; unknown ones are passed over.
pub fn codes_of(text: &str) -> Vec<Code> {
    text.split_whitespace().filter_map(Code::of).collect()
}

words! {
    /// Where a reading stands.
    pub enum ReadingState {
        /// Passes every check as the chain stands.
        Validated "VALIDATED",
        /// Held by an exception.
        Held "HELD",
        /// Accepted by a person.
        Accepted "ACCEPTED",
        /// A bill ends at it.
        Billed "BILLED",
        /// Rejected by a person.
        Rejected "REJECTED",
        /// Its bill was reversed because it was wrong.
        Corrected "CORRECTED",
    }
}

impl ReadingState {
    /// Whether a bill may end at it.
    pub const fn is_billable(self) -> bool {
        matches!(self, Self::Validated | Self::Accepted)
    }

    /// Whether it counts at all.
    pub const fn is_live(self) -> bool {
        !matches!(self, Self::Rejected | Self::Corrected)
    }
}

words! {
    /// Where an exception stands.
    pub enum ExceptionState {
        /// Waits for a person.
        Open "OPEN",
        /// The reading is true.
        Released "RELEASED",
        /// The reading is wrong.
        Rejected "REJECTED",
        /// The true index was put in.
        Adjusted "ADJUSTED",
        /// Later arrivals removed the cause.
        Resolved "RESOLVED",
    }
}

/// What is done with an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Release,
    Reject,
    Adjust,
    /// By the system, when the cause is gone.
    Resolve,
}

/// Moves an exception. Only an open one moves; what may be done depends on what was found.
///
/// # Errors
/// EXCEPTION_NOT_OPEN, EXCEPTION_NOT_RELEASABLE, EXCEPTION_NOT_REJECTABLE, EXCEPTION_NOT_ADJUSTABLE.
pub fn step(state: ExceptionState, codes: &[Code], decision: Decision) -> Result<ExceptionState, Refusal> {
    if state != ExceptionState::Open {
        return Err(Refusal::ExceptionNotOpen);
    }
    let holds = codes.iter().any(|c| c.holds());
    match decision {
        Decision::Release if codes.iter().all(|c| c.is_releasable()) => Ok(ExceptionState::Released),
        Decision::Release => Err(Refusal::ExceptionNotReleasable),
        Decision::Reject if holds => Ok(ExceptionState::Rejected),
        Decision::Reject => Err(Refusal::ExceptionNotRejectable),
        Decision::Adjust if holds => Ok(ExceptionState::Adjusted),
        Decision::Adjust => Err(Refusal::ExceptionNotAdjustable),
        Decision::Resolve => Ok(ExceptionState::Resolved),
    }
}

/// Numbers that a city may decide.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    pub window_days: i64,
    pub deviation_percent: i64,
    pub deviation_floor: Volume,
    pub spike_factor: i64,
    pub rollover_percent: i64,
    pub zero_cycles: u32,
}

impl Thresholds {
    /// Those that ship with the product.
    ///
    /// # Errors
    /// When the file cannot be read; a test keeps it readable.
    pub fn shipped() -> Result<Self, toml::de::Error> {
        toml::from_str(include_str!("thresholds.toml"))
    }

    /// The days before a reading that it is compared with.
    pub fn window(&self) -> TimeDelta {
        TimeDelta::days(self.window_days)
    }
}

/// What the meter can show and pass.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    pub digits: u32,
    /// Litres an hour.
    pub qmax: i64,
}

impl Register {
    /// The first index, in litres, that the register cannot show.
    pub fn capacity(self) -> i64 {
        10_i64.checked_pow(self.digits).and_then(|n| n.checked_mul(1000)).unwrap_or(i64::MAX)
    }
}

/// Reads an index as it came. Mechanical registers count in whole cubic metres: the red decimals are cut off.
///
/// # Errors
/// INDEX_NOT_PLAIN_DIGITS, INDEX_PLACES, INDEX_DIGITS.
pub fn index_of(text: &str, kind: MeterKind, register: Register) -> Result<i64, Refusal> {
    let value = Volume::parse(text).map_err(|e| match e {
        DecimalError::Format => Refusal::IndexNotPlainDigits,
        DecimalError::Scale => Refusal::IndexPlaces,
        DecimalError::Range => Refusal::IndexDigits,
    })?;
    let litres = value.litres();
    if litres < 0 || text.starts_with('-') {
        return Err(Refusal::IndexNotPlainDigits);
    }
    if litres >= register.capacity() {
        return Err(Refusal::IndexDigits);
    }
    Ok(if kind == MeterKind::Mechanical { litres - litres % 1000 } else { litres })
}

/// How a reading enters the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// To be judged.
    Open,
    /// True, whatever the checks say: billed or accepted by a person.
    True,
    /// Not to be used: rejected, corrected, or one of two values at one moment.
    Unused,
}

/// A reading of a chain.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub date: NaiveDate,
    /// Litres.
    pub value: i64,
    pub standing: Standing,
}

/// What the checks say about a reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Gravest first; empty when all is well. Only for readings to be judged.
    pub codes: Vec<Code>,
    /// Litres since the reading before; none without one.
    pub volume: Option<i64>,
    /// Whether the register passed zero since the reading before.
    pub rollover: bool,
    /// Largest month of the window, scaled to the days of this one.
    pub largest: Option<i64>,
    /// Smallest month of the window that had use, scaled the same way.
    pub smallest: Option<i64>,
}

struct Month {
    from: NaiveDate,
    days: i64,
    volume: i64,
}

/// Judges the readings of one installation in the order of time, each by those before it. So the verdicts depend on the readings
/// alone, not on the order of their arrival. `start` is the initial index; without it the first usable reading is the base.
pub fn assess(thresholds: &Thresholds, register: Register, start: Option<(NaiveDate, i64)>, points: &[Point]) -> Vec<Verdict> {
    let mut before = start;
    let mut months: Vec<Month> = vec![];
    let mut zeros = 0_u32;
    let mut verdicts = Vec::with_capacity(points.len());
    for point in points {
        if point.standing == Standing::Unused {
            verdicts.push(Verdict::default());
            continue;
        }
        let Some((date, value)) = before else {
            before = Some((point.date, point.value));
            verdicts.push(Verdict::default());
            continue;
        };
        let days = (point.date - date).num_days().max(1);
        let first = point.date.checked_sub_signed(thresholds.window());
        let window = || months.iter().filter(|m| first.is_none_or(|first| m.from >= first));
        let largest = window().map(|m| scaled(m, days)).max();
        let smallest = window().filter(|m| m.volume > 0).map(|m| scaled(m, days)).min();
        let verdict = judge(thresholds, register, *point, days, value, largest, smallest, zeros);
        if verdict.codes.iter().any(|c| c.doubts_index()) {
            verdicts.push(verdict);
            continue;
        }
        let volume = verdict.volume.unwrap_or(0);
        zeros = if volume == 0 { zeros.saturating_add(1) } else { 0 };
        months.push(Month { from: date, days, volume });
        before = Some((point.date, point.value));
        verdicts.push(verdict);
    }
    verdicts
}

fn scaled(month: &Month, days: i64) -> i64 {
    month.volume.saturating_mul(days) / month.days
}

#[allow(clippy::too_many_arguments, reason = "one place knows the checks of E2-02")]
fn judge(
    thresholds: &Thresholds,
    register: Register,
    point: Point,
    days: i64,
    before: i64,
    largest: Option<i64>,
    smallest: Option<i64>,
    zeros: u32,
) -> Verdict {
    let mut verdict = Verdict {
        largest,
        smallest,
        ..Verdict::default()
    };
    let floor = thresholds.deviation_floor.litres();
    let plain = point.value.saturating_sub(before);
    let mut volume = plain;
    if plain < 0 {
        let rolled = plain.saturating_add(register.capacity());
        let usual = largest.map(|l| share(l, thresholds.rollover_percent).saturating_add(floor));
        if point.standing == Standing::True || usual.is_some_and(|usual| rolled <= usual) {
            verdict.rollover = true;
            volume = rolled;
        } else {
            verdict.codes.push(Code::Reverse);
            return verdict;
        }
    }
    verdict.volume = Some(volume);
    if point.standing == Standing::True {
        return verdict;
    }
    let above = |bound: i64| volume > bound && largest.is_some_and(|l| volume.saturating_sub(l) > floor);
    if largest.is_some_and(|l| above(l.saturating_mul(thresholds.spike_factor))) {
        verdict.codes.push(Code::Spike);
    }
    if volume > register.qmax.saturating_mul(24).saturating_mul(days) {
        verdict.codes.push(Code::OverQmax);
    }
    if verdict.codes.is_empty() && volume > 0 {
        if largest.is_some_and(|l| above(share(l, 100_i64.saturating_add(thresholds.deviation_percent)))) {
            verdict.codes.push(Code::Spike50);
        } else if let Some(s) = smallest
            && volume < share(s, 100_i64.saturating_sub(thresholds.deviation_percent))
            && s.saturating_sub(volume) > floor
        {
            verdict.codes.push(Code::Drop50);
        }
    }
    if volume == 0 && zeros.saturating_add(1) == thresholds.zero_cycles {
        verdict.codes.push(Code::Zero2);
    }
    verdict
}

fn share(volume: i64, percent: i64) -> i64 {
    volume.saturating_mul(percent) / 100
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;

    use super::*;

    const G25: Register = Register { digits: 5, qmax: 4000 };

    fn thresholds() -> Thresholds {
        Thresholds::shipped().unwrap()
    }

    /// A chain of month ends of 2025, installed on the last day of 2024.
    fn chain(start: i64, metres: &[i64]) -> Vec<Verdict> {
        let first = NaiveDate::from_ymd_opt(2024, 12, 31).unwrap();
        let points: Vec<_> = metres
            .iter()
            .zip(1..)
            .map(|(m, month)| Point {
                date: month_end(month),
                value: m * 1000,
                standing: Standing::Open,
            })
            .collect();
        assess(&thresholds(), G25, Some((first, start * 1000)), &points)
    }

    fn month_end(month: u32) -> NaiveDate {
        let next = if month == 12 {
            NaiveDate::from_ymd_opt(2026, 1, 1)
        } else {
            NaiveDate::from_ymd_opt(2025, month + 1, 1)
        };
        next.unwrap().pred_opt().unwrap()
    }

    fn codes(verdicts: &[Verdict]) -> Vec<String> {
        verdicts.iter().map(|v| join(&v.codes)).collect()
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let list = |words: Vec<(i32, &'static str)>| words;
        testbed::assert_contract(&list(Code::ALL.iter().map(|w| (w.number(), w.code())).collect()), "CODE_", |n| {
            proto::reading_exception::Code::try_from(n).ok().map(|v| v.as_str_name())
        });
        testbed::assert_contract(&list(ExceptionState::ALL.iter().map(|w| (w.number(), w.code())).collect()), "STATE_", |n| {
            proto::reading_exception::State::try_from(n).ok().map(|v| v.as_str_name())
        });
        testbed::assert_contract(&list(ReadingState::ALL.iter().map(|w| (w.number(), w.code())).collect()), "STATE_", |n| {
            proto::reading::State::try_from(n).ok().map(|v| v.as_str_name())
        });
    }

    #[test]
    fn e_2_02_index_is_plain_digits_within_the_register() {
        let iot = |text| index_of(text, MeterKind::Iot, G25);
        assert_eq!(iot("3807.40"), Ok(3_807_400));
        assert_eq!(iot("00012"), Ok(12_000));
        assert_eq!(index_of("4106.9", MeterKind::Mechanical, G25), Ok(4_106_000));
        assert_eq!(iot("99999.999"), Ok(99_999_999));
        assert_eq!(iot("1040760"), Err(Refusal::IndexDigits));
        assert_eq!(iot("100000"), Err(Refusal::IndexDigits));
        assert_eq!(iot("99999999999999999999"), Err(Refusal::IndexDigits));
        assert_eq!(iot("12.3456"), Err(Refusal::IndexPlaces));
        for text in ["8e+03", "", " 12", "12 ", "+12", "-1", "-0", "1,000", "１２", "12.", ".5", "NaN", "0x10"] {
            assert_eq!(iot(text), Err(Refusal::IndexNotPlainDigits), "{text}");
        }
    }

    #[test]
    fn e_2_02_good_months_pass() {
        let verdicts = chain(2514, &[2574, 2635, 2692]);
        assert_eq!(codes(&verdicts), ["", "", ""]);
        assert_eq!(
            verdicts.iter().map(|v| v.volume).collect::<Vec<_>>(),
            [Some(60_000), Some(61_000), Some(57_000)]
        );
    }

    #[test]
    fn edge_03_rollover_of_25_metres_is_billed() {
        let verdicts = chain(99_900, &[99_930, 99_960, 99_987, 12]);
        assert_eq!(codes(&verdicts), ["", "", "", ""]);
        let last = verdicts.last().unwrap();
        assert!(last.rollover);
        assert_eq!(last.volume, Some(25_000));
    }

    #[test]
    fn edge_03_rollover_without_history_is_not_plausible() {
        assert_eq!(codes(&chain(99_987, &[12])), ["REVERSE"]);
    }

    #[test]
    fn edge_04_lower_index_is_reverse_and_the_next_is_compared_with_the_one_before() {
        let verdicts = chain(39, &[69, 99, 80, 150]);
        assert_eq!(codes(&verdicts), ["", "", "REVERSE", ""]);
        assert_eq!(verdicts[2].volume, None);
        assert_eq!(verdicts[3].volume, Some(51_000));
    }

    #[test]
    fn e_2_02_spike_is_held_and_does_not_spoil_the_next() {
        // M101000015 of the city: 380 → 3423 → 452.
        let verdicts = chain(165, &[211, 256, 297, 337, 380, 3423, 452]);
        assert_eq!(codes(&verdicts), ["", "", "", "", "", "SPIKE OVER_QMAX", ""]);
        assert_eq!(verdicts[6].volume, Some(72_000));
    }

    #[test]
    fn edge_42_two_rules_fire_on_one_reading_gravest_first() {
        assert_eq!(codes(&chain(0, &[100, 200, 200 + 3200]))[2], "SPIKE OVER_QMAX");
        // 4 m3/h passes at most 2976 m3 in 31 days.
        assert_eq!(codes(&chain(0, &[2976]))[0], "");
        assert_eq!(codes(&chain(0, &[2977]))[0], "OVER_QMAX");
    }

    #[test]
    fn e_2_02_deviation_needs_more_than_half_and_more_than_20_metres() {
        // February has 28 days: 31/28 of its volume is compared with a month of 31.
        assert_eq!(codes(&chain(0, &[62, 118, 118 + 93]))[2], "");
        assert_eq!(codes(&chain(0, &[62, 118, 118 + 94]))[2], "SPIKE_50");
        assert_eq!(codes(&chain(0, &[10, 20, 20 + 31]))[2], "", "20 m3 more at most");
        assert_eq!(codes(&chain(0, &[62, 118, 118 + 31]))[2], "");
        assert_eq!(codes(&chain(0, &[62, 118, 118 + 30]))[2], "DROP_50");
        assert_eq!(codes(&chain(0, &[30, 58, 58 + 12]))[2], "", "20 m3 less at most");
    }

    #[test]
    fn e_2_02_held_deviation_counts_in_the_comparison_of_the_next() {
        let verdicts = chain(0, &[300, 580, 680, 780]);
        assert_eq!(codes(&verdicts), ["", "", "DROP_50", ""]);
        assert_eq!(verdicts[3].volume, Some(100_000));
    }

    #[test]
    fn edge_11_second_month_without_use_opens_a_visit_once() {
        let verdicts = chain(100, &[150, 150, 150, 150, 180, 180, 180]);
        assert_eq!(codes(&verdicts), ["", "", "ZERO_2", "", "", "", "ZERO_2"]);
        assert!(verdicts[1].codes.is_empty() && verdicts[1].volume == Some(0));
    }

    #[test]
    fn e_2_02_what_a_person_accepted_stands() {
        let day = |m| month_end(m);
        let points = [
            Point {
                date: day(1),
                value: 100_000,
                standing: Standing::Open,
            },
            Point {
                date: day(2),
                value: 2_000_000,
                standing: Standing::True,
            },
            Point {
                date: day(3),
                value: 2_100_000,
                standing: Standing::Open,
            },
            Point {
                date: day(4),
                value: 50_000,
                standing: Standing::Unused,
            },
            Point {
                date: day(5),
                value: 2_250_000,
                standing: Standing::Open,
            },
        ];
        let verdicts = assess(&thresholds(), G25, Some((day(1) - TimeDelta::days(31), 0)), &points);
        assert_eq!(codes(&verdicts), ["", "", "", "", ""]);
        assert_eq!(verdicts[4].volume, Some(150_000));
    }

    #[test]
    fn e_2_02_verdicts_do_not_depend_on_what_comes_later() {
        let metres = [120, 230, 160, 300, 900, 340, 380, 20, 420];
        let whole = chain(0, &metres);
        for n in 0..metres.len() {
            assert_eq!(chain(0, &metres[..n]), whole[..n]);
        }
    }

    #[test]
    fn e_2_02_table_of_decisions() {
        use Decision::*;
        use ExceptionState as S;
        for state in S::ALL.iter().copied().filter(|s| *s != S::Open) {
            for decision in [Release, Reject, Adjust, Resolve] {
                assert_eq!(step(state, &[Code::Spike50], decision), Err(Refusal::ExceptionNotOpen));
            }
        }
        let rows = [
            (Code::Conflict, false, true),
            (Code::Reverse, false, true),
            (Code::Spike, true, true),
            (Code::OverQmax, false, true),
            (Code::Spike50, true, true),
            (Code::Drop50, true, true),
            (Code::Zero2, true, false),
            (Code::Missing, true, false),
            (Code::ContractMissing, true, false),
        ];
        assert_eq!(rows.len(), Code::ALL.len());
        for (code, release, holds) in rows {
            let outcome = |good: bool, state, refusal| if good { Ok(state) } else { Err(refusal) };
            assert_eq!(
                step(S::Open, &[code], Release),
                outcome(release, S::Released, Refusal::ExceptionNotReleasable),
                "{code:?}"
            );
            assert_eq!(
                step(S::Open, &[code], Reject),
                outcome(holds, S::Rejected, Refusal::ExceptionNotRejectable),
                "{code:?}"
            );
            assert_eq!(
                step(S::Open, &[code], Adjust),
                outcome(holds, S::Adjusted, Refusal::ExceptionNotAdjustable),
                "{code:?}"
            );
            assert_eq!(step(S::Open, &[code], Resolve), Ok(S::Resolved));
        }
        assert_eq!(step(S::Open, &[Code::Spike, Code::OverQmax], Release), Err(Refusal::ExceptionNotReleasable));
    }
}
