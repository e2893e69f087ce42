//! The readings of one installation in the order of time, each judged by those before it.

use std::collections::VecDeque;

use calendar::NaiveDate;
use chrono::Datelike;

use super::{Class, Limits, Look, Rules, checks::share, fires, season::Season};
use crate::reading::model::{Code, Register, Source, Standing};

/// What a meter is judged as.
#[derive(Clone, Copy, Debug)]
pub struct Metered {
    pub class: Class,
    pub register: Register,
    /// Last day of its life or verification.
    pub expires: Option<NaiveDate>,
}

/// The index with which an installation began.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub date: NaiveDate,
    /// Litres.
    pub value: i64,
}

/// A reading of a chain.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub date: NaiveDate,
    /// Microseconds.
    pub at: i64,
    /// Litres.
    pub value: i64,
    pub standing: Standing,
    pub source: Source,
    /// Whether the index came with an exponent.
    pub lost_digits: bool,
    /// Whether its local time came twice.
    pub time_twice: bool,
    /// Whether there is a photo of it.
    pub photo: bool,
    /// Whether it told of a standstill, where it is not judged anew.
    pub told: bool,
}

/// What the rules say about a reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// In the order of the rules; empty when all is well. Only for readings to be judged.
    pub codes: Vec<Code>,
    /// Litres since the reading before, for an actual one since the actual one before; none without one.
    pub volume: Option<i64>,
    /// Whether the register passed zero since the reading before.
    pub rollover: bool,
    /// Largest cycle of the window, scaled to the days of this one.
    pub largest: Option<i64>,
    /// Smallest cycle of the window that had use, scaled the same way.
    pub smallest: Option<i64>,
}

/// A usable reading, or the beginning.
#[derive(Clone, Copy)]
struct Base {
    date: NaiveDate,
    /// None for the beginning, of which only the day is known.
    at: Option<i64>,
    value: i64,
    by_hand: bool,
}

/// Judges readings. So the verdicts depend on the readings alone, not on the order of their arrival. Without `start` the first usable reading is the base.
/// An actual reading is compared with the actual one before it: what was estimated between proves nothing.
pub fn assess(rules: &Rules, meter: &Metered, start: Option<Start>, points: &[Point]) -> Vec<Verdict> {
    let limits = rules.limits(meter.class);
    let mut walk = Walk {
        rules,
        limits,
        meter,
        actual: start.map(|s| Base {
            date: s.date,
            at: None,
            value: s.value,
            by_hand: false,
        }),
        estimate: None,
        rolled: false,
        window: Window::default(),
        season: Season::default(),
        heard: None,
        lately: VecDeque::new(),
        zeros: 0,
        still: None,
        other: None,
    };
    points
        .iter()
        .map(|point| {
            let verdict = match point.standing {
                Standing::Unused => Verdict::default(),
                Standing::Open | Standing::True => walk.step(*point),
            };
            if point.source != Source::Estimate {
                walk.hear(point.at);
            }
            verdict
        })
        .collect()
}

struct Walk<'a> {
    rules: &'a Rules,
    limits: &'a Limits,
    meter: &'a Metered,
    /// The last reading that was no estimate.
    actual: Option<Base>,
    /// The last estimate since.
    estimate: Option<Base>,
    /// Whether an estimate since passed zero.
    rolled: bool,
    window: Window,
    season: Season,
    /// When anything came from the meter last, usable or not, and the times between.
    heard: Option<i64>,
    lately: VecDeque<i64>,
    zeros: u32,
    /// Since when the index stands still, and whether that was told.
    still: Option<(i64, bool)>,
    /// Another register that nobody has recorded.
    other: Option<Other>,
}

/// A register that seems to count in the place of the one on record.
#[derive(Clone, Copy)]
struct Other {
    date: NaiveDate,
    value: i64,
    /// Readings that it explains.
    count: u32,
    /// Largest cycle when it appeared.
    cycle: Cycle,
}

