//! Cancelling bills and billing their months anew (B22, E11-03).

use std::collections::HashMap;

use contracts::hearth::billing::v1::{CancelAndRebillRequest, CancelAndRebillResponse};
use database::{Begun, Conn, Scope, Write};
use money::{Money, Overflow};
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    gaps,
    model::BillKind,
    ops::{give_back, locked, reading_after, settle_others, take_all_back},
    store::{self, bill},
    together::{Together, agreements},
};
use crate::{
    Desk, Refusal,
    adjustment::model::Part,
    reading::late::model as late,
    relief::store as reliefs,
    run::{
        again::{Again, period},
        chunk::{Made, Origin},
        model::{Decision, Draft, Period},
    },
    supply::store::{self as supplies, supply},
    tariff::{model::LateUse, store::late_uses},
};

/// Which days the new bills have.
pub enum Days<'a> {
    /// Those that the readings give now, without that of the bill whose reading was wrong.
    Read(Option<Uuid>),
    /// Those of the old bills, with these adjustments of their agreements (E11-03).
    Kept(&'a HashMap<Uuid, Vec<Part>>),
}

/// What is to be taken back and what takes its place, rated and not yet written: it has no numbers, and nobody waits for any (B24).
pub struct Rated {
    /// The oldest first.
    old: Vec<bill::Model>,
    made: Made,
}

impl Rated {
    /// New bills that take the place of none.
    pub const fn alone(made: Made) -> Self {
        Self { old: vec![], made }
    }

    /// The old bills, the oldest first.
    pub fn old(&self) -> &[bill::Model] {
        &self.old
    }

    /// The new bills, the oldest first.
    pub fn bills(&self) -> &[bill::Model] {
        &self.made.bills
    }

    /// What is owed more than before.
    pub fn difference(&self) -> Result<Money, Fault> {
        let new = sum(self.bills());
        new.and_then(|new| new.checked_sub(sum(&self.old)?)).map_err(Fault::internal)
    }

    /// A cancelled bill against what takes its place, which are the bills that name it and those of months that it had covered.
    fn change(&self, old: &bill::Model, policies: &HashMap<Uuid, LateUse>) -> late::Anew {
        let of_gap = |new: &bill::Model| new.replaces_bill_id.is_none() && new.agreement_id == old.agreement_id;
        let within = |new: &bill::Model| of_gap(new) && old.from_date < new.to_date && new.to_date <= old.to_date;
        let new: Vec<_> = self.bills().iter().filter(|new| new.replaces_bill_id == Some(old.id) || within(new)).collect();
        let volume = new.iter().map(|new| new.volume).fold(0, i64::saturating_add);
        late::Anew {
            last: old.to_date,
            policy: old.tariff_id.and_then(|id| policies.get(&id)).copied().unwrap_or_default(),
            difference: volume.saturating_sub(old.volume),
            same_days: matches!(new.as_slice(), [one] if (one.from_date, one.to_date) == (old.from_date, old.to_date)),
        }
    }

    /// Takes the old bills back and issues the new ones. The caller has locked the accounts, and settles their other bills.
    pub async fn issue(self, write: &mut Write, reason: &str) -> Result<Anew, Fault> {
        let latest_first = self.old.into_iter().rev().collect();
        let mut reversed = take_all_back(write, latest_first, reason).await?;
        reversed.reverse();
        let bills = self.made.store_in_turn(write).await?;
        Ok(Anew { reversed, bills })
    }
}

fn sum(bills: &[bill::Model]) -> Result<Money, Overflow> {
    Money::sum(bills.iter().map(|b| Money::from_fen(b.stands())))
}

/// What was taken back and what took its place, oldest first.
pub struct Anew {
    pub reversed: Vec<bill::Model>,
    pub bills: Vec<bill::Model>,
}

/// CancelAndRebill: the bill and every later one of its agreement, and of those that share their tiers with it, are taken back and their months billed anew.
pub async fn rebill(desk: Desk, call: Call, request: CancelAndRebillRequest) -> Result<CancelAndRebillResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let row = locked(&write, &Scope::of(&call), &request.bill_id, &request.etag).await?;
    if row.kind()? != BillKind::Regular {
        return Err(Refusal::BillNotRegular.into());
    }
    let supply = supply(&write, &Scope::everything(), row.agreement_id).await?;
    let old = Together::of(&write, &supply).await?.since(|bill| bill.id == row.id)?;
    if !request.credits_taken_back {
        check_uncredited(&write, &old).await?;
    }
    let days = Days::Read(request.reading_was_wrong.then_some(row.id));
    let rated = rated(&mut write, &desk, old, &days).await?;
    allowed(&write, &rated).await?;
    let difference = rated.difference()?;
    let anew = rated.issue(&mut write, &request.reason).await?;
    settle_others(&mut write, row.account_id).await?;
    write.subject(row.id);
    let messages = |bills: &[bill::Model]| bills.iter().map(|b| store::message(b, &[])).collect::<Result<Vec<_>, _>>();
    let answer = CancelAndRebillResponse {
        reversed_bills: messages(&anew.reversed)?,
        bills: messages(&anew.bills)?,
        difference: Some(wire::money(difference)),
    };
    write.commit(answer).await
}

