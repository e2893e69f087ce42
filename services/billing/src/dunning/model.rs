//! Which steps of the ladder a bill is to take today (E2-05, E2-06), pure. The ladder is data: the terms of the bill's profile.

use calendar::{NaiveDate, TimeDelta};

use crate::{
    dispute::model::{Pause, counted},
    profile::model::Terms,
    words::words,
};

words! {
    /// What is done.
    pub enum Kind {
        /// A reminder.
        Reminder "REMINDER",
        /// The bill is overdue.
        Overdue "OVERDUE",
        /// The written demand.
        Demand "DEMAND",
        /// Suspension of supply is requested.
        Suspension "SUSPENSION",
    }
}

words! {
    /// Where a request for suspension stands.
    pub enum RequestState {
        /// Requested.
        Requested "REQUESTED",
        /// Withdrawn.
        Withdrawn "WITHDRAWN",
    }
}

/// What happens to a request for suspension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing undisputed is overdue any more.
    Cure,
}

/// The legal moves.
const MOVES: [(RequestState, Action, RequestState); 1] = [(RequestState::Requested, Action::Cure, RequestState::Withdrawn)];

/// Moves a request; none where the move is not legal.
pub fn step(state: RequestState, action: Action) -> Option<RequestState> {
    MOVES.iter().find(|(from, by, _)| *from == state && *by == action).map(|(_, _, to)| *to)
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub kind: Kind,
    /// Days of the ladder: from due, for a suspension from the demand.
    pub days: i32,
    /// Whether it is left out because a later letter goes out on the same day.
    pub skipped: bool,
}

/// A bill as the ladder sees it. It is open and not disputed.
#[derive(Clone, Debug)]
pub struct Facts {
    pub due: NaiveDate,
    /// Steps that were taken, with their days and the day on which they were.
    pub taken: Vec<(Kind, i32, NaiveDate)>,
    /// Days that do not count.
    pub pauses: Vec<Pause>,
    /// Whether supply may be suspended for it.
    pub suspendable: bool,
}

/// The steps to take today, and the day on which to look again; none when the ladder has ended.
pub fn climb(terms: &Terms, facts: &Facts, today: NaiveDate) -> (Vec<Step>, Option<NaiveDate>) {
    let elapsed = elapsed(facts.due, today, &facts.pauses);
    let taken = |kind: Kind, days: i32| facts.taken.iter().find(|(k, d, _)| *k == kind && *d == days);
    let letters = terms
        .reminder_days
        .iter()
        .map(|days| (Kind::Reminder, *days))
        .chain([(Kind::Demand, terms.demand_days)]);
    let open: Vec<_> = letters.filter(|(kind, days)| taken(*kind, *days).is_none()).collect();
    let last = open.iter().rev().find(|(_, days)| i64::from(*days) <= elapsed).copied();
    let mut steps = vec![];
    let mut next: Option<NaiveDate> = None;
    let mut wait = |day: Option<NaiveDate>| next = [next, day].into_iter().flatten().min();
    for (kind, days) in open {
        if i64::from(days) > elapsed {
            wait(ahead(today, i64::from(days).saturating_sub(elapsed)));
        } else {
            steps.push(Step {
                kind,
                days,
                skipped: last != Some((kind, days)),
            });
        }
    }
    if taken(Kind::Overdue, 1).is_none() {
        if elapsed >= 1 {
            steps.push(Step {
                kind: Kind::Overdue,
                days: 1,
                skipped: false,
            });
        } else {
            wait(ahead(today, 1_i64.saturating_sub(elapsed)));
        }
    }
    if facts.suspendable && taken(Kind::Suspension, terms.waiting_days).is_none() {
        match taken(Kind::Demand, terms.demand_days) {
            // The time to pay runs from the day on which the demand went out, not from the one on which it should have.
            Some((_, _, demanded)) => {
                let waited = counted(*demanded, today, &facts.pauses);
                if waited >= i64::from(terms.waiting_days) {
                    steps.push(Step {
                        kind: Kind::Suspension,
                        days: terms.waiting_days,
                        skipped: false,
                    });
                } else {
                    wait(ahead(today, i64::from(terms.waiting_days).saturating_sub(waited)));
                }
            }
            None if steps.iter().any(|s| s.kind == Kind::Demand) => wait(ahead(today, i64::from(terms.waiting_days))),
            None => {}
        }
    }
    (steps, next)
}

/// Days from due that count; before due they are negative.
fn elapsed(due: NaiveDate, today: NaiveDate, pauses: &[Pause]) -> i64 {
    if today <= due {
        today.signed_duration_since(due).num_days()
    } else {
        counted(due, today, pauses)
    }
}

