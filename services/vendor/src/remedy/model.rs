//! What vendors have to set right (F-06, F-07, F-09): pure rules.

use calendar::{Calendar, CalendarMissing, Instant, Rule, due};
use ids::{ContractId, VendorId};

use crate::{
    codes::codes,
    keys::{AssessmentId, RemedyId},
    refusal::Refusal,
    settlement::{Cause, Owner},
};

codes! {
    /// What has to be set right.
    pub enum Kind {
        Rectification = 1 "RECTIFICATION",
        Disturbance = 2 "DISTURBANCE",
        Confidentiality = 3 "CONFIDENTIALITY",
    }
}

codes! {
    /// How severe a disturbance is (F-06).
    pub enum Severity {
        P1 = 1 "P1",
        P2 = 2 "P2",
        P3 = 3 "P3",
        P4 = 4 "P4",
    }
}

impl Kind {
    /// Why it holds a payment, where it does.
    pub const fn cause(self) -> Cause {
        match self {
            Self::Rectification => Cause::RectificationOverdue,
            Self::Disturbance => Cause::OpenP1,
            Self::Confidentiality => Cause::ConfidentialityIncident,
        }
    }

    /// Who has to see to it: the owner of the hold.
    pub const fn owner(self) -> Owner {
        self.cause().owner()
    }
}

/// Working days for a rectification, and for a confidentiality incident; the policy names none.
const WORKING_DAYS: u32 = 10;

/// How long there is to set it right: for a disturbance the time in which service has to be restored (F-06).
pub const fn time_for(kind: Kind, severity: Option<Severity>) -> Rule {
    match (kind, severity) {
        (Kind::Disturbance, Some(Severity::P1) | None) => Rule::hours(4),
        (Kind::Disturbance, Some(Severity::P2)) => Rule::hours(8),
        (Kind::Disturbance, Some(Severity::P3)) => Rule::working_days(2),
        (Kind::Disturbance, Some(Severity::P4)) => Rule::working_days(5),
        (Kind::Rectification | Kind::Confidentiality, _) => Rule::working_days(WORKING_DAYS),
    }
}

/// The last moment that is in time.
pub fn due_at(kind: Kind, severity: Option<Severity>, opened: Instant) -> Result<Instant, CalendarMissing> {
    Ok(due(Calendar::china(), &time_for(kind, severity), opened)?.at)
}

codes! {
    /// Where it stands.
    pub enum State {
        Open = 1 "OPEN",
        Reported = 2 "REPORTED",
        Accepted = 3 "ACCEPTED",
        Cancelled = 4 "CANCELLED",
    }
}

/// What is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Report,
    Accept,
    Return,
    Cancel,
}

/// Its way. The owner may accept what the vendor never reported: a vendor that left reports nothing.
pub const TRANSITIONS: &[(State, Action, State)] = &[
    (State::Open, Action::Report, State::Reported),
    (State::Open, Action::Accept, State::Accepted),
    (State::Reported, Action::Accept, State::Accepted),
    (State::Reported, Action::Return, State::Open),
    (State::Open, Action::Cancel, State::Cancelled),
    (State::Reported, Action::Cancel, State::Cancelled),
];

/// The state after an action, by the table.
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    TRANSITIONS
        .iter()
        .find(|(f, a, _)| (*f, *a) == (from, action))
        .map(|t| t.2)
        .ok_or(Refusal::RemedyState)
}

impl State {
    /// Whether it is not set right yet.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Reported)
    }
}

/// Something that a vendor has to set right (整改事项).
#[derive(Clone, Debug)]
pub struct Remedy {
    pub id: RemedyId,
    pub vendor: VendorId,
    /// `None` for every contract with the vendor.
    pub contract: Option<ContractId>,
    pub branch: String,
    pub kind: Kind,
    pub severity: Option<Severity>,
    pub assessment: Option<AssessmentId>,
    /// The complaint in hall that it comes from.
    pub complaint: Option<String>,
    pub description: String,
    pub state: State,
    pub opened_by: String,
    pub opened: Instant,
    /// `None` while an objection to the assessment is undecided.
    pub due: Option<Instant>,
    pub report: String,
    pub reported: Option<Instant>,
    pub opinion: String,
    pub closed: Option<(Instant, String)>,
    pub version: i64,
}

