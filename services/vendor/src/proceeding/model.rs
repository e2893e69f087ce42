//! Proceedings (F-07, G-11): pure rules.

use calendar::{Calendar, CalendarMissing, Instant};
use chrono::NaiveDate;
use ids::{ContractId, VendorId};

use crate::{
    assessment::Consequence,
    codes::codes,
    keys::{AssessmentId, ProceedingId},
    refusal::Refusal,
    settlement::Owner,
};

codes! {
    /// Why it was opened.
    pub enum Kind {
        Suspension = 1 "SUSPENSION",
        Exit = 2 "EXIT",
        ContractReview = 3 "CONTRACT_REVIEW",
    }
}

codes! {
    /// Where it stands.
    pub enum State {
        Open = 1 "OPEN",
        Decided = 2 "DECIDED",
        Dropped = 3 "DROPPED",
    }
}

codes! {
    /// What is decided.
    pub enum Measure {
        None = 1 "NONE",
        Suspend = 2 "SUSPEND",
        Exit = 3 "EXIT",
        Terminate = 4 "TERMINATE",
    }
}

/// Who decides.
pub const OWNER: Owner = Owner::Leader;

/// Working days to decide; the policy names none.
const WORKING_DAYS: u32 = 10;

/// The last day for a decision.
pub fn due(opened: NaiveDate) -> Result<NaiveDate, CalendarMissing> {
    Calendar::china().add_working_days(opened, WORKING_DAYS)
}

impl Kind {
    /// What a fail opens.
    pub const fn of(consequence: Consequence) -> Self {
        match consequence {
            Consequence::SuspensionCandidate => Self::Suspension,
            Consequence::ExitCandidate => Self::Exit,
        }
    }

    /// What may be decided. Whoever could have sent a vendor away may also suspend it.
    pub const fn measures(self) -> &'static [Measure] {
        match self {
            Self::Suspension => &[Measure::None, Measure::Suspend],
            Self::Exit => &[Measure::None, Measure::Suspend, Measure::Exit],
            Self::ContractReview => &[Measure::None, Measure::Suspend, Measure::Terminate],
        }
    }
}

/// What is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Decide,
    Drop,
}

/// Its way.
pub const TRANSITIONS: &[(State, Action, State)] = &[(State::Open, Action::Decide, State::Decided), (State::Open, Action::Drop, State::Dropped)];

/// The state after an action, by the table.
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    TRANSITIONS
        .iter()
        .find(|(f, a, _)| (*f, *a) == (from, action))
        .map(|t| t.2)
        .ok_or(Refusal::ProceedingState)
}

/// A proceeding (处置程序).
#[derive(Clone, Debug)]
pub struct Proceeding {
    pub id: ProceedingId,
    pub kind: Kind,
    pub vendor: VendorId,
    pub contract: ContractId,
    pub branch: String,
    pub assessment: Option<AssessmentId>,
    pub opened: Instant,
    pub due: NaiveDate,
    pub state: State,
    pub measure: Option<Measure>,
    pub reason: String,
    pub decider: Option<String>,
    pub closed: Option<Instant>,
    pub version: i64,
}

impl Proceeding {
    /// A new one.
    pub fn open(kind: Kind, vendor: VendorId, contract: (ContractId, &str), assessment: Option<AssessmentId>, now: Instant) -> Result<Self, CalendarMissing> {
        Ok(Self {
            id: ProceedingId::new(),
            kind,
            vendor,
            contract: contract.0,
            branch: contract.1.to_owned(),
            assessment,
            opened: now,
            due: due(now.date())?,
            state: State::Open,
            measure: None,
            reason: String::new(),
            decider: None,
            closed: None,
            version: 1,
        })
    }

    /// Takes a decision.
    pub fn decide(&mut self, measure: Measure, reason: String, by: &str, now: Instant) -> Result<(), Refusal> {
        self.state = step(self.state, Action::Decide)?;
        if !self.kind.measures().contains(&measure) {
            return Err(Refusal::Measure);
        }
        (self.measure, self.reason, self.decider, self.closed) = (Some(measure), reason, Some(by.to_owned()), Some(now));
        Ok(())
    }

    /// Lets it fall, since its reason fell away.
    pub fn drop(&mut self, reason: &str, now: Instant) -> Result<(), Refusal> {
        self.state = step(self.state, Action::Drop)?;
        (self.reason, self.closed) = (reason.to_owned(), Some(now));
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn f_07_every_transition_of_a_proceeding_legal_and_illegal() {
        let table = [(State::Open, "D X"), (State::Decided, "- -"), (State::Dropped, "- -")];
        assert_eq!(table.len(), State::ALL.len());
        for (from, row) in table {
            for (action, letter) in [Action::Decide, Action::Drop].into_iter().zip(row.split(' ')) {
                let expected = match letter {
                    "D" => Ok(State::Decided),
                    "X" => Ok(State::Dropped),
                    _ => Err(Refusal::ProceedingState),
                };
                assert_eq!(step(from, action), expected, "{from:?} {action:?}");
            }
        }
    }

    #[test]
    fn f_07_which_measure_belongs_to_which_kind() {
        // Columns: none, suspend, exit, terminate.
        let table = [(Kind::Suspension, "y y - -"), (Kind::Exit, "y y y -"), (Kind::ContractReview, "y y - y")];
        assert_eq!(table.len(), Kind::ALL.len());
        let now = Instant::at_local("2025-03-03".parse().unwrap(), 9, 0).unwrap();
        for (kind, row) in table {
            for (measure, mark) in Measure::ALL.iter().zip(row.split(' ')) {
                let mut one = Proceeding::open(kind, VendorId::new(), (ContractId::new(), ""), None, now).unwrap();
                assert_eq!(one.due.to_string(), "2025-03-17");
                let got = one.decide(*measure, "reason".into(), "leader", now);
                assert_eq!(got, if mark == "y" { Ok(()) } else { Err(Refusal::Measure) }, "{kind:?} {measure:?}");
            }
        }
    }
}
