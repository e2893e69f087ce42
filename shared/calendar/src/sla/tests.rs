#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;
use crate::{Counted, Until, Window};

fn at(text: &str) -> Instant {
    Instant::parse_rfc3339(&format!("{text}:00+08:00")).unwrap()
}

fn china() -> &'static Calendar {
    Calendar::china()
}

fn clock(rule: Rule, start: &str) -> SlaClock {
    SlaClock::start(china(), rule, at(start)).unwrap()
}

fn restoration() -> Rule {
    Rule::Windowed {
        minutes: 24 * 60,
        window: Window::new(6 * 60, 20 * 60).unwrap(),
    }
}

#[test]
fn edge_41_the_customer_window_is_no_breach() {
    let mut clock = clock(restoration(), "2025-03-03T19:50");
    assert_eq!(clock.due().appointment, Some((at("2025-03-04T06:00"), at("2025-03-04T20:00"))));
    assert_eq!(clock.due().elapsed_at, Some(at("2025-03-04T19:50")));
    assert_eq!(clock.due().at, at("2025-03-04T20:00"));
    let rows = [
        ("2025-03-03T19:55", Standing::Running),
        ("2025-03-03T20:00", Standing::CustomerWindow),
        ("2025-03-04T05:59", Standing::CustomerWindow),
        ("2025-03-04T06:00", Standing::Running),
        ("2025-03-04T19:50", Standing::Running),
        ("2025-03-04T19:55", Standing::CustomerWindow),
        ("2025-03-04T20:00", Standing::CustomerWindow),
        ("2025-03-04T20:01", Standing::Breached),
    ];
    for (now, standing) in rows {
        assert_eq!(clock.standing(china(), at(now)), standing, "{now}");
    }
    clock.meet(china(), at("2025-03-04T19:58")).unwrap();
    assert_eq!(clock.standing(china(), at("2025-03-09T12:00")), Standing::Met);
}

#[test]
fn met_in_the_last_moment_and_one_later() {
    let rule = Rule::hours(1);
    let mut in_time = clock(rule, "2025-03-03T10:00");
    in_time.meet(china(), at("2025-03-03T11:00")).unwrap();
    assert_eq!(in_time.standing(china(), at("2025-03-03T11:00")), Standing::Met);
    let mut late = clock(rule, "2025-03-03T10:00");
    let moment = at("2025-03-03T11:00").plus_micros(1).unwrap();
    late.meet(china(), moment).unwrap();
    assert_eq!(late.standing(china(), moment), Standing::MetLate);
    assert_eq!(
        late.breaches(),
        [Breach {
            rule,
            due: at("2025-03-03T11:00"),
            seen: moment
        }]
    );
    assert_eq!(late.met_at(), Some(moment));
}

#[test]
fn c_05_a_pause_moves_the_deadline_by_its_length() {
    let mut clock = clock(Rule::hours(24), "2025-03-03T10:00");
    clock.pause(at("2025-03-03T12:00"), "WAITING_FOR_CUSTOMER").unwrap();
    assert_eq!(clock.standing(china(), at("2025-03-20T12:00")), Standing::Paused);
    assert!(!clock.observe(at("2025-03-20T12:00")));
    clock.resume(china(), at("2025-03-05T15:30")).unwrap();
    assert_eq!(clock.due().at, at("2025-03-06T13:30"));
    let steps = clock.explain(china()).unwrap();
    let minutes: Vec<i64> = steps.iter().map(|step| step.minutes).collect();
    assert_eq!(minutes, [120, 0, 22 * 60]);
    assert_eq!(
        steps[1].counted,
        Counted::Paused {
            reason: "WAITING_FOR_CUSTOMER".to_owned()
        }
    );
    assert_eq!(steps[1].span, Some((at("2025-03-03T12:00"), at("2025-03-05T15:30"))));
}

#[test]
fn c_05_a_pause_in_working_time_moves_by_working_minutes_only() {
    // Friday 16:30, 120 minutes: 60 on Friday, then Monday 09:30. Standing from Friday 17:00 to Monday 09:00 costs 30 + 30 working minutes.
    let mut clock = clock(Rule::WorkingMinutes { minutes: 120 }, "2025-03-07T16:30");
    assert_eq!(clock.due().at, at("2025-03-10T09:30"));
    clock.pause(at("2025-03-07T17:00"), "WAITING_FOR_CUSTOMER").unwrap();
    clock.resume(china(), at("2025-03-10T09:00")).unwrap();
    assert_eq!(clock.due().at, at("2025-03-10T10:30"));
    let minutes: i64 = clock.explain(china()).unwrap().iter().map(|step| step.minutes).sum();
    assert_eq!(minutes, 120);
}

