//! Promises as data, and the life of a clock around the calendar's engine.

use calendar::{Calendar, CalendarMissing, Instant, NaiveDate, Rule, SlaClock, SlaError, Standing, TimeDelta};

use crate::codes::{Code, codes};

codes! {
    /// Clocks that run independently of each other.
    pub enum Clock {
        FirstResponse = 1 "FIRST_RESPONSE",
        Acceptance = 2 "ACCEPTANCE",
        OnSite = 3 "ON_SITE",
        Resolution = 4 "RESOLUTION",
    }
}

codes! {
    /// How time is counted.
    pub enum Unit {
        ElapsedMinutes = 1 "ELAPSED_MINUTES",
        WorkingDays = 2 "WORKING_DAYS",
        WorkingMinutes = 3 "WORKING_MINUTES",
    }
}

codes! {
    /// Where a clock stands, as callers see it.
    pub enum State {
        Running = 1 "RUNNING",
        Paused = 2 "PAUSED",
        Met = 3 "MET",
        Breached = 4 "BREACHED",
        Ended = 5 "ENDED",
    }
}

codes! {
    /// Why a clock stands still.
    pub enum PauseReason {
        WaitingForCustomer = 1 "WAITING_FOR_CUSTOMER",
        WaitingForThirdParty = 2 "WAITING_FOR_THIRD_PARTY",
        ForceMajeure = 3 "FORCE_MAJEURE",
    }
}

codes! {
    /// What a person does with a clock. What meets or ends it is never refused.
    pub enum Action {
        Pause = 1 "PAUSE",
        Resume = 2 "RESUME",
    }
}

/// Every such step that there is: a clock that is broken, met or ended stays so.
pub const STEPS: &[(State, Action, State)] = &[(State::Running, Action::Pause, State::Paused), (State::Paused, Action::Resume, State::Running)];

/// The state after a step; `None` where there is no such step.
pub fn step(from: State, action: Action) -> Option<State> {
    STEPS.iter().find(|(state, step, _)| *state == from && *step == action).map(|(_, _, to)| *to)
}

/// How long a pause of each reason counts at most, in days.
pub const CAPS: &[(PauseReason, i64)] = &[
    (PauseReason::WaitingForCustomer, 30),
    (PauseReason::WaitingForThirdParty, 10),
    (PauseReason::ForceMajeure, 30),
];

/// A promise as it ships: subject, clock, unit, amount, whether it may be paused, source (domain page, section 12).
pub type Default = (&'static str, Clock, Unit, i32, bool, &'static str);

