//! Many rows at once, read by their places. By name each column of each row is looked up, and on SQLite each row comes from another thread: so there they
//! come as one text.

use database::Conn;
use rpc::Fault;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryResult, QueryTrait, Select, Statement, prelude::Date};
use uuid::Uuid;

/// A row that is read by place: all columns of a table, some of them, or those of a query.
pub trait Placed: Sized {
    /// Names of its columns, in their order.
    const COLUMNS: &'static [&'static str];
    /// The same as JSON has them.
    fn cells() -> Vec<String>;
    fn row(row: &QueryResult) -> Result<Self, DbErr>;
    fn rows(text: &str) -> Result<Vec<Self>, serde_json::Error>;
}

/// A kind of value that JSON is made of on SQLite.
pub trait Cell {
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

/// Declares a row of some columns, which is read by place.
macro_rules! row {
    ($(#[$doc:meta])* $name:ident, { $($field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            $(pub $field: $type),+
        }
        $crate::fetch::place!($name, { $($field: $type),+ });
    };
}
pub(crate) use row;

/// Declares the entity of a table, as `table!` does, whose rows are read by place.
macro_rules! placed {
    ($module:ident, $name:literal, { $($(#[$meta:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        $crate::table!($module, $name, { $($(#[$meta])* $field: $type),+ });
        $crate::fetch::place!($module::Model, { $($field: $type),+ });
    };
}
pub(crate) use placed;

macro_rules! place {
    ($row:ty, { $($field:ident: $type:ty),+ }) => {
        const _: () = {
            use sea_orm::entity::prelude::*;

            type Whole = $row;

            impl $crate::fetch::Placed for Whole {
                const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),+];
                fn cells() -> Vec<String> {
                    vec![$(<$type as $crate::fetch::Cell>::json(stringify!($field))),+]
                }
                fn row(row: &sea_orm::QueryResult) -> Result<Self, DbErr> {
                    let mut places = 0..;
                    Ok(Whole { $($field: row.try_get_by_index(places.next().unwrap_or_default())?),+ })
                }
                fn rows(text: &str) -> Result<Vec<Self>, serde_json::Error> {
                    #[derive(serde::Deserialize)]
                    struct Row { $($field: $type),+ }
                    let rows: Vec<Row> = serde_json::from_str(text)?;
                    Ok(rows.into_iter().map(|Row { $($field),+ }| Whole { $($field),+ }).collect())
                }
            }
        };
    };
}
pub(crate) use place;

/// What a selection finds, in no order that could be relied on.
pub async fn all<R: Placed, E: EntityTrait>(conn: &Conn, mut select: Select<E>) -> Result<Vec<R>, Fault> {
    QueryTrait::query(&mut select).clear_selects().columns(R::COLUMNS.iter().copied());
    rows(conn, select.build(conn.get_database_backend())).await
}

/// The same of a query that names its columns as the row does.
pub async fn rows<R: Placed>(conn: &Conn, query: Statement) -> Result<Vec<R>, Fault> {
    if query.db_backend == DbBackend::Postgres {
        let rows = conn.query_all_raw(query).await?;
        return Ok(rows.iter().map(R::row).collect::<Result<_, _>>()?);
    }
    let sql = format!("SELECT json_group_array(json_array({})) FROM ({})", R::cells().join(", "), query.sql);
    let Some(text) = conn.query_one_raw(Statement { sql, ..query }).await? else {
        return Ok(vec![]);
    };
    let text: String = text.try_get_by_index(0)?;
    R::rows(&text).map_err(Fault::internal)
}
