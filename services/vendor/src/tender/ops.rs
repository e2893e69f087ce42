//! The writes of tenders, one transaction each.

use std::collections::BTreeSet;

use chrono::Datelike;
use contracts::hearth::vendor::v1::{
    self as proto, BidPreferenceApplied, CancelTenderRequest, CancelTenderResponse, EvaluateTenderRequest, EvaluateTenderResponse, OpenTenderRequest,
    OpenTenderResponse, ReviewQuoteRequest, ReviewQuoteResponse, SubmitQuoteRequest, SubmitQuoteResponse, WithdrawQuoteRequest, WithdrawQuoteResponse,
};
use database::{Begun, Scope, Write, numbers};
use ids::VendorId;
use money::Money;
use rpc::{Call, Fault, wire};

use super::{
    model::{Action, Bid, Outcome, Quote, State, Tender, Verdict, evaluate},
    store,
    wire::{quote as quote_view, tender as view},
};
use crate::{
    Desk,
    keys::{QuoteId, TenderId},
    refusal::Refusal,
    vendor::{self, State as VendorState, Vendor},
    vip,
};

/// Opens a tender.
pub async fn open(desk: Desk, call: Call, request: OpenTenderRequest) -> Result<OpenTenderResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let deadline = wire::time_of(request.quote_deadline_time.as_ref(), "quote_deadline_time")?;
    if deadline <= write.now() {
        return Err(Fault::from(Refusal::DeadlinePast).field("quote_deadline_time"));
    }
    let year = write.now().date().year();
    let number = numbers::next(&write, "TD", &request.branch, year, 1).await?;
    let tender = Tender {
        id: TenderId::new(),
        number: format!("TD-{}-{year}-{number:06}", request.branch),
        branch: request.branch,
        title: request.title,
        compulsory: request.compulsory,
        deadline,
        state: State::Open,
        state_reason: String::new(),
        outcome: None,
        version: 1,
        created: write.now(),
    };
    store::insert(&write, &tender).await?;
    write.subject(tender.id);
    let tender = seen(&write, &call, &tender).await?;
    write.commit(OpenTenderResponse { tender }).await
}

/// Hands in a quote.
pub async fn quote(desk: Desk, call: Call, request: SubmitQuoteRequest) -> Result<SubmitQuoteResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now();
    let price = wire::money_of(request.final_price.as_ref(), "final_price")?.fen();
    if price <= 0 {
        return Err(Fault::from(Refusal::PriceRange).field("final_price"));
    }
    // The tender before the vendor, as the evaluation locks them.
    let mut tender = store::lock(&write, &branches(&call), wire::id_of("tender_id", &request.tender_id)?).await?;
    let vendor = vendor::store::lock(&write, &vendor::store::scope(&call), wire::id_of("vendor_id", &request.vendor_id)?).await?;
    may_bid(&vendor)?;
    vendor::unlisted(&desk, &write, vendor.id).await?;
    tender.act(Action::Quote, now)?;
    let quote = Quote {
        id: QuoteId::new(),
        tender: tender.id,
        vendor: vendor.id,
        price,
        submitted: now,
        meets_tech: None,
        tech_findings: String::new(),
        reviewer: None,
        withdrawn: false,
    };
    store::insert_quote(&write, &quote).await?;
    store::save(&write, &mut tender).await?;
    write.subject(quote.id);
    let quote = Some(quote_view(&call, &quote, tender.now(now)));
    write.commit(SubmitQuoteResponse { quote }).await
}

/// Withdraws a quote before the evaluation.
pub async fn withdraw(desk: Desk, call: Call, request: WithdrawQuoteRequest) -> Result<WithdrawQuoteResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now();
    let (named, of): (VendorId, TenderId) = (wire::id_of("vendor_id", &request.vendor_id)?, wire::id_of("tender_id", &request.tender_id)?);
    let id: QuoteId = wire::id_of("quote_id", &request.quote_id)?;
    // The first look finds out whether the caller may know the quote at all; what counts is read under the lock.
    let known = store::quotes(&write, &own(&call), &[of]).await?;
    if !known.iter().any(|quote| quote.id == id && quote.vendor == named) {
        return Err(Fault::not_found("quote", id));
    }
    let mut tender = store::lock(&write, &branches(&call), of).await?;
    let mut quote = of_tender(&write, &call, &tender, id).await?;
    tender.act(Action::Withdraw, now)?;
    quote.withdrawn = true;
    store::save_quote(&write, &quote).await?;
    store::save(&write, &mut tender).await?;
    write.subject(quote.id);
    let quote = Some(quote_view(&call, &quote, tender.now(now)));
    write.commit(WithdrawQuoteResponse { quote }).await
}

/// Records whether a quote meets the technical requirements.
pub async fn review(desk: Desk, call: Call, request: ReviewQuoteRequest) -> Result<ReviewQuoteResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut tender = locked(&write, &call, &request.tender_id, &request.etag).await?;
    let mut quote = of_tender(&write, &call, &tender, wire::id_of("quote_id", &request.quote_id)?).await?;
    tender.act(Action::Review, write.now())?;
    quote.meets_tech = Some(request.meets_tech);
    quote.tech_findings = request.findings;
    quote.reviewer = Some(call.subject().to_owned());
    store::save_quote(&write, &quote).await?;
    store::save(&write, &mut tender).await?;
    write.subject(tender.id);
    let tender = seen(&write, &call, &tender).await?;
    write.commit(ReviewQuoteResponse { tender }).await
}

