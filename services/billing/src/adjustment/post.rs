//! Posting adjustments and taking them back (E11-03).

use std::collections::HashSet;

use chrono::Datelike;
use contracts::hearth::billing::v1::{
    AdjustmentPosted, AdjustmentReversed, Bill, PostAdjustmentRequest, PostAdjustmentResponse, ReverseAdjustmentRequest, ReverseAdjustmentResponse,
};
use database::{Begun, Scope, Write};
use money::Money;
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    case,
    model::{Action, Grounds, Part},
    ops::{keep, limits, locked, not_own},
    store::{self, adjustment},
    theft,
};
use crate::{
    Desk, Refusal,
    bill::{
        model::BillState,
        ops::{settle_others, take_back},
        rebill::{Anew, Days, Rated, check_uncredited, rated},
        store::{self as bills, bill},
        together::{Together, agreements},
    },
    meter::store::metres,
    run::chunk::{Loaded, Made, Meters, Origin},
    supply::store as supplies,
};

/// PostAdjustment: from now on it counts in the bills of its days.
pub async fn post(desk: Desk, call: Call, request: PostAdjustmentRequest) -> Result<PostAdjustmentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut row, state) = locked(&write, &call, &request.adjustment_id, &request.etag, Action::Post).await?;
    not_own(&row, &call)?;
    let made = if row.grounds()? == Grounds::Theft {
        let made = of_theft(&write, &row).await?;
        row.bill_id = made.bills.first().map(|bill| bill.id);
        Rated::alone(made)
    } else {
        let (own, mut all) = counting(&write, &row).await?;
        all.extend(&own);
        anew(&mut write, &desk, &row, &own, all).await?
    };
    let difference = made.difference()?.fen();
    // Prices that changed within the year may make it more than was expected of it.
    let needed = limits(&write, &row.branch).await?.needed(row.volume, difference).len();
    if usize::try_from(row.levels).is_ok_and(|levels| needed > levels) {
        let yuan = Money::from_fen(difference);
        return Err(Fault::from(Refusal::AdjustmentOverApproval).meta("difference", yuan));
    }
    let mut changed = made.issue(&mut write, &reason(&row)).await?;
    if let Some(fee) = row.test_fee_bill_id {
        let fee = bills::one(&write, &Scope::everything(), fee).await?;
        if fee.state()? != BillState::Reversed {
            changed.reversed.push(take_back(&mut write, fee, &reason(&row)).await?);
        }
    }
    settle_others(&mut write, row.account_id).await?;
    row.posted_at = Some(write.now().micros());
    row.difference = Some(difference);
    call.subject().clone_into(&mut row.decided_by);
    keep(&mut write, &mut row, state).await?;
    case::follow(&mut write, &row, theft::Action::Bill).await?;
    write.event(
        row.account_id,
        &AdjustmentPosted {
            adjustment_id: row.id.to_string(),
            adjustment_no: row.adjustment_no.clone(),
            agreement_id: row.agreement_id.to_string(),
            account_id: row.account_id.to_string(),
            party_id: row.party_id.to_string(),
            branch: row.branch.clone(),
            grounds: row.grounds.clone(),
            volume: Some(metres(row.volume)),
            difference: Some(wire::money(Money::from_fen(difference))),
        },
    );
    let answer = PostAdjustmentResponse {
        adjustment: Some(store::message(&write, &row).await?),
        reversed_bills: messages(&changed.reversed)?,
        bills: messages(&changed.bills)?,
    };
    write.commit(answer).await
}

