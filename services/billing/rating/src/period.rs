//! What the use between two bills costs: cut where another price begins, each part under its own version, rounded once.

use std::borrow::Cow;

use chrono::{Days, NaiveDate};
use money::Volume;

use crate::{
    Book, Change, DegreeDays, Ledger, LowIncome, Plan, Profile, Rated, RatingError, ReadMonths, Rule, Segment, Terms, Usage, Version,
    bill::{Origin, Source, rate_on},
    conversion::Converted,
    days::{Weights, bounds, months_between, sharing_step, weights},
    explain::{Token, Trace},
};

/// Use of one meter between two readings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Leg<'a> {
    /// Day of the reading before.
    pub from: NaiveDate,
    /// Day of the reading that ends it.
    pub to: NaiveDate,
    /// What was used.
    pub volume: Volume,
    /// What names the meter in the explanation; empty where nothing does.
    pub meter: &'a str,
    /// The indexes that it was read from, to explain it.
    pub index: Option<Index>,
    /// The parts of what was counted as they were converted, oldest first; none of a meter that needs it not.
    pub converted: &'a [Converted],
    /// Readings between the two, oldest first, with what was used up to them.
    pub reads: &'a [(NaiveDate, Volume)],
}

/// The indexes of a leg: its volume is `end - start + rolled + adjusted`, the first three converted where it has conversions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// The earlier one.
    pub start: Volume,
    /// The later one.
    pub end: Volume,
    /// What a register that passed its end has counted besides.
    pub rolled: Volume,
    /// What was adjusted besides, more or less (E11).
    pub adjusted: Volume,
    /// Whether the later one is an estimate.
    pub estimated: bool,
}

/// The use of an agreement between two bills.
#[derive(Debug, Clone, Copy)]
pub struct Period<'a> {
    /// The terms of the agreement.
    pub terms: &'a Terms,
    /// All prices.
    pub book: &'a Book,
    /// Meters, one after the other (a swap) or side by side (a household that shares its tiers).
    pub legs: &'a [Leg<'a>],
    /// Day of the reading that the bill ends with.
    pub read: NaiveDate,
    /// In which months the agreement is read; those of the reading where nobody said.
    pub read_months: Option<ReadMonths>,
    /// Degree days of the branch, for versions that share by them.
    pub degree_days: Option<&'a DegreeDays>,
    /// Volume of the tier-years before.
    pub ledger: &'a Ledger,
}

/// A part of the use under one price.
#[derive(Debug, Clone)]
pub struct PricedPart<'a> {
    /// Day of the reading (or cut) it starts after.
    pub from: NaiveDate,
    /// Its last day.
    pub to: NaiveDate,
    /// What was used.
    pub volume: Volume,
    /// The version that prices it.
    pub version: &'a Version,
    /// The tier-year that it counts in.
    pub tier_year: i32,
    /// What the prices were asked for: only what makes a difference to them.
    pub profile: Profile,
    /// Registered persons, as far as they count in this tier-year.
    pub persons: u16,
    /// Proven low income.
    pub low_income: Option<LowIncome>,
}

/// A bill with the parts of its use; [`crate::Line::segment`] counts them.
#[derive(Debug, Clone)]
pub struct Priced<'a> {
    /// The parts, by day.
    pub parts: Vec<PricedPart<'a>>,
    /// What they cost.
    pub rated: Rated,
}

/// What decides the price of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Basis<'a> {
    version: &'a Version,
    tier_year: i32,
    profile: Profile,
}

/// A part of a leg while it is cut.
#[derive(Debug, Clone, Copy)]
struct Piece {
    from: NaiveDate,
    to: NaiveDate,
    volume: Volume,
    source: Source,
}

/// How the use before and after a cut is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// By what was used up to a reading.
    Reading(Volume),
    DegreeDays,
    Days,
}

