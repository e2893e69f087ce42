//! What a household gets back after a tier-year (9.1, Lu'an), pure: for which months, how much of what it used, and from which bills.

use std::{cmp::Reverse, collections::HashSet, fmt::Write};

use calendar::NaiveDate;
use chrono::{Datelike, Months};
use money::{Money, Volume};
use rating::{LowIncome, Profile, RatingError, ReadMonths, ReliefRule, Tariff, Version};
use uuid::Uuid;

use crate::{run::model::Terms, tariff::model::Book};

/// Days after its end on which a tier-year is settled whose last month was never billed: a reading that is three months late does not come.
const GRACE_DAYS: i64 = 90;
/// Years after its end for which corrections of a tier-year are looked for: as long as a claim can be sued for (民法典 art. 188).
const LOOK_BACK_YEARS: u32 = 3;

/// A tier-year of a household.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Year {
    /// Its name: the calendar year in which it begins.
    pub number: i32,
    /// First day.
    pub first: NaiveDate,
    /// Last day.
    pub last: NaiveDate,
    /// Whether a usage period across its end is shared by days, instead of belonging to the year in which it is read.
    splits: bool,
}

impl Year {
    /// The year by a tariff, for who is read in these months, or, where nobody said, has bills of it that end on these days; none for years that the
    /// calendar does not reach.
    pub fn of(tariff: &Tariff, number: i32, months: Option<ReadMonths>, bills: impl IntoIterator<Item = NaiveDate>) -> Option<Self> {
        let of_bills = || {
            // Who is read every month has the year of the even ones: it ends with the later reading.
            let even = bills.into_iter().any(|to| ReadMonths::of(to) == ReadMonths::Even);
            if even { ReadMonths::Even } else { ReadMonths::Odd }
        };
        let months = months.unwrap_or_else(of_bills);
        let next = tariff.tier_year_start_for(number.checked_add(1)?, months)?;
        Some(Self {
            number,
            first: tariff.tier_year_start_for(number, months)?,
            last: next.pred_opt()?,
            splits: tariff.splits_years(),
        })
    }

    /// First and last days of its months.
    fn months(self) -> impl Iterator<Item = (NaiveDate, NaiveDate)> {
        let begin = move |place| self.first.checked_add_months(Months::new(place)).filter(|day| *day <= self.last);
        (0..).map_while(move |place: u32| {
            let next = self.first.checked_add_months(Months::new(place.checked_add(1)?))?;
            Some((begin(place)?, next.pred_opt()?.min(self.last)))
        })
    }

    /// Whether it is over, and its corrections still count.
    pub fn is_looked_at(self, today: NaiveDate) -> bool {
        let until = self.last.checked_add_months(Months::new(LOOK_BACK_YEARS.saturating_mul(12)));
        self.last < today && until.is_some_and(|until| today <= until)
    }

    /// Whether no bill of it is to come from an agreement whose last bill ends on `to`, and which ended where `end` says so.
    pub fn is_billed(self, today: NaiveDate, to: NaiveDate, end: Option<NaiveDate>) -> bool {
        let last_month = self.months().last().map_or(self.last, |(first, _)| first);
        let needed = if self.splits { self.last } else { last_month };
        let needed = end.and_then(|end| end.pred_opt()).map_or(needed, |end| end.min(needed));
        to >= needed || today.signed_duration_since(self.last).num_days() > GRACE_DAYS
    }
}

/// The first tier-year that may still be looked at on a day.
pub fn first_year(today: NaiveDate) -> i32 {
    let years = i32::try_from(LOOK_BACK_YEARS).unwrap_or_default();
    // A year is named by its first day and ends in the next one.
    today.year().saturating_sub(years).saturating_sub(1)
}

/// Whether a version gives a volume free after the year.
pub fn returns(version: &Version) -> bool {
    [LowIncome::Subsistence, LowIncome::Destitute].into_iter().any(|kind| gives(version, kind))
}

fn gives(version: &Version, kind: LowIncome) -> bool {
    let Ok(class) = version.tariff.class(&version.class) else { return false };
    let rule = match kind {
        LowIncome::Subsistence => class.relief.subsistence,
        LowIncome::Destitute => class.relief.destitute,
    };
    matches!(rule, Some(ReliefRule::FreeAfterYear(_)))
}

/// Months of entitlement under one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entitled<'a> {
    version: &'a Version,
    kind: LowIncome,
    months: u8,
}

/// What decides a month of an agreement: entitlement, supply and price of its last day, as for a volume that is free at once. An entitlement that expires
/// within a month holds to the end of it (9.1).
fn entitlement<'a>(terms: &Terms, book: &'a Book, day: NaiveDate) -> Option<(&'a Version, LowIncome)> {
    if terms.from? > day || terms.end.is_some_and(|end| end <= day) {
        return None;
    }
    let kind = terms.low_income(day)?;
    let version = book.on(terms.class(day)?, day)?;
    gives(version, kind).then_some((version, kind))
}