/// The promises that ship, in force from the first day. Later versions are published.
pub const DEFAULTS: &[Default] = &[
    (
        "GAS_LEAK",
        Clock::OnSite,
        Unit::ElapsedMinutes,
        30,
        false,
        "W17: leak on site in 30 min in the city",
    ),
    ("HEAT_LEAK", Clock::OnSite, Unit::ElapsedMinutes, 60, false, "L13: heat leak on site in 1 h"),
    ("GAS_REPAIR", Clock::Resolution, Unit::ElapsedMinutes, 240, true, "W17: indoor repair in 4 h"),
    (
        "GAS_QUERY",
        Clock::Resolution,
        Unit::WorkingDays,
        5,
        true,
        "L1 art. 29: query in 5 working days",
    ),
    ("READING_DISPUTE", Clock::Resolution, Unit::ElapsedMinutes, 1440, true, "W15: re-read in 24 h"),
    ("CHANGE_OF_NAME", Clock::Resolution, Unit::WorkingDays, 3, true, "L9: 3 working days"),
    ("CONNECTION_HOUSEHOLD", Clock::Resolution, Unit::WorkingDays, 5, true, "W15: 5 working days"),
    ("CONNECTION_BUSINESS", Clock::Resolution, Unit::WorkingDays, 9, true, "W15: 9 working days"),
    ("RESTART", Clock::Resolution, Unit::WorkingDays, 2, true, "L6: 2 working days"),
    ("HEAT_QUERY", Clock::Resolution, Unit::ElapsedMinutes, 4320, true, "L12: 3 days"),
    (
        "HEAT_STATION_OPINION",
        Clock::FirstResponse,
        Unit::ElapsedMinutes,
        60,
        false,
        "D1: opinion in 1 h",
    ),
    ("COMPLAINT", Clock::FirstResponse, Unit::ElapsedMinutes, 60, false, "W11: first response in 1 h"),
    (
        "COMPLAINT",
        Clock::Resolution,
        Unit::WorkingDays,
        5,
        true,
        "L1 art. 29: reply in 5 working days",
    ),
    (
        "HEAT_COMPLAINT",
        Clock::FirstResponse,
        Unit::ElapsedMinutes,
        60,
        false,
        "W11: first response in 1 h",
    ),
    ("HEAT_COMPLAINT", Clock::Resolution, Unit::ElapsedMinutes, 4320, true, "L12: reply in 3 days"),
    (
        "STAFF_CONDUCT",
        Clock::FirstResponse,
        Unit::ElapsedMinutes,
        60,
        false,
        "W11: first response in 1 h",
    ),
    (
        "STAFF_CONDUCT",
        Clock::Resolution,
        Unit::WorkingDays,
        5,
        true,
        "L1 art. 29: reply in 5 working days",
    ),
    ("AUTHORITY_COMPLAINT", Clock::Resolution, Unit::WorkingDays, 15, true, "L1: 15 working days"),
    ("OTHER", Clock::Resolution, Unit::WorkingDays, 5, true, "L1 art. 29: query in 5 working days"),
    (
        "COMPLAINT_GAS",
        Clock::FirstResponse,
        Unit::ElapsedMinutes,
        60,
        false,
        "W11: first response in 1 h",
    ),
    (
        "COMPLAINT_GAS",
        Clock::Resolution,
        Unit::WorkingDays,
        5,
        true,
        "L1 art. 29: reply in 5 working days",
    ),
    (
        "COMPLAINT_HEAT",
        Clock::FirstResponse,
        Unit::ElapsedMinutes,
        60,
        false,
        "W11: first response in 1 h",
    ),
    ("COMPLAINT_HEAT", Clock::Resolution, Unit::ElapsedMinutes, 4320, true, "L12: reply in 3 days"),
    (
        "COMPLAINT_GAS_SAFETY",
        Clock::FirstResponse,
        Unit::ElapsedMinutes,
        60,
        false,
        "W11: first response in 1 h",
    ),
    (
        "COMPLAINT_GAS_SAFETY",
        Clock::OnSite,
        Unit::ElapsedMinutes,
        30,
        false,
        "W17: gas leak on site in 30 min in the city",
    ),
    (
        "COMPLAINT_GAS_SAFETY",
        Clock::Resolution,
        Unit::WorkingDays,
        5,
        true,
        "L1 art. 29: reply in 5 working days",
    ),
    (
        "COMPLAINT_HEAT_SAFETY",
        Clock::FirstResponse,
        Unit::ElapsedMinutes,
        60,
        false,
        "W11: first response in 1 h",
    ),
    (
        "COMPLAINT_HEAT_SAFETY",
        Clock::OnSite,
        Unit::ElapsedMinutes,
        60,
        false,
        "L13: heat leak on site in 1 h",
    ),
    (
        "COMPLAINT_HEAT_SAFETY",
        Clock::Resolution,
        Unit::ElapsedMinutes,
        4320,
        true,
        "L12: reply in 3 days",
    ),
    (
        "COMPLAINT_HEAT_SUPPLY",
        Clock::FirstResponse,
        Unit::ElapsedMinutes,
        60,
        false,
        "W11: first response in 1 h",
    ),
    (
        "COMPLAINT_HEAT_SUPPLY",
        Clock::OnSite,
        Unit::ElapsedMinutes,
        120,
        false,
        "L13: temperature complaint on site in 2 h",
    ),
    (
        "COMPLAINT_HEAT_SUPPLY",
        Clock::Resolution,
        Unit::ElapsedMinutes,
        4320,
        true,
        "L12: reply in 3 days",
    ),
    (
        "SUGGESTION",
        Clock::FirstResponse,
        Unit::WorkingDays,
        3,
        false,
        "W11: acknowledged in 3 working days",
    ),
    ("SUGGESTION", Clock::Resolution, Unit::WorkingDays, 10, true, "W11: answered in 10 working days"),
    ("REPAIR", Clock::Acceptance, Unit::ElapsedMinutes, 1440, true, "D8: accepted in 24 h"),
    ("REPAIR", Clock::Resolution, Unit::ElapsedMinutes, 240, true, "W17: indoor repair in 4 h"),
    ("REPAIR_HEAT", Clock::Acceptance, Unit::ElapsedMinutes, 1440, true, "D8: accepted in 24 h"),
    ("REPAIR_HEAT", Clock::Resolution, Unit::ElapsedMinutes, 1440, true, "W6: ordinary fault in 24 h"),
    ("LEAK_HEAT", Clock::Acceptance, Unit::ElapsedMinutes, 1440, false, "D8: accepted in 24 h"),
    ("LEAK_HEAT", Clock::OnSite, Unit::ElapsedMinutes, 60, false, "L13: heat leak on site in 1 h"),
    ("LEAK", Clock::Acceptance, Unit::ElapsedMinutes, 1440, false, "D8: accepted in 24 h"),
    (
        "LEAK",
        Clock::OnSite,
        Unit::ElapsedMinutes,
        30,
        false,
        "W17: leak on site in 30 min in the city",
    ),
    ("OPENING", Clock::Acceptance, Unit::ElapsedMinutes, 1440, true, "D8: accepted in 24 h"),
    (
        "OPENING",
        Clock::Resolution,
        Unit::ElapsedMinutes,
        1440,
        true,
        "W16: ignition within 24 h of booking",
    ),
    ("METER_EXCHANGE", Clock::Acceptance, Unit::ElapsedMinutes, 1440, true, "D8: accepted in 24 h"),
    ("INSPECTION", Clock::Acceptance, Unit::ElapsedMinutes, 1440, true, "D8: accepted in 24 h"),
    ("READING_VISIT", Clock::Acceptance, Unit::ElapsedMinutes, 1440, true, "D8: accepted in 24 h"),
    ("READING_VISIT", Clock::Resolution, Unit::ElapsedMinutes, 1440, true, "W15: re-read in 24 h"),
    ("ABNORMAL_USE", Clock::Acceptance, Unit::ElapsedMinutes, 1440, true, "D8: accepted in 24 h"),
    ("ABNORMAL_USE", Clock::Resolution, Unit::ElapsedMinutes, 10080, true, "E9-01: 7 days"),
];

