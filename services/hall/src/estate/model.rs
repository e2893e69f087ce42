//! Rules on the inspection of an estate (chapter 15).

use calendar::NaiveDate;
use chrono::{Datelike, Months};

/// Least distance of gas pipes from electric panels, in mm (E(b), chapter 15).
pub const PANEL_DISTANCE_MM: i32 = 300;

/// An inspection passes only with the distance.
pub fn may_pass(panel_distance_mm: i32) -> bool {
    panel_distance_mm >= PANEL_DISTANCE_MM
}

/// Papers of a month are handed in by the 3rd of the next (E15-05).
pub fn papers_due(inspected_on: NaiveDate) -> Option<NaiveDate> {
    inspected_on.with_day(1)?.checked_add_months(Months::new(1))?.with_day(3)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn e15_05_papers_are_due_by_the_third_of_the_next_month() {
        for (inspected, due) in [("2025-01-31", "2025-02-03"), ("2025-02-01", "2025-03-03"), ("2025-12-15", "2026-01-03")] {
            assert_eq!(papers_due(inspected.parse().unwrap()), Some(due.parse().unwrap()));
        }
    }

    #[test]
    fn chapter_15_pipes_keep_300_mm_from_electric_panels() {
        assert!(may_pass(300));
        assert!(!may_pass(299));
    }
}
