//! Why customers are called, who may call, how it is drawn, and what an answer means.

use calendar::{Calendar, CalendarMissing, Instant, NaiveDate};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    codes::{Code, codes},
    deadline::model::{Unit, rule},
};

codes! {
    /// Why a customer is called.
    pub enum Cause {
        GasOpened = 1 "GAS_OPENED",
        Leak = 2 "LEAK",
        Repair = 3 "REPAIR",
        ComplaintClosed = 4 "COMPLAINT_CLOSED",
        Inspection = 5 "INSPECTION",
        HazardNotice = 6 "HAZARD_NOTICE",
        CounterTransaction = 7 "COUNTER_TRANSACTION",
        OnlineSentiment = 8 "ONLINE_SENTIMENT",
        KeyAccount = 9 "KEY_ACCOUNT",
    }
}

codes! {
    /// Where a task stands.
    pub enum State {
        Planned = 1 "PLANNED",
        Due = 2 "DUE",
        Attempting = 3 "ATTEMPTING",
        Reached = 4 "REACHED",
        Satisfied = 5 "SATISFIED",
        Dissatisfied = 6 "DISSATISFIED",
        Rework = 7 "REWORK",
        SecondCallback = 8 "SECOND_CALLBACK",
        Escalated = 9 "ESCALATED",
        Unreachable = 10 "UNREACHABLE",
        Closed = 11 "CLOSED",
    }
}

codes! {
    /// What a task came to.
    pub enum Outcome {
        Reached = 1 "REACHED",
        Unreachable = 2 "UNREACHABLE",
        Suppressed = 3 "SUPPRESSED",
    }
}

codes! {
    /// How a customer is asked.
    pub enum Channel {
        Phone = 1 "PHONE",
        Sms = 2 "SMS",
        Visit = 3 "VISIT",
        AsReceived = 4 "AS_RECEIVED",
    }
}

codes! {
    /// Who calls at least.
    pub enum Rank {
        Agent = 1 "AGENT",
        Director = 2 "DIRECTOR",
    }
}

codes! {
    /// What is done again for a dissatisfied customer.
    pub enum Rework {
        Complaint = 1 "COMPLAINT",
        Order = 2 "ORDER",
    }
}

codes! {
    /// How the customer found the manners of staff (S-02).
    pub enum Courtesy {
        Courteous = 1 "COURTEOUS",
        Acceptable = 2 "ACCEPTABLE",
        Discourteous = 3 "DISCOURTEOUS",
    }
}

codes! {
    /// How a try went.
    pub enum Tried {
        Reached = 1 "REACHED",
        NoAnswer = 2 "NO_ANSWER",
        Busy = 3 "BUSY",
        NotTheCustomer = 4 "NOT_THE_CUSTOMER",
    }
}

codes! {
    /// Where a record stands.
    pub enum RecordState {
        Incomplete = 1 "INCOMPLETE",
        Complete = 2 "COMPLETE",
    }
}

codes! {
    /// What was decided about a happening.
    pub enum Verdict {
        Call = 1 "CALL",
        NotDrawn = 2 "NOT_DRAWN",
        Objected = 3 "OBJECTED",
        Anonymous = 4 "ANONYMOUS",
        NoContact = 5 "NO_CONTACT",
    }
}

codes! {
    /// What is done with a task.
    pub enum Action {
        Assign = 1 "ASSIGN",
        Attempt = 2 "ATTEMPT",
        Reach = 3 "REACH",
        Satisfy = 4 "SATISFY",
        Dissatisfy = 5 "DISSATISFY",
        OpenRework = 6 "OPEN_REWORK",
        ReworkDone = 7 "REWORK_DONE",
        Escalate = 8 "ESCALATE",
        GiveUp = 9 "GIVE_UP",
        Hold = 10 "HOLD",
        Suppress = 11 "SUPPRESS",
        Close = 12 "CLOSE",
    }
}

