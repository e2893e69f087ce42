//! Table of openings.

use std::collections::HashMap;

use calendar::NaiveDate;
use database::Conn;
use rpc::Fault;
use sea_orm::{EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::{
    bill::store::End,
    fetch::{self, row},
    table,
};

row!(
    /// Where the system before ended, the index in litres.
    TakenOver,
    {
        agreement_id: Uuid,
        installation_id: Option<Uuid>,
        as_of: NaiveDate,
        value: Option<i64>,
    }
);
table!(opening, "opening", {
    #[sea_orm(primary_key, auto_increment = false)] agreement_id: Uuid,
    account_id: Uuid,
    branch: String,
    as_of: Date,
    installation_id: Option<Uuid>,
    value: Option<i64>,
    tier_year: i32,
    volume: i64,
    owed: i64,
    prepaid: i64,
    content: String,
    entered_by: String,
    created_at: i64,
});

/// Where the bills of the system before ended.
pub async fn ends(conn: &Conn, agreements: &[Uuid]) -> Result<Vec<End>, Fault> {
    let select = opening::Entity::find().filter(table::among(conn, opening::Column::AgreementId, agreements.iter().copied()));
    let rows: Vec<TakenOver> = fetch::all(conn, select).await?;
    let end = |row: TakenOver| End {
        agreement_id: row.agreement_id,
        installation_id: row.installation_id,
        to_date: row.as_of,
        to_index: row.value,
    };
    Ok(rows.into_iter().map(end).collect())
}

/// What was taken over of agreements.
pub async fn of_agreements(conn: &Conn, agreements: &[Uuid]) -> Result<HashMap<Uuid, opening::Model>, Fault> {
    let rows = opening::Entity::find()
        .filter(table::among(conn, opening::Column::AgreementId, agreements.iter().copied()))
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|o| (o.agreement_id, o)).collect())
}
