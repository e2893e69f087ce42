//! Work orders offered to vendors: pure rules.

use calendar::Instant;
use chrono::NaiveDate;
use ids::{OfferId, OrderId, PersonId, VendorId};
use uuid::Uuid;

use crate::{codes::codes, person::CertificateKind, refusal::Refusal};

codes! {
    /// Where an offer stands.
    pub enum State {
        Offered = 1 "OFFERED",
        Accepted = 2 "ACCEPTED",
        Reported = 3 "REPORTED",
        Rework = 4 "REWORK",
        Approved = 5 "APPROVED",
        Completed = 6 "COMPLETED",
        Declined = 7 "DECLINED",
        Taken = 8 "TAKEN",
        Expired = 9 "EXPIRED",
        Withdrawn = 10 "WITHDRAWN",
    }
}

codes! {
    /// What became of a report of work.
    pub enum Outcome {
        Pending = 1 "PENDING",
        Approved = 2 "APPROVED",
        Refused = 3 "REFUSED",
        Dropped = 4 "DROPPED",
    }
}

/// What is done to an offer. The last three come from hall or from the acceptance of another offer of the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Accept,
    Decline,
    Report,
    Approve,
    Refuse,
    Lose,
    Withdraw,
    Complete,
}

/// The way of an offer. EXPIRED comes with the time ([`at`]). Hall may close an order without waiting for the acceptance, since the
/// order is hall's.
pub const TRANSITIONS: &[(State, Action, State)] = &[
    (State::Offered, Action::Accept, State::Accepted),
    (State::Offered, Action::Decline, State::Declined),
    (State::Offered, Action::Lose, State::Taken),
    (State::Offered, Action::Withdraw, State::Withdrawn),
    (State::Expired, Action::Lose, State::Taken),
    (State::Expired, Action::Withdraw, State::Withdrawn),
    (State::Accepted, Action::Report, State::Reported),
    (State::Accepted, Action::Withdraw, State::Withdrawn),
    (State::Accepted, Action::Complete, State::Completed),
    (State::Reported, Action::Approve, State::Approved),
    (State::Reported, Action::Refuse, State::Rework),
    (State::Reported, Action::Withdraw, State::Withdrawn),
    (State::Reported, Action::Complete, State::Completed),
    (State::Rework, Action::Report, State::Reported),
    (State::Rework, Action::Withdraw, State::Withdrawn),
    (State::Rework, Action::Complete, State::Completed),
    (State::Approved, Action::Complete, State::Completed),
];

/// The state after an action. An offer that somebody has already taken, or that is over time, says so by its own reason.
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    if let Some((_, _, next)) = TRANSITIONS.iter().find(|(f, a, _)| (*f, *a) == (from, action)) {
        return Ok(*next);
    }
    Err(match (action, from) {
        (Action::Accept | Action::Decline, State::Expired) => Refusal::OfferExpired,
        (Action::Accept | Action::Decline, from) if from.is_taken() || from == State::Taken => Refusal::OfferTaken,
        _ => Refusal::OfferState,
    })
}

/// The state that an offer has at a time: one that nobody answered is over when its time to respond has come.
pub fn at(state: State, respond_by: Instant, now: Instant) -> State {
    if state == State::Offered && now >= respond_by {
        State::Expired
    } else {
        state
    }
}

impl State {
    /// Whether the vendor of this offer has taken the order; of the offers of one order at most one has.
    pub fn is_taken(self) -> bool {
        matches!(self, Self::Accepted | Self::Reported | Self::Rework | Self::Approved | Self::Completed)
    }

    /// Whether the vendor still owes something.
    pub fn is_due(self) -> bool {
        matches!(self, Self::Accepted | Self::Reported | Self::Rework)
    }
}

/// An offer of a work order to a vendor (派单).
#[derive(Clone, Debug)]
pub struct Offer {
    pub id: OfferId,
    /// Hall's event that it came with.
    pub event: Uuid,
    pub order: OrderId,
    pub order_no: String,
    /// Kind of work, a code of hall.
    pub kind: String,
    pub vendor: VendorId,
    pub branch: String,
    pub certificate: Option<CertificateKind>,
    pub planned: NaiveDate,
    pub respond_by: Instant,
    /// As kept; what it is now says [`Offer::now`].
    pub state: State,
    pub person: Option<PersonId>,
    pub round: i32,
    pub decline_reason: String,
    pub version: i64,
    pub created: Instant,
}

impl Offer {
    /// Where it stands at a time.
    pub fn now(&self, now: Instant) -> State {
        at(self.state, self.respond_by, now)
    }