/// The months of a year in which a household is entitled, by price, the earliest first. Of several agreements of a household one is enough.
fn entitled<'a>(household: &[&Terms], book: &'a Book, year: Year) -> Vec<Entitled<'a>> {
    let mut found: Vec<Entitled<'a>> = vec![];
    for (_, last) in year.months() {
        let Some((version, kind)) = household.iter().find_map(|terms| entitlement(terms, book, last)) else {
            continue;
        };
        match found.iter_mut().find(|known| (known.version, known.kind) == (version, kind)) {
            Some(known) => known.months = known.months.saturating_add(1),
            None => found.push(Entitled { version, kind, months: 1 }),
        }
    }
    found
}

/// What a year comes to for a household.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub months: i32,
    /// Litres that are free.
    pub volume: i64,
    /// Fen.
    pub amount: i64,
    /// The steps to the amount.
    pub explanation: String,
}

/// What a year comes to for a household that used so much in it; none where nothing is returned.
///
/// # Errors
/// As [`rating::Plan::returned`].
pub fn claim(household: &[&Terms], book: &Book, year: Year, used: Volume) -> Result<Option<Claim>, RatingError> {
    let (mut left, mut months, mut total) = (used, 0_i32, Money::ZERO);
    let mut parts = vec![];
    for of in entitled(household, book, year) {
        let profile = Profile::default().with_low_income(of.kind);
        let plan = of.version.tariff.plan(&of.version.class, &profile)?;
        let back = plan.returned(&of.version.label, of.months, left)?;
        left = left.checked_sub(back.volume)?;
        months = months.saturating_add(of.months.into());
        if back.amount > Money::ZERO {
            total = total.checked_add(back.amount)?;
            parts.push(back.explanation.into_text());
        }
    }
    let volume = used.checked_sub(left)?.litres();
    Ok((total > Money::ZERO).then(|| Claim {
        months,
        volume,
        amount: total.fen(),
        explanation: explained(year, &parts, total),
    }))
}

/// The steps of all prices of a year, under names of their own where there are several.
fn explained(year: Year, parts: &[String], total: Money) -> String {
    let mut text = format!("year is {} {} {}\n", year.number, year.first, year.last);
    if let [only] = parts {
        text.push_str(only);
        return text;
    }
    let mut totals = String::new();
    for (n, part) in (1..).zip(parts) {
        let prefix = format!("p{n}.");
        prefixed(&mut text, &prefix, part);
        // Writing to a string cannot fail.
        let _ = write!(totals, " {prefix}total");
    }
    let _ = writeln!(text, "total add{totals} = {}", total.short());
    text
}

/// Writes the steps of an explanation with a prefix to each name.
fn prefixed(text: &mut String, prefix: &str, part: &str) {
    let mut names: HashSet<&str> = HashSet::new();
    for line in part.lines() {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        text.push_str(prefix);
        text.push_str(name);
        if rest.starts_with("is ") {
            let _ = write!(text, " {rest}");
        } else {
            // One of several values is named by its place.
            let known = |word: &str| names.contains(word) || word.rsplit_once('.').is_some_and(|(name, _)| names.contains(name));
            for word in rest.split(' ') {
                let _ = write!(text, " {}{word}", if known(word) { prefix } else { "" });
            }
            names.insert(name);
        }
        text.push('\n');
    }
}

impl Claim {
    /// What is left to return where so much of it stands already, fen.
    pub fn left(&self, before: i64) -> i64 {
        self.amount.saturating_sub(before).max(0)
    }

    /// The steps to what is returned now, where so much stood before.
    pub fn explained(&self, before: i64, returned: i64) -> String {
        let mut text = self.explanation.clone();
        let short = |fen| Money::from_fen(fen).short();
        let mut from = "total";
        if before > 0 {
            let _ = write!(text, "before given = {}\nleft sub total before = {}\n", short(before), short(self.left(before)));
            from = "left";
        }
        if returned < self.left(before) {
            let _ = write!(text, "bills given = {}\nreturned min {from} bills = {}\n", short(returned), short(returned));
        }
        text
    }
}

/// A live bill that counts in a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YearBill {
    pub bill: Uuid,
    /// Whether it ends in the year, so that nothing of it counts in a later one.
    pub ends_in_it: bool,
    pub to: NaiveDate,
    /// Fen that stand of it.
    pub stands: i64,
}

