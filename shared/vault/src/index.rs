use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use uuid::Uuid;

use crate::{Error, Vault};

/// A blind index that stands in a table, and the sealed text that it was made from.
#[derive(Clone, Copy, Debug)]
pub struct Index {
    /// The table; its key is the column `id`, and also whose key the text is sealed with.
    pub table: &'static str,
    /// The column of the sealed text, and its field.
    pub sealed: (&'static str, &'static str),
    /// The column of the index, and its field. Bytes are the index; in a text it stands in lower-case hex among other things.
    pub blind: (&'static str, &'static str),
    /// Whether the index stands in a text.
    pub text: bool,
}

impl Vault {
    /// Makes up to `limit` blind indexes anew with the current key, those of the rows after `after`; answers how many were others before, and the
    /// last row, `None` at the end of the table. A row that somebody changes meanwhile keeps what that one wrote.
    ///
    /// # Errors
    /// As [`Vault::open_many`]; else the database fails.
    pub async fn reblind(&self, conn: &impl ConnectionTrait, index: &Index, after: Option<Uuid>, limit: u64) -> Result<(u64, Option<Uuid>), Error> {
        let Index { table, sealed, blind, text } = index;
        let backend = conn.get_database_backend();
        let mark = |n: usize| if backend == DbBackend::Postgres { format!("${n}") } else { "?".to_owned() };
        // Names of tables and columns are our own literals.
        let sql = format!(
            "SELECT id, {} AS sealed, {} AS blind FROM {table} WHERE id > {} AND {} IS NOT NULL ORDER BY id LIMIT {limit}",
            sealed.0,
            blind.0,
            mark(1),
            sealed.0
        );
        let after = after.unwrap_or_default();
        let found = conn.query_all_raw(Statement::from_sql_and_values(backend, sql, [after.into()])).await?;
        let mut rows = vec![];
        for row in &found {
            rows.push((row.try_get::<Uuid>("", "id")?, row.try_get::<Vec<u8>>("", "sealed")?));
        }
        let texts: Vec<_> = rows.iter().map(|(id, bytes)| (*id, sealed.1, bytes.as_slice())).collect();
        let clear = self.open_many(conn, &texts).await?;
        let mut changed = 0_u64;
        for ((row, (id, _)), clear) in found.iter().zip(&rows).zip(clear) {
            // An erased person is not searched for.
            let Some(clear) = clear else { continue };
            let all = self.blind_all(blind.1, &clear);
            let Some((new, others)) = all.split_first() else { continue };
            let (held, wanted): (Value, Value) = if *text {
                let held: String = row.try_get("", "blind")?;
                let wanted = others
                    .iter()
                    .fold(held.clone(), |text, other| text.replace(&hex::encode(other), &hex::encode(new)));
                (held.into(), wanted.into())
            } else {
                (row.try_get::<Vec<u8>>("", "blind")?.into(), new.clone().into())
            };
            if held == wanted {
                continue;
            }
            let sql = format!("UPDATE {table} SET {0} = {1} WHERE id = {2} AND {0} = {3}", blind.0, mark(1), mark(2), mark(3));
            let statement = Statement::from_sql_and_values(backend, sql, [wanted, (*id).into(), held]);
            changed = changed.saturating_add(conn.execute_raw(statement).await?.rows_affected());
        }
        Ok((changed, rows.last().map(|(id, _)| *id)))
    }
}
