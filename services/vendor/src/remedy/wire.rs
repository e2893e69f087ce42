//! Between the messages of the contract and the types of the rules.

use calendar::Instant;
use contracts::hearth::vendor::v1 as proto;
use rpc::{Call, wire};

use super::model::{Remedy, Severity};

/// One as a caller may see it at a time: who judged is not for vendors to know.
pub(super) fn remedy(call: &Call, r: &Remedy, now: Instant) -> proto::Remedy {
    let inside = |text: &str| if call.vendor().is_some() { String::new() } else { text.to_owned() };
    let id = |id: Option<String>| id.unwrap_or_default();
    proto::Remedy {
        remedy_id: r.id.to_string(),
        kind: r.kind.number(),
        severity: r.severity.map(Severity::number).unwrap_or_default(),
        vendor_id: r.vendor.to_string(),
        contract_id: id(r.contract.map(|id| id.to_string())),
        branch: r.branch.clone(),
        assessment_id: id(r.assessment.map(|id| id.to_string())),
        complaint_id: id(r.complaint.clone()),
        description: r.description.clone(),
        owner: r.kind.owner().number(),
        state: r.state.number(),
        open_time: Some(wire::time(r.opened)),
        due_time: r.due.map(wire::time),
        overdue: r.is_overdue(now),
        report: r.report.clone(),
        report_time: r.reported.map(wire::time),
        opinion: r.opinion.clone(),
        close_time: r.closed.as_ref().map(|(at, _)| wire::time(*at)),
        opened_by: inside(&r.opened_by),
        closed_by: inside(r.closed.as_ref().map(|(_, by)| by.as_str()).unwrap_or_default()),
        etag: rpc::etag(r.id, r.version),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use testbed::assert_contract;

    use super::*;
    use crate::remedy::model::{Kind, State};

    #[test]
    fn lists_are_those_of_the_contract() {
        let words: Vec<_> = Kind::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "KIND_", |n| proto::remedy::Kind::try_from(n).ok().map(|w| w.as_str_name()));
        let words: Vec<_> = Severity::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "SEVERITY_", |n| proto::remedy::Severity::try_from(n).ok().map(|w| w.as_str_name()));
        let words: Vec<_> = State::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "STATE_", |n| proto::remedy::State::try_from(n).ok().map(|w| w.as_str_name()));
    }
}
