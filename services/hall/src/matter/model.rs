//! Rules on published matters: which version is in force, whether all six are told, which promises were kept.

use std::collections::BTreeMap;

use calendar::{Instant, NaiveDate, SlaClock};
use chrono::{Datelike, Months};

use crate::{codes::codes, deadline::model::Clock};

codes! {
    /// Where a version stands.
    pub enum State {
        Draft = 1 "DRAFT",
        Published = 2 "PUBLISHED",
        Withdrawn = 3 "WITHDRAWN",
    }
}

codes! {
    /// The six matters.
    pub enum Kind {
        Commitment = 1 "COMMITMENT",
        Item = 2 "ITEM",
        Scope = 3 "SCOPE",
        Procedure = 4 "PROCEDURE",
        FeeStandard = 5 "FEE_STANDARD",
        FeeBasis = 6 "FEE_BASIS",
    }
}

codes! {
    /// Where a matter is told.
    pub enum Place {
        Hall = 1 "HALL",
        Website = 2 "WEBSITE",
        App = 3 "APP",
        MiniProgram = 4 "MINI_PROGRAM",
        Media = 5 "MEDIA",
    }
}

codes! {
    /// Whether the duty to publish is met.
    pub enum Compliance {
        Met = 1 "MET",
        Degraded = 2 "DEGRADED",
    }
}

codes! {
    /// What is done with a version.
    pub enum Action {
        Publish = 1 "PUBLISH",
        Withdraw = 2 "WITHDRAW",
    }
}

/// Every step of a version that there is.
pub const STEPS: &[(State, Action, State)] = &[
    (State::Draft, Action::Publish, State::Published),
    (State::Draft, Action::Withdraw, State::Withdrawn),
    (State::Published, Action::Withdraw, State::Withdrawn),
];

/// The state after a step; `None` where there is no such step.
pub fn step(from: State, action: Action) -> Option<State> {
    STEPS.iter().find(|(state, step, _)| *state == from && *step == action).map(|(_, _, to)| *to)
}

/// The steps that a state allows.
pub fn allowed(from: State) -> Vec<&'static str> {
    use crate::codes::Code;
    STEPS
        .iter()
        .filter(|(state, _, _)| *state == from)
        .map(|(_, action, _)| action.code())
        .collect()
}

/// Fees come from billing and are never written here, so that nothing is charged that billing would refuse.
pub fn is_fee(kind: Kind) -> bool {
    matches!(kind, Kind::FeeStandard | Kind::FeeBasis)
}

/// The days of a version; `until` is the first one on which it is not in force any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    pub number: i32,
    pub from: NaiveDate,
    pub until: Option<NaiveDate>,
}

/// Which of the versions of one thing is in force on a day: the newest that has begun. Where that one has ended there is none, since the
/// older ones were replaced by it. A version that ends before it begins was never in force.
pub fn in_force<T: Copy>(versions: &[(T, Days)], day: NaiveDate) -> Option<T> {
    versions
        .iter()
        .filter(|(_, days)| days.from <= day && days.until.is_none_or(|until| until > days.from))
        .max_by_key(|(_, days)| (days.from, days.number))
        .filter(|(_, days)| days.until.is_none_or(|until| until > day))
        .map(|(version, _)| *version)
}

/// Whether one of the six is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub kind: Kind,
    pub in_force: usize,
    pub published: bool,
}

/// How the six stand, from the kinds of the matters in force and, of each fee in force, whether it names basis and authority. A fee
/// without them is a fee whose basis is not told.
pub fn standings(matters: &[Kind], fees_with_basis: &[bool]) -> Vec<Standing> {
    use crate::codes::Code;
    let with_basis = fees_with_basis.iter().filter(|basis| **basis).count();
    Kind::ALL
        .iter()
        .map(|kind| {
            let (in_force, whole) = match kind {
                Kind::FeeStandard => (fees_with_basis.len(), true),
                Kind::FeeBasis => (with_basis, with_basis == fees_with_basis.len()),
                _ => (matters.iter().filter(|matter| *matter == kind).count(), true),
            };
            Standing {
                kind: *kind,
                in_force,
                published: in_force > 0 && whole,
            }
        })
        .collect()
}

/// Whether all six are told.
pub fn compliance(standings: &[Standing]) -> Compliance {
    if standings.iter().all(|standing| standing.published) {
        Compliance::Met
    } else {
        Compliance::Degraded
    }
}

/// The first day of the month of a day.
pub fn month_of(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

/// The month before.
pub fn month_before(month: NaiveDate) -> NaiveDate {
    month.checked_sub_months(Months::new(1)).unwrap_or(month)
}

/// The month after.
pub fn month_after(month: NaiveDate) -> NaiveDate {
    month.checked_add_months(Months::new(1)).unwrap_or(month)
}

/// Whether a promise was kept, and when that was decided: broken when it was first due unmet, whatever came later; kept when it was met.
/// `None` while it is open, and for a clock that was ended in time.
pub fn decided(clock: &SlaClock) -> Option<(bool, Instant)> {
    match clock.breaches().first() {
        Some(breach) => Some((false, breach.due)),
        None => clock.met_at().map(|at| (true, at)),
    }
}

/// The month in which a decided promise is told: that of the decision, or, where that month was told before the decision was known, the first
/// one that was not. `None` while its month has not ended.
pub fn told_in(decided_on: NaiveDate, last_told: Option<NaiveDate>, this_month: NaiveDate) -> Option<NaiveDate> {
    let month = month_of(decided_on);
    let month = last_told.map_or(month, |told| month.max(month_after(told)));
    (month < this_month).then_some(month)
}

/// Kept and broken promises of a kind in a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    pub kept: i64,
    pub broken: i64,
}

