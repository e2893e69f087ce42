//! What late readings would have made of bills, and what the policy of a tariff says of that, pure.

use calendar::NaiveDate;
use chrono::Datelike;
use uuid::Uuid;

use crate::tariff::model::{Kept, LateUse, Version};

/// A live regular bill; indexes and volume in litres.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Billed {
    pub id: Uuid,
    /// Day of the reading that it begins after.
    pub from: NaiveDate,
    /// Its last day.
    pub to: NaiveDate,
    pub from_index: i64,
    pub to_index: i64,
    pub volume: i64,
    /// The last of its meters.
    pub install: Option<Uuid>,
    /// The reading that it ends at.
    pub end: Option<Uuid>,
    /// Whether an index that it counts to is an estimate.
    pub estimated: bool,
    pub tariff: Option<Uuid>,
}

/// A reading that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    pub id: Uuid,
    pub install: Uuid,
    pub date: NaiveDate,
    /// Moment.
    pub at: i64,
    /// Litres.
    pub index: i64,
    pub estimated: bool,
    /// What an estimate that is billed turned out to have been.
    pub restated: Option<i64>,
    /// A bill ends at it.
    pub is_billed: bool,
    /// The register passed zero before it.
    pub rollover: bool,
}

/// What true readings would have changed about a bill, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing but where its days are parted, which matters where they are not priced alike.
    Days,
    /// Its volume, nobody can tell from here by how much.
    Unknown,
    /// Its volume, by so many litres more or less.
    Volume(i64),
}

impl Change {
    /// Litres that the bill would count more or less, where that is known.
    pub const fn volume(self) -> Option<i64> {
        match self {
            Self::Volume(difference) => Some(difference),
            Self::Unknown | Self::Days => None,
        }
    }
}

impl Billed {
    fn covers(&self, day: NaiveDate) -> bool {
        self.from < day && day <= self.to
    }

    /// By how much its volume changes with the index that it ends at.
    fn ending_at(&self, index: i64, install: Uuid) -> Change {
        // Where it counts more than one register without conversions, the index alone does not tell.
        let plain = self.install == Some(install) && self.to_index.checked_sub(self.from_index) == Some(self.volume);
        match index.checked_sub(self.to_index) {
            Some(difference) if plain => Change::Volume(difference),
            _ => Change::Unknown,
        }
    }

    /// Whether a reading lies between the indexes that it counts.
    fn holds(&self, reading: &Counted) -> bool {
        let between = if self.from_index <= self.to_index {
            (self.from_index..=self.to_index).contains(&reading.index) && !reading.rollover
        } else {
            reading.index >= self.from_index || reading.index <= self.to_index
        };
        between && self.install == Some(reading.install)
    }
}

/// What the readings of a day would have changed: `bills` are those of the agreement and `chain` the readings of one meter, each in the order of time.
pub fn changes(bills: &[Billed], chain: &[Counted], day: NaiveDate) -> Vec<(Uuid, Change)> {
    let of_day = chain.iter().filter(|reading| reading.date == day);
    of_day.filter_map(|reading| change(bills, chain, reading)).collect()
}

fn change(bills: &[Billed], chain: &[Counted], reading: &Counted) -> Option<(Uuid, Change)> {
    if let Some(bill) = bills.iter().find(|bill| bill.end == Some(reading.id)) {
        return Some((bill.id, bill.ending_at(reading.restated?, reading.install)));
    }
    if reading.estimated || reading.is_billed {
        return None;
    }
    let place = bills.iter().position(|bill| bill.covers(reading.date))?;
    let over = bills.get(place)?;
    let month = |day: NaiveDate| (day.year(), day.month());
    let of_month = |bill: &&Billed| month(bill.to) == month(reading.date);
    let before = || place.checked_sub(1).and_then(|before| bills.get(before));
    let own = Some(over).filter(of_month).or_else(|| before().filter(of_month));
    let is_last = !chain.iter().any(|other| other.at > reading.at && month(other.date) == month(reading.date));
    match own {
        // The bill of its month would end at it.
        Some(bill) if is_last => Some((bill.id, bill.ending_at(reading.index, reading.install))).filter(|(_, change)| *change != Change::Volume(0)),
        _ if over.holds(reading) => Some((over.id, Change::Days)),
        // What an estimate should have been, the next actual reading says.
        _ if over.estimated => None,
        _ => Some((over.id, Change::Unknown)),
    }
}

