//! The readings that decide on the bills of a chunk: of each meter those since its last bill, whatever hung or was billed before.

use std::collections::HashMap;

use calendar::NaiveDate;
use database::Conn;
use rpc::Fault;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Statement, Value, sea_query::ArrayType};
use uuid::Uuid;

use super::model::Billed;
use crate::{
    fetch::{self, Placed, row},
    meter::store::installation,
    reading::{model::ReadingState, store::reading},
    table,
};

row!(
    /// What decides of a reading, and is told of the one that a bill ends at.
    Reading,
    {
        id: Uuid,
        meter_no: String,
        installation_id: Uuid,
        agreement_id: Uuid,
        read_at: i64,
        read_date: NaiveDate,
        value: i64,
        source: String,
        state: String,
        rollover: bool,
        codes: String,
        branch: String,
    }
);

/// The installations whose readings count, each with the day after which they do: not those that hung before the one that is billed last.
pub fn open<'a>(installs: &'a [installation::Model], billed: &HashMap<Uuid, Billed>) -> Vec<(&'a installation::Model, NaiveDate)> {
    let order = |install: &installation::Model| (install.from_date, install.id);
    let of_id: HashMap<Uuid, _> = installs.iter().map(|install| (install.id, order(install))).collect();
    let since = |install: &installation::Model| match billed.get(&install.agreement_id) {
        Some(billed) if billed.install == install.id => Some(billed.to),
        Some(billed) if of_id.get(&billed.install).is_some_and(|last| order(install) < *last) => None,
        _ => Some(install.from_date),
    };
    installs.iter().filter_map(|install| Some((install, since(install)?))).collect()
}

/// The live readings of installations, of each those after its day, up to a last one. Most have theirs on the last day of a month, from `lately` on: one
/// statement finds what all of these have since the first one. The others are bounded each by its own day, so that nobody brings old readings of all in.
pub async fn since(conn: &Conn, open: &[(Uuid, NaiveDate)], lately: NaiveDate, last: NaiveDate) -> Result<Vec<Reading>, Fault> {
    let (late, early): (Vec<_>, Vec<_>) = open.iter().copied().partition(|(_, since)| *since >= lately);
    let mut found = vec![];
    if let Some(first) = late.iter().map(|(_, since)| *since).min() {
        let select = reading::Entity::find()
            .filter(table::among(conn, reading::Column::InstallationId, late.iter().map(|(id, _)| *id)))
            .filter(reading::Column::ReadDate.gt(first))
            .filter(reading::Column::ReadDate.lte(last))
            .filter(reading::Column::State.is_not_in([ReadingState::Rejected.code(), ReadingState::Corrected.code()]));
        found = fetch::all(conn, select).await?;
    }
    if !early.is_empty() {
        found.extend(fetch::rows::<Reading>(conn, each(conn.get_database_backend(), &early, last)).await?);
    }
    Ok(found)
}

/// Goes from each installation to its readings, and never through those of all.
fn each(backend: DbBackend, open: &[(Uuid, NaiveDate)], last: NaiveDate) -> Statement {
    let columns = Reading::COLUMNS.join(", ");
    let counts = format!("state NOT IN ('{}', '{}')", ReadingState::Rejected.code(), ReadingState::Corrected.code());
    let (sql, mut values) = if backend == DbBackend::Postgres {
        let sql = format!(
            "SELECT {columns} FROM unnest($2, $3) AS open (install, since) CROSS JOIN LATERAL \
             (SELECT {columns} FROM reading WHERE installation_id = install AND read_date > since AND read_date <= $1 AND {counts} OFFSET 0) found"
        );
        let installs = open.iter().map(|(id, _)| Value::from(*id)).collect();
        let days = open.iter().map(|(_, since)| Value::from(*since)).collect();
        let array = |kind, values: Vec<Value>| Value::Array(kind, Some(Box::new(values)));
        (sql, vec![array(ArrayType::Uuid, installs), array(ArrayType::ChronoDate, days)])
    } else {
        let sql = format!(
            "SELECT {columns} FROM (SELECT unhex(value ->> 0) AS install, value ->> 1 AS since FROM json_each($2)) open CROSS JOIN reading \
             WHERE installation_id = install AND read_date > since AND read_date <= $1 AND {counts}"
        );
        let open = open.iter().map(|(id, since)| serde_json::json!([id.simple().to_string(), since]));
        (sql, vec![serde_json::Value::from_iter(open).to_string().into()])
    };
    values.insert(0, last.into());
    Statement::from_sql_and_values(backend, sql, values)
}