/// Every step of a task that there is. HOLD puts it back while its complaint goes on, SUPPRESS ends it at the customer's wish.
pub const STEPS: &[(State, Action, State)] = &[
    (State::Planned, Action::Assign, State::Due),
    (State::Planned, Action::Hold, State::Planned),
    (State::Planned, Action::Suppress, State::Closed),
    (State::Due, Action::Assign, State::Due),
    (State::Due, Action::Attempt, State::Attempting),
    (State::Due, Action::Hold, State::Planned),
    (State::Due, Action::Suppress, State::Closed),
    (State::Attempting, Action::Assign, State::Attempting),
    (State::Attempting, Action::Attempt, State::Attempting),
    (State::Attempting, Action::Reach, State::Reached),
    (State::Attempting, Action::GiveUp, State::Unreachable),
    (State::Attempting, Action::Hold, State::Planned),
    (State::Attempting, Action::Suppress, State::Closed),
    (State::Reached, Action::Satisfy, State::Satisfied),
    (State::Reached, Action::Dissatisfy, State::Dissatisfied),
    (State::Reached, Action::Hold, State::Planned),
    (State::Satisfied, Action::Hold, State::Planned),
    (State::Satisfied, Action::Close, State::Closed),
    (State::Dissatisfied, Action::OpenRework, State::Rework),
    (State::Rework, Action::ReworkDone, State::SecondCallback),
    (State::SecondCallback, Action::Assign, State::SecondCallback),
    (State::SecondCallback, Action::Attempt, State::SecondCallback),
    (State::SecondCallback, Action::Reach, State::SecondCallback),
    (State::SecondCallback, Action::Satisfy, State::SecondCallback),
    (State::SecondCallback, Action::Escalate, State::Escalated),
    (State::SecondCallback, Action::GiveUp, State::Unreachable),
    (State::SecondCallback, Action::Hold, State::Rework),
    (State::SecondCallback, Action::Suppress, State::Closed),
    (State::SecondCallback, Action::Close, State::Closed),
    (State::Escalated, Action::ReworkDone, State::SecondCallback),
    (State::Unreachable, Action::Hold, State::Planned),
    (State::Unreachable, Action::Close, State::Closed),
];

/// The state after a step; `None` where there is no such step.
pub fn step(from: State, action: Action) -> Option<State> {
    STEPS.iter().find(|(state, step, _)| *state == from && *step == action).map(|(_, _, to)| *to)
}

/// The steps that a state allows.
pub fn allowed(from: State) -> Vec<&'static str> {
    STEPS
        .iter()
        .filter(|(state, _, _)| *state == from)
        .map(|(_, action, _)| action.code())
        .collect()
}

codes! {
    /// What is done with a record.
    pub enum RecordAction {
        Sign = 1 "SIGN",
    }
}

/// Every step of a record that there is (C-08).
pub const RECORD_STEPS: &[(RecordState, RecordAction, RecordState)] = &[(RecordState::Incomplete, RecordAction::Sign, RecordState::Complete)];

/// The state of a record after a step; `None` where there is no such step.
pub fn record_step(from: RecordState, action: RecordAction) -> Option<RecordState> {
    RECORD_STEPS
        .iter()
        .find(|(state, step, _)| *state == from && *step == action)
        .map(|(_, _, to)| *to)
}

/// Where a record begins: a visit without a signature counts for nothing yet (C-08).
pub fn begins(channel: Channel, signed: bool) -> RecordState {
    if channel == Channel::Visit && !signed {
        RecordState::Incomplete
    } else {
        RecordState::Complete
    }
}

/// States in which a customer waits for a call.
pub const WAITING: [State; 4] = [State::Planned, State::Due, State::Attempting, State::SecondCallback];

/// States in which work is done again for a customer who was not satisfied (C-04).
pub const REWORKED: [State; 2] = [State::Rework, State::Escalated];

/// A policy as it ships.
pub struct Default {
    pub cause: Cause,
    /// Shares in 1/10000, without and with a hazard.
    pub rates: (i32, i32),
    pub unit: Unit,
    pub amount: i32,
    pub channel: Channel,
    pub fallback: Option<Channel>,
    pub min_rank: Rank,
    pub safety: bool,
    pub source: &'static str,
}

/// Attempts, and days over which they are spread, before a customer counts as unreachable (C-03).
pub const ATTEMPTS: (i32, i32) = (3, 2);

