//! What a run makes of one agreement in one month, pure: from which reading to which, at which prices, or why not.

use std::collections::BTreeSet;

use calendar::NaiveDate;
use money::{Money, Volume};
use rating::{Boundary, Ledger, LowIncome, Plan, Profile, Quantity, Segment, Usage, rate, split_by_days};
use uuid::Uuid;

use crate::{
    meter::model::MeterKind,
    reading::model::{Code, ReadingState, Register},
    tariff::model::{Book, Price},
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
    }
}

words! {
    /// Where a run stands.
    pub enum RunState {
        /// Going on.
        Running "RUNNING",
        /// Done.
        Done "DONE",
    }
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

/// A term of an agreement between two days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term<T> {
    pub value: T,
    pub from: NaiveDate,
    /// First day on which it does not hold any more.
    pub until: Option<NaiveDate>,
}

impl<T> Term<T> {
    fn holds(&self, day: NaiveDate) -> bool {
        self.from <= day && self.until.is_none_or(|until| day < until)
    }
}

/// The terms of an agreement by day.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// First day in force.
    pub from: Option<NaiveDate>,
    /// First day not in force any more.
    pub end: Option<NaiveDate>,
    pub classes: Vec<Term<String>>,
    pub persons: Vec<Term<u16>>,
    pub low_income: Vec<Term<bool>>,
}

impl Terms {
    /// whether a contract covers a usage period that ends with a reading on `to`.
    pub fn covers(&self, to: NaiveDate) -> bool {
        self.from.is_some_and(|from| from <= to) && self.end.is_none_or(|end| to <= end)
    }

    fn class(&self, day: NaiveDate) -> Option<&str> {
        // De facto supply is priced by the class that was agreed last.
        self.classes
            .iter()
            .rev()
            .find(|t| t.holds(day))
            .or(self.classes.last())
            .map(|t| t.value.as_str())
    }

    fn is_low_income(&self, day: NaiveDate) -> bool {
        self.low_income.iter().any(|t| t.value && t.holds(day))
    }

    fn changes(&self) -> impl Iterator<Item = NaiveDate> {
        let days = |from: NaiveDate, until: Option<NaiveDate>| [Some(from), until].into_iter().flatten();
        let classes = self.classes.iter().flat_map(move |t| days(t.from, t.until));
        let persons = self.persons.iter().flat_map(move |t| days(t.from, t.until));
        let low = self.low_income.iter().flat_map(move |t| days(t.from, t.until));
        classes.chain(persons).chain(low)
    }

    /// Persons on a day and the months of the tier year for which their uplift counts: from the first day of the next month on (9.1).
    fn household(&self, day: NaiveDate, year_start: NaiveDate) -> (u16, u8) {
        let Some(term) = self.persons.iter().find(|t| t.holds(day)) else {
            return (0, 12);
        };
        let mut since = term.from;
        // Larger before: the uplift of this size holds since then.
        while let Some(earlier) = self.persons.iter().find(|t| t.until == Some(since) && t.value >= term.value) {
            since = earlier.from;
        }
        match months_left(since, year_start) {
            0 => (0, 12),
            months => (term.value, months),
        }
    }
}

/// Months of the tier year from the first of the month on or after `since`; 12 when it was there before the year began.
fn months_left(since: NaiveDate, year_start: NaiveDate) -> u8 {
    use chrono::Datelike;
    if since <= year_start {
        return 12;
    }
    let month = |d: NaiveDate| d.year().saturating_mul(12).saturating_add(i32::try_from(d.month0()).unwrap_or(0));
    let begin = month(since).saturating_add(i32::from(since.day() > year_start.day()));
    u8::try_from(12_i32.saturating_sub(begin.saturating_sub(month(year_start))).clamp(0, 12)).unwrap_or(0)
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
    /// Litres.
    pub value: i64,
    pub state: ReadingState,
    pub codes: Vec<Code>,
    pub rollover: bool,
}