/// Figures by month, subject and clock.
pub type Figures = BTreeMap<(NaiveDate, String, Clock), Figure>;

/// Adds a promise to the figures.
pub fn tally(figures: &mut Figures, month: NaiveDate, subject: &str, clock: Clock, kept: bool) {
    let figure = figures.entry((month, subject.to_owned(), clock)).or_default();
    let side = if kept { &mut figure.kept } else { &mut figure.broken };
    *side = side.saturating_add(1);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use calendar::{Calendar, Rule};
    use contracts::hearth::hall::v1 as contract;

    use super::*;
    use crate::codes::{Code, assert_contract};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn the_lists_are_those_of_the_contract() {
        assert_contract::<State>("STATE_", |n| contract::matter::State::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Kind>("MATTER_KIND_", |n| contract::MatterKind::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Place>("PUBLICATION_CHANNEL_", |n| {
            contract::PublicationChannel::try_from(n).ok().map(|v| v.as_str_name())
        });
        assert_contract::<Compliance>("COMPLIANCE_", |n| contract::Compliance::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn a_version_takes_these_steps_and_no_other() {
        let mut found = vec![];
        for from in State::ALL {
            for action in Action::ALL {
                if let Some(to) = step(*from, *action) {
                    found.push(format!("{} {} {}", from.code(), action.code(), to.code()));
                }
            }
        }
        assert_eq!(found, ["DRAFT PUBLISH PUBLISHED", "DRAFT WITHDRAW WITHDRAWN", "PUBLISHED WITHDRAW WITHDRAWN"]);
        assert_eq!(allowed(State::Draft), ["PUBLISH", "WITHDRAW"]);
        assert!(allowed(State::Withdrawn).is_empty());
    }

    #[test]
    fn a_03_the_newest_version_that_has_begun_is_in_force() {
        let version = |number, from: &str, until: Option<&str>| {
            let days = Days {
                number,
                from: day(from),
                until: until.map(day),
            };
            (number, days)
        };
        let versions = [
            version(1, "2025-01-01", None),
            version(2, "2025-03-01", Some("2025-06-01")),
            // Withdrawn before it began: it replaces nothing.
            version(3, "2025-04-01", Some("2025-04-01")),
        ];
        let cases = [
            ("2024-12-31", None),
            ("2025-01-01", Some(1)),
            ("2025-02-28", Some(1)),
            ("2025-03-01", Some(2)),
            ("2025-04-01", Some(2)),
            ("2025-05-31", Some(2)),
            // The second has ended and the first was replaced by it.
            ("2025-06-01", None),
        ];
        for (today, expected) in cases {
            assert_eq!(in_force(&versions, day(today)), expected, "{today}");
        }
    }

    #[test]
    fn a_03_all_six_have_to_be_told() {
        let four = [Kind::Commitment, Kind::Item, Kind::Scope, Kind::Procedure];
        assert_eq!(compliance(&standings(&four, &[true])), Compliance::Met);
        for missing in four {
            let three: Vec<_> = four.into_iter().filter(|kind| *kind != missing).collect();
            let standings = standings(&three, &[true]);
            assert_eq!(compliance(&standings), Compliance::Degraded);
            let unpublished: Vec<_> = standings.iter().filter(|s| !s.published).map(|s| s.kind).collect();
            assert_eq!(unpublished, [missing]);
        }
        assert_eq!(compliance(&standings(&four, &[])), Compliance::Degraded, "no fee, no standard and no basis");
        let one_without = standings(&four, &[true, false]);
        let bases = one_without.iter().find(|s| s.kind == Kind::FeeBasis).unwrap();
        assert_eq!((bases.in_force, bases.published), (1, false), "one fee does not say what allows it");
    }

    #[test]
    fn s_04_a_promise_counts_once_and_as_broken_whatever_came_later() {
        let calendar = Calendar::china();
        let start = at("2025-01-31T23:00:00+08:00");
        let clock = SlaClock::start(calendar, Rule::Elapsed { minutes: 120 }, start).unwrap();
        assert_eq!(decided(&clock), None);
        let mut kept = clock.clone();
        kept.meet(calendar, at("2025-02-01T00:30:00+08:00")).unwrap();
        assert_eq!(decided(&kept), Some((true, at("2025-02-01T00:30:00+08:00"))));
        let mut late = clock;
        late.meet(calendar, at("2025-03-01T00:00:00+08:00")).unwrap();
        assert_eq!(decided(&late), Some((false, at("2025-02-01T01:00:00+08:00"))), "on the day on which it was due");
    }

    #[test]
    fn s_04_a_month_is_told_once() {
        let cases = [
            // decided on, last month told, this month: told in
            ("2025-01-31", None, "2025-02-01", Some("2025-01-01")),
            ("2025-02-01", None, "2025-02-01", None),
            ("2025-01-15", Some("2024-12-01"), "2025-02-01", Some("2025-01-01")),
            // Known too late for its own month.
            ("2025-01-15", Some("2025-01-01"), "2025-02-01", None),
            ("2025-01-15", Some("2025-01-01"), "2025-03-01", Some("2025-02-01")),
        ];
        for (decided, told, this, expected) in cases {
            assert_eq!(told_in(day(decided), told.map(day), day(this)), expected.map(day), "{decided} {told:?} {this}");
        }
        let mut figures = Figures::new();
        for kept in [true, false, true] {
            tally(&mut figures, day("2025-01-01"), "GAS_LEAK", Clock::OnSite, kept);
        }
        assert_eq!(
            figures.into_iter().collect::<Vec<_>>(),
            [((day("2025-01-01"), "GAS_LEAK".to_owned(), Clock::OnSite), Figure { kept: 2, broken: 1 })]
        );
    }
}
