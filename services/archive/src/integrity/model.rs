//! Rules of the list of dishonest customers (section G of the policy on dishonest counterparties).

use chrono::{Days, Months, NaiveDate};

use crate::{refusal::Refusal, words};

words! {
    /// Where a case stands.
    pub enum State {
        /// Reported.
        Reported "REPORTED",
        /// Being looked into.
        Investigating "INVESTIGATING",
        /// The party has the facts.
        Notified "NOTIFIED",
        /// The party was heard.
        Heard "HEARD",
        /// Decided: on the list.
        Listed "LISTED",
        /// Decided: not on the list.
        Dismissed "DISMISSED",
        /// Appealed; on the list meanwhile.
        Appealed "APPEALED",
        /// Appeal refused.
        Upheld "UPHELD",
        /// Appeal granted.
        Reversed "REVERSED",
        /// The term is over.
        Expired "EXPIRED",
        /// Taken off early.
        Removed "REMOVED",
    }
}

words! {
    /// What moves a case.
    pub enum Action {
        /// Somebody looks into it.
        Investigate "INVESTIGATE",
        /// The party is given the facts.
        Notify "NOTIFY",
        /// The party states its case, or lets its days pass.
        Hear "HEAR",
        /// It is put on the list.
        List "LIST",
        /// It is not; a report without substance needs no notice.
        Dismiss "DISMISS",
        /// The party appeals.
        Appeal "APPEAL",
        /// The appeal is refused.
        Uphold "UPHOLD",
        /// The appeal is granted.
        Reverse "REVERSE",
        /// The term is over.
        Expire "EXPIRE",
        /// It is taken off early.
        Remove "REMOVE",
    }
}

const TRANSITIONS: &[(State, Action, State)] = &[
    (State::Reported, Action::Investigate, State::Investigating),
    (State::Investigating, Action::Investigate, State::Investigating),
    (State::Investigating, Action::Notify, State::Notified),
    (State::Investigating, Action::Dismiss, State::Dismissed),
    (State::Notified, Action::Hear, State::Heard),
    (State::Heard, Action::List, State::Listed),
    (State::Heard, Action::Dismiss, State::Dismissed),
    (State::Listed, Action::Appeal, State::Appealed),
    (State::Appealed, Action::Uphold, State::Upheld),
    (State::Appealed, Action::Reverse, State::Reversed),
    (State::Listed, Action::Expire, State::Expired),
    (State::Appealed, Action::Expire, State::Expired),
    (State::Upheld, Action::Expire, State::Expired),
    (State::Listed, Action::Remove, State::Removed),
    (State::Upheld, Action::Remove, State::Removed),
];

/// States in which a party is on the list.
pub const ON_THE_LIST: [State; 3] = [State::Listed, State::Appealed, State::Upheld];

words! {
    /// How grave conduct is.
    pub enum Severity {
        /// One to two years.
        Ordinary "ORDINARY",
        /// Two to five years.
        Serious "SERIOUS",
    }
}

/// The state after an action.
///
/// # Errors
/// [`Refusal::CaseState`].
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    let found = TRANSITIONS.iter().find(|(state, by, _)| *state == from && *by == action);
    found.map(|(.., to)| *to).ok_or(Refusal::CaseState)
}

words! {
    /// Who took a dispute about a debt, and ends it.
    pub enum TakenBy {
        /// A person here: a complaint, a court case.
        Archive "ARCHIVE",
        /// Billing, about a bill (E2-06).
        Billing "BILLING",
    }
}

words! {
    /// Where a dispute about a debt stands.
    pub enum DisputeState {
        /// Nobody is listed for the debt.
        Open "OPEN",
        /// Answered, or given up.
        Closed "CLOSED",
    }
}

words! {
    /// What moves a dispute about a debt.
    pub enum DisputeAction {
        /// It ends.
        Close "CLOSE",
    }
}

const DISPUTE: &[(DisputeState, DisputeAction, DisputeState)] = &[(DisputeState::Open, DisputeAction::Close, DisputeState::Closed)];

/// The state of a dispute after an action.
///
/// # Errors
/// [`Refusal::DisputeClosed`].
pub fn dispute(from: DisputeState, action: DisputeAction) -> Result<DisputeState, Refusal> {
    let found = DISPUTE.iter().find(|(state, by, _)| *state == from && *by == action);
    found.map(|(.., to)| *to).ok_or(Refusal::DisputeClosed)
}

/// Working days in which a party may state its case (G-10).
pub const STATEMENT_DAYS: u32 = 5;
/// Days in which a party may appeal (G-10).
const APPEAL_DAYS: u64 = 15;

/// G-09: the first day off the list; the term counts from the decision.
///
/// # Errors
/// [`Refusal::Term`] outside the range of the severity.
pub fn until(severity: Severity, months: u32, decided: NaiveDate) -> Result<NaiveDate, Refusal> {
    let range = match severity {
        Severity::Ordinary => 12..=24,
        Severity::Serious => 24..=60,
    };
    if !range.contains(&months) {
        return Err(Refusal::Term);
    }
    decided.checked_add_months(Months::new(months)).ok_or(Refusal::Term)
}

/// The last day for an appeal.
pub fn appeal_due(decided: NaiveDate) -> NaiveDate {
    decided.checked_add_days(Days::new(APPEAL_DAYS)).unwrap_or(NaiveDate::MAX)
}

/// G-10: a case is decided when the party has stated its case or the last day for it is over.
///
/// # Errors
/// [`Refusal::HearingOpen`].
pub fn heard(state: State, last: Option<NaiveDate>, today: NaiveDate) -> Result<State, Refusal> {
    match state {
        State::Notified if last.is_none_or(|last| today <= last) => Err(Refusal::HearingOpen),
        State::Notified => step(state, Action::Hear),
        other => Ok(other),
    }
}

