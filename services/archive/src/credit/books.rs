//! Bills and payments of parties as billing told of them. Every entry sets what it says and adds nothing up, so that telling it twice is
//! telling it once (B-09).

use chrono::NaiveDate;
use rpc::Fault;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{
    model::exposure::{Bill, Books, Guarantee, Payment},
    store,
};
use crate::table;

table!(bill, "credit_bill", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    party_id: Uuid,
    account_id: Uuid,
    year: i32,
    month: i32,
    amount: i64,
    credited: i64,
    issue_date: Date,
    due_date: Date,
    paid_date: Option<Date>,
});

table!(payment, "credit_payment", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    party_id: Uuid,
    account_id: Uuid,
    receipt_no: String,
    amount: i64,
    reversed: i64,
    paid_date: Date,
    late_fee: i64,
});

/// Enters a bill that was issued.
pub(crate) async fn issued(conn: &impl ConnectionTrait, row: bill::Model) -> Result<(), Fault> {
    let row = bill::ActiveModel {
        id: Set(row.id),
        party_id: Set(row.party_id),
        account_id: Set(row.account_id),
        year: Set(row.year),
        month: Set(row.month),
        amount: Set(row.amount),
        credited: Set(row.credited),
        issue_date: Set(row.issue_date),
        due_date: Set(row.due_date),
        paid_date: Set(row.paid_date),
    };
    bill::Entity::insert(row).on_conflict_do_nothing().exec_without_returning(conn).await?;
    Ok(())
}

/// Enters what a credit note takes back of a bill: it lowers what is owed, and is no payment.
pub(crate) async fn credited(conn: &impl ConnectionTrait, bill: Uuid, fen: i64) -> Result<(), Fault> {
    bill::Entity::update_many()
        .col_expr(bill::Column::Credited, fen.into())
        .col_expr(bill::Column::PaidDate, Option::<NaiveDate>::None.into())
        .filter(bill::Column::Id.eq(bill))
        .exec(conn)
        .await?;
    Ok(())
}

/// Enters a payment, and the bills that it paid off.
pub(crate) async fn paid(conn: &impl ConnectionTrait, row: payment::Model, settled: Vec<Uuid>) -> Result<(), Fault> {
    let day = row.paid_date;
    let row = payment::ActiveModel {
        id: Set(row.id),
        party_id: Set(row.party_id),
        account_id: Set(row.account_id),
        receipt_no: Set(row.receipt_no),
        amount: Set(row.amount),
        reversed: Set(row.reversed),
        paid_date: Set(day),
        late_fee: Set(row.late_fee),
    };
    payment::Entity::insert(row).on_conflict_do_nothing().exec_without_returning(conn).await?;
    bill::Entity::update_many()
        .col_expr(bill::Column::PaidDate, Some(day).into())
        .filter(bill::Column::Id.is_in(settled))
        .exec(conn)
        .await?;
    Ok(())
}

/// Enters what a payment pays of late fees: no bill is paid by that, and nothing is paid ahead.
pub(crate) async fn late_fee(conn: &impl ConnectionTrait, payment: Uuid, fen: i64) -> Result<(), Fault> {
    payment::Entity::update_many()
        .col_expr(payment::Column::LateFee, fen.into())
        .filter(payment::Column::Id.eq(payment))
        .exec(conn)
        .await?;
    Ok(())
}

/// Enters that a payment bounced: its money is gone, and the bills that it had paid off are unpaid, as if it had never come.
pub(crate) async fn bounced(conn: &impl ConnectionTrait, payment: Uuid, fen: i64, reopened: Vec<Uuid>) -> Result<(), Fault> {
    payment::Entity::update_many()
        .col_expr(payment::Column::Reversed, fen.into())
        .col_expr(payment::Column::LateFee, 0_i64.into())
        .filter(payment::Column::Id.eq(payment))
        .exec(conn)
        .await?;
    bill::Entity::update_many()
        .col_expr(bill::Column::PaidDate, Option::<NaiveDate>::None.into())
        .filter(bill::Column::Id.is_in(reopened))
        .exec(conn)
        .await?;
    Ok(())
}

/// Forgets what was entered for parties, to enter it anew.
pub(crate) async fn forget(conn: &impl ConnectionTrait, parties: &[Uuid]) -> Result<(), Fault> {
    let ids = || parties.iter().copied();
    bill::Entity::delete_many().filter(bill::Column::PartyId.is_in(ids())).exec(conn).await?;
    payment::Entity::delete_many().filter(payment::Column::PartyId.is_in(ids())).exec(conn).await?;
    Ok(())
}

/// The books of one legal person, over all the parties that it is or was.
pub(crate) async fn load(conn: &impl ConnectionTrait, parties: &[Uuid]) -> Result<Books, Fault> {
    let ids = || parties.iter().copied();
    let bills = bill::Entity::find().filter(bill::Column::PartyId.is_in(ids())).order_by_asc(bill::Column::Id);
    let payments = payment::Entity::find()
        .filter(payment::Column::PartyId.is_in(ids()))
        .order_by_asc(payment::Column::Id);
    let guarantees = store::held_guarantees(conn, parties).await?;
    Ok(Books {
        bills: bills
            .all(conn)
            .await?
            .into_iter()
            .map(|row| Bill {
                id: row.id,
                account: row.account_id,
                amount: row.amount.saturating_sub(row.credited),
                year: row.year,
                month: row.month,
                issued: row.issue_date,
                due: row.due_date,
                paid: row.paid_date,
            })
            .collect(),
        payments: payments
            .all(conn)
            .await?
            .into_iter()
            .map(|row| Payment {
                account: row.account_id,
                amount: row.amount.saturating_sub(row.reversed).saturating_sub(row.late_fee),
                day: row.paid_date,
                receipt_no: row.receipt_no,
            })
            .collect(),
        guarantees: guarantees
            .into_iter()
            .map(|row| Guarantee {
                amount: row.amount,
                last: row.last_date,
                receipt_no: row.receipt_no,
            })
            .collect(),
    })
}

/// Which of these bills are known to be the parties'.
pub(crate) async fn known_bills(conn: &impl ConnectionTrait, parties: &[Uuid], bills: &[Uuid]) -> Result<Vec<Uuid>, Fault> {
    let found = bill::Entity::find()
        .filter(bill::Column::PartyId.is_in(parties.iter().copied()))
        .filter(bill::Column::Id.is_in(bills.iter().copied()));
    Ok(found.all(conn).await?.into_iter().map(|row| row.id).collect())
}
