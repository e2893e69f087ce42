//! Many rows at once, read by their places. By name each column of each row is looked up, and on SQLite each row comes from another thread: so there a thousand
//! of them come as one text.

use database::{Conn, table};
use rpc::Fault;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryResult, QueryTrait, Select, Statement, Value,
    prelude::Date,
    sea_query::{ArrayType, Expr, ExprTrait, extension::postgres::PgFunc},
};
use serde::Deserialize;
use uuid::Uuid;

use super::store::reading;
use crate::meter::store::{installation, meter};

/// Rows of one text.
const ROWS: u32 = 1_000;

/// A table whose rows are read by place.
pub trait Placed: EntityTrait {
    /// Its columns as JSON has them, in their order.
    fn cells() -> Vec<String>;
    fn row(row: &QueryResult) -> Result<Self::Model, DbErr>;
    fn rows(text: &str) -> Result<Vec<Self::Model>, serde_json::Error>;
}

/// A kind of value that JSON is made of on SQLite.
trait Cell {
    fn json(column: &str) -> String {
        column.to_owned()
    }
}

impl Cell for i32 {}
impl Cell for i64 {}
impl Cell for Option<i64> {}
impl Cell for String {}
impl Cell for Option<String> {}
impl Cell for Date {}
impl Cell for Option<Date> {}

impl Cell for Uuid {
    fn json(column: &str) -> String {
        format!("hex({column})")
    }
}

impl Cell for Option<Uuid> {
    fn json(column: &str) -> String {
        format!("nullif(hex({column}), '')")
    }
}

impl Cell for bool {
    fn json(column: &str) -> String {
        format!("json(iif({column}, 'true', 'false'))")
    }
}

macro_rules! placed {
    ($table:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        impl Placed for $table::Entity {
            fn cells() -> Vec<String> {
                vec![$(<$type as Cell>::json(stringify!($field))),+]
            }
            fn row(row: &QueryResult) -> Result<$table::Model, DbErr> {
                let mut places = 0..;
                Ok($table::Model { $($field: row.try_get_by_index(places.next().unwrap_or_default())?),+ })
            }
            fn rows(text: &str) -> Result<Vec<$table::Model>, serde_json::Error> {
                #[derive(Deserialize)]
                struct Row { $($field: $type),+ }
                let rows: Vec<Row> = serde_json::from_str(text)?;
                Ok(rows.into_iter().map(|Row { $($field),+ }| $table::Model { $($field),+ }).collect())
            }
        }
    };
}

placed!(meter {
    id: Uuid,
    meter_no: String,
    kind: String,
    model: String,
    qmax: i64,
    digits: i32,
    manufacturer: String,
    seal_no: String,
    verified_date: Option<Date>,
    expires_date: Option<Date>,
    branch: String,
    state: String,
    version: i64,
    created_at: i64,
    multiplier: i32,
    gas_kind: Option<String>,
    made_date: Option<Date>,
});
placed!(installation {
    id: Uuid,
    meter_id: Uuid,
    meter_no: String,
    agreement_id: Uuid,
    account_no: String,
    branch: String,
    from_date: Date,
    end_date: Option<Date>,
    initial_index: i64,
    final_index: Option<i64>,
    photo_file: String,
    signed: bool,
    awaits_opening: bool,
    end_reason: String,
    created_at: i64,
    commodity: String,
});
placed!(reading {
    id: Uuid,
    meter_id: Uuid,
    meter_no: String,
    installation_id: Uuid,
    agreement_id: Uuid,
    branch: String,
    read_at: i64,
    read_date: Date,
    value: i64,
    raw: String,
    source: String,
    recorded_by: String,
    state: String,
    conflict: bool,
    rollover: bool,
    codes: String,
    exception_id: Option<Uuid>,
    created_at: i64,
    time_twice: bool,
    photo_file: String,
    method: Option<String>,
    lineage: String,
    replaced_by: Option<Uuid>,
    restated: Option<i64>,
});

/// What a query finds, in no order that could be relied on.
pub async fn all<E: Placed>(conn: &Conn, select: Select<E>) -> Result<Vec<E::Model>, Fault> {
    let statement = select.build(conn.get_database_backend());
    if statement.db_backend == DbBackend::Postgres {
        let rows = conn.query_all_raw(statement).await?;
        return Ok(rows.iter().map(E::row).collect::<Result<_, _>>()?);
    }
    let sql = format!(
        "SELECT json_group_array(json_array({})) FROM (SELECT *, (row_number() OVER () - 1) / {ROWS} AS part FROM ({})) GROUP BY part",
        E::cells().join(", "),
        statement.sql
    );
    let texts = conn.query_all_raw(Statement { sql, ..statement }).await?;
    let mut rows = vec![];
    for text in texts {
        let text: String = text.try_get_by_index(0)?;
        rows.extend(E::rows(&text).map_err(Fault::internal)?);
    }
    Ok(rows)
}

/// That a column is one of many keys, in a text that is the same however many they are.
pub fn among<C: ColumnTrait>(conn: &Conn, column: C, keys: impl IntoIterator<Item = Uuid>) -> Expr {
    match conn.get_database_backend() {
        DbBackend::Postgres => table::among(conn, column, keys),
        _ => listed(column, "unhex(value)", keys.into_iter().map(|key| key.simple().to_string())),
    }
}

/// The same of texts.
pub fn among_texts<'a, C: ColumnTrait>(conn: &Conn, column: C, keys: impl IntoIterator<Item = &'a str>) -> Expr {
    let keys = keys.into_iter();
    match conn.get_database_backend() {
        DbBackend::Postgres => {
            let keys = Value::Array(ArrayType::String, Some(Box::new(keys.map(Value::from).collect())));
            Expr::col(column.as_column_ref()).eq(PgFunc::any(keys))
        }
        _ => listed(column, "value", keys.map(str::to_owned)),
    }
}

/// The same of keys for a text of SQL: what follows the column, and the value of the one place with this number.
pub fn among_sql(conn: &Conn, place: usize, keys: &[Uuid]) -> (String, Value) {
    if conn.get_database_backend() == DbBackend::Postgres {
        let keys = keys.iter().map(|key| Value::from(*key)).collect();
        return (format!("= ANY(${place})"), Value::Array(ArrayType::Uuid, Some(Box::new(keys))));
    }
    let keys = serde_json::Value::from_iter(keys.iter().map(|key| key.simple().to_string()));
    (format!("IN (SELECT unhex(value) FROM json_each(${place}))"), keys.to_string().into())
}

fn listed<C: ColumnTrait>(column: C, value: &str, keys: impl Iterator<Item = String>) -> Expr {
    let keys = serde_json::Value::from_iter(keys).to_string();
    Expr::cust_with_values(format!("{} IN (SELECT {value} FROM json_each(?))", column.as_str()), [keys])
}

#[cfg(test)]
mod tests {
    use sea_orm::{IdenStatic, Iterable};

    use super::*;

    /// A column that a query gives at another place would be read as its neighbour.
    #[test]
    fn columns_are_read_in_the_order_of_their_queries() {
        fn same<E: Placed>() {
            let names: Vec<&str> = E::Column::iter().map(|column| column.as_str()).collect();
            let cells = E::cells();
            assert_eq!(cells.len(), names.len());
            for (cell, name) in cells.iter().zip(names) {
                let bare = cell == name || [",", ")"].iter().any(|end| cell.contains(&format!("({name}{end}")));
                assert!(bare, "{cell} stands where {name} is");
            }
        }
        same::<meter::Entity>();
        same::<installation::Entity>();
        same::<reading::Entity>();
    }
}
