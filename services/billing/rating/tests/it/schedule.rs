//! Prices by day: versions, ways of passing from one to the next, terms of agreements, tier-years, meters.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{Datelike, Days, NaiveDate};
use money::{Exact, Money, Volume};
use proptest::prelude::*;
use rating::{
    Book, Change, DegreeDays, Index, Ledger, Leg, LowIncome, Period, Price, Priced, RatingError, ReadMonths, Span, Tariff, Term, Terms, Tier, Tiers, Version,
};

use crate::tariffs::{BEIJING, HEAD, SHANGHAI, TIANJIN, cubic, day, living, tariff, yuan};

pub fn version(key: u128, class: &str, from: &str, until: Option<&str>, tariff: Tariff) -> Version {
    Version::new(key, format!("version {key}"), class, (day(from), until.map(day)), Arc::new(tariff))
}

pub fn book(versions: impl IntoIterator<Item = Version>) -> Book {
    Book::new(versions).unwrap()
}

pub fn in_class(class: &str) -> Terms {
    Terms {
        from: Some(day("2019-01-01")),
        classes: vec![term(class.to_owned(), "2019-01-01", None)],
        ..Terms::default()
    }
}

pub fn term<T>(value: T, from: &str, until: Option<&str>) -> Term<T> {
    Term {
        value,
        from: day(from),
        until: until.map(day),
    }
}

pub fn leg(from: &str, to: &str, metres: i64) -> Leg<'static> {
    Leg {
        from: day(from),
        to: day(to),
        volume: cubic(metres),
        ..Leg::default()
    }
}

/// Prices legs that end with a reading on the last day, and holds what every bill must hold.
pub fn price<'a>(terms: &'a Terms, book: &'a Book, legs: &'a [Leg<'a>], ledger: &'a Ledger) -> Priced<'a> {
    let period = Period {
        terms,
        book,
        legs,
        read: legs.iter().map(|leg| leg.to).max().unwrap(),
        read_months: None,
        degree_days: None,
        ledger,
    };
    let priced = period.price().unwrap();
    sound(&priced, legs);
    priced
}

pub fn sound(priced: &Priced<'_>, legs: &[Leg<'_>]) {
    let rated = &priced.rated;
    assert_eq!(
        Volume::sum(priced.parts.iter().map(|part| part.volume)),
        Volume::sum(legs.iter().map(|leg| leg.volume))
    );
    assert_eq!(Money::sum(rated.lines.iter().map(|line| line.amount)), Ok(rated.total));
    assert_eq!(rated.explanation.check(), Ok(rated.total), "{}", rated.explanation.as_str());
}

fn told(priced: &Priced<'_>) -> Vec<(u128, i32, i64, String)> {
    priced
        .parts
        .iter()
        .map(|part| (part.version.key, part.tier_year, part.volume.litres() / 1000, part.to.to_string()))
        .collect()
}

/// Tai'an 2019, and its prices of 2024 with a way of passing to them.
pub fn taian(change: Change) -> Book {
    let tiers_2019 = r#"[{ up_to = "240", price = "2.76" }, { up_to = "360", price = "3.31" }, { price = "4.14" }]"#;
    let tiers_2024 = r#"[{ up_to = "240", price = "2.97" }, { up_to = "360", price = "3.52" }, { price = "4.35" }]"#;
    book([
        version(1, "living", "2019-01-01", Some("2024-10-01"), living(tiers_2019, "")),
        version(
            2,
            "living",
            "2024-10-01",
            None,
            Tariff {
                change,
                ..living(tiers_2024, "")
            },
        ),
    ])
}

#[test]
fn edge_30_a_tariff_change_in_each_of_its_modes() {
    let (terms, ledger) = (in_class("living"), Ledger::default());
    let whole = leg("2024-09-10", "2024-10-10", 30);
    let reads = [(day("2024-09-30"), cubic(18))];
    let read = Leg { reads: &reads, ..whole };
    let total = |change, leg| price(&terms, &taian(change), &[leg], &ledger).rated.total;
    assert_eq!(total(Change::DaySplit, whole), yuan("84.90"));
    assert_eq!(total(Change::DaySplit, read), yuan("84.90"), "the notice says days");
    assert_eq!(total(Change::ByReadDate, whole), yuan("89.10"));
    assert_eq!(total(Change::CutoverRead, read), yuan("85.32"));
    assert_eq!(total(Change::CutoverRead, whole), yuan("89.10"), "collected later, at the new price");
}

#[test]
fn p_9_2_modes_look_at_the_days_of_the_readings() {
    let (terms, ledger) = (in_class("living"), Ledger::default());
    let keys = |change, legs: &[Leg<'static>]| {
        told(&price(&terms, &taian(change), legs, &ledger))
            .into_iter()
            .map(|part| (part.0, part.2))
            .collect::<Vec<_>>()
    };
    // Read on the day before the change: the old price to the end, and the new one from there.
    for change in [Change::DaySplit, Change::ByReadDate, Change::CutoverRead] {
        assert_eq!(keys(change, &[leg("2024-09-10", "2024-09-30", 30)]), [(1, 30)], "{change:?}");
        assert_eq!(keys(change, &[leg("2024-09-30", "2024-10-31", 30)]), [(2, 30)], "{change:?}");
    }
    // A meter that was exchanged before the change proves what was used; by read date the reading of the bill decides for it too.
    let swap = [leg("2024-09-10", "2024-09-20", 12), leg("2024-09-20", "2024-10-10", 20)];
    assert_eq!(keys(Change::ByReadDate, &swap), [(2, 12), (2, 20)]);
    assert_eq!(keys(Change::CutoverRead, &swap), [(1, 12), (2, 20)]);
    assert_eq!(keys(Change::DaySplit, &swap), [(1, 12), (1, 10), (2, 10)]);
    // Of several readings before the change the last one counts.
    let reads = [(day("2024-09-15"), cubic(5)), (day("2024-09-28"), cubic(17)), (day("2024-10-02"), cubic(22))];
    let several = Leg {
        reads: &reads,
        ..leg("2024-09-10", "2024-10-10", 30)
    };
    let book = taian(Change::CutoverRead);
    let priced = price(&terms, &book, std::slice::from_ref(&several), &ledger);
    assert_eq!(told(&priced), [(1, 2024, 17, "2024-09-28".to_owned()), (2, 2024, 13, "2024-10-10".to_owned())]);
}

