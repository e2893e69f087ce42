use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::retry::thousandths;

/// Shorter is never slow.
const FLOOR: Duration = Duration::from_millis(25);
/// What a call takes beside at most so many others is what it takes by itself.
const ALONE: usize = 4;
/// What a call counts among those before it, in thousandths.
const WEIGHT: u32 = 125;
/// A window is judged when it has lasted this long and seen this many calls.
const WINDOW: Duration = Duration::from_millis(100);
const ENOUGH: u32 = 16;

/// How many calls a service works on at once: less by an eighth while most calls take twice as long as they take by themselves,
/// more by a sixteenth while calls are quick and places are wanted, or fewer than at first. It stays between a quarter of the first
/// number and eight times as many.
pub(crate) struct Limit {
    now: usize,
    first: usize,
    least: usize,
    most: usize,
    /// What a method takes by itself.
    usual: HashMap<String, Duration>,
    since: Instant,
    seen: u32,
    slow: u32,
    wanted: bool,
}

impl Limit {
    pub fn new(first: usize, now: Instant) -> Self {
        let first = first.max(4);
        Self {
            now: first,
            first,
            least: first / 4,
            most: first.saturating_mul(8),
            usual: HashMap::new(),
            since: now,
            seen: 0,
            slow: 0,
            wanted: false,
        }
    }

    pub fn get(&self) -> usize {
        self.now
    }

    /// There was no place for somebody.
    pub fn wanted(&mut self) {
        self.wanted = true;
    }

    /// A call has ended that took a place when `busy` were taken, its own among them. A call that nobody waited for any more is not
    /// `answered`.
    pub fn ended(&mut self, method: &str, busy: usize, took: Duration, answered: bool, now: Instant) {
        if answered && busy <= ALONE {
            match self.usual.get_mut(method) {
                Some(usual) => *usual = usual.saturating_sub(thousandths(*usual, WEIGHT)).saturating_add(thousandths(took, WEIGHT)),
                None => {
                    self.usual.insert(method.to_owned(), took);
                }
            }
        }
        let usual = self.usual.get(method).copied().unwrap_or_default();
        self.seen = self.seen.saturating_add(1);
        self.slow = self.slow.saturating_add(u32::from(took > FLOOR.max(usual.saturating_mul(2))));
        if self.seen < ENOUGH || now.saturating_duration_since(self.since) < WINDOW {
            return;
        }
        if self.slow.saturating_mul(2) > self.seen {
            self.now = self.now.saturating_sub((self.now / 8).max(1)).max(self.least);
        } else if self.wanted || self.now < self.first {
            self.now = self.now.saturating_add((self.now / 16).max(1)).min(self.most);
        }
        (self.since, self.seen, self.slow, self.wanted) = (now, 0, 0, false);
    }
}