impl Walk<'_> {
    fn step(&mut self, point: Point) -> Verdict {
        let trust = self.rules.trust(point.source);
        let here = Base {
            date: point.date,
            at: Some(point.at),
            value: point.value,
            by_hand: trust.by_hand,
        };
        let is_estimate = point.source == Source::Estimate;
        let base = if is_estimate { self.estimate.or(self.actual) } else { self.actual };
        let Some(before) = base else {
            self.actual = Some(here);
            self.still = point.told.then_some((point.at, true));
            return Verdict::default();
        };
        let days = point.date.signed_duration_since(before.date).num_days().max(1);
        self.window.forget(self.limits.first(point.date));
        let (largest, smallest) = self.window.bounds(days);
        let (volume, rolled) = self.volume(&point, before.value, largest);
        let elapsed = before
            .at
            .map_or_else(|| days.saturating_mul(24 * 3_600_000_000), |at| point.at.saturating_sub(at));
        let (still, still_told) = self.stands(&point, before, volume);
        let look = Look {
            limits: self.limits,
            trust,
            source: point.source,
            register: self.meter.register,
            expires: self.meter.expires,
            date: point.date,
            before_date: before.date,
            before_by_hand: before.by_hand,
            elapsed,
            days,
            index: point.value,
            before: before.value,
            volume,
            largest,
            smallest,
            last_year: self.season.last_year(before.date, point.date, self.limits.season_days),
            lately: self.season.lately(self.limits.first(point.date), days),
            zeros: self.zeros,
            paused: self.heard.map_or(0, |at| point.at.saturating_sub(at)),
            usual: self.usual(),
            still,
            still_told,
            lost_digits: point.lost_digits,
            time_twice: point.time_twice,
            photo: point.photo,
        };
        let codes = match point.standing {
            Standing::Open if !is_estimate && self.goes_on_elsewhere(&point, before, volume) => vec![Code::NewRegister],
            Standing::Open => self.ask(&look),
            Standing::True | Standing::Unused => vec![],
        };
        let verdict = Verdict {
            // What the estimates between have passed already is not passed again.
            rollover: rolled && (is_estimate || !self.rolled),
            volume,
            largest,
            smallest,
            codes,
        };
        if verdict.codes.iter().any(|c| c.doubts_index()) {
            if self.other.is_none()
                && verdict.codes.contains(&Code::NewRegister)
                && let Some(cycle) = self.window.high.front()
            {
                self.other = Some(Other {
                    date: point.date,
                    value: point.value,
                    count: 1,
                    cycle: *cycle,
                });
            }
            return verdict;
        }
        if is_estimate {
            self.estimate = Some(here);
            self.rolled |= rolled;
            return verdict;
        }
        let volume = volume.unwrap_or(0);
        self.zeros = if volume == 0 { self.zeros.saturating_add(1) } else { 0 };
        let cycle = Cycle {
            from: before.date,
            days,
            volume,
        };
        self.window.push(cycle);
        self.season.push(cycle, point.date, self.limits.season_days);
        if let Some((_, told)) = &mut self.still {
            *told |= point.told || verdict.codes.contains(&Code::ZeroRun) || (still_told && volume == 0);
        }
        (self.actual, self.estimate, self.rolled, self.other) = (Some(here), None, false, None);
        verdict
    }

    fn hear(&mut self, at: i64) {
        let since = self.heard.replace(at).map_or(0, |before| at.saturating_sub(before));
        if since > 0 {
            self.lately.truncate(self.limits.rhythm_readings.saturating_sub(1));
            self.lately.push_front(since);
        }
    }

    /// The middle one of the times between what came lately, the longer of two.
    fn usual(&self) -> Option<i64> {
        let mut times: Vec<i64> = self.lately.iter().copied().collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }

    /// Whether another register explains a reading: it counts on from there by no more than is usual, and has done so before, or the register on record does not
    /// explain it; or it begins anew once more.
    fn goes_on_elsewhere(&mut self, point: &Point, before: Base, volume: Option<i64>) -> bool {
        let Some(other) = &mut self.other else { return false };
        let floor = self.limits.deviation_floor.litres();
        let usual = |since: NaiveDate| {
            let days = point.date.signed_duration_since(since).num_days().max(1);
            share(other.cycle.scaled(days), self.limits.rollover_percent).saturating_add(floor)
        };
        let on_record = volume.is_some_and(|v| v <= usual(before.date));
        let from_zero = point.value < other.value && point.value <= usual(other.date) && !on_record;
        let goes_on = point.value >= other.value && point.value.saturating_sub(other.value) <= usual(other.date) && (other.count > 1 || !on_record);
        if from_zero || goes_on {
            (other.date, other.value) = (point.date, point.value);
            other.count = if from_zero { 1 } else { other.count.saturating_add(1) };
        }
        from_zero || goes_on
    }

    /// Litres since the reading before, and whether the register passed zero: where the rolled volume is usual, or a person said so.
    fn volume(&self, point: &Point, before: i64, largest: Option<i64>) -> (Option<i64>, bool) {
        let plain = point.value.saturating_sub(before);
        if plain >= 0 {
            return (Some(plain), false);
        }
        let rolled = plain.saturating_add(self.meter.register.capacity());
        let usual = largest.map(|l| share(l, self.limits.rollover_percent).saturating_add(self.limits.deviation_floor.litres()));
        if point.standing == Standing::True || point.source == Source::Estimate || usual.is_some_and(|usual| rolled <= usual) {
            (Some(rolled), true)
        } else {
            (None, false)
        }
    }

    /// How long the index has stood still. A standstill that was told is told again in the next calendar year.
    fn stands(&mut self, point: &Point, before: Base, volume: Option<i64>) -> (i64, bool) {
        let Some(at) = before.at.filter(|_| volume == Some(0)) else {
            self.still = None;
            return (0, false);
        };
        let turned = point.date.year() != before.date.year();
        let (since, told) = match self.still {
            Some((_, true)) if turned => (point.at, false),
            Some(still) => still,
            None => (at, false),
        };
        self.still = Some((since, told));
        (point.at.saturating_sub(since), told)
    }

    fn ask(&self, look: &Look<'_>) -> Vec<Code> {
        let stages = self.rules.group(self.meter.class, look.source).map(|g| g.stages.as_slice()).unwrap_or_default();
        let fired = |stage: &Vec<Code>| stage.iter().copied().filter(|code| fires(*code, look)).collect::<Vec<_>>();
        stages.iter().map(fired).find(|codes| !codes.is_empty()).unwrap_or_default()
    }
}