#[test]
fn b_14_a_change_may_be_shared_by_degree_days() {
    let (terms, ledger, book) = (in_class("living"), Ledger::default(), taian(Change::DegreeDays));
    let legs = [leg("2024-09-10", "2024-10-10", 30)];
    let period = |table| Period {
        terms: &terms,
        book: &book,
        legs: &legs,
        read: legs[0].to,
        read_months: None,
        degree_days: table,
        ledger: &ledger,
    };
    // 20 days of 1 K before the change, 10 days of 4 K after it: 10 and 20 of 30 m³.
    let days = || {
        (11..=30)
            .map(|d| (NaiveDate::from_ymd_opt(2024, 9, d).unwrap(), 10))
            .chain((1..=10).map(|d| (NaiveDate::from_ymd_opt(2024, 10, d).unwrap(), 40)))
    };
    let table = DegreeDays::new(days());
    let priced = period(Some(&table)).price().unwrap();
    sound(&priced, &legs);
    assert_eq!(priced.rated.total, yuan("87.00"), "10 × 2.76 + 20 × 2.97");
    let gap = DegreeDays::new(days().filter(|(day, _)| day.day() != 15));
    assert_eq!(period(Some(&gap)).price().unwrap_err(), RatingError::DegreeDaysMissing);
    assert_eq!(period(None).price().unwrap_err(), RatingError::DegreeDaysMissing);
    let warm = DegreeDays::new(days().map(|(day, _)| (day, 0)));
    assert_eq!(period(Some(&warm)).price().unwrap().rated.total, yuan("84.90"), "without a degree day by days");
    assert_eq!(table.between(day("2024-09-10"), day("2024-10-10")), Ok(600));
    assert_eq!(table.between(day("2024-09-09"), day("2024-10-10")), Err(RatingError::DegreeDaysMissing));
    assert_eq!(table.between(day("2024-10-10"), day("2024-10-10")), Ok(0));
}

#[test]
fn a_7_a_change_of_use_class_splits_the_segment() {
    let mut terms = in_class("living");
    terms.classes = vec![
        term("living".to_owned(), "2019-01-01", Some("2025-02-16")),
        term("independent heating".to_owned(), "2025-02-16", None),
    ];
    let book = book([
        version(1, "living", "2024-09-01", None, tariff(TIANJIN)),
        version(2, "independent heating", "2024-09-01", None, tariff(TIANJIN)),
    ]);
    let ledger = Ledger::from_iter([(2025, cubic(295))]);
    let legs = [leg("2025-01-31", "2025-02-28", 28)];
    let priced = price(&terms, &book, &legs, &ledger);
    assert_eq!(told(&priced), [(1, 2025, 15, "2025-02-15".to_owned()), (2, 2025, 13, "2025-02-28".to_owned())]);
    // 5 × 2.86 + 10 × 3.36, then 13 × 2.76 in the wide first tier of heating.
    assert_eq!(priced.rated.total, yuan("83.78"));
}

#[test]
fn edge_02_an_estimate_across_the_year_end_is_put_right_by_days() {
    let (terms, book) = (in_class("living"), book([version(1, "living", "2020-01-01", None, tariff(TIANJIN))]));
    let none = Ledger::default();
    // Estimated: 60 m³ until 31 December.
    let estimate = [leg("2024-10-31", "2024-12-31", 60)];
    let estimated = price(&terms, &book, &estimate, &none).rated;
    assert_eq!(estimated.ledger.iter().collect::<Vec<_>>(), [(2024, cubic(60))]);
    // Read on 28 February: 180 m³ in 120 days.
    let legs = [leg("2024-10-31", "2025-02-28", 180)];
    let actual = price(&terms, &book, &legs, &none);
    assert_eq!(told(&actual), [(1, 2024, 92, "2024-12-31".to_owned()), (1, 2025, 88, "2025-02-28".to_owned())]);
    let rise = actual.rated.ledger.volume(2024).unwrap().checked_sub(estimated.ledger.volume(2024).unwrap());
    assert_eq!((rise, actual.rated.ledger.volume(2025)), (Ok(cubic(32)), Some(cubic(88))));
}

#[test]
fn edge_01_an_actual_after_estimates_costs_what_it_would_have_cost_without_them() {
    let (terms, book) = (in_class("living"), book([version(1, "living", "2020-01-01", None, tariff(TIANJIN))]));
    let before = Ledger::from_iter([(2025, cubic(250))]);
    let estimates = [leg("2025-01-31", "2025-02-28", 90)];
    let estimated = price(&terms, &book, &estimates, &before).rated;
    let legs = [leg("2025-01-31", "2025-03-31", 120)];
    let actual = price(&terms, &book, &legs, &before).rated;
    // The credit note takes the estimate back, the new bill covers both months: 50 × 2.86 + 70 × 3.36.
    assert_eq!((actual.total, actual.volume_after), (yuan("378.20"), cubic(370)));
    let apart = [leg("2025-01-31", "2025-02-28", 55), leg("2025-02-28", "2025-03-31", 65)];
    let february = price(&terms, &book, &apart[..1], &before).rated;
    let march = price(&terms, &book, &apart[1..], &february.ledger).rated;
    assert_eq!(february.total.checked_add(march.total), Ok(actual.total), "as if never estimated");
    assert!(estimated.total < actual.total);
}

#[test]
fn edge_05_a_misread_bill_is_taken_back_and_billed_again() {
    let (terms, book) = (in_class("living"), book([version(1, "living", "2020-01-01", None, tariff(TIANJIN))]));
    let before = Ledger::from_iter([(2025, cubic(290))]);
    let (wrong_legs, right_legs) = ([leg("2025-01-31", "2025-02-28", 700)], [leg("2025-01-31", "2025-02-28", 70)]);
    let wrong = price(&terms, &book, &wrong_legs, &before).rated;
    let right = price(&terms, &book, &right_legs, &before).rated;
    // 10 × 2.86 + 300 × 3.36 + 390 × 4.11, and 10 × 2.86 + 60 × 3.36: never a bill below nothing.
    assert_eq!((wrong.total, right.total), (yuan("2639.50"), yuan("230.20")));
    assert_eq!(right.ledger.volume(2025), Some(cubic(360)));
}