/// Shares an amount over bills, the latest first, each at most what stands of it. It may be more than they can bear.
pub fn shares(mut bills: Vec<YearBill>, amount: i64) -> Vec<(Uuid, i64)> {
    bills.sort_unstable_by_key(|b| Reverse((b.ends_in_it, b.to, b.bill)));
    let mut left = amount;
    let mut shares = vec![];
    for bill in bills {
        let share = bill.stands.min(left);
        if share > 0 {
            left = left.saturating_sub(share);
            shares.push((bill.bill, share));
        }
    }
    shares
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use rating::{Explanation, Term};

    use super::*;
    use crate::{
        run::model::tests::{priced_from, terms},
        tariff::model::{FreeTerms, Terms as PriceTerms},
    };

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn cubic(metres: i64) -> Volume {
        Volume::from_litres(metres * 1000)
    }

    /// Lu'an: so many cubic metres a month at the price of the first tier, for all of low income.
    fn luan(per_month: &str, first: &str) -> PriceTerms {
        let free = FreeTerms {
            per_month: per_month.parse().unwrap(),
            all_low_income: true,
            after_year: true,
        };
        PriceTerms {
            free: Some(free),
            ..terms(&[(Some("360"), first), (Some("600"), "3.36"), (None, "3.92")], None, None)
        }
    }

    fn one_price() -> Book {
        Book::new([priced_from(day("2020-01-01"), None, 1, &luan("5", "2.80"))]).unwrap()
    }

    fn year(book: &Book) -> Year {
        Year::of(&book.versions()[0].tariff, 2025, None, [day("2025-12-31")]).unwrap()
    }

    fn poor(from: &str, until: Option<&str>) -> Terms {
        Terms {
            from: Some(day("2020-03-10")),
            classes: vec![Term {
                value: "living".to_owned(),
                from: day("2020-03-10"),
                until: None,
            }],
            low_income: vec![Term {
                value: LowIncome::Subsistence,
                from: day(from),
                until: until.map(day),
            }],
            ..Terms::default()
        }
    }

    fn back(terms: &[&Terms], used: i64) -> Option<Claim> {
        let book = one_price();
        claim(terms, &book, year(&book), cubic(used)).unwrap()
    }

    fn months(terms: &Terms) -> i32 {
        back(&[terms], 700).map_or(0, |claim| claim.months)
    }

    #[test]
    fn p_9_1_free_volume_of_a_year_and_never_more_than_was_used() {
        let all = poor("2024-12-31", None);
        let of = |used| back(&[&all], used).map(|c| (c.months, c.volume, c.amount));
        assert_eq!(of(700), Some((12, 60_000, 16_800)), "12 × 5 × 2.80");
        assert_eq!(of(60), Some((12, 60_000, 16_800)));
        assert_eq!(of(40), Some((12, 40_000, 11_200)), "40 × 2.80");
        assert_eq!(of(0), None);
    }

    #[test]
    fn p_9_1_free_volume_counts_a_month_by_its_last_day() {
        assert_eq!(months(&poor("2025-07-01", None)), 6);
        assert_eq!(months(&poor("2025-05-20", None)), 8, "May to December");
        assert_eq!(months(&poor("2024-01-01", Some("2025-07-01"))), 6);
        assert_eq!(months(&poor("2024-01-01", Some("2025-06-15"))), 6, "an expiry switches from the next month on");
        assert_eq!(months(&poor("2026-01-01", None)), 0);
        assert_eq!(months(&poor("2024-01-01", Some("2025-01-01"))), 0);
    }

    #[test]
    fn p_9_1_free_volume_is_for_months_of_supply() {
        let mut opened = poor("2024-12-31", None);
        opened.from = Some(day("2025-03-10"));
        assert_eq!(months(&opened), 10, "March to December");
        opened.end = Some(day("2025-06-15"));
        assert_eq!(months(&opened), 3, "March to May");
        opened.end = Some(day("2025-07-01"));
        assert_eq!(months(&opened), 4);
        opened.from = None;
        assert_eq!(months(&opened), 0, "supply without a contract has no entitlement");
    }

    #[test]
    fn p_9_1_a_year_that_ends_with_a_reading_ends_by_the_months_of_its_readings() {
        let mut tariff = one_price().versions()[0].tariff.as_ref().clone();
        tariff.tier_year = Some(rating::TierYear {
            start: rating::YearStart::AfterReading { odd: 11, even: 12 },
            boundary: rating::Boundary::ReadingCycle,
        });
        let of = |months, bills: &[&str]| {
            let year = Year::of(&tariff, 2024, months, bills.iter().map(|b| day(b))).unwrap();
            (year.first.to_string(), year.last.to_string())
        };
        let (odd, even) = (
            ("2024-12-01".to_owned(), "2025-11-30".to_owned()),
            ("2025-01-01".to_owned(), "2025-12-31".to_owned()),
        );
        assert_eq!(of(None, &["2025-09-30", "2025-11-30"]), odd);
        assert_eq!(of(None, &["2025-10-31", "2025-12-31"]), even);
        assert_eq!(of(None, &["2025-10-31", "2025-11-30"]), even, "read every month");
        assert_eq!(of(Some(ReadMonths::Odd), &["2025-10-02", "2025-11-30"]), odd, "a reading two days late");
    }

    #[test]
    fn p_9_1_free_volume_of_a_household_is_given_once() {
        let (first, second) = (poor("2025-01-01", Some("2025-05-01")), poor("2025-03-01", Some("2025-11-01")));
        assert_eq!(back(&[&first, &second], 700).map(|c| c.months), Some(10), "January to October");
    }

    #[test]
    fn p_9_1_free_volume_of_two_prices_is_explained_to_one_total() {
        let (old, new) = (luan("5", "2.80"), luan("6", "3.00"));
        let versions = [
            priced_from(day("2020-01-01"), Some(day("2025-07-01")), 1, &old),
            priced_from(day("2025-07-01"), None, 2, &new),
        ];
        let book = Book::new(versions).unwrap();
        let all = poor("2024-12-31", None);
        let of = |used| claim(&[&all], &book, year(&book), cubic(used)).unwrap().unwrap();
        // 6 × 5 × 2.80 and 6 × 6 × 3.00; of 50 m³ the later months have 20 left.
        for (used, volume, amount) in [(700, 66_000, 19_200), (50, 50_000, 14_400), (20, 20_000, 5_600)] {
            let claim = of(used);
            assert_eq!((claim.months, claim.volume, claim.amount), (12, volume, amount), "{used}");
            for (before, returned) in [(0, amount), (0, 100), (5_000, amount - 5_000), (5_000, 100)] {
                let text = claim.explained(before, returned);
                let total = Explanation::from_text(text.clone()).check();
                assert_eq!(total.map(Money::fen), Ok(amount), "{text}");
            }
        }
        let text = of(700).explained(5_000, 100);
        assert!(text.starts_with("year is 2025 2025-01-01 2025-12-31\np1.tariff is "), "{text}");
        let end = "total add p1.total p2.total = 192\nbefore given = 50\nleft sub total before = 142\nbills given = 1\nreturned min left bills = 1\n";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn p_9_1_free_volume_waits_for_the_last_month_but_not_for_ever() {
        let book = one_price();
        let cycle = year(&book);
        let on = |year: Year, today: &str, to: &str| year.is_billed(day(today), day(to), None);
        assert!(!cycle.is_looked_at(day("2025-12-31")) && cycle.is_looked_at(day("2026-01-01")));
        assert!(cycle.is_looked_at(day("2028-12-31")) && !cycle.is_looked_at(day("2029-01-01")));
        assert_eq!(first_year(day("2028-12-31")), 2024, "a year is named by its first day");
        assert!(!on(cycle, "2026-01-01", "2025-11-30") && on(cycle, "2026-01-01", "2025-12-01"));
        assert!(!on(cycle, "2026-03-31", "2025-06-30"), "90 days after 31 December");
        assert!(on(cycle, "2026-04-01", "2025-06-30"));
        let split = Year { splits: true, ..cycle };
        assert!(
            !on(split, "2026-01-25", "2025-12-20") && on(split, "2026-01-25", "2026-01-20"),
            "its days come with the next bill"
        );
        assert!(
            cycle.is_billed(day("2026-01-01"), day("2025-06-14"), Some(day("2025-06-15"))),
            "nothing comes after the end"
        );
        assert!(!cycle.is_billed(day("2026-01-01"), day("2025-05-31"), Some(day("2025-06-15"))));
    }

    #[test]
    fn p_9_1_free_volume_is_taken_off_the_latest_bills_first() {
        let bill = |n, ends_in_it, to: &str, stands| YearBill {
            bill: Uuid::from_u128(n),
            ends_in_it,
            to: day(to),
            stands,
        };
        let bills = vec![
            bill(1, true, "2025-06-30", 7_000),
            bill(2, true, "2025-12-20", 4_200),
            bill(3, false, "2026-01-20", 9_000),
            bill(4, true, "2025-09-30", 0),
        ];
        let of = |amount| {
            shares(bills.clone(), amount)
                .into_iter()
                .map(|(bill, fen)| (bill.as_u128(), fen))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(4_000), [(2, 4_000)]);
        assert_eq!(of(11_200), [(2, 4_200), (1, 7_000)]);
        assert_eq!(of(12_000), [(2, 4_200), (1, 7_000), (3, 800)], "what counts in two years bears the last of it");
        assert_eq!(of(30_000).iter().map(|(_, fen)| fen).sum::<i64>(), 20_200);
        assert_eq!(of(0), []);
    }
}