/// How a bill was priced.
#[derive(Clone, Debug)]
pub struct Priced {
    pub version: Version,
    /// First day on which the version is not in force any more.
    pub until: Option<NaiveDate>,
    /// Whether its tiers count the volume of a tier year.
    pub by_year: bool,
    pub lines: Vec<Line>,
}

/// A line of a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// Code of a [`rating::Reason`].
    pub reason: String,
}

/// Reasons of lines that volume alone decides.
const BY_VOLUME: [rating::Reason; 5] = [
    rating::Reason::Tier,
    rating::Reason::HouseholdTier,
    rating::Reason::LowIncome,
    rating::Reason::FlatChoice,
    rating::Reason::Unit,
];

impl Priced {
    /// Whether all days of a bill are priced alike, so that parting them changes nothing. In doubt they are not.
    pub fn is_even(&self, bill: &Billed) -> bool {
        let version = &self.version;
        let in_force = version.from <= bill.from && self.until.is_none_or(|until| bill.to < until);
        let whole = |line: &Line| (line.from, line.to) == (bill.from, bill.to) && BY_VOLUME.iter().any(|reason| reason.code() == line.reason);
        in_force && self.by_year && version.rules.closing.is_none() && !self.turns(bill) && self.lines.iter().all(whole)
    }

    /// Whether a tier year begins after the first day of a bill.
    fn turns(&self, bill: &Billed) -> bool {
        let (month, day) = self.version.year_start;
        let first = bill.from.succ_opt().unwrap_or(bill.from);
        let begins = |year| NaiveDate::from_ymd_opt(year, month, day).is_some_and(|begin| first < begin && begin <= bill.to);
        (first.year()..=bill.to.year()).any(begins)
    }
}

/// A cancelled bill against what took its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anew {
    /// Its last day.
    pub last: NaiveDate,
    /// What its tariff says.
    pub policy: LateUse,
    /// Litres that its days count more or less now.
    pub difference: i64,
    /// Whether one bill of the same days took its place.
    pub same_days: bool,
}