#[test]
fn edge_03_a_rolled_register_is_billed_by_what_passed() {
    let (terms, book) = (in_class("living"), book([version(1, "living", "2020-01-01", None, tariff(TIANJIN))]));
    let legs = [Leg {
        index: Some(Index {
            start: cubic(99_987),
            end: cubic(12),
            rolled: cubic(100_000),
            adjusted: Volume::ZERO,
            estimated: false,
        }),
        ..leg("2025-01-31", "2025-02-28", 25)
    }];
    let ledger = Ledger::default();
    let priced = price(&terms, &book, &legs, &ledger);
    assert_eq!(priced.rated.total, yuan("71.50"));
    assert!(
        priced
            .rated
            .explanation
            .as_str()
            .contains("m1.moved sub m1.end m1.start = -99975\nm1.used add m1.moved m1.rolled = 25\n")
    );
    let adjusted = [Leg {
        index: Some(Index {
            start: cubic(1_200),
            end: cubic(1_206),
            rolled: Volume::ZERO,
            adjusted: cubic(-2),
            estimated: false,
        }),
        ..leg("2025-01-31", "2025-02-28", 4)
    }];
    let priced = price(&terms, &book, &adjusted, &ledger);
    let steps = "m1.adjusted given = -2\nm1.moved sub m1.end m1.start = 6\nm1.used add m1.moved m1.adjusted = 4\n";
    assert!(priced.rated.explanation.as_str().contains(steps), "E11-03");
    assert_eq!(priced.rated.explanation.check(), Ok(priced.rated.total));
    let negative = [leg("2025-01-31", "2025-02-28", -1)];
    let period = Period {
        terms: &terms,
        book: &book,
        legs: &negative,
        read: negative[0].to,
        read_months: None,
        degree_days: None,
        ledger: &ledger,
    };
    assert_eq!(period.price().unwrap_err(), RatingError::NegativeVolume, "edge case 4");
}

#[test]
fn edge_06_a_swap_is_one_bill_of_two_periods_also_on_one_day() {
    let (terms, book) = (in_class("living"), book([version(1, "living", "2020-01-01", None, tariff(TIANJIN))]));
    let ledger = Ledger::default();
    let legs = [leg("2025-01-31", "2025-02-10", 34), leg("2025-02-10", "2025-02-28", 25)];
    let priced = price(&terms, &book, &legs, &ledger);
    assert_eq!((priced.parts.len(), priced.rated.total), (2, yuan("168.74")));
    // A meter that came and went on one day counted 3 m³; nothing that was used is lost.
    let legs = [
        leg("2025-01-31", "2025-02-10", 34),
        leg("2025-02-10", "2025-02-10", 3),
        leg("2025-02-10", "2025-02-28", 22),
    ];
    assert_eq!(price(&terms, &book, &legs, &ledger).rated.total, yuan("168.74"));
}

#[test]
fn edge_09_a_fast_meter_gives_back_what_it_counted_too_much_at_its_tiers() {
    let plan = tariff(TIANJIN).plan("living", &rating::Profile::default()).unwrap();
    // +6 %: of 106 m³ that were billed from 290 on, 100 m³ are true (E11-04); 6 m³ of the second tier go back.
    let error = money::Ratio::parse("1.06").unwrap();
    let read = money::Ratio::new(106, 1).unwrap();
    let inverse = money::Ratio::new(error.denominator(), error.numerator()).unwrap();
    assert_eq!(read.checked_mul(inverse).unwrap().round_half_up(0), Ok(100));
    let billed = plan.rate(Some(cubic(290)), cubic(106)).unwrap().total;
    let truly = plan.rate(Some(cubic(290)), cubic(100)).unwrap().total;
    assert_eq!(billed.checked_sub(truly), Ok(yuan("20.16")));
}

#[test]
fn edge_12_and_14_an_uplift_begins_next_month_and_ends_on_its_day() {
    let book = book([version(1, "general living", "2020-01-01", None, tariff(BEIJING))]);
    let mut terms = in_class("general living");
    // Approved on 20 May: from 1 June, 7/12 of 150 m³.
    terms.persons = vec![term(4, "2019-01-01", Some("2025-05-20")), term(6, "2025-05-20", None)];
    let ledger = Ledger::from_iter([(2025, cubic(400))]);
    let june = [leg("2025-05-31", "2025-06-30", 50)];
    // 438 × 2.61 is reached with 38 m³, then 12 × 2.83.
    assert_eq!(price(&terms, &book, &june, &ledger).rated.total, yuan("133.14"));
    // Edge 14: it ends with 30 June; from 1 July on the normal bounds, nothing of before is taken back.
    terms.persons = vec![term(6, "2020-01-01", Some("2025-07-01"))];
    let june_before = Ledger::from_iter([(2025, cubic(440))]);
    let legs = [leg("2025-06-15", "2025-07-15", 30)];
    let priced = price(&terms, &book, &legs, &june_before);
    assert_eq!(told(&priced), [(1, 2025, 15, "2025-06-30".to_owned()), (1, 2025, 15, "2025-07-15".to_owned())]);
    // 15 × 2.61 below 500, then 15 × 2.83 above 350.
    assert_eq!(priced.rated.total, yuan("81.60"));
}