/// A cycle of the window.
#[derive(Clone, Copy)]
pub(super) struct Cycle {
    pub from: NaiveDate,
    pub days: i64,
    pub volume: i64,
}

impl Cycle {
    fn scaled(&self, days: i64) -> i64 {
        let product = i128::from(self.volume).saturating_mul(days.into());
        product
            .checked_div(self.days.into())
            .map_or(self.volume, |v| i64::try_from(v).unwrap_or(i64::MAX))
    }

    fn is_above(&self, other: &Self) -> bool {
        let across = |one: &Self, days: i64| i128::from(one.volume).saturating_mul(days.into());
        across(self, other.days) > across(other, self.days)
    }
}

/// Largest and smallest use a day among the cycles of a sliding window, each step at a constant cost.
#[derive(Default)]
struct Window {
    /// Falling: the first is the largest.
    high: VecDeque<Cycle>,
    /// Rising: the first is the smallest that had use.
    low: VecDeque<Cycle>,
}

impl Window {
    fn push(&mut self, cycle: Cycle) {
        while self.high.back().is_some_and(|c| !c.is_above(&cycle)) {
            self.high.pop_back();
        }
        self.high.push_back(cycle);
        if cycle.volume > 0 {
            while self.low.back().is_some_and(|c| !cycle.is_above(c)) {
                self.low.pop_back();
            }
            self.low.push_back(cycle);
        }
    }

    fn forget(&mut self, first: NaiveDate) {
        for side in [&mut self.high, &mut self.low] {
            while side.front().is_some_and(|c| c.from < first) {
                side.pop_front();
            }
        }
    }

    fn bounds(&self, days: i64) -> (Option<i64>, Option<i64>) {
        (self.high.front().map(|c| c.scaled(days)), self.low.front().map(|c| c.scaled(days)))
    }
}
