//! The life of a case: one table for every channel.

use crate::{codes::codes, complaint::model::Utility};

codes! {
    /// Where a case stands.
    pub enum State {
        Received = 1 "RECEIVED",
        Assigned = 2 "ASSIGNED",
        Answered = 3 "ANSWERED",
        Closed = 4 "CLOSED",
        Reopened = 5 "REOPENED",
    }
}

codes! {
    /// How a case came in, or how an answer went out.
    pub enum Channel {
        Counter = 1 "COUNTER",
        Hotline = 2 "HOTLINE",
        App = 3 "APP",
        MiniProgram = 4 "MINI_PROGRAM",
        Email = 5 "EMAIL",
        Letter = 6 "LETTER",
        VendorPortal = 7 "VENDOR_PORTAL",
        Superior = 8 "SUPERIOR",
    }
}

codes! {
    /// What a case is about.
    pub enum Category {
        GasLeak = 1 "GAS_LEAK",
        GasRepair = 2 "GAS_REPAIR",
        GasQuery = 3 "GAS_QUERY",
        ReadingDispute = 4 "READING_DISPUTE",
        ChangeOfName = 5 "CHANGE_OF_NAME",
        ConnectionHousehold = 6 "CONNECTION_HOUSEHOLD",
        ConnectionBusiness = 7 "CONNECTION_BUSINESS",
        Restart = 8 "RESTART",
        HeatQuery = 9 "HEAT_QUERY",
        HeatLeak = 10 "HEAT_LEAK",
        HeatStationOpinion = 11 "HEAT_STATION_OPINION",
        Complaint = 12 "COMPLAINT",
        AuthorityComplaint = 13 "AUTHORITY_COMPLAINT",
        StaffConduct = 14 "STAFF_CONDUCT",
        Other = 15 "OTHER",
        HeatComplaint = 16 "HEAT_COMPLAINT",
    }
}

codes! {
    /// How a case ended for the customer.
    pub enum Outcome {
        Resolved = 1 "RESOLVED",
        DeclinedExplained = 2 "DECLINED_EXPLAINED",
        NoFaultFound = 3 "NO_FAULT_FOUND",
        Withdrawn = 4 "WITHDRAWN",
    }
}

codes! {
    /// What is done with a case.
    pub enum Action {
        Assign = 1 "ASSIGN",
        Respond = 2 "RESPOND",
        Recategorise = 3 "RECATEGORISE",
        Answer = 4 "ANSWER",
        Close = 5 "CLOSE",
        Reopen = 6 "REOPEN",
    }
}

/// Every step of a case that there is.
pub const STEPS: &[(State, Action, State)] = &[
    (State::Received, Action::Assign, State::Assigned),
    (State::Received, Action::Respond, State::Received),
    (State::Received, Action::Recategorise, State::Received),
    (State::Assigned, Action::Assign, State::Assigned),
    (State::Assigned, Action::Respond, State::Assigned),
    (State::Assigned, Action::Recategorise, State::Assigned),
    (State::Assigned, Action::Answer, State::Answered),
    (State::Answered, Action::Close, State::Closed),
    (State::Answered, Action::Reopen, State::Reopened),
    (State::Closed, Action::Reopen, State::Reopened),
    (State::Reopened, Action::Assign, State::Assigned),
    (State::Reopened, Action::Recategorise, State::Reopened),
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

/// Categories that say what is supplied.
const UTILITIES: &[(Category, Utility)] = &[
    (Category::GasLeak, Utility::Gas),
    (Category::GasRepair, Utility::Gas),
    (Category::GasQuery, Utility::Gas),
    (Category::HeatQuery, Utility::Heat),
    (Category::HeatLeak, Utility::Heat),
    (Category::HeatStationOpinion, Utility::Heat),
    (Category::HeatComplaint, Utility::Heat),
];

/// What is supplied, where the category says so.
pub fn utility(category: Category) -> Option<Utility> {
    UTILITIES.iter().find(|(of, _)| *of == category).map(|(_, utility)| *utility)
}

/// Categories that only a manager closes.
pub const COMPLAINTS: &[Category] = &[
    Category::Complaint,
    Category::HeatComplaint,
    Category::AuthorityComplaint,
    Category::StaffConduct,
];

/// Whether promises of this subject are those of a category of complaints.
pub fn is_complaint(subject: &str) -> bool {
    use crate::codes::Code;
    COMPLAINTS.iter().any(|category| category.code() == subject)
}

/// a refusal cites its rule, another outcome cites none.
pub fn cites_rightly(outcome: Outcome, rule: &str) -> bool {
    (outcome == Outcome::DeclinedExplained) != rule.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use contracts::hearth::hall::v1 as contract;

    use super::*;
    use crate::codes::{Code, assert_contract};

    #[test]
    fn the_lists_are_those_of_the_contract() {
        assert_contract::<State>("STATE_", |n| contract::case::State::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Channel>("CHANNEL_", |n| contract::Channel::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Category>("CATEGORY_", |n| contract::Category::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Outcome>("OUTCOME_", |n| contract::Outcome::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn a_case_takes_these_steps_and_no_other() {
        let legal = [
            "RECEIVED ASSIGN ASSIGNED",
            "RECEIVED RESPOND RECEIVED",
            "RECEIVED RECATEGORISE RECEIVED",
            "ASSIGNED ASSIGN ASSIGNED",
            "ASSIGNED RESPOND ASSIGNED",
            "ASSIGNED RECATEGORISE ASSIGNED",
            "ASSIGNED ANSWER ANSWERED",
            "ANSWERED CLOSE CLOSED",
            "ANSWERED REOPEN REOPENED",
            "CLOSED REOPEN REOPENED",
            "REOPENED ASSIGN ASSIGNED",
            "REOPENED RECATEGORISE REOPENED",
        ];
        let mut found = vec![];
        for from in State::ALL {
            for action in Action::ALL {
                if let Some(to) = step(*from, *action) {
                    found.push(format!("{} {} {}", from.code(), action.code(), to.code()));
                }
            }
        }
        found.sort();
        let mut legal = legal.map(str::to_owned).to_vec();
        legal.sort();
        assert_eq!(found, legal);
    }

    #[test]
    fn categories_of_gas_and_heat_say_so() {
        for category in Category::ALL {
            let named = category.code().split('_').next();
            let expected = match named {
                Some("GAS") => Some(Utility::Gas),
                Some("HEAT") => Some(Utility::Heat),
                _ => None,
            };
            assert_eq!(utility(*category), expected, "{category:?}");
        }
    }

    #[test]
    fn a_10_a_refusal_cites_its_rule() {
        assert!(cites_rightly(Outcome::DeclinedExplained, "Gas regulation art. 20"));
        assert!(!cites_rightly(Outcome::DeclinedExplained, " "));
        assert!(cites_rightly(Outcome::Resolved, ""));
        assert!(!cites_rightly(Outcome::Resolved, "Gas regulation art. 20"));
    }
}
