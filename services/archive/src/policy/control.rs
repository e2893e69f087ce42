//! The control page (文件控制页) and the sections of a version.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{refusal::Refusal, words};

words! {
    /// What a section is.
    #[derive(Serialize, Deserialize)]
    pub enum Part {
        /// Preface (前言).
        #[serde(rename = "PREFACE")]
        Preface "PREFACE",
        /// Purpose (文档目的).
        #[serde(rename = "PURPOSE")]
        Purpose "PURPOSE",
        /// Objective (文档目标).
        #[serde(rename = "OBJECTIVE")]
        Objective "OBJECTIVE",
        /// Principle (文档原则).
        #[serde(rename = "PRINCIPLE")]
        Principle "PRINCIPLE",
        /// Anything else.
        #[serde(rename = "BODY")]
        Body "BODY",
    }
}

words! {
    /// The seven clauses that must be explicit (制度七明确条款).
    pub enum Clause {
        /// Reward and penalty rules (奖罚细则).
        RewardAndPenalty "REWARD_AND_PENALTY",
        /// Departments that issue, inspect, review, execute, train, examine, and the form of distribution.
        Departments "DEPARTMENTS",
        /// Scope, report-to and send-to.
        Scope "SCOPE",
        /// Dates and validity.
        Dates "DATES",
        /// Cycles of training, inspection, review, examination and notification, with form and content.
        Cycles "CYCLES",
        /// Interpreting department (解释部门).
        Interpretation "INTERPRETATION",
        /// Conflict handling (矛盾处理).
        Conflicts "CONFLICTS",
    }
}

/// The control page; in a draft anything may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of the contract, which explains them")]
pub struct ControlPage {
    pub printed_by: String,
    pub proofread_by: String,
    pub copies: i32,
    pub reward_and_penalty: String,
    pub issuing_department: String,
    pub inspecting_department: String,
    pub reviewing_department: String,
    pub executing_department: String,
    pub training_department: String,
    pub examining_department: String,
    pub distribution_form: String,
    pub scope: String,
    pub report_to: Vec<String>,
    pub send_to: Vec<String>,
    pub distribution: Vec<String>,
    pub effective: Option<NaiveDate>,
    pub valid_until: Option<NaiveDate>,
    pub until_changed: bool,
    pub training_days: i32,
    pub inspection_days: i32,
    pub review_days: i32,
    pub exam_days: i32,
    pub notification_days: i32,
    pub notification_form: String,
    pub notification_content: String,
    pub interpreting_department: String,
    pub conflict_handling: String,
    pub contact_phone: String,
}

/// One field that a clause needs.
pub struct Explicit {
    /// The clause.
    pub clause: Clause,
    /// Name of the field in the contract.
    pub field: &'static str,
    filled: fn(&ControlPage) -> bool,
}

const fn explicit(clause: Clause, field: &'static str, filled: fn(&ControlPage) -> bool) -> Explicit {
    Explicit { clause, field, filled }
}

/// What the seven clauses consist of (D-01): numbers 6 and 7 stand so on the page of the seed, 1 to 5 are read from its scrambled rest.
pub const SEVEN_CLAUSES: [Explicit; 22] = [
    explicit(Clause::RewardAndPenalty, "reward_and_penalty", |p| !p.reward_and_penalty.is_empty()),
    explicit(Clause::Departments, "issuing_department", |p| !p.issuing_department.is_empty()),
    explicit(Clause::Departments, "inspecting_department", |p| !p.inspecting_department.is_empty()),
    explicit(Clause::Departments, "reviewing_department", |p| !p.reviewing_department.is_empty()),
    explicit(Clause::Departments, "executing_department", |p| !p.executing_department.is_empty()),
    explicit(Clause::Departments, "training_department", |p| !p.training_department.is_empty()),
    explicit(Clause::Departments, "examining_department", |p| !p.examining_department.is_empty()),
    explicit(Clause::Departments, "distribution_form", |p| !p.distribution_form.is_empty()),
    explicit(Clause::Scope, "scope", |p| !p.scope.is_empty()),
    explicit(Clause::Scope, "report_to", |p| !p.report_to.is_empty()),
    explicit(Clause::Scope, "send_to", |p| !p.send_to.is_empty()),
    explicit(Clause::Dates, "effective_date", |p| p.effective.is_some()),
    explicit(Clause::Dates, "valid_until_date", |p| p.valid_until.is_some() || p.until_changed),
    explicit(Clause::Cycles, "training_days", |p| p.training_days > 0),
    explicit(Clause::Cycles, "inspection_days", |p| p.inspection_days > 0),
    explicit(Clause::Cycles, "review_days", |p| p.review_days > 0),
    explicit(Clause::Cycles, "exam_days", |p| p.exam_days > 0),
    explicit(Clause::Cycles, "notification_days", |p| p.notification_days > 0),
    explicit(Clause::Cycles, "notification_form", |p| !p.notification_form.is_empty()),
    explicit(Clause::Cycles, "notification_content", |p| !p.notification_content.is_empty()),
    explicit(Clause::Interpretation, "interpreting_department", |p| !p.interpreting_department.is_empty()),
    explicit(Clause::Conflicts, "conflict_handling", |p| !p.conflict_handling.is_empty()),
];

