//! The deadline engine against cases that others computed, and against its own laws.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use calendar::{Calendar, CalendarMissing, Days, Due, Hours, Instant, NaiveDate, Rule, TimeDelta, Until, Window, ZONE, due, explain, working_minutes_between};
use chrono::{NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use proptest::prelude::*;

fn at_in(zone: Tz, text: &str) -> Instant {
    let local: NaiveDateTime = text.parse().or_else(|_| format!("{text}:00").parse()).unwrap();
    Instant::from_micros(zone.from_local_datetime(&local).earliest().unwrap().timestamp_micros())
}

fn at(text: &str) -> Instant {
    at_in(ZONE, text)
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn china_due(rule: Rule, start: &str) -> Due {
    due(Calendar::china(), &rule, at(start)).unwrap()
}

#[test]
fn decision_8_every_computed_chinese_case() {
    let china = Calendar::china();
    let mut rows = 0;
    for row in csv::Reader::from_reader(include_str!("data/cn_sla_cases.csv").as_bytes()).records() {
        let row = row.unwrap();
        let (opened, closed) = (at(&row[1]), at(&row[6]));
        let by_days = due(china, &Rule::working_days(row[2].parse().unwrap()), opened).unwrap();
        assert_eq!(by_days.date, date(&row[3]), "row {}", &row[0]);
        assert_eq!(by_days.at, Instant::end_of(date(&row[3])), "row {}", &row[0]);
        assert_eq!(
            china.add_working_days(opened.date(), row[2].parse().unwrap()),
            Ok(date(&row[3])),
            "row {}",
            &row[0]
        );
        let by_minutes = due(
            china,
            &Rule::WorkingMinutes {
                minutes: row[4].parse().unwrap(),
            },
            opened,
        )
        .unwrap();
        assert_eq!(by_minutes.at, at(&row[5]), "row {}", &row[0]);
        assert_eq!(working_minutes_between(china, opened, closed), Ok(row[7].parse().unwrap()), "row {}", &row[0]);
        rows += 1;
    }
    assert_eq!(rows, 60);
}

#[test]
fn decision_8_every_case_that_other_packages_print() {
    let cases: Vec<serde_json::Value> = serde_json::from_str(include_str!("data/working_time_peer_cases.json")).unwrap();
    let hours = Hours::new(vec![Window::new(9 * 60, 12 * 60).unwrap(), Window::new(13 * 60, 18 * 60).unwrap()]).unwrap();
    let instant = |zone: Tz, text: &str| match text.split_once(' ') {
        None => at_in(zone, text),
        Some((local, zone)) => at_in(zone.parse().unwrap(), local),
    };
    let minutes = |text: &str| text.strip_suffix(" h").unwrap().parse::<u32>().unwrap() * 60;
    for case in &cases {
        let text = |key: &str| case.get(key).and_then(serde_json::Value::as_str);
        let window = text("window").unwrap();
        let zone: Tz = window.split_once(" in ").map_or(chrono_tz::UTC, |(_, zone)| zone.parse().unwrap());
        let holidays = case.get("holidays").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
        let days = holidays
            .iter()
            .fold(Days::weekdays(2015, 2016), |days, day| days.with_holiday(date(day.as_str().unwrap()), "", ""));
        let calendar = Calendar::new(zone, days, hours.clone());
        let (expected, id) = (text("expected").unwrap(), text("id").unwrap());
        match text("start") {
            Some(start) => {
                let rule = Rule::WorkingMinutes {
                    minutes: minutes(text("add").unwrap()),
                };
                assert_eq!(due(&calendar, &rule, instant(zone, start)).unwrap().at, instant(zone, expected), "{id}");
            }
            None => {
                let (from, to) = (instant(zone, text("from").unwrap()), instant(zone, text("to").unwrap()));
                assert_eq!(working_minutes_between(&calendar, from, to), Ok(i64::from(minutes(expected))), "{id}");
            }
        }
    }
    assert_eq!(cases.len(), 4);
}

#[test]
fn decision_8_the_deadlines_of_a_city_across_summer_time() {
    let zone = chrono_tz::America::New_York;
    let holidays = include_str!("data/boston311_calendar_2015.csv").lines().skip(1);
    let days = holidays.fold(Days::weekdays(2015, 2016), |days, line| {
        let (day, name) = line.split_once(',').unwrap();
        days.with_holiday(date(day), name, "")
    });
    let city = Calendar::new(zone, days, Hours::new(vec![Window::new(510, 1020).unwrap()]).unwrap());
    let mut rows = 0;
    for row in csv::Reader::from_reader(include_str!("data/boston311_2015_sample.csv").as_bytes()).records() {
        let row = row.unwrap();
        let days = row[3].parse().unwrap();
        let rule = match &row[2] {
            "working_days" => Rule::WorkingDays { days, until: Until::SameTime },
            "calendar_days" => Rule::WallDays { days },
            other => panic!("{other}"),
        };
        assert_eq!(due(&city, &rule, at_in(zone, &row[1])).unwrap().at, at_in(zone, &row[4]), "{}", &row[0]);
        rows += 1;
    }
    assert!(rows > 300, "{rows}");
}

#[test]
fn kinds_of_deadlines() {
    let day_end = |text: &str| Instant::end_of(date(text));
    let rows = [
        (Rule::hours(24), "2025-01-27T10:00", at("2025-01-28T10:00")),
        (Rule::Elapsed { minutes: 30 }, "2025-01-31T23:45", at("2025-02-01T00:15")),
        (Rule::WallDays { days: 3 }, "2025-01-27T10:00", at("2025-01-30T10:00")),
        // Summer time began on 12 April 1987 at 00:00: three wall-clock days have 71 hours.
        (Rule::WallDays { days: 3 }, "1987-04-10T10:00", at("1987-04-13T10:00")),
        (Rule::hours(72), "1987-04-10T10:00", at("1987-04-13T11:00")),
        // Spring Festival 2025: 28 January to 4 February off, Sunday 26 January and Saturday 8 February worked.
        (Rule::working_days(5), "2025-01-26T10:00", day_end("2025-02-08")),
        (Rule::working_days(5), "2025-01-27T10:00", day_end("2025-02-10")),
        (
            Rule::WorkingDays {
                days: 1,
                until: Until::EndOfWork,
            },
            "2025-01-27T18:00",
            at("2025-02-05T17:30"),
        ),
        (
            Rule::WorkingDays {
                days: 1,
                until: Until::SameTime,
            },
            "2025-01-27T10:15",
            at("2025-02-05T10:15"),
        ),
        (
            Rule::WorkingDays {
                days: 1,
                until: Until::SameTime,
            },
            "2025-01-27T12:15",
            at("2025-02-05T13:30"),
        ),
        (
            Rule::WorkingDays {
                days: 1,
                until: Until::SameTime,
            },
            "2025-01-27T17:30",
            at("2025-02-06T08:30"),
        ),
        (
            Rule::WorkingDays {
                days: 0,
                until: Until::EndOfWork,
            },
            "2025-01-27T18:00",
            at("2025-01-27T18:00"),
        ),
        (Rule::WorkingMinutes { minutes: 0 }, "2025-01-30T03:00", at("2025-01-30T03:00")),
        (Rule::WorkingMinutes { minutes: 210 }, "2025-01-27T08:30", at("2025-01-27T12:00")),
        (Rule::WorkingMinutes { minutes: 211 }, "2025-01-27T08:30", at("2025-01-27T13:31")),
        (Rule::WorkingMinutes { minutes: 450 }, "2025-01-27T17:30", at("2025-02-05T17:30")),
        (Rule::Date { date: date("2025-05-31") }, "2025-03-01T10:00", day_end("2025-05-31")),
        (Rule::YearDay { month: 5, day: 31 }, "2025-05-31T10:00", day_end("2025-05-31")),
        (Rule::YearDay { month: 5, day: 31 }, "2025-06-01T00:00", day_end("2026-05-31")),
        (Rule::YearDay { month: 2, day: 29 }, "2025-01-01T00:00", day_end("2025-02-28")),
        (Rule::YearDay { month: 2, day: 29 }, "2028-01-01T00:00", day_end("2028-02-29")),
        (Rule::Months { months: 2 }, "2024-12-31T10:00", day_end("2025-02-28")),
        (Rule::Months { months: 12 }, "2025-03-15T10:00", day_end("2026-03-15")),
    ];
    for (rule, start, at) in rows {
        assert_eq!(china_due(rule, start).at, at, "{rule:?} {start}");
    }
}

#[test]
fn edge_41_the_appointment_is_the_window_in_which_the_time_runs_out_or_the_next() {
    let rule = Rule::Windowed {
        minutes: 24 * 60,
        window: Window::new(6 * 60, 20 * 60).unwrap(),
    };
    let rows = [
        ("2025-03-03T19:50", "2025-03-04T19:50", "2025-03-04"),
        ("2025-03-03T20:00", "2025-03-04T20:00", "2025-03-04"),
        ("2025-03-03T20:01", "2025-03-04T20:01", "2025-03-05"),
        ("2025-03-03T03:00", "2025-03-04T03:00", "2025-03-04"),
        ("2025-03-03T10:00", "2025-03-04T10:00", "2025-03-04"),
    ];
    for (start, elapsed, day) in rows {
        let due = china_due(rule, start);
        assert_eq!(due.elapsed_at, Some(at(elapsed)), "{start}");
        assert_eq!(due.appointment, Some((at(&format!("{day}T06:00")), at(&format!("{day}T20:00")))), "{start}");
        assert_eq!((due.at, due.date), (at(&format!("{day}T20:00")), date(day)), "{start}");
    }
}

#[test]
fn decision_8_outside_the_table_nothing_is_guessed() {
    let china = Calendar::china();
    let missing = |text: &str| CalendarMissing { date: date(text) };
    let refused = |rule, start| due(china, &rule, at(start)).unwrap_err();
    assert_eq!(china.is_workday(date("2004-01-02")), Ok(true));
    assert_eq!(china.is_workday(date("2026-12-31")), Ok(true));
    assert_eq!(china.is_workday(date("2003-12-31")), Err(missing("2003-12-31")));
    assert_eq!(china.is_workday(date("2027-01-01")), Err(missing("2027-01-01")));
    assert_eq!(refused(Rule::working_days(1), "2026-12-31T10:00"), missing("2027-01-01"));
    assert_eq!(refused(Rule::WorkingMinutes { minutes: 451 }, "2026-12-31T08:30"), missing("2027-01-01"));
    assert_eq!(refused(Rule::WorkingMinutes { minutes: 1 }, "2003-12-31T08:30"), missing("2003-12-31"));
    assert_eq!(refused(Rule::working_days(u32::MAX), "2025-03-03T10:00"), missing("2027-01-01"));
    assert_eq!(working_minutes_between(china, at("2026-12-31T08:30"), at("2027-01-01T00:00")), Ok(450));
    assert_eq!(
        working_minutes_between(china, at("2026-12-31T08:30"), at("2027-01-01T00:01")),
        Err(missing("2027-01-01"))
    );
    // What needs no table of days has no end but the last instant.
    assert_eq!(due(china, &Rule::hours(24), at("2030-01-01T10:00")).unwrap().at, at("2030-01-02T10:00"));
    assert!(due(china, &Rule::hours(1), Instant::LAST).is_err());
    assert!(due(china, &Rule::WallDays { days: u32::MAX }, at("2025-03-03T10:00")).is_err());
    assert!(due(china, &Rule::Months { months: u32::MAX }, at("2025-03-03T10:00")).is_err());
    assert!(due(china, &Rule::YearDay { month: 13, day: 1 }, at("2025-03-03T10:00")).is_err());
}

#[test]
fn an_explanation_names_every_day() {
    use calendar::{Counted, Step};
    let steps = explain(Calendar::china(), &Rule::working_days(3), at("2025-01-25T10:00")).unwrap();
    let festival = || Counted::Holiday {
        name_en: "Spring Festival".to_owned(),
        name_zh: "春节".to_owned(),
    };
    let made_up = Counted::MadeUpWorkday {
        name_en: "Spring Festival".to_owned(),
        name_zh: "春节".to_owned(),
    };
    let mut expected = vec![
        ("2025-01-25", Counted::OpeningDay, 0),
        ("2025-01-26", made_up, 1),
        ("2025-01-27", Counted::Workday, 1),
    ];
    for day in [
        "2025-01-28",
        "2025-01-29",
        "2025-01-30",
        "2025-01-31",
        "2025-02-01",
        "2025-02-02",
        "2025-02-03",
        "2025-02-04",
    ] {
        expected.push((day, festival(), 0));
    }
    expected.push(("2025-02-05", Counted::Workday, 1));
    let expected: Vec<Step> = expected
        .into_iter()
        .map(|(day, counted, days)| Step {
            date: date(day),
            counted,
            span: None,
            minutes: 0,
            days,
        })
        .collect();
    assert_eq!(steps, expected);

    let steps = explain(Calendar::china(), &Rule::WorkingMinutes { minutes: 240 }, at("2025-03-07T16:30")).unwrap();
    let seen: Vec<(String, Counted, i64)> = steps.into_iter().map(|step| (step.date.to_string(), step.counted, step.minutes)).collect();
    let expected = [
        ("2025-03-07", Counted::Workday, 60),
        ("2025-03-08", Counted::Weekend, 0),
        ("2025-03-09", Counted::Weekend, 0),
        ("2025-03-10", Counted::Workday, 180),
    ];
    assert_eq!(seen, expected.map(|(day, counted, minutes)| (day.to_owned(), counted, minutes)));
}

#[test]
fn working_days_between_counts_as_the_clock_does() {
    let china = Calendar::china();
    assert_eq!(china.working_days_between(date("2025-01-25"), date("2025-02-08")), Ok(6));
    assert_eq!(china.working_days_between(date("2025-02-08"), date("2025-01-25")), Ok(0));
    assert_eq!(
        china.working_days_between(date("2026-12-31"), date("2027-01-01")),
        Err(CalendarMissing { date: date("2027-01-01") })
    );
}

#[test]
fn working_time_is_open_at_the_first_moment_and_closed_at_the_last() {
    let china = Calendar::china();
    for (text, open) in [
        ("2025-03-03T08:30", true),
        ("2025-03-03T12:00", false),
        ("2025-03-03T13:30", true),
        ("2025-03-03T17:30", false),
        ("2025-03-08T10:00", false),
    ] {
        assert_eq!(china.is_working_time(at(text)), Ok(open), "{text}");
    }
    let day_and_night = china.with_hours(Hours::new(vec![Window::new(0, 1440).unwrap()]).unwrap());
    assert_eq!(
        working_minutes_between(&day_and_night, at("2025-03-03T00:00"), at("2025-03-10T00:00")),
        Ok(5 * 1440)
    );
}

/// Any instant from 2005 to 2024, to the microsecond.
fn any_start() -> impl Strategy<Value = Instant> {
    (at("2005-01-01T00:00").micros()..at("2024-12-31T00:00").micros()).prop_map(Instant::from_micros)
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let until = prop_oneof![Just(Until::EndOfDay), Just(Until::EndOfWork), Just(Until::SameTime)];
    prop_oneof![
        (0u32..50_000).prop_map(|minutes| Rule::Elapsed { minutes }),
        (0u32..40).prop_map(|days| Rule::WallDays { days }),
        (0u32..30, until).prop_map(|(days, until)| Rule::WorkingDays { days, until }),
        (0u32..8_000).prop_map(|minutes| Rule::WorkingMinutes { minutes }),
        (1u8..=12, 1u8..=31).prop_map(|(month, day)| Rule::YearDay { month, day }),
        (0u32..24).prop_map(|months| Rule::Months { months }),
        (0u32..8_000, 0u16..700, 701u16..=1440).prop_map(|(minutes, from, to)| Rule::Windowed {
            minutes,
            window: Window::new(from, to).unwrap()
        }),
    ]
}

proptest! {
    /// Who comes later is never due earlier.
    #[test]
    fn due_is_monotone_in_start(rule in any_rule(), start in any_start(), later in 0i64..400_000_000_000) {
        let china = Calendar::china();
        let second = start.plus(TimeDelta::microseconds(later)).unwrap();
        prop_assert!(due(china, &rule, start).unwrap().at <= due(china, &rule, second).unwrap().at);
    }

    #[test]
    fn due_is_never_before_start(rule in any_rule(), start in any_start()) {
        prop_assert!(due(Calendar::china(), &rule, start).unwrap().at >= start);
    }

    /// Counting back what a clock of working minutes counted gives its minutes.
    #[test]
    fn minutes_between_start_and_due_are_the_minutes(start in any_start(), minutes in 0u32..8_000) {
        let china = Calendar::china();
        let end = due(china, &Rule::WorkingMinutes { minutes }, start).unwrap().at;
        prop_assert_eq!(working_minutes_between(china, start, end), Ok(i64::from(minutes)));
    }

    #[test]
    fn days_between_start_and_due_are_the_days(start in any_start(), days in 0u32..60) {
        let china = Calendar::china();
        let last = china.add_working_days(start.date(), days).unwrap();
        prop_assert_eq!(china.working_days_between(start.date(), last), Ok(days));
        prop_assert_eq!(due(china, &Rule::working_days(days), start).unwrap().date, last);
    }

    /// More is never earlier.
    #[test]
    fn due_is_monotone_in_length(start in any_start(), minutes in 0u32..8_000, more in 0u32..500) {
        let china = Calendar::china();
        let end = |minutes| due(china, &Rule::WorkingMinutes { minutes }, start).unwrap().at;
        prop_assert!(end(minutes) <= end(minutes + more));
    }

    #[test]
    fn any_rule_and_any_instant_are_answered(rule in any_rule(), micros in any::<i64>()) {
        let _ = due(Calendar::china(), &rule, Instant::from_micros(micros));
    }
}

/// Thread 12: a machine in another zone than its database made other days of the same instants.
#[test]
fn thread_12_days_and_deadlines_are_the_same_wherever_the_machine_stands() {
    const NAME: &str = "thread_12_days_and_deadlines_are_the_same_wherever_the_machine_stands";
    let told = || {
        let midnight = at("2026-05-01T00:00:00");
        let days: Vec<_> = (-3..3)
            .map(|hours| Instant::from_micros(midnight.micros() + hours * 3_600_000_000).date())
            .collect();
        format!("{days:?} {:?}", china_due(Rule::working_days(3), "2026-04-30T23:30:00"))
    };
    if std::env::var_os("HEARTH_ZONE_CHILD").is_some() {
        println!("told: {}", told());
        return;
    }
    for zone in ["Asia/Shanghai", "UTC", "America/New_York"] {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env("HEARTH_ZONE_CHILD", "1")
            .env("TZ", zone)
            .output()
            .unwrap();
        let output = String::from_utf8(child.stdout).unwrap();
        let line = output.lines().find_map(|line| line.split_once("told: ")).map(|(_, told)| told.to_owned());
        assert_eq!(line, Some(told()), "{zone}: {output}");
    }
    assert!(
        told().starts_with("[2026-04-30, 2026-04-30, 2026-04-30, 2026-05-01, 2026-05-01, 2026-05-01]"),
        "{}",
        told()
    );
}