impl Remedy {
    /// Whether it is late: still open after its due time, or reported after it. Time that the owner takes to look is not the vendor's.
    pub fn is_overdue(&self, now: Instant) -> bool {
        let until = match self.state {
            State::Open => Some(now),
            State::Reported => self.reported,
            State::Accepted | State::Cancelled => None,
        };
        until.zip(self.due).is_some_and(|(until, due)| until > due)
    }

    /// Whether it is late or was set right late.
    pub fn was_late(&self, now: Instant) -> bool {
        let done = self.reported.or(self.closed.as_ref().map(|(at, _)| *at)).unwrap_or(now);
        self.is_overdue(now) || self.due.is_some_and(|due| done > due)
    }

    /// Whether it holds the payments of a contract with its vendor (F-09).
    pub fn holds(&self, contract: ContractId, now: Instant) -> bool {
        let concerned = self.contract.is_none_or(|own| own == contract);
        match self.kind {
            Kind::Rectification => concerned && self.is_overdue(now),
            Kind::Disturbance => concerned && self.severity == Some(Severity::P1) && self.state.is_open(),
            Kind::Confidentiality => self.state.is_open(),
        }
    }

    /// Takes the vendor's report.
    pub fn report(&mut self, report: String, now: Instant) -> Result<(), Refusal> {
        self.state = step(self.state, Action::Report)?;
        (self.report, self.reported) = (report, Some(now));
        Ok(())
    }

