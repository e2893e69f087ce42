//! The rules one by one.

use calendar::TimeDelta;

use super::*;
use crate::reading::model::{Register, Standing, join};

const DAY: i64 = 24 * 3_600_000_000;

fn meter(kind: MeterKind) -> Metered {
    let qmax = 4000;
    Metered {
        class: Class::of_meter(kind, qmax),
        register: Register {
            digits: 5,
            qmax,
            multiplier: 1,
        },
        expires: None,
    }
}

fn rules() -> Arc<Rules> {
    Rules::shipped().unwrap()
}

fn point(date: NaiveDate, litres: i64, source: Source) -> Point {
    Point {
        date,
        at: i64::from(chrono::Datelike::num_days_from_ce(&date)) * DAY,
        value: litres,
        standing: Standing::Open,
        source,
        lost_digits: false,
        time_twice: false,
        photo: false,
        told: false,
    }
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn month_end(month: u32) -> NaiveDate {
    let next = if month == 12 {
        NaiveDate::from_ymd_opt(2026, 1, 1)
    } else {
        NaiveDate::from_ymd_opt(2025, month + 1, 1)
    };
    next.unwrap().pred_opt().unwrap()
}

/// Points of month ends of 2025, in cubic metres.
fn months(metres: &[i64], source: Source) -> Vec<Point> {
    metres.iter().zip(1..).map(|(m, month)| point(month_end(month), m * 1000, source)).collect()
}

fn judge(meter: &Metered, start: i64, points: &[Point]) -> Vec<Verdict> {
    let start = Start {
        date: day("2024-12-31"),
        value: start * 1000,
    };
    assess(&rules(), meter, Some(start), points)
}

/// A chain of month ends of 2025, installed on the last day of 2024.
fn chain(start: i64, metres: &[i64]) -> Vec<Verdict> {
    judge(&meter(MeterKind::Iot), start, &months(metres, Source::Remote))
}

fn codes(verdicts: &[Verdict]) -> Vec<String> {
    verdicts.iter().map(|v| join(&v.codes)).collect()
}

/// Points of hours from a moment on.
fn hours(from: &str, litres: &[i64]) -> Vec<Point> {
    let first = point(day(from), 0, Source::Remote);
    let hour = |(n, litres): (i64, &i64)| Point {
        at: first.at + n * DAY / 24,
        date: first.date + TimeDelta::days(n / 24),
        value: *litres,
        ..first
    };
    (0..).zip(litres).map(hour).collect()
}

#[test]
fn e_2_02_good_months_pass() {
    let verdicts = chain(2514, &[2574, 2635, 2692]);
    assert_eq!(codes(&verdicts), ["", "", ""]);
    assert_eq!(
        verdicts.iter().map(|v| v.volume).collect::<Vec<_>>(),
        [Some(60_000), Some(61_000), Some(57_000)]
    );
}

#[test]
fn edge_03_rollover_of_25_metres_is_billed() {
    let verdicts = chain(99_900, &[99_930, 99_960, 99_987, 12]);
    assert_eq!(codes(&verdicts), ["", "", "", ""]);
    let last = verdicts.last().unwrap();
    assert!(last.rollover);
    assert_eq!(last.volume, Some(25_000));
}

#[test]
fn edge_03_rollover_without_history_is_not_plausible() {
    assert_eq!(codes(&chain(99_987, &[12])), ["REVERSE"]);
}

#[test]
fn edge_04_lower_index_is_reverse_and_the_next_is_compared_with_the_one_before() {
    let verdicts = chain(39, &[69, 99, 80, 150]);
    assert_eq!(codes(&verdicts), ["", "", "REVERSE", ""]);
    assert_eq!(verdicts[2].volume, None);
    assert_eq!(verdicts[3].volume, Some(51_000));
}

#[test]
fn e_2_02_spike_is_held_and_does_not_spoil_the_next() {
    // M101000015 of the city: 380 → 3423 → 452.
    let verdicts = chain(165, &[211, 256, 297, 337, 380, 3423, 452]);
    assert_eq!(codes(&verdicts), ["", "", "", "", "", "SPIKE OVER_QMAX", ""]);
    assert_eq!(verdicts[6].volume, Some(72_000));
}

#[test]
fn edge_42_two_rules_fire_on_one_reading_in_the_order_of_the_stage() {
    assert_eq!(codes(&chain(0, &[100, 200, 200 + 3200]))[2], "SPIKE OVER_QMAX");
    // 4 m3/h passes at most 2976 m3 in 31 days.
    assert_eq!(codes(&chain(0, &[2976]))[0], "");
    assert_eq!(codes(&chain(0, &[2977]))[0], "OVER_QMAX");
}

#[test]
fn e_2_02_deviation_needs_more_than_half_and_more_than_20_metres() {
    // February has 28 days: 31/28 of its volume is compared with a month of 31.
    assert_eq!(codes(&chain(0, &[62, 118, 118 + 93]))[2], "");
    assert_eq!(codes(&chain(0, &[62, 118, 118 + 94]))[2], "SPIKE_50");
    assert_eq!(codes(&chain(0, &[10, 20, 20 + 31]))[2], "", "20 m3 more at most");
    assert_eq!(codes(&chain(0, &[62, 118, 118 + 31]))[2], "");
    assert_eq!(codes(&chain(0, &[62, 118, 118 + 30]))[2], "DROP_50");
    assert_eq!(codes(&chain(0, &[30, 58, 58 + 12]))[2], "", "20 m3 less at most");
}

/// Verdicts of month ends from January 2024 on, by the use of each month; each index is that use more.
fn years(used: &[i64]) -> Vec<String> {
    let mut index = 0;
    let points = (0..).zip(used).map(|(n, metres)| {
        index += metres * 1000;
        let end = day("2024-02-01").checked_add_months(chrono::Months::new(n)).unwrap().pred_opt().unwrap();
        point(end, index, Source::Reader)
    });
    let start = Start {
        date: day("2023-12-31"),
        value: 0,
    };
    codes(&assess(&rules(), &meter(MeterKind::Mechanical), Some(start), &points.collect::<Vec<_>>()))
}

#[test]
fn e_2_02_a_year_later_both_last_year_and_the_last_three_readings_have_to_differ() {
    // A heated home: 100 in January, 20 in summer.
    let year = [100, 90, 60, 40, 25, 20, 20, 20, 20, 50, 80, 100];
    let with = |months: &[i64]| {
        let mut used = year.to_vec();
        used.extend(months);
        years(&used).pop().unwrap()
    };
    assert!(years(&year).iter().skip(1).all(String::is_empty), "{:?}", years(&year));
    let to_july = [100, 90, 60, 40, 25, 20];
    let july = |metres| with(&[&to_july[..], &[metres]].concat());
    // Last July had 20; April to June 85 in 91 days, for 31 days 28.956: half more is 43.434, and 20 m3 more 48.956.
    assert_eq!([july(95), july(49), july(48)], ["SPIKE_50", "SPIKE_50", ""], "January had 100");
    // January 2025: last January 100; October to December 230 in 92 days, for 31 days 77.5: half is 38.75.
    assert_eq!([with(&[30]), with(&[38]), with(&[39])], ["DROP_50", "DROP_50", ""], "summer had 20");
    // The first cold month is far above the last three readings, and what it was last year: 50, and half more 75.
    let to_october = [100, 90, 60, 40, 25, 20, 20, 20, 20];
    let october = |metres| with(&[&to_october[..], &[metres]].concat());
    assert_eq!([october(50), october(75), october(76)], ["", "", "SPIKE_50"]);
    // As much as last year is no drop after three cold months, nor is what was used lately where last year was more.
    assert_eq!(with(&[100, 90, 130, 40]), "");
    assert_eq!(with(&[100, 90, 60, 40, 25, 20, 20, 20, 20, 20, 20, 20]), "");
    assert_eq!(with(&[0]), "", "no use at all is another matter");
}

#[test]
fn e_2_02_without_readings_around_last_year_the_window_is_what_there_is() {
    // Read by the quarter: no cycle is short enough. The same one last year had 60 and the last three 320, of which one had 200.
    let quarters = |used: &[i64]| {
        let mut index = 0;
        let points = (1..).zip(used).map(|(n, metres)| {
            index += metres * 1000;
            let end = day("2023-01-01").checked_add_months(chrono::Months::new(3 * n)).unwrap().pred_opt().unwrap();
            point(end, index, Source::Reader)
        });
        let start = Start {
            date: day("2022-12-31"),
            value: 0,
        };
        codes(&assess(&rules(), &meter(MeterKind::Mechanical), Some(start), &points.collect::<Vec<_>>()))
            .pop()
            .unwrap()
    };
    assert_eq!(quarters(&[60, 60, 60, 200, 60, 60, 190]), "");
    assert_eq!(quarters(&[60, 60, 60, 200, 60, 60, 310]), "SPIKE_50");
}

#[test]
fn e_2_02_held_deviation_counts_in_the_comparison_of_the_next() {
    let verdicts = chain(0, &[300, 580, 680, 780]);
    assert_eq!(codes(&verdicts), ["", "", "DROP_50", ""]);
    assert_eq!(verdicts[3].volume, Some(100_000));
}

#[test]
fn edge_11_second_month_without_use_opens_a_visit_once() {
    let verdicts = chain(100, &[150, 150, 150, 150, 180, 180, 180]);
    assert_eq!(codes(&verdicts), ["", "", "ZERO_2", "", "", "", "ZERO_2"]);
    assert!(verdicts[1].codes.is_empty() && verdicts[1].volume == Some(0));
}

#[test]
fn e_2_02_what_a_person_accepted_stands() {
    let mut points = months(&[100, 2000, 2100, 50, 2250], Source::Remote);
    points[1].standing = Standing::True;
    points[3].standing = Standing::Unused;
    let verdicts = judge(&meter(MeterKind::Iot), 0, &points);
    assert_eq!(codes(&verdicts), ["", "", "", "", ""]);
    assert_eq!(verdicts[4].volume, Some(150_000));
}

#[test]
fn e_2_02_verdicts_do_not_depend_on_what_comes_later() {
    let metres = [120, 230, 160, 300, 900, 340, 380, 20, 420];
    let whole = chain(0, &metres);
    for n in 0..metres.len() {
        assert_eq!(chain(0, &metres[..n]), whole[..n]);
    }
}

#[test]
fn b_07_the_file_names_every_source_and_class_and_each_pair_has_one_group() {
    let rules = rules();
    for class in Class::ALL {
        for source in Source::ALL {
            let fitting = rules.groups.iter().filter(|g| g.classes.contains(class) && g.sources.contains(source));
            assert_eq!(fitting.count(), 1, "{class:?} {source:?}");
        }
    }
    let asked: std::collections::BTreeSet<_> = rules.groups.iter().flat_map(|g| g.stages.iter().flatten().copied()).collect();
    assert_eq!(asked.len(), 16, "{asked:?}");
    assert!(rules.groups.iter().all(|g| !g.name.is_empty()));
}

#[test]
fn b_07_a_stage_that_fires_stops_the_later_ones() {
    let mut points = months(&[100, 190, 10], Source::Reader);
    points[2].lost_digits = true;
    // Lower than before, too: that is not asked any more.
    assert_eq!(codes(&judge(&meter(MeterKind::Mechanical), 0, &points))[2], "LOST_DIGITS");
}

#[test]
fn b_04_adjusted_outranks_check_final_reader_user_estimate() {
    let rules = rules();
    let rank = |source| rules.trust(source).rank;
    use Source::*;
    let falling = [Adjusted, Check, Final, Reader, User, Estimate].map(rank);
    assert!(falling.is_sorted_by(|a, b| a > b), "{falling:?}");
    assert_eq!([Reader, Photo, Remote].map(rank), [60; 3], "of one rank: two values are a conflict");
    assert!(rules.trust(User).check && !rules.trust(Reader).check);
}

#[test]
fn b_06_lost_digits_and_a_time_that_came_twice_are_held_and_spoil_nothing() {
    let mut points = months(&[100, 400, 290], Source::Remote);
    points[1].lost_digits = true;
    let verdicts = judge(&meter(MeterKind::Water), 0, &points);
    assert_eq!(codes(&verdicts), ["", "LOST_DIGITS", ""]);
    assert_eq!(verdicts[2].volume, Some(190_000), "compared with the reading before the one held");
    points[1].lost_digits = false;
    points[1].time_twice = true;
    assert_eq!(codes(&judge(&meter(MeterKind::Water), 0, &points)), ["", "TIME_TWICE", ""]);
}

#[test]
fn b_06_a_register_that_counts_on_from_a_small_index_is_another_meter() {
    // S01 of the trial: 1114, then 25 three months later.
    let points = [
        point(day("2025-03-12"), 1_090_000, Source::Reader),
        point(day("2025-06-11"), 1_114_000, Source::Reader),
        point(day("2025-09-09"), 25_000, Source::Reader),
        point(day("2025-12-09"), 50_000, Source::Reader),
    ];
    let verdicts = judge(&meter(MeterKind::Water), 1066, &points);
    assert_eq!(codes(&verdicts), ["", "", "NEW_REGISTER", "NEW_REGISTER"]);
    assert_eq!(verdicts[2].volume, None);
    // It passes the old index in time, and that proves nothing; nor does it when a third meter begins.
    let mut metres = vec![1090, 1114];
    metres.extend((0..32).map(|n| 25 + 40 * n));
    metres.extend([30, 70, 110]);
    let points: Vec<_> = (0..)
        .zip(&metres)
        .map(|(n, m)| point(day("2020-01-01") + TimeDelta::days(91 * n), m * 1000, Source::Reader))
        .collect();
    let begun = Start {
        date: day("2019-10-01"),
        value: 1_066_000,
    };
    let verdicts = assess(&rules(), &meter(MeterKind::Water), Some(begun), &points);
    assert!(verdicts[2..].iter().all(|v| v.codes == [Code::NewRegister]), "{:?}", codes(&verdicts));
}

#[test]
fn b_06_a_misread_low_index_is_no_new_register_for_the_next_reading() {
    assert_eq!(codes(&chain(1000, &[1060, 1120, 11, 1240])), ["", "", "NEW_REGISTER", ""]);
}

#[test]
fn b_06_off_by_the_multiplier_up_and_down() {
    let mut ten = meter(MeterKind::Mechanical);
    ten.register.multiplier = 10;
    ten.register.qmax = 1_000_000;
    let good = [600, 1200, 1800];
    assert_eq!(codes(&judge(&ten, 0, &months(&good, Source::Reader))), ["", "", ""]);
    let up = [600, 1200, 1200 + 6000];
    assert_eq!(codes(&judge(&ten, 0, &months(&up, Source::Reader)))[2], "SPIKE MULTIPLIER");
    let down = [600, 1200, 1200 + 60];
    assert_eq!(codes(&judge(&ten, 0, &months(&down, Source::Reader)))[2], "MULTIPLIER");
    let one = meter(MeterKind::Mechanical);
    assert_eq!(codes(&judge(&one, 0, &months(&down, Source::Reader)))[2], "DROP_50");
}

/// The file, one of its thresholds otherwise.
fn with(threshold: &str, otherwise: &str) -> Result<Rules, String> {
    let text = include_str!("rules.toml");
    assert!(text.contains(threshold), "{threshold}");
    Rules::read(&text.replace(threshold, otherwise))
}

#[test]
fn b_06_a_city_sets_when_an_index_is_of_another_register_and_when_a_use_is_off_by_the_multiplier() {
    let last = |rules: &Rules, meter: &Metered, metres: &[i64]| {
        let start = Start {
            date: day("2024-12-31"),
            value: 0,
        };
        codes(&assess(rules, meter, Some(start), &months(metres, Source::Reader))).pop().unwrap()
    };
    // 120 of 1120 are 10.7 %; twice the largest cycle and 20 are 2 × 1060 and more.
    let one = meter(MeterKind::Mechanical);
    let fell = [1060, 1120, 120];
    assert_eq!(last(&rules(), &one, &fell), "REVERSE");
    assert_eq!(
        last(&with("restart_percent = 10", "restart_percent = 11").unwrap(), &one, &fell),
        "NEW_REGISTER"
    );
    // March against January: smallest 600, largest 600 × 31 / 28 = 664.
    let mut ten = one;
    ten.register.multiplier = 10;
    ten.register.qmax = 1_000_000;
    let (low, high) = ([600, 1200, 1259], [600, 1200, 1200 + 6700]);
    assert_eq!([last(&rules(), &ten, &low), last(&rules(), &ten, &high)], ["MULTIPLIER", "SPIKE MULTIPLIER"]);
    let narrow = with("multiplier_low = 50", "multiplier_low = 100").unwrap();
    assert_eq!(last(&narrow, &ten, &low), "DROP_50", "590 is below 600");
    let narrow = with("multiplier_high = 200", "multiplier_high = 100").unwrap();
    assert_eq!(last(&narrow, &ten, &high), "SPIKE", "670 is above 664");
}

#[test]
fn b_06_a_threshold_that_cannot_be_meant_is_refused_by_name() {
    for (threshold, otherwise, told) in [
        ("spike_factor = 4", "spike_factor = 1", "spike_factor is 1 and not from 2 to 1000"),
        ("restart_percent = 10", "restart_percent = 101", "restart_percent is 101 and not from 0 to 100"),
        (
            "multiplier_high = 200",
            "multiplier_high = 99",
            "multiplier_high is 99 and not from 100 to 10000",
        ),
        ("rhythm_readings = 10", "rhythm_readings = 0", "rhythm_readings is 0 and not from 1 to 1000"),
        ("deviation_floor = \"20\"", "deviation_floor = \"-1\"", "deviation_floor is -1000"),
        ("hours = 48", "hours = 0", "silent.hours is 0 and not from 1 to 8784"),
        ("years = 3", "years = 0", "scale.years is 0 and not from 1 to 10"),
        ("[case]\ndays = 7", "[case]\ndays = 0", "case.days is 0 and not from 1 to 366"),
        ("[class.WATER]", "[class.STEAM]", "class STEAM is not known"),
        ("[source.photo]", "[source.picture]", "source picture is not known"),
        ("[silent]\nfactor = 3\n", "[silent]\n", "missing field `factor`"),
        ("factor = 10\n", "factor = 10\nfactors = 10\n", "unknown field `factors`"),
    ] {
        let refused = with(threshold, otherwise).unwrap_err();
        assert!(refused.contains(told), "{told}: {refused}");
    }
}

#[test]
fn edge_50_the_index_of_last_month_with_a_photo_waits_for_a_second_person() {
    let mut points = months(&[100, 190, 190], Source::Photo);
    assert_eq!(
        codes(&judge(&meter(MeterKind::Mechanical), 0, &points))[2],
        "",
        "without a photo there is nothing to compare"
    );
    points[2].photo = true;
    assert_eq!(codes(&judge(&meter(MeterKind::Mechanical), 0, &points))[2], "UNCHANGED");
    assert!(Code::Unchanged.holds() && Code::Unchanged.is_releasable());
}

#[test]
fn b_04_a_reading_by_the_user_is_confirmed_where_it_is_out_of_line() {
    // February is scaled: 28 days at 100 / 31 a day are 90.3; a quarter more is 112.9, a quarter less 67.7.
    let user = |metres: i64| {
        let mut points = months(&[100, 100 + metres], Source::Reader);
        points[1].source = Source::User;
        codes(&judge(&meter(MeterKind::Mechanical), 0, &points)).remove(1)
    };
    assert_eq!([user(113), user(112), user(68), user(67)], ["UNCONFIRMED", "", "", "UNCONFIRMED"]);
    let first = months(&[100], Source::User);
    assert_eq!(
        codes(&judge(&meter(MeterKind::Mechanical), 0, &first)),
        ["UNCONFIRMED"],
        "nothing to compare with"
    );
}

#[test]
fn e_2_02_a_second_reading_on_one_day_by_a_person_is_held() {
    let first = point(day("2025-01-31"), 100_000, Source::Reader);
    let of = |meter: &Metered, source| {
        let later = Point {
            at: first.at + DAY / 4,
            value: 101_000,
            source,
            ..first
        };
        codes(&judge(meter, 0, &[first, later])).remove(1)
    };
    let second = |source| of(&meter(MeterKind::Mechanical), source);
    assert_eq!([second(Source::Reader), second(Source::User)], ["SAME_DAY", "UNCONFIRMED SAME_DAY"]);
    assert_eq!(
        [second(Source::Check), second(Source::Final)],
        ["", ""],
        "a second reading to check, and the last one, are meant to be"
    );
    let mut large = meter(MeterKind::Mechanical);
    large.class = Class::of_meter(MeterKind::Mechanical, SMALL + 1);
    for (meter, class) in [(large, Class::GasLarge), (meter(MeterKind::HeatKwh), Class::Heat)] {
        assert_eq!(meter.class, class);
        assert_eq!([of(&meter, Source::Reader), of(&meter, Source::Photo)], ["SAME_DAY", "SAME_DAY"], "{class:?}");
        assert_eq!([of(&meter, Source::Remote), of(&meter, Source::Check)], ["", ""], "{class:?}");
    }
    assert_eq!(of(&meter(MeterKind::Iot), Source::Reader), "", "beside what it reports by itself");
}

#[test]
fn b_06_a_pause_of_more_than_a_day_of_a_meter_that_reports_by_itself() {
    let mut points = hours("2025-01-02", &[0, 1, 2, 3, 4]);
    let last = points.pop().unwrap();
    let with_gap = |hours: i64| {
        let late = Point {
            at: points[3].at + hours * DAY / 24,
            ..last
        };
        let points: Vec<_> = points.iter().copied().chain([late]).collect();
        codes(&judge(&meter(MeterKind::Water), 0, &points)).remove(4)
    };
    assert_eq!([with_gap(24), with_gap(25)], ["", "GAP"]);
    let daily: Vec<_> = [0, 24, 48, 72, 97]
        .iter()
        .map(|h| Point {
            at: last.at + h * DAY / 24,
            date: last.date + TimeDelta::days(h / 24),
            ..last
        })
        .collect();
    assert_eq!(
        codes(&judge(&meter(MeterKind::Water), 0, &daily))[4],
        "",
        "25 hours are no pause for one that reports by the day"
    );
    assert_eq!(
        codes(&chain(0, &[50, 100, 150, 200])),
        ["", "", "", ""],
        "nor is a month for one that reports by the month"
    );
}

#[test]
fn b_06_no_use_for_more_than_a_day_and_night_is_told_once_and_again_in_the_next_year() {
    // The first standstill lasts 24 hours, the second 25.
    let mut litres: Vec<i64> = vec![0, 5];
    litres.extend([5; 24]);
    litres.push(9);
    litres.extend([9; 25]);
    litres.extend([9; 10]);
    let verdicts = judge(&meter(MeterKind::HeatKwh), 0, &hours("2025-03-01", &litres));
    let told: Vec<_> = verdicts
        .iter()
        .enumerate()
        .filter(|(_, v)| v.codes.contains(&Code::ZeroRun))
        .map(|(n, _)| n)
        .collect();
    assert_eq!(told, [26 + 25]);
    let over_the_year = judge(
        &meter(MeterKind::HeatKwh),
        0,
        &hours("2025-12-30", &{
            let mut litres = vec![0, 5];
            litres.extend([5; 100]);
            litres
        }),
    );
    let told: Vec<_> = over_the_year
        .iter()
        .enumerate()
        .filter(|(_, v)| v.codes.contains(&Code::ZeroRun))
        .map(|(n, _)| n)
        .collect();
    // Standing still since hour 1; new year is hour 48, from which it counts anew.
    assert_eq!(told, [1 + 25, 48 + 25]);
}

#[test]
fn thread_21_a_standstill_is_told_once_whether_its_readings_come_at_once_or_one_by_one() {
    // Ten hours with use, then it stands still; and by the day, over the end of a year.
    let litres: Vec<i64> = (0..60).map(|n: i64| n.min(9) * 1000).collect();
    let hourly = hours("2025-03-01", &litres);
    let daily = (0..)
        .zip(&litres)
        .map(|(n, litres)| point(day("2025-12-01") + TimeDelta::days(n), *litres, Source::Remote));
    let daily: Vec<_> = daily.collect();
    let told = |verdicts: &[Verdict]| verdicts.iter().filter(|v| v.codes.contains(&Code::ZeroRun)).count();
    for (readings, wanted) in [(hourly, 1), (daily, 2)] {
        let at_once = judge(&meter(MeterKind::Iot), 0, &readings);
        assert_eq!(told(&at_once), wanted);
        let mut known: Vec<Point> = vec![];
        let mut one_by_one = vec![];
        for reading in readings {
            known.push(reading);
            let verdict = judge(&meter(MeterKind::Iot), 0, &known).pop().unwrap();
            let last = known.last_mut().unwrap();
            (last.standing, last.told) = (Standing::True, verdict.codes.contains(&Code::ZeroRun));
            one_by_one.push(verdict);
        }
        assert_eq!(codes(&one_by_one), codes(&at_once));
    }
    // Also where the chain is loaded from the reading on that told it.
    let mut late = hours("2025-03-01", &[9; 30]);
    for known in &mut late[..29] {
        known.standing = Standing::True;
    }
    late[0].told = true;
    assert_eq!(told(&assess(&rules(), &meter(MeterKind::Iot), None, &late)), 0);
    // A year is looked back on where a standstill is told once a year.
    let rules = rules();
    let window = |class| rules.window([class].into_iter()).num_days();
    // And on the same days last year, and readings around them, where a cycle is compared with them.
    assert_eq!([window(Class::Heat), window(Class::Water), window(Class::GasRemote)], [366, 200, 506]);
}

#[test]
fn edge_08_the_first_reading_after_the_life_of_the_meter_is_reported_and_billed() {
    let mut old = meter(MeterKind::Mechanical);
    old.expires = Some(day("2025-02-28"));
    let verdicts = judge(&old, 0, &months(&[100, 190, 280, 370], Source::Reader));
    assert_eq!(codes(&verdicts), ["", "", "EXPIRED", ""]);
    assert!(!Code::Expired.holds());
}

#[test]
fn b_12_an_actual_reading_is_compared_with_the_actual_one_before_the_estimates() {
    let mut points = months(&[100, 190, 300, 290], Source::Reader);
    points[2].source = Source::Estimate;
    let verdicts = judge(&meter(MeterKind::Mechanical), 0, &points);
    assert_eq!(codes(&verdicts), ["", "", "", ""], "lower than the estimate is no reverse flow");
    assert_eq!(
        verdicts.iter().map(|v| v.volume).collect::<Vec<_>>(),
        [Some(100_000), Some(90_000), Some(110_000), Some(100_000)]
    );
}

#[test]
fn edge_03_what_an_estimate_passed_is_not_passed_again() {
    let mut points = months(&[99_930, 99_960, 99_987, 12, 40], Source::Reader);
    points[3].source = Source::Estimate;
    let verdicts = judge(&meter(MeterKind::Mechanical), 99_900, &points);
    assert_eq!(codes(&verdicts), ["", "", "", "", ""]);
    assert_eq!(verdicts.iter().map(|v| v.rollover).collect::<Vec<_>>(), [false, false, false, true, false]);
    assert_eq!(verdicts[4].volume, Some(53_000));
}

#[test]
fn e_2_03_households_may_be_estimated_twice_and_trade_never() {
    let rules = rules();
    let allowed = |class| rules.estimates.allowed(class);
    assert_eq!(
        [
            allowed("living"),
            allowed("independent heating"),
            allowed("non-resident at resident price"),
            allowed("commercial")
        ],
        [2, 2, 0, 0]
    );
}

#[test]
fn classes_follow_kind_and_size() {
    use MeterKind::*;
    let class = |kind, qmax| Class::of_meter(kind, qmax);
    assert_eq!([class(Mechanical, 10_000), class(Mechanical, 10_001)], [Class::GasMechanical, Class::GasLarge]);
    assert_eq!(
        [class(Iot, 4000), class(Ic, 4000), class(HeatGj, 4000), class(Water, 4000)],
        [Class::GasRemote, Class::GasRemote, Class::Heat, Class::Water]
    );
}
