//! Rules of contract templates.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{premises::model::Service, refusal::Refusal};

/// A clause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clause {
    /// Number, such as "3.2".
    pub clause_no: String,
    /// Heading.
    pub title: String,
    /// Text.
    pub text: String,
    /// Whether it is flagged (格式条款).
    pub flagged: bool,
}

/// What is known of the latest version when another one is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latest {
    /// Its number.
    pub version: i32,
    /// Its service.
    pub service: Service,
    /// Its first day.
    pub effective: NaiveDate,
}

/// Whether a version may follow the latest one, if there is one.
///
/// # Errors
/// [`Refusal::TemplateVersion`], [`Refusal::TemplateService`], [`Refusal::TemplateDate`].
pub fn may_publish(latest: Option<Latest>, version: i32, service: Service, effective: NaiveDate) -> Result<(), Refusal> {
    if latest.map_or(0, |l| l.version).checked_add(1) != Some(version) {
        return Err(Refusal::TemplateVersion);
    }
    let Some(latest) = latest else { return Ok(()) };
    if latest.service != service {
        return Err(Refusal::TemplateService);
    }
    if effective <= latest.effective { Err(Refusal::TemplateDate) } else { Ok(()) }
}

/// Whether every clause number stands once.
///
/// # Errors
/// [`Refusal::Duplicate`].
pub fn distinct(clauses: &[Clause]) -> Result<(), Refusal> {
    let numbers: BTreeSet<_> = clauses.iter().map(|c| c.clause_no.as_str()).collect();
    if numbers.len() == clauses.len() { Ok(()) } else { Err(Refusal::Duplicate) }
}

/// Whether a version may be signed on a day: from its first day until the day before the version after it.
///
/// # Errors
/// [`Refusal::TemplateNotInForce`].
pub fn may_sign(effective: NaiveDate, next: Option<NaiveDate>, day: NaiveDate) -> Result<(), Refusal> {
    if day >= effective && next.is_none_or(|next| day < next) {
        Ok(())
    } else {
        Err(Refusal::TemplateNotInForce)
    }
}

/// the numbers of the flagged clauses that are not acknowledged.
pub fn not_acknowledged<'a>(clauses: &'a [Clause], acknowledged: &[String]) -> Vec<&'a str> {
    clauses
        .iter()
        .filter(|c| c.flagged && !acknowledged.contains(&c.clause_no))
        .map(|c| c.clause_no.as_str())
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn clause(number: &str, flagged: bool) -> Clause {
        Clause {
            clause_no: number.to_owned(),
            title: "t".to_owned(),
            text: "x".to_owned(),
            flagged,
        }
    }

    #[test]
    fn versions_follow_each_other() {
        let latest = Some(Latest {
            version: 2,
            service: Service::Gas,
            effective: day("2025-01-01"),
        });
        assert_eq!(may_publish(None, 1, Service::Gas, day("2024-01-01")), Ok(()));
        assert_eq!(may_publish(None, 2, Service::Gas, day("2024-01-01")), Err(Refusal::TemplateVersion));
        assert_eq!(may_publish(latest, 3, Service::Gas, day("2025-01-02")), Ok(()));
        assert_eq!(may_publish(latest, 2, Service::Gas, day("2025-01-02")), Err(Refusal::TemplateVersion));
        assert_eq!(may_publish(latest, 3, Service::Heat, day("2025-01-02")), Err(Refusal::TemplateService));
        assert_eq!(may_publish(latest, 3, Service::Gas, day("2025-01-01")), Err(Refusal::TemplateDate));
    }

    #[test]
    fn a_version_may_be_signed_until_the_next_one_begins() {
        let (first, next) = (day("2025-01-01"), Some(day("2025-07-01")));
        assert_eq!(may_sign(first, next, day("2024-12-31")), Err(Refusal::TemplateNotInForce));
        assert_eq!(may_sign(first, next, day("2025-01-01")), Ok(()));
        assert_eq!(may_sign(first, next, day("2025-06-30")), Ok(()));
        assert_eq!(may_sign(first, next, day("2025-07-01")), Err(Refusal::TemplateNotInForce));
        assert_eq!(may_sign(first, None, day("2030-01-01")), Ok(()));
    }

    #[test]
    fn a_07_flagged_clauses_must_be_acknowledged() {
        let clauses = [clause("1", false), clause("2", true), clause("3.1", true)];
        assert_eq!(not_acknowledged(&clauses, &["3.1".to_owned()]), ["2"]);
        assert!(not_acknowledged(&clauses, &["2".to_owned(), "3.1".to_owned()]).is_empty());
        assert_eq!(distinct(&clauses), Ok(()));
        assert_eq!(distinct(&[clause("1", false), clause("1", true)]), Err(Refusal::Duplicate));
    }
}
