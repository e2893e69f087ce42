//! Checks that a bill passes between pricing and issue, and the states of a bill that did not, pure.

use std::sync::Arc;

use calendar::NaiveDate;
use chrono::Months;
use money::{Money, Volume};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{refusal::Refusal, words::words};

words! {
    /// What is looked at.
    pub enum Code {
        /// The amount against last year.
        AmountYear "AMOUNT_YEAR",
        /// The volume against last year.
        VolumeYear "VOLUME_YEAR",
        /// The amount against the last bills.
        AmountRecent "AMOUNT_RECENT",
        /// The volume against the last bills.
        VolumeRecent "VOLUME_RECENT",
        /// The first bill is large.
        FirstBill "FIRST_BILL",
        /// Nothing was used after much.
        ZeroAfterUse "ZERO_AFTER_USE",
        /// Something was used and nothing is owed.
        Credit "CREDIT",
        /// Estimates in a row.
        Estimates "ESTIMATES",
        /// Long after the last bill.
        Gap "GAP",
    }
}

words! {
    /// Where a held bill stands.
    pub enum HeldState {
        /// Waits for a person.
        Held "HELD",
        /// The bill was issued.
        Released "RELEASED",
        /// The reading was wrong.
        Rejected "REJECTED",
        /// Priced anew by a later run.
        Superseded "SUPERSEDED",
    }
}

/// What happens to a held bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A person lets it go out.
    Release,
    /// A person takes its reading to be wrong.
    Reject,
    /// A run prices the agreement anew.
    Supersede,
}

/// The legal moves.
const MOVES: [(HeldState, Action, HeldState); 3] = [
    (HeldState::Held, Action::Release, HeldState::Released),
    (HeldState::Held, Action::Reject, HeldState::Rejected),
    (HeldState::Held, Action::Supersede, HeldState::Superseded),
];

/// Moves a held bill.
///
/// # Errors
/// HELD_BILL_DECIDED where the move is not legal.
pub fn step(state: HeldState, action: Action) -> Result<HeldState, Refusal> {
    MOVES
        .iter()
        .find(|(from, by, _)| *from == state && *by == action)
        .map(|(_, _, to)| *to)
        .ok_or(Refusal::HeldBillDecided)
}

/// One check, as the database keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Check {
    /// Code of a [`Code`].
    pub code: String,
    /// Class of use; empty for every class without a row of its own.
    pub use_class: String,
    /// Percent of what is likely; 0: not looked at.
    pub above_percent: i32,
    /// Percent of what is likely; 0: not looked at.
    pub below_percent: i32,
    pub volume: Option<Volume>,
    pub amount: Option<Money>,
    /// Bills or days.
    pub count: i32,
}

/// What a bill is compared with, whatever set holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    /// How many bills count as the last ones.
    pub bills: usize,
    /// Days by which the bill of the same season may end earlier or later than a year before.
    pub season_days: i64,
}

/// A file of checks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shipped {
    pub compare: Compare,
    /// The set of the service.
    pub check: Vec<Check>,
}

/// What the service checks bills by where nothing is published.
///
/// # Errors
/// Where the file that is built in cannot be read or used.
pub fn shipped() -> Result<Shipped, String> {
    read(include_str!("checks.toml"))
}

fn read(text: &str) -> Result<Shipped, String> {
    let shipped: Shipped = toml::from_str(text).map_err(|e| e.to_string())?;
    let Compare { bills, season_days } = shipped.compare;
    // No more than the bills of fourteen months are looked at.
    if !(1..=12).contains(&bills) || !(0..=31).contains(&season_days) {
        return Err(format!(
            "no comparison with {bills} bills and {season_days} days; 1 to 12 and 0 to 31 are possible"
        ));
    }
    if let Some(check) = shipped.check.iter().find(|check| Code::of(&check.code).is_none()) {
        return Err(format!("{} is not known", check.code));
    }
    fits(&shipped.check).map_err(|_| "a code stands twice for a class".to_owned())?;
    Ok(shipped)
}