impl Read {
    /// Whether its index is believed, so that a rollover that it shows did happen.
    fn is_believed(&self) -> bool {
        self.state.is_live() && !self.codes.iter().any(|c| c.doubts_index())
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

/// A bill to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub reading: Uuid,
    pub install: Uuid,
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub from_index: i64,
    pub to_index: i64,
    pub volume: i64,
    pub before: i64,
    pub tier_year: i32,
    pub class: String,
    pub tariff: Uuid,
    pub amount: Money,
    pub de_facto: bool,
    pub low_income: bool,
    pub persons: u16,
    pub lines: Vec<DraftLine>,
    /// Volume by tier year.
    pub uses: Vec<(i32, i64)>,
}

/// A line of a bill to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftLine {
    pub tier: i32,
    pub volume: i64,
    pub price: i64,
    pub amount: i64,
    pub reason: &'static str,
    pub tariff: Uuid,
    pub tier_year: i32,
    pub from: NaiveDate,
    pub to: NaiveDate,
}

/// Use of one meter between two readings.
#[derive(Clone, Copy, Debug)]
struct Leg {
    from: NaiveDate,
    to: NaiveDate,
    from_index: i64,
    to_index: i64,
    volume: i64,
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
            Some(r) => legs.push(leg(install, (from, index), r, &facts.reads)),
            None if install.end == Some(from) => {}
            None => return Decision::Parked("FINAL_INDEX_MISSING"),
        }
    }
    legs.push(leg(tail, start(tail), end, &facts.reads));
    let Some(legs) = legs.into_iter().collect::<Option<Vec<Leg>>>() else {
        return Decision::Parked("INDEX_REVERSED");
    };
    let volume = legs.iter().map(|l| l.volume).fold(0, i64::saturating_add);
    let de_facto = !facts.terms.covers(end.date);
    if de_facto && volume == 0 {
        return Decision::NotDue;
    }
    match price(facts, book, &legs, end.date) {
        Ok(draft) => Decision::Bill(Box::new(Draft {
            reading: end.id,
            install: tail.id,
            volume,
            de_facto,
            ..draft
        })),
        Err(reason) => Decision::Parked(reason),
    }
}

/// None where the index fell without a rollover.
fn leg(install: &Install, (from, from_index): (NaiveDate, i64), end: &Read, reads: &[Read]) -> Option<Leg> {
    let passed = reads
        .iter()
        .filter(|r| r.install == install.id && r.date > from && r.at <= end.at && r.rollover && r.is_believed())
        .count();
    let rolled = i64::try_from(passed).ok()?.checked_mul(install.register.capacity())?;
    let volume = end.value.checked_sub(from_index)?.checked_add(rolled)?;
    (volume >= 0).then_some(Leg {
        from,
        to: end.date,
        from_index,
        to_index: end.value,
        volume,
    })
}

/// Usage of some days at one price.
struct Part {
    from: NaiveDate,
    to: NaiveDate,
    volume: Volume,
    tariff: Uuid,
    tier_year: i32,
    plan: Plan,
}

