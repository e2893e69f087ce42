//! The life of a complaint, the promises of each category, and who is whose duplicate.

use uuid::Uuid;

use crate::codes::codes;

codes! {
    /// Where a complaint stands.
    pub enum State {
        Received = 1 "RECEIVED",
        Classified = 2 "CLASSIFIED",
        Assigned = 3 "ASSIGNED",
        Investigating = 4 "INVESTIGATING",
        Proposed = 5 "PROPOSED",
        Replied = 6 "REPLIED",
        Callback = 7 "CALLBACK",
        Closed = 8 "CLOSED",
        Reopened = 9 "REOPENED",
        Escalated = 10 "ESCALATED",
        Linked = 11 "LINKED",
    }
}

codes! {
    /// What is supplied.
    pub enum Utility {
        Gas = 1 "GAS",
        Heat = 2 "HEAT",
    }
}

codes! {
    /// What a complaint is about.
    pub enum Category {
        Billing = 1 "BILLING",
        Metering = 2 "METERING",
        Supply = 3 "SUPPLY",
        Repair = 4 "REPAIR",
        Safety = 5 "SAFETY",
        Attitude = 6 "ATTITUDE",
        Delay = 7 "DELAY",
        Contract = 8 "CONTRACT",
        Suggestion = 9 "SUGGESTION",
        Other = 10 "OTHER",
    }
}

codes! {
    /// What was found.
    pub enum Finding {
        Upheld = 1 "UPHELD",
        PartlyUpheld = 2 "PARTLY_UPHELD",
        NotUpheld = 3 "NOT_UPHELD",
    }
}

impl Finding {
    /// Whether the reporter is right, if only in part.
    pub const fn upheld(self) -> bool {
        matches!(self, Self::Upheld | Self::PartlyUpheld)
    }
}

codes! {
    /// What is done with a complaint.
    pub enum Action {
        Classify = 1 "CLASSIFY",
        Link = 2 "LINK",
        Respond = 3 "RESPOND",
        Assign = 4 "ASSIGN",
        Investigate = 5 "INVESTIGATE",
        Visit = 6 "VISIT",
        Recategorise = 7 "RECATEGORISE",
        Propose = 8 "PROPOSE",
        Reply = 9 "REPLY",
        CallBack = 10 "CALL_BACK",
        Close = 11 "CLOSE",
        Reopen = 12 "REOPEN",
        Escalate = 13 "ESCALATE",
    }
}