impl<'a> Period<'a> {
    /// Prices the period.
    ///
    /// # Errors
    /// [`RatingError::ClassMissing`], [`RatingError::TariffMissing`], [`RatingError::DegreeDaysMissing`], and those of [`crate::rate`].
    pub fn price(&self) -> Result<Priced<'a>, RatingError> {
        let mut trace = Trace::new();
        let mut cut_parts = Vec::with_capacity(self.legs.len());
        let mut shares = 0_usize;
        let mut conversions = 0_usize;
        for (number, leg) in (1..).zip(self.legs) {
            // A meter that was replaced on the day it came has no days; what it counted is priced as that day is.
            if leg.from == leg.to && leg.volume.is_zero() {
                continue;
            }
            if leg.to < leg.from {
                return Err(RatingError::DayOrder);
            }
            if leg.volume.is_negative() {
                return Err(RatingError::NegativeVolume);
            }
            told(&mut trace, number, leg, &mut conversions)?;
            let whole = Piece {
                from: leg.from,
                to: leg.to,
                volume: leg.volume,
                source: Source::Meter(number),
            };
            let cuts = self.cuts(leg)?;
            for piece in cut(&mut trace, whole, &cuts, self.degree_days, &mut shares)? {
                let Basis { version, tier_year, profile } = self.basis(leg, piece.to)?;
                let part = PricedPart {
                    from: piece.from,
                    to: piece.to,
                    volume: piece.volume,
                    version,
                    tier_year,
                    persons: self.counted(version, tier_year, piece.to)?,
                    low_income: self.terms.low_income(piece.to),
                    profile,
                };
                cut_parts.push((part, piece.source));
            }
        }
        // Meters side by side share their tiers day by day: none comes first as a whole.
        cut_parts.sort_by_key(|(part, _)| (part.to, part.from));
        let (parts, sources): (Vec<_>, Vec<_>) = cut_parts.into_iter().unzip();
        let plans = parts.iter().map(plan).collect::<Result<Vec<_>, _>>()?;
        let mut segments = Vec::with_capacity(parts.len());
        let mut until: Option<NaiveDate> = None;
        for ((part, plan), source) in parts.iter().zip(&plans).zip(&sources) {
            // What is due by time is due once, also where meters stand side by side.
            let due = until.map_or(part.from, |until| until.clamp(part.from, part.to));
            segments.push(Segment {
                plan,
                tier_year: part.tier_year,
                usage: Usage::volume(part.volume),
                free_months: months_between(due, part.to),
                days: Some((part.from, part.to)),
                tariff: &part.version.label,
                origin: Origin {
                    charged_until: Some(due),
                    source: *source,
                },
            });
            until = until.max(Some(part.to));
        }
        let rated = rate_on(trace, &segments, self.ledger)?;
        drop(segments);
        Ok(Priced { parts, rated })
    }

    /// What decides the price of a day of a leg.
    fn basis(&self, leg: &Leg<'_>, day: NaiveDate) -> Result<Basis<'a>, RatingError> {
        let class = self.terms.class(day).ok_or(RatingError::ClassMissing)?;
        let version = self
            .book
            .pricing(class, day, self.read, |first| leg.proved_before(first))
            .ok_or(RatingError::TariffMissing)?;
        let tariff = &*version.tariff;
        let months = self.read_months.unwrap_or_else(|| ReadMonths::of(self.read));
        let tier_year = tariff.tier_year_for(if tariff.splits_years() { day } else { self.read }, months);
        let start = tariff.tier_year_start_for(tier_year, months).ok_or(RatingError::DayOrder)?;
        let rules = tariff.class(class)?;
        let registered = self.terms.persons(day).0;
        let chosen = rules.household.choice.is_some_and(|choice| registered >= choice.from_persons) && self.terms.flat_price(day);
        // What makes no difference to the prices cuts no period and needs no plan of its own.
        let raised = rules.household.uplift.filter(|_| !chosen);
        let (persons, months) = raised.and_then(|rule| self.terms.uplift(rule, day, start)).unwrap_or((0, 12));
        let relief = rules.relief;
        let profile = Profile {
            persons: if chosen { registered } else { persons },
            uplift_months: months,
            low_income: self.terms.low_income(day).filter(|kind| match kind {
                LowIncome::Subsistence => relief.subsistence.is_some(),
                LowIncome::Destitute => relief.destitute.is_some(),
            }),
            flat_choice: chosen,
            allowance_months: if rules.months_open { self.terms.months_open(start) } else { 12 },
            ..Profile::default()
        };
        Ok(Basis { version, tier_year, profile })
    }

    /// Persons that count in the tier-year of a day.
    fn counted(&self, version: &Version, tier_year: i32, day: NaiveDate) -> Result<u16, RatingError> {
        let months = self.read_months.unwrap_or_else(|| ReadMonths::of(self.read));
        let start = version.tariff.tier_year_start_for(tier_year, months).ok_or(RatingError::DayOrder)?;
        Ok(self.terms.counted(day, start))
    }

    /// First days of another price, class, entitlement or tier-year within a leg, and how the use is told apart there.
    fn cuts(&self, leg: &Leg<'_>) -> Result<Vec<(NaiveDate, Cut)>, RatingError> {
        // A cut on the first day changes nothing: the days of a leg are those after its first reading.
        let Some(first) = leg.from.succ_opt().filter(|first| *first < leg.to) else {
            return Ok(Vec::new());
        };
        let mut days: Vec<NaiveDate> = self.terms.changes().filter(|day| first < *day && *day <= leg.to).collect();
        let inside = |day: &NaiveDate| first < *day && *day <= leg.to;
        for class in self.terms.classes.iter().map(|term| term.value.as_str()) {
            for version in self.book.within(class, first, leg.to) {
                days.extend(Some(version.from).filter(inside));
                // With a reading at the cutover the new price begins after it.
                days.extend(leg.proved_before(version.from).succ_opt().filter(inside));
                if version.tariff.splits_years() {
                    for year in version.tariff.tier_year_of(first)..=version.tariff.tier_year_of(leg.to) {
                        days.extend(version.tariff.tier_year_start(year).filter(inside));
                    }
                }
            }
        }
        days.sort_unstable();
        days.dedup();
        let mut kept = Vec::with_capacity(days.len());
        for day in days {
            let eve = day.pred_opt().ok_or(RatingError::DayOrder)?;
            let (before, after) = (self.basis(leg, eve)?, self.basis(leg, day)?);
            // Where the same price stands on both sides, nothing is cut.
            if before != after {
                kept.push((day, leg.cut(day, eve, &before, &after)));
            }
        }
        Ok(kept)
    }
}

