//! Tables of payments.

use calendar::Instant;
use contracts::hearth::billing::v1 as proto;
use database::{Conn, Scope, Scoped, find};
use money::Money;
use rpc::{Fault, page::Page, wire};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use super::model::{Part, PaymentState};
use crate::{
    ledger::store::instant,
    supply::model::{Service, service_of},
    table,
    words::known,
};

table!(payment, "payment", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    receipt_no: String,
    account_id: Uuid,
    account_no: String,
    party_id: Uuid,
    branch: String,
    amount: i64,
    unallocated: i64,
    channel: String,
    channel_reference: String,
    state: String,
    taken_by: String,
    taken_at: i64,
    reversal_reason: String,
    version: i64,
    service: Option<String>,
});
table!(allocation, "allocation", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    payment_id: Uuid,
    bill_id: Uuid,
    bill_no: String,
    amount: i64,
    created_at: i64,
    part: Option<String>,
});

impl Scoped for payment::Entity {
    const BRANCH: Option<payment::Column> = Some(payment::Column::Branch);
    const CUSTOMER: Option<payment::Column> = Some(payment::Column::PartyId);
}

impl payment::Model {
    /// Where it stands.
    pub fn state(&self) -> Result<PaymentState, Fault> {
        known(PaymentState::of(&self.state), &self.state)
    }
}

impl payment::Model {
    /// What its prepayment is for.
    pub fn service(&self) -> Service {
        service_of(self.service.as_deref())
    }
}

impl allocation::Model {
    /// What of the bill it pays; a share of the bill itself has no word.
    pub fn part(&self) -> Result<Part, Fault> {
        self.part.as_deref().map_or(Ok(Part::Principal), |code| known(Part::of(code), code))
    }
}

/// The word of a part in the database.
pub fn part_code(part: Part) -> Option<String> {
    (part == Part::LateFee).then(|| part.code().to_owned())
}

/// A payment that the caller may see.
pub async fn one(conn: &Conn, scope: &Scope, id: Uuid) -> Result<payment::Model, Fault> {
    find::<payment::Entity>(scope)
        .filter(payment::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("payment", id))
}

/// What a payment pays, in order.
pub async fn shares(conn: &Conn, payment: Uuid) -> Result<Vec<allocation::Model>, Fault> {
    Ok(allocation::Entity::find()
        .filter(allocation::Column::PaymentId.eq(payment))
        .order_by_asc(allocation::Column::Id)
        .all(conn)
        .await?)
}

/// Payments of accounts that still hold prepayment, the oldest first.
pub async fn with_rest(conn: &Conn, accounts: &[Uuid]) -> Result<Vec<payment::Model>, Fault> {
    let select = payment::Entity::find()
        .filter(table::among(conn, payment::Column::AccountId, accounts.iter().copied()))
        .filter(payment::Column::State.eq(PaymentState::Taken.code()))
        .filter(payment::Column::Unallocated.gt(0));
    Ok(select.order_by_asc(payment::Column::Id).all(conn).await?)
}

/// Writes what payments have left after some of it was used.
pub async fn set_used(conn: &Conn, rows: Vec<payment::Model>) -> Result<(), Fault> {
    use payment::Column as C;
    Ok(table::save_all::<payment::Entity>(conn, rows, C::Id, &[C::Unallocated, C::Version]).await?)
}

/// Adds to what a payment still holds as prepayment.
pub async fn free(conn: &Conn, payment: Uuid, amount: i64) -> Result<(), Fault> {
    payment::Entity::update_many()
        .col_expr(payment::Column::Unallocated, Expr::col(payment::Column::Unallocated).add(amount))
        .col_expr(payment::Column::Version, Expr::col(payment::Column::Version).add(1_i64))
        .filter(payment::Column::Id.eq(payment))
        .exec(conn)
        .await?;
    Ok(())
}

/// What payments pay of a bill's late fee, the last payment first.
pub async fn late_shares(conn: &Conn, bill: Uuid) -> Result<Vec<(Uuid, i64)>, Fault> {
    let rows = allocation::Entity::find()
        .filter(allocation::Column::BillId.eq(bill))
        .filter(allocation::Column::Part.eq(Part::LateFee.code()))
        .order_by_desc(allocation::Column::Id)
        .all(conn)
        .await?;
    let mut sums: Vec<(Uuid, i64)> = vec![];
    for row in rows {
        match sums.iter_mut().find(|(payment, _)| *payment == row.payment_id) {
            Some((_, sum)) => *sum = sum.saturating_add(row.amount),
            None => sums.push((row.payment_id, row.amount)),
        }
    }
    Ok(sums)
}

/// A page of payments without what they pay.
pub async fn list(conn: &Conn, scope: &Scope, page: &Page, request: &proto::ListPaymentsRequest) -> Result<(Vec<proto::Payment>, String), Fault> {
    let mut select = find::<payment::Entity>(scope).order_by_asc(payment::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(payment::Column::Id.gt(after));
    }
    for (column, field, value) in [
        (payment::Column::PartyId, "party_id", &request.party_id),
        (payment::Column::AccountId, "account_id", &request.account_id),
    ] {
        if let Some(id) = value {
            select = select.filter(column.eq(wire::id_of::<Uuid>(field, id)?));
        }
    }
    if !request.branch.is_empty() {
        select = select.filter(payment::Column::Branch.eq(&request.branch));
    }
    if let Some(state) = PaymentState::of_number(request.state) {
        select = select.filter(payment::Column::State.eq(state.code()));
    }
    if let Some(from) = wire::date_if(request.from_date.as_ref(), "from_date")? {
        select = select.filter(payment::Column::TakenAt.gte(Instant::start_of(from).micros()));
    }
    if let Some(until) = wire::date_if(request.until_date.as_ref(), "until_date")? {
        select = select.filter(payment::Column::TakenAt.lte(Instant::end_of(until).micros()));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((rows.iter().map(|row| message(row, &[])).collect::<Result<_, _>>()?, next))
}

/// The message of a payment with what it pays.
pub fn message(row: &payment::Model, shares: &[allocation::Model]) -> Result<proto::Payment, Fault> {
    let fen = |amount| Some(wire::money(Money::from_fen(amount)));
    Ok(proto::Payment {
        payment_id: row.id.to_string(),
        receipt_no: row.receipt_no.clone(),
        account_id: row.account_id.to_string(),
        account_no: row.account_no.clone(),
        party_id: row.party_id.to_string(),
        branch: row.branch.clone(),
        amount: fen(row.amount),
        channel: row.channel.clone(),
        channel_reference: row.channel_reference.clone(),
        state: row.state()?.number(),
        allocations: shares
            .iter()
            .map(|s| {
                Ok::<_, Fault>(proto::Allocation {
                    bill_id: s.bill_id.to_string(),
                    bill_no: s.bill_no.clone(),
                    amount: fen(s.amount),
                    part: s.part()?.number(),
                })
            })
            .collect::<Result<_, _>>()?,
        prepayment: fen(row.unallocated),
        taken_by: row.taken_by.clone(),
        take_time: Some(instant(row.taken_at)),
        etag: rpc::etag(row.id, row.version),
        service: row.service().code().to_owned(),
    })
}
