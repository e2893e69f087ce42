//! Tables of the ladder.

use std::collections::HashMap;

use calendar::NaiveDate;
use contracts::hearth::billing::v1 as proto;
use database::{Conn, Scope, Scoped, Write, find};
use money::Money;
use rpc::{Fault, page::Page, wire};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use uuid::Uuid;

use super::model::{Kind, RequestState};
use crate::{
    bill::{
        model::{BillKind, BillState},
        store::bill,
    },
    ledger::store::instant,
    table,
    words::known,
};

table!(dunning, "dunning", {
    #[sea_orm(primary_key, auto_increment = false)] bill_id: Uuid,
    next_date: Option<Date>,
});
table!(taken, "dunning_step", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    bill_id: Uuid,
    bill_no: String,
    account_id: Uuid,
    branch: String,
    kind: String,
    days: i32,
    taken_date: Date,
    skipped: bool,
    open_amount: i64,
});
table!(request, "suspension_request", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    agreement_id: Uuid,
    account_id: Uuid,
    party_id: String,
    branch: String,
    state: String,
    amount: i64,
    since_date: Date,
    requested_at: i64,
    withdrawn_at: Option<i64>,
});

impl Scoped for taken::Entity {
    const BRANCH: Option<taken::Column> = Some(taken::Column::Branch);
}

impl Scoped for request::Entity {
    const BRANCH: Option<request::Column> = Some(request::Column::Branch);
}

impl request::Model {
    /// Where it stands.
    pub fn state(&self) -> Result<RequestState, Fault> {
        known(RequestState::of(&self.state), &self.state)
    }
}

/// First letters go out at most so many days before due.
const LEAD: u64 = 30;

const OPEN: [BillState; 2] = [BillState::Issued, BillState::PartlyPaid];

/// Stops the ladder: an open dispute, and one that found the bill wrong.
const UNDISPUTED: &str = "NOT EXISTS (SELECT 1 FROM dispute d WHERE d.bill_id = bill.id AND d.state IN ('OPEN', 'BILL_WRONG'))";

fn open_bills() -> sea_orm::Select<bill::Entity> {
    bill::Entity::find().filter(bill::Column::State.is_in(OPEN.map(BillState::code)))
}

/// Open undisputed bills that have to be looked at on a day, up to `count`.
pub async fn waiting(conn: &Conn, today: NaiveDate, count: u64) -> Result<Vec<bill::Model>, Fault> {
    let soon = today.checked_add_days(chrono::Days::new(LEAD)).unwrap_or(today);
    // Looked at already, and not to be looked at again yet.
    let settled = dunning::Entity::find()
        .select_only()
        .column(dunning::Column::BillId)
        .filter(Expr::col((dunning::Entity, dunning::Column::BillId)).equals((bill::Entity, bill::Column::Id)))
        .filter(
            Condition::any()
                .add(dunning::Column::NextDate.is_null())
                .add(dunning::Column::NextDate.gt(today)),
        );
    Ok(open_bills()
        .filter(bill::Column::DueDate.lte(soon))
        .filter(Condition::all().not().add(Expr::exists(settled.into_query())))
        .filter(Expr::cust(UNDISPUTED))
        .order_by_asc(bill::Column::Id)
        .limit(count)
        .all(conn)
        .await?)
}

/// Those of bills that are open and not disputed.
pub async fn still_waiting(conn: &Conn, ids: &[Uuid]) -> Result<Vec<bill::Model>, Fault> {
    Ok(open_bills()
        .filter(bill::Column::Id.is_in(ids.iter().copied()))
        .filter(Expr::cust(UNDISPUTED))
        .order_by_asc(bill::Column::Id)
        .all(conn)
        .await?)
}

/// Steps that were taken for bills.
pub async fn taken_of(conn: &Conn, bills: &[Uuid]) -> Result<HashMap<Uuid, Vec<(Kind, i32, NaiveDate)>>, Fault> {
    let mut all: HashMap<Uuid, Vec<(Kind, i32, NaiveDate)>> = HashMap::new();
    let rows = taken::Entity::find()
        .filter(taken::Column::BillId.is_in(bills.iter().copied()))
        .all(conn)
        .await?;
    for row in rows {
        let kind = known(Kind::of(&row.kind), &row.kind)?;
        all.entry(row.bill_id).or_default().push((kind, row.days, row.taken_date));
    }
    Ok(all)
}

/// Writes down when bills are to be looked at again.
pub async fn look_again(write: &Write, rows: Vec<dunning::Model>) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let conflict = OnConflict::column(dunning::Column::BillId).update_column(dunning::Column::NextDate).to_owned();
    dunning::Entity::insert_many(rows.into_iter().map(|r| r.into_active_model().reset_all()))
        .on_conflict(conflict)
        .exec_without_returning(&**write)
        .await?;
    Ok(())
}