#[test]
fn edge_12_before_the_next_month_the_old_size_counts() {
    let may = [leg("2025-04-30", "2025-05-31", 31)];
    let both = [leg("2025-04-30", "2025-06-30", 61)];
    let ledger = Ledger::from_iter([(2025, cubic(400))]);
    let mut terms = in_class("general living");
    terms.persons = vec![term(4, "2019-01-01", Some("2025-05-20")), term(6, "2025-05-20", None)];
    let book_bj = book([version(1, "general living", "2020-01-01", None, tariff(BEIJING))]);
    // All of May lies above 350: 31 × 2.83.
    let priced = price(&terms, &book_bj, &may, &ledger);
    assert_eq!((priced.parts.len(), priced.rated.total), (1, yuan("87.73")));
    // From 1 June the first bound is 438: 7 × 2.61 up to it, then 23 × 2.83.
    let priced = price(&terms, &book_bj, &both, &ledger);
    assert_eq!(told(&priced), [(1, 2025, 31, "2025-05-31".to_owned()), (1, 2025, 30, "2025-06-30".to_owned())]);
    assert_eq!(priced.rated.total, yuan("171.09"), "87.73 + 18.27 + 65.09");
    // In full within the year, from 1 June too: the bound is 500, 30 × 2.61.
    let rule = r#"household = { from_persons = 6, each_threshold_plus = "150", within_year = "full" }"#;
    let full = living(
        r#"[{ up_to = "350", price = "2.61" }, { up_to = "500", price = "2.83" }, { price = "4.23" }]"#,
        rule,
    );
    let full = book([version(
        1,
        "general living",
        "2020-01-01",
        None,
        Tariff {
            classes: vec![rating::Class {
                name: "general living".to_owned(),
                ..full.classes[0].clone()
            }],
            ..full
        },
    )]);
    assert_eq!(price(&terms, &full, &may, &ledger).rated.total, yuan("87.73"));
    assert_eq!(price(&terms, &full, &both, &ledger).rated.total, yuan("166.03"), "87.73 + 78.30");
    // A household that shrinks keeps its bound of 500 to the end of May.
    terms.persons = vec![term(6, "2019-01-01", Some("2025-05-20")), term(4, "2025-05-20", None)];
    let priced = price(&terms, &book_bj, &both, &ledger);
    assert_eq!(told(&priced), [(1, 2025, 31, "2025-05-31".to_owned()), (1, 2025, 30, "2025-06-30".to_owned())]);
    assert_eq!(priced.rated.total, yuan("165.81"), "31 × 2.61 + 30 × 2.83");
}

#[test]
fn edge_44_low_income_that_expires_within_a_month_ends_with_it() {
    let book = book([version(1, "living", "2024-09-01", None, tariff(TIANJIN))]);
    let mut terms = in_class("living");
    // The last day is 15 October; all of it lies in the third tier.
    terms.low_income = vec![term(LowIncome::Subsistence, "2024-01-01", Some("2025-10-16"))];
    let ledger = Ledger::from_iter([(2025, cubic(650))]);
    let total = |leg| price(&terms, &book, &[leg], &ledger).rated.total;
    assert_eq!(total(leg("2025-09-30", "2025-10-31", 10)), yuan("28.60"));
    assert_eq!(total(leg("2025-10-31", "2025-11-30", 10)), yuan("41.10"));
    // 16 × 2.86 to the end of October, 15 × 4.11.
    let across = [leg("2025-10-15", "2025-11-15", 31)];
    let priced = price(&terms, &book, &across, &ledger);
    assert_eq!(told(&priced), [(1, 2025, 16, "2025-10-31".to_owned()), (1, 2025, 15, "2025-11-15".to_owned())]);
    assert_eq!(priced.rated.total, yuan("107.41"));
}

#[test]
fn p_9_2_a_change_of_price_may_change_the_tax_too() {
    let (terms, ledger) = (in_class("living"), Ledger::default());
    let taxed = |change| {
        let rates = ["9", "13"].map(|percent| Some(rating::Tax::on_top(money::Ratio::parse_percent(percent).unwrap())));
        let versions = taian(change).versions().to_vec().into_iter().zip(rates);
        book(versions.map(|(version, tax)| {
            let tariff = Tariff {
                tax,
                ..(*version.tariff).clone()
            };
            Version::new(version.key, version.label, "living", (version.from, version.until), Arc::new(tariff))
        }))
    };
    let whole = leg("2024-09-10", "2024-10-10", 30);
    let reads = [(day("2024-09-30"), cubic(18))];
    let read = Leg { reads: &reads, ..whole };
    let bill = |change, leg| {
        let book = taxed(change);
        let rated = price(&terms, &book, &[leg], &ledger).rated;
        (rated.total, rated.tax)
    };
    // 55.20 × 1.09 + 29.70 × 1.13 = 60.168 + 33.561; the taxes are 4.97 and 3.86.
    assert_eq!(bill(Change::DaySplit, whole), (yuan("93.73"), yuan("8.83")));
    // 49.68 × 1.09 + 35.64 × 1.13 = 54.1512 + 40.2732; the taxes are 4.47 and 4.63.
    assert_eq!(bill(Change::CutoverRead, read), (yuan("94.42"), yuan("9.10")));
    // One version prices it all: 89.10 × 1.13 = 100.683.
    assert_eq!(bill(Change::ByReadDate, whole), (yuan("100.68"), yuan("11.58")));
}

#[test]
fn t_ta_free_volume_is_not_lost_at_the_end_of_the_year() {
    let book = book([version(1, "living", "2020-01-01", None, tariff(crate::tariffs::TAIAN))]);
    let mut terms = in_class("living");
    terms.low_income = vec![term(LowIncome::Destitute, "2020-01-01", None)];
    let ledger = Ledger::default();
    // December ends in the bill: 6 m³ are free. 8 m³ in 31 days are 4 and 4, so 4 of them are free before the year ends and 2 after it.
    let legs = [leg("2024-12-15", "2025-01-15", 8)];
    let priced = price(&terms, &book, &legs, &ledger);
    assert_eq!(told(&priced), [(1, 2024, 4, "2024-12-31".to_owned()), (1, 2025, 4, "2025-01-15".to_owned())]);
    assert_eq!(priced.rated.total, yuan("5.94"), "2 × 2.97");
    let legs = [leg("2024-12-15", "2025-01-15", 31)];
    assert_eq!(price(&terms, &book, &legs, &ledger).rated.total, yuan("74.25"), "25 × 2.97");
    // Of two meters side by side the first was not used.
    let legs = [leg("2024-12-31", "2025-01-31", 0), leg("2024-12-31", "2025-01-31", 10)];
    assert_eq!(price(&terms, &book, &legs, &ledger).rated.total, yuan("11.88"), "4 × 2.97");
}

