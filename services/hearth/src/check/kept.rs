//! Ids that a service keeps of another one, held against what that one holds.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use database::Engine;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

use super::Outcome;
use crate::{backup::Place, suite::SERVICES};

/// By service: a column, and the service, table and column that its ids come from. What a caller named and nobody looked up is not among them.
const KEPT: [(&str, &[(&str, &str)]); 4] = [
    ("archive", &[("credit_bill.id", "billing.bill.id"), ("credit_payment.id", "billing.payment.id")]),
    (
        "billing",
        &[
            ("account.id", "archive.account.id"),
            ("account.party_id", "archive.party.id"),
            ("supply.id", "archive.agreement.id"),
            ("supply.party_id", "archive.party.id"),
            ("supply.premises_id", "archive.premises.id"),
            ("bill.party_id", "archive.party.id"),
            ("payment.party_id", "archive.party.id"),
            ("adjustment.party_id", "archive.party.id"),
            ("theft_case.party_id", "archive.party.id"),
        ],
    ),
    (
        "hall",
        &[
            ("customer_account.id", "archive.account.id"),
            ("key_account.id", "archive.party.id"),
            ("opening.account_id", "archive.account.id"),
            ("opening.premises_id", "archive.premises.id"),
            ("opening.service_point_id", "archive.service_point.id"),
            ("opening.agreement_id", "archive.agreement.id"),
            ("work_order.agreement_id", "archive.agreement.id"),
            ("heat_season.id", "billing.heat_season.id"),
        ],
    ),
    (
        "vendor",
        &[("work_offer.order_id", "hall.work_order.id"), ("work_offer.event_id", "hall.event.id")],
    ),
];

/// Looks for each of them in the databases of the services.
pub async fn between(place: &Place) -> Result<Outcome> {
    let (mut looked, mut astray) = (0_usize, vec![]);
    for (holder, references) in KEPT {
        let db = open(place, holder).await?;
        for (from, to) in references {
            let rows = match db.get_database_backend() {
                DbBackend::Postgres => astray_in_postgres(place, &db, from, to).await,
                _ => astray_in_sqlite(&db, from, to).await,
            };
            let rows = rows.with_context(|| format!("{holder}.{from} cannot be held against {to}"))?;
            looked = looked.saturating_add(1);
            if rows > 0 {
                astray.push(format!("{rows} rows of {holder}.{from} -> {to}"));
            }
        }
        db.close().await?;
    }
    Ok(if astray.is_empty() {
        Ok(format!("{looked} references from one service to another, every row leads somewhere"))
    } else {
        Err(astray.join(", "))
    })
}

/// The database of a service, on SQLite with those of all under their names. A statement opens them in order: what the holder took over by then stands
/// in the others, which go on writing meanwhile.
async fn open(place: &Place, holder: &str) -> Result<DatabaseConnection> {
    let (target, _) = place.of(holder)?;
    let mut options = ConnectOptions::new(target.existing());
    // What is attached belongs to a connection.
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options)
        .await
        .with_context(|| format!("the database of {holder} cannot be opened"))?;
    if target.engine == Engine::Sqlite {
        for other in SERVICES.iter().filter(|other| other.name != holder) {
            let (target, _) = place.of(other.name)?;
            let file = target.url.trim_start_matches("sqlite://");
            let file = file.split_once('?').map_or(file, |(file, _)| file);
            let attach = Statement::from_sql_and_values(DbBackend::Sqlite, format!("ATTACH ? AS {}", other.name), [file.into()]);
            db.execute_raw(attach).await.with_context(|| format!("{file} cannot be opened"))?;
        }
    }
    Ok(db)
}

/// Rows of `from`, a column of the main database, that are not in `to`. Both are our own literals.
async fn astray_in_sqlite(db: &DatabaseConnection, from: &str, to: &str) -> Result<i64> {
    let (table, column) = from.split_once('.').context("no column of a table")?;
    let (other, key) = to.rsplit_once('.').context("no column of a table")?;
    let sql =
        format!("SELECT count(*) FROM main.{table} AS a WHERE a.{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {other} AS b WHERE b.{key} = a.{column})");
    let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?;
    Ok(row.context("a count has no row")?.try_get_by_index(0)?)
}

/// Ids that are carried from one PostgreSQL database to another at a time.
const CARRIED: i64 = 10_000;
/// Between two of them: no id has it.
const BETWEEN: &str = "\u{1f}";

/// The same where no statement sees both: the ids of the holder are carried over, part by part, the holder's always first.
async fn astray_in_postgres(place: &Place, holder: &DatabaseConnection, from: &str, to: &str) -> Result<i64> {
    let (table, column) = from.split_once('.').context("no column of a table")?;
    let (service, rest) = to.split_once('.').context("no service")?;
    let (other, key) = rest.split_once('.').context("no column of a table")?;
    let ask = |sql: String, values: Vec<sea_orm::Value>| Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    let kind = format!("SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attname = '{column}'");
    let kind: String = holder.query_one_raw(ask(kind, vec![])).await?.context("no such column")?.try_get_by_index(0)?;
    let held = open(place, service).await?;
    let (mut after, mut astray) = (None::<String>, 0_i64);
    loop {
        let beyond = if after.is_some() {
            format!("AND {column} > $1::{kind}")
        } else {
            String::new()
        };
        let page =
            format!("SELECT {column}::text, count(*) FROM {table} WHERE {column} IS NOT NULL {beyond} GROUP BY {column} ORDER BY {column} LIMIT {CARRIED}");
        let rows = holder.query_all_raw(ask(page, after.take().map(Into::into).into_iter().collect())).await?;
        let mut ids = BTreeMap::<String, i64>::new();
        for row in &rows {
            let (id, number) = (row.try_get_by_index::<String>(0)?, row.try_get_by_index(1)?);
            after = Some(id.clone());
            ids.insert(id, number);
        }
        if after.is_none() {
            held.close().await?;
            return Ok(astray);
        }
        let absent =
            format!("SELECT a.id FROM unnest(string_to_array($1, $2)) AS a(id) WHERE NOT EXISTS (SELECT 1 FROM {other} AS b WHERE b.{key} = a.id::{kind})");
        let carried = ids.keys().map(String::as_str).collect::<Vec<_>>().join(BETWEEN);
        for row in held.query_all_raw(ask(absent, vec![carried.into(), BETWEEN.into()])).await? {
            let id: String = row.try_get_by_index(0)?;
            astray = astray.saturating_add(ids.get(&id).copied().unwrap_or(1));
        }
    }
}