/// Whether a set can be used.
///
/// # Errors
/// CHECK_TWICE where a code stands twice for a class.
pub fn fits(checks: &[Check]) -> Result<(), Refusal> {
    let twice = |(at, check): (usize, &Check)| {
        checks
            .iter()
            .skip(at.saturating_add(1))
            .any(|c| c.code == check.code && c.use_class == check.use_class)
    };
    if checks.iter().enumerate().any(twice) {
        return Err(Refusal::CheckTwice);
    }
    Ok(())
}

/// The checks of a branch from a day on.
#[derive(Clone, Debug)]
pub struct Set {
    pub id: Uuid,
    /// Empty for every branch without a set of its own.
    pub branch: String,
    pub from: NaiveDate,
    pub checks: Arc<[Check]>,
}

/// All sets that were published, and that of the service.
#[derive(Clone, Debug)]
pub struct Sets {
    pub published: Vec<Set>,
    pub shipped: Shipped,
}

impl Sets {
    /// What was published for a branch on a day: its own set, else the one for all.
    pub fn published_on(&self, branch: &str, day: NaiveDate) -> Option<&Set> {
        let latest = |branch: &str| self.published.iter().filter(|s| s.branch == branch && s.from <= day).max_by_key(|s| s.from);
        latest(branch).or_else(|| latest(""))
    }

    /// What holds for a branch on a day: what was published, else the set of the service.
    pub fn on(&self, branch: &str, day: NaiveDate) -> &[Check] {
        self.published_on(branch, day).map_or(&self.shipped.check, |set| &set.checks)
    }
}

/// A bill to be.
#[derive(Clone, Copy, Debug)]
pub struct Priced<'a> {
    pub class: &'a str,
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// Litres.
    pub volume: i64,
    /// Fen.
    pub amount: i64,
    /// Whether an index that it counts to is an estimate.
    pub estimated: bool,
    /// Day up to which the agreement is billed; none before its first bill.
    pub billed: Option<NaiveDate>,
}

/// A bill of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// Litres.
    pub volume: i64,
    /// Fen.
    pub amount: i64,
    /// Whether an index that it counts to is an estimate.
    pub estimated: bool,
}

/// A check that a bill does not pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Code of a [`Code`].
    pub code: String,
    /// Litres that were likely for as many days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<i64>,
    /// Fen that were likely for as many days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// Bills or days that were counted.
    #[serde(default)]
    pub count: i32,
}

/// The checks that a bill does not pass, in the order of their codes. `past` are its live bills, the latest first.
pub fn findings(compare: Compare, checks: &[Check], bill: &Priced<'_>, past: &[Past]) -> Vec<Finding> {
    let past: Vec<Past> = past.iter().filter(|p| p.to <= bill.from).copied().collect();
    let recent = likely(bill, past.get(..compare.bills.min(past.len())).unwrap_or_default());
    let year_ago = bill.to.checked_sub_months(Months::new(12));
    let away = |p: &Past| year_ago.map_or(i64::MAX, |day| days(p.to, day).saturating_abs());
    let season = past.iter().filter(|p| away(p) <= compare.season_days).min_by_key(|p| away(p));
    let year = season.and_then(|p| likely(bill, std::slice::from_ref(p)));
    Code::ALL
        .iter()
        .filter_map(|code| {
            let check = of(checks, *code, bill.class)?;
            let found = |volume, amount, count| Finding {
                code: code.code().to_owned(),
                volume,
                amount,
                count,
            };
            let by_volume = |(volume, _): (i64, i64)| deviates(bill.volume, volume, check, litres(check)).then(|| found(Some(volume), None, 0));
            let by_amount = |(_, amount): (i64, i64)| deviates(bill.amount, amount, check, fen(check)).then(|| found(None, Some(amount), 0));
            match code {
                Code::AmountYear => year.and_then(by_amount),
                Code::VolumeYear => year.and_then(by_volume),
                Code::AmountRecent => recent.and_then(by_amount),
                Code::VolumeRecent => recent.and_then(by_volume),
                Code::FirstBill => {
                    let large = check.volume.is_some_and(|v| bill.volume >= v.litres()) || check.amount.is_some_and(|a| bill.amount >= a.fen());
                    (bill.billed.is_none() && large).then(|| found(None, None, 0))
                }
                Code::ZeroAfterUse => recent
                    .filter(|(volume, _)| bill.volume == 0 && *volume > 0 && *volume >= litres(check))
                    .map(|(volume, _)| found(Some(volume), None, 0)),
                Code::Credit => (bill.volume > 0 && bill.amount <= 0).then(|| found(None, None, 0)),
                Code::Estimates => {
                    let before = past.iter().take_while(|p| p.estimated).count();
                    let row = i32::try_from(before).unwrap_or(i32::MAX).saturating_add(1);
                    (bill.estimated && row > check.count).then(|| found(None, None, row))
                }
                Code::Gap => {
                    let gap = bill.billed.map_or(0, |billed| i32::try_from(days(billed, bill.to)).unwrap_or(i32::MAX));
                    (gap > check.count).then(|| found(None, None, gap))
                }
            }
        })
        .collect()
}

