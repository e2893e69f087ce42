use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use contracts::hearth::options::v1::access::Audit;
use guard::Kind;

use crate::{access::Method, limit::Limit};

/// How many may wait for a place.
const LONGEST: usize = 32;
/// How long one waits, and how long where others have been waiting all the time: a line that does not end is overload, no burst.
const PATIENCE: Duration = Duration::from_millis(100);
const HURRY: Duration = Duration::from_millis(10);

/// Who comes first when not all can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Writes that move money or change what is owed.
    Money,
    Interactive,
    /// Streams, and what looks through journals and jobs.
    Batch,
}

impl Class {
    pub const ALL: [Self; 3] = [Self::Money, Self::Interactive, Self::Batch];

    /// The class follows from what the contract says of the method.
    pub fn of(method: &Method) -> Self {
        let batch = method.streaming || ["hearth.job.", "hearth.journal."].iter().any(|p| method.name.starts_with(p));
        match (batch, method.kind, method.access.audit()) {
            (true, ..) => Self::Batch,
            (false, Kind::Write, Audit::Money) => Self::Money,
            _ => Self::Interactive,
        }
    }
}

/// What becomes of one who comes.
#[derive(Debug, PartialEq)]
pub(crate) enum Arrival<W> {
    Enters,
    /// Waits, at most so long. `instead` has to go for it.
    Waits {
        patience: Duration,
        instead: Option<W>,
    },
    Refused,
}

/// Places and those who wait for one. Of the last eighth of the places only money may take, of the second half no batch: whoever is
/// less urgent finds the house full earlier.
pub(crate) struct Line<W> {
    pub limit: Limit,
    busy: usize,
    /// By class.
    waiting: [VecDeque<W>; 3],
    /// Since when somebody has been waiting without a break.
    since: Option<Instant>,
}

impl<W> Line<W> {
    pub fn new(limit: Limit) -> Self {
        Self {
            limit,
            busy: 0,
            waiting: Default::default(),
            since: None,
        }
    }

    /// Places that are taken.
    pub fn busy(&self) -> usize {
        self.busy
    }

    fn has_place(&self, class: Class) -> bool {
        let limit = self.limit.get();
        let own = match class {
            Class::Money => limit,
            Class::Interactive => limit.saturating_sub(limit / 8),
            Class::Batch => (limit / 2).max(1),
        };
        self.busy < own
    }

    fn len(&self) -> usize {
        self.waiting.iter().map(VecDeque::len).sum()
    }

    /// `gone` says who has stopped waiting.
    pub fn arrive(&mut self, class: Class, now: Instant, gone: impl Fn(&W) -> bool, waiter: impl FnOnce() -> W) -> Arrival<W> {
        if self.has_place(class) {
            self.busy = self.busy.saturating_add(1);
            return Arrival::Enters;
        }
        self.limit.wanted();
        self.waiting.iter_mut().for_each(|line| line.retain(|w| !gone(w)));
        let mut instead = None;
        if self.len() >= LONGEST {
            let less_urgent = Class::ALL.iter().zip(&mut self.waiting).filter(|(other, _)| **other > class);
            instead = less_urgent.rev().find_map(|(_, line)| line.pop_front());
            if instead.is_none() {
                return Arrival::Refused;
            }
        }
        let since = if self.len() == 0 && instead.is_none() {
            now
        } else {
            self.since.unwrap_or(now)
        };
        self.since = Some(since);
        if let Some((_, line)) = Class::ALL.iter().zip(&mut self.waiting).find(|(c, _)| **c == class) {
            line.push_back(waiter());
        }
        let patience = if now.saturating_duration_since(since) > PATIENCE { HURRY } else { PATIENCE };
        Arrival::Waits { patience, instead }
    }

    /// A place is free again.
    pub fn leave(&mut self) {
        self.busy = self.busy.saturating_sub(1);
    }

    /// The next who may enter, most urgent first; the place counts as taken.
    pub fn next(&mut self) -> Option<W> {
        let class = Class::ALL
            .iter()
            .zip(&self.waiting)
            .find(|(class, line)| !line.is_empty() && self.has_place(**class));
        let class = *class?.0;
        let next = Class::ALL
            .iter()
            .zip(&mut self.waiting)
            .find(|(c, _)| **c == class)
            .and_then(|(_, line)| line.pop_front());
        self.busy = self.busy.saturating_add(usize::from(next.is_some()));
        if self.len() == 0 {
            self.since = None;
        }
        next
    }
}

#[cfg(test)]
mod tests;
