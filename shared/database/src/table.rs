//! The short form of an entity, and how its rows are written.

use sea_orm::{ActiveModelBehavior, ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, Iterable};

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
pub async fn insert_all<E>(conn: &impl ConnectionTrait, rows: Vec<E::Model>) -> Result<(), DbErr>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: Send,
{
    let columns = <E as EntityTrait>::Column::iter().count().max(1);
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let set: Vec<_> = rows.by_ref().take(BINDS / columns).map(|row| row.into_active_model().reset_all()).collect();
        E::insert_many(set).exec_without_returning(conn).await?;
    }
    Ok(())
}

/// Writes one new row, every column of it.
pub async fn insert<E>(conn: &impl ConnectionTrait, row: E::Model) -> Result<(), DbErr>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: Send,
{
    E::insert(row.into_active_model().reset_all()).exec_without_returning(conn).await?;
    Ok(())
}

/// Writes every column of a row that is there.
pub async fn update<E>(conn: &impl ConnectionTrait, row: E::Model) -> Result<(), DbErr>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: ActiveModelBehavior + Send,
{
    E::update(row.into_active_model().reset_all()).exec(conn).await?;
    Ok(())
}