/// Overdue open bills for which supply may be suspended: of what was supplied, not of fees, and not disputed.
fn suspendable(today: NaiveDate) -> sea_orm::Select<bill::Entity> {
    open_bills()
        .filter(bill::Column::DueDate.lt(today))
        .filter(bill::Column::Kind.ne(BillKind::Fee.code()))
        .filter(Expr::cust(UNDISPUTED))
        .filter(Expr::cust(
            "EXISTS (SELECT 1 FROM dunning_step s WHERE s.bill_id = bill.id AND s.kind = 'SUSPENSION')",
        ))
}

/// Bills whose ladder has ended and for whose agreement no request stands, up to `count`.
pub async fn ripe(conn: &Conn, today: NaiveDate, count: u64) -> Result<Vec<bill::Model>, Fault> {
    Ok(suspendable(today)
        .filter(Expr::cust(
            "NOT EXISTS (SELECT 1 FROM suspension_request r WHERE r.agreement_id = bill.agreement_id AND r.state = 'REQUESTED')",
        ))
        .order_by_asc(bill::Column::Id)
        .limit(count)
        .all(conn)
        .await?)
}

/// Bills of agreements for which supply may be suspended.
pub async fn overdue_of(conn: &Conn, agreements: &[Uuid], today: NaiveDate) -> Result<Vec<bill::Model>, Fault> {
    Ok(suspendable(today)
        .filter(bill::Column::AgreementId.is_in(agreements.iter().copied()))
        .order_by_asc(bill::Column::DueDate)
        .all(conn)
        .await?)
}

/// Requests that stand although nothing is overdue any more, up to `count`.
pub async fn cured(conn: &Conn, today: NaiveDate, count: u64) -> Result<Vec<request::Model>, Fault> {
    let owing = suspendable(today).select_only().column(bill::Column::AgreementId);
    Ok(request::Entity::find()
        .filter(request::Column::State.eq(RequestState::Requested.code()))
        .filter(request::Column::AgreementId.not_in_subquery(owing.into_query()))
        .order_by_asc(request::Column::Id)
        .limit(count)
        .all(conn)
        .await?)
}

/// A page of steps.
pub async fn steps(conn: &Conn, scope: &Scope, page: &Page, bill: Option<Uuid>, kind: Option<Kind>) -> Result<(Vec<proto::DunningStep>, String), Fault> {
    let mut select = find::<taken::Entity>(scope).order_by_asc(taken::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(taken::Column::Id.gt(after));
    }
    if let Some(bill) = bill {
        select = select.filter(taken::Column::BillId.eq(bill));
    }
    if let Some(kind) = kind {
        select = select.filter(taken::Column::Kind.eq(kind.code()));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    let messages = rows.iter().map(|row| {
        Ok::<_, Fault>(proto::DunningStep {
            step_id: row.id.to_string(),
            bill_id: row.bill_id.to_string(),
            bill_no: row.bill_no.clone(),
            account_id: row.account_id.to_string(),
            branch: row.branch.clone(),
            kind: known(Kind::of(&row.kind), &row.kind)?.number(),
            days: row.days,
            taken_date: Some(wire::date(row.taken_date)),
            skipped: row.skipped,
            open_amount: Some(wire::money(Money::from_fen(row.open_amount))),
        })
    });
    Ok((messages.collect::<Result<_, _>>()?, next))
}

/// A page of requests.
pub async fn requests(
    conn: &Conn,
    scope: &Scope,
    page: &Page,
    account: Option<Uuid>,
    state: Option<RequestState>,
) -> Result<(Vec<proto::SuspensionRequest>, String), Fault> {
    let mut select = find::<request::Entity>(scope).order_by_asc(request::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(request::Column::Id.gt(after));
    }
    if let Some(account) = account {
        select = select.filter(request::Column::AccountId.eq(account));
    }
    if let Some(state) = state {
        select = select.filter(request::Column::State.eq(state.code()));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    let messages = rows.iter().map(|row| {
        Ok::<_, Fault>(proto::SuspensionRequest {
            case_id: row.id.to_string(),
            agreement_id: row.agreement_id.to_string(),
            account_id: row.account_id.to_string(),
            party_id: row.party_id.clone(),
            branch: row.branch.clone(),
            state: row.state()?.number(),
            overdue_amount: Some(wire::money(Money::from_fen(row.amount))),
            since_date: Some(wire::date(row.since_date)),
            request_time: Some(instant(row.requested_at)),
            withdraw_time: row.withdrawn_at.map(instant),
        })
    });
    Ok((messages.collect::<Result<_, _>>()?, next))
}
