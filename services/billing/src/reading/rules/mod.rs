//! The rules that a reading is held against, as pure functions, and the table that says which are asked of what (E2-02, E9-01; B6, B7).

mod checks;
mod season;
mod walk;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use calendar::{NaiveDate, TimeDelta};
use money::Volume;
use serde::Deserialize;

pub use self::{
    checks::{Look, fires},
    walk::{Metered, Point, Start, Verdict, assess},
};
use super::model::{Code, Source};
use crate::{meter::model::MeterKind, words::words};

words! {
    /// Class of a meter: what it is judged as.
    pub enum Class {
        /// Gas, up to 10 m³/h, read on site.
        GasMechanical "GAS_MECHANICAL",
        /// Gas, up to 10 m³/h, reports by itself or by card.
        GasRemote "GAS_REMOTE",
        /// Gas, more than 10 m³/h.
        GasLarge "GAS_LARGE",
        /// Heat.
        Heat "HEAT",
        /// Water.
        Water "WATER",
    }
}

/// Litres an hour up to which a gas meter is a small one (T3).
pub const SMALL: i64 = 10_000;

impl Class {
    /// What a meter is judged as.
    pub const fn of_meter(kind: MeterKind, qmax: i64) -> Self {
        match kind {
            MeterKind::HeatKwh | MeterKind::HeatGj => Self::Heat,
            MeterKind::Water => Self::Water,
            MeterKind::Mechanical | MeterKind::Iot | MeterKind::Ic if qmax > SMALL => Self::GasLarge,
            MeterKind::Mechanical => Self::GasMechanical,
            MeterKind::Iot | MeterKind::Ic => Self::GasRemote,
        }
    }
}

/// How far a source is believed.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// Of two readings at one moment the one of the higher rank stands.
    pub rank: u8,
    /// Whether a person reads it from the register, once a cycle.
    #[serde(default)]
    pub by_hand: bool,
    /// Whether an index out of line waits for a second person.
    #[serde(default)]
    pub check: bool,
}

/// Thresholds of a class of meters; the file explains each.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub window_days: i64,
    pub season_days: i64,
    pub deviation_percent: i64,
    pub deviation_floor: Volume,
    pub spike_factor: i64,
    pub rollover_percent: i64,
    pub restart_percent: i64,
    pub multiplier_low: i64,
    pub multiplier_high: i64,
    pub check_percent: i64,
    pub zero_cycles: u32,
    pub rhythm_readings: usize,
    pub rhythm_hours: i64,
    pub gap_hours: i64,
    pub gap_factor: i64,
    pub zero_hours: i64,
    pub lenient: bool,
}

/// Rules that are asked of readings of some classes and sources.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: String,
    pub classes: Vec<Class>,
    pub sources: Vec<Source>,
    /// When a rule of a stage fires, the later stages are not asked.
    pub stages: Vec<Vec<Code>>,
}

/// E2-03: estimates in a row.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimates {
    pub household: u32,
    pub others: u32,
    pub not_household: Vec<String>,
}

impl Estimates {
    /// Estimates in a row that a class of use allows.
    pub fn allowed(&self, use_class: &str) -> u32 {
        let other = self.not_household.iter().any(|begin| use_class.starts_with(begin.as_str()));
        if other { self.others } else { self.household }
    }
}

/// When a meter has fallen silent.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silent {
    pub factor: i64,
    pub readings: i64,
    pub days: i64,
    pub hours: i64,
}

/// When a meter counts in another scale than in an earlier year.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    pub factor: i64,
    pub years: i32,
    pub days: u16,
}

/// E9-01: the abnormal case of an agreement.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub days: u16,
}

/// E12-01: what a bulk meter may lose.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    pub loss_percent: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    source: BTreeMap<String, Trust>,
    class: BTreeMap<String, Limits>,
    group: Vec<FileGroup>,
    estimates: Estimates,
    silent: Silent,
    scale: Scale,
    case: Case,
    bulk: Bulk,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileGroup {
    name: String,
    classes: Vec<String>,
    sources: Vec<String>,
    stages: Vec<Vec<String>>,
}

/// Everything that a city may decide about the validation of readings.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "File")]
pub struct Rules {
    trust: Vec<(Source, Trust)>,
    limits: Vec<(Class, Limits)>,
    groups: Vec<Group>,
    pub estimates: Estimates,
    pub silent: Silent,
    pub scale: Scale,
    pub case: Case,
    pub bulk: Bulk,
}

impl TryFrom<File> for Rules {
    type Error = String;

    fn try_from(file: File) -> Result<Self, String> {
        file.check()?;
        let trust = Source::ALL
            .iter()
            .map(|s| Ok((*s, *file.source.get(s.code()).ok_or(format!("nothing is said about the source {}", s.code()))?)));
        let limits = Class::ALL
            .iter()
            .map(|c| Ok((*c, *file.class.get(c.code()).ok_or(format!("nothing is said about the class {}", c.code()))?)));
        let groups = file.group.into_iter().map(|g| {
            Ok(Group {
                classes: words(&g.classes, Class::of)?,
                sources: words(&g.sources, Source::of)?,
                stages: g.stages.iter().map(|stage| words(stage, Code::of)).collect::<Result<_, String>>()?,
                name: g.name,
            })
        });
        Ok(Self {
            trust: trust.collect::<Result<_, String>>()?,
            limits: limits.collect::<Result<_, String>>()?,
            groups: groups.collect::<Result<_, String>>()?,
            estimates: file.estimates,
            silent: file.silent,
            scale: file.scale,
            case: file.case,
            bulk: file.bulk,
        })
    }
}

