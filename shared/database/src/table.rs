//! The short form of an entity, and how its rows are written.

use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, IdenStatic, Iterable, ModelTrait, PrimaryKeyToColumn, RuntimeErr, Value,
    sea_query::{Alias, DynIden, Expr, ExprTrait, IntoIden, Query, TableRef},
};

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

/// Values that one statement binds: SQLite takes at most 32,766.
const BINDS: usize = 30_000;

/// Writes rows in sets, every column of each.
pub fn insert_all<E: EntityTrait>(conn: &Conn, rows: Vec<E::Model>) -> impl Future<Output = Result<(), DbErr>> {
    let values = rows.into_iter().map(|row| E::Column::iter().map(|column| row.get(column)).collect());
    write(conn, E::default().table_ref(), columns::<E>(), values.collect())
}

/// Writes one new row, every column of it.
pub fn insert<E: EntityTrait>(conn: &Conn, row: E::Model) -> impl Future<Output = Result<(), DbErr>> {
    insert_all::<E>(conn, vec![row])
}

/// Writes every column of a row that is there.
pub fn update<E: EntityTrait>(conn: &Conn, row: E::Model) -> impl Future<Output = Result<(), DbErr>> {
    let key: Vec<_> = E::PrimaryKey::iter().map(|key| key.into_column().as_str()).collect();
    let values = E::Column::iter().map(|column| (column.as_str(), row.get(column)));
    let (key, values) = values.partition(|(column, _)| key.contains(column));
    change(conn, E::default().table_ref(), key, values)
}

fn columns<E: EntityTrait>() -> Vec<DynIden> {
    E::Column::iter().map(IntoIden::into_iden).collect()
}

// What follows knows no entity: it is compiled once.

async fn write(conn: &Conn, table: TableRef, columns: Vec<DynIden>, rows: Vec<Vec<Value>>) -> Result<(), DbErr> {
    let most = BINDS.checked_div(columns.len()).unwrap_or(BINDS);
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut insert = Query::insert();
        insert.into_table(table.clone()).columns(columns.clone());
        for row in rows.by_ref().take(most) {
            let row = row.into_iter().map(Expr::val);
            insert.values(row).map_err(|error| DbErr::Query(RuntimeErr::Internal(error.to_string())))?;
        }
        conn.execute(&insert).await?;
    }
    Ok(())
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