    /// Does what the table allows.
    pub fn act(&mut self, action: Action, now: Instant) -> Result<(), Refusal> {
        self.state = step(self.now(now), action)?;
        Ok(())
    }
}

/// A report of work and its acceptance (验收).
#[derive(Clone, Debug)]
pub struct Report {
    pub offer: OfferId,
    pub round: i32,
    pub summary: String,
    pub done: NaiveDate,
    pub reported: Instant,
    pub reported_by: String,
    pub outcome: Outcome,
    pub findings: String,
    pub decided: Option<(Instant, String)>,
}

impl Report {
    /// Takes what became of it; what was decided before stays. Says whether it did.
    pub fn decide(&mut self, outcome: Outcome, findings: String, by: &str, now: Instant) -> bool {
        let pending = self.outcome == Outcome::Pending && outcome != Outcome::Pending;
        if pending {
            (self.outcome, self.findings, self.decided) = (outcome, findings, Some((now, by.to_owned())));
        }
        pending
    }
}

/// What an order was about.
#[derive(Clone, Debug)]
pub struct Work {
    /// Kind of work, a code of hall.
    pub kind: String,
    pub branch: String,
    pub planned: NaiveDate,
}

/// Work that was accepted or refused.
#[derive(Clone, Debug)]
pub struct Decided {
    /// Kind of work, a code of hall.
    pub kind: String,
    pub accepted: bool,
    /// When the vendor reported it.
    pub reported: Instant,
    pub by: String,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const ACTIONS: &[Action] = &[
        Action::Accept,
        Action::Decline,
        Action::Report,
        Action::Approve,
        Action::Refuse,
        Action::Lose,
        Action::Withdraw,
        Action::Complete,
    ];

    /// By hand: rows are states, columns the actions above; `t`, `e` and `-` are the reasons taken, expired and state.
    const TABLE: &[(State, &str)] = &[
        (State::Offered, "A D - - - T W -"),
        (State::Accepted, "t t R - - - W C"),
        (State::Reported, "t t - P X - W C"),
        (State::Rework, "t t R - - - W C"),
        (State::Approved, "t t - - - - - C"),
        (State::Completed, "t t - - - - - -"),
        (State::Declined, "- - - - - - - -"),
        (State::Taken, "t t - - - - - -"),
        (State::Expired, "e e - - - T W -"),
        (State::Withdrawn, "- - - - - - - -"),
    ];

    fn outcome(letter: &str) -> Result<State, Refusal> {
        match letter {
            "A" => Ok(State::Accepted),
            "D" => Ok(State::Declined),
            "T" => Ok(State::Taken),
            "W" => Ok(State::Withdrawn),
            "R" => Ok(State::Reported),
            "P" => Ok(State::Approved),
            "X" => Ok(State::Rework),
            "C" => Ok(State::Completed),
            "t" => Err(Refusal::OfferTaken),
            "e" => Err(Refusal::OfferExpired),
            _ => Err(Refusal::OfferState),
        }
    }

    #[test]
    fn every_transition_legal_and_illegal() {
        assert_eq!(TABLE.len(), State::ALL.len());
        for (from, row) in TABLE {
            for (action, letter) in ACTIONS.iter().zip(row.split(' ')) {
                assert_eq!(step(*from, *action), outcome(letter), "{from:?} {action:?}");
            }
        }
    }

    #[test]
    fn every_outcome_of_a_report_legal_and_illegal() {
        for before in Outcome::ALL {
            for after in Outcome::ALL {
                let mut report = Report {
                    offer: OfferId::new(),
                    round: 1,
                    summary: String::new(),
                    done: NaiveDate::MIN,
                    reported: Instant::from_micros(0),
                    reported_by: String::new(),
                    outcome: *before,
                    findings: String::new(),
                    decided: None,
                };
                let legal = *before == Outcome::Pending && *after != Outcome::Pending;
                assert_eq!(
                    report.decide(*after, String::new(), "acceptor", Instant::from_micros(1)),
                    legal,
                    "{before:?} {after:?}"
                );
                assert_eq!(report.outcome, if legal { *after } else { *before });
            }
        }
    }

    #[test]
    fn an_offer_is_over_when_its_time_has_come() {
        let time = Instant::from_micros;
        assert_eq!(at(State::Offered, time(100), time(99)), State::Offered);
        assert_eq!(at(State::Offered, time(100), time(100)), State::Expired);
        assert_eq!(at(State::Accepted, time(100), time(200)), State::Accepted);
    }
}