/// Refuses bills of which a part was credited (B23), since those in their place would ask for it again. What a relief returned it returns anew by itself.
pub async fn check_uncredited(conn: &Conn, old: &[bill::Model]) -> Result<(), Fault> {
    let credited: Vec<Uuid> = old.iter().filter(|bill| bill.credited > 0).map(|bill| bill.id).collect();
    let notes = store::notes(conn, &credited).await?;
    let returned = reliefs::notes_of(conn, &credited).await?;
    let Some(note) = notes.iter().find(|note| !returned.contains(&note.id)) else {
        return Ok(());
    };
    let bill = old.iter().find(|bill| bill.id == note.bill_id);
    let number = bill.map(|bill| bill.bill_no.as_str()).unwrap_or_default();
    Err(Fault::from(Refusal::BillCredited).meta("bill_no", number))
}

/// Refuses what the tariffs of the cancelled bills keep as it is (thread 19).
async fn allowed(write: &Write, rated: &Rated) -> Result<(), Fault> {
    let policies = late_uses(write).await?;
    let changes: Vec<late::Anew> = rated.old().iter().map(|old| rated.change(old, &policies)).collect();
    let Some((place, kept)) = late::kept(&changes, write.now().date()) else {
        return Ok(());
    };
    let number = rated.old().get(place).map(|old| old.bill_no.as_str()).unwrap_or_default();
    Err(Fault::from(Refusal::LateUsePolicy).meta("cause", kept.code()).meta("bill_no", number))
}

/// Rates regular bills anew, which come in the order in which months are billed, or refuses it. The caller has locked the account.
pub async fn rated(write: &mut Write, desk: &Desk, old: Vec<bill::Model>, days: &Days<'_>) -> Result<Rated, Fault> {
    let rated = rate(write, desk, old, days).await?;
    rated.map_err(|cause| Fault::from(Refusal::RebillParked).meta("cause", cause))
}

/// Gives the readings of regular bills back and rates their months anew, in their order, in which months are billed; or says why one cannot be. A month whose
/// reading is gone gets no bill: what was used in it is billed with the next one. The accounts of the bills are locked.
pub async fn rate(write: &mut Write, desk: &Desk, old: Vec<bill::Model>, days: &Days<'_>) -> Result<Result<Rated, &'static str>, Fault> {
    if old.is_empty() {
        return Ok(Ok(Rated::alone(Made::default())));
    }
    let was_wrong = |bill: &bill::Model| matches!(days, Days::Read(wrong) if *wrong == Some(bill.id));
    let ends: Vec<_> = old.iter().filter_map(|bill| Some((bill.reading_id?, reading_after(was_wrong(bill))))).collect();
    give_back(write, desk, &ends, old.iter().map(|bill| bill.id).collect()).await?;
    let supplies = supplies::of_ids(write, &agreements(&old)).await?;
    let mut again = Again::of(write, &supplies, &old).await?;
    let supplies: HashMap<Uuid, supply::Model> = supplies.into_iter().map(|supply| (supply.id, supply)).collect();
    for month in months(write, &again, &old, days).await? {
        let agreement = month.agreement;
        let supply = supplies.get(&agreement).ok_or_else(|| Fault::internal("a bill of another agreement"))?;
        let draft = match month.old {
            Some(old) => match decided(&mut again, supply, old, days)? {
                Ok(draft) => draft,
                Err(cause) => return Ok(Err(cause)),
            },
            None => match again.decide(supply, month.period, None)? {
                Decision::Bill(draft) => Some(*draft),
                _ => None,
            },
        };
        if let Some(draft) = draft {
            let origin = Origin {
                year: month.period.year,
                month: i32::try_from(month.period.month).unwrap_or_default(),
                replaces: month.old.map(|old| old.id),
                ..Origin::default()
            };
            again.bill(origin, supply, draft, write);
        }
    }
    Ok(Ok(Rated { old, made: again.made }))
}

/// A month of an agreement that is billed anew: that of an old bill, or one whose use was billed with a later one.
struct Month<'a> {
    agreement: Uuid,
    period: Period,
    old: Option<&'a bill::Model>,
}

/// The months that old bills cover, in the order in which months are billed.
async fn months<'a>(write: &Write, again: &Again, old: &'a [bill::Model], days: &Days<'_>) -> Result<Vec<Month<'a>>, Fault> {
    let mut months = vec![];
    let mut reached: HashMap<Uuid, gaps::Month> = HashMap::new();
    for bill in old {
        let agreement = bill.agreement_id;
        if let Days::Read(_) = days {
            let until = (bill.year, bill.month);
            let after = reached.insert(agreement, until).unwrap_or_else(|| gaps::before(again.staying(), bill));
            let unbilled = gaps::unbilled(write, agreement, after, until).await?;
            months.extend(unbilled.into_iter().map(|period| Month { agreement, period, old: None }));
        }
        months.push(Month {
            agreement,
            period: period(bill)?,
            old: Some(bill),
        });
    }
    months.sort_by_key(|month| (month.period.first, month.agreement));
    Ok(months)
}

/// What takes the place of an old bill, if anything does; or why it cannot be made.
fn decided(again: &mut Again, supply: &supply::Model, old: &bill::Model, days: &Days<'_>) -> Result<Result<Option<Draft>, &'static str>, Fault> {
    let kept = match days {
        Days::Read(_) => None,
        Days::Kept(adjusted) => Some((old, adjusted.get(&supply.id).map(Vec::as_slice).unwrap_or_default())),
    };
    Ok(match again.decide(supply, period(old)?, kept)? {
        Decision::Bill(draft) if kept.is_none() || (draft.from, draft.to) == (old.from_date, old.to_date) => Ok(Some(*draft)),
        Decision::Already | Decision::Missing(_) | Decision::Skipped | Decision::NotDue if kept.is_none() => Ok(None),
        Decision::Parked(reason) => Err(reason),
        Decision::Held => Err("READING_HELD"),
        _ => Err("PERIOD_CHANGED"),
    })
}