const fn by_phone(cause: Cause, unit: Unit, amount: i32, source: &'static str) -> Default {
    Default {
        cause,
        rates: (ALL, ALL),
        unit,
        amount,
        channel: Channel::Phone,
        fallback: None,
        min_rank: Rank::Agent,
        safety: false,
        source,
    }
}

/// The policies that ship (domain page, section 3), in force from the first day. Later versions are published.
pub const DEFAULTS: &[Default] = &[
    by_phone(Cause::ComplaintClosed, Unit::ElapsedMinutes, 4320, "D9, D10: every complaint, within 3 days"),
    Default {
        safety: true,
        ..by_phone(Cause::Leak, Unit::ElapsedMinutes, 1440, "W11: every leak, within 24 h")
    },
    Default {
        channel: Channel::Sms,
        fallback: Some(Channel::Phone),
        ..by_phone(Cause::Repair, Unit::WorkingDays, 2, "W5: every repair, within 2 working days")
    },
    by_phone(Cause::GasOpened, Unit::WorkingDays, 3, "E4-05: every opening, within 3 working days"),
    Default {
        rates: (1_000, ALL),
        ..by_phone(Cause::Inspection, Unit::ElapsedMinutes, 10_080, "10 %, with a hazard every one, within 7 days")
    },
    Default {
        safety: true,
        ..by_phone(Cause::HazardNotice, Unit::ElapsedMinutes, 4320, "D8: every notice of level 1, until day 3")
    },
    Default {
        rates: (500, 500),
        channel: Channel::Sms,
        ..by_phone(Cause::CounterTransaction, Unit::WorkingDays, 2, "5 %, within 2 working days")
    },
    Default {
        channel: Channel::AsReceived,
        ..by_phone(Cause::OnlineSentiment, Unit::ElapsedMinutes, 120, "D8: every one, within 2 h")
    },
    Default {
        channel: Channel::Visit,
        min_rank: Rank::Director,
        ..by_phone(Cause::KeyAccount, Unit::ElapsedMinutes, 43_200, "D9: monthly, by a visit with signature")
    },
];

/// When a call is due.
pub fn due(unit: Unit, amount: i32, from: Instant) -> Result<Instant, CalendarMissing> {
    calendar::due(Calendar::china(), &rule(unit, amount), from).map(|due| due.at)
}

/// Happenings that the hall has no record of: whoever tells of one gives its id, so that all of them are called (C-01).
pub const ONLY_TOLD: [Cause; 3] = [Cause::HazardNotice, Cause::OnlineSentiment, Cause::KeyAccount];

/// Every happening, in 1/10000.
pub const ALL: i32 = 10_000;

/// The share of happenings that are called, of the rates without and with a hazard.
pub fn rate(cause: Cause, rates: (i32, i32), hazard: bool) -> i32 {
    match hazard {
        _ if ONLY_TOLD.contains(&cause) => ALL,
        false => rates.0,
        true => rates.1,
    }
}

/// What is hashed for a draw (C-01): nothing that anybody could choose.
pub fn seed(cause: Cause, version: i32, about: Uuid) -> String {
    format!("{}/{version}:{about}", cause.code())
}

/// The number that a seed draws, 0 to 9999: anybody can work it out again.
pub fn draw(seed: &str) -> i32 {
    let digest = Sha256::digest(seed);
    let number = digest.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    i32::try_from(number % 10_000).unwrap_or_default()
}

/// Whether and how the customer can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    Known,
    /// There is no account and no phone.
    Unknown,
    Anonymous,
    /// The customer does not want to be called.
    Objects,
}

/// What a draw comes to. A wish not to be called holds except where safety asks for the call (C(e)).
pub fn verdict(number: i32, rate: i32, contact: Contact, safety: bool) -> Verdict {
    match contact {
        Contact::Anonymous => Verdict::Anonymous,
        Contact::Unknown => Verdict::NoContact,
        Contact::Objects if !safety => Verdict::Objected,
        _ if number >= rate => Verdict::NotDrawn,
        _ => Verdict::Call,
    }
}

