use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Milliseconds after which a refused call may be tried again; a negative number says never (gRPC proposal A6).
pub(crate) const PUSHBACK: &str = "grpc-retry-pushback-ms";
/// How often a call was tried before (gRPC proposal A6).
pub(crate) const PREVIOUS: &str = "grpc-previous-rpc-attempts";
/// A call is tried so often at most.
pub(crate) const ATTEMPTS: u32 = 3;

/// Thousandths of a retry that a request, a second and a full budget are worth.
const REQUEST: u64 = 100;
const SECOND: u64 = 3000;
const FULL: u64 = 30_000;
const RETRY: u64 = 1000;

/// Retries are a tenth of the requests and three a second at most, so that they cannot make an outage worse.
pub(crate) struct Budget(Mutex<(u64, Instant)>);

impl Budget {
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new((SECOND, now)))
    }

    /// A request was made for the first time.
    pub fn deposit(&self, now: Instant) {
        self.turn(now, REQUEST, 0);
    }

    /// Whether it may be made again.
    pub fn withdraw(&self, now: Instant) -> bool {
        self.turn(now, 0, RETRY)
    }

    fn turn(&self, now: Instant, add: u64, take: u64) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = *state;
        let passed = u64::try_from(now.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX);
        // Time that is worth less than a thousandth is kept for later.
        let since = since.checked_add(Duration::from_millis(passed)).unwrap_or(now);
        let left = left.saturating_add(passed.saturating_mul(SECOND / 1000)).saturating_add(add).min(FULL);
        let rest = left.checked_sub(take);
        *state = (rest.unwrap_or(left), since);
        rest.is_some()
    }
}

/// The pause before a retry, the first being number 0: 50 ms that double up to a second, any part of them.
pub(crate) fn pause(number: u32, noise: u64) -> Duration {
    let most = 50_u64.saturating_mul(1 << number.min(10)).min(1000);
    Duration::from_millis(noise.checked_rem(most.saturating_add(1)).unwrap_or_default())
}

/// When who was refused for overload may come again: not all at the same time.
pub(crate) fn pushback() -> Duration {
    Duration::from_millis((noise() % 300).saturating_add(100))
}

/// So many thousandths of a time.
#[expect(clippy::arithmetic_side_effects, reason = "the divisor is not zero")]
pub(crate) fn thousandths(time: Duration, count: u32) -> Duration {
    time.saturating_mul(count) / 1000
}

/// Nothing secret hangs on it: where the system has no random number, the pauses are less different.
pub(crate) fn noise() -> u64 {
    getrandom::u64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten seconds with so many requests a second, each of which fails and is tried as often as it may be: how often the server is
    /// asked.
    fn attempts(a_second: u32) -> u32 {
        let began = Instant::now();
        let budget = Budget::new(began);
        (0..a_second * 10)
            .map(|n| {
                let now = began + Duration::from_secs(10) * n / (a_second * 10);
                budget.deposit(now);
                1 + (1..ATTEMPTS).take_while(|_| budget.withdraw(now)).count() as u32
            })
            .sum()
    }

    #[test]
    fn r_o4_retries_are_a_tenth_of_the_requests_and_three_a_second() {
        for a_second in [1, 10, 100, 1000] {
            let requests = a_second * 10;
            // Three a second, and three to begin with.
            let most = requests + requests / 10 + 33;
            let got = attempts(a_second);
            assert!(got <= most.min(requests * ATTEMPTS), "{a_second}/s: {got} attempts, at most {most}");
        }
        // It is no ban either: few requests are all tried again.
        assert_eq!(attempts(1), 30);
    }

    #[test]
    fn a_quiet_hour_saves_ten_seconds_worth_at_most() {
        let began = Instant::now();
        let budget = Budget::new(began);
        let later = began + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| budget.withdraw(later)).count(), 30);
    }

    #[test]
    fn pauses_double_up_to_a_second_and_take_any_part_of_it() {
        let longest = |n| (0..=2000).map(|noise| pause(n, noise)).max().unwrap();
        let all: Vec<_> = [0, 1, 2, 3, 4, 5, 20].map(|n| longest(n).as_millis()).to_vec();
        assert_eq!(all, [50, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(pause(3, 401), Duration::ZERO);
    }
}
