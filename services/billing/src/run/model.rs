//! What a run makes of one agreement in one month, pure: from which reading to which, at which prices, or why not.

mod price;

use std::sync::Arc;

use calendar::NaiveDate;
use money::Volume;
use rating::{Converted, DegreeDays, ReadMonths};
use uuid::Uuid;

pub use rating::{Term, Terms};

pub use self::price::Draft;

use crate::{
    adjustment::model::{Part, within},
    meter::{
        conversion::model::{Conversion, Converting},
        model::MeterKind,
    },
    reading::model::{Code, ReadingState, Register, Validated},
    tariff::model::Book,
    words::words,
};

words! {
    /// Why an agreement got no bill.
    pub enum Outcome {
        /// The reading of the month is held.
        Held "HELD",
        /// There is no reading in the month.
        Missing "MISSING",
        /// It could not be rated.
        Parked "PARKED",
        /// It was priced and is held by checks.
        BillHeld "BILL_HELD",
    }
}

words! {
    /// What a run makes.
    pub enum Purpose {
        /// Gas bills of a month.
        Regular "REGULAR",
        /// Season bills of heat.
        HeatSeason "HEAT_SEASON",
        /// Settlements of heat.
        HeatSettlement "HEAT_SETTLEMENT",
    }
}

words! {
    /// Where a run stands.
    pub enum RunState {
        /// Going on.
        Running "RUNNING",
        /// Done.
        Done "DONE",
        /// Gone through, with agreements left that have no outcome.
        Incomplete "INCOMPLETE",
        /// Its job was cancelled, which only the job knows.
        Cancelled "CANCELLED",
    }
}

/// Agreements that a run lost: of those that were on file when it began, the ones that it did not come to. It comes to nobody else: who is signed later is
/// left to the next run, and the voided ones, which nothing takes from the file, are met as well.
pub fn gap(filed: i64, met: i64) -> i64 {
    filed.saturating_sub(met).max(0)
}

/// A month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub year: i32,
    pub month: u32,
    /// First day.
    pub first: NaiveDate,
    /// Last day.
    pub last: NaiveDate,
}

impl Period {
    /// None for a month that does not exist.
    pub fn new(year: i32, month: u32) -> Option<Self> {
        let first = NaiveDate::from_ymd_opt(year, month, 1)?;
        let next = if month == 12 {
            NaiveDate::from_ymd_opt(year.checked_add(1)?, 1, 1)
        } else {
            NaiveDate::from_ymd_opt(year, month.checked_add(1)?, 1)
        };
        Some(Self {
            year,
            month,
            first,
            last: next?.pred_opt()?,
        })
    }
}

/// A meter at the agreement.
#[derive(Clone, Copy, Debug)]
pub struct Install {
    pub id: Uuid,
    pub kind: MeterKind,
    pub register: Register,
    pub from: NaiveDate,
    /// Last day.
    pub end: Option<NaiveDate>,
    /// Litres.
    pub initial: i64,
    pub awaits_opening: bool,
}

/// A reading since the last bill.
#[derive(Clone, Debug)]
pub struct Read {
    pub id: Uuid,
    pub install: Uuid,
    pub date: NaiveDate,
    /// Moment, for the order within a day.
    pub at: i64,
    /// Whether nobody and nothing read it.
    pub estimated: bool,
    /// What it counts with; none while it is not validated.
    pub index: Option<Validated>,
    pub state: ReadingState,
    pub codes: Vec<Code>,
    pub rollover: bool,
}

impl Read {
    /// Whether its index is believed, so that a rollover that it shows did happen. What a person accepted is, whatever was found.
    fn is_believed(&self) -> bool {
        let is_accepted = matches!(self.state, ReadingState::Accepted | ReadingState::Billed);
        is_accepted || self.state.is_live() && !self.codes.iter().any(|c| c.doubts_index())
    }
}

/// Where the last live bill ended.
#[derive(Clone, Copy, Debug)]
pub struct Billed {
    pub to: NaiveDate,
    pub index: i64,
    pub install: Uuid,
}

/// All that a run knows of an agreement.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub terms: Terms,
    pub installs: Vec<Install>,
    pub reads: Vec<Read>,
    pub billed: Option<Billed>,
    /// Volume of the tier years, from the live bills.
    pub used: Vec<(i32, i64)>,
    /// What is adjusted (E11).
    pub adjusted: Vec<Part>,
    /// Oldest first.
    pub conversions: Vec<Conversion>,
    /// In which months it is read, where a route says so.
    pub read_months: Option<ReadMonths>,
    /// Degree days of the branch, where prices change by them.
    pub degree_days: Option<Arc<DegreeDays>>,
}