/// Promises that ship and hold in the first days of a heating season instead, with how many those are.
pub const IN_SEASON: &[(Default, i32)] = &[(
    (
        "COMPLAINT_HEAT_SUPPLY",
        Clock::OnSite,
        Unit::ElapsedMinutes,
        300,
        false,
        "L13: temperature complaint on site in 5 h in the first 10 days of the season",
    ),
    10,
)];

/// Promises that ship and hold outside the city (偏远地区) instead.
pub const REMOTE: &[Default] = &[
    (
        "GAS_LEAK",
        Clock::OnSite,
        Unit::ElapsedMinutes,
        50,
        false,
        "W17: leak on site in 50 min outside the city",
    ),
    (
        "COMPLAINT_GAS_SAFETY",
        Clock::OnSite,
        Unit::ElapsedMinutes,
        50,
        false,
        "W17: gas leak on site in 50 min outside the city",
    ),
    (
        "LEAK",
        Clock::OnSite,
        Unit::ElapsedMinutes,
        50,
        false,
        "W17: leak on site in 50 min outside the city",
    ),
];

/// Whether a day is among the first `days` of what began on `start`, that day included.
pub fn in_first_days(start: NaiveDate, day: NaiveDate, days: i32) -> bool {
    (0..i64::from(days)).contains(&day.signed_duration_since(start).num_days())
}

/// The engine's rule of a promise.
pub fn rule(unit: Unit, amount: i32) -> Rule {
    let amount = amount.unsigned_abs();
    match unit {
        Unit::ElapsedMinutes => Rule::Elapsed { minutes: amount },
        Unit::WorkingDays => Rule::working_days(amount),
        Unit::WorkingMinutes => Rule::WorkingMinutes { minutes: amount },
    }
}

/// Ends a pause that has outlived the cap of its reason, at the cap: what is over it does not count.
pub fn settle(clock: &mut SlaClock, calendar: &Calendar, now: Instant) -> Result<(), CalendarMissing> {
    let Some(pause) = clock.pauses().last().filter(|pause| pause.until.is_none()) else {
        return Ok(());
    };
    let cap = CAPS
        .iter()
        .find(|(reason, _)| reason.code() == pause.reason)
        .map(|(_, days)| TimeDelta::days(*days));
    let Some(end) = cap.and_then(|cap| pause.from.plus(cap)).filter(|end| *end < now) else {
        return Ok(());
    };
    match clock.resume(calendar, end) {
        Ok(()) => {
            clock.observe(now);
            Ok(())
        }
        Err(SlaError::Calendar(missing)) => Err(missing),
        // Paused and not met, so nothing else can be refused; a clock that is left as it stands is right, too.
        Err(_) => Ok(()),
    }
}

