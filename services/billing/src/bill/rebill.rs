//! Cancelling bills and billing their months anew (B22, E11-03).

use std::collections::HashMap;

use contracts::hearth::billing::v1::{CancelAndRebillRequest, CancelAndRebillResponse};
use database::{Begun, Scope, Write};
use money::Money;
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    gaps,
    model::BillKind,
    ops::{give_back, locked, reading_after, settle_others, take_back},
    store::{self, bill},
};
use crate::{
    Desk, Refusal,
    adjustment::model::Part,
    reading::late::model as late,
    run::{
        chunk::{Loaded, Made, Meters, Origin},
        model::{Decision, Period},
    },
    supply::store as supplies,
    tariff::{model::LateUse, store::late_uses},
};

/// Which days the new bills have.
pub enum Days<'a> {
    /// Those that the readings give now, without that of the bill whose reading was wrong.
    Read(Option<Uuid>),
    /// Those of the old bills, with these adjustments (E11-03).
    Kept(&'a [Part]),
}

/// What was taken back and what took its place, oldest first.
pub struct Anew {
    pub reversed: Vec<bill::Model>,
    pub bills: Vec<bill::Model>,
}

impl Anew {
    /// What is owed more than before.
    pub fn difference(&self) -> Result<Money, Fault> {
        let sum = |bills: &[bill::Model]| Money::sum(bills.iter().map(|b| Money::from_fen(b.stands())));
        sum(&self.bills).and_then(|new| new.checked_sub(sum(&self.reversed)?)).map_err(Fault::internal)
    }

    /// A cancelled bill against what took its place, which are the bills that name it and those of months that it had covered.
    fn change(&self, old: &bill::Model, policies: &HashMap<Uuid, LateUse>) -> late::Anew {
        let within = |new: &bill::Model| new.replaces_bill_id.is_none() && old.from_date < new.to_date && new.to_date <= old.to_date;
        let new: Vec<_> = self.bills.iter().filter(|new| new.replaces_bill_id == Some(old.id) || within(new)).collect();
        let volume = new.iter().map(|new| new.volume).fold(0, i64::saturating_add);
        late::Anew {
            last: old.to_date,
            policy: old.tariff_id.and_then(|id| policies.get(&id)).copied().unwrap_or_default(),
            difference: volume.saturating_sub(old.volume),
            same_days: matches!(new.as_slice(), [one] if (one.from_date, one.to_date) == (old.from_date, old.to_date)),
        }
    }
}

/// CancelAndRebill: the bill and every later one of its agreement are taken back and their months billed anew.
pub async fn rebill(desk: Desk, call: Call, request: CancelAndRebillRequest) -> Result<CancelAndRebillResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let row = locked(&write, &Scope::of(&call), &request.bill_id, &request.etag).await?;
    if row.kind()? != BillKind::Regular {
        return Err(Refusal::BillNotRegular.into());
    }
    let supply = supplies::supply(&write, &Scope::everything(), row.agreement_id).await?;
    let wrong = store::from_on(&write, row.agreement_id, row.to_date).await?;
    let days = Days::Read(request.reading_was_wrong.then_some(row.id));
    let anew = anew(&mut write, &desk, &supply, wrong, &request.reason, &days).await?;
    allowed(&write, &anew).await?;
    settle_others(&mut write, row.account_id).await?;
    write.subject(row.id);
    let messages = |bills: &[bill::Model]| bills.iter().map(|b| store::message(b, &[])).collect::<Result<Vec<_>, _>>();
    let answer = CancelAndRebillResponse {
        reversed_bills: messages(&anew.reversed)?,
        bills: messages(&anew.bills)?,
        difference: Some(wire::money(anew.difference()?)),
    };
    write.commit(answer).await
}

