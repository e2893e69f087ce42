//! Table of openings.

use database::Conn;
use std::collections::HashMap;

use rpc::Fault;
use sea_orm::{EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use crate::{bill::store::End, table};

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

/// Where the bills of the system before ended: agreement, installation, day, index in litres.
pub async fn ends(conn: &Conn, agreements: &[Uuid]) -> Result<Vec<End>, Fault> {
    let select = opening::Entity::find().filter(table::among(conn, opening::Column::AgreementId, agreements.iter().copied()));
    let columns = [
        opening::Column::AgreementId,
        opening::Column::InstallationId,
        opening::Column::AsOf,
        opening::Column::Value,
    ];
    Ok(select.select_only().columns(columns).into_tuple().all(conn).await?)
}

/// What was taken over of agreements.
pub async fn of_agreements(conn: &Conn, agreements: &[Uuid]) -> Result<HashMap<Uuid, opening::Model>, Fault> {
    let rows = opening::Entity::find()
        .filter(table::among(conn, opening::Column::AgreementId, agreements.iter().copied()))
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|o| (o.agreement_id, o)).collect())
}