/// The check of a code for a class: its own row, else the one for every class.
fn of<'a>(checks: &'a [Check], code: Code, class: &str) -> Option<&'a Check> {
    let row = |class: &str| checks.iter().find(|c| c.code == code.code() && c.use_class == class);
    row(class).or_else(|| row(""))
}

fn days(from: NaiveDate, to: NaiveDate) -> i64 {
    to.signed_duration_since(from).num_days()
}

fn litres(check: &Check) -> i64 {
    check.volume.map_or(0, Volume::litres)
}

fn fen(check: &Check) -> i64 {
    check.amount.map_or(0, Money::fen)
}

/// Volume and amount that bills of the past make likely for as many days; none without days to compare.
fn likely(bill: &Priced<'_>, past: &[Past]) -> Option<(i64, i64)> {
    let span = past.iter().map(|p| days(p.from, p.to)).fold(0, i64::saturating_add);
    let share = |sum: i64| {
        let product = i128::from(sum).checked_mul(i128::from(days(bill.from, bill.to)))?;
        product.checked_div(i128::from(span)).and_then(|v| i64::try_from(v).ok())
    };
    let volume = past.iter().map(|p| p.volume).fold(0, i64::saturating_add);
    let amount = past.iter().map(|p| p.amount).fold(0, i64::saturating_add);
    Some((share(volume)?, share(amount)?))
}