impl Leg<'_> {
    /// The last day before `first` up to which readings prove what was used; the day of the reading before, where there is none.
    fn proved_before(&self, first: NaiveDate) -> NaiveDate {
        if self.to < first {
            return self.to;
        }
        let read = self.reads.iter().rev().map(|(day, _)| *day).find(|day| *day < first);
        read.map_or(self.from, |day| day.max(self.from))
    }

    fn cut(&self, day: NaiveDate, eve: NaiveDate, before: &Basis<'_>, after: &Basis<'_>) -> Cut {
        let passes = before.version != after.version && before.version.class == after.version.class;
        match after.version.tariff.change {
            Change::CutoverRead if passes => match self.reads.iter().find(|(read, _)| *read == eve) {
                Some((_, used)) => Cut::Reading(*used),
                None => Cut::Days,
            },
            Change::DegreeDays if passes && after.version.from == day => Cut::DegreeDays,
            _ => Cut::Days,
        }
    }
}

fn plan<'p>(part: &PricedPart<'p>) -> Result<Cow<'p, Plan>, RatingError> {
    match &part.version.standard {
        Some(plan) if part.profile == Profile::default() => Ok(Cow::Borrowed(plan)),
        _ => part.version.tariff.plan(&part.version.class, &part.profile).map(Cow::Owned),
    }
}

/// Explains what a meter counted.
fn told(trace: &mut Trace, number: usize, leg: &Leg<'_>, conversions: &mut usize) -> Result<(), RatingError> {
    let of = |word| Token::Of('m', number, word);
    let used = Token::Volume(leg.volume);
    if !leg.meter.is_empty() {
        trace.fact(of("meter"), &[Token::Word(leg.meter)]);
    }
    let Some(index) = leg.index else {
        trace.given(of("used"), used);
        return Ok(());
    };
    trace.given(of("start"), Token::Volume(index.start));
    trace.given(of("end"), Token::Volume(index.end));
    if index.estimated {
        trace.fact(of("read"), &[Token::Word("ESTIMATE")]);
    }
    let besides = [("rolled", index.rolled), ("adjusted", index.adjusted)];
    let besides: Vec<_> = besides.into_iter().filter(|(_, volume)| !volume.is_zero()).collect();
    if besides.is_empty() && leg.converted.is_empty() {
        trace.step(of("used"), Rule::Sub, &[of("end"), of("start")], used);
        return Ok(());
    }
    let moved = index.end.checked_sub(index.start)?;
    for (word, volume) in &besides {
        trace.given(of(word), Token::Volume(*volume));
    }
    trace.step(of("moved"), Rule::Sub, &[of("end"), of("start")], Token::Volume(moved));
    let mut inputs = vec![of("moved")];
    if !leg.converted.is_empty() {
        if !index.rolled.is_zero() {
            let counted = moved.checked_add(index.rolled)?;
            trace.step(of("counted"), Rule::Add, &[of("moved"), of("rolled")], Token::Volume(counted));
            inputs = vec![of("counted")];
        }
        inputs = converted(trace, inputs, leg.converted, conversions)?;
    } else if !index.rolled.is_zero() {
        inputs.push(of("rolled"));
    }
    if !index.adjusted.is_zero() {
        inputs.push(of("adjusted"));
    }
    trace.step(of("used"), Rule::Add, &inputs, used);
    Ok(())
}