/// ReverseAdjustment: the bills become what they would be without it.
pub async fn reverse(desk: Desk, call: Call, request: ReverseAdjustmentRequest) -> Result<ReverseAdjustmentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut row, state) = locked(&write, &call, &request.adjustment_id, &request.etag, Action::Reverse).await?;
    not_own(&row, &call)?;
    if row.decided_by == call.subject() {
        return Err(Refusal::OwnAdjustment.into());
    }
    let changed = if let Some(bill) = row.bill_id {
        let bill = bills::one(&write, &Scope::everything(), bill).await?;
        Anew {
            reversed: vec![take_back(&mut write, bill, &request.reason).await?],
            bills: vec![],
        }
    } else {
        let (own, all) = counting(&write, &row).await?;
        let made = anew(&mut write, &desk, &row, &own, all).await?;
        made.issue(&mut write, &reason(&row)).await?
    };
    settle_others(&mut write, row.account_id).await?;
    call.subject().clone_into(&mut row.decided_by);
    row.reason.clone_from(&request.reason);
    keep(&mut write, &mut row, state).await?;
    case::follow(&mut write, &row, theft::Action::Return).await?;
    write.event(
        row.account_id,
        &AdjustmentReversed {
            adjustment_id: row.id.to_string(),
            adjustment_no: row.adjustment_no.clone(),
            agreement_id: row.agreement_id.to_string(),
            account_id: row.account_id.to_string(),
            party_id: row.party_id.to_string(),
            branch: row.branch.clone(),
            grounds: row.grounds.clone(),
        },
    );
    let answer = ReverseAdjustmentResponse {
        adjustment: Some(store::message(&write, &row).await?),
        reversed_bills: messages(&changed.reversed)?,
        bills: messages(&changed.bills)?,
    };
    write.commit(answer).await
}

fn reason(row: &adjustment::Model) -> String {
    format!("{} {}", row.grounds, row.adjustment_no)
}

fn messages(bills: &[bill::Model]) -> Result<Vec<Bill>, Fault> {
    bills.iter().map(|b| bills::message(b, &[])).collect()
}

/// The parts of an adjustment, and those of all others of the agreement that count.
async fn counting(write: &Write, row: &adjustment::Model) -> Result<(Vec<Part>, Vec<Part>), Fault> {
    let own: Vec<Part> = store::parts(write, row.id).await?.iter().map(store::part::Model::part).collect();
    let mut all = store::posted(write, &[row.agreement_id]).await?.remove(&row.agreement_id).unwrap_or_default();
    // One that is posted stands among them itself.
    for part in own.iter().filter(|_| row.posted_at.is_some()) {
        if let Some(at) = all.iter().position(|known| known == part) {
            all.swap_remove(at);
        }
    }
    Ok((own, all))
}

/// Rates anew what parts change: the bills of their days, and the later ones of the tier-years that those count in, of all that share their tiers.
async fn anew(write: &mut Write, desk: &Desk, row: &adjustment::Model, own: &[Part], all: Vec<Part>) -> Result<Rated, Fault> {
    let supply = supplies::supply(write, &Scope::everything(), row.agreement_id).await?;
    let touched = |b: &bill::Model| b.agreement_id == row.agreement_id && own.iter().any(|p| p.from < b.to_date && b.from_date < p.to);
    let mut regular = Together::of(write, &supply).await?.since(touched)?;
    let uses = bills::uses(write, &regular.iter().map(|b| b.id).collect::<Vec<_>>()).await?;
    let ids: HashSet<Uuid> = regular.iter().filter(|b| touched(b)).map(|b| b.id).collect();
    let years: HashSet<i32> = uses.iter().filter(|u| ids.contains(&u.bill_id)).map(|u| u.tier_year).collect();
    regular.retain(|b| ids.contains(&b.id) || uses.iter().any(|u| u.bill_id == b.id && years.contains(&u.tier_year)));
    check_uncredited(write, &regular).await?;
    let mut adjusted = store::posted(write, &agreements(&regular)).await?;
    adjusted.insert(row.agreement_id, all);
    rated(write, desk, regular, &Days::Kept(&adjusted)).await
}

/// The bill of a theft.
async fn of_theft(write: &Write, row: &adjustment::Model) -> Result<Made, Fault> {
    let supply = supplies::supply(write, &Scope::everything(), row.agreement_id).await?;
    let days = (row.from_date, row.to_date);
    let loaded = Loaded::of_days(write, &supply, days, Meters::Locked).await?;
    let draft = loaded.alone(&supply, days, row.volume, 0)?;
    let draft = draft.map_err(|cause| Fault::from(Refusal::AdjustmentUnpriced).meta("cause", cause))?;
    let origin = Origin {
        year: row.to_date.year(),
        month: i32::try_from(row.to_date.month()).unwrap_or_default(),
        ..Origin::default()
    };
    let mut made = Made::default();
    made.theft(origin, &supply, draft, write.now(), &loaded);
    Ok(made)
}
