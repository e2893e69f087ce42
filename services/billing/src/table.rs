//! Short form of an entity: the columns and nothing else.

/// Declares a sea-orm entity without relations.
macro_rules! table {
    ($module:ident, $name:literal, { $($(#[$meta:meta])* $field:ident: $type:ty),+ $(,)? }) => {
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
pub(crate) use table;

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, ModelTrait};

/// Rows that one statement takes: SQLite binds at most 32,766 values.
const BINDS: usize = 30_000;

/// Writes rows in sets, every column of each.
pub(crate) async fn insert_all<E>(conn: &impl ConnectionTrait, rows: Vec<E::Model>) -> Result<(), DbErr>
where
    E: EntityTrait,
    E::Model: ModelTrait<Entity = E> + IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
{
    use sea_orm::Iterable;
    let columns = <E as EntityTrait>::Column::iter().count().max(1);
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let set: Vec<_> = rows.by_ref().take(BINDS / columns).map(|row| row.into_active_model().reset_all()).collect();
        E::insert_many(set).exec_without_returning(conn).await?;
    }
    Ok(())
}
