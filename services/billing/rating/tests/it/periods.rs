//! Days: tier-years, boundaries and shares of a period.

use money::Volume;
use rating::{DayPart, RatingError, split_by_days};

use crate::tariffs::{SHANGHAI, TIANJIN, cubic, day, tariff};

#[test]
fn a_day_belongs_to_the_tier_year_that_started_last() {
    let (tianjin, shanghai) = (tariff(TIANJIN), tariff(SHANGHAI));
    for (text, calendar, september) in [
        ("2024-12-31", 2024, 2024),
        ("2025-01-01", 2025, 2024),
        ("2025-08-31", 2025, 2024),
        ("2025-09-01", 2025, 2025),
        ("2024-02-29", 2024, 2023),
    ] {
        assert_eq!(
            (tianjin.tier_year_of(day(text)), shanghai.tier_year_of(day(text))),
            (calendar, september),
            "{text}"
        );
    }
    assert_eq!(shanghai.tier_year_start(2025), Some(day("2025-09-01")));
}

#[test]
fn edge_02_a_period_across_the_year_end_is_shared_by_days() {
    let periods = tariff(TIANJIN).usage_periods(day("2024-10-31"), day("2025-02-28"), cubic(180)).unwrap();
    let found: Vec<_> = periods.iter().map(|period| (period.tier_year, period.part.to, period.part.volume)).collect();
    assert_eq!(found, [(2024, day("2024-12-31"), cubic(92)), (2025, day("2025-02-28"), cubic(88))]);
}

#[test]
fn readings_on_the_last_day_of_a_year_make_one_period() {
    let tianjin = tariff(TIANJIN);
    let years = |from: &str, to: &str| {
        tianjin
            .usage_periods(day(from), day(to), cubic(10))
            .unwrap()
            .iter()
            .map(|period| period.tier_year)
            .collect::<Vec<_>>()
    };
    assert_eq!(years("2024-12-31", "2025-01-31"), [2025]);
    assert_eq!(years("2024-11-30", "2024-12-31"), [2024]);
    assert_eq!(years("2024-12-30", "2025-01-31"), [2024, 2025]);
    assert_eq!(years("2025-03-05", "2025-03-05"), [2025]);
    assert_eq!(years("2022-12-15", "2025-01-15"), [2022, 2023, 2024, 2025]);
}

#[test]
fn shanghai_puts_a_period_into_the_year_in_which_it_is_read() {
    let periods = tariff(SHANGHAI).usage_periods(day("2024-08-05"), day("2024-09-04"), cubic(31)).unwrap();
    assert_eq!(
        periods.iter().map(|period| (period.tier_year, period.part.volume)).collect::<Vec<_>>(),
        [(2024, cubic(31))]
    );
}

#[test]
fn edge_30_days_before_and_after_a_tariff_change() {
    let parts = split_by_days(day("2024-09-10"), day("2024-10-10"), &[day("2024-10-01")], cubic(30)).unwrap();
    assert_eq!(
        parts,
        [
            DayPart {
                from: day("2024-09-10"),
                to: day("2024-09-30"),
                volume: cubic(20)
            },
            DayPart {
                from: day("2024-09-30"),
                to: day("2024-10-10"),
                volume: cubic(10)
            }
        ]
    );
}

#[test]
fn finer_volumes_are_shared_by_the_litre() {
    let parts = split_by_days(day("2024-12-30"), day("2025-01-02"), &[day("2025-01-01")], Volume::from_litres(1001)).unwrap();
    assert_eq!(parts.iter().map(|part| part.volume.litres()).collect::<Vec<_>>(), [334, 667]);
}

#[test]
fn days_out_of_order_are_refused() {
    let (from, to) = (day("2025-01-10"), day("2025-02-10"));
    for cuts in [
        vec!["2025-01-10"],
        vec!["2025-01-11"],
        vec!["2025-02-11"],
        vec!["2025-03-01"],
        vec!["2025-01-20", "2025-01-15"],
        vec!["2025-01-20", "2025-01-20"],
    ] {
        let cuts: Vec<_> = cuts.into_iter().map(day).collect();
        assert_eq!(split_by_days(from, to, &cuts, cubic(1)), Err(RatingError::DayOrder), "{cuts:?}");
    }
    assert!(split_by_days(from, to, &[day("2025-02-10")], cubic(1)).is_ok());
    assert_eq!(split_by_days(to, from, &[], cubic(1)), Err(RatingError::DayOrder));
    assert_eq!(split_by_days(from, to, &[], Volume::from_litres(-1)), Err(RatingError::NegativeVolume));
    assert_eq!(rating::day_factor(from, to, to, from), Err(RatingError::DayOrder));
}