/// What becomes of an agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Bill(Box<Draft>),
    /// The month is billed.
    Already,
    Held,
    /// There is no reading; the installation that has none.
    Missing(Uuid),
    /// IC card.
    Skipped,
    NotDue,
    Parked(&'static str),
}

/// Use of one meter between two readings.
#[derive(Clone, Debug)]
struct Leg {
    /// None for a volume that no meter counted.
    install: Option<Uuid>,
    from: NaiveDate,
    to: NaiveDate,
    from_index: i64,
    to_index: i64,
    /// What a register that passed its end has counted besides.
    rolled: i64,
    /// The parts of what was counted as they were converted.
    converted: Vec<Converted>,
    /// What is adjusted besides.
    adjusted: i64,
    volume: i64,
    /// Whether the reading that ends it is an estimate.
    estimated: bool,
    /// Accepted readings between the two, with the use up to them.
    reads: Vec<(NaiveDate, Volume)>,
}

/// What the month makes of an agreement: one bill from the last billed reading to the accepted reading of the month.
pub fn decide(period: Period, facts: &Facts, book: &Book) -> Decision {
    let mut installs: Vec<&Install> = facts.installs.iter().filter(|i| i.from <= period.last && !i.awaits_opening).collect();
    installs.sort_by_key(|i| (i.from, i.id));
    if let Some(billed) = facts.billed
        && let Some(at) = installs.iter().position(|i| i.id == billed.install)
    {
        installs.drain(..at);
    }
    // What an IC card has prepaid is not billed by reading.
    if let Some(at) = installs.iter().rposition(|i| i.kind == MeterKind::Ic) {
        installs.drain(..=at);
        if installs.is_empty() {
            return Decision::Skipped;
        }
    }
    let Some((tail, earlier)) = installs.split_last() else {
        return Decision::NotDue;
    };
    let start = |i: &Install| match facts.billed {
        Some(b) if b.install == i.id => (b.to, b.index),
        _ => (i.from, i.initial),
    };
    let (begin, _) = start(tail);
    let window = if tail.end.is_some() { tail.from } else { period.first };
    let reads = |install: Uuid, after: NaiveDate| {
        facts
            .reads
            .iter()
            .filter(move |r| r.install == install && r.date > after && r.date <= period.last && r.state.is_live())
    };
    let in_month = || reads(tail.id, begin).filter(|r| r.date >= window);
    let end = in_month().filter(|r| r.state.is_billable()).max_by_key(|r| r.at);
    let held = in_month().filter(|r| r.state == ReadingState::Held).max_by_key(|r| r.at);
    let Some(end) = end.filter(|e| held.is_none_or(|h| h.at < e.at)) else {
        return match facts.billed {
            _ if held.is_some() => Decision::Held,
            Some(billed) if billed.to >= period.first => Decision::Already,
            _ if tail.from >= period.first => Decision::NotDue,
            _ if tail.end.is_some_and(|end| end < period.first) && begin >= tail.end.unwrap_or(begin) => Decision::NotDue,
            _ if tail.end.is_some() => Decision::Parked("FINAL_INDEX_MISSING"),
            _ => Decision::Missing(tail.id),
        };
    };
    let mut legs = Vec::with_capacity(installs.len());
    for install in earlier {
        let (from, index) = start(install);
        let last = reads(install.id, from)
            .filter(|r| install.end.is_some_and(|end| r.date == end))
            .max_by_key(|r| r.at);
        match last {
            Some(r) if r.state == ReadingState::Held => return Decision::Held,
            Some(r) => legs.push(leg(install, (from, index), r, facts)),
            None if install.end == Some(from) => {}
            None => return Decision::Parked("FINAL_INDEX_MISSING"),
        }
    }
    legs.push(leg(tail, start(tail), end, facts));
    let legs = match legs.into_iter().collect::<Result<Vec<Leg>, _>>() {
        Ok(legs) => legs,
        Err(reason) => return Decision::Parked(reason),
    };
    let volume = legs.iter().map(|l| l.volume).fold(0, i64::saturating_add);
    if volume == 0 && !facts.terms.covers(end.date) {
        return Decision::NotDue;
    }
    match price::price(facts, book, &legs, end.date) {
        Ok(draft) => Decision::Bill(Box::new(Draft {
            reading: end.id,
            install: tail.id,
            volume,
            de_facto: is_de_facto(&facts.terms, &legs),
            ..draft
        })),
        Err(reason) => Decision::Parked(reason),
    }
}

