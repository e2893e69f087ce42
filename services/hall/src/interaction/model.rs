//! The life of an entry: recorded before it is closed, closed with a reply.

use calendar::Instant;

use crate::codes::codes;

codes! {
    /// Where a contact stands.
    pub enum State {
        Received = 1 "RECEIVED",
        Recorded = 2 "RECORDED",
        Assigned = 3 "ASSIGNED",
        OpinionGiven = 4 "OPINION_GIVEN",
        Closed = 5 "CLOSED",
    }
}

codes! {
    /// How somebody turned to the utility, or was told.
    pub enum Channel {
        Call = 1 "CALL",
        Visit = 2 "VISIT",
        Letter = 3 "LETTER",
        Online = 4 "ONLINE",
        Superior = 5 "SUPERIOR",
    }
}

codes! {
    /// What came of a contact.
    pub enum Outcome {
        Answered = 1 "ANSWERED",
        DeclinedExplained = 2 "DECLINED_EXPLAINED",
        PassedOn = 3 "PASSED_ON",
        Withdrawn = 4 "WITHDRAWN",
    }
}

codes! {
    /// What is done with an entry.
    pub enum Action {
        Record = 1 "RECORD",
        Assign = 2 "ASSIGN",
        GiveOpinion = 3 "GIVE_OPINION",
        Link = 4 "LINK",
        Close = 5 "CLOSE",
    }
}

/// Every step of an entry that there is. One that is not written down cannot be closed, nor one whose opinion is awaited.
pub const STEPS: &[(State, Action, State)] = &[
    (State::Received, Action::Record, State::Recorded),
    (State::Recorded, Action::Assign, State::Assigned),
    (State::Recorded, Action::Link, State::Recorded),
    (State::Recorded, Action::Close, State::Closed),
    (State::Assigned, Action::Assign, State::Assigned),
    (State::Assigned, Action::GiveOpinion, State::OpinionGiven),
    (State::Assigned, Action::Link, State::Assigned),
    (State::OpinionGiven, Action::Assign, State::Assigned),
    (State::OpinionGiven, Action::Link, State::OpinionGiven),
    (State::OpinionGiven, Action::Close, State::Closed),
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

/// A handed-on question keeps its clock; only one that was answered before starts a new one.
pub fn starts_clock(from: State) -> bool {
    from != State::Assigned
}

/// A reply as it is given.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    pub outcome: Outcome,
    pub at: Instant,
    pub text: &'a str,
    pub rule_cited: &'a str,
    /// Whether a case or complaint came of the contact.
    pub linked: bool,
}

/// Why a reply does not close a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacks {
    /// a refusal without its rule, or a rule with another outcome.
    Rule,
    /// a refusal without an explanation.
    Explanation,
    /// Passed on, and to nothing.
    Link,
    /// The caller will be told, not has been.
    Past,
    /// The caller was told before turning to the utility.
    Order,
}

/// Whether a reply closes a contact that came in at `received`.
pub fn check(reply: Reply<'_>, received: Instant, now: Instant) -> Result<(), Lacks> {
    let declined = reply.outcome == Outcome::DeclinedExplained;
    if declined == reply.rule_cited.trim().is_empty() {
        Err(Lacks::Rule)
    } else if declined && reply.text.trim().is_empty() {
        Err(Lacks::Explanation)
    } else if reply.outcome == Outcome::PassedOn && !reply.linked {
        Err(Lacks::Link)
    } else if reply.at > now {
        Err(Lacks::Past)
    } else if reply.at < received {
        Err(Lacks::Order)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use contracts::hearth::hall::v1 as contract;

    use super::*;
    use crate::codes::{Code, assert_contract};

    #[test]
    fn the_lists_are_those_of_the_contract() {
        assert_contract::<State>("STATE_", |n| contract::interaction::State::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Channel>("CONTACT_CHANNEL_", |n| contract::ContactChannel::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Outcome>("INTERACTION_OUTCOME_", |n| {
            contract::InteractionOutcome::try_from(n).ok().map(|v| v.as_str_name())
        });
    }

    #[test]
    fn an_entry_takes_these_steps_and_no_other() {
        let legal = [
            "RECEIVED RECORD RECORDED",
            "RECORDED ASSIGN ASSIGNED",
            "RECORDED LINK RECORDED",
            "RECORDED CLOSE CLOSED",
            "ASSIGNED ASSIGN ASSIGNED",
            "ASSIGNED GIVE_OPINION OPINION_GIVEN",
            "ASSIGNED LINK ASSIGNED",
            "OPINION_GIVEN ASSIGN ASSIGNED",
            "OPINION_GIVEN LINK OPINION_GIVEN",
            "OPINION_GIVEN CLOSE CLOSED",
        ];
        let mut found = vec![];
        for from in State::ALL {
            for action in Action::ALL {
                if let Some(to) = step(*from, *action) {
                    found.push(format!("{} {} {}", from.code(), action.code(), to.code()));
                }
            }
        }
        assert_eq!(found, legal);
        assert_eq!(allowed(State::Received), ["RECORD"], "A-08: nothing else before it is written down");
        assert!(allowed(State::Closed).is_empty());
    }

    #[test]
    fn a_09_handing_on_an_unanswered_question_does_not_start_the_hour_anew() {
        let starts: Vec<_> = State::ALL.iter().copied().filter(|from| step(*from, Action::Assign).is_some()).collect();
        let starts: Vec<_> = starts.into_iter().map(|from| (from, starts_clock(from))).collect();
        assert_eq!(starts, [(State::Recorded, true), (State::Assigned, false), (State::OpinionGiven, true)]);
    }

    #[test]
    fn a_08_a_10_what_a_reply_has_to_hold() {
        let at = |text: &str| Instant::parse_rfc3339(text).unwrap();
        let (received, now) = (at("2025-03-03T09:00:00+08:00"), at("2025-03-03T09:30:00+08:00"));
        let reply = |outcome, text, rule_cited, linked| Reply {
            outcome,
            at: now,
            text,
            rule_cited,
            linked,
        };
        let rule = "城镇燃气管理条例 第28条";
        let cases = [
            (reply(Outcome::Answered, "", "", false), Ok(())),
            (reply(Outcome::Answered, "已处理", rule, false), Err(Lacks::Rule)),
            (reply(Outcome::DeclinedExplained, "不能私改", rule, false), Ok(())),
            (reply(Outcome::DeclinedExplained, "不能私改", " ", false), Err(Lacks::Rule)),
            (reply(Outcome::DeclinedExplained, " ", rule, false), Err(Lacks::Explanation)),
            (reply(Outcome::PassedOn, "", "", true), Ok(())),
            (reply(Outcome::PassedOn, "", "", false), Err(Lacks::Link)),
            (reply(Outcome::Withdrawn, "", "", false), Ok(())),
        ];
        for (reply, expected) in cases {
            assert_eq!(check(reply, received, now), expected, "{reply:?}");
        }
        let answered = reply(Outcome::Answered, "", "", false);
        let early = Reply {
            at: at("2025-03-03T08:59:59+08:00"),
            ..answered
        };
        let late = Reply {
            at: at("2025-03-03T09:30:01+08:00"),
            ..answered
        };
        assert_eq!(check(early, received, now), Err(Lacks::Order));
        assert_eq!(check(late, received, now), Err(Lacks::Past));
    }
}
