//! Cancelling bills and billing their months anew (B22).

use contracts::hearth::billing::v1::{CancelAndRebillRequest, CancelAndRebillResponse};
use database::{Begun, Scope, Write};
use money::Money;
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    model::{Action, BillKind, step},
    ops::{give_back, reading_after, settle_others, take_back},
    store::{self, bill},
};
use crate::{
    Desk, Refusal,
    run::{
        chunk::{Loaded, Made, Meters, Origin},
        model::{Decision, Period},
    },
    supply::store as supplies,
};

/// CancelAndRebill: the bill and every later one of its agreement are taken back, the latest first, and their months billed anew, the oldest first.
pub async fn rebill(desk: Desk, call: Call, request: CancelAndRebillRequest) -> Result<CancelAndRebillResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let id: Uuid = wire::id_of("bill_id", &request.bill_id)?;
    let seen = store::one(&*write, &scope, id).await?;
    supplies::lock_accounts(&write, &[seen.account_id]).await?;
    let row = store::one(&*write, &scope, id).await?;
    step(row.state()?, Action::Reverse)?;
    if row.kind()? != BillKind::Regular {
        return Err(Refusal::BillNotRegular.into());
    }
    rpc::check_etag(&request.etag, row.id, row.version)?;
    let supply = supplies::supply(&*write, &Scope::everything(), row.agreement_id).await?;
    let mut reversed = vec![];
    for wrong in store::from_on(&*write, row.agreement_id, row.to_date).await? {
        let wrong = take_back(&mut write, wrong, &request.reason).await?;
        let after = reading_after(request.reading_was_wrong && wrong.id == row.id);
        give_back(&mut write, &desk, wrong.reading_id, after).await?;
        reversed.push(wrong);
    }
    reversed.reverse();
    let mut bills = vec![];
    for old in &reversed {
        bills.extend(month(&mut write, &supply, old).await?);
    }
    settle_others(&mut write, row.account_id).await?;
    write.subject(row.id);
    let sum = |bills: &[bill::Model]| Money::sum(bills.iter().map(|b| Money::from_fen(b.amount)));
    let difference = sum(&bills).and_then(|new| new.checked_sub(sum(&reversed)?)).map_err(Fault::internal)?;
    let messages = |bills: &[bill::Model]| bills.iter().map(|b| store::message(b, &[])).collect::<Result<Vec<_>, _>>();
    let answer = CancelAndRebillResponse {
        reversed_bills: messages(&reversed)?,
        bills: messages(&bills)?,
        difference: Some(wire::money(difference)),
    };
    write.commit(answer).await
}

/// Bills the month of a cancelled bill anew. A month whose reading is gone gets none: what was used in it is billed with the next one.
async fn month(write: &mut Write, supply: &supplies::supply::Model, old: &bill::Model) -> Result<Vec<bill::Model>, Fault> {
    let period = u32::try_from(old.month).ok().and_then(|month| Period::new(old.year, month));
    let period = period.ok_or_else(|| Fault::internal("a bill of a month that does not exist"))?;
    let loaded = Loaded::of(&**write, std::slice::from_ref(supply), period, Meters::Locked).await?;
    let draft = match loaded.decide(supply, period)? {
        Decision::Bill(draft) => draft,
        Decision::Held | Decision::Parked(_) => return Err(Refusal::RebillParked.into()),
        Decision::Already | Decision::Missing(_) | Decision::Skipped | Decision::NotDue => return Ok(vec![]),
    };
    let origin = Origin {
        year: old.year,
        month: old.month,
        replaces: Some(old.id),
        ..Origin::default()
    };
    let mut made = Made::default();
    made.bill(origin, supply, *draft, write.now(), &loaded);
    made.store(write, period).await
}