/// G-09: early removal needs half of the term to be over.
///
/// # Errors
/// [`Refusal::HalfTerm`].
pub fn may_remove(from: NaiveDate, until: NaiveDate, today: NaiveDate) -> Result<(), Refusal> {
    let whole = until.signed_duration_since(from).num_days();
    let over = today.signed_duration_since(from).num_days();
    if over.saturating_mul(2) >= whole { Ok(()) } else { Err(Refusal::HalfTerm) }
}

/// G-10: whoever reported a case decides nothing about it.
///
/// # Errors
/// [`Refusal::ReporterMayNotDecide`].
pub fn not_reporter(acts: &str, reporter: &str) -> Result<(), Refusal> {
    if acts == reporter { Err(Refusal::ReporterMayNotDecide) } else { Ok(()) }
}

/// G-08: arrears are malicious only so many months after the judgment or demand.
///
/// # Errors
/// [`Refusal::DemandTooRecent`].
pub fn ripe(demand: NaiveDate, months: u32, today: NaiveDate) -> Result<(), Refusal> {
    if demand.checked_add_months(Months::new(months)).is_some_and(|ripe| today > ripe) {
        Ok(())
    } else {
        Err(Refusal::DemandTooRecent)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::archive::v1 as proto;

    use super::*;
    use testbed::assert_contract;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn every_transition_of_a_case() {
        use Action::{Appeal, Dismiss, Expire, Hear, Investigate, List, Notify, Remove, Reverse, Uphold};
        use State::{Appealed, Dismissed, Expired, Heard, Investigating, Listed, Notified, Removed, Reported, Reversed, Upheld};
        let legal = [
            (Reported, Investigate, Investigating),
            (Investigating, Investigate, Investigating),
            (Investigating, Notify, Notified),
            (Investigating, Dismiss, Dismissed),
            (Notified, Hear, Heard),
            (Heard, List, Listed),
            (Heard, Dismiss, Dismissed),
            (Listed, Appeal, Appealed),
            (Appealed, Uphold, Upheld),
            (Appealed, Reverse, Reversed),
            (Listed, Expire, Expired),
            (Appealed, Expire, Expired),
            (Upheld, Expire, Expired),
            (Listed, Remove, Removed),
            (Upheld, Remove, Removed),
        ];
        for from in State::ALL {
            for action in Action::ALL {
                let wanted = legal.iter().find(|(s, a, _)| s == from && a == action).map(|(.., to)| *to);
                assert_eq!(step(*from, *action), wanted.ok_or(Refusal::CaseState), "{from:?} {action:?}");
            }
        }
    }

    #[test]
    fn every_transition_of_a_dispute() {
        for (from, wanted) in [
            (DisputeState::Open, Ok(DisputeState::Closed)),
            (DisputeState::Closed, Err(Refusal::DisputeClosed)),
        ] {
            for action in DisputeAction::ALL {
                assert_eq!(dispute(from, *action), wanted, "{from:?} {action:?}");
            }
        }
        assert_eq!((DisputeState::ALL.len(), DisputeAction::ALL.len()), (2, 1));
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = State::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "STATE_", |n| proto::integrity_case::State::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = Severity::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "SEVERITY_", |n| {
            proto::integrity_case::Severity::try_from(n).ok().map(|v| v.as_str_name())
        });
    }

    #[test]
    fn g_09_terms_by_severity_never_over_five_years() {
        let decided = day("2024-02-29");
        for (severity, months, wanted) in [
            (Severity::Ordinary, 11, Err(Refusal::Term)),
            (Severity::Ordinary, 12, Ok(day("2025-02-28"))),
            (Severity::Ordinary, 24, Ok(day("2026-02-28"))),
            (Severity::Ordinary, 25, Err(Refusal::Term)),
            (Severity::Serious, 23, Err(Refusal::Term)),
            (Severity::Serious, 24, Ok(day("2026-02-28"))),
            (Severity::Serious, 60, Ok(day("2029-02-28"))),
            (Severity::Serious, 61, Err(Refusal::Term)),
        ] {
            assert_eq!(until(severity, months, decided), wanted, "{severity:?} {months}");
        }
    }

    #[test]
    fn g_09_half_of_the_term() {
        let (from, until) = (day("2025-01-01"), day("2026-01-01"));
        // 365 days: 183 are the first that make half.
        assert_eq!(may_remove(from, until, day("2025-07-02")), Err(Refusal::HalfTerm));
        assert_eq!(may_remove(from, until, day("2025-07-03")), Ok(()));
    }

    #[test]
    fn g_10_heard_when_stated_or_when_the_days_are_over() {
        let last = Some(day("2025-01-09"));
        assert_eq!(heard(State::Notified, last, day("2025-01-09")), Err(Refusal::HearingOpen));
        assert_eq!(heard(State::Notified, last, day("2025-01-10")), Ok(State::Heard));
        assert_eq!(heard(State::Heard, last, day("2025-01-03")), Ok(State::Heard));
        assert_eq!(heard(State::Reported, None, day("2025-01-03")), Ok(State::Reported));
        assert_eq!(appeal_due(day("2025-01-10")), day("2025-01-25"));
        assert_eq!(not_reporter("li", "li"), Err(Refusal::ReporterMayNotDecide));
    }

    #[test]
    fn g_08_arrears_ripen_after_twelve_months() {
        assert_eq!(ripe(day("2024-01-15"), 12, day("2025-01-15")), Err(Refusal::DemandTooRecent));
        assert_eq!(ripe(day("2024-01-15"), 12, day("2025-01-16")), Ok(()));
    }
}
