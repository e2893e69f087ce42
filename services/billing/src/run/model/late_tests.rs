//! B11, B12: what a late reading, and an actual one after estimates, make of bills, against bills from true readings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::{
    tests::{NEW_YEAR_EVE, day, january, month, priced_from, read, terms, tianjin, version},
    *,
};
use crate::{
    reading::{
        estimate::model::{Anchor, Estimated, between},
        late::model::{Billed as Live, Change, Counted, Line, Priced, changes},
    },
    tariff::model::{ChangeWord, Terms as PriceTerms},
};

const INSTALL: Uuid = Uuid::from_u128(1);

/// How a home was read at the end of a month.
#[derive(Clone, Copy, Debug)]
enum At {
    Nobody,
    Actual(i64),
    Estimate(i64),
}

/// Bills the months of 2025 one after the other that have no bill yet, as runs do, and gives the reason of the first that is parked.
fn run(reads: &[At], book: &Book, standing: &[Draft]) -> (Vec<Draft>, Option<&'static str>) {
    let mut bills = standing.to_vec();
    for n in 1..=u32::try_from(reads.len()).unwrap() {
        if bills.iter().any(|bill| bill.to >= month(n).last) {
            continue;
        }
        let mut facts = january(0);
        facts.reads = (1..)
            .zip(reads)
            .filter_map(|(n, at)| match at {
                At::Nobody => None,
                At::Actual(index) => Some(read(10 + u128::from(n), 1, month(n).last, *index)),
                At::Estimate(index) => Some(Read {
                    estimated: true,
                    ..read(10 + u128::from(n), 1, month(n).last, *index)
                }),
            })
            .collect();
        facts.billed = bills.last().map(|bill| Billed {
            to: bill.to,
            index: bill.to_index,
            install: INSTALL,
        });
        for (year, volume) in bills.iter().flat_map(|bill| &bill.uses) {
            super::super::household::add(&mut facts.used, *year, *volume);
        }
        match decide(month(n), &facts, book) {
            Decision::Bill(bill) => bills.push(*bill),
            Decision::Missing(_) => {}
            Decision::Parked(reason) => return (bills, Some(reason)),
            other => panic!("{other:?}"),
        }
    }
    (bills, None)
}

fn billed(reads: &[At], book: &Book, standing: &[Draft]) -> Vec<Draft> {
    let (bills, parked) = run(reads, book, standing);
    assert_eq!(parked, None);
    bills
}

/// Any rising tiers, the last one open, and another version from any day on.
fn priced(prices: &[(i64, i64)], since: Option<NaiveDate>) -> Book {
    let mut bound = 0;
    let mut steps: Vec<(Option<String>, String)> = prices
        .iter()
        .map(|(width, cents)| {
            bound += width;
            (Some(bound.to_string()), format!("{}.{:02}", cents / 100, cents % 100))
        })
        .collect();
    steps.last_mut().unwrap().0 = None;
    let steps: Vec<_> = steps.iter().map(|(up_to, price)| (up_to.as_deref(), price.as_str())).collect();
    let before = |until| priced_from(first_day(), until, 1, &terms(&steps, None, None));
    match since {
        None => Book::new([before(None)]).unwrap(),
        Some(since) => Book::new([before(Some(since)), priced_from(since, None, 2, &after())]).unwrap(),
    }
}

fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2020, 1, 1).unwrap()
}

fn after() -> PriceTerms {
    terms(&[(Some("90"), "2.00"), (None, "3.10")], None, None)
}

/// What a bill says, save for how its indexes were come by.
fn told(bill: &Draft) -> impl PartialEq + std::fmt::Debug {
    let days = (bill.from, bill.to, bill.from_index, bill.to_index);
    (days, bill.volume, bill.before, bill.uses.clone(), bill.amount, bill.lines.clone())
}

fn total(bills: &[Draft]) -> i64 {
    bills.iter().map(|bill| bill.amount.fen()).sum()
}

/// Indexes in litres at the ends of months.
fn indexes(uses: &[i64]) -> Vec<i64> {
    let sums = uses.iter().scan(0, |at, used| {
        *at += used * 1000;
        Some(*at)
    });
    sums.collect()
}

fn live(bill: &Draft) -> Live {
    Live {
        id: Uuid::from_u128(99),
        from: bill.from,
        to: bill.to,
        from_index: bill.from_index,
        to_index: bill.to_index,
        volume: bill.volume,
        install: Some(INSTALL),
        end: Some(bill.reading),
        estimated: bill.estimated,
        tariff: Some(bill.tariff),
    }
}

fn counted(at: &Read) -> Counted {
    Counted {
        id: at.id,
        install: at.install,
        date: at.date,
        at: at.at,
        index: at.index.unwrap().litres(),
        estimated: at.estimated,
        restated: None,
        is_billed: false,
        rollover: false,
    }
}

/// Whether a bill is priced alike on all of its days, as its findings take it.
fn is_even(bill: &Draft, since: Option<NaiveDate>) -> bool {
    let second = since.filter(|since| bill.to >= *since);
    let how = Priced {
        version: version(second.unwrap_or(first_day()), ChangeWord::DaySplit),
        until: since.filter(|_| second.is_none()),
        by_year: true,
        lines: bill
            .lines
            .iter()
            .map(|line| Line {
                from: line.from,
                to: line.to,
                reason: line.reason.to_owned(),
            })
            .collect(),
    };
    how.is_even(&live(bill))
}

