//! The one place where a refusal becomes a gRPC status with `google.rpc` details.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::{LANGUAGE, Violation};

/// What goes along with a refusal, for machines.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// Stands in `ErrorInfo.metadata`.
    pub metadata: Vec<(String, String)>,
    /// Stand in `BadRequest`; at most 20 are sent.
    pub violations: Vec<Violation>,
    /// Stands in `RetryInfo`.
    pub retry: Option<Duration>,
    /// Kind and id of what was not found, as the caller gave it; stands in `ResourceInfo`.
    pub resource: Option<(String, String)>,
    /// Whose quota is used up, and what it is; stands in `QuotaFailure`.
    pub quota: Option<(String, String)>,
}

/// Builds the status, with a text in the language of the call where it asked for one. `service` is the name of the service that refuses; the domain of the reason is `<service>.hearth`.
pub fn build(code: Code, service: &str, reason: &str, message: impl Into<String>, details: Details) -> Status {
    let language = LANGUAGE.try_with(|l| *l).ok().flatten();
    let message = message.into();
    let metadata: HashMap<_, _> = details.metadata.into_iter().collect();
    let mut all = ErrorDetails::with_error_info(reason, format!("{service}.hearth"), metadata);
    if !details.violations.is_empty() {
        let violations = details.violations.into_iter().take(20);
        all.set_bad_request(
            violations
                .map(|v| FieldViolation {
                    localized_message: language.map(|l| l.say(&v.reason, &v.description)),
                    field: v.field,
                    description: v.description,
                    reason: v.reason,
                })
                .collect::<Vec<_>>(),
        );
    }
    if let Some(delay) = details.retry {
        all.set_retry_info(Some(delay));
    }
    if let Some((kind, id)) = details.resource {
        all.set_resource_info(kind, id, "", "");
    }
    if let Some((whose, what)) = details.quota {
        all.add_quota_failure_violation(whose, what);
    }
    if let Some(language) = language {
        let said = language.say(reason, &message);
        all.set_localized_message(said.locale, said.message);
    }
    Status::with_error_details(code, message, all)
}