#[test]
fn edge_44_low_income_that_ends_in_the_third_tier() {
    let book = book([version(1, "living", "2024-09-01", None, tariff(TIANJIN))]);
    let mut terms = in_class("living");
    terms.low_income = vec![term(LowIncome::Subsistence, "2024-01-01", Some("2025-11-01"))];
    let ledger = Ledger::from_iter([(2025, cubic(650))]);
    let legs = [leg("2025-10-31", "2025-11-30", 10)];
    assert_eq!(price(&terms, &book, &legs, &ledger).rated.total, yuan("41.10"));
    let legs = [leg("2025-09-30", "2025-10-31", 10)];
    assert_eq!(price(&terms, &book, &legs, &ledger).rated.total, yuan("28.60"));
}

#[test]
fn edge_47_an_adjustment_of_a_closed_year_goes_to_its_ledger() {
    let (terms, book) = (in_class("living"), book([version(1, "living", "2020-01-01", None, tariff(TIANJIN))]));
    let plan = book
        .on("living", day("2024-12-31"))
        .unwrap()
        .tariff
        .plan("living", &rating::Profile::default())
        .unwrap();
    // 650 m³ were billed in 2024; 20 of them were not used: 20 × 4.11 go back now.
    assert_eq!(plan.difference(cubic(650), cubic(630)), Ok(yuan("-82.20")));
    // A make-up of 30 m³ in December belongs to 2024, whatever 2025 has used since.
    let ledger = Ledger::from_iter([(2024, cubic(650)), (2025, cubic(10))]);
    let legs = [leg("2024-11-30", "2024-12-31", 30)];
    let rated = price(&terms, &book, &legs, &ledger).rated;
    assert_eq!(
        (rated.total, rated.ledger.volume(2024), rated.ledger.volume(2025)),
        (yuan("123.30"), Some(cubic(680)), Some(cubic(10)))
    );
}

#[test]
fn g_sh_reading_cycle_and_a_household_of_two_meters() {
    let book = book([version(1, "living", "2014-09-01", None, tariff(SHANGHAI))]);
    let terms = in_class("living");
    let ledger = Ledger::from_iter([(2024, cubic(500))]);
    // Read on 4 September: whole to the new year.
    let legs = [leg("2025-08-05", "2025-09-04", 31)];
    let priced = price(&terms, &book, &legs, &ledger);
    assert_eq!(told(&priced), [(1, 2025, 31, "2025-09-04".to_owned())]);
    assert_eq!(priced.rated.total, yuan("93.00"));
    // Two meters side by side: 930.00 + 140 × 3.30.
    let none = Ledger::default();
    let legs = [leg("2024-09-01", "2025-08-31", 200), leg("2024-09-01", "2025-08-31", 250)];
    assert_eq!(price(&terms, &book, &legs, &none).rated.total, yuan("1392.00"));
}

#[test]
fn g_sh_a_household_of_seven_chooses_by_day() {
    let book = book([version(1, "living", "2014-09-01", None, tariff(SHANGHAI))]);
    let mut terms = in_class("living");
    terms.persons = vec![term(7, "2020-01-01", None)];
    let ledger = Ledger::default();
    let legs = [leg("2024-09-01", "2025-08-31", 600)];
    assert_eq!(price(&terms, &book, &legs, &ledger).rated.total, yuan("1842.00"));
    terms.flat_price = vec![term((), "2024-01-01", None)];
    assert_eq!(price(&terms, &book, &legs, &ledger).rated.total, yuan("1830.00"));
    // Who is less than seven has no choice any more, and pays by tiers.
    terms.persons = vec![term(6, "2020-01-01", None)];
    assert_eq!(price(&terms, &book, &legs, &ledger).rated.total, yuan("1842.00"));
}

#[test]
fn g_yt_the_tier_year_follows_the_months_of_reading() {
    let head = HEAD.replace("tier_year_start = \"01-01\"", "tier_year_closes = { odd_months = 11, even_months = 12 }");
    let tiers = r#"tiers = [{ up_to = "300", price = "3.28" }, { up_to = "420", price = "3.88" }, { price = "4.77" }]"#;
    let yantai = tariff(&format!("{head}\n[[class]]\nname = \"living\"\n{tiers}\n"));
    let book = book([version(1, "living", "2019-10-01", None, yantai)]);
    let (terms, ledger) = (in_class("living"), Ledger::from_iter([(2024, cubic(290))]));
    let november = [leg("2025-09-20", "2025-11-20", 20)];
    assert_eq!(price(&terms, &book, &november, &ledger).rated.total, yuan("71.60"), "10 × 3.28 + 10 × 3.88");
    let january = [leg("2025-11-20", "2026-01-20", 20)];
    assert_eq!(price(&terms, &book, &january, &ledger).rated.total, yuan("65.60"), "a new year");
    // A final reading in an even month does not open a year of its own.
    let december = [leg("2025-09-20", "2025-10-08", 20)];
    let final_read = Period {
        terms: &terms,
        book: &book,
        legs: &december,
        read: december[0].to,
        read_months: Some(ReadMonths::Odd),
        degree_days: None,
        ledger: &ledger,
    };
    assert_eq!(final_read.price().unwrap().rated.total, yuan("71.60"));
}

#[test]
fn p_9_1_months_open_count_where_the_city_says_so() {
    let tiers = r#"[{ up_to = "350", price = "2.61" }, { up_to = "500", price = "2.83" }, { price = "4.23" }]"#;
    let mut tariff = living(tiers, "");
    let opened = Terms {
        from: Some(day("2025-08-20")),
        ..in_class("living")
    };
    let ledger = Ledger::default();
    let legs = [leg("2025-08-20", "2025-12-31", 147)];
    let full = book([version(1, "living", "2020-01-01", None, tariff.clone())]);
    assert_eq!(price(&opened, &full, &legs, &ledger).rated.total, yuan("383.67"));
    tariff.classes[0].months_open = true;
    let prorated = book([version(1, "living", "2020-01-01", None, tariff)]);
    // 350 × 5/12 → 146; 146 × 2.61 + 1 × 2.83.
    assert_eq!(price(&opened, &prorated, &legs, &ledger).rated.total, yuan("383.89"));
}