/// What a volume costs that no meter counted, such as that of a theft (E11-05), above what was used in its tier years.
pub fn alone(facts: &Facts, book: &Book, from: NaiveDate, to: NaiveDate, volume: i64) -> Result<Draft, &'static str> {
    let leg = Leg {
        install: None,
        from,
        to,
        from_index: 0,
        to_index: 0,
        rolled: 0,
        converted: vec![],
        adjusted: 0,
        volume,
        estimated: false,
        reads: vec![],
    };
    let legs = [leg];
    price::price(facts, book, &legs, to).map(|draft| Draft {
        volume,
        de_facto: is_de_facto(&facts.terms, &legs),
        ..draft
    })
}

/// whether something was used on a day without a contract in force. Readings between the ends of a leg prove when it was used; without them all of
/// its days count.
fn is_de_facto(terms: &Terms, legs: &[Leg]) -> bool {
    legs.iter().any(|leg| {
        let (mut from, mut before) = (leg.from, 0);
        let proved = leg.reads.iter().map(|(day, used)| (*day, used.litres()));
        proved.chain([(leg.to, leg.volume)]).any(|(day, used)| {
            let first = from.succ_opt().map_or(day, |next| next.min(day));
            let bare = used > before && !(terms.covers(first) && terms.covers(day));
            (from, before) = (day, used);
            bare
        })
    })
}

/// Refuses an index that fell without a rollover, a conversion that begins on a day without a reading, and an adjustment that takes away more than was
/// used.
fn leg(install: &Install, (from, from_index): (NaiveDate, i64), end: &Read, facts: &Facts) -> Result<Leg, &'static str> {
    let of_meter = || facts.reads.iter().filter(|r| r.install == install.id && r.date > from && r.at <= end.at);
    let rolled_by = |at: i64| {
        let passed = of_meter().filter(|r| r.at <= at && r.rollover && r.is_believed()).count();
        i64::try_from(passed).ok()?.checked_mul(install.register.capacity())
    };
    let counted_by = |read: &Read| read.index?.litres().checked_sub(from_index)?.checked_add(rolled_by(read.at)?);
    let adjusted_by = |read: &Read| within(&facts.adjusted, from, read.date);
    let reversed = "INDEX_REVERSED";
    let rolled = rolled_by(end.at).ok_or(reversed)?;
    // A reading that is believed lies below what was billed only where that was an estimate (B12).
    let begins_billed = facts.billed.is_some_and(|billed| billed.install == install.id);
    let below = if begins_billed { "BILLED_INDEX_ABOVE" } else { reversed };
    let counted = counted_by(end).filter(|counted| *counted >= 0).ok_or(below)?;
    let mut between: Vec<&Read> = of_meter()
        .filter(|r| r.date < end.date && r.state != ReadingState::Held && r.is_believed())
        .collect();
    between.sort_by_key(|r| r.at);
    let counted_on = |day| between.iter().rfind(|r| r.date == day).and_then(|r| counted_by(r));
    let of_install = facts.conversions.iter().filter(|c| c.install == install.id);
    let converting = Converting::new(of_install, (from, end.date), counted, counted_on).ok_or("CONVERSION_UNREAD")?;
    let adjusted = adjusted_by(end);
    let converted = converting.parts(counted).ok_or(reversed)?;
    let volume = converting.volume(counted).ok_or(reversed)?;
    let volume = volume.checked_add(adjusted).filter(|volume| *volume >= 0).ok_or("ADJUSTMENT_EXCEEDS")?;
    // An index that does not fit between its neighbours proves nothing.
    let mut proved: Vec<(NaiveDate, Volume)> = Vec::with_capacity(between.len());
    for read in between {
        let used = counted_by(read).and_then(|counted| converting.volume(counted)?.checked_add(adjusted_by(read)));
        let Some(used) = used.filter(|used| (0..=volume).contains(used)).map(Volume::from_litres) else {
            continue;
        };
        match proved.last_mut() {
            Some((_, before)) if used < *before => {}
            Some((date, before)) if *date == read.date => *before = used,
            _ => proved.push((read.date, used)),
        }
    }
    Ok(Leg {
        install: Some(install.id),
        from,
        to: end.date,
        from_index,
        to_index: end.index.ok_or(reversed)?.litres(),
        rolled,
        converted,
        adjusted,
        volume,
        estimated: end.estimated,
        reads: proved,
    })
}

