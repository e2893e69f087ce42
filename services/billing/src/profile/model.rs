//! What a branch decides about dues (E2-05, 9.4 to 9.6), pure.

use std::sync::Arc;

use calendar::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{adjustment::model::Limits, reading::model::Method, refusal::Refusal, words::words};

words! {
    /// What a payment pays first within one bill (9.5).
    pub enum AllocationOrder {
        /// Late fee, then the bill.
        LateFeeFirst "LATE_FEE_FIRST",
        /// The bill, then late fee.
        PrincipalFirst "PRINCIPAL_FIRST",
    }
}

words! {
    /// What stops while a bill is disputed (E2-06).
    pub enum Disputed {
        /// Late fee and reminders.
        StopsBoth "STOPS_BOTH",
        /// Reminders only.
        StopsReminders "STOPS_REMINDERS",
    }
}

/// The numbers of a profile, as the database keeps them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Days from issue to due.
    pub due_days: i32,
    /// Late fee of a day in millionths of what is unpaid.
    pub late_fee_millionths: i32,
    /// Most late fee of a bill, percent of it.
    pub late_fee_cap_percent: i32,
    /// Code of an [`AllocationOrder`].
    pub allocation_order: String,
    /// Code of a [`Disputed`].
    pub disputed: String,
    /// Reminders, days from due, rising.
    pub reminder_days: Vec<i32>,
    /// Written demand, days after due.
    pub demand_days: i32,
    /// Days after the demand until suspension is requested.
    pub waiting_days: i32,
    /// Days of the final notice.
    pub notice_days: i32,
    /// Hours from payment to restored supply.
    pub restore_hours: i32,
    /// Codes of [`Method`]s in their order; empty for that of the service (E2-04).
    #[serde(default)]
    pub estimation_order: Vec<String>,
    /// Adjustments of volume; none for what the service holds (E11).
    #[serde(default)]
    pub adjustment: Option<Limits>,
}

impl Default for Terms {
    /// E2-05 and the row 'default' of 9.6. There is no late fee where no city has decided on one: rates differ six-fold.
    fn default() -> Self {
        Self {
            due_days: 15,
            late_fee_millionths: 0,
            late_fee_cap_percent: 100,
            allocation_order: AllocationOrder::LateFeeFirst.code().to_owned(),
            disputed: Disputed::StopsBoth.code().to_owned(),
            reminder_days: vec![-3, 1],
            demand_days: 30,
            waiting_days: 30,
            notice_days: 15,
            restore_hours: 24,
            estimation_order: vec![],
            adjustment: None,
        }
    }
}

impl Terms {
    /// Whether the ladder can be climbed.
    ///
    /// # Errors
    /// LADDER where the reminders do not rise, or one comes on the day of the demand or later.
    pub fn check(&self) -> Result<(), Refusal> {
        let rising = self.reminder_days.iter().zip(self.reminder_days.iter().skip(1)).all(|(a, b)| a < b);
        let before = self.reminder_days.last().is_none_or(|last| *last < self.demand_days);
        if rising && before { Ok(()) } else { Err(Refusal::Ladder) }
    }

    /// Whether a bill is paid before its late fee.
    pub fn principal_first(&self) -> bool {
        AllocationOrder::of(&self.allocation_order) == Some(AllocationOrder::PrincipalFirst)
    }

    /// Methods of estimation in the order of the city; none where it decided nothing.
    pub fn estimation_order(&self) -> Vec<Method> {
        self.estimation_order.iter().filter_map(|code| Method::of(code)).collect()
    }

    /// Whether late fee stands still while the bill is disputed.
    pub fn pauses_late_fee(&self) -> bool {
        Disputed::of(&self.disputed) != Some(Disputed::StopsReminders)
    }
}

/// A profile with the branch and the day from which it holds.
#[derive(Clone, Debug)]
pub struct Dated {
    pub id: Uuid,
    pub branch: String,
    pub from: NaiveDate,
    pub terms: Arc<Terms>,
}

/// All profiles.
#[derive(Clone, Debug, Default)]
pub struct Book {
    rows: Vec<Dated>,
    shipped: Arc<Terms>,
}

impl Book {
    /// The profiles that were published, and the one of the service for the rest.
    pub fn new(rows: Vec<Dated>) -> Self {
        Self { rows, shipped: Arc::default() }
    }

    /// What a branch had published last on a day.
    pub fn published(&self, branch: &str, day: NaiveDate) -> Option<&Dated> {
        self.rows.iter().filter(|r| r.branch == branch && r.from <= day).max_by_key(|r| r.from)
    }

    /// What holds for a branch on a day.
    pub fn on(&self, branch: &str, day: NaiveDate) -> &Terms {
        self.published(branch, day).map_or(&self.shipped, |r| &r.terms)
    }

    /// Branches that ever decided on a late fee.
    pub fn with_late_fee(&self) -> Vec<&str> {
        let mut branches: Vec<_> = self
            .rows
            .iter()
            .filter(|r| r.terms.late_fee_millionths > 0)
            .map(|r| r.branch.as_str())
            .collect();
        branches.sort_unstable();
        branches.dedup();
        branches
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1::profile_terms as proto;

    use super::*;

    fn day(m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2025, m, d).unwrap()
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = AllocationOrder::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "ALLOCATION_ORDER_", |n| {
            proto::AllocationOrder::try_from(n).ok().map(|v| v.as_str_name())
        });
        let words: Vec<_> = Disputed::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "DISPUTED_", |n| proto::Disputed::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn decision_9_the_last_profile_of_the_branch_holds() {
        let dated = |branch: &str, from, rate| Dated {
            id: Uuid::nil(),
            branch: branch.to_owned(),
            from,
            terms: Arc::new(Terms {
                late_fee_millionths: rate,
                ..Terms::default()
            }),
        };
        let book = Book::new(vec![dated("A", day(7, 1), 500), dated("A", day(3, 1), 2000), dated("B", day(1, 1), 0)]);
        let rate = |branch, day| book.on(branch, day).late_fee_millionths;
        assert_eq!(
            [
                rate("A", day(2, 28)),
                rate("A", day(3, 1)),
                rate("A", day(6, 30)),
                rate("A", day(7, 1)),
                rate("C", day(7, 1))
            ],
            [0, 2000, 2000, 500, 0]
        );
        assert_eq!(book.with_late_fee(), ["A"]);
    }

    #[test]
    fn e2_05_a_ladder_rises_up_to_the_demand() {
        let with = |reminders: &[i32], demand_days| Terms {
            reminder_days: reminders.to_vec(),
            demand_days,
            ..Terms::default()
        };
        assert_eq!(Terms::default().check(), Ok(()));
        assert_eq!(with(&[], 1).check(), Ok(()));
        for wrong in [with(&[1, -3], 30), with(&[1, 1], 30), with(&[-3, 30], 30)] {
            assert_eq!(wrong.check(), Err(Refusal::Ladder));
        }
    }
}
