//! Between the messages of the contract and the types of the rules.

use contracts::hearth::vendor::v1 as proto;
use rpc::wire;

use super::model::{Measure, OWNER, Proceeding};

/// A proceeding, which no vendor sees.
pub(super) fn proceeding(p: &Proceeding) -> proto::Proceeding {
    proto::Proceeding {
        proceeding_id: p.id.to_string(),
        kind: p.kind.number(),
        vendor_id: p.vendor.to_string(),
        contract_id: p.contract.to_string(),
        branch: p.branch.clone(),
        assessment_id: p.assessment.map(|id| id.to_string()).unwrap_or_default(),
        owner: OWNER.number(),
        open_time: Some(wire::time(p.opened)),
        due_date: Some(wire::date(p.due)),
        state: p.state.number(),
        measure: p.measure.map(Measure::number).unwrap_or_default(),
        reason: p.reason.clone(),
        decider: p.decider.clone().unwrap_or_default(),
        close_time: p.closed.map(wire::time),
        etag: rpc::etag(p.id, p.version),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use testbed::assert_contract;

    use super::*;
    use crate::proceeding::model::{Kind, State};

    #[test]
    fn lists_are_those_of_the_contract() {
        let words: Vec<_> = Kind::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "KIND_", |n| proto::proceeding::Kind::try_from(n).ok().map(|w| w.as_str_name()));
        let words: Vec<_> = State::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "STATE_", |n| proto::proceeding::State::try_from(n).ok().map(|w| w.as_str_name()));
        let words: Vec<_> = Measure::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "MEASURE_", |n| proto::proceeding::Measure::try_from(n).ok().map(|w| w.as_str_name()));
    }
}