proptest! {
    #[test]
    fn b_11_months_of_late_readings_are_billed_as_if_they_had_come_in_time(
        uses in prop::collection::vec(0_i64..200, 3..12),
        gap in (0_usize..12, 1_usize..4),
        prices in prop::collection::vec((1_i64..400, 1_i64..900), 1..5),
        change in (1_u32..12, 1_u32..28, any::<bool>()),
    ) {
        let since = change.2.then(|| day(change.0, change.1));
        let book = priced(&prices, since);
        let truth: Vec<At> = indexes(&uses).into_iter().map(At::Actual).collect();
        let place = gap.0 % (truth.len() - 1);
        let until = (place + gap.1).min(truth.len() - 1);
        let mut late = truth.clone();
        late[place..until].fill(At::Nobody);
        let (right, first) = (billed(&truth, &book, &[]), billed(&late, &book, &[]));
        prop_assert_eq!(first.len(), right.len() - (until - place), "the months without a reading were billed with the next one");
        // Cancelled from the bill over the gap on: days, volumes, lines and explanation are those of the truth.
        prop_assert_eq!(&billed(&truth, &book, &first[..place]), &right);
        // Where nobody is told, all of it was right as a sum, and so in every tier year.
        let over = &first[place];
        for (n, at) in truth.iter().enumerate().take(until).skip(place) {
            let At::Actual(index) = *at else { panic!() };
            let came = counted(&read(500, 1, month(u32::try_from(n).unwrap() + 1).last, index));
            prop_assert_eq!(changes(&[live(over)], std::slice::from_ref(&came), came.date), [(Uuid::from_u128(99), Change::Days)]);
        }
        if is_even(over, since) {
            prop_assert_eq!(total(&first), total(&right));
            let before = |bills: &[Draft]| bills.last().map(|bill| (bill.before, bill.uses.clone()));
            if until + 1 < truth.len() {
                prop_assert_eq!(before(&first), before(&right));
            }
        }
    }

    #[test]
    fn b_12_estimates_and_a_later_actual_reading_are_billed_as_true_readings_would_have_been(
        uses in prop::collection::vec(0_i64..200, 3..12),
        gap in (0_usize..12, 1_usize..4),
        guesses in prop::collection::vec(0_i64..150_000, 4),
        prices in prop::collection::vec((1_i64..400, 1_i64..900), 1..5),
        change in (1_u32..12, 1_u32..28, any::<bool>()),
    ) {
        let since = change.2.then(|| day(change.0, change.1));
        let book = priced(&prices, since);
        let truth = indexes(&uses);
        let place = gap.0 % (truth.len() - 1);
        let until = (place + gap.1).min(truth.len() - 1);
        let from = match place.checked_sub(1) {
            None => Anchor { date: NEW_YEAR_EVE, value: 0 },
            Some(before) => Anchor { date: month(u32::try_from(place).unwrap()).last, value: truth[before] },
        };
        // What was estimated and billed, below or above what an actual reading shows then.
        let mut reads: Vec<At> = truth.iter().copied().map(At::Actual).collect();
        let mut guess = from.value;
        for (n, more) in (place..until).zip(&guesses) {
            guess += more;
            reads[n] = At::Estimate(guess);
        }
        let (first, parked) = run(&reads[..=until], &book, &[]);
        prop_assert_eq!(parked, (guess > truth[until]).then_some("BILLED_INDEX_ABOVE"), "{} {}", guess, truth[until]);
        // Restated by days between the actual readings; the twin was read so in truth.
        let to = Anchor { date: month(u32::try_from(until).unwrap() + 1).last, value: truth[until] };
        let days: Vec<NaiveDate> = (place..until).map(|n| month(u32::try_from(n).unwrap() + 1).last).collect();
        let mut twin: Vec<At> = truth.iter().copied().map(At::Actual).collect();
        for (n, restated) in (place..until).zip(between(from, to, &days, 1000, 100_000_000)) {
            let Estimated::Between(index) = restated else { panic!("{restated:?}") };
            (reads[n], twin[n]) = (At::Estimate(index), At::Actual(index));
        }
        let (right, anew) = (billed(&twin, &book, &[]), billed(&reads, &book, &first[..place]));
        prop_assert_eq!(right.iter().map(told).collect::<Vec<_>>(), anew.iter().map(told).collect::<Vec<_>>());
        // Within a tier year and one version the sum is the same as without any estimate (edge 1).
        if since.is_none() {
            twin[place..until].fill(At::Nobody);
            let never = billed(&twin, &book, &[]);
            prop_assert_eq!(total(&never), total(&anew));
            let used = |bills: &[Draft]| bills.iter().flat_map(|bill| &bill.uses).map(|(_, volume)| volume).sum::<i64>();
            prop_assert_eq!(used(&never), used(&anew));
        }
    }
}

#[test]
fn b_12_an_estimate_above_the_reading_after_it_parks_what_follows_with_its_own_reason() {
    let book = Book::new([priced_from(first_day(), None, 1, &tianjin())]).unwrap();
    let reads = [At::Estimate(60_000), At::Actual(50_000)];
    assert_eq!(run(&reads, &book, &[]).1, Some("BILLED_INDEX_ABOVE"));
    // An initial index above the first reading is no matter of a bill (edge 4).
    let mut facts = january(50_000);
    facts.installs[0].initial = 60_000;
    assert_eq!(decide(month(1), &facts, &book), Decision::Parked("INDEX_REVERSED"));
}