fn deviates(actual: i64, likely: i64, check: &Check, least: i64) -> bool {
    let percent = |of: i64, percent: i32| i128::from(of).saturating_mul(i128::from(percent));
    let matters = actual.abs_diff(likely) >= least.unsigned_abs();
    let above = check.above_percent > 0 && percent(actual, 100) > percent(likely, check.above_percent);
    let below = check.below_percent > 0 && percent(actual, 100) < percent(likely, check.below_percent);
    matters && (above || below)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn check(code: Code) -> Check {
        Check {
            code: code.code().to_owned(),
            ..Check::default()
        }
    }

    fn priced(from: &str, to: &str, metres: i64, amount: i64) -> Priced<'static> {
        Priced {
            class: "living",
            from: day(from),
            to: day(to),
            volume: metres * 1000,
            amount,
            estimated: false,
            billed: Some(day(from)),
        }
    }

    fn past(from: &str, to: &str, metres: i64, amount: i64) -> Past {
        Past {
            from: day(from),
            to: day(to),
            volume: metres * 1000,
            amount,
            estimated: false,
        }
    }

    /// January to March of 2025, the latest first: 90 days, 180 m³, 514.80 yuan; and March of 2024.
    fn history() -> Vec<Past> {
        vec![
            past("2025-02-28", "2025-03-31", 62, 17_732),
            past("2025-01-31", "2025-02-28", 56, 16_016),
            past("2024-12-31", "2025-01-31", 62, 17_732),
            past("2024-02-29", "2024-04-30", 60, 17_160),
        ]
    }

    const COMPARE: Compare = Compare { bills: 3, season_days: 20 };

    fn held(check: &Check, bill: &Priced<'_>, past: &[Past]) -> bool {
        !findings(COMPARE, std::slice::from_ref(check), bill, past).is_empty()
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = Code::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "CODE_", |n| proto::bill_check::Code::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = HeldState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "STATE_", |n| proto::held_bill::State::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn table_of_moves() {
        use HeldState::*;
        let table = [
            (Held, [Some(Released), Some(Rejected), Some(Superseded)]),
            (Released, [None, None, None]),
            (Rejected, [None, None, None]),
            (Superseded, [None, None, None]),
        ];
        assert_eq!(table.len(), HeldState::ALL.len());
        for (state, row) in table {
            for (action, to) in [Action::Release, Action::Reject, Action::Supersede].into_iter().zip(row) {
                assert_eq!(step(state, action).ok(), to, "{state:?} {action:?}");
            }
        }
    }

    #[test]
    fn what_is_likely_is_reckoned_by_day() {
        // 180 m³ in 90 days: 60 in the 30 days of April, 171.60 yuan. Last year's bill had 60 m³ in 61 days: 29.508 in 30.
        let april = priced("2025-03-31", "2025-04-30", 181, 51_766);
        let above = |code| Check {
            above_percent: 300,
            ..check(code)
        };
        let found = |code| findings(COMPARE, &[above(code)], &april, &history());
        assert_eq!(found(Code::VolumeRecent).first().unwrap().volume, Some(60_000));
        assert_eq!(found(Code::AmountRecent).first().unwrap().amount, Some(17_160));
        assert_eq!(found(Code::VolumeYear).first().unwrap().volume, Some(29_508));
        assert_eq!(found(Code::AmountYear).first().unwrap().amount, Some(8_439));
        let at_bound = priced("2025-03-31", "2025-04-30", 180, 51_480);
        assert!(!held(&above(Code::VolumeRecent), &at_bound, &history()), "exactly three times as much passes");
    }

    #[test]
    fn what_is_compared_is_set_in_the_file() {
        let april = priced("2025-03-31", "2025-04-30", 181, 51_766);
        let above = |code| Check {
            above_percent: 10,
            ..check(code)
        };
        let with = |bills, season_days, code| findings(Compare { bills, season_days }, &[above(code)], &april, &history()).pop();
        // The last bill alone: 62 m³ in 31 days.
        assert_eq!(with(1, 20, Code::VolumeRecent).unwrap().volume, Some(60_000));
        assert_eq!(with(4, 20, Code::VolumeRecent).unwrap().volume, Some(47_682), "240 m³ in 151 days");
        let may = priced("2025-04-30", "2025-05-31", 181, 51_766);
        let season = |season_days| !findings(Compare { bills: 3, season_days }, &[above(Code::VolumeYear)], &may, &history()).is_empty();
        assert_eq!([season(30), season(31)], [false, true], "31 days after 30 April");
        assert_eq!(shipped().unwrap().compare, COMPARE);
        let text = include_str!("checks.toml");
        for (good, bad, told) in [
            ("bills = 3", "bills = 13", "no comparison with 13 bills"),
            ("season_days = 20", "season_days = 32", "and 32 days"),
            ("\"CREDIT\"", "\"CREDITS\"", "CREDITS is not known"),
            ("\"CREDIT\"", "\"GAP\"", "a code stands twice for a class"),
        ] {
            let refused = read(&text.replace(good, bad)).unwrap_err();
            assert!(refused.contains(told), "{told}: {refused}");
        }
    }

    #[test]
    fn small_differences_do_not_matter() {
        let april = priced("2025-03-31", "2025-04-30", 181, 51_766);
        let with = |metres: &str| Check {
            above_percent: 300,
            volume: Some(metres.parse().unwrap()),
            ..check(Code::VolumeRecent)
        };
        assert!(held(&with("121"), &april, &history()));
        assert!(!held(&with("121.001"), &april, &history()), "181 less 60 is 121");
        let low = Check {
            below_percent: 50,
            ..check(Code::VolumeRecent)
        };
        assert!(held(&low, &priced("2025-03-31", "2025-04-30", 29, 0), &history()));
        assert!(!held(&low, &priced("2025-03-31", "2025-04-30", 30, 0), &history()));
    }

    #[test]
    fn a_first_bill_has_bounds_of_its_own() {
        let first = Priced {
            billed: None,
            ..priced("2025-03-31", "2025-04-30", 500, 143_000)
        };
        let bounds = |metres: &str, amount: &str| Check {
            volume: Some(metres.parse().unwrap()),
            amount: Some(amount.parse().unwrap()),
            ..check(Code::FirstBill)
        };
        assert!(held(&bounds("500", "5000"), &first, &[]));
        assert!(held(&bounds("501", "1430"), &first, &[]));
        assert!(!held(&bounds("501", "1430.01"), &first, &[]));
        assert!(!held(&bounds("1", "1"), &priced("2025-03-31", "2025-04-30", 500, 143_000), &[]));
        assert!(!held(&check(Code::VolumeRecent), &first, &[]), "nothing to compare with");
    }

    #[test]
    fn zero_credit_estimates_and_gap() {
        let zero = priced("2025-03-31", "2025-04-30", 0, 0);
        let much = |metres: &str| Check {
            volume: Some(metres.parse().unwrap()),
            ..check(Code::ZeroAfterUse)
        };
        assert!(held(&much("60"), &zero, &history()));
        assert!(!held(&much("60.001"), &zero, &history()));
        assert!(held(&check(Code::Credit), &priced("2025-03-31", "2025-04-30", 5, 0), &[]));
        assert!(!held(&check(Code::Credit), &zero, &[]), "edge 11: nothing used, nothing owed");
        let two = Check {
            count: 2,
            ..check(Code::Estimates)
        };
        let estimated = Priced {
            estimated: true,
            ..priced("2025-03-31", "2025-04-30", 60, 17_160)
        };
        let mut before = history();
        before[0].estimated = true;
        assert!(!held(&two, &estimated, &before), "the second in a row");
        before[1].estimated = true;
        assert_eq!(findings(COMPARE, std::slice::from_ref(&two), &estimated, &before).first().unwrap().count, 3);
        assert!(!held(&two, &priced("2025-03-31", "2025-04-30", 60, 17_160), &before), "this one was read");
        let gap = Check { count: 61, ..check(Code::Gap) };
        assert!(!held(&gap, &priced("2025-03-31", "2025-05-31", 60, 17_160), &[]));
        assert!(held(&gap, &priced("2025-03-31", "2025-06-01", 60, 17_160), &[]));
    }

    #[test]
    fn a_row_of_the_class_comes_first() {
        let strict = Check {
            volume: Some("1".parse().unwrap()),
            ..check(Code::FirstBill)
        };
        let lax = Check {
            use_class: "living".to_owned(),
            ..check(Code::FirstBill)
        };
        let first = Priced {
            billed: None,
            ..priced("2025-03-31", "2025-04-30", 5, 1_430)
        };
        assert!(held(&strict, &first, &[]));
        assert!(findings(COMPARE, &[strict.clone(), lax.clone()], &first, &[]).is_empty());
        assert_eq!(fits(&[strict.clone(), lax.clone()]), Ok(()));
        assert_eq!(fits(&[lax.clone(), strict, lax]), Err(Refusal::CheckTwice));
    }

    #[test]
    fn the_set_of_a_branch_comes_before_the_one_for_all() {
        let set = |branch: &str, from: &str, code| Set {
            id: Uuid::nil(),
            branch: branch.to_owned(),
            from: day(from),
            checks: vec![check(code)].into(),
        };
        let sets = Sets {
            published: vec![
                set("", "2025-02-01", Code::Gap),
                set("A", "2025-03-01", Code::Credit),
                set("A", "2025-04-01", Code::FirstBill),
            ],
            shipped: shipped().unwrap(),
        };
        let first = |branch: &str, on: &str| sets.on(branch, day(on)).first().unwrap().code.clone();
        assert_eq!(
            sets.on("A", day("2025-01-31")).len(),
            Code::ALL.len(),
            "the set of the service looks at everything"
        );
        assert_eq!(first("A", "2025-02-28"), "GAP");
        assert_eq!(first("A", "2025-03-31"), "CREDIT");
        assert_eq!(first("A", "2025-04-01"), "FIRST_BILL");
        assert_eq!(first("B", "2025-04-01"), "GAP");
    }
}