/// Evaluates a tender and writes down what it would have been without preference (G-06).
pub async fn award(desk: Desk, call: Call, request: EvaluateTenderRequest) -> Result<EvaluateTenderResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now();
    let mut tender = locked(&write, &call, &request.tender_id, &request.etag).await?;
    let mut quotes = store::quotes(&write, &Scope::everything(), &[tender.id]).await?;
    if quotes.iter().any(|quote| quote.reviewer.as_deref() == Some(call.subject())) {
        return Err(Refusal::SecondPersonNeeded.into());
    }
    quotes.retain(|quote| !quote.withdrawn);
    let bids = bids(&write, &tender, &quotes).await?;
    let verdict = evaluate(&bids, tender.compulsory);
    tender.act(if verdict.is_some() { Action::Award } else { Action::Fail }, now)?;
    if quotes.iter().any(|quote| quote.meets_tech.is_none()) {
        return Err(Refusal::QuoteNotReviewed.into());
    }
    tender.state_reason = request.reasons;
    tender.outcome = Some(Outcome {
        winner: verdict.as_ref().map(|v| v.winner.quote),
        lowest: verdict.as_ref().map(|v| v.lowest.quote),
        applied: verdict.as_ref().is_some_and(Verdict::applied),
        preferred: verdict.iter().flat_map(|v| v.preferred.iter().map(VendorId::to_string)).collect(),
        evaluator: call.subject().to_owned(),
        evaluated: now,
    });
    store::save(&write, &mut tender).await?;
    write.subject(tender.id);
    if let Some(verdict) = verdict.filter(Verdict::applied) {
        let money = |fen| Some(wire::money(Money::from_fen(fen)));
        let event = BidPreferenceApplied {
            tender_id: tender.id.to_string(),
            winner_vendor_id: verdict.winner.vendor.to_string(),
            lowest_vendor_id: verdict.lowest.vendor.to_string(),
            winner_price: money(verdict.winner.price),
            lowest_price: money(verdict.lowest.price),
            price_difference: money(verdict.winner.price.saturating_sub(verdict.lowest.price)),
        };
        write.event(tender.id, &event);
    }
    let tender = seen(&write, &call, &tender).await?;
    write.commit(EvaluateTenderResponse { tender }).await
}

/// Cancels a tender before its evaluation.
pub async fn cancel(desk: Desk, call: Call, request: CancelTenderRequest) -> Result<CancelTenderResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut tender = locked(&write, &call, &request.tender_id, &request.etag).await?;
    tender.act(Action::Cancel, write.now())?;
    tender.state_reason = request.reason;
    store::save(&write, &mut tender).await?;
    write.subject(tender.id);
    let tender = seen(&write, &call, &tender).await?;
    write.commit(CancelTenderResponse { tender }).await
}

/// Only an admitted vendor may bid; one on the black list never.
fn may_bid(vendor: &Vendor) -> Result<(), Refusal> {
    match vendor.state {
        VendorState::Admitted => Ok(()),
        VendorState::Blacklisted => Err(Refusal::VendorBlacklisted),
        _ => Err(Refusal::VendorNotAdmitted),
    }
}

/// The quotes that count: those of vendors on the black list do not, whenever they came to be there.
async fn bids(write: &Write, tender: &Tender, quotes: &[Quote]) -> Result<Vec<Bid>, Fault> {
    let ids: BTreeSet<_> = quotes.iter().map(|quote| quote.vendor).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let vendors = vendor::store::lock_all(write, &ids).await?;
    let cases = vip::store::of_vendors(write, &ids).await?;
    let listed = |vendor| cases.iter().any(|case| case.vendor == vendor && case.lists_on(tender.deadline.date()));
    let barred = |id| vendors.iter().any(|vendor| vendor.id == id && vendor.state == VendorState::Blacklisted);
    let bid = |quote: &Quote| Bid {
        quote: quote.id,
        vendor: quote.vendor,
        price: quote.price,
        meets_tech: quote.meets_tech.unwrap_or_default(),
        vip: listed(quote.vendor),
    };
    Ok(quotes.iter().filter(|quote| !barred(quote.vendor)).map(bid).collect())
}

/// What a caller sees of tenders: every vendor may see each of them.
pub(super) fn branches(call: &Call) -> Scope {
    if call.vendor().is_some() { Scope::everything() } else { Scope::of(call) }
}

/// The quotes that a caller may see: a vendor its own; which branch a quote belongs to says its tender.
pub(super) fn own(call: &Call) -> Scope {
    if call.vendor().is_some() { Scope::of(call) } else { Scope::everything() }
}

async fn locked(write: &Write, call: &Call, id: &str, etag: &str) -> Result<Tender, Fault> {
    let tender = store::lock(write, &branches(call), wire::id_of("tender_id", id)?).await?;
    rpc::check_etag(etag, tender.id, tender.version)?;
    Ok(tender)
}

/// A quote of a tender that stands and that the caller may see.
async fn of_tender(write: &Write, call: &Call, tender: &Tender, id: QuoteId) -> Result<Quote, Fault> {
    let quotes = store::quotes(write, &own(call), &[tender.id]).await?;
    let quote = quotes.into_iter().find(|quote| quote.id == id).ok_or_else(|| Fault::not_found("quote", id))?;
    if quote.withdrawn { Err(Refusal::QuoteWithdrawn.into()) } else { Ok(quote) }
}

async fn seen(write: &Write, call: &Call, tender: &Tender) -> Result<Option<proto::Tender>, Fault> {
    let quotes = store::quotes(write, &own(call), &[tender.id]).await?;
    Ok(Some(view(call, tender, &quotes, write.now())))
}