fn price(facts: &Facts, book: &Book, legs: &[Leg], read: NaiveDate) -> Result<Draft, &'static str> {
    let mut parts = vec![];
    for leg in legs.iter().filter(|l| l.from < l.to) {
        let cuts = cuts(facts, book, leg, read)?;
        for part in split_by_days(leg.from, leg.to, &cuts, Volume::from_litres(leg.volume)).map_err(|e| e.reason())? {
            let (class, price) = priced(facts, book, part.to)?;
            let tier_year = tier_year(price, part.to, read);
            let (profile, _) = profile(&facts.terms, price, part.to, tier_year)?;
            let plan = price.tariff.plan(class, &profile).map_err(|e| e.reason())?;
            parts.push(Part {
                from: part.from,
                to: part.to,
                volume: part.volume,
                tariff: price.tariff_id,
                tier_year,
                plan,
            });
        }
    }
    let segments: Vec<_> = parts
        .iter()
        .map(|p| Segment {
            plan: &p.plan,
            tier_year: p.tier_year,
            usage: Usage::volume(p.volume),
            free_months: 0,
        })
        .collect();
    let ledger: Ledger = facts.used.iter().map(|(year, volume)| (*year, Volume::from_litres(*volume))).collect();
    let rated = rate(&segments, &ledger).map_err(|e| e.reason())?;
    let (first, last) = parts.first().zip(parts.last()).ok_or("NO_USAGE")?;
    let (class, last_price) = priced(facts, book, last.to)?;
    let (profile, low_income) = profile(&facts.terms, last_price, last.to, last.tier_year)?;
    let mut uses: Vec<(i32, i64)> = vec![];
    for part in &parts {
        match uses.iter_mut().find(|(year, _)| *year == part.tier_year) {
            Some((_, volume)) => *volume = volume.saturating_add(part.volume.litres()),
            None => uses.push((part.tier_year, part.volume.litres())),
        }
    }
    let lines = rated
        .lines
        .iter()
        .filter_map(|line| {
            let part = parts.get(line.segment)?;
            let volume = match line.quantity {
                Quantity::Volume(volume) => volume.litres(),
                _ => 0,
            };
            Some(DraftLine {
                tier: i32::from(line.tier),
                volume,
                price: line.unit_price.micros(),
                amount: line.amount.fen(),
                reason: line.reason.code(),
                tariff: part.tariff,
                tier_year: part.tier_year,
                from: part.from,
                to: part.to,
            })
        })
        .collect();
    Ok(Draft {
        reading: Uuid::nil(),
        install: Uuid::nil(),
        from: first.from,
        to: last.to,
        from_index: legs.first().map_or(0, |l| l.from_index),
        to_index: legs.last().map_or(0, |l| l.to_index),
        volume: 0,
        before: ledger.volume(last.tier_year).unwrap_or_default().litres(),
        tier_year: last.tier_year,
        class: class.to_owned(),
        tariff: last.tariff,
        amount: rated.total,
        de_facto: false,
        low_income,
        persons: profile.persons,
        lines,
        uses,
    })
}

fn priced<'a>(facts: &'a Facts, book: &'a Book, day: NaiveDate) -> Result<(&'a str, &'a Price), &'static str> {
    let class = facts.terms.class(day).ok_or("USE_CLASS_MISSING")?;
    Ok((class, book.price(class, day).ok_or("TARIFF_MISSING")?))
}

fn profile(terms: &Terms, price: &Price, day: NaiveDate, tier_year: i32) -> Result<(Profile, bool), &'static str> {
    let (persons, uplift_months) = terms.household(day, price.tariff.tier_year_start(tier_year).ok_or("DAY_ORDER")?);
    let low_income = terms.is_low_income(day);
    let profile = Profile {
        persons,
        uplift_months,
        low_income: low_income.then_some(LowIncome::Subsistence),
        ..Profile::default()
    };
    Ok((profile, low_income))
}

fn splits_days(price: &Price) -> bool {
    price.tariff.tier_year.is_some_and(|rule| rule.boundary == Boundary::DaySplit)
}

fn tier_year(price: &Price, day: NaiveDate, read: NaiveDate) -> i32 {
    price.tariff.tier_year_of(if splits_days(price) { day } else { read })
}

/// First days of another price, class, entitlement or tier year within a leg.
fn cuts(facts: &Facts, book: &Book, leg: &Leg, read: NaiveDate) -> Result<Vec<NaiveDate>, &'static str> {
    let mut cuts: BTreeSet<NaiveDate> = facts.terms.changes().collect();
    let (class, price) = priced(facts, book, leg.to)?;
    cuts.extend(book.changes(class));
    for term in &facts.terms.classes {
        cuts.extend(book.changes(&term.value));
    }
    if splits_days(price) {
        let first = price.tariff.tier_year_of(leg.from);
        for year in first..=price.tariff.tier_year_of(read) {
            cuts.extend(price.tariff.tier_year_start(year));
        }
    }
    // A cut on the first day changes nothing: the days of a leg are those after its first reading. Nor does one with the same price on both sides.
    let first = leg.from.succ_opt().ok_or("DAY_ORDER")?;
    let mut kept = vec![];
    for day in cuts.into_iter().filter(|day| *day > first && *day <= leg.to) {
        let before = day.pred_opt().ok_or("DAY_ORDER")?;
        if basis(facts, book, before, read)? != basis(facts, book, day, read)? {
            kept.push(day);
        }
    }
    Ok(kept)
}

