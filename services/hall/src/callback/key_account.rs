//! Key accounts (大客户), as archive tells of them: each is visited once a month.

use std::collections::BTreeMap;

use calendar::NaiveDate;
use database::{Conn, Write};
use rpc::{Call, Fault};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use super::{
    model::{Cause, Contact},
    plan::{self, Happening},
};
use crate::{Desk, matter::model::month_of, notice, rows::table};

table! {
    /// The id is that of the party.
    key_account "key_account" {
        branch: String,
        manager: String,
        live: bool,
        planned_on: Option<NaiveDate>,
    }
}

/// How many visits are planned in one write.
const BATCH: u64 = 100;

/// A party became a key account. Its manager handles it, so that somebody else visits (C-02).
pub async fn designated(write: &mut Write, party: &str, branch: String, manager: String) -> Result<(), Fault> {
    let row = key_account::Model {
        id: Uuid::try_parse(party).map_err(Fault::internal)?,
        branch,
        manager,
        live: true,
        planned_on: None,
    };
    write.subject(row.id);
    let newest = OnConflict::column(key_account::Column::Id)
        .update_columns([key_account::Column::Branch, key_account::Column::Manager, key_account::Column::Live])
        .to_owned();
    key_account::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(newest)
        .exec_without_returning(&**write)
        .await?;
    Ok(())
}

/// A party is an ordinary customer again. A visit that is planned is made all the same.
pub async fn ended(write: &mut Write, party: &str) -> Result<(), Fault> {
    let id = Uuid::try_parse(party).map_err(Fault::internal)?;
    key_account::Entity::update_many()
        .col_expr(key_account::Column::Live, Expr::value(false))
        .filter(key_account::Column::Id.eq(id))
        .exec(&**write)
        .await?;
    write.subject(id);
    Ok(())
}

/// Key accounts without a visit in a month.
fn unplanned(month: NaiveDate) -> Select<key_account::Entity> {
    let open = Condition::any()
        .add(key_account::Column::PlannedOn.is_null())
        .add(key_account::Column::PlannedOn.lt(month));
    key_account::Entity::find()
        .filter(key_account::Column::Live.eq(true))
        .filter(open)
        .order_by_asc(key_account::Column::Id)
        .limit(BATCH)
}

/// Plans the visits of the month that are not planned yet; says how many.
pub async fn sweep(desk: &Desk) -> Result<usize, Fault> {
    let month = month_of(desk.clock.now().date());
    if unplanned(month).one(desk.db.reader()).await?.is_none() {
        return Ok(0);
    }
    let mut write = desk.db.open(&Call::background("hall", "plan-key-accounts")).await?;
    let month = month_of(write.now().date());
    let rows = unplanned(month).lock_exclusive().all(&*write).await?;
    let parties: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let accounts = notice::accounts(&write, &parties).await?;
    for row in &rows {
        plan::plan(&mut write, visit(row, month, &accounts)).await?;
    }
    planned(&write, &parties, month).await?;
    write.subject(month);
    write.close().await?;
    Ok(rows.len())
}

fn visit<'a>(row: &'a key_account::Model, month: NaiveDate, accounts: &BTreeMap<Uuid, Uuid>) -> Happening<'a> {
    Happening {
        cause: Cause::KeyAccount,
        about: visit_of(row.id, month),
        account: accounts.get(&row.id).copied(),
        branch: &row.branch,
        handlers: vec![row.manager.clone()],
        vendor: None,
        utility: None,
        hazard: false,
        contact: Contact::Known,
    }
}

async fn planned(conn: &Conn, parties: &[Uuid], month: NaiveDate) -> Result<(), Fault> {
    key_account::Entity::update_many()
        .col_expr(key_account::Column::PlannedOn, Expr::value(Some(month)))
        .filter(key_account::Column::Id.is_in(parties.iter().copied()))
        .exec(conn)
        .await?;
    Ok(())
}

/// The id of the visit of a month.
fn visit_of(party: Uuid, month: NaiveDate) -> Uuid {
    Uuid::try_parse(&rpc::derived_request_id(party, &format!("visit of {month}"))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn c_01_a_key_account_has_one_visit_a_month() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let month = |month| NaiveDate::from_ymd_opt(2025, month, 1).unwrap();
        assert_eq!(visit_of(one, month(3)), visit_of(one, month(3)));
        assert_ne!(visit_of(one, month(3)), visit_of(one, month(4)));
        assert_ne!(visit_of(one, month(3)), visit_of(other, month(3)));
    }
}