#[cfg(test)]
mod late_tests;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
pub(crate) mod tests {
    use contracts::hearth::billing::v1 as proto;
    use proptest::prelude::*;
    use rating::Factor;

    use super::*;
    use crate::tariff::model::{BoundaryWord, ChangeWord, Rules, Terms as PriceTerms, TierTerms, UpliftTerms, Version};

    pub fn day(m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2025, m, d).unwrap()
    }

    pub const NEW_YEAR_EVE: NaiveDate = NaiveDate::from_ymd_opt(2024, 12, 31).unwrap();

    pub fn terms(tiers: &[(Option<&str>, &str)], low_income: Option<&str>, uplift: Option<UpliftTerms>) -> PriceTerms {
        let tiers = tiers.iter().map(|(up_to, price)| TierTerms {
            up_to: up_to.map(|t| t.parse().unwrap()),
            price: price.parse().unwrap(),
            flat: None,
        });
        PriceTerms {
            tiers: tiers.collect(),
            low_income: low_income.map(str::to_owned),
            uplift,
            ..PriceTerms::default()
        }
    }

    /// A version of the class "living".
    pub fn version(from: NaiveDate, change: ChangeWord) -> Version {
        Version {
            name: "T".to_owned(),
            from,
            legal_basis: "notice 1".to_owned(),
            approved_by: "authority".to_owned(),
            year_start: (1, 1),
            boundary: BoundaryWord::ReadingCycle,
            change,
            rules: Rules::default(),
        }
    }

    pub fn priced_from(from: NaiveDate, until: Option<NaiveDate>, id: u128, terms: &PriceTerms) -> rating::Version {
        version(from, ChangeWord::DaySplit).price(Uuid::from_u128(id), "living", until, terms).unwrap()
    }

    pub fn book(terms: &PriceTerms) -> Book {
        Book::new([priced_from(NaiveDate::from_ymd_opt(2020, 1, 1).unwrap(), None, 1, terms)]).unwrap()
    }

    pub fn beijing() -> PriceTerms {
        let uplift = UpliftTerms {
            from_persons: 6,
            plus: "150".parse().unwrap(),
            per_person: false,
            first_tier_only: false,
            full_year: false,
        };
        terms(&[(Some("350"), "2.61"), (Some("500"), "2.83"), (None, "4.23")], None, Some(uplift))
    }

    pub fn tianjin() -> PriceTerms {
        terms(&[(Some("300"), "2.86"), (Some("600"), "3.36"), (None, "4.11")], Some("ALL_AT_TIER_1"), None)
    }

    pub fn install(id: u128, from: NaiveDate, initial: i64) -> Install {
        Install {
            id: Uuid::from_u128(id),
            kind: MeterKind::Iot,
            register: Register {
                digits: 5,
                qmax: 6000,
                multiplier: 1,
            },
            from,
            end: None,
            initial,
            awaits_opening: false,
        }
    }

    pub fn read(id: u128, install: u128, date: NaiveDate, value: i64) -> Read {
        let at = i64::from(date.signed_duration_since(NEW_YEAR_EVE).num_days() as i32) * 86_400_000_000;
        Read {
            id: Uuid::from_u128(id),
            install: Uuid::from_u128(install),
            date,
            at,
            estimated: false,
            index: Validated::of(ReadingState::Validated, value),
            state: ReadingState::Validated,
            codes: vec![],
            rollover: false,
        }
    }

    /// A household since new year's eve, read at the end of January after using so many litres.
    pub fn january(litres: i64) -> Facts {
        Facts {
            terms: Terms {
                from: Some(NEW_YEAR_EVE),
                classes: vec![Term {
                    value: "living".to_owned(),
                    from: NEW_YEAR_EVE,
                    until: None,
                }],
                ..Terms::default()
            },
            installs: vec![install(1, NEW_YEAR_EVE, 0)],
            reads: vec![read(11, 1, day(1, 31), litres)],
            billed: None,
            used: vec![],
            ..Facts::default()
        }
    }

    pub fn month(n: u32) -> Period {
        Period::new(2025, n).unwrap()
    }

    pub fn draft(period: u32, facts: &Facts, book: &Book) -> Draft {
        match decide(month(period), facts, book) {
            Decision::Bill(draft) => *draft,
            other => panic!("{other:?}"),
        }
    }

    pub fn yuan(period: u32, facts: &Facts, book: &Book) -> String {
        let draft = draft(period, facts, book);
        assert_eq!(
            draft.lines.iter().map(|l| l.amount).sum::<i64>(),
            draft.amount.fen(),
            "the lines sum up to the bill"
        );
        draft.amount.to_string()
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = Outcome::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "OUTCOME_", |n| proto::bill_run_item::Outcome::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = Purpose::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "PURPOSE_", |n| proto::bill_run::Purpose::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = RunState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "STATE_", |n| proto::bill_run::State::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn a_gap_is_what_was_on_file_and_was_not_met() {
        for (filed, met, lost) in [(3, 3, 0), (3, 2, 1), (3, 5, 0), (5, 2, 3), (0, 0, 0)] {
            assert_eq!(gap(filed, met), lost, "{filed} {met}");
        }
    }

    #[test]
    fn edge_11_month_without_use_is_billed_0() {
        let draft = draft(1, &january(0), &book(&tianjin()));
        assert!(draft.amount.is_zero() && draft.lines.is_empty() && draft.uses == [(2025, 0)]);
    }

    #[test]
    fn edge_03_rollover_is_billed_with_the_rolled_volume() {
        let mut facts = january(12_000);
        facts.installs[0].initial = 99_987_000;
        facts.reads[0].rollover = true;
        assert_eq!(draft(1, &facts, &book(&tianjin())).volume, 25_000);
        // As a person said.
        facts.reads[0].state = ReadingState::Accepted;
        facts.reads[0].codes = vec![Code::Reverse];
        assert_eq!(draft(1, &facts, &book(&tianjin())).volume, 25_000);
    }

    #[test]
    fn edge_04_fallen_index_is_parked_and_never_billed() {
        let mut facts = january(80_000);
        facts.installs[0].initial = 99_000;
        assert_eq!(decide(month(1), &facts, &book(&tianjin())), Decision::Parked("INDEX_REVERSED"));
    }

    #[test]
    fn edge_06_swap_within_a_month_is_one_bill_over_both_meters() {
        let mut facts = january(0);
        let mut old = install(1, NEW_YEAR_EVE, 1_200_000);
        old.end = Some(day(1, 20));
        facts.installs = vec![old, install(2, day(1, 20), 3000)];
        facts.reads = vec![read(11, 1, day(1, 20), 1_234_000), read(12, 2, day(1, 31), 28_000)];
        let draft = draft(1, &facts, &book(&tianjin()));
        assert_eq!(
            (draft.volume, draft.from_index, draft.to_index, draft.from, draft.to),
            (59_000, 1_200_000, 28_000, NEW_YEAR_EVE, day(1, 31))
        );
        assert_eq!(draft.amount.to_string(), "168.74");
        facts.reads.remove(0);
        assert_eq!(decide(month(1), &facts, &book(&tianjin())), Decision::Parked("FINAL_INDEX_MISSING"));
    }

    #[test]
    fn e_2_02_held_month_is_billed_with_the_next() {
        let book = book(&tianjin());
        let mut facts = january(46_000);
        facts.reads[0].state = ReadingState::Held;
        facts.reads[0].codes = vec![Code::Reverse];
        assert_eq!(decide(month(1), &facts, &book), Decision::Held);
        facts.reads.push(read(12, 1, day(2, 28), 82_000));
        let draft = draft(2, &facts, &book);
        assert_eq!((draft.from, draft.to, draft.volume), (NEW_YEAR_EVE, day(2, 28), 82_000));
        facts.billed = Some(Billed {
            to: day(2, 28),
            index: 82_000,
            install: Uuid::from_u128(1),
        });
        assert_eq!(decide(month(1), &facts, &book), Decision::Already, "the later bill covers the month");
    }

    #[test]
    fn a_later_reading_of_the_month_replaces_a_held_one() {
        let book = book(&tianjin());
        let mut facts = january(999_000);
        facts.reads[0] = Read {
            date: day(1, 28),
            state: ReadingState::Held,
            at: 1,
            ..facts.reads[0].clone()
        };
        facts.reads.push(Read {
            at: 2,
            ..read(12, 1, day(1, 31), 46_000)
        });
        assert_eq!(draft(1, &facts, &book).volume, 46_000);
    }

    #[test]
    fn e11_03_an_adjustment_counts_in_the_bill_of_its_days_and_edits_no_reading() {
        let book = book(&tianjin());
        let part = |from, to, volume| Part { from, to, volume };
        let mut facts = january(46_000);
        // 31 of 59 days of 59 m³; those of February wait for the next bill.
        facts.adjusted = vec![part(NEW_YEAR_EVE, day(2, 28), 59_000)];
        let bill = draft(1, &facts, &book);
        assert_eq!(
            (bill.volume, bill.from_index, bill.to_index, bill.uses.clone()),
            (77_000, 0, 46_000, vec![(2025, 77_000)])
        );
        assert_eq!(bill.amount.to_string(), "220.22", "77 × 2.86");
        assert!(bill.explanation.contains("m1.adjusted given = 31\n") && bill.explanation.contains("m1.used add m1.moved m1.adjusted = 77\n"));
        facts.adjusted = vec![part(NEW_YEAR_EVE, day(1, 31), -46_000)];
        assert_eq!(draft(1, &facts, &book).volume, 0);
        facts.adjusted = vec![part(NEW_YEAR_EVE, day(1, 31), -46_001)];
        assert_eq!(decide(month(1), &facts, &book), Decision::Parked("ADJUSTMENT_EXCEEDS"));
        facts.adjusted = vec![part(day(1, 31), day(2, 28), -9_000)];
        assert_eq!(draft(1, &facts, &book).volume, 46_000, "other days");
    }

    #[test]
    fn b_17_a_conversion_counts_from_the_reading_of_its_day_on() {
        let book = book(&tianjin());
        let of = |from, factor| Conversion {
            install: Uuid::from_u128(1),
            from,
            factor: Factor::from_hundred_thousandths(factor),
        };
        let mut facts = january(200_000);
        facts.conversions = vec![of(NEW_YEAR_EVE, 104_747)];
        // 200 × 1.04747 = 209.494.
        assert_eq!(draft(1, &facts, &book).volume, 209_494);
        facts.conversions.push(of(day(1, 15), 102_000));
        assert_eq!(decide(month(1), &facts, &book), Decision::Parked("CONVERSION_UNREAD"));
        facts.reads.push(read(12, 1, day(1, 15), 80_000));
        // 80 × 1.04747 = 83.7976, half up 83.798, and 120 × 1.02 = 122.4.
        let bill = draft(1, &facts, &book);
        assert_eq!((bill.volume, bill.from_index, bill.to_index), (206_198, 0, 200_000));
        assert!(bill.explanation.contains("m1.used add k1 k2 = 206.198\n"), "{}", bill.explanation);
        facts.adjusted = vec![Part {
            from: NEW_YEAR_EVE,
            to: day(1, 31),
            volume: -6_198,
        }];
        assert_eq!(draft(1, &facts, &book).volume, 200_000, "an adjustment is in cubic metres as they are billed");
        facts.adjusted.clear();
        // One of the last day, or of another meter, is of no account yet.
        facts.conversions = vec![
            of(day(1, 31), 90_000),
            Conversion {
                install: Uuid::from_u128(2),
                ..of(NEW_YEAR_EVE, 90_000)
            },
        ];
        let bill = draft(1, &facts, &book);
        assert!(bill.volume == 200_000 && bill.explanation.contains("m1.used sub m1.end m1.start = 200\n"));
    }

    #[test]
    fn e11_05_a_volume_that_no_meter_counted_is_priced_above_what_was_used() {
        let mut facts = january(46_000);
        facts.used = vec![(2025, 250_000)];
        let draft = alone(&facts, &book(&tianjin()), NEW_YEAR_EVE, day(1, 31), 400_000).unwrap();
        // 50 × 2.86 + 300 × 3.36 + 50 × 4.11.
        assert_eq!((draft.amount.to_string().as_str(), draft.volume, draft.before), ("1356.50", 400_000, 250_000));
        assert!(draft.explanation.starts_with("m1.used given = 400\n"), "{}", draft.explanation);
        assert!(!draft.de_facto);
        let bare = |terms: Terms| {
            let facts = Facts { terms, ..facts.clone() };
            alone(&facts, &book(&tianjin()), NEW_YEAR_EVE, day(1, 31), 400_000).unwrap().de_facto
        };
        let ended = Terms {
            end: Some(day(1, 30)),
            ..facts.terms.clone()
        };
        let signed = Terms {
            from: None,
            ..facts.terms.clone()
        };
        let late = Terms {
            from: Some(day(1, 2)),
            ..facts.terms.clone()
        };
        assert_eq!([ended, signed, late].map(bare), [true; 3], "A-06: a theft is supply without a contract as well");
    }

    #[test]
    fn outcomes_without_a_bill() {
        let book = book(&tianjin());
        let mut facts = january(46_000);
        facts.reads.clear();
        assert_eq!(decide(month(1), &facts, &book), Decision::Missing(Uuid::from_u128(1)));
        facts.installs[0].from = day(1, 10);
        assert_eq!(decide(month(1), &facts, &book), Decision::NotDue, "installed in the month");
        facts.installs[0] = Install {
            awaits_opening: true,
            ..install(1, NEW_YEAR_EVE, 0)
        };
        assert_eq!(decide(month(1), &facts, &book), Decision::NotDue, "the gas is not opened");
        facts.installs[0] = Install {
            kind: MeterKind::Ic,
            ..install(1, NEW_YEAR_EVE, 0)
        };
        assert_eq!(decide(month(1), &facts, &book), Decision::Skipped);
        facts.installs.clear();
        assert_eq!(decide(month(1), &facts, &book), Decision::NotDue, "no meter");
        let mut facts = january(46_000);
        facts.billed = Some(Billed {
            to: day(1, 31),
            index: 46_000,
            install: Uuid::from_u128(1),
        });
        assert_eq!(decide(month(1), &facts, &book), Decision::Already);
    }

    /// The last days of the months of 2023 and of the leap year 2024.
    #[test]
    fn thread_16_a_meter_of_the_last_day_of_a_month_is_billed_with_the_next_one() {
        let months = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let end = |at: usize| NaiveDate::from_ymd_opt(2023 + at as i32 / 12, at as u32 % 12 + 1, months[at]).unwrap();
        let book = book(&tianjin());
        for at in 0..months.len() - 1 {
            let (fitted, next) = (end(at), end(at + 1));
            let period = |at: usize| Period::new(2023 + at as i32 / 12, at as u32 % 12 + 1).unwrap();
            assert_eq!((period(at).last, period(at + 1).first), (fitted, fitted.succ_opt().unwrap()));
            let mut facts = january(0);
            facts.installs = vec![install(1, fitted, 0)];
            facts.reads = vec![];
            facts.terms.from = Some(fitted);
            facts.terms.classes[0].from = fitted;
            assert_eq!(decide(period(at), &facts, &book), Decision::NotDue, "{fitted}");
            facts.reads = vec![read(11, 1, next, 10_000)];
            assert_eq!(
                decide(period(at), &facts, &book),
                Decision::NotDue,
                "{fitted}: the reading is of the month after"
            );
            let Decision::Bill(bill) = decide(period(at + 1), &facts, &book) else {
                panic!("{fitted}")
            };
            assert_eq!((bill.from, bill.to, bill.volume), (fitted, next, 10_000));
        }
    }

    #[test]
    fn a_06_supply_without_a_contract_is_de_facto() {
        let book = book(&tianjin());
        let mut facts = january(46_000);
        assert!(!draft(1, &facts, &book).de_facto);
        facts.terms.end = Some(day(1, 31));
        assert!(!draft(1, &facts, &book).de_facto, "the contract covers the days before its end");
        facts.terms.end = Some(day(1, 15));
        assert!(draft(1, &facts, &book).de_facto);
        facts.terms.end = None;
        // A contract that comes into force within the month covers its last day, and not those before it.
        facts.terms.from = Some(day(1, 1));
        assert!(!draft(1, &facts, &book).de_facto, "the first day after the reading of new year's eve");
        facts.terms.from = Some(day(1, 20));
        assert!(draft(1, &facts, &book).de_facto);
        facts.reads.push(read(12, 1, day(1, 20), 1_000));
        assert!(draft(1, &facts, &book).de_facto, "1 m³ before it");
        facts.reads[1] = read(12, 1, day(1, 20), 0);
        assert!(!draft(1, &facts, &book).de_facto, "nothing was used before it, as a reading proves");
        facts.reads[1] = read(12, 1, day(1, 19), 0);
        assert!(!draft(1, &facts, &book).de_facto, "the days after the 19th begin with the 20th");
        facts.reads[1] = read(12, 1, day(1, 18), 0);
        assert!(draft(1, &facts, &book).de_facto, "the 19th is bare");
        facts.reads.pop();
        facts.terms = Terms {
            from: None,
            end: None,
            ..facts.terms
        };
        assert!(draft(1, &facts, &book).de_facto, "signed, not in force");
        facts.reads[0].index = Validated::of(ReadingState::Validated, 0);
        assert_eq!(decide(month(1), &facts, &book), Decision::NotDue, "without consumption, nothing");
    }

    /// A year of a home whose meter stood at these indexes (m³) at the ends of its months, billed month by month; the bills before `from` stand.
    fn year(indexes: &[i64], adjusted: &[Part], book: &Book, standing: &[Draft]) -> Vec<Draft> {
        let mut bills = standing.to_vec();
        for (at, n) in (standing.len()..indexes.len()).zip(1 + u32::try_from(standing.len()).unwrap()..) {
            let mut facts = january(0);
            facts.reads = (1..)
                .zip(indexes)
                .map(|(n, index)| read(10 + u128::from(n), 1, month(n).last, index * 1000))
                .collect();
            facts.billed = at.checked_sub(1).map(|before| Billed {
                to: bills[before].to,
                index: bills[before].to_index,
                install: Uuid::from_u128(1),
            });
            for (year, volume) in bills.iter().flat_map(|bill| &bill.uses) {
                super::super::household::add(&mut facts.used, *year, *volume);
            }
            facts.adjusted = adjusted.to_vec();
            bills.push(draft(n, &facts, book));
        }
        bills
    }

    proptest! {
        #[test]
        fn b_11_a_correction_is_what_true_readings_would_have_been(
            uses in prop::collection::vec(0_i64..200, 2..12),
            wrong in (0_usize..12, 0_i64..=100),
            prices in prop::collection::vec((1_i64..400, 1_i64..900), 1..5),
            change in (1_u32..12, 1_u32..28, any::<bool>()),
        ) {
            let mut at = 0;
            let truth: Vec<i64> = uses.iter().map(|used| { at += used; at }).collect();
            // One reading lies anywhere between its neighbours.
            let place = wrong.0 % (truth.len() - 1);
            let (low, high) = (place.checked_sub(1).map_or(0, |before| truth[before]), truth[place + 1]);
            let mut misread = truth.clone();
            misread[place] = low + (high - low) * wrong.1 / 100;
            // Any rising tiers, the last one open, and a version that follows on any day.
            let mut bound = 0;
            let mut steps: Vec<(Option<String>, String)> = prices.iter().map(|(width, cents)| {
                bound += width;
                (Some(bound.to_string()), format!("{}.{:02}", cents / 100, cents % 100))
            }).collect();
            steps.last_mut().unwrap().0 = None;
            let steps: Vec<_> = steps.iter().map(|(up_to, price)| (up_to.as_deref(), price.as_str())).collect();
            let (first, since) = (NaiveDate::from_ymd_opt(2020, 1, 1).unwrap(), day(change.0, change.1));
            let after = terms(&[(Some("90"), "2.00"), (None, "3.10")], None, None);
            let book = if change.2 {
                Book::new([priced_from(first, Some(since), 1, &terms(&steps, None, None)), priced_from(since, None, 2, &after)]).unwrap()
            } else {
                Book::new([priced_from(first, None, 1, &terms(&steps, None, None))]).unwrap()
            };
            let (right, billed) = (year(&truth, &[], &book, &[]), year(&misread, &[], &book, &[]));
            // Cancelled from the misread month on and billed anew: days, volumes, lines and explanation are those of the truth.
            prop_assert_eq!(&year(&truth, &[], &book, &billed[..place]), &right);
            // The same by an adjustment of both months, while the reading stays as it is (E11-03).
            let missed = (truth[place] - misread[place]) * 1000;
            let part = |n: usize, volume| Part { from: right[n].from, to: right[n].to, volume };
            let adjusted = year(&misread, &[part(place, missed), part(place + 1, -missed)], &book, &billed[..place]);
            for (bill, right) in adjusted.iter().zip(&right) {
                let told = |bill: &Draft| (bill.from, bill.to, bill.volume, bill.amount, bill.lines.clone(), bill.uses.clone());
                prop_assert_eq!(told(bill), told(right));
            }
            prop_assert_eq!(adjusted.len(), right.len());
        }
    }
}