/// Refuses what the tariffs of the cancelled bills keep as it is (thread 19).
async fn allowed(write: &Write, anew: &Anew) -> Result<(), Fault> {
    let policies = late_uses(write).await?;
    let changes: Vec<late::Anew> = anew.reversed.iter().map(|old| anew.change(old, &policies)).collect();
    let Some((place, kept)) = late::kept(&changes, write.now().date()) else {
        return Ok(());
    };
    let number = anew.reversed.get(place).map(|old| old.bill_no.as_str()).unwrap_or_default();
    Err(Fault::from(Refusal::LateUsePolicy).meta("cause", kept.code()).meta("bill_no", number))
}

/// Takes regular bills of an agreement back, which come the latest first, and bills their months anew, the oldest first. The caller has locked the
/// account, and settles its other bills.
pub async fn anew(
    write: &mut Write,
    desk: &Desk,
    supply: &supplies::supply::Model,
    wrong: Vec<bill::Model>,
    reason: &str,
    days: &Days<'_>,
) -> Result<Anew, Fault> {
    let reversed = back(write, desk, wrong, reason, days).await?;
    let mut bills = vec![];
    let mut after = None;
    if let (Days::Read(_), Some(first)) = (days, reversed.first()) {
        after = Some(gaps::before(write, first).await?);
    }
    for old in &reversed {
        if let Some(month) = &mut after {
            bills.extend(gaps::filled(write, supply, *month, old).await?);
            *month = (old.year, old.month);
        }
        let made = month(write, supply, old, days).await?;
        bills.extend(made.map_err(|cause| Fault::from(Refusal::RebillParked).meta("cause", cause))?);
    }
    Ok(Anew { reversed, bills })
}

/// Takes regular bills back with their readings, which come the latest first. Gives them the oldest first.
pub async fn back(write: &mut Write, desk: &Desk, wrong: Vec<bill::Model>, reason: &str, days: &Days<'_>) -> Result<Vec<bill::Model>, Fault> {
    let mut reversed = vec![];
    for bill in wrong {
        let bill = take_back(write, bill, reason).await?;
        let was_wrong = matches!(days, Days::Read(wrong) if *wrong == Some(bill.id));
        give_back(write, desk, bill.reading_id, reading_after(was_wrong)).await?;
        reversed.push(bill);
    }
    reversed.reverse();
    Ok(reversed)
}

/// Bills the month of a cancelled bill anew, or says why it cannot be. A month whose reading is gone gets no bill: what was used in it is billed with
/// the next one.
pub async fn month(
    write: &mut Write,
    supply: &supplies::supply::Model,
    old: &bill::Model,
    days: &Days<'_>,
) -> Result<Result<Vec<bill::Model>, &'static str>, Fault> {
    let period = u32::try_from(old.month).ok().and_then(|month| Period::new(old.year, month));
    let period = period.ok_or_else(|| Fault::internal("a bill of a month that does not exist"))?;
    let loaded = match days {
        Days::Read(_) => Loaded::of(write, std::slice::from_ref(supply), period, Meters::Locked).await?,
        Days::Kept(adjusted) => Loaded::again(write, supply, period, old, adjusted.to_vec()).await?,
    };
    let kept = matches!(days, Days::Kept(_));
    let draft = match loaded.decide(supply, period)? {
        Decision::Bill(draft) if !kept || (draft.from, draft.to) == (old.from_date, old.to_date) => draft,
        Decision::Already | Decision::Missing(_) | Decision::Skipped | Decision::NotDue if !kept => return Ok(Ok(vec![])),
        Decision::Parked(reason) => return Ok(Err(reason)),
        Decision::Held => return Ok(Err("READING_HELD")),
        _ => return Ok(Err("PERIOD_CHANGED")),
    };
    let origin = Origin {
        year: old.year,
        month: old.month,
        replaces: Some(old.id),
        ..Origin::default()
    };
    let mut made = Made::default();
    made.bill(origin, supply, *draft, write.now(), &loaded);
    made.store(write, period).await.map(Ok)
}
