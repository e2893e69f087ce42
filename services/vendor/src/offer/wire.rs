//! Between the messages of the contract and the types of the rules.

use calendar::Instant;
use contracts::hearth::vendor::v1 as proto;
use rpc::wire;

use super::model::{Offer, Report};

/// An offer with its reports as it stands at a time.
pub(super) fn offer(offer: &Offer, reports: &[Report], now: Instant) -> proto::Offer {
    let own = reports.iter().filter(|report| report.offer == offer.id);
    proto::Offer {
        offer_id: offer.id.to_string(),
        order_id: offer.order.to_string(),
        order_no: offer.order_no.clone(),
        kind: offer.kind.clone(),
        vendor_id: offer.vendor.to_string(),
        branch: offer.branch.clone(),
        certificate_kind: offer.certificate.map(|kind| kind.number()).unwrap_or_default(),
        planned_date: Some(wire::date(offer.planned)),
        respond_by_time: Some(wire::time(offer.respond_by)),
        state: offer.now(now).number(),
        person_id: offer.person.map(|id| id.to_string()).unwrap_or_default(),
        round: offer.round,
        reports: own.map(report).collect(),
        decline_reason: offer.decline_reason.clone(),
        create_time: Some(wire::time(offer.created)),
        etag: rpc::etag(offer.id, offer.version),
    }
}

fn report(report: &Report) -> proto::WorkReport {
    proto::WorkReport {
        round: report.round,
        summary: report.summary.clone(),
        done_date: Some(wire::date(report.done)),
        report_time: Some(wire::time(report.reported)),
        outcome: report.outcome.number(),
        findings: report.findings.clone(),
        decide_time: report.decided.as_ref().map(|(at, _)| wire::time(*at)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use testbed::assert_contract;

    use crate::offer::model;

    #[test]
    fn lists_are_those_of_the_contract() {
        let words: Vec<_> = model::State::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "STATE_", |n| proto::offer::State::try_from(n).ok().map(|w| w.as_str_name()));
        let words: Vec<_> = model::Outcome::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "OUTCOME_", |n| proto::work_report::Outcome::try_from(n).ok().map(|w| w.as_str_name()));
    }
}