impl File {
    /// Whether every threshold can be meant: beyond these bounds its rule would fire always, or never.
    fn check(&self) -> Result<(), String> {
        for (class, limits) in &self.class {
            Class::of(class).ok_or_else(|| format!("class {class} is not known"))?;
            limits.check().map_err(|what| format!("{class}: {what}"))?;
        }
        for source in self.source.keys() {
            Source::of(source).ok_or_else(|| format!("source {source} is not known"))?;
        }
        let (silent, scale) = (self.silent, self.scale);
        within(&[
            ("silent.factor", silent.factor, 1, 100),
            ("silent.readings", silent.readings, 2, 1000),
            ("silent.days", silent.days, 1, 3660),
            ("silent.hours", silent.hours, 1, 8784),
            ("scale.factor", scale.factor, 2, 1000),
            ("scale.years", scale.years.into(), 1, 10),
            ("scale.days", scale.days.into(), 1, 365),
            ("case.days", self.case.days.into(), 1, 366),
            ("bulk.loss_percent", self.bulk.loss_percent, 0, 100),
        ])
    }
}

/// Whether values, each with its name, lie between two bounds.
fn within(values: &[(&str, i64, i64, i64)]) -> Result<(), String> {
    let off = values.iter().find(|(_, value, least, most)| !(least..=most).contains(&value));
    off.map_or(Ok(()), |(name, value, least, most)| {
        Err(format!("{name} is {value} and not from {least} to {most}"))
    })
}

fn words<T>(names: &[String], of: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    names.iter().map(|name| of(name).ok_or_else(|| format!("{name} is not known"))).collect()
}

impl Rules {
    /// Those that ship with the product, read once.
    ///
    /// # Errors
    /// When the file cannot be read; a test keeps it readable.
    pub fn shipped() -> Result<Arc<Self>, String> {
        static SHIPPED: LazyLock<Result<Arc<Rules>, String>> = LazyLock::new(|| Rules::read(include_str!("rules.toml")).map(Arc::new));
        SHIPPED.clone()
    }

    fn read(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|e| e.to_string())
    }

    /// How far a source is believed; one that is not known, not at all.
    pub fn trust(&self, source: Source) -> Trust {
        self.trust.iter().find(|(s, _)| *s == source).map(|(_, t)| *t).unwrap_or_default()
    }

    /// Thresholds of a class.
    pub fn limits(&self, class: Class) -> &Limits {
        // Every class has some: the file is not read otherwise.
        self.limits.iter().find(|(c, _)| *c == class).map_or(&NONE, |(_, limits)| limits)
    }

    /// The rules that are asked of readings of a class and a source.
    pub fn group(&self, class: Class, source: Source) -> Option<&Group> {
        self.groups.iter().find(|g| g.classes.contains(&class) && g.sources.contains(&source))
    }

    /// The longest time before a reading that the judgement of any class rests on: its comparison, with the same days last year too, and the calendar year in which a
    /// standstill is told once.
    pub fn window(&self, classes: impl Iterator<Item = Class>) -> TimeDelta {
        let asks = |class: Class, code: Code| {
            let own = self.groups.iter().filter(|g| g.classes.contains(&class));
            own.flat_map(|g| g.stages.iter().flatten()).any(|c| *c == code)
        };
        let days = |class| {
            let year = if asks(class, Code::ZeroRun) { 366 } else { 0 };
            let deviates = asks(class, Code::Spike50) || asks(class, Code::Drop50);
            let season = if deviates { season::reach(self.limits(class).season_days) } else { 0 };
            self.limits(class).window_days.max(year).max(season)
        };
        TimeDelta::days(classes.map(days).max().unwrap_or(0))
    }
}

static NONE: Limits = Limits {
    window_days: 0,
    season_days: 0,
    deviation_percent: 0,
    deviation_floor: Volume::ZERO,
    spike_factor: 0,
    rollover_percent: 0,
    restart_percent: 0,
    multiplier_low: 0,
    multiplier_high: 0,
    check_percent: 0,
    zero_cycles: 0,
    rhythm_readings: 0,
    rhythm_hours: 0,
    gap_hours: 0,
    gap_factor: 0,
    zero_hours: 0,
    lenient: false,
};

impl Limits {
    fn check(&self) -> Result<(), String> {
        within(&[
            ("window_days", self.window_days, 1, 3660),
            ("season_days", self.season_days, 0, 366),
            ("deviation_percent", self.deviation_percent, 1, 10_000),
            ("deviation_floor", self.deviation_floor.litres(), 0, i64::MAX),
            ("spike_factor", self.spike_factor, 2, 1000),
            ("rollover_percent", self.rollover_percent, 1, 10_000),
            ("restart_percent", self.restart_percent, 0, 100),
            ("multiplier_low", self.multiplier_low, 1, 100),
            ("multiplier_high", self.multiplier_high, 100, 10_000),
            ("check_percent", self.check_percent, 0, 10_000),
            ("zero_cycles", self.zero_cycles.into(), 1, 1000),
            ("rhythm_readings", i64::try_from(self.rhythm_readings).unwrap_or(i64::MAX), 1, 1000),
            ("rhythm_hours", self.rhythm_hours, 1, 8784),
            ("gap_hours", self.gap_hours, 1, 8784),
            ("gap_factor", self.gap_factor, 1, 1000),
            ("zero_hours", self.zero_hours, 1, 8784),
        ])
    }

    /// First day of the window of a reading.
    pub fn first(&self, date: NaiveDate) -> NaiveDate {
        date.checked_sub_signed(TimeDelta::days(self.window_days)).unwrap_or(NaiveDate::MIN)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests;