/// Every step of a complaint that there is. One that turns out to be a duplicate is linked as long as nobody has answered it (C-06), and what was
/// linked to it goes along.
pub const STEPS: &[(State, Action, State)] = &[
    (State::Received, Action::Classify, State::Classified),
    (State::Received, Action::Link, State::Linked),
    (State::Received, Action::Respond, State::Received),
    (State::Received, Action::Escalate, State::Escalated),
    (State::Classified, Action::Link, State::Linked),
    (State::Classified, Action::Respond, State::Classified),
    (State::Classified, Action::Recategorise, State::Classified),
    (State::Classified, Action::Assign, State::Assigned),
    (State::Classified, Action::Escalate, State::Escalated),
    (State::Assigned, Action::Link, State::Linked),
    (State::Assigned, Action::Respond, State::Assigned),
    (State::Assigned, Action::Recategorise, State::Assigned),
    (State::Assigned, Action::Assign, State::Assigned),
    (State::Assigned, Action::Visit, State::Assigned),
    (State::Assigned, Action::Investigate, State::Investigating),
    (State::Assigned, Action::Escalate, State::Escalated),
    (State::Investigating, Action::Link, State::Linked),
    (State::Investigating, Action::Respond, State::Investigating),
    (State::Investigating, Action::Recategorise, State::Investigating),
    (State::Investigating, Action::Assign, State::Assigned),
    (State::Investigating, Action::Visit, State::Investigating),
    (State::Investigating, Action::Propose, State::Proposed),
    (State::Investigating, Action::Escalate, State::Escalated),
    (State::Proposed, Action::Investigate, State::Investigating),
    (State::Proposed, Action::Reply, State::Replied),
    (State::Proposed, Action::Escalate, State::Escalated),
    (State::Replied, Action::CallBack, State::Callback),
    (State::Replied, Action::Close, State::Closed),
    (State::Replied, Action::Escalate, State::Escalated),
    (State::Callback, Action::Close, State::Closed),
    (State::Callback, Action::Reopen, State::Reopened),
    (State::Callback, Action::Escalate, State::Escalated),
    (State::Reopened, Action::Recategorise, State::Reopened),
    (State::Reopened, Action::Assign, State::Assigned),
    (State::Reopened, Action::Investigate, State::Investigating),
    (State::Reopened, Action::Escalate, State::Escalated),
    (State::Escalated, Action::Assign, State::Assigned),
    (State::Linked, Action::Link, State::Linked),
    (State::Linked, Action::Respond, State::Linked),
    (State::Linked, Action::Reply, State::Linked),
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

/// Steps by which nobody becomes a handler: the matter is only taken down, or moved by a call (C-02).
const NOT_HANDLING: &[&str] = &["OPEN", "REOPEN", "ESCALATE"];

/// Whether a step makes whoever takes it a handler.
pub fn handles(action: &str) -> bool {
    !NOT_HANDLING.contains(&action)
}

/// Promises of complaints: what is supplied and what it is about, the first match counts; no category stands for all others.
const SUBJECTS: &[(Option<Utility>, Option<Category>, &str)] = &[
    (None, Some(Category::Suggestion), "SUGGESTION"),
    (Some(Utility::Gas), Some(Category::Safety), "COMPLAINT_GAS_SAFETY"),
    (Some(Utility::Heat), Some(Category::Safety), "COMPLAINT_HEAT_SAFETY"),
    (Some(Utility::Heat), Some(Category::Supply), "COMPLAINT_HEAT_SUPPLY"),
    (Some(Utility::Gas), None, "COMPLAINT_GAS"),
    (Some(Utility::Heat), None, "COMPLAINT_HEAT"),
];

/// The subject of the promises for a complaint.
pub fn subject(utility: Utility, category: Option<Category>) -> &'static str {
    let fits = |(of, about, _): &&(Option<Utility>, Option<Category>, &str)| of.is_none_or(|of| of == utility) && (about.is_none() || *about == category);
    SUBJECTS.iter().find(fits).map_or("COMPLAINT_GAS", |(_, _, subject)| *subject)
}

/// Whether promises of this subject are those of complaints.
pub fn is_subject(subject: &str) -> bool {
    SUBJECTS.iter().any(|(_, _, known)| *known == subject)
}