/// What decides the price of a day.
fn basis<'a>(facts: &'a Facts, book: &'a Book, day: NaiveDate, read: NaiveDate) -> Result<(&'a str, Uuid, i32, Profile), &'static str> {
    let (class, price) = priced(facts, book, day)?;
    let year = tier_year(price, day, read);
    let (profile, _) = profile(&facts.terms, price, day, year)?;
    Ok((class, price.tariff_id, year, profile))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::sync::Arc;

    use contracts::hearth::billing::v1 as proto;

    use super::*;
    use crate::tariff::model::{BoundaryWord, Terms as PriceTerms, TierTerms, UpliftTerms, Version};

    fn day(m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2025, m, d).unwrap()
    }

    const NEW_YEAR_EVE: NaiveDate = NaiveDate::from_ymd_opt(2024, 12, 31).unwrap();

    fn terms(tiers: &[(Option<&str>, &str)], low_income: Option<&str>, uplift: Option<UpliftTerms>) -> PriceTerms {
        let tiers = tiers.iter().map(|(up_to, price)| TierTerms {
            up_to: up_to.map(|t| t.parse().unwrap()),
            price: price.parse().unwrap(),
        });
        PriceTerms {
            tiers: tiers.collect(),
            low_income: low_income.map(str::to_owned),
            uplift,
        }
    }

    fn priced_from(from: NaiveDate, until: Option<NaiveDate>, id: u128, terms: &PriceTerms) -> Price {
        let version = Version {
            name: "T".to_owned(),
            from,
            legal_basis: "notice 1".to_owned(),
            approved_by: "authority".to_owned(),
            year_start: (1, 1),
            boundary: BoundaryWord::ReadingCycle,
        };
        Price {
            tariff_id: Uuid::from_u128(id),
            class: "living".to_owned(),
            from,
            until,
            tariff: Arc::new(version.tariff("living", terms).unwrap()),
        }
    }

    fn book(terms: &PriceTerms) -> Book {
        Book::new(vec![priced_from(NaiveDate::from_ymd_opt(2020, 1, 1).unwrap(), None, 1, terms)])
    }

    fn beijing() -> PriceTerms {
        let uplift = UpliftTerms {
            from_persons: 6,
            plus: "150".parse().unwrap(),
            per_person: false,
        };
        terms(&[(Some("350"), "2.61"), (Some("500"), "2.83"), (None, "4.23")], None, Some(uplift))
    }

    fn tianjin() -> PriceTerms {
        terms(&[(Some("300"), "2.86"), (Some("600"), "3.36"), (None, "4.11")], Some("ALL_AT_TIER_1"), None)
    }

    fn install(id: u128, from: NaiveDate, initial: i64) -> Install {
        Install {
            id: Uuid::from_u128(id),
            kind: MeterKind::Iot,
            register: Register { digits: 5, qmax: 6000 },
            from,
            end: None,
            initial,
            awaits_opening: false,
        }
    }

    fn read(id: u128, install: u128, date: NaiveDate, value: i64) -> Read {
        let at = i64::from(date.signed_duration_since(NEW_YEAR_EVE).num_days() as i32) * 86_400_000_000;
        Read {
            id: Uuid::from_u128(id),
            install: Uuid::from_u128(install),
            date,
            at,
            value,
            state: ReadingState::Validated,
            codes: vec![],
            rollover: false,
        }
    }

    /// A household since new year's eve, read at the end of January after using so many litres.
    fn january(litres: i64) -> Facts {
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
        }
    }

    fn month(n: u32) -> Period {
        Period::new(2025, n).unwrap()
    }

    fn draft(period: u32, facts: &Facts, book: &Book) -> Draft {
        match decide(month(period), facts, book) {
            Decision::Bill(draft) => *draft,
            other => panic!("{other:?}"),
        }
    }

    fn yuan(period: u32, facts: &Facts, book: &Book) -> String {
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
        crate::words::assert_contract(&words, "OUTCOME_", |n| proto::bill_run_item::Outcome::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = RunState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        crate::words::assert_contract(&words, "STATE_", |n| proto::bill_run::State::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn p_11_1_worked_bills() {
        let book_bj = book(&beijing());
        for (metres, amount) in [(350, "913.50"), (351, "916.33"), (500, "1338.00"), (620, "1845.60")] {
            assert_eq!(yuan(1, &january(metres * 1000), &book_bj), amount, "G-BJ {metres}");
        }
        let mut six = january(620_000);
        six.terms.persons = vec![Term {
            value: 6,
            from: NEW_YEAR_EVE,
            until: None,
        }];
        assert_eq!(yuan(1, &six, &book_bj), "1644.60");
        let book_tj = book(&tianjin());
        assert_eq!(yuan(1, &january(350_000), &book_tj), "1026.00");
        assert_eq!(yuan(1, &january(650_000), &book_tj), "2071.50");
        let mut poor = january(650_000);
        poor.terms.low_income = vec![Term {
            value: true,
            from: NEW_YEAR_EVE,
            until: None,
        }];
        assert_eq!(yuan(1, &poor, &book_tj), "1859.00");
        let uplift = UpliftTerms {
            from_persons: 5,
            plus: "60".parse().unwrap(),
            per_person: true,
        };
        let lu_an = book(&terms(&[(Some("360"), "2.80"), (Some("600"), "3.36"), (None, "3.92")], None, Some(uplift)));
        let mut large = january(700_000);
        assert_eq!(yuan(1, &large, &lu_an), "2206.40");
        large.terms.persons = vec![Term {
            value: 6,
            from: NEW_YEAR_EVE,
            until: None,
        }];
        assert_eq!(yuan(1, &large, &lu_an), "2083.20");
    }

    #[test]
    fn edge_28_one_rounding_across_a_bound() {
        let mut facts = january(1000);
        facts.used = vec![(2025, 349_500)];
        let draft = draft(1, &facts, &book(&beijing()));
        assert_eq!((draft.amount.to_string().as_str(), draft.before), ("2.72", 349_500));
        assert_eq!(draft.lines.iter().map(|l| (l.tier, l.volume)).collect::<Vec<_>>(), [(1, 500), (2, 500)]);
    }

    #[test]
    fn edge_29_upper_bounds_are_inclusive() {
        let draft = draft(1, &january(500_000), &book(&beijing()));
        assert_eq!(draft.lines.iter().map(|l| (l.tier, l.volume)).collect::<Vec<_>>(), [(1, 350_000), (2, 150_000)]);
    }

    #[test]
    fn edge_11_month_without_use_is_billed_0() {
        let draft = draft(1, &january(0), &book(&tianjin()));
        assert!(draft.amount.is_zero() && draft.lines.is_empty() && draft.uses == [(2025, 0)]);
    }

    #[test]
    fn edge_12_household_of_six_from_june_gets_seven_twelfths() {
        let mut facts = january(0);
        facts.terms.persons = vec![
            Term {
                value: 4,
                from: NEW_YEAR_EVE,
                until: Some(day(6, 1)),
            },
            Term {
                value: 6,
                from: day(6, 1),
                until: None,
            },
        ];
        facts.billed = Some(Billed {
            to: day(5, 31),
            index: 0,
            install: Uuid::from_u128(1),
        });
        facts.reads = vec![read(16, 1, day(6, 30), 450_000)];
        // 350 + 150 × 7 / 12 = 437.5, half up 438: 438 × 2.61 + 12 × 2.83.
        assert_eq!(yuan(6, &facts, &book(&beijing())), "1177.14");
        assert_eq!(months_left(day(5, 20), day(1, 1)), 7, "approved in May, effective in June");
        assert_eq!(months_left(day(12, 2), day(1, 1)), 0);
        assert_eq!(months_left(NEW_YEAR_EVE, day(1, 1)), 12);
    }

    #[test]
    fn edge_03_rollover_is_billed_with_the_rolled_volume() {
        let mut facts = january(12_000);
        facts.installs[0].initial = 99_987_000;
        facts.reads[0].rollover = true;
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

    #[test]
    fn a_04_day_without_a_published_price_is_parked() {
        assert_eq!(decide(month(1), &january(46_000), &Book::default()), Decision::Parked("TARIFF_MISSING"));
        let mut facts = january(46_000);
        facts.terms.classes.clear();
        assert_eq!(decide(month(1), &facts, &book(&tianjin())), Decision::Parked("USE_CLASS_MISSING"));
        let terms = tianjin();
        let mut price = priced_from(NEW_YEAR_EVE, None, 1, &terms);
        let mut without = (*price.tariff).clone();
        without.legal_basis = " ".to_owned();
        price.tariff = Arc::new(without);
        assert_eq!(decide(month(1), &january(46_000), &Book::new(vec![price])), Decision::Parked("TARIFF_MISSING"));
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
        facts.terms = Terms {
            from: None,
            end: None,
            ..facts.terms
        };
        assert!(draft(1, &facts, &book).de_facto, "signed, not in force");
        facts.reads[0].value = 0;
        assert_eq!(decide(month(1), &facts, &book), Decision::NotDue, "without consumption, nothing");
    }

    #[test]
    fn p_9_2_change_of_price_splits_by_days() {
        let (old, new) = (terms(&[(None, "2.76")], None, None), terms(&[(None, "2.97")], None, None));
        let from = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
        let book = Book::new(vec![priced_from(from, Some(day(10, 1)), 1, &old), priced_from(day(10, 1), None, 2, &new)]);
        // Edge 30: period 11 September to 10 October, 30 m3 of tier 1: 20 × 2.76 + 10 × 2.97.
        let mut facts = january(0);
        facts.installs = vec![install(1, day(9, 10), 0)];
        facts.reads = vec![read(11, 1, day(10, 10), 30_000)];
        let draft = draft(10, &facts, &book);
        assert_eq!(draft.amount.to_string(), "84.90");
        assert_eq!(
            draft.lines.iter().map(|l| (l.tariff, l.volume, l.to)).collect::<Vec<_>>(),
            [(Uuid::from_u128(1), 20_000, day(9, 30)), (Uuid::from_u128(2), 10_000, day(10, 10))]
        );
        assert_eq!(draft.tariff, Uuid::from_u128(2));
    }

    #[test]
    fn edge_44_low_income_that_ends_goes_on_with_the_true_volume() {
        let mut facts = january(0);
        facts.terms.low_income = vec![Term {
            value: true,
            from: NEW_YEAR_EVE,
            until: Some(day(2, 1)),
        }];
        facts.billed = Some(Billed {
            to: day(1, 31),
            index: 0,
            install: Uuid::from_u128(1),
        });
        facts.used = vec![(2025, 650_000)];
        facts.reads = vec![read(12, 1, day(2, 28), 10_000)];
        assert_eq!(yuan(2, &facts, &book(&tianjin())), "41.10");
    }

    #[test]
    fn p_9_1_new_tier_year_starts_at_zero() {
        let mut facts = january(46_000);
        facts.used = vec![(2024, 900_000)];
        let draft = draft(1, &facts, &book(&tianjin()));
        assert_eq!((draft.before, draft.tier_year, draft.amount.to_string().as_str()), (0, 2025, "131.56"));
    }
}
