//! Tables of late fees.

use std::collections::{HashMap, HashSet};

use calendar::{Instant, NaiveDate};
use contracts::hearth::billing::v1::{self as proto, LateFeeAccrued};
use database::{Conn, Scope, Scoped, Write, find};
use money::Money;
use rpc::{Fault, page::Page, wire};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use uuid::Uuid;

use super::model::{Accrued, Debt, Rate, WaiverState, accrue};
use crate::{
    bill::{
        model::BillState,
        store::{bill, notes},
    },
    dispute::{model::stands_still, store::pauses},
    ledger::store::instant,
    payment::{
        model::PaymentState,
        store::{allocation, payment},
    },
    profile::store::book,
    supply::model::Service,
    table,
    words::known,
};

table!(late_fee, "late_fee", {
    #[sea_orm(primary_key, auto_increment = false)] bill_id: Uuid,
    account_id: Uuid,
    branch: String,
    to_date: Date,
    principal: i64,
    accrued: i64,
    paid: i64,
    waived: i64,
});
table!(entry, "late_fee_entry", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    bill_id: Uuid,
    to_date: Date,
    amount: i64,
    created_at: i64,
});
table!(waiver, "late_fee_waiver", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    bill_id: Uuid,
    account_id: Uuid,
    branch: String,
    state: String,
    amount: Option<i64>,
    waived: i64,
    reason: String,
    proposed_by: String,
    proposed_at: i64,
    decided_by: String,
    decided_at: Option<i64>,
    version: i64,
});

impl Scoped for waiver::Entity {
    const BRANCH: Option<waiver::Column> = Some(waiver::Column::Branch);
}

impl waiver::Model {
    /// Where it stands.
    pub fn state(&self) -> Result<WaiverState, Fault> {
        known(WaiverState::of(&self.state), &self.state)
    }
}

/// Detail of revenue from late fees. It is booked when it is paid: what accrues may still be waived or cut by a court.
pub const LATE_FEE: &str = "LATE_FEE";

/// What a payment has to know of a bill's late fee.
#[derive(Clone, Copy, Debug, Default)]
pub struct Late {
    /// Fen that are due.
    pub due: i64,
    /// Whether the bill is paid before it.
    pub principal_first: bool,
}

/// By bill.
pub type Lates = HashMap<Uuid, Late>;

/// The late fee of a bill as of a day.
pub struct Reckoned {
    /// What the database holds of it.
    pub head: Option<late_fee::Model>,
    pub accrued: Accrued,
    /// Fen that were paid of it and never accrued.
    pub over: i64,
    pub rate: Rate,
    pub principal_first: bool,
    /// Whether the bill is disputed, so that the next day does not count.
    pub paused: bool,
}

impl Reckoned {
    /// What is due of it, fen.
    pub fn due(&self) -> i64 {
        let (paid, waived) = self.head.as_ref().map_or((0, 0), |h| (h.paid, h.waived));
        std::cmp::max(0, self.accrued.fen.saturating_sub(paid).saturating_sub(waived))
    }
}

/// Works out late fees as of a day. Nothing is written.
pub async fn reckon(conn: &Conn, bills: &[bill::Model], today: NaiveDate) -> Result<HashMap<Uuid, Reckoned>, Fault> {
    let book = book(conn).await?;
    let ids: Vec<Uuid> = bills
        .iter()
        // The rate of a profile is that of gas; heat has rules of its own (9.4).
        .filter(|b| b.service() == Service::Gas && b.due_date < today && book.on(&b.branch, b.issue_date).late_fee_millionths > 0)
        .map(|b| b.id)
        .collect();
    let mut all = HashMap::new();
    if ids.is_empty() {
        return Ok(all);
    }
    let mut paid = principal_paid(conn, &ids).await?;
    // What was credited bears no fee from that day on; a waiver takes off what accrued before.
    for note in notes(conn, &ids).await? {
        let day = Instant::from_micros(note.created_at).date();
        paid.entry(note.bill_id).or_default().push((day, note.amount));
    }
    let mut pauses = pauses(conn, &ids).await?;
    let mut heads: HashMap<Uuid, late_fee::Model> = late_fee::Entity::find()
        .filter(late_fee::Column::BillId.is_in(ids.iter().copied()))
        .all(conn)
        .await?
        .into_iter()
        .map(|h| (h.bill_id, h))
        .collect();
    let wanted: HashSet<Uuid> = ids.into_iter().collect();
    for bill in bills.iter().filter(|b| wanted.contains(&b.id)) {
        let terms = book.on(&bill.branch, bill.issue_date);
        let rate = Rate {
            millionths: terms.late_fee_millionths,
            cap_percent: terms.late_fee_cap_percent,
        };
        let pauses = pauses.remove(&bill.id).filter(|_| terms.pauses_late_fee()).unwrap_or_default();
        let debt = Debt {
            amount: bill.amount,
            // Nothing before the bill was delivered; issue is delivery unless another day is recorded.
            start: bill.delivered_date.map_or(bill.due_date, |day| std::cmp::max(day, bill.due_date)),
            paid: paid.remove(&bill.id).unwrap_or_default(),
            pauses,
        };
        let head = heads.remove(&bill.id);
        let mut accrued = if bill.state()? == BillState::Reversed {
            Accrued { fen: 0, days: 0 }
        } else {
            accrue(rate, &debt, today)
        };
        // A payment of an earlier day that comes in later lowers the base of days gone by; what was paid or waived meanwhile stands until it is given back.
        let (paid, waived) = head.as_ref().map_or((0, 0), |h| (h.paid, h.waived));
        let settled = paid.saturating_add(waived);
        let over = settled.saturating_sub(accrued.fen).clamp(0, std::cmp::max(paid, 0));
        accrued.fen = std::cmp::max(accrued.fen, settled);
        let reckoned = Reckoned {
            head,
            accrued,
            over,
            rate,
            principal_first: terms.principal_first(),
            paused: stands_still(today, &debt.pauses),
        };
        all.insert(bill.id, reckoned);
    }
    Ok(all)
}