/// How a vendor stands among the handlers of a matter.
pub fn vendor_mark(vendor: Uuid) -> String {
    format!("vendor:{vendor}")
}

/// Why somebody may not call (C-02).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barred {
    Handler,
    SameVendor,
}

/// Whether somebody may call: not a handler, not of a vendor whose crew did the work (C-02).
pub fn barred(handlers: &[String], login: &str, vendor: Option<Uuid>) -> Option<Barred> {
    if handlers.iter().any(|handler| handler == login) {
        return Some(Barred::Handler);
    }
    let mark = vendor.map(vendor_mark)?;
    handlers.contains(&mark).then_some(Barred::SameVendor)
}

/// Whether a customer counts as unreachable: enough attempts, on enough days (C-03).
pub fn unreachable(days: &[NaiveDate], max_attempts: i32, attempt_days: i32) -> bool {
    let mut distinct = days.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let at_least = |count: usize, wanted: i32| i32::try_from(count).is_ok_and(|count| count >= wanted);
    at_least(days.len(), max_attempts) && at_least(distinct.len(), attempt_days)
}

/// Whether an answer is a good one (C-04).
pub fn satisfied(score: i32, solved: bool) -> bool {
    score > 2 && solved
}

/// Whether a customer may be asked so: as planned, or by the second way once the first had no answer.
pub fn channel_fits(channel: Channel, planned: Channel, fallback: Option<Channel>, tried: bool) -> bool {
    channel == planned || (tried && fallback == Some(channel))
}