#[test]
fn t_ta_free_volume_counts_by_month_however_the_year_is_read() {
    let book = book([version(1, "living", "2020-01-01", None, tariff(crate::tariffs::TAIAN))]);
    let mut terms = in_class("living");
    terms.low_income = vec![term(LowIncome::Destitute, "2020-01-01", None)];
    for cuts in [
        vec!["2024-12-31", "2025-12-31"],
        vec!["2024-12-31", "2025-01-31", "2025-06-30", "2025-12-31"],
        vec!["2024-12-31", "2025-03-15", "2025-12-31"],
    ] {
        let mut ledger = Ledger::default();
        let mut sum = Money::ZERO;
        for pair in cuts.windows(2) {
            let legs = [leg(pair[0], pair[1], 80)];
            let rated = price(&terms, &book, &legs, &ledger).rated;
            let free: Vec<_> = rated.lines.iter().filter(|line| line.reason == rating::Reason::FreeVolume).collect();
            sum = sum.checked_add(Money::sum(free.iter().map(|line| line.amount)).unwrap()).unwrap();
            ledger = rated.ledger.clone();
        }
        assert_eq!(sum, yuan("-213.84"), "12 × 6 × 2.97: {cuts:?}");
    }
}

#[test]
fn a_04_a_version_without_a_notice_prices_nothing_and_none_prices_twice() {
    let blank = Tariff {
        legal_basis: " ".to_owned(),
        ..tariff(TIANJIN)
    };
    let book = Book::new([version(1, "living", "2024-09-01", None, blank)]).unwrap();
    assert!(book.on("living", day("2025-01-01")).is_none());
    let twice = Book::new([
        version(1, "living", "2024-09-01", None, tariff(TIANJIN)),
        version(2, "living", "2025-01-01", None, tariff(TIANJIN)),
    ]);
    assert_eq!(twice.unwrap_err(), RatingError::TwoPrices);
    // Two classes are two prices, and a version may end where the next begins.
    Book::new([
        version(1, "living", "2024-09-01", Some("2025-01-01"), tariff(TIANJIN)),
        version(2, "living", "2025-01-01", None, tariff(TIANJIN)),
        version(3, "independent heating", "2024-09-01", None, tariff(TIANJIN)),
    ])
    .unwrap();
}

/// Lengths of versions in days, and whether each is a gap.
fn spans() -> impl Strategy<Value = Vec<(u64, bool)>> {
    prop::collection::vec((1_u64..200, prop::bool::weighted(0.2)), 1..9)
}

/// Versions one after another from 2023-12-20 on, with gaps, in the order of `keys`; each has tiers of its own.
fn versions(spans: &[(u64, bool)], open: bool, change: Change, years: &[&str]) -> Vec<Version> {
    let mut versions = Vec::new();
    let mut from = day("2023-12-20");
    for (key, (length, gap)) in (1_u128..).zip(spans) {
        let until = from.checked_add_days(Days::new(*length)).unwrap();
        if !gap {
            let head = HEAD.replace("01-01", years[key as usize % years.len()]);
            let last = open && key == spans.len() as u128;
            let prices = [2, 3, 5].map(|price| price * 100 + key as i64);
            let body = format!(
                "{head}\n[[class]]\nname = \"living\"\ntiers = [{{ up_to = \"{}\", price = \"{}.01\" }}, {{ up_to = \"{}\", price = \"{}\" }}, {{ price = \"{}\" }}]\n",
                100 + key,
                prices[0],
                300 + key * 7,
                prices[1],
                prices[2]
            );
            let tariff = Tariff { change, ..tariff(&body) };
            versions.push(Version::new(
                key,
                format!("version {key}"),
                "living",
                (from, (!last).then_some(until)),
                Arc::new(tariff),
            ));
        }
        from = until;
    }
    versions
}

/// The litres after `before` up to `before + metres`, in 10⁻⁹ yuan, one m³ after the other.
fn walk(tiers: &Tiers, before: i64, metres: i64) -> i128 {
    (before + 1..=before + metres)
        .map(|metre| {
            let tier: &Tier = tiers
                .as_slice()
                .iter()
                .find(|tier| tier.up_to.is_none_or(|bound| cubic(metre) <= bound))
                .unwrap();
            i128::from(tier.price.micros()) * 1000
        })
        .sum()
}

/// What days cost one by one, in 10⁻⁹ yuan: each has its use and its one version, and goes on from what its tier-year has used.
fn day_by_day<'v>(days: impl Iterator<Item = (NaiveDate, i64, &'v Version)>, used: &mut BTreeMap<i32, i64>) -> i128 {
    days.map(|(day, metres, version)| {
        let used = used.entry(version.tariff.tier_year_of(day)).or_default();
        let Price::Graduated(tiers, Span::TierYear) = &version.tariff.classes[0].components[0].price else {
            panic!("not graduated")
        };
        let nanos = walk(tiers, *used, metres);
        *used += metres;
        nanos
    })
    .sum()
}