/// When a run has to look at a clock: when it is due, and while it stands not before its cap has moved that.
pub fn due_for_sweep(clock: &SlaClock) -> Instant {
    let due = clock.due().at;
    let open = clock.pauses().last().filter(|pause| pause.until.is_none());
    let cap = open.and_then(|pause| CAPS.iter().find(|(reason, _)| reason.code() == pause.reason));
    cap.and_then(|(_, days)| due.plus(TimeDelta::days(*days))).unwrap_or(due)
}

/// Where a clock stands for callers, with whether the promise was broken, whatever came later.
pub fn state(clock: &SlaClock, calendar: &Calendar, now: Instant, ended: bool) -> (State, bool) {
    let standing = clock.standing(calendar, now);
    let known = !clock.breaches().is_empty();
    if ended && clock.met_at().is_none() {
        return (if known { State::Breached } else { State::Ended }, known);
    }
    match standing {
        Standing::Running | Standing::CustomerWindow => (State::Running, false),
        Standing::Paused => (State::Paused, false),
        Standing::Breached => (State::Breached, true),
        Standing::Met => (State::Met, false),
        Standing::MetLate => (State::Breached, true),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use contracts::hearth::hall::v1 as contract;

    use super::*;
    use crate::codes::assert_contract;

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    fn due(unit: Unit, amount: i32, start: &str) -> String {
        calendar::due(Calendar::china(), &rule(unit, amount), at(start)).unwrap().at.local().to_string()
    }

    #[test]
    fn the_lists_are_those_of_the_contract() {
        assert_contract::<Clock>("CLOCK_", |n| contract::Clock::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Unit>("TIME_UNIT_", |n| contract::TimeUnit::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<State>("STATE_", |n| contract::deadline::State::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<PauseReason>("REASON_", |n| contract::pause::Reason::try_from(n).ok().map(|v| v.as_str_name()));
    }

    /// All pairs of state and action, and that the clocks of the engine take the steps likewise.
    #[test]
    fn a_clock_takes_these_steps_and_no_other() {
        let mut found = vec![];
        for from in State::ALL {
            for action in Action::ALL {
                if let Some(to) = step(*from, *action) {
                    found.push(format!("{} {} {}", from.code(), action.code(), to.code()));
                }
            }
        }
        assert_eq!(found, ["RUNNING PAUSE PAUSED", "PAUSED RESUME RUNNING"]);
        assert_eq!(STEPS.len(), found.len(), "no pair stands twice");
        let calendar = Calendar::china();
        let (start, later) = (at("2025-03-03T09:00:00+08:00"), at("2025-03-03T10:00:00+08:00"));
        let stands = |clock: &SlaClock| state(clock, calendar, later, false).0;
        let mut clock = SlaClock::start(calendar, rule(Unit::ElapsedMinutes, 240), start).unwrap();
        assert_eq!(stands(&clock), State::Running);
        clock.pause(later, PauseReason::WaitingForCustomer.code()).unwrap();
        assert_eq!(stands(&clock), State::Paused);
        clock.resume(calendar, later).unwrap();
        assert_eq!(stands(&clock), State::Running);
    }

    #[test]
    fn every_promise_is_for_a_category_an_order_type_or_a_complaint_and_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for (subject, clock, ..) in DEFAULTS {
            let known = crate::case::model::Category::of_code(subject).is_some()
                || crate::order::model::is_subject(subject)
                || crate::complaint::model::is_subject(subject);
            assert!(known, "{subject}");
            assert!(seen.insert((subject, clock)), "{subject} {clock:?}");
        }
    }

    /// Section 12 of the domain page: what is due when, on the calendar of 2025.
    #[test]
    fn section_12_clocks_are_due_as_promised() {
        // Thursday 2025-01-23; the Spring Festival is 28 January to 4 February, Sunday 26 January and Saturday 8 February are worked.
        let opened = "2025-01-23T16:40:00+08:00";
        assert_eq!(due(Unit::ElapsedMinutes, 30, opened), "2025-01-23 17:10:00");
        assert_eq!(due(Unit::ElapsedMinutes, 1440, opened), "2025-01-24 16:40:00");
        assert_eq!(due(Unit::ElapsedMinutes, 4320, opened), "2025-01-26 16:40:00");
        // 24, 26 and 27 January.
        assert_eq!(due(Unit::WorkingDays, 3, opened), "2025-01-27 23:59:59.999999");
        // and 5, 6 February.
        assert_eq!(due(Unit::WorkingDays, 5, opened), "2025-02-06 23:59:59.999999");
        // 50 minutes on the day, 10 on the next from 08:30.
        assert_eq!(due(Unit::WorkingMinutes, 60, opened), "2025-01-24 08:40:00");
    }

    #[test]
    fn c_05_the_first_ten_days_of_a_season_are_those_from_its_first_on() {
        let day = |month, day| NaiveDate::from_ymd_opt(2025, month, day).unwrap();
        let start = day(11, 15);
        assert!(!in_first_days(start, day(11, 14), 10));
        assert!(in_first_days(start, start, 10));
        assert!(in_first_days(start, day(11, 24), 10));
        assert!(!in_first_days(start, day(11, 25), 10));
    }

    #[test]
    fn c_05_each_promise_of_a_season_stands_beside_one_of_other_days() {
        for ((subject, clock, ..), days) in IN_SEASON {
            assert!(*days > 0);
            assert!(DEFAULTS.iter().any(|(of, at, ..)| of == subject && at == clock), "{subject}");
        }
    }

    /// Section 12: 30 minutes in the city, 50 outside of it; neither stands still.
    #[test]
    fn c_05_a_crew_has_30_minutes_to_a_gas_leak_and_50_outside_the_city() {
        let calendar = Calendar::china();
        let opened = at("2025-03-03T09:00:00+08:00");
        let leaks = ["GAS_LEAK", "COMPLAINT_GAS_SAFETY", "LEAK"];
        for (promises, kept, late) in [
            (DEFAULTS, "2025-03-03T09:30:00+08:00", "2025-03-03T09:30:01+08:00"),
            (REMOTE, "2025-03-03T09:50:00+08:00", "2025-03-03T09:50:01+08:00"),
        ] {
            for leak in leaks {
                let (_, _, unit, amount, pausable, _) = promises.iter().find(|(of, clock, ..)| *of == leak && *clock == Clock::OnSite).unwrap();
                assert!(!pausable, "{leak}");
                let clock = SlaClock::start(calendar, rule(*unit, *amount), opened).unwrap();
                let met = |when: &str| {
                    let mut clock = clock.clone();
                    clock.meet(calendar, at(when)).unwrap();
                    state(&clock, calendar, at(when), false)
                };
                assert_eq!(met(kept), (State::Met, false), "{leak}");
                assert_eq!(met(late), (State::Breached, true), "{leak}");
            }
        }
        assert_eq!(REMOTE.len(), leaks.len());
    }

    #[test]
    fn a_pause_counts_up_to_the_cap_of_its_reason() {
        let calendar = Calendar::china();
        let start = at("2025-03-03T09:00:00+08:00");
        let mut clock = SlaClock::start(calendar, rule(Unit::ElapsedMinutes, 240), start).unwrap();
        clock.pause(at("2025-03-03T10:00:00+08:00"), PauseReason::WaitingForThirdParty.code()).unwrap();
        let mut early = clock.clone();
        settle(&mut early, calendar, at("2025-03-13T09:00:00+08:00")).unwrap();
        assert!(early.is_paused());
        // Ten days after 10:00 the clock runs again: three hours are left.
        settle(&mut clock, calendar, at("2025-03-13T12:00:00+08:00")).unwrap();
        assert!(!clock.is_paused());
        assert_eq!(clock.due().at, at("2025-03-13T13:00:00+08:00"));
        assert_eq!(state(&clock, calendar, at("2025-03-13T12:00:00+08:00"), false), (State::Running, false));
        assert_eq!(state(&clock, calendar, at("2025-03-13T13:00:01+08:00"), false), (State::Breached, true));
    }

    #[test]
    fn a_clock_that_was_ended_keeps_what_it_came_to() {
        let calendar = Calendar::china();
        let mut clock = SlaClock::start(calendar, rule(Unit::ElapsedMinutes, 30), at("2025-03-03T09:00:00+08:00")).unwrap();
        assert_eq!(state(&clock, calendar, at("2025-03-04T09:00:00+08:00"), true), (State::Ended, false));
        clock.observe(at("2025-03-03T09:31:00+08:00"));
        assert_eq!(state(&clock, calendar, at("2025-03-04T09:00:00+08:00"), true), (State::Breached, true));
    }
}