impl ControlPage {
    /// The fields of the seven clauses that are not explicit.
    pub fn not_explicit(&self) -> Vec<&'static Explicit> {
        SEVEN_CLAUSES.iter().filter(|entry| !(entry.filled)(self)).collect()
    }

    /// Whether its days can be right together.
    ///
    /// # Errors
    /// [`Refusal::Period`] where it is valid until a day before it begins, or until a day and while unchanged as well.
    pub fn days(&self) -> Result<(), Refusal> {
        let backwards = self.effective.zip(self.valid_until).is_some_and(|(first, last)| last < first);
        if backwards || (self.until_changed && self.valid_until.is_some()) {
            Err(Refusal::Period)
        } else {
            Ok(())
        }
    }

    /// First day on which it is not valid any more; none while unchanged.
    pub fn ends(&self) -> Option<NaiveDate> {
        self.valid_until.and_then(|last| last.succ_opt())
    }
}

/// A numbered section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Number, such as "1.2".
    pub section_no: String,
    /// Heading.
    pub title: String,
    /// Text.
    pub text: String,
    /// What it is.
    pub part: Part,
}

/// Whether every section number stands once.
///
/// # Errors
/// [`Refusal::Duplicate`].
pub fn distinct(sections: &[Section]) -> Result<(), Refusal> {
    let numbers: BTreeSet<_> = sections.iter().map(|section| section.section_no.as_str()).collect();
    if numbers.len() == sections.len() { Ok(()) } else { Err(Refusal::Duplicate) }
}

/// S-07: the parts that a type asks for and the sections lack.
pub fn parts_missing(required: &[Part], sections: &[Section]) -> Vec<Part> {
    let lacks = |part: &Part| !sections.iter().any(|section| section.part == *part);
    required.iter().copied().filter(lacks).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn d_01_seven_clauses_and_every_one_is_needed() {
        let clauses: BTreeSet<_> = SEVEN_CLAUSES.iter().map(|entry| entry.clause).collect();
        assert_eq!(clauses.into_iter().collect::<Vec<_>>(), Clause::ALL);
        assert_eq!(ControlPage::default().not_explicit().len(), SEVEN_CLAUSES.len());
        let fields: BTreeSet<_> = SEVEN_CLAUSES.iter().map(|entry| entry.field).collect();
        assert_eq!(fields.len(), SEVEN_CLAUSES.len());
    }

    #[test]
    fn days_of_a_control_page() {
        let day = |text: &str| text.parse::<NaiveDate>().ok();
        let page = |effective, valid_until, until_changed| ControlPage {
            effective,
            valid_until,
            until_changed,
            ..ControlPage::default()
        };
        assert_eq!(page(day("2012-10-21"), None, true).days(), Ok(()));
        assert_eq!(page(day("2012-10-21"), day("2012-10-21"), false).days(), Ok(()));
        assert_eq!(page(day("2012-10-21"), day("2012-10-20"), false).days(), Err(Refusal::Period));
        assert_eq!(page(day("2012-10-21"), day("2012-10-22"), true).days(), Err(Refusal::Period));
        assert_eq!(page(None, day("2012-12-31"), false).ends(), day("2013-01-01"));
        assert_eq!(page(None, None, true).ends(), None);
    }

    #[test]
    fn s_07_a_type_may_ask_for_parts() {
        let section = |section_no: &str, part| Section {
            section_no: section_no.to_owned(),
            title: "t".to_owned(),
            text: "x".to_owned(),
            part,
        };
        let sections = [section("1", Part::Preface), section("1.1", Part::Purpose)];
        assert_eq!(parts_missing(&[Part::Preface, Part::Objective], &sections), [Part::Objective]);
        assert!(parts_missing(&[], &sections).is_empty());
        assert_eq!(distinct(&sections), Ok(()));
        assert_eq!(distinct(&[section("1", Part::Body), section("1", Part::Body)]), Err(Refusal::Duplicate));
    }
}
