use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::retry::thousandths;

/// So many failures in a row open it,
const ROW: u32 = 7;
/// and so does half of at least so many calls in so many seconds.
const ENOUGH: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);
const SLICE: Duration = Duration::from_secs(1);
/// It stays open for the first time, doubling with each probe that fails up to the longest; up to a fifth is added. A peer that is
/// back is noticed within five seconds.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(4);

/// Stops asking a peer that does not answer. Pure: the time and the noise of the pauses are given.
pub(crate) struct Breaker {
    state: State,
    row: u32,
    slices: VecDeque<Slice>,
}

struct Slice {
    since: Instant,
    calls: u32,
    failed: u32,
}

enum State {
    Closed,
    Open {
        until: Instant,
        pause: Duration,
    },
    /// One call finds out how it is.
    Probing {
        pause: Duration,
    },
}

/// A call that may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    Call,
    Probe,
}

/// What a call tells of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Answered,
    Failed,
    /// The caller left before anything was known.
    Nothing,
}

impl Breaker {
    pub fn new() -> Self {
        Self {
            state: State::Closed,
            row: 0,
            slices: VecDeque::new(),
        }
    }

    /// Whether a call may be made now. Each one that may has to be [`ended`](Self::ended).
    pub fn enter(&mut self, now: Instant) -> Option<Pass> {
        match self.state {
            State::Closed => Some(Pass::Call),
            State::Open { until, pause } if now >= until => {
                self.state = State::Probing { pause };
                Some(Pass::Probe)
            }
            State::Open { .. } | State::Probing { .. } => None,
        }
    }

    pub fn ended(&mut self, pass: Pass, sign: Sign, now: Instant, noise: u64) {
        match (&self.state, pass, sign) {
            (State::Closed, _, Sign::Answered | Sign::Failed) => self.count(sign == Sign::Failed, now, noise),
            (State::Probing { .. }, Pass::Probe, Sign::Answered) => *self = Self::new(),
            (State::Probing { pause }, Pass::Probe, Sign::Failed) => self.open(pause.saturating_mul(2).min(LONGEST), now, noise),
            // Nothing was learnt: the next call is the probe.
            (State::Probing { pause }, Pass::Probe, Sign::Nothing) => self.state = State::Open { until: now, pause: *pause },
            // A call from before it opened.
            _ => {}
        }
    }

    fn count(&mut self, failed: bool, now: Instant, noise: u64) {
        self.row = if failed { self.row.saturating_add(1) } else { 0 };
        self.slices.retain(|s| now.saturating_duration_since(s.since) < WINDOW);
        if self.slices.back().is_none_or(|s| now.saturating_duration_since(s.since) >= SLICE) {
            self.slices.push_back(Slice {
                since: now,
                calls: 0,
                failed: 0,
            });
        }
        if let Some(slice) = self.slices.back_mut() {
            slice.calls = slice.calls.saturating_add(1);
            slice.failed = slice.failed.saturating_add(u32::from(failed));
        }
        let sum = |of: fn(&Slice) -> u32| self.slices.iter().map(of).fold(0, u32::saturating_add);
        let (calls, bad) = (sum(|s| s.calls), sum(|s| s.failed));
        if self.row >= ROW || (calls >= ENOUGH && bad.saturating_mul(2) >= calls) {
            self.open(FIRST, now, noise);
        }
    }