#[test]
fn c_05_a_working_day_is_lost_when_the_clock_stands_at_its_end() {
    // Opened on Monday 3 March, 5 working days: Monday 10th. Standing from Tuesday noon to Thursday noon loses Tuesday and Wednesday: Wednesday 12th.
    let mut moved = clock(Rule::working_days(5), "2025-03-03T10:00");
    assert_eq!(moved.due().date.to_string(), "2025-03-10");
    moved.pause(at("2025-03-04T12:00"), "WAITING_FOR_CUSTOMER").unwrap();
    moved.resume(china(), at("2025-03-06T12:00")).unwrap();
    assert_eq!(moved.due().date.to_string(), "2025-03-12");
    assert_eq!(moved.explain(china()).unwrap().iter().map(|step| step.days).sum::<u32>(), 5);
    // A pause within one day loses none.
    let mut same = clock(Rule::working_days(5), "2025-03-03T10:00");
    same.pause(at("2025-03-04T09:00"), "WAITING_FOR_CUSTOMER").unwrap();
    same.resume(china(), at("2025-03-04T17:00")).unwrap();
    assert_eq!(same.due().date.to_string(), "2025-03-10");
}

#[test]
fn a_breach_survives_a_change_of_category() {
    let one_hour = Rule::hours(1);
    let mut clock = clock(one_hour, "2025-03-03T10:00");
    clock
        .recategorise(china(), at("2025-03-03T12:00"), Rule::working_days(15), Basis::FirstStart)
        .unwrap();
    let breach = Breach {
        rule: one_hour,
        due: at("2025-03-03T11:00"),
        seen: at("2025-03-03T12:00"),
    };
    assert_eq!(clock.breaches(), std::slice::from_ref(&breach));
    assert_eq!(clock.standing(china(), at("2025-03-03T12:00")), Standing::Breached);
    clock.meet(china(), at("2025-03-04T12:00")).unwrap();
    assert_eq!(clock.standing(china(), at("2025-03-04T12:00")), Standing::MetLate);
    assert_eq!(clock.breaches(), [breach]);
}

#[test]
fn a_change_of_category_counts_from_the_first_start_or_from_the_change() {
    let mut first = clock(Rule::working_days(5), "2025-03-03T10:00");
    first.recategorise(china(), at("2025-03-03T12:00"), Rule::hours(1), Basis::FirstStart).unwrap();
    assert_eq!(first.standing(china(), at("2025-03-03T12:00")), Standing::Breached);
    let mut change = clock(Rule::working_days(5), "2025-03-03T10:00");
    change.recategorise(china(), at("2025-03-03T12:00"), Rule::hours(1), Basis::Change).unwrap();
    assert_eq!(change.due().at, at("2025-03-03T13:00"));
    assert_eq!(change.started(), at("2025-03-03T10:00"));
    assert_eq!(change.standing(china(), at("2025-03-03T12:00")), Standing::Running);
}

#[test]
fn a_pause_heals_no_breach() {
    let mut clock = clock(Rule::hours(1), "2025-03-03T10:00");
    clock.pause(at("2025-03-03T11:30"), "WAITING_FOR_CUSTOMER").unwrap();
    assert_eq!(clock.standing(china(), at("2025-03-03T11:40")), Standing::Breached);
    clock.resume(china(), at("2025-03-04T11:30")).unwrap();
    assert_eq!(clock.due().at, at("2025-03-03T11:00"));
    assert_eq!(clock.breaches().len(), 1);
}

#[test]
fn a_sweep_finds_a_breach_once() {
    let mut clock = clock(Rule::hours(1), "2025-03-03T10:00");
    assert!(!clock.observe(at("2025-03-03T11:00")));
    assert!(clock.observe(at("2025-03-03T11:01")));
    assert!(!clock.observe(at("2025-03-03T11:02")));
    assert_eq!(clock.breaches().len(), 1);
}

#[test]
fn refusals() {
    let mut clock = clock(Rule::hours(24), "2025-03-03T10:00");
    assert_eq!(clock.pause(at("2025-03-03T09:59"), "X"), Err(SlaError::Backwards));
    assert_eq!(clock.pause(at("2025-03-03T11:00"), " "), Err(SlaError::ReasonMissing));
    assert_eq!(clock.resume(china(), at("2025-03-03T11:00")), Err(SlaError::NotPaused));
    clock.pause(at("2025-03-03T11:00"), "X").unwrap();
    assert_eq!(clock.pause(at("2025-03-03T11:00"), "X"), Err(SlaError::AlreadyPaused));
    let stopped = clock.clone();
    let missing = clock.recategorise(china(), at("2025-03-03T12:00"), Rule::working_days(5000), Basis::Change);
    assert!(matches!(missing, Err(SlaError::Calendar(_))));
    assert_eq!(clock, stopped);
    clock.meet(china(), at("2025-03-09T11:00")).unwrap();
    assert_eq!(clock.standing(china(), at("2025-03-09T11:00")), Standing::Met);
    assert_eq!(clock.meet(china(), at("2025-03-09T12:00")), Err(SlaError::AlreadyMet));
    assert_eq!(clock.pause(at("2025-03-09T12:00"), "X"), Err(SlaError::AlreadyMet));
    assert_eq!(
        clock.recategorise(china(), at("2025-03-09T12:00"), Rule::hours(1), Basis::Change),
        Err(SlaError::AlreadyMet)
    );
}