/// What of bills themselves was paid on which day, without payments that were taken back.
async fn principal_paid(conn: &Conn, bills: &[Uuid]) -> Result<HashMap<Uuid, Vec<(NaiveDate, i64)>>, Fault> {
    let shares = allocation::Entity::find()
        .filter(allocation::Column::BillId.is_in(bills.iter().copied()))
        .filter(allocation::Column::Part.is_null())
        .all(conn)
        .await?;
    let payments: HashSet<Uuid> = shares.iter().map(|s| s.payment_id).collect();
    let standing: HashSet<Uuid> = payment::Entity::find()
        .filter(payment::Column::Id.is_in(payments))
        .filter(payment::Column::State.eq(PaymentState::Taken.code()))
        .all(conn)
        .await?
        .into_iter()
        .map(|p| p.id)
        .collect();
    let mut paid: HashMap<Uuid, Vec<(NaiveDate, i64)>> = HashMap::new();
    for share in shares.into_iter().filter(|s| standing.contains(&s.payment_id)) {
        let day = Instant::from_micros(share.created_at).date();
        paid.entry(share.bill_id).or_default().push((day, share.amount));
    }
    Ok(paid)
}

/// Writes down the late fees of bills as of today: one entry a bill where the sum has changed. Gives what is due. The caller has locked
/// the accounts.
pub async fn settle(write: &mut Write, bills: &[bill::Model]) -> Result<Lates, Fault> {
    let today = write.now().date();
    let reckoned = reckon(write, bills, today).await?;
    let (mut heads, mut entries, mut lates) = (vec![], vec![], Lates::new());
    for bill in bills {
        let Some(found) = reckoned.get(&bill.id) else { continue };
        lates.insert(
            bill.id,
            Late {
                due: found.due(),
                principal_first: found.principal_first,
            },
        );
        let before = found.head.as_ref();
        if before.is_some_and(|h| h.to_date == today && h.accrued == found.accrued.fen) {
            continue;
        }
        heads.push(late_fee::Model {
            bill_id: bill.id,
            account_id: bill.account_id,
            branch: bill.branch.clone(),
            to_date: today,
            principal: bill.amount,
            accrued: found.accrued.fen,
            paid: before.map_or(0, |h| h.paid),
            waived: before.map_or(0, |h| h.waived),
        });
        let change = found.accrued.fen.saturating_sub(before.map_or(0, |h| h.accrued));
        if change != 0 {
            entries.push(entry_of(bill.id, today, change, write.now()));
            write.event(bill.account_id, &accrued(bill, today, change, found.accrued.fen));
        }
    }
    for set in heads.chunks(1000) {
        let rows = set.iter().cloned().map(|h| h.into_active_model().reset_all());
        let conflict = OnConflict::column(late_fee::Column::BillId)
            .update_columns([late_fee::Column::ToDate, late_fee::Column::Accrued])
            .to_owned();
        late_fee::Entity::insert_many(rows)
            .on_conflict(conflict)
            .exec_without_returning(&**write)
            .await?;
    }
    table::insert_all::<entry::Entity>(write, entries).await?;
    Ok(lates)
}

