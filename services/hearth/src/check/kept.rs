//! Ids that a service keeps of another one, held against what that one holds.

use std::path::Path;

use anyhow::{Context, Result};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

use super::Outcome;
use crate::suite::SERVICES;

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
            ("heat_season.id", "billing.heat_season.id"),
        ],
    ),
    (
        "vendor",
        &[("work_offer.order_id", "hall.work_order.id"), ("work_offer.event_id", "hall.event.id")],
    ),
];

/// Looks for each of them in the databases of a data folder.
pub async fn between(folder: &Path) -> Result<Outcome> {
    let (mut looked, mut astray) = (0_usize, vec![]);
    for (holder, references) in KEPT {
        let db = open(folder, holder).await?;
        for (from, to) in references {
            let rows = missing(&db, from, to)
                .await
                .with_context(|| format!("{holder}.{from} cannot be held against {to}"))?;
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

/// The database of a service, with those of all under their names. A statement opens them in order: what the holder took over by then stands in the
/// others, which go on writing meanwhile.
async fn open(folder: &Path, holder: &str) -> Result<DatabaseConnection> {
    let file = |service: &str| folder.join(format!("{service}.db")).display().to_string();
    let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rw", file(holder)));
    // What is attached belongs to a connection.
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.with_context(|| format!("{} cannot be opened", file(holder)))?;
    for other in SERVICES.iter().filter(|other| other.name != holder) {
        let attach = Statement::from_sql_and_values(DbBackend::Sqlite, format!("ATTACH ? AS {}", other.name), [file(other.name).into()]);
        db.execute_raw(attach).await.with_context(|| format!("{} cannot be opened", file(other.name)))?;
    }
    Ok(db)
}

/// Rows of `from`, a column of the main database, that are not in `to`. Both are our own literals.
async fn missing(db: &DatabaseConnection, from: &str, to: &str) -> Result<i64> {
    let (table, column) = from.split_once('.').context("no column of a table")?;
    let (other, key) = to.rsplit_once('.').context("no column of a table")?;
    let sql =
        format!("SELECT count(*) FROM main.{table} AS a WHERE a.{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {other} AS b WHERE b.{key} = a.{column})");
    let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?;
    Ok(row.context("a count has no row")?.try_get_by_index(0)?)
}
