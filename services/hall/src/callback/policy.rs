//! Policies of calls, and what was drawn by them.

use contracts::hearth::hall::v1::*;
use database::{Begun, Scope};
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    model::{ALL, Cause, Channel, ONLY_TOLD, Rank},
    store::{self, Draw, Policy},
};
use crate::{Desk, deadline::model::Unit, fields, refusal::Refusal};

pub async fn publish(desk: Desk, call: Call, request: PublishCallbackPolicyRequest) -> Result<PublishCallbackPolicyResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let effective_on = wire::date_of(request.effective_date.as_ref(), "effective_date")?;
    if effective_on < write.now().date() {
        return Err(Fault::from(Refusal::DateInPast).field("effective_date"));
    }
    let cause: Cause = fields::pick("cause", request.cause)?;
    // C-01: a share of what people only tell of could be steered by what they tell.
    for (field, rate) in [("rate_bp", request.rate_bp), ("hazard_rate_bp", request.hazard_rate_bp)] {
        if ONLY_TOLD.contains(&cause) && rate != ALL {
            return Err(Fault::from(Refusal::CallbackRateWhole).field(field));
        }
    }
    let before = store::newest(&write, cause).await?;
    let policy = Policy {
        id: Uuid::now_v7(),
        cause,
        policy_version: before.map_or(0, |before| before.policy_version).saturating_add(1),
        rate_bp: request.rate_bp,
        hazard_rate_bp: request.hazard_rate_bp,
        unit: fields::pick::<Unit>("unit", request.unit)?,
        amount: request.amount,
        channel: fields::pick::<Channel>("channel", request.channel)?,
        fallback: fields::pick_if(request.fallback_channel),
        min_rank: fields::pick::<Rank>("min_rank", request.min_rank)?,
        max_attempts: request.max_attempts,
        attempt_days: request.attempt_days,
        safety: request.safety,
        effective_on,
        source: request.source,
        published_by: call.subject().to_owned(),
    };
    let answer = policy.proto();
    write.subject(policy.id);
    policy.insert(&write).await?;
    write.commit(PublishCallbackPolicyResponse { policy: Some(answer) }).await
}

pub async fn list(desk: Desk, call: Call, request: ListCallbackPoliciesRequest) -> Result<ListCallbackPoliciesResponse, Fault> {
    let page = Page::of(&call, &[&request.cause.to_string()], request.page_size, &request.page_token)?;
    let rows = store::policies(desk.db.reader(), &page, fields::pick_if(request.cause)).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListCallbackPoliciesResponse {
        policies: rows.iter().map(Policy::proto).collect(),
        next_page_token,
    })
}

pub async fn draws(desk: Desk, call: Call, request: ListCallbackDrawsRequest) -> Result<ListCallbackDrawsResponse, Fault> {
    let page = Page::of(&call, &[&request.cause.to_string(), &request.about_id], request.page_size, &request.page_token)?;
    let about = fields::id_if("about_id", &request.about_id)?;
    let rows = store::draws(desk.db.reader(), &Scope::of(&call), &page, fields::pick_if(request.cause), about).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListCallbackDrawsResponse {
        draws: rows.iter().map(Draw::proto).collect(),
        next_page_token,
    })
}
