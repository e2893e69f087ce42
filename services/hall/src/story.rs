//! The history of a case, an order or an opening: one row a step, never changed.

use database::{Conn, Write};
use rpc::Fault;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "move")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub story_id: Uuid,
        pub moved_at: i64,
        pub actor: String,
        pub action: String,
        pub from_state: String,
        pub to_state: String,
        pub reason: String,
    }
    impl ActiveModelBehavior for ActiveModel {}
}
pub use row::Model as Move;

/// Notes a step; the actor and the time are those of the write.
pub async fn note(write: &Write, story: Uuid, action: &str, from: &str, to: &str, reason: &str) -> Result<(), Fault> {
    let row = row::ActiveModel {
        id: Set(Uuid::now_v7()),
        story_id: Set(story),
        moved_at: Set(write.now().micros()),
        actor: Set(write.call().subject().to_owned()),
        action: Set(action.to_owned()),
        from_state: Set(from.to_owned()),
        to_state: Set(to.to_owned()),
        reason: Set(reason.to_owned()),
    };
    row::Entity::insert(row).exec_without_returning(&**write).await?;
    Ok(())
}

/// The steps of a story, oldest first.
pub async fn of(conn: &Conn, story: Uuid) -> Result<Vec<Move>, Fault> {
    Ok(row::Entity::find()
        .filter(row::Column::StoryId.eq(story))
        .order_by_asc(row::Column::Id)
        .all(conn)
        .await?)
}
