//! Rows whose columns are words of the trade or packed values, and how they are written.

use sea_orm::{ColIdx, DbErr, QueryResult, TryGetError, TryGetable, Value, sea_query};
use serde::{Serialize, de::DeserializeOwned};

use crate::codes::Code;

/// A value that is kept as JSON in a text column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed<T>(pub T);

impl<T: Serialize> From<Packed<T>> for Value {
    fn from(packed: Packed<T>) -> Self {
        // The values are plain data of ours, which always have a JSON form; an empty text would be refused when it is read.
        serde_json::to_string(&packed.0).unwrap_or_default().into()
    }
}

impl<T: DeserializeOwned> TryGetable for Packed<T> {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        let text = String::try_get_by(row, index)?;
        serde_json::from_str(&text)
            .map(Self)
            .map_err(|e| TryGetError::DbErr(DbErr::Json(e.to_string())))
    }
}

impl<T: DeserializeOwned> sea_query::ValueType for Packed<T> {
    fn try_from(value: Value) -> Result<Self, sea_query::ValueTypeErr> {
        let text = <String as sea_query::ValueType>::try_from(value)?;
        serde_json::from_str(&text).map(Self).map_err(|_| sea_query::ValueTypeErr)
    }
    fn type_name() -> String {
        "Packed".to_owned()
    }
    fn array_type() -> sea_query::ArrayType {
        sea_query::ArrayType::String
    }
    fn column_type() -> sea_query::ColumnType {
        sea_query::ColumnType::Text
    }
}

impl<T> sea_query::Nullable for Packed<T> {
    fn null() -> Value {
        Value::String(None)
    }
}

/// The word of a text column.
pub fn word<T: Code, I: ColIdx>(row: &QueryResult, index: I) -> Result<T, TryGetError> {
    let text = String::try_get_by(row, index)?;
    T::of_code(&text).ok_or_else(|| TryGetError::DbErr(DbErr::Type(format!("unknown code of {}", T::LIST))))
}

/// Lets lists of words stand in columns.
macro_rules! columns {
    ($($list:ty),+ $(,)?) => {$(
        impl From<$list> for sea_orm::Value {
            fn from(word: $list) -> Self {
                $crate::codes::Code::code(word).into()
            }
        }
        impl sea_orm::TryGetable for $list {
            fn try_get_by<I: sea_orm::ColIdx>(row: &sea_orm::QueryResult, index: I) -> Result<Self, sea_orm::TryGetError> {
                $crate::rows::word(row, index)
            }
        }
        impl sea_orm::sea_query::ValueType for $list {
            fn try_from(value: sea_orm::Value) -> Result<Self, sea_orm::sea_query::ValueTypeErr> {
                let text = <String as sea_orm::sea_query::ValueType>::try_from(value)?;
                $crate::codes::Code::of_code(&text).ok_or(sea_orm::sea_query::ValueTypeErr)
            }
            fn type_name() -> String {
                stringify!($list).to_owned()
            }
            fn array_type() -> sea_orm::sea_query::ArrayType {
                sea_orm::sea_query::ArrayType::String
            }
            fn column_type() -> sea_orm::sea_query::ColumnType {
                sea_orm::sea_query::ColumnType::Text
            }
        }
        impl sea_orm::sea_query::Nullable for $list {
            fn null() -> sea_orm::Value {
                sea_orm::Value::String(None)
            }
        }
    )+};
}
pub(crate) use columns;

/// Declares a table with a UUID key; `versioned` ones are changed as a whole, row by row, against the version that was read.
macro_rules! table {
    ($(#[$doc:meta])* $module:ident $name:literal { $($field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        pub(crate) mod $module {
            #![allow(unused_imports, reason = "not every table has columns of every type")]
            use super::*;
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
            #[sea_orm(table_name = $name)]
            pub struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub id: Uuid,
                $(pub $field: $type),+
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}

            #[allow(dead_code, reason = "not every table is used in every way")]
            impl Model {
                /// Adds the row.
                pub async fn insert(self, conn: &database::Conn) -> Result<(), rpc::Fault> {
                    use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
                    Entity::insert(self.into_active_model().reset_all()).exec_without_returning(conn).await?;
                    Ok(())
                }
            }
        }
    };
    ($(#[$doc:meta])* versioned $module:ident $name:literal { $($field:ident: $type:ty),+ $(,)? }) => {
        $crate::rows::table! { $(#[$doc])* $module $name { $($field: $type),+ , version: i64 } }

        #[allow(dead_code, reason = "not every table is used in every way")]
        impl $module::Model {
            /// Tag of this version.
            pub fn etag(&self) -> String {
                rpc::etag(self.id, self.version)
            }
            /// Refuses a tag of another version.
            pub fn check(&self, etag: &str) -> Result<(), rpc::Fault> {
                rpc::check_etag(etag, self.id, self.version)
            }
            /// Writes the row as its next version.
            pub async fn save(&mut self, conn: &database::Conn) -> Result<(), rpc::Fault> {
                use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
                let before = self.version;
                self.version = before.saturating_add(1);
                let row = self.clone().into_active_model().reset_all();
                let done = $module::Entity::update_many()
                    .set(row)
                    .filter($module::Column::Id.eq(self.id))
                    .filter($module::Column::Version.eq(before))
                    .exec(conn)
                    .await?;
                if done.rows_affected == 1 { Ok(()) } else { Err(rpc::Fault::aborted("CONTENTION", "others are writing the same rows; try again")) }
            }
        }
    };
}
pub(crate) use table;
