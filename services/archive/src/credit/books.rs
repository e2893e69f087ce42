//! Bills and payments of parties as billing told of them. Every entry sets what it says and adds nothing up, so that telling it twice is
//! telling it once (B-09).

use database::Conn;
use std::collections::BTreeSet;

use chrono::NaiveDate;
use rpc::Fault;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{
    model::exposure::{Bill, Books, Payment, Used},
    store::{self, guarantee},
};
use crate::{agreement::store as agreements, table};

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
    kind: String,
    agreement_id: Option<Uuid>,
    used_from: Option<Date>,
    used_to: Option<Date>,
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

/// Kind of a bill that bills afterwards what was used.
const REGULAR: &str = "REGULAR";
/// Kinds of bills for which nothing was delivered: a fee, an item that was taken over.
const NO_DELIVERY: [&str; 2] = ["FEE", "OPENING"];

impl bill::Model {
    /// What the rules see of it. The use of a bill that was taken back is not billed.
    fn rule(self) -> Bill {
        let billed = self.kind == REGULAR && (self.credited == 0 || self.credited < self.amount);
        let days = self.used_from.zip(self.used_to).filter(|_| billed);
        Bill {
            id: self.id,
            account: self.account_id,
            amount: self.amount.saturating_sub(self.credited),
            year: self.year,
            month: self.month,
            issued: self.issue_date,
            due: self.due_date,
            paid: self.paid_date,
            delivery: !NO_DELIVERY.contains(&self.kind.as_str()),
            used: self.agreement_id.zip(days).map(|(agreement, (from, to))| Used { agreement, from, to }),
        }
    }
}

/// Enters a bill that was issued.
pub(crate) async fn issued(conn: &Conn, row: bill::Model) -> Result<(), Fault> {
    let row = row.into_active_model().reset_all();
    bill::Entity::insert(row).on_conflict_do_nothing().exec_without_returning(conn).await?;
    Ok(())
}

/// Enters what credit notes took off a bill that stands; nothing is owed of it from the day on that they settle it.
pub(crate) async fn lowered(conn: &Conn, bill: Uuid, fen: i64, settled: Option<NaiveDate>) -> Result<(), Fault> {
    let mut update = bill::Entity::update_many().col_expr(bill::Column::Credited, fen.into());
    if settled.is_some() {
        update = update.col_expr(bill::Column::PaidDate, settled.into());
    }
    update.filter(bill::Column::Id.eq(bill)).exec(conn).await?;
    Ok(())
}

/// Enters that a credit note takes a bill back: it lowers what is owed, and is no payment.
pub(crate) async fn credited(conn: &Conn, bill: Uuid, fen: i64) -> Result<(), Fault> {
    bill::Entity::update_many()
        .col_expr(bill::Column::Credited, fen.into())
        .col_expr(bill::Column::PaidDate, Option::<NaiveDate>::None.into())
        .filter(bill::Column::Id.eq(bill))
        .exec(conn)
        .await?;
    Ok(())
}

/// Enters a payment, and the bills that it paid off.
pub(crate) async fn paid(conn: &Conn, row: payment::Model, settled: Vec<Uuid>) -> Result<(), Fault> {
    let day = row.paid_date;
    let row = row.into_active_model().reset_all();
    payment::Entity::insert(row).on_conflict_do_nothing().exec_without_returning(conn).await?;
    bill::Entity::update_many()
        .col_expr(bill::Column::PaidDate, Some(day).into())
        .filter(bill::Column::Id.is_in(settled))
        .exec(conn)
        .await?;
    Ok(())
}

/// Enters what a payment pays of late fees: no bill is paid by that, and nothing is paid ahead.
pub(crate) async fn late_fee(conn: &Conn, payment: Uuid, fen: i64) -> Result<(), Fault> {
    payment::Entity::update_many()
        .col_expr(payment::Column::LateFee, fen.into())
        .filter(payment::Column::Id.eq(payment))
        .exec(conn)
        .await?;
    Ok(())
}

/// Enters that a payment bounced: its money is gone, and the bills that it had paid off are unpaid, as if it had never come.
pub(crate) async fn bounced(conn: &Conn, payment: Uuid, fen: i64, reopened: Vec<Uuid>) -> Result<(), Fault> {
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
pub(crate) async fn forget(conn: &Conn, parties: &[Uuid]) -> Result<(), Fault> {
    let ids = || parties.iter().copied();
    bill::Entity::delete_many().filter(bill::Column::PartyId.is_in(ids())).exec(conn).await?;
    payment::Entity::delete_many().filter(payment::Column::PartyId.is_in(ids())).exec(conn).await?;
    Ok(())
}

/// The books of one legal person, over all the parties that it is or was.
pub(crate) async fn load(conn: &Conn, parties: &[Uuid]) -> Result<Books, Fault> {
    let ids = || parties.iter().copied();
    let bills = bill::Entity::find().filter(bill::Column::PartyId.is_in(ids())).order_by_asc(bill::Column::Id);
    let payments = payment::Entity::find()
        .filter(payment::Column::PartyId.is_in(ids()))
        .order_by_asc(payment::Column::Id);
    let guarantees = store::held_guarantees(conn, parties).await?;
    Ok(Books {
        bills: bills.all(conn).await?.into_iter().map(bill::Model::rule).collect(),
        ended: agreements::ended(conn, parties).await?,
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
        guarantees: guarantees.iter().map(guarantee::Model::rule).collect(),
    })
}

/// Which of these receipts billing has told of.
pub(crate) async fn known_receipts(conn: &Conn, receipts: Vec<String>) -> Result<BTreeSet<String>, Fault> {
    let found = payment::Entity::find().filter(payment::Column::ReceiptNo.is_in(receipts));
    Ok(found.all(conn).await?.into_iter().map(|row| row.receipt_no).collect())
}

/// Which of these bills are known to be the parties'.
pub(crate) async fn known_bills(conn: &Conn, parties: &[Uuid], bills: &[Uuid]) -> Result<Vec<Uuid>, Fault> {
    let found = bill::Entity::find()
        .filter(bill::Column::PartyId.is_in(parties.iter().copied()))
        .filter(bill::Column::Id.is_in(bills.iter().copied()));
    Ok(found.all(conn).await?.into_iter().map(|row| row.id).collect())
}