fn ahead(today: NaiveDate, days: i64) -> Option<NaiveDate> {
    today.checked_add_signed(TimeDelta::try_days(days)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;
    use proptest::prelude::*;

    use super::*;

    const DUE: NaiveDate = NaiveDate::from_ymd_opt(2025, 2, 15).unwrap();

    fn day(n: i64) -> NaiveDate {
        ahead(DUE, n).unwrap()
    }

    fn facts() -> Facts {
        Facts {
            due: DUE,
            taken: vec![],
            pauses: vec![],
            suspendable: true,
        }
    }

    /// Looks on each of the days, takes what is due, and tells on which day which step was.
    fn story(terms: &Terms, mut facts: Facts, days: impl Iterator<Item = i64>) -> Vec<(i64, Kind, i32, bool)> {
        let mut told = vec![];
        for n in days {
            let (steps, _) = climb(terms, &facts, day(n));
            for step in steps {
                facts.taken.push((step.kind, step.days, day(n)));
                told.push((n, step.kind, step.days, step.skipped));
            }
        }
        told
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = Kind::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "KIND_", |n| proto::dunning_step::Kind::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = RequestState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "STATE_", |n| {
            proto::suspension_request::State::try_from(n).ok().map(|v| v.as_str_name())
        });
    }

    #[test]
    fn table_of_moves() {
        use RequestState::*;
        let table = [(Requested, Some(Withdrawn)), (Withdrawn, None)];
        assert_eq!(table.len(), RequestState::ALL.len());
        for (state, to) in table {
            assert_eq!(step(state, Action::Cure), to, "{state:?}");
        }
    }

    #[test]
    fn e2_05_default_ladder() {
        let told = story(&Terms::default(), facts(), -15..100);
        assert_eq!(
            told,
            [
                (-3, Kind::Reminder, -3, false),
                (1, Kind::Reminder, 1, false),
                (1, Kind::Overdue, 1, false),
                (30, Kind::Demand, 30, false),
                (60, Kind::Suspension, 30, false)
            ]
        );
        let mut fee = facts();
        fee.suspendable = false;
        assert!(!story(&Terms::default(), fee, -15..100).iter().any(|(_, kind, ..)| *kind == Kind::Suspension));
    }

    #[test]
    fn e2_05_who_looks_late_sends_one_letter_and_waits_from_the_demand() {
        let told = story(&Terms::default(), facts(), [45, 74, 75, 76].into_iter());
        assert_eq!(
            told,
            [
                (45, Kind::Reminder, -3, true),
                (45, Kind::Reminder, 1, true),
                (45, Kind::Demand, 30, false),
                (45, Kind::Overdue, 1, false),
                (75, Kind::Suspension, 30, false)
            ]
        );
    }

    #[test]
    fn e2_06_disputed_days_move_the_ladder() {
        let mut disputed = facts();
        // Twenty days between the 11th and the 30th day after due.
        disputed.pauses = vec![Pause {
            after: day(10),
            until: Some(day(30)),
        }];
        let told = story(&Terms::default(), disputed, (-15..=10).chain(31..100));
        let demand = told.iter().find(|(_, kind, ..)| *kind == Kind::Demand).unwrap().0;
        let suspension = told.iter().find(|(_, kind, ..)| *kind == Kind::Suspension).unwrap().0;
        assert_eq!((demand, suspension), (50, 80));
    }

    #[test]
    fn s_9_6_profiles_of_cities() {
        // Shanghai: the demand on overdue, 60 days.
        let shanghai = Terms {
            reminder_days: vec![],
            demand_days: 1,
            waiting_days: 60,
            ..Terms::default()
        };
        assert_eq!(
            story(&shanghai, facts(), -15..100),
            [(1, Kind::Demand, 1, false), (1, Kind::Overdue, 1, false), (61, Kind::Suspension, 60, false)]
        );
    }

    proptest! {
        #[test]
        fn e2_05_each_step_once_and_never_suspension_before_the_demand_has_waited(looks in proptest::collection::btree_set(-20_i64..200, 0..40)) {
            let told = story(&Terms::default(), facts(), looks.into_iter());
            let mut seen = std::collections::BTreeSet::new();
            for (_, kind, days, _) in &told {
                prop_assert!(seen.insert((*kind, *days)));
            }
            if let Some((suspended, ..)) = told.iter().find(|(_, kind, ..)| *kind == Kind::Suspension) {
                let (demanded, ..) = told.iter().find(|(_, kind, _, skipped)| *kind == Kind::Demand && !skipped).unwrap();
                prop_assert!(suspended - demanded >= 30);
            }
        }

        #[test]
        fn e2_05_next_look_misses_no_step(start in -20_i64..40) {
            // Looking only on the days that climb names finds the same as looking every day.
            let mut facts = facts();
            let (mut at, mut told) = (Some(day(start)), vec![]);
            while let Some(today) = at {
                let (steps, next) = climb(&Terms::default(), &facts, today);
                for step in steps {
                    facts.taken.push((step.kind, step.days, today));
                    told.push((today.signed_duration_since(DUE).num_days(), step.kind, step.days, step.skipped));
                }
                prop_assert!(next.is_none_or(|next| next > today));
                at = next;
            }
            prop_assert_eq!(told, story(&Terms::default(), self::facts(), start..200));
        }
    }
}