/// Explains how what was counted was converted, part by part; gives the names of the parts.
fn converted<'t>(trace: &mut Trace, mut rest: Vec<Token<'t>>, parts: &[Converted], conversions: &mut usize) -> Result<Vec<Token<'t>>, RatingError> {
    let mut names = Vec::with_capacity(parts.len());
    for (place, part) in (1..).zip(parts) {
        *conversions = conversions.saturating_add(1);
        let of = |word| Token::Of('k', *conversions, word);
        // The last part is what the readings before it left.
        if place < parts.len() {
            trace.given(of("counted"), Token::Volume(part.counted));
            rest.push(of("counted"));
        } else {
            trace.step(of("counted"), Rule::Sub, &rest, Token::Volume(part.counted));
        }
        trace.given(of("factor"), Token::Factor(part.factor));
        trace.step(of("exact"), Rule::Mul, &[of("counted"), of("factor")], Token::Exact(part.exact()?));
        let place = Token::Volume(Volume::from_litres(1));
        trace.step(of(""), Rule::Round, &[Token::Word("half_up"), place, of("exact")], Token::Volume(part.volume));
        names.push(of(""));
    }
    Ok(names)
}

/// Cuts the use of a leg: first where a reading tells, then by degree days, then by days.
fn cut(trace: &mut Trace, whole: Piece, cuts: &[(NaiveDate, Cut)], degree_days: Option<&DegreeDays>, shares: &mut usize) -> Result<Vec<Piece>, RatingError> {
    if cuts.is_empty() {
        return Ok(vec![whole]);
    }
    let mut pieces = read(trace, whole, cuts, shares)?;
    for (kind, by) in [(Cut::DegreeDays, degree_days.map(Weights::DegreeDays)), (Cut::Days, Some(Weights::Days))] {
        let days: Vec<NaiveDate> = cuts.iter().filter(|(_, cut)| *cut == kind).map(|(day, _)| *day).collect();
        if days.is_empty() {
            continue;
        }
        let by = by.ok_or(RatingError::DegreeDaysMissing)?;
        let mut finer = Vec::with_capacity(cuts.len().saturating_add(1));
        for piece in pieces {
            let within: Vec<NaiveDate> = days
                .iter()
                .copied()
                .filter(|day| day.checked_sub_days(Days::new(1)).is_some_and(|eve| piece.from < eve && eve < piece.to))
                .collect();
            if within.is_empty() {
                finer.push(piece);
                continue;
            }
            let bounds = bounds(piece.from, piece.to, &within)?;
            let weights = weights(&bounds, by)?;
            let step = sharing_step(piece.volume);
            let volumes = piece.volume.allocate_in_steps(step, &weights)?;
            *shares = shares.saturating_add(1);
            let mut inputs = vec![Token::Volume(step), piece.source.token().unwrap_or(Token::Volume(piece.volume))];
            for weight in &weights {
                inputs.push(Token::Count(i64::try_from(*weight).map_err(|_| RatingError::Overflow)?));
            }
            trace.steps(
                Token::Of('v', *shares, ""),
                Rule::Parts,
                &inputs,
                volumes.iter().map(|volume| Token::Volume(*volume)),
            );
            for (place, ((from, to), volume)) in (1..).zip(bounds.into_iter().zip(volumes)) {
                let source = Source::Part(*shares, place);
                finer.push(Piece { from, to, volume, source });
            }
        }
        pieces = finer;
    }
    Ok(pieces)
}

/// Cuts at readings: what was used up to them is known.
fn read(trace: &mut Trace, whole: Piece, cuts: &[(NaiveDate, Cut)], shares: &mut usize) -> Result<Vec<Piece>, RatingError> {
    let mut pieces = vec![];
    let (mut from, mut used) = (whole.from, Volume::ZERO);
    let source = whole.source.token().unwrap_or(Token::Volume(whole.volume));
    let mut left = vec![source];
    for (day, cut) in cuts {
        let Cut::Reading(until) = cut else { continue };
        let to = day.pred_opt().ok_or(RatingError::DayOrder)?;
        let volume = until.checked_sub(used)?;
        *shares = shares.saturating_add(1);
        trace.given(Token::Of('v', *shares, ""), Token::Volume(volume));
        left.push(Token::Of('v', *shares, ""));
        pieces.push(Piece {
            from,
            to,
            volume,
            source: Source::Share(*shares),
        });
        (from, used) = (to, *until);
    }
    if pieces.is_empty() {
        return Ok(vec![whole]);
    }
    let volume = whole.volume.checked_sub(used)?;
    if pieces.iter().any(|piece| piece.volume.is_negative()) || volume.is_negative() {
        return Err(RatingError::NegativeVolume);
    }
    *shares = shares.saturating_add(1);
    trace.step(Token::Of('v', *shares, ""), Rule::Sub, &left, Token::Volume(volume));
    pieces.push(Piece {
        from,
        to: whole.to,
        volume,
        source: Source::Share(*shares),
    });
    Ok(pieces)
}