/// The first of some cancelled bills that its tariff keeps as it is, and what keeps it. One whose days and volume stay, so that only its price changes, has no
/// late use; a tolerated difference is corrected together with one that is not.
pub fn kept(bills: &[Anew], today: NaiveDate) -> Option<(usize, Kept)> {
    let changed = || bills.iter().enumerate().filter(|(_, bill)| bill.difference != 0 || !bill.same_days);
    let strictly = changed().find_map(|(place, bill)| Some((place, bill.policy.keeps(bill.last, today, None)?)));
    if strictly.is_some() {
        return strictly;
    }
    let mut differing = changed().filter(|(_, bill)| bill.difference != 0).peekable();
    let (place, _) = *differing.peek()?;
    differing
        .all(|(_, bill)| bill.policy.keeps(bill.last, today, Some(bill.difference)) == Some(Kept::Tolerance))
        .then_some((place, Kept::Tolerance))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::{
        run::model::tests::version,
        tariff::model::{ChangeWord, ClosingTerms, LateUseTerms, Rules},
    };

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    const METER: Uuid = Uuid::from_u128(7);

    /// A bill by actual readings, of the days after `from`, in litres.
    fn bill(id: u128, from: &str, to: &str, indexes: (i64, i64)) -> Billed {
        Billed {
            id: Uuid::from_u128(id),
            from: day(from),
            to: day(to),
            from_index: indexes.0,
            to_index: indexes.1,
            volume: indexes.1 - indexes.0,
            install: Some(METER),
            end: Some(Uuid::from_u128(100 + id)),
            estimated: false,
            tariff: None,
        }
    }

    fn reading(id: u128, on: &str, at: i64, index: i64) -> Counted {
        let date = day(on);
        Counted {
            id: Uuid::from_u128(id),
            install: METER,
            date,
            at: i64::from(date.num_days_from_ce()) * 24 + at,
            index,
            estimated: false,
            restated: None,
            is_billed: false,
            rollover: false,
        }
    }

    /// The reading that a bill ends at.
    fn end(bill: &Billed) -> Counted {
        Counted {
            id: bill.end.unwrap(),
            is_billed: true,
            estimated: bill.estimated,
            ..reading(0, &bill.to.to_string(), 12, bill.to_index)
        }
    }

    fn told(bills: &[Billed], late: &Counted) -> Option<(u128, Change)> {
        let mut chain: Vec<Counted> = bills.iter().map(end).chain([late.clone()]).collect();
        chain.sort_by_key(|r| r.at);
        let found = changes(bills, &chain, late.date);
        assert!(found.len() <= 1);
        found.first().map(|(id, change)| (id.as_u128(), *change))
    }

    #[test]
    fn b_11_a_late_reading_concerns_the_bill_that_would_have_ended_at_it() {
        // January was read on the 28th; February and March were billed together.
        let bills = [
            bill(1, "2024-12-31", "2025-01-28", (0, 40_000)),
            bill(2, "2025-01-28", "2025-03-31", (40_000, 130_000)),
        ];
        let cases = [
            ("2025-01-20", 12, 30_000, Some((1, Change::Days)), "before the end of its month's bill"),
            ("2025-01-28", 20, 41_000, Some((1, Change::Volume(1_000))), "later on the last day"),
            ("2025-01-28", 20, 40_000, None, "later on the last day, of the same index"),
            ("2025-01-31", 12, 45_000, Some((1, Change::Volume(5_000))), "after the end of its month's bill"),
            ("2025-02-28", 12, 90_000, Some((2, Change::Days)), "in a month without a bill"),
            ("2025-02-28", 12, 140_000, Some((2, Change::Unknown)), "above the index that is billed"),
            ("2025-01-20", 12, 41_000, Some((1, Change::Unknown)), "above the index that is billed"),
            ("2025-03-30", 12, 39_000, Some((2, Change::Unknown)), "below the index that it begins at"),
            ("2025-04-02", 12, 131_000, None, "after the last bill"),
            ("2024-12-31", 12, 0, None, "of the day before the first one"),
        ];
        for (on, at, index, change, why) in cases {
            assert_eq!(told(&bills, &reading(1, on, at, index)), change, "{on} {index}: {why}");
        }
        // The last reading of the month counts, whichever comes first.
        let early = reading(1, "2025-01-30", 12, 44_000);
        let chain = [end(&bills[0]), early.clone(), reading(2, "2025-01-31", 12, 45_000), end(&bills[1])];
        assert_eq!(changes(&bills, &chain, early.date), [(bills[1].id, Change::Days)]);
    }

    #[test]
    fn b_12_a_restated_estimate_concerns_the_bill_that_ended_at_it() {
        let estimated = Billed {
            estimated: true,
            ..bill(1, "2024-12-31", "2025-01-31", (0, 60_000))
        };
        let bills = [estimated.clone(), bill(2, "2025-01-31", "2025-02-28", (60_000, 90_000))];
        let restated = |index: Option<i64>| {
            let chain = [
                Counted {
                    restated: index,
                    ..end(&estimated)
                },
                end(&bills[1]),
            ];
            changes(&bills, &chain, day("2025-01-31"))
        };
        assert_eq!(restated(None), []);
        assert_eq!(restated(Some(47_000)), [(estimated.id, Change::Volume(-13_000))]);
        // What was converted or adjusted, the index alone does not tell.
        let converted = [Billed {
            volume: 62_000,
            ..estimated.clone()
        }];
        let chain = [Counted {
            restated: Some(47_000),
            ..end(&estimated)
        }];
        assert_eq!(changes(&converted, &chain, day("2025-01-31")), [(estimated.id, Change::Unknown)]);
        // An actual one above an estimate proves nothing of it before another one comes.
        assert_eq!(told(&bills[..1], &reading(1, "2025-01-20", 12, 61_000)), None);
        assert_eq!(told(&bills[..1], &reading(1, "2025-01-20", 12, 59_000)), Some((1, Change::Days)));
        let estimate = Counted {
            estimated: true,
            ..reading(1, "2025-02-10", 12, 70_000)
        };
        assert_eq!(told(&bills, &estimate), None, "an estimate is no news");
    }

    #[test]
    fn edge_03_a_reading_within_a_bill_over_the_end_of_the_register() {
        let rolled = Billed {
            volume: 25_000,
            ..bill(1, "2024-12-31", "2025-01-31", (99_987_000, 12_000))
        };
        let of = |index, rollover| {
            let late = Counted {
                rollover,
                ..reading(1, "2025-01-15", 12, index)
            };
            told(std::slice::from_ref(&rolled), &late)
        };
        assert_eq!([of(99_990_000, false), of(3_000, true)], [Some((1, Change::Days)); 2]);
        assert_eq!(of(50_000_000, false), Some((1, Change::Unknown)));
        assert_eq!(
            told(
                &[bill(1, "2024-12-31", "2025-01-31", (0, 46_000))],
                &Counted {
                    rollover: true,
                    ..reading(1, "2025-01-15", 12, 3_000)
                }
            ),
            Some((1, Change::Unknown))
        );
    }

    #[test]
    fn b_11_days_make_no_difference_where_all_are_priced_alike() {
        let over = bill(1, "2024-12-31", "2025-02-28", (0, 92_000));
        let line = |from: &str, to: &str, reason: &str| Line {
            from: day(from),
            to: day(to),
            reason: reason.to_owned(),
        };
        let even = Priced {
            version: version(day("2024-09-01"), ChangeWord::DaySplit),
            until: None,
            by_year: true,
            lines: vec![line("2024-12-31", "2025-02-28", "TIER"), line("2024-12-31", "2025-02-28", "UNIT")],
        };
        assert!(even.is_even(&over));
        let ruled = |change: &dyn Fn(&mut Priced)| {
            let mut priced = even.clone();
            change(&mut priced);
            priced.is_even(&over)
        };
        assert!(!ruled(&|p| p.lines[1].reason = "FIXED".to_owned()), "due by bill or by time");
        assert!(!ruled(&|p| p.lines[0].to = day("2025-01-31")), "cut");
        assert!(!ruled(&|p| p.by_year = false), "tiers of each bill");
        assert!(
            !ruled(&|p| p.version.from = day("2025-01-01")),
            "by the day of the reading another version had priced January"
        );
        assert!(!ruled(&|p| p.until = Some(day("2025-02-28"))));
        assert!(ruled(&|p| p.until = Some(day("2025-03-01"))));
        assert!(!ruled(&|p| p.version.year_start = (2, 1)), "the tier year turns");
        assert!(ruled(&|p| p.version.year_start = (1, 1)), "it turns with the first day");
        assert!(!ruled(&|p| p.version.rules.closing = Some(ClosingTerms { odd_month: 11, even_month: 12 })));
    }

    #[test]
    fn thread_19_what_the_tariffs_of_cancelled_bills_keep() {
        let policy = |terms: LateUseTerms| {
            let rules = Rules {
                late_use: Some(terms),
                ..Rules::default()
            };
            rules.late_use().unwrap()
        };
        let five = policy(LateUseTerms {
            tolerance: Some("5".parse().unwrap()),
            ..LateUseTerms::default()
        });
        let far = policy(LateUseTerms {
            look_back_months: Some(2),
            ..LateUseTerms::default()
        });
        let next = policy(LateUseTerms {
            destination: Some("NEXT_BILL".to_owned()),
            ..LateUseTerms::default()
        });
        let today = day("2025-04-01");
        let of = |policy, difference| Anew {
            last: day("2025-01-31"),
            policy,
            difference,
            same_days: true,
        };
        let parted = |bill: Anew| Anew { same_days: false, ..bill };
        let any = LateUse::default();
        assert_eq!(kept(&[of(any, 40_000), of(any, -40_000)], today), None);
        assert_eq!(kept(&[of(five, 5_000), of(five, -5_000)], today), Some((0, Kept::Tolerance)));
        assert_eq!(kept(&[of(five, 0), of(five, 3_000)], today), Some((1, Kept::Tolerance)));
        assert_eq!(
            kept(&[of(five, 5_000), of(five, -5_001)], today),
            None,
            "together with one that is not tolerated"
        );
        assert_eq!(kept(&[of(five, 5_000), of(any, -5_000)], today), None);
        assert_eq!(kept(&[of(five, 0), parted(of(five, 0))], today), None, "days are parted, no volume differs");
        assert_eq!(kept(&[of(far, 0), of(next, 0)], today), None, "a price changed, and no use");
        assert_eq!(kept(&[of(any, 1), of(far, 1)], today), Some((1, Kept::LookBack)));
        assert_eq!(kept(&[parted(of(next, 0)), of(far, 1)], today), Some((0, Kept::NextBill)));
        assert_eq!(kept(&[], today), None);
    }
}
