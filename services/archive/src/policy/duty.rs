//! Rules of duties (D-03): what an issued version brings, when it is due, what follows.

use chrono::{Days, NaiveDate};

use super::control::ControlPage;
use crate::{refusal::Refusal, words};

words! {
    /// What is to be done.
    pub enum Kind {
        /// Training of a department (培训), once.
        Training "TRAINING",
        /// Examination (考试).
        Exam "EXAM",
        /// Inspection (检查).
        Inspection "INSPECTION",
        /// Review of the policy (评审).
        Review "REVIEW",
        /// Notification (通报).
        Notification "NOTIFICATION",
    }
}

words! {
    /// Where a duty stands.
    pub enum State {
        /// To be done.
        Open "OPEN",
        /// Its day has passed.
        Overdue "OVERDUE",
        /// Done.
        Done "DONE",
        /// Ended with its version.
        Cancelled "CANCELLED",
    }
}

words! {
    /// What moves a duty.
    pub enum Action {
        /// Its day passes.
        Miss "MISS",
        /// It is reported done.
        Complete "COMPLETE",
        /// Its version ends.
        Cancel "CANCEL",
    }
}

/// The steps of a duty.
pub const TRANSITIONS: &[(State, Action, State)] = &[
    (State::Open, Action::Miss, State::Overdue),
    (State::Open, Action::Complete, State::Done),
    (State::Open, Action::Cancel, State::Cancelled),
    (State::Overdue, Action::Complete, State::Done),
    (State::Overdue, Action::Cancel, State::Cancelled),
];

/// The state after an action.
///
/// # Errors
/// [`Refusal::PolicyDutyState`].
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    let found = TRANSITIONS.iter().find(|(state, by, _)| *state == from && *by == action);
    found.map(|(.., to)| *to).ok_or(Refusal::PolicyDutyState)
}

/// A duty to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct New {
    /// What is to be done.
    pub kind: Kind,
    /// By which department.
    pub department: String,
    /// Last day in time.
    pub due: NaiveDate,
}

/// Longest cycle.
const YEAR: i32 = 365;
/// Longest time for training.
const FORTNIGHT: i32 = 14;

/// The training of departments, counted from a day: the issue, or the day on which a department was added.
pub fn training(page: &ControlPage, departments: &[String], from: NaiveDate) -> Vec<New> {
    let due = after(from, page.training_days.clamp(1, FORTNIGHT));
    departments
        .iter()
        .map(|department| New {
            kind: Kind::Training,
            department: department.clone(),
            due,
        })
        .collect()
}

/// The recurring duties that begin when a version comes into force. A version that is valid while unchanged is reviewed all the same.
pub fn recurring(page: &ControlPage, from: NaiveDate) -> Vec<New> {
    [Kind::Exam, Kind::Inspection, Kind::Review, Kind::Notification]
        .into_iter()
        .filter_map(|kind| next(page, kind, from))
        .collect()
}

/// The duty after one that was done on a day; none after training.
pub fn next(page: &ControlPage, kind: Kind, done: NaiveDate) -> Option<New> {
    let (department, days) = match kind {
        Kind::Training => return None,
        Kind::Exam => (&page.examining_department, page.exam_days),
        Kind::Inspection => (&page.inspecting_department, page.inspection_days),
        Kind::Review => (&page.reviewing_department, page.review_days),
        Kind::Notification => (&page.issuing_department, page.notification_days),
    };
    Some(New {
        kind,
        department: department.clone(),
        due: after(done, days.clamp(1, YEAR)),
    })
}

fn after(day: NaiveDate, days: i32) -> NaiveDate {
    let days = u64::try_from(days).unwrap_or_default();
    day.checked_add_days(Days::new(days)).unwrap_or(NaiveDate::MAX)
}

/// Whether a duty's day has passed.
pub fn missed(due: NaiveDate, today: NaiveDate) -> bool {
    due < today
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn every_transition_of_a_duty() {
        for state in State::ALL {
            for action in Action::ALL {
                let expected = match (state, action) {
                    (State::Open, Action::Miss) => Ok(State::Overdue),
                    (State::Open | State::Overdue, Action::Complete) => Ok(State::Done),
                    (State::Open | State::Overdue, Action::Cancel) => Ok(State::Cancelled),
                    _ => Err(Refusal::PolicyDutyState),
                };
                assert_eq!(step(*state, *action), expected, "{state:?} {action:?}");
            }
        }
    }

    #[test]
    fn d_03_training_within_two_weeks_the_rest_within_a_year() {
        let page = ControlPage {
            training_days: 14,
            inspection_days: 180,
            review_days: 365,
            exam_days: 365,
            notification_days: 90,
            examining_department: "人力资源部".to_owned(),
            until_changed: true,
            ..ControlPage::default()
        };
        let departments = ["河西营业所".to_owned(), "客户服务部".to_owned()];
        let training = training(&page, &departments, day("2012-10-20"));
        assert_eq!(training.iter().map(|new| new.due).collect::<Vec<_>>(), [day("2012-11-03"); 2]);
        let recurring = recurring(&page, day("2012-10-21"));
        let due: Vec<_> = recurring.iter().map(|new| (new.kind, new.due)).collect();
        assert_eq!(
            due,
            [
                (Kind::Exam, day("2013-10-21")),
                (Kind::Inspection, day("2013-04-19")),
                (Kind::Review, day("2013-10-21")),
                (Kind::Notification, day("2013-01-19")),
            ]
        );
        let again = next(&page, Kind::Exam, day("2013-10-01")).unwrap();
        assert_eq!((again.department.as_str(), again.due), ("人力资源部", day("2014-10-01")));
        assert_eq!(next(&page, Kind::Training, day("2013-10-01")), None);
        assert!(!missed(day("2013-10-21"), day("2013-10-21")));
        assert!(missed(day("2013-10-21"), day("2013-10-22")));
    }
}
