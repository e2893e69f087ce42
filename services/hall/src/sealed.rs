//! What is sealed in the rows of the hall, opened in sets, and the sealing of texts from before they were.

use std::time::Duration;

use database::{Conn, Write};
use rpc::{Call, Fault};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use uuid::Uuid;
use vault::{SEALED, Vault};

use crate::{Desk, fields};

/// Opened texts, in the order in which they were asked for.
pub struct Clear(std::vec::IntoIter<String>);

impl Clear {
    /// The next one.
    pub fn take(&mut self) -> String {
        self.0.next().unwrap_or_default()
    }
}

/// Opens fields that are sealed as bytes; one that is absent or erased is empty.
pub async fn bytes<'a>(conn: &Conn, vault: &Vault, held: impl Iterator<Item = (Uuid, &'static str, Option<&'a [u8]>)>) -> Result<Clear, Fault> {
    let held: Vec<_> = held.collect();
    let present: Vec<_> = held.iter().filter_map(|(id, name, bytes)| bytes.map(|bytes| (*id, *name, bytes))).collect();
    let mut opened = vault.open_many(conn, &present).await.map_err(Fault::internal)?.into_iter();
    let texts = held.iter().map(|(_, _, bytes)| bytes.and_then(|_| opened.next().flatten()).unwrap_or_default());
    Ok(Clear(texts.collect::<Vec<_>>().into_iter()))
}

/// Opens columns of texts; a clear one is told as it is, one that was erased is empty.
pub async fn texts<'a>(conn: &Conn, vault: &Vault, held: impl Iterator<Item = (Uuid, &'static str, &'a str)>) -> Result<Clear, Fault> {
    let held: Vec<_> = held.collect();
    let opened = vault.open_texts_of(conn, &held).await.map_err(Fault::internal)?;
    Ok(Clear(opened.into_iter()))
}

/// Columns of texts that hold sealed ones, the last one within a JSON; each is the name under which it is sealed, too.
const COLUMNS: &[&str] = &[
    crate::case::store::NAME,
    crate::case::store::ADDRESS,
    crate::case::store::DETAIL,
    crate::case::store::REPLY,
    crate::interaction::store::DETAIL,
    crate::interaction::store::OPINION,
    crate::interaction::store::REPLY,
    crate::complaint::store::DETAIL,
    crate::complaint::store::SUMMARY,
    crate::complaint::store::REPLY,
    crate::order::store::TASK,
    crate::conduct::DETAIL,
    crate::conduct::ANSWER,
    crate::callback::store::VERBATIM,
    crate::callback::store::REWORK_TASK,
    crate::order::store::SUMMARY,
];

const BATCH: u64 = 100;
const AGAIN: Duration = Duration::from_secs(10);

/// Seals what older releases left clear, once after each start, and rests then: what is written since is sealed.
pub async fn seal_older(desk: Desk) {
    for column in COLUMNS {
        let mut after = Uuid::nil();
        loop {
            match seal_some(&desk, column, after).await {
                Ok(Some(last)) => after = last,
                Ok(None) => break,
                Err(fault) => {
                    tracing::warn!(%fault, column, "older texts could not be sealed; it is tried again");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
    std::future::pending().await
}

/// Seals some clear texts of a column, those of the rows after `after`; answers the last of them, none where none is left.
async fn seal_some(desk: &Desk, field: &'static str, after: Uuid) -> Result<Option<Uuid>, Fault> {
    let mut place = field.splitn(3, '.');
    let (Some(table), Some(column), within) = (place.next(), place.next(), place.next()) else {
        return Ok(None);
    };
    let sealed = within.map_or_else(|| format!("{SEALED}%"), |name| format!("%\"{name}\":\"{SEALED}%"));
    let reader = desk.db.reader();
    let mark = |n: usize| {
        if reader.get_database_backend() == DbBackend::Postgres {
            format!("${n}")
        } else {
            "?".to_owned()
        }
    };
    // Names of tables and columns are our own literals.
    let clear = format!(
        "SELECT id, {column} AS held FROM {table} WHERE id > {} AND {column} <> '' AND {column} NOT LIKE {} ORDER BY id LIMIT {BATCH}",
        mark(1),
        mark(2)
    );
    let clear = Statement::from_sql_and_values(reader.get_database_backend(), clear, [after.into(), sealed.into()]);
    let mut rows = vec![];
    for row in &reader.query_all_raw(clear).await? {
        rows.push((row.try_get::<Uuid>("", "id")?, row.try_get::<String>("", "held")?));
    }
    let Some((last, _)) = rows.last() else { return Ok(None) };
    let last = *last;
    let mut write = desk.db.open(&Call::background("hall", "seal-older-texts")).await?;
    // A row that somebody changes meanwhile keeps what that one wrote, which is sealed.
    let update = format!("UPDATE {table} SET {column} = {} WHERE id = {} AND {column} = {}", mark(1), mark(2), mark(3));
    for (id, held) in rows {
        let sealed = match within {
            None => seal(&write, &desk.vault, id, field, &held).await?,
            Some(name) => seal_within(&write, &desk.vault, id, field, name, &held).await?,
        };
        if let Some(sealed) = sealed {
            let statement = Statement::from_sql_and_values(write.get_database_backend(), update.as_str(), [sealed.into(), id.into(), held.into()]);
            write.execute_raw(statement).await?;
            write.subject(id);
        }
    }
    write.close().await?;
    Ok(Some(last))
}

/// The sealed form of a text; none where the person it tells about was erased.
async fn seal(write: &Write, vault: &Vault, id: Uuid, field: &'static str, clear: &str) -> Result<Option<String>, Fault> {
    match vault.seal_texts(&**write, id, [(field, clear)]).await {
        Ok([sealed]) => Ok(Some(sealed)),
        Err(vault::Error::Erased(_)) => Ok(None),
        Err(error) => Err(Fault::internal(error)),
    }
}

/// A JSON with one of its texts sealed.
async fn seal_within(write: &Write, vault: &Vault, id: Uuid, field: &'static str, name: &str, held: &str) -> Result<Option<String>, Fault> {
    let mut json: serde_json::Map<String, serde_json::Value> = fields::unpack(held)?;
    let clear = json.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
    let Some(sealed) = seal(write, vault, id, field, clear).await? else {
        return Ok(None);
    };
    json.insert(name.to_owned(), sealed.into());
    fields::pack(&json).map(Some)
}