/// A share in per cent with two places, rounded half up; nothing where there is nothing to divide by.
pub fn percent(part: u64, whole: u64) -> Option<String> {
    let doubled = part.checked_mul(20_000)?.checked_add(whole)?;
    let hundredths = doubled.checked_div(whole.checked_mul(2)?)?;
    Some(format!("{}.{:02}", hundredths / 100, hundredths % 100))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use contracts::hearth::hall::v1 as contract;

    use super::*;
    use crate::codes::assert_contract;

    fn due_of(cause: Cause, from: &str) -> String {
        let policy = DEFAULTS.iter().find(|policy| policy.cause == cause).unwrap();
        let due = due(policy.unit, policy.amount, Instant::parse_rfc3339(from).unwrap()).unwrap();
        due.local().to_string()
    }

    #[test]
    fn the_lists_are_those_of_the_contract() {
        use contract::{callback_attempt, callback_draw, callback_record, callback_task};
        assert_contract::<Cause>("CAUSE_", |n| callback_task::Cause::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<State>("STATE_", |n| callback_task::State::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Outcome>("OUTCOME_", |n| callback_task::Outcome::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Channel>("CALLBACK_CHANNEL_", |n| contract::CallbackChannel::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Rank>("CALLBACK_RANK_", |n| contract::CallbackRank::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Rework>("REWORK_", |n| contract::Rework::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Courtesy>("COURTESY_", |n| contract::Courtesy::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Tried>("OUTCOME_", |n| callback_attempt::Outcome::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<RecordState>("STATE_", |n| callback_record::State::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Verdict>("VERDICT_", |n| callback_draw::Verdict::try_from(n).ok().map(|v| v.as_str_name()));
    }

    /// All pairs of state and action: the legal ones, and that there is no other.
    #[test]
    fn a_task_takes_these_steps_and_no_other() {
        let legal = "PLANNED: ASSIGN>DUE HOLD>PLANNED SUPPRESS>CLOSED
            DUE: ASSIGN>DUE ATTEMPT>ATTEMPTING HOLD>PLANNED SUPPRESS>CLOSED
            ATTEMPTING: ASSIGN>ATTEMPTING ATTEMPT>ATTEMPTING REACH>REACHED GIVE_UP>UNREACHABLE HOLD>PLANNED SUPPRESS>CLOSED
            REACHED: SATISFY>SATISFIED DISSATISFY>DISSATISFIED HOLD>PLANNED
            SATISFIED: HOLD>PLANNED CLOSE>CLOSED
            DISSATISFIED: OPEN_REWORK>REWORK
            REWORK: REWORK_DONE>SECOND_CALLBACK
            SECOND_CALLBACK: ASSIGN>SECOND_CALLBACK ATTEMPT>SECOND_CALLBACK REACH>SECOND_CALLBACK SATISFY>SECOND_CALLBACK ESCALATE>ESCALATED GIVE_UP>UNREACHABLE HOLD>REWORK SUPPRESS>CLOSED CLOSE>CLOSED
            ESCALATED: REWORK_DONE>SECOND_CALLBACK
            UNREACHABLE: HOLD>PLANNED CLOSE>CLOSED
            CLOSED:";
        let mut table = vec![];
        for from in State::ALL {
            let steps = Action::ALL
                .iter()
                .filter_map(|action| step(*from, *action).map(|to| format!(" {}>{}", action.code(), to.code())));
            table.push(format!("{}:{}", from.code(), steps.collect::<String>()));
        }
        let legal: Vec<_> = legal.lines().map(str::trim).collect();
        assert_eq!(table, legal);
        assert_eq!(STEPS.len(), 32, "no pair stands twice");
    }

    #[test]
    fn c_08_a_record_takes_these_steps_and_no_other() {
        let mut found = vec![];
        for from in RecordState::ALL {
            for action in RecordAction::ALL {
                found.push((*from, *action, record_step(*from, *action)));
            }
        }
        let legal = [
            (RecordState::Incomplete, RecordAction::Sign, Some(RecordState::Complete)),
            (RecordState::Complete, RecordAction::Sign, None),
        ];
        assert_eq!(found, legal);
        assert_eq!(RECORD_STEPS.len(), 1, "no pair stands twice");
        for channel in Channel::ALL {
            let unsigned = if *channel == Channel::Visit {
                RecordState::Incomplete
            } else {
                RecordState::Complete
            };
            assert_eq!(
                (begins(*channel, false), begins(*channel, true)),
                (unsigned, RecordState::Complete),
                "{channel:?}"
            );
        }
    }

    #[test]
    fn every_cause_has_one_policy() {
        let causes: Vec<_> = DEFAULTS.iter().map(|policy| policy.cause).collect();
        for cause in Cause::ALL {
            assert_eq!(causes.iter().filter(|of| *of == cause).count(), 1, "{cause:?}");
        }
        assert_eq!(ATTEMPTS, (3, 2));
    }

    #[test]
    fn e4_05_a_call_after_an_opening_is_due_in_three_working_days() {
        // Wednesday 2025-04-30: 1 to 5 May is a holiday, 27 April was worked for it; then 6, 7 and 8 May.
        assert_eq!(due_of(Cause::GasOpened, "2025-04-30T15:00:00+08:00"), "2025-05-08 23:59:59.999999");
    }

    #[test]
    fn section_3_calls_are_due_as_the_table_says() {
        // A Friday.
        let friday = "2025-03-07T15:00:00+08:00";
        assert_eq!(due_of(Cause::ComplaintClosed, friday), "2025-03-10 15:00:00");
        assert_eq!(due_of(Cause::Leak, friday), "2025-03-08 15:00:00");
        assert_eq!(due_of(Cause::Repair, friday), "2025-03-11 23:59:59.999999");
        assert_eq!(due_of(Cause::Inspection, friday), "2025-03-14 15:00:00");
        assert_eq!(due_of(Cause::HazardNotice, friday), "2025-03-10 15:00:00");
        assert_eq!(due_of(Cause::CounterTransaction, friday), "2025-03-11 23:59:59.999999");
        assert_eq!(due_of(Cause::OnlineSentiment, friday), "2025-03-07 17:00:00");
        assert_eq!(due_of(Cause::KeyAccount, friday), "2025-04-06 15:00:00");
    }

    /// Expected numbers worked out with another program: SHA-256, first 8 bytes, modulo 10000.
    #[test]
    fn c_01_a_draw_can_be_worked_out_again() {
        let about = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001);
        let seed = seed(Cause::CounterTransaction, 1, about);
        assert_eq!(seed, "COUNTER_TRANSACTION/1:00000000-0000-7000-8000-000000000001");
        assert_eq!(draw(&seed), 2_931);
        assert_eq!(draw(&super::seed(Cause::CounterTransaction, 2, about)), 896, "another version draws anew");
        assert_eq!(draw(&super::seed(Cause::Inspection, 1, about)), 4_601);
    }

    #[test]
    fn c_01_what_people_only_tell_of_is_called_every_time() {
        let share = |cause| (rate(cause, (500, 700), false), rate(cause, (500, 700), true));
        for cause in Cause::ALL {
            let told = matches!(cause, Cause::HazardNotice | Cause::OnlineSentiment | Cause::KeyAccount);
            assert_eq!(share(*cause), if told { (10_000, 10_000) } else { (500, 700) }, "{cause:?}");
        }
    }

    #[test]
    fn c_01_draws_keep_to_the_rate() {
        let drawn = (0..20_000_u128).filter(|n| draw(&seed(Cause::CounterTransaction, 1, Uuid::from_u128(*n))) < 500);
        let drawn = drawn.count();
        // 5 % of 20000 is 1000; four times the standard deviation is 123.
        assert!((877..=1123).contains(&drawn), "{drawn}");
    }

    #[test]
    fn c_e_a_wish_not_to_be_called_holds_except_for_safety() {
        assert_eq!(verdict(0, 10_000, Contact::Objects, false), Verdict::Objected);
        assert_eq!(verdict(0, 10_000, Contact::Objects, true), Verdict::Call);
        assert_eq!(verdict(9_999, 10_000, Contact::Known, false), Verdict::Call);
        assert_eq!(verdict(500, 500, Contact::Known, false), Verdict::NotDrawn);
        assert_eq!(verdict(499, 500, Contact::Known, false), Verdict::Call);
        assert_eq!(verdict(0, 10_000, Contact::Anonymous, true), Verdict::Anonymous);
        assert_eq!(verdict(0, 10_000, Contact::Unknown, true), Verdict::NoContact);
    }

    #[test]
    fn c_02_neither_handlers_nor_their_vendor_call() {
        let (own, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let handlers = ["li".to_owned(), vendor_mark(own)];
        assert_eq!(barred(&handlers, "li", None), Some(Barred::Handler));
        assert_eq!(barred(&handlers, "wang", Some(own)), Some(Barred::SameVendor));
        assert_eq!(barred(&handlers, "wang", Some(other)), None);
        assert_eq!(barred(&handlers, "wang", None), None);
    }

    #[test]
    fn c_03_three_attempts_on_two_days() {
        let day = |day| NaiveDate::from_ymd_opt(2025, 3, day).unwrap();
        assert!(!unreachable(&[day(3), day(4)], 3, 2));
        assert!(!unreachable(&[day(3), day(3), day(3)], 3, 2));
        assert!(unreachable(&[day(3), day(3), day(4)], 3, 2));
        assert!(unreachable(&[day(3), day(3), day(3), day(4)], 3, 2));
    }

    #[test]
    fn c_04_two_or_less_or_not_solved_is_no_good_answer() {
        let good: Vec<_> = (1..=5)
            .flat_map(|score| [(score, false), (score, true)])
            .filter(|(score, solved)| satisfied(*score, *solved))
            .collect();
        assert_eq!(good, [(3, true), (4, true), (5, true)]);
    }

    #[test]
    fn the_second_way_is_taken_after_the_first() {
        use Channel::{Phone, Sms, Visit};
        assert!(channel_fits(Sms, Sms, Some(Phone), false));
        assert!(!channel_fits(Phone, Sms, Some(Phone), false));
        assert!(channel_fits(Phone, Sms, Some(Phone), true));
        assert!(!channel_fits(Phone, Visit, None, true));
    }

    #[test]
    fn c_03_shares_are_rounded_half_up() {
        assert_eq!(percent(2, 3), Some("66.67".to_owned()));
        assert_eq!(percent(1, 3), Some("33.33".to_owned()));
        assert_eq!(percent(1, 8), Some("12.50".to_owned()));
        assert_eq!(percent(1, 20_000), Some("0.01".to_owned()));
        assert_eq!(percent(3, 3), Some("100.00".to_owned()));
        assert_eq!(percent(0, 0), None);
    }
}