fn in_force(versions: &[Version], day: NaiveDate) -> &Version {
    versions
        .iter()
        .find(|version| version.from <= day && version.until.is_none_or(|until| day < until))
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Threads 13 and 14, B13: every day has exactly one price, or none where no version covers it, whatever order the versions come in.
    #[test]
    fn thread_13_and_14_b_13_every_day_has_exactly_one_price(spans in spans(), open: bool, turn in 0_usize..8, days in prop::collection::vec(0_u64..2000, 20)) {
        let mut versions = versions(&spans, open, Change::DaySplit, &["01-01"]);
        let oracle = versions.clone();
        if !versions.is_empty() {
            let middle = turn % versions.len();
            versions.rotate_left(middle);
        }
        let book = Book::new(versions).unwrap();
        for offset in days {
            let day = day("2023-11-01").checked_add_days(Days::new(offset)).unwrap();
            let expected: Vec<u128> = oracle
                .iter()
                .filter(|version| (version.from..version.until.unwrap_or(NaiveDate::MAX)).contains(&day))
                .map(|version| version.key)
                .collect();
            prop_assert!(expected.len() <= 1);
            prop_assert_eq!(book.on("living", day).map(|version| version.key), expected.first().copied());
            prop_assert!(book.on("boiler", day).is_none());
        }
    }

    /// Versions over others: on every day the upper one prices, and where there is none the lower one.
    #[test]
    fn versions_lie_over_those_of_another_book_day_by_day(
        (below, above) in (spans(), spans()), open: (bool, bool), days in prop::collection::vec(0_u64..2000, 20),
    ) {
        let below = versions(&below, open.0, Change::DaySplit, &["01-01"]);
        let mut above = versions(&above, open.1, Change::DaySplit, &["01-01"]);
        above.iter_mut().for_each(|version| version.key += 1000);
        let both = Book::new(below.clone()).unwrap().beneath(above.clone()).unwrap();
        for offset in days {
            let day = day("2023-11-01").checked_add_days(Days::new(offset)).unwrap();
            let covers = |version: &&Version| (version.from..version.until.unwrap_or(NaiveDate::MAX)).contains(&day);
            let expected = above.iter().find(covers).or_else(|| below.iter().find(covers));
            prop_assert_eq!(both.on("living", day).map(|version| version.key), expected.map(|version| version.key));
        }
    }

    /// A period across versions and tier-years costs what its days cost one by one.
    #[test]
    fn b_14_a_period_costs_the_sum_of_its_days(
        spans in prop::collection::vec(1_u64..90, 1..7),
        start in 0_u64..60,
        length in 1_u64..500,
        daily in 0_i64..9,
        before in 0_i64..400,
        years in prop::sample::subsequence(vec!["01-01", "09-01", "11-15"], 1..=2),
    ) {
        let spans: Vec<_> = spans.into_iter().map(|length| (length, false)).collect();
        let versions = versions(&spans, true, Change::DaySplit, &years);
        let book = Book::new(versions.clone()).unwrap();
        let from = day("2023-12-20").checked_add_days(Days::new(start)).unwrap();
        let to = from.checked_add_days(Days::new(length)).unwrap();
        let first = versions[0].tariff.tier_year_of(from);
        let ledger = Ledger::from_iter([(first, cubic(before))]);
        let terms = in_class("living");
        let legs = [Leg { from, to, volume: cubic(daily * length as i64), ..Leg::default() }];
        let priced = price(&terms, &book, &legs, &ledger);
        let mut used = BTreeMap::from([(first, before)]);
        let days = from.iter_days().skip(1).take(length as usize);
        let nanos = day_by_day(days.map(|day| (day, daily, in_force(&versions, day))), &mut used);
        prop_assert_eq!(priced.rated.exact.nanos(), nanos);
        prop_assert_eq!(priced.rated.total, Exact::from_nanos(nanos).round_half_up().unwrap());
        for (year, metres) in used {
            prop_assert_eq!(priced.rated.ledger.volume(year).unwrap_or_default(), cubic(metres));
        }
    }

    /// The same for the other ways of passing to a later version: by the day of the reading, and by the readings before its first day.
    #[test]
    fn p_9_2_a_period_costs_the_sum_of_its_days_by_readings(
        spans in prop::collection::vec(1_u64..90, 1..7),
        start in 0_u64..60,
        length in 1_u64..500,
        daily in 0_i64..9,
        before in 0_i64..400,
        reads in prop::collection::btree_set(1_u64..500, 0..6),
        proved: bool,
        years in prop::sample::subsequence(vec!["01-01", "09-01", "11-15"], 1..=2),
    ) {
        let change = if proved { Change::CutoverRead } else { Change::ByReadDate };
        let spans: Vec<_> = spans.into_iter().map(|length| (length, false)).collect();
        let versions = versions(&spans, true, change, &years);
        let book = Book::new(versions.clone()).unwrap();
        let from = day("2023-12-20").checked_add_days(Days::new(start)).unwrap();
        let to = from.checked_add_days(Days::new(length)).unwrap();
        let reads: Vec<_> = reads
            .into_iter()
            .filter(|offset| *offset < length)
            .map(|offset| (from.checked_add_days(Days::new(offset)).unwrap(), cubic(daily * offset as i64)))
            .collect();
        // The last version that has begun by the reading of the bill and, where readings prove use, by the day or with no reading in between.
        let known = |before: NaiveDate| reads.iter().map(|(day, _)| *day).filter(|day| *day < before).max().unwrap_or(from);
        let taken = |version: &&Version, day: NaiveDate| version.from <= to && (!proved || version.from <= day || known(version.from) < day);
        let of = |day: NaiveDate| versions.iter().rev().find(|version| taken(version, day)).unwrap();
        let first = of(from.succ_opt().unwrap()).tariff.tier_year_of(from.succ_opt().unwrap());
        let ledger = Ledger::from_iter([(first, cubic(before))]);
        let terms = in_class("living");
        let legs = [Leg { from, to, volume: cubic(daily * length as i64), reads: &reads, ..Leg::default() }];
        let rated = price(&terms, &book, &legs, &ledger).rated;
        let mut used = BTreeMap::from([(first, before)]);
        let days = from.iter_days().skip(1).take(length as usize);
        let nanos = day_by_day(days.map(|day| (day, daily, of(day))), &mut used);
        prop_assert_eq!(rated.exact.nanos(), nanos);
        for (year, metres) in used {
            prop_assert_eq!(rated.ledger.volume(year).unwrap_or_default(), cubic(metres));
        }
    }

    /// The same where a notice shares by degree days: a day has used as many m³ as it was cold.
    #[test]
    fn b_14_a_period_costs_the_sum_of_its_days_by_degree_days(
        spans in prop::collection::vec(1_u64..90, 1..7),
        cold in prop::collection::vec(0_i64..6, 1..300),
        factor in 1_i64..4,
        before in 0_i64..400,
    ) {
        let spans: Vec<_> = spans.into_iter().map(|length| (length, false)).collect();
        let versions = versions(&spans, true, Change::DegreeDays, &["12-20"]);
        let book = Book::new(versions.clone()).unwrap();
        let from = day("2023-12-24");
        let days: Vec<_> = from.iter_days().skip(1).zip(&cold).collect();
        let table = DegreeDays::new(days.iter().map(|(day, tenths)| (*day, **tenths as u32)));
        let (terms, ledger) = (in_class("living"), Ledger::from_iter([(2023, cubic(before))]));
        let legs = [Leg { from, to: days.last().unwrap().0, volume: cubic(factor * cold.iter().sum::<i64>()), ..Leg::default() }];
        let period = Period { terms: &terms, book: &book, legs: &legs, read: legs[0].to, read_months: None, degree_days: Some(&table), ledger: &ledger };
        let priced = period.price().unwrap();
        sound(&priced, &legs);
        let mut used = BTreeMap::from([(2023, before)]);
        let nanos = day_by_day(days.iter().map(|(day, tenths)| (*day, factor * **tenths, in_force(&versions, *day))), &mut used);
        prop_assert_eq!(priced.rated.exact.nanos(), nanos);
        prop_assert_eq!(priced.rated.volume_after, cubic(used[&2023]));
    }

    /// Bills of parts of a time cost together, before rounding, what one bill of all of it costs, if all are read.
    #[test]
    fn splitting_a_time_into_bills_changes_no_price(parts in prop::collection::vec((1_u64..60, 0_i64..200_000), 1..8), before in 0_i64..400_000) {
        let book = book([version(1, "living", "2020-01-01", None, living(r#"[{ up_to = "240", price = "2.97" }, { up_to = "360", price = "3.52" }, { price = "4.35" }]"#, ""))]);
        let terms = in_class("living");
        let start = day("2024-12-31");
        let first = Ledger::from_iter([(2025, Volume::from_litres(before))]);
        let mut ledger = first.clone();
        let (mut from, mut sum, mut litres) = (start, Exact::ZERO, 0);
        for (length, volume) in parts {
            let to = from.checked_add_days(Days::new(length)).unwrap().min(day("2025-12-31"));
            if to == from { break; }
            let legs = [Leg { from, to, volume: Volume::from_litres(volume), ..Leg::default() }];
            let rated = price(&terms, &book, &legs, &ledger).rated;
            sum = sum.checked_add(rated.exact).unwrap();
            litres += volume;
            (ledger, from) = (rated.ledger, to);
        }
        let legs = [Leg { from: start, to: from, volume: Volume::from_litres(litres), ..Leg::default() }];
        let whole = price(&terms, &book, &legs, &first).rated;
        prop_assert_eq!((whole.exact, whole.ledger), (sum, ledger));
    }

    /// Meters side by side cost the same in any order, and volume is conserved in every mode of change.
    #[test]
    fn the_order_of_meters_changes_no_price(
        spans in prop::collection::vec(1_u64..90, 1..5),
        meters in prop::collection::vec((0_u64..50, 1_u64..300, 0_i64..500_000), 2..5),
        mode in 0_usize..3,
        turn in 0_usize..4,
    ) {
        let change = [Change::DaySplit, Change::ByReadDate, Change::CutoverRead][mode];
        let spans: Vec<_> = spans.into_iter().map(|length| (length, false)).collect();
        let book = Book::new(versions(&spans, true, change, &["09-01"])).unwrap();
        let terms = in_class("living");
        let ledger = Ledger::default();
        let mut legs: Vec<_> = meters
            .iter()
            .map(|(start, length, volume)| {
                let from = day("2023-12-20").checked_add_days(Days::new(*start)).unwrap();
                let to = from.checked_add_days(Days::new(*length)).unwrap();
                Leg { from, to, volume: Volume::from_litres(*volume), ..Leg::default() }
            })
            .collect();
        let one = price(&terms, &book, &legs.clone(), &ledger).rated;
        let middle = turn % legs.len();
        legs.rotate_left(middle);
        let other = price(&terms, &book, &legs, &ledger).rated;
        prop_assert_eq!((one.total, one.exact, one.ledger), (other.total, other.exact, other.ledger));
    }

    /// Each part has one version, which is in force on all its days, and begins where the one before ends.
    #[test]
    fn thread_15_each_part_lies_within_its_version_and_no_day_in_two(spans in prop::collection::vec(1_u64..60, 2..6), length in 1_u64..300, litres in 0_i64..900_000) {
        let spans: Vec<_> = spans.into_iter().map(|length| (length, false)).collect();
        let book = Book::new(versions(&spans, true, Change::DaySplit, &["01-01"])).unwrap();
        let (terms, ledger) = (in_class("living"), Ledger::default());
        let from = day("2023-12-25");
        let to = from.checked_add_days(Days::new(length)).unwrap();
        let legs = [Leg { from, to, volume: Volume::from_litres(litres), ..Leg::default() }];
        let priced = price(&terms, &book, &legs, &ledger);
        let mut at = from;
        for part in &priced.parts {
            prop_assert_eq!(part.from, at);
            let first = part.from.succ_opt().unwrap();
            prop_assert!(part.version.from <= first && part.version.until.is_none_or(|until| part.to < until));
            at = part.to;
        }
        prop_assert_eq!(at, to);
    }
}

#[test]
fn what_changes_no_price_cuts_no_period() {
    let book = book([version(1, "general living", "2020-01-01", None, tariff(BEIJING))]);
    let mut terms = in_class("general living");
    terms.persons = vec![term(3, "2020-01-01", Some("2025-02-10")), term(4, "2025-02-10", None)];
    terms.low_income = vec![term(LowIncome::Subsistence, "2025-02-20", None)];
    let ledger = Ledger::default();
    let legs = [leg("2025-01-31", "2025-02-28", 28)];
    let priced = price(&terms, &book, &legs, &ledger);
    assert_eq!((priced.parts.len(), priced.rated.total), (1, yuan("73.08")));
    // The bill still says who lives there.
    assert_eq!((priced.parts[0].persons, priced.parts[0].low_income), (4, Some(LowIncome::Subsistence)));
}