    /// Takes what the owner says: accepted, or given back.
    pub fn judge(&mut self, action: Action, opinion: String, by: &str, now: Instant) -> Result<(), Refusal> {
        self.state = step(self.state, action)?;
        self.opinion = opinion;
        if !self.state.is_open() {
            self.closed = Some((now, by.to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const ACTIONS: &[Action] = &[Action::Report, Action::Accept, Action::Return, Action::Cancel];

    #[test]
    fn f_09_every_transition_of_a_remedy_legal_and_illegal() {
        let table = [
            (State::Open, "R A - C"),
            (State::Reported, "- A O C"),
            (State::Accepted, "- - - -"),
            (State::Cancelled, "- - - -"),
        ];
        assert_eq!(table.len(), State::ALL.len());
        for (from, row) in table {
            for (action, letter) in ACTIONS.iter().zip(row.split(' ')) {
                let expected = match letter {
                    "O" => Ok(State::Open),
                    "R" => Ok(State::Reported),
                    "A" => Ok(State::Accepted),
                    "C" => Ok(State::Cancelled),
                    _ => Err(Refusal::RemedyState),
                };
                assert_eq!(step(from, *action), expected, "{from:?} {action:?}");
            }
        }
    }

    fn at(day: &str, hour: u32) -> Instant {
        Instant::at_local(day.parse().unwrap(), hour, 0).unwrap()
    }

    fn end_of(day: &str) -> Instant {
        Instant::end_of(day.parse().unwrap())
    }

    #[test]
    fn f_e_the_clock_over_the_spring_festival() {
        // 28 January to 4 February 2025 are free, Sunday 26 January and Saturday 8 February are worked. Opened on Friday 24 January at 15:00.
        let friday = at("2025-01-24", 15);
        let disturbance = |severity| due_at(Kind::Disturbance, Some(severity), friday).unwrap();
        // P1 and P2 run day and night.
        assert_eq!(disturbance(Severity::P1), at("2025-01-24", 19));
        assert_eq!(disturbance(Severity::P2), at("2025-01-24", 23));
        assert_eq!(
            due_at(Kind::Disturbance, Some(Severity::P1), at("2025-01-28", 22)).unwrap(),
            at("2025-01-29", 2)
        );
        // Two working days after it are Sunday 26 and Monday 27; five end on 7 February, ten on Thursday the 13th.
        assert_eq!(disturbance(Severity::P3), end_of("2025-01-27"));
        assert_eq!(disturbance(Severity::P4), end_of("2025-02-07"));
        assert_eq!(due_at(Kind::Rectification, None, friday).unwrap(), end_of("2025-02-13"));
    }

    fn remedy(kind: Kind, severity: Option<Severity>, contract: Option<ContractId>) -> Remedy {
        Remedy {
            id: RemedyId::new(),
            vendor: VendorId::new(),
            contract,
            branch: String::new(),
            kind,
            severity,
            assessment: None,
            complaint: None,
            description: String::new(),
            state: State::Open,
            opened_by: String::new(),
            opened: at("2025-03-03", 9),
            due: Some(at("2025-03-10", 9)),
            report: String::new(),
            reported: None,
            opinion: String::new(),
            closed: None,
            version: 1,
        }
    }

    #[test]
    fn f_07_a_rectification_is_overdue_by_the_vendors_time_alone() {
        let one = remedy(Kind::Rectification, None, None);
        assert!(!one.is_overdue(at("2025-03-10", 9)), "the last moment is in time");
        assert!(one.is_overdue(at("2025-03-10", 10)));
        let mut in_time = one.clone();
        in_time.report("done".into(), at("2025-03-09", 9)).unwrap();
        assert!(!in_time.is_overdue(at("2025-04-01", 9)), "the owner is slow, not the vendor");
        in_time.judge(Action::Return, "not so".into(), "owner", at("2025-03-11", 9)).unwrap();
        assert!(in_time.is_overdue(at("2025-03-11", 9)));
        let mut late = one.clone();
        late.report("done".into(), at("2025-03-11", 9)).unwrap();
        assert!(late.is_overdue(at("2025-03-11", 9)));
        late.judge(Action::Accept, "seen".into(), "owner", at("2025-03-12", 9)).unwrap();
        assert!(!late.is_overdue(at("2025-04-01", 9)));
        assert_eq!(late.closed, Some((at("2025-03-12", 9), "owner".into())));
        let paused = Remedy { due: None, ..one };
        assert!(!paused.is_overdue(at("2026-01-01", 9)));
    }

    #[test]
    fn f_09_what_holds_which_payments() {
        let (own, other) = (ContractId::new(), ContractId::new());
        let (soon, late) = (at("2025-03-04", 9), at("2025-03-20", 9));
        type Case = (Kind, Option<Severity>, Option<ContractId>, [bool; 4]);
        // Own contract soon and late, another contract soon and late.
        let cases: [Case; 7] = [
            (Kind::Rectification, None, Some(own), [false, true, false, false]),
            (Kind::Disturbance, Some(Severity::P1), Some(own), [true, true, false, false]),
            (Kind::Disturbance, Some(Severity::P1), None, [true, true, true, true]),
            (Kind::Disturbance, Some(Severity::P2), Some(own), [false, false, false, false]),
            (Kind::Disturbance, Some(Severity::P4), None, [false, false, false, false]),
            (Kind::Confidentiality, None, Some(own), [true, true, true, true]),
            (Kind::Confidentiality, None, None, [true, true, true, true]),
        ];
        for (kind, severity, contract, expected) in cases {
            let mut one = remedy(kind, severity, contract);
            let got = |one: &Remedy| [one.holds(own, soon), one.holds(own, late), one.holds(other, soon), one.holds(other, late)];
            assert_eq!(got(&one), expected, "{kind:?} {severity:?} {contract:?}");
            one.judge(Action::Accept, "seen".into(), "owner", soon).unwrap();
            assert_eq!(got(&one), [false; 4], "{kind:?}");
        }
    }

    #[test]
    fn f_09_owners() {
        assert_eq!(Kind::Rectification.owner(), Owner::Assessor);
        assert_eq!(Kind::Disturbance.owner(), Owner::ItDepartment);
        assert_eq!(Kind::Confidentiality.owner(), Owner::PrivacyOfficer);
    }
}
