//! Between the messages of the contract and the types of the rules.

use calendar::Instant;
use contracts::hearth::vendor::v1 as proto;
use money::Money;
use rpc::{Call, wire};

use super::model::{Outcome, Quote, State, Tender};

/// A tender with quotes as a caller may see it at a time. The outcome is not for vendors.
pub(super) fn tender(call: &Call, t: &Tender, quotes: &[Quote], now: Instant) -> proto::Tender {
    let state = t.now(now);
    let inside = call.vendor().is_none();
    let own: Vec<_> = quotes.iter().filter(|q| q.tender == t.id).collect();
    proto::Tender {
        tender_id: t.id.to_string(),
        tender_no: t.number.clone(),
        branch: t.branch.clone(),
        title: t.title.clone(),
        compulsory: t.compulsory,
        quote_deadline_time: Some(wire::time(t.deadline)),
        state: state.number(),
        quotes: own.iter().map(|q| quote(call, q, state)).collect(),
        evaluation: t.outcome.as_ref().filter(|_| inside).map(|o| evaluation(t, o, &own)),
        cancel_reason: if t.state == State::Cancelled { t.state_reason.clone() } else { String::new() },
        etag: rpc::etag(t.id, t.version),
    }
}

/// A quote; before the deadline only its vendor sees the price.
pub(super) fn quote(call: &Call, q: &Quote, state: State) -> proto::Quote {
    let sealed = call.vendor().is_none() && state == State::Open;
    proto::Quote {
        quote_id: q.id.to_string(),
        vendor_id: q.vendor.to_string(),
        final_price: (!sealed).then(|| wire::money(Money::from_fen(q.price))),
        submit_time: Some(wire::time(q.submitted)),
        meets_tech: q.meets_tech,
        tech_findings: q.tech_findings.clone(),
        withdrawn: q.withdrawn,
    }
}

fn evaluation(t: &Tender, o: &Outcome, quotes: &[&Quote]) -> proto::BidEvaluation {
    let winner = quotes.iter().find(|q| Some(q.id) == o.winner);
    let lowest = quotes.iter().find(|q| Some(q.id) == o.lowest);
    let price = |fen: i64| wire::money(Money::from_fen(fen));
    proto::BidEvaluation {
        winner_quote_id: winner.map(|q| q.id.to_string()).unwrap_or_default(),
        winner_vendor_id: winner.map(|q| q.vendor.to_string()).unwrap_or_default(),
        winner_price: winner.map(|q| price(q.price)),
        lowest_quote_id: lowest.map(|q| q.id.to_string()).unwrap_or_default(),
        lowest_vendor_id: lowest.map(|q| q.vendor.to_string()).unwrap_or_default(),
        lowest_price: lowest.map(|q| price(q.price)),
        preference_applied: o.applied,
        price_difference: winner.zip(lowest).map(|(w, l)| price(w.price.saturating_sub(l.price))),
        preferred_vendor_ids: o.preferred.clone(),
        evaluator: o.evaluator.clone(),
        evaluate_time: Some(wire::time(o.evaluated)),
        reasons: t.state_reason.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use testbed::assert_contract;

    #[test]
    fn lists_are_those_of_the_contract() {
        let words: Vec<_> = State::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "STATE_", |n| proto::tender::State::try_from(n).ok().map(|w| w.as_str_name()));
    }
}