    fn open(&mut self, pause: Duration, now: Instant, noise: u64) {
        let more = u32::try_from(noise % 201).unwrap_or_default();
        self.state = State::Open {
            until: now.checked_add(pause.saturating_add(thousandths(pause, more))).unwrap_or(now),
            pause,
        };
        self.row = 0;
        self.slices.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Calls one after the other, one each `every`; says how many were made.
    fn drive(breaker: &mut Breaker, from: Instant, every: Duration, signs: &[Sign]) -> usize {
        let mut made = 0;
        for (n, sign) in (0_u32..).zip(signs) {
            let now = from + every * n;
            if let Some(pass) = breaker.enter(now) {
                made += 1;
                breaker.ended(pass, *sign, now, 0);
            }
        }
        made
    }

    #[test]
    fn r_o7_seven_failures_in_a_row_open_it() {
        let (began, mut breaker) = (Instant::now(), Breaker::new());
        assert_eq!(drive(&mut breaker, began, MS, &[Sign::Failed; 50]), 7);
        // One that answers in between begins the row anew.
        let (mut breaker, mut signs) = (Breaker::new(), vec![Sign::Failed; 6]);
        signs.push(Sign::Answered);
        signs.extend([Sign::Failed; 6]);
        assert_eq!(drive(&mut breaker, began, MS, &signs), 13);
        assert!(breaker.enter(began + MS * 20).is_some());
    }

    #[test]
    fn r_o7_half_of_twenty_within_ten_seconds_opens_it() {
        let began = Instant::now();
        let turn: Vec<_> = [Sign::Failed, Sign::Answered].into_iter().cycle().take(60).collect();
        assert_eq!(drive(&mut Breaker::new(), began, MS, &turn), 20);
        // One call a second: never twenty within the window.
        assert_eq!(drive(&mut Breaker::new(), began, Duration::from_secs(1), &turn), 60);
        // Two of five: less than half.
        let fewer: Vec<_> = [Sign::Failed, Sign::Failed, Sign::Answered, Sign::Answered, Sign::Answered]
            .into_iter()
            .cycle()
            .take(300)
            .collect();
        assert_eq!(drive(&mut Breaker::new(), began, MS, &fewer), 300);
    }

    #[test]
    fn r_o7_one_probe_at_a_time_less_and_less_often_and_one_that_answers_closes_it() {
        let (began, mut breaker) = (Instant::now(), Breaker::new());
        drive(&mut breaker, began, Duration::ZERO, &[Sign::Failed; 7]);
        let mut now = began;
        for pause in [1000, 2000, 4000, 4000] {
            assert_eq!(breaker.enter(now + MS * (pause - 1)), None);
            now += MS * pause;
            assert_eq!(breaker.enter(now), Some(Pass::Probe));
            assert_eq!(breaker.enter(now), None, "one probe");
            // A call from before it opened says nothing now.
            breaker.ended(Pass::Call, Sign::Answered, now, 0);
            assert_eq!(breaker.enter(now), None);
            breaker.ended(Pass::Probe, Sign::Failed, now, 0);
        }
        now += MS * 4000;
        assert_eq!(breaker.enter(now), Some(Pass::Probe));
        breaker.ended(Pass::Probe, Sign::Nothing, now, 0);
        assert_eq!(breaker.enter(now), Some(Pass::Probe), "a caller that left does not block the probe");
        breaker.ended(Pass::Probe, Sign::Answered, now, 0);
        assert_eq!(breaker.enter(now), Some(Pass::Call));
    }

    #[test]
    fn r_o7_a_peer_that_comes_and_goes_opens_it_once_a_second_at_most() {
        let (began, mut breaker) = (Instant::now(), Breaker::new());
        let mut opened = vec![];
        for n in 0..20_000 {
            let now = began + MS * n;
            let Some(pass) = breaker.enter(now) else { continue };
            // Every probe is answered, every other call fails.
            let sign = if pass == Pass::Probe { Sign::Answered } else { Sign::Failed };
            breaker.ended(pass, sign, now, 0);
            if breaker.enter(now).is_none() {
                opened.push(now);
            }
        }
        assert!(opened.windows(2).all(|two| two[1] - two[0] >= FIRST), "{}", opened.len());
        assert!(opened.len() >= 19, "{}", opened.len());
    }

    #[test]
    fn r_o7_pauses_differ_by_up_to_a_fifth() {
        let began = Instant::now();
        for noise in 0..1000_u64 {
            let mut breaker = Breaker::new();
            (0..7).for_each(|_| breaker.ended(Pass::Call, Sign::Failed, began, noise));
            assert_eq!(breaker.enter(began + MS * 999), None);
            assert_eq!(breaker.enter(began + MS * (1000 + u32::try_from(noise % 201).unwrap())), Some(Pass::Probe));
        }
    }
}