#[test]
fn decision_8_a_clock_beyond_the_table_does_not_start() {
    let missing = SlaClock::start(china(), Rule::working_days(3), at("2026-12-30T10:00")).unwrap_err();
    assert_eq!(missing.date.to_string(), "2027-01-01");
}

#[test]
fn stored_as_text_and_back() {
    let mut clock = clock(restoration(), "2025-03-03T19:50");
    clock.pause(at("2025-03-03T21:00"), "WAITING_FOR_CUSTOMER").unwrap();
    clock.resume(china(), at("2025-03-04T21:00")).unwrap();
    let text = serde_json::to_string(&clock).unwrap();
    assert_eq!(serde_json::from_str::<SlaClock>(&text).unwrap(), clock);
    let rule: Rule = serde_json::from_str(r#"{"kind":"working-days","days":5}"#).unwrap();
    assert_eq!(rule, Rule::working_days(5));
    let rule: Rule = serde_json::from_str(r#"{"kind":"windowed","minutes":1440,"window":[360,1200]}"#).unwrap();
    assert_eq!((rule, rule.kind()), (restoration(), "windowed"));
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let until = prop_oneof![Just(Until::EndOfDay), Just(Until::EndOfWork), Just(Until::SameTime)];
    prop_oneof![
        (0u32..20_000).prop_map(|minutes| Rule::Elapsed { minutes }),
        (0u32..20).prop_map(|days| Rule::WallDays { days }),
        (1u32..20, until).prop_map(|(days, until)| Rule::WorkingDays { days, until }),
        (1u32..5_000).prop_map(|minutes| Rule::WorkingMinutes { minutes }),
        (0u32..5_000, 0u16..700, 701u16..=1440).prop_map(|(minutes, from, to)| Rule::Windowed {
            minutes,
            window: Window::new(from, to).unwrap()
        }),
    ]
}

proptest! {
    /// While a clock stands it cannot be breached, and its deadline lies at or after the end of the pause unless it was reached before.
    #[test]
    fn no_deadline_falls_into_a_pause(rule in any_rule(), start in 0i64..2_000_000, gaps in proptest::collection::vec(1i64..6_000, 1..6)) {
        let start = at("2018-01-01T00:00").plus_micros(start * 60_000_000).unwrap();
        let mut clock = SlaClock::start(china(), rule, start).unwrap();
        let mut now = start;
        for gap in gaps {
            now = now.plus_micros(gap * 60_000_000).unwrap();
            if clock.is_paused() {
                let (before, late) = (clock.due().at, clock.is_late(now));
                clock.resume(china(), now).unwrap();
                prop_assert!(clock.due().at >= before);
                prop_assert_eq!(clock.is_late(now), late || clock.due().at < now);
                let pause = clock.pauses().last().unwrap();
                prop_assert!(clock.due().at <= pause.from || clock.due().at >= now, "{:?} {:?}", clock.due(), pause);
            } else {
                clock.pause(now, "WAITING_FOR_CUSTOMER").unwrap();
            }
        }
    }

    /// The minutes of an explanation add up to the rule's, its days too, whatever pauses there were.
    #[test]
    fn an_explanation_adds_up(rule in any_rule(), start in 0i64..2_000_000, stop in 0i64..3_000, length in 0i64..9_000) {
        let start = at("2018-01-01T00:00").plus_micros(start * 60_000_000 + 12_345_678).unwrap();
        let mut clock = SlaClock::start(china(), rule, start).unwrap();
        clock.pause(start.plus_micros(stop * 60_000_000 + 7).unwrap(), "X").unwrap();
        clock.resume(china(), start.plus_micros((stop + length) * 60_000_000 + 9_999_999).unwrap()).unwrap();
        let steps = clock.explain(china()).unwrap();
        let (minutes, days) = (steps.iter().map(|step| step.minutes).sum::<i64>(), steps.iter().map(|step| step.days).sum::<u32>());
        match rule {
            Rule::Elapsed { minutes: asked } | Rule::WorkingMinutes { minutes: asked } | Rule::Windowed { minutes: asked, .. } => {
                prop_assert_eq!(minutes, i64::from(asked));
            }
            Rule::WallDays { days: asked } => prop_assert_eq!(minutes, i64::from(asked) * 1440),
            Rule::WorkingDays { days: asked, .. } => prop_assert_eq!(days, asked),
            _ => {}
        }
        prop_assert!(steps.is_sorted_by_key(|step| step.date));
    }
}