fn entry_of(bill_id: Uuid, to_date: NaiveDate, amount: i64, now: Instant) -> entry::Model {
    entry::Model {
        id: Uuid::now_v7(),
        bill_id,
        to_date,
        amount,
        created_at: now.micros(),
    }
}

fn accrued(bill: &bill::Model, to_date: NaiveDate, change: i64, accrued: i64) -> LateFeeAccrued {
    LateFeeAccrued {
        bill_id: bill.id.to_string(),
        agreement_id: bill.agreement_id.to_string(),
        account_id: bill.account_id.to_string(),
        party_id: bill.party_id.to_string(),
        branch: bill.branch.clone(),
        amount: Some(wire::money(Money::from_fen(change))),
        accrued: Some(wire::money(Money::from_fen(accrued))),
        to_date: Some(wire::date(to_date)),
    }
}

/// Notes that bills were looked at today, also those that bear no late fee.
pub async fn reach(write: &Write, bills: &[bill::Model]) -> Result<(), Fault> {
    let today = write.now().date();
    let rows: Vec<_> = bills
        .iter()
        .map(|bill| late_fee::Model {
            bill_id: bill.id,
            account_id: bill.account_id,
            branch: bill.branch.clone(),
            to_date: today,
            principal: bill.amount,
            accrued: 0,
            paid: 0,
            waived: 0,
        })
        .map(|h| h.into_active_model().reset_all())
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let conflict = OnConflict::column(late_fee::Column::BillId).update_column(late_fee::Column::ToDate).to_owned();
    late_fee::Entity::insert_many(rows)
        .on_conflict(conflict)
        .exec_without_returning(&**write)
        .await?;
    Ok(())
}

/// Books what is paid of a late fee; a negative amount takes back.
pub async fn pay(write: &Write, bill: Uuid, amount: i64) -> Result<(), Fault> {
    late_fee::Entity::update_many()
        .col_expr(late_fee::Column::Paid, Expr::col(late_fee::Column::Paid).add(amount))
        .filter(late_fee::Column::BillId.eq(bill))
        .exec(&**write)
        .await?;
    Ok(())
}

/// Books what is waived of a late fee.
pub async fn waive(write: &Write, bill: Uuid, amount: i64) -> Result<(), Fault> {
    late_fee::Entity::update_many()
        .col_expr(late_fee::Column::Waived, Expr::col(late_fee::Column::Waived).add(amount))
        .filter(late_fee::Column::BillId.eq(bill))
        .exec(&**write)
        .await?;
    Ok(())
}

/// The late fee of a reversed bill is gone with it; what was paid of it has been freed.
pub async fn drop_of(write: &mut Write, bill: &bill::Model) -> Result<(), Fault> {
    let Some(head) = late_fee::Entity::find_by_id(bill.id).one(&**write).await? else {
        return Ok(());
    };
    let today = write.now().date();
    late_fee::Entity::update_many()
        .col_expr(late_fee::Column::Accrued, 0_i64.into())
        .col_expr(late_fee::Column::Paid, 0_i64.into())
        .col_expr(late_fee::Column::Waived, 0_i64.into())
        .col_expr(late_fee::Column::ToDate, today.into())
        .filter(late_fee::Column::BillId.eq(bill.id))
        .exec(&**write)
        .await?;
    if head.accrued > 0 {
        let change = head.accrued.saturating_neg();
        table::insert::<entry::Entity>(write, entry_of(bill.id, today, change, write.now())).await?;
        write.event(bill.account_id, &accrued(bill, today, change, 0));
    }
    Ok(())
}

/// Bills of accounts on which something may be due: open ones, and those of which late fee is left.
pub async fn payable(conn: &Conn, accounts: &[Uuid]) -> Result<Vec<bill::Model>, Fault> {
    let left = late_fee::Entity::find()
        .filter(late_fee::Column::AccountId.is_in(accounts.iter().copied()))
        .filter(Expr::col(late_fee::Column::Accrued).gt(Expr::col(late_fee::Column::Paid).add(Expr::col(late_fee::Column::Waived))))
        .all(conn)
        .await?;
    let open = [BillState::Issued.code(), BillState::PartlyPaid.code()];
    let which = Condition::any()
        .add(bill::Column::State.is_in(open))
        .add(bill::Column::Id.is_in(left.into_iter().map(|h| h.bill_id)));
    Ok(bill::Entity::find()
        .filter(bill::Column::AccountId.is_in(accounts.iter().copied()))
        .filter(which)
        .order_by_asc(bill::Column::Id)
        .all(conn)
        .await?)
}