/// By what the duplicates of a complaint are known (C-06): the customer, who is an account or somebody with a phone, and the premises.
/// Empty where nobody knows the customer.
pub fn reporter_key(account: Option<Uuid>, phone_index: Option<&[u8]>, premises: Option<Uuid>) -> String {
    let premises = premises.map(|id| id.to_string()).unwrap_or_default();
    match (account, phone_index) {
        (Some(account), _) => format!("account:{account}:{premises}"),
        (None, Some(index)) => format!("phone:{}:{premises}", hex::encode(index)),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use contracts::hearth::hall::v1 as contract;

    use super::*;
    use crate::codes::{Code, assert_contract};

    #[test]
    fn the_lists_are_those_of_the_contract() {
        assert_contract::<State>("STATE_", |n| contract::complaint::State::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Utility>("UTILITY_", |n| contract::Utility::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Category>("COMPLAINT_CATEGORY_", |n| {
            contract::ComplaintCategory::try_from(n).ok().map(|v| v.as_str_name())
        });
        assert_contract::<Finding>("FINDING_", |n| contract::Finding::try_from(n).ok().map(|v| v.as_str_name()));
    }

    /// All pairs of state and action: the legal ones, and that there is no other.
    #[test]
    fn a_complaint_takes_these_steps_and_no_other() {
        let legal = "RECEIVED: CLASSIFY>CLASSIFIED LINK>LINKED RESPOND>RECEIVED ESCALATE>ESCALATED
            CLASSIFIED: LINK>LINKED RESPOND>CLASSIFIED ASSIGN>ASSIGNED RECATEGORISE>CLASSIFIED ESCALATE>ESCALATED
            ASSIGNED: LINK>LINKED RESPOND>ASSIGNED ASSIGN>ASSIGNED INVESTIGATE>INVESTIGATING VISIT>ASSIGNED RECATEGORISE>ASSIGNED ESCALATE>ESCALATED
            INVESTIGATING: LINK>LINKED RESPOND>INVESTIGATING ASSIGN>ASSIGNED VISIT>INVESTIGATING RECATEGORISE>INVESTIGATING PROPOSE>PROPOSED ESCALATE>ESCALATED
            PROPOSED: INVESTIGATE>INVESTIGATING REPLY>REPLIED ESCALATE>ESCALATED
            REPLIED: CALL_BACK>CALLBACK CLOSE>CLOSED ESCALATE>ESCALATED
            CALLBACK: CLOSE>CLOSED REOPEN>REOPENED ESCALATE>ESCALATED
            CLOSED:
            REOPENED: ASSIGN>ASSIGNED INVESTIGATE>INVESTIGATING RECATEGORISE>REOPENED ESCALATE>ESCALATED
            ESCALATED: ASSIGN>ASSIGNED
            LINKED: LINK>LINKED RESPOND>LINKED REPLY>LINKED";
        let mut table = vec![];
        for from in State::ALL {
            let steps = Action::ALL
                .iter()
                .filter_map(|action| step(*from, *action).map(|to| format!(" {}>{}", action.code(), to.code())));
            table.push(format!("{}:{}", from.code(), steps.collect::<String>()));
        }
        let legal: Vec<_> = legal.lines().map(str::trim).collect();
        assert_eq!(table, legal);
        assert_eq!(STEPS.len(), 40, "no pair stands twice");
    }

    #[test]
    fn every_open_complaint_may_be_escalated() {
        let settled = [State::Closed, State::Linked, State::Escalated];
        for state in State::ALL {
            assert_eq!(step(*state, Action::Escalate).is_some(), !settled.contains(state), "{state:?}");
        }
    }

    #[test]
    fn c_05_each_category_has_its_promises() {
        assert_eq!(subject(Utility::Gas, None), "COMPLAINT_GAS");
        assert_eq!(subject(Utility::Heat, None), "COMPLAINT_HEAT");
        assert_eq!(subject(Utility::Gas, Some(Category::Billing)), "COMPLAINT_GAS");
        assert_eq!(subject(Utility::Gas, Some(Category::Supply)), "COMPLAINT_GAS");
        assert_eq!(subject(Utility::Heat, Some(Category::Supply)), "COMPLAINT_HEAT_SUPPLY");
        assert_eq!(subject(Utility::Gas, Some(Category::Safety)), "COMPLAINT_GAS_SAFETY");
        assert_eq!(subject(Utility::Heat, Some(Category::Safety)), "COMPLAINT_HEAT_SAFETY");
        assert_eq!(subject(Utility::Heat, Some(Category::Suggestion)), "SUGGESTION");
        for (_, _, subject) in SUBJECTS {
            let promised = crate::deadline::model::DEFAULTS
                .iter()
                .filter(|(of, ..)| of == subject)
                .map(|(_, clock, ..)| *clock);
            let promised: Vec<_> = promised.collect();
            assert!(promised.contains(&crate::deadline::model::Clock::FirstResponse), "{subject}");
            assert!(promised.contains(&crate::deadline::model::Clock::Resolution), "{subject}");
        }
    }

    #[test]
    fn c_06_duplicates_are_of_one_customer_and_one_place() {
        let (account, premises) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let key = reporter_key(Some(account), None, Some(premises));
        assert_eq!(key, reporter_key(Some(account), Some(&[7]), Some(premises)), "the account says who it is");
        assert_ne!(key, reporter_key(Some(account), None, None));
        assert_ne!(reporter_key(None, Some(&[1, 2]), None), reporter_key(None, Some(&[1, 3]), None));
        assert_eq!(reporter_key(None, Some(&[1, 0xab]), None), "phone:01ab:");
        assert_eq!(reporter_key(None, None, Some(premises)), "", "an anonymous one is nobody's duplicate");
    }

    #[test]
    fn c_02_whoever_works_on_it_is_a_handler() {
        assert!(["CLASSIFY", "ASSIGN", "INVESTIGATE", "PROPOSE", "REPLY", "CALL_BACK"].into_iter().all(handles));
        assert!(!handles("OPEN") && !handles("ESCALATE"));
    }
}
