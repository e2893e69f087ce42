//! The short form of an entity, and how its rows are written.

use std::{borrow::Borrow, fmt::Write};

use sea_orm::{
    ColumnTrait, ColumnType, ConnectionTrait, DbBackend, DbErr, EntityTrait, IdenStatic, Iterable, ModelTrait, PrimaryKeyToColumn, Statement, Value,
    sea_query::{Alias, ArrayType, Expr, ExprTrait, Query, TableRef, extension::postgres::PgFunc},
};
use uuid::Uuid;

use crate::Conn;

/// Declares the entity of a table: a module with the row, its columns and the active model.
#[macro_export]
macro_rules! table {
    ($(#[$doc:meta])* $module:ident, $name:literal, { $($(#[$meta:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        pub(crate) mod $module {
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
            #[sea_orm(table_name = $name)]
            pub struct Model {
                $($(#[$meta])* pub $field: $type),+
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}

/// Values that one statement binds. SQLite takes at most 32,766; a statement of few texts is parsed once and found again.
const BINDS: usize = 4_000;
/// From so many rows on PostgreSQL gets them by COPY.
const COPY_FROM: usize = 500;
/// Days from 1970 to the first day of 2000, from which PostgreSQL counts.
const EPOCH: i32 = 10_957;

/// Writes rows in sets, every column of each.
pub fn insert_all<E: EntityTrait>(conn: &Conn, rows: impl IntoIterator<Item = impl Borrow<E::Model>>) -> impl Future<Output = Result<(), DbErr>> {
    let rows: Vec<_> = rows.into_iter().collect();
    let types: Vec<_> = E::Column::iter().map(|column| column.def().get_column_type().clone()).collect();
    let mut cells = Cells::of(conn, rows.len(), &types);
    for row in rows {
        cells.row(types.len());
        put::<E>(&mut cells, row.borrow());
    }
    write(conn, E::default().table_name(), columns::<E>(), cells, String::new())
}

/// Writes rows in sets: new ones whole, of those that are there the columns that may change.
pub fn save_all<E: EntityTrait>(
    conn: &Conn,
    rows: impl IntoIterator<Item = impl Borrow<E::Model>>,
    key: E::Column,
    changing: &[E::Column],
) -> impl Future<Output = Result<(), DbErr>> {
    let mut cells = Cells::Bound(vec![]);
    for row in rows {
        put::<E>(&mut cells, row.borrow());
    }
    let set: Vec<String> = changing.iter().map(|column| format!("\"{0}\" = excluded.\"{0}\"", column.as_str())).collect();
    let known = format!(" ON CONFLICT (\"{}\") DO UPDATE SET {}", key.as_str(), set.join(", "));
    write(conn, E::default().table_name(), columns::<E>(), cells, known)
}

fn put<E: EntityTrait>(cells: &mut Cells, row: &E::Model) {
    for column in E::Column::iter() {
        cells.put(row.get(column));
    }
}

/// Writes one new row, every column of it.
pub fn insert<E: EntityTrait>(conn: &Conn, row: E::Model) -> impl Future<Output = Result<(), DbErr>> {
    insert_all::<E>(conn, [row])
}

/// Writes every column of a row that is there.
pub fn update<E: EntityTrait>(conn: &Conn, row: E::Model) -> impl Future<Output = Result<(), DbErr>> {
    let key: Vec<_> = E::PrimaryKey::iter().map(|key| key.into_column().as_str()).collect();
    let values = E::Column::iter().map(|column| (column.as_str(), row.get(column)));
    let (key, values) = values.partition(|(column, _)| key.contains(column));
    change(conn, E::default().table_ref(), key, values)
}

/// That a column is one of many keys, which are one value and leave the text of the statement the same, however many they are.
pub fn among<C: ColumnTrait>(conn: &Conn, column: C, keys: impl IntoIterator<Item = Uuid>) -> Expr {
    let backend = conn.get_database_backend();
    listed(backend, column, "unhex(value)", uuids(backend, keys))
}

/// The same of texts.
pub fn among_texts<'a, C: ColumnTrait>(conn: &Conn, column: C, keys: impl IntoIterator<Item = &'a str>) -> Expr {
    let (backend, keys) = (conn.get_database_backend(), keys.into_iter());
    let keys = match backend {
        DbBackend::Postgres => Value::Array(ArrayType::String, Some(Box::new(keys.map(Value::from).collect()))),
        _ => serde_json::Value::from_iter(keys).to_string().into(),
    };
    listed(backend, column, "value", keys)
}

/// The same of keys for a text of SQL: what follows the column, and the value of the one place with this number.
pub fn among_sql(conn: &Conn, place: usize, keys: &[Uuid]) -> (String, Value) {
    let backend = conn.get_database_backend();
    let among = match backend {
        DbBackend::Postgres => format!("= ANY(${place})"),
        _ => format!("IN (SELECT unhex(value) FROM json_each(${place}))"),
    };
    (among, uuids(backend, keys.iter().copied()))
}

fn uuids(backend: DbBackend, keys: impl IntoIterator<Item = Uuid>) -> Value {
    let keys = keys.into_iter();
    match backend {
        DbBackend::Postgres => Value::Array(ArrayType::Uuid, Some(Box::new(keys.map(Value::from).collect()))),
        _ => serde_json::Value::from_iter(keys.map(|key| key.simple().to_string())).to_string().into(),
    }
}

fn listed<C: ColumnTrait>(backend: DbBackend, column: C, element: &str, keys: Value) -> Expr {
    let column = Expr::col(column.as_column_ref());
    match backend {
        DbBackend::Postgres => column.eq(PgFunc::any(keys)),
        _ => Expr::cust_with_exprs(format!("? IN (SELECT {element} FROM json_each(?))"), [column, Expr::val(keys)]),
    }
}

fn columns<E: EntityTrait>() -> Vec<&'static str> {
    E::Column::iter().map(|column| column.as_str()).collect()
}

// What follows knows no entity: it is compiled once.

/// The cells of rows, one after the other.
enum Cells {
    /// As a statement binds them.
    Bound(Vec<Value>),
    /// In the binary form of COPY (<https://www.postgresql.org/docs/current/sql-copy.html>).
    Copied(Vec<u8>),
}

impl Cells {
    fn of(conn: &Conn, rows: usize, types: &[ColumnType]) -> Self {
        if rows >= COPY_FROM && conn.copies() && types.iter().all(is_copied) {
            Self::Copied(HEAD.to_vec())
        } else {
            Self::Bound(Vec::with_capacity(rows.saturating_mul(types.len())))
        }
    }

    fn row(&mut self, columns: usize) {
        if let Self::Copied(data) = self {
            data.extend(i16::try_from(columns).unwrap_or(i16::MAX).to_be_bytes());
        }
    }

    fn put(&mut self, value: Value) {
        match self {
            Self::Bound(values) => values.push(value),
            Self::Copied(data) => field(data, &value),
        }
    }
}

const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Whether [`field`] writes values of a column.
fn is_copied(of: &ColumnType) -> bool {
    use ColumnType::{BigInteger, Blob, Boolean, Date, Integer, String, Text, Uuid, VarBinary};
    matches!(of, BigInteger | Blob | Boolean | Date | Integer | String(_) | Text | Uuid | VarBinary(_))
}

/// Writes cells; `known` says what becomes of rows that are there.
async fn write(conn: &Conn, table: &'static str, columns: Vec<&'static str>, cells: Cells, known: String) -> Result<(), DbErr> {
    let names = format!("\"{table}\" (\"{}\")", columns.join("\", \""));
    let values = match cells {
        Cells::Copied(mut data) => {
            data.extend((-1_i16).to_be_bytes());
            return conn.copy(&format!("COPY {names} FROM STDIN (FORMAT binary)"), &data).await;
        }
        Cells::Bound(values) => values,
    };
    let backend = conn.get_database_backend();
    let width = columns.len();
    let mut values = values.into_iter();
    let mut next = || {
        let rows = rows_of_next(values.len().checked_div(width).unwrap_or(0), width)?;
        let values: Vec<Value> = values.by_ref().take(rows.saturating_mul(width)).collect();
        let mut sql = format!("INSERT INTO {names} VALUES ");
        for n in 0..values.len() {
            let column = n.checked_rem(width).unwrap_or(0);
            sql.push_str(match (n, column) {
                (0, _) => "(",
                (_, 0) => "), (",
                _ => ", ",
            });
            match backend {
                DbBackend::Postgres => {
                    let _ = write!(sql, "${}", n.saturating_add(1));
                }
                _ => sql.push('?'),
            }
        }
        sql.push(')');
        sql.push_str(&known);
        Some(Statement::from_sql_and_values(backend, sql, values))
    };
    let mut made = next();
    while let Some(statement) = made.take() {
        // The next one is made while the engine works on this one.
        let (done, ()) = tokio::join!(biased; conn.execute_raw(statement), async { made = next() });
        done?;
    }
    Ok(())
}

/// Rows of the next statement, of so many that are left: as many as it may bind, or a power of two, so that few texts end all sets.
fn rows_of_next(left: usize, columns: usize) -> Option<usize> {
    let most = BINDS.checked_div(columns).unwrap_or(BINDS).max(1);
    let power = 1_usize.checked_shl(left.checked_ilog2()?)?;
    Some(if left >= most { most } else { power })
}

fn field(data: &mut Vec<u8>, value: &Value) {
    let mut put = |bytes: &[u8]| {
        data.extend(i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
        data.extend(bytes);
    };
    match value {
        Value::Bool(Some(it)) => put(&[u8::from(*it)]),
        Value::Int(Some(it)) => put(&it.to_be_bytes()),
        Value::BigInt(Some(it)) => put(&it.to_be_bytes()),
        Value::String(Some(it)) => put(it.as_bytes()),
        Value::Bytes(Some(it)) => put(it),
        Value::Uuid(Some(it)) => put(it.as_bytes()),
        Value::ChronoDate(Some(it)) => put(&it.to_epoch_days().saturating_sub(EPOCH).to_be_bytes()),
        _ => data.extend((-1_i32).to_be_bytes()),
    }
}

async fn change(conn: &Conn, table: TableRef, key: Vec<(&'static str, Value)>, values: Vec<(&'static str, Value)>) -> Result<(), DbErr> {
    let mut update = Query::update();
    update
        .table(table)
        .values(values.into_iter().map(|(column, value)| (Alias::new(column), value.into())));
    for (column, value) in key {
        update.and_where(Expr::col(Alias::new(column)).eq(value));
    }
    match conn.execute(&update).await?.rows_affected() {
        0 => Err(DbErr::RecordNotUpdated),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use calendar::NaiveDate;

    use super::*;

    #[test]
    fn sets_end_with_few_texts() {
        let mut left = 1_237;
        let mut parts = vec![];
        while let Some(rows) = rows_of_next(left, 4) {
            left -= rows;
            parts.push(rows);
        }
        assert_eq!(parts, [1_000, 128, 64, 32, 8, 4, 1]);
        assert_eq!(rows_of_next(3, BINDS + 1), Some(1));
    }

    #[test]
    fn rows_have_the_binary_form_of_copy() {
        let day = NaiveDate::from_ymd_opt(2000, 1, 2).unwrap();
        let row = [
            Value::from(1_i32),
            Value::String(None),
            Value::from(true),
            Value::from(Uuid::nil()),
            Value::from(day),
            Value::from(-1_i64),
            Value::from("气"),
        ];
        let head = "5047434f50590aff0d0a00" /* PGCOPY */
            .to_owned()
            + "0000000000000000";
        let fields = [
            "0007",
            "0000000400000001",
            "ffffffff",
            "0000000101",
            "0000001000000000000000000000000000000000",
            "0000000400000001",
            "00000008ffffffffffffffff",
            "00000003e6b094",
        ];
        let mut cells = Cells::Copied(HEAD.to_vec());
        cells.row(row.len());
        for value in row {
            cells.put(value);
        }
        let Cells::Copied(data) = cells else {
            panic!("they are for COPY");
        };
        assert_eq!(hex::encode(data), head + &fields.concat());
        assert!(!is_copied(&ColumnType::Double), "no table of ours has such a column");
    }
}