/// Late fee of an account that is due as of a day, fen.
pub async fn due_of_account(conn: &Conn, account: Uuid, today: NaiveDate) -> Result<i64, Fault> {
    let bills = payable(conn, &[account]).await?;
    let reckoned = reckon(conn, &bills, today).await?;
    Ok(reckoned.values().map(Reckoned::due).fold(0, i64::saturating_add))
}

/// Overdue open bills of branches whose late fee does not reach up to today, up to `count`.
pub async fn behind(conn: &Conn, branches: &[&str], today: NaiveDate, count: u64) -> Result<Vec<bill::Model>, Fault> {
    let open = [BillState::Issued.code(), BillState::PartlyPaid.code()];
    let reached = late_fee::Entity::find()
        .select_only()
        .column(late_fee::Column::BillId)
        .filter(late_fee::Column::ToDate.gte(today));
    Ok(bill::Entity::find()
        .filter(bill::Column::State.is_in(open))
        .filter(bill::Column::DueDate.lt(today))
        .filter(bill::Column::Branch.is_in(branches.iter().copied()))
        .filter(bill::Column::Id.not_in_subquery(sea_orm::QueryTrait::into_query(reached)))
        .order_by_asc(bill::Column::Id)
        .limit(count)
        .all(conn)
        .await?)
}

/// The message of a bill's late fee as of a day.
pub async fn message(conn: &Conn, bill: &bill::Model, today: NaiveDate) -> Result<proto::LateFee, Fault> {
    let fen = |amount| Some(wire::money(Money::from_fen(amount)));
    let reckoned = reckon(conn, std::slice::from_ref(bill), today).await?;
    let found = reckoned.get(&bill.id);
    let head = found.and_then(|r| r.head.as_ref());
    let entries = entry::Entity::find()
        .filter(entry::Column::BillId.eq(bill.id))
        .order_by_asc(entry::Column::Id)
        .all(conn)
        .await?;
    Ok(proto::LateFee {
        bill_id: bill.id.to_string(),
        bill_no: bill.bill_no.clone(),
        account_id: bill.account_id.to_string(),
        branch: bill.branch.clone(),
        to_date: Some(wire::date(today)),
        days: found.map_or(0, |r| i32::try_from(r.accrued.days).unwrap_or(i32::MAX)),
        millionths: found.map_or(0, |r| r.rate.millionths),
        principal: fen(bill.rest()),
        accrued: fen(found.map_or(0, |r| r.accrued.fen)),
        paid: fen(head.map_or(0, |h| h.paid)),
        waived: fen(head.map_or(0, |h| h.waived)),
        due: fen(found.map_or(0, Reckoned::due)),
        paused: found.is_some_and(|r| r.paused),
        entries: entries
            .into_iter()
            .map(|e| proto::LateFeeEntry {
                to_date: Some(wire::date(e.to_date)),
                amount: fen(e.amount),
            })
            .collect(),
    })
}

/// A waiver that the caller may see.
pub async fn one_waiver(conn: &Conn, scope: &Scope, id: Uuid) -> Result<waiver::Model, Fault> {
    find::<waiver::Entity>(scope)
        .filter(waiver::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("waiver", id))
}

/// A page of waivers.
pub async fn waivers(
    conn: &Conn,
    scope: &Scope,
    page: &Page,
    bill: Option<Uuid>,
    state: Option<WaiverState>,
) -> Result<(Vec<proto::LateFeeWaiver>, String), Fault> {
    let mut select = find::<waiver::Entity>(scope).order_by_asc(waiver::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(waiver::Column::Id.gt(after));
    }
    if let Some(bill) = bill {
        select = select.filter(waiver::Column::BillId.eq(bill));
    }
    if let Some(state) = state {
        select = select.filter(waiver::Column::State.eq(state.code()));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((rows.iter().map(waiver_message).collect::<Result<_, _>>()?, next))
}

/// The message of a waiver.
pub fn waiver_message(row: &waiver::Model) -> Result<proto::LateFeeWaiver, Fault> {
    let fen = |amount| wire::money(Money::from_fen(amount));
    Ok(proto::LateFeeWaiver {
        waiver_id: row.id.to_string(),
        bill_id: row.bill_id.to_string(),
        account_id: row.account_id.to_string(),
        branch: row.branch.clone(),
        state: row.state()?.number(),
        amount: row.amount.map(fen),
        waived: Some(fen(row.waived)),
        reason: row.reason.clone(),
        proposed_by: row.proposed_by.clone(),
        propose_time: Some(instant(row.proposed_at)),
        decided_by: row.decided_by.clone(),
        etag: rpc::etag(row.id, row.version),
    })
}
