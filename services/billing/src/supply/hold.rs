//! Credit holds that archive tells of (信用冻结): the party is asked to pay ahead. Supply, price and reminders are not touched (G-11).

use calendar::NaiveDate;
use rpc::Fault;
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, sea_query::OnConflict};
use uuid::Uuid;

use crate::table;

table!(credit_hold, "credit_hold", {
    #[sea_orm(primary_key, auto_increment = false)] party_id: String,
    branch: String,
    cause: String,
    raised_date: Date,
    cleared_date: Option<Date>,
});

/// Files a hold that was raised; a later one takes the place of one that was cleared.
pub async fn raise(conn: &impl ConnectionTrait, party: Uuid, branch: &str, cause: &str, day: NaiveDate) -> Result<(), Fault> {
    let row = credit_hold::Model {
        party_id: party.to_string(),
        branch: branch.to_owned(),
        cause: cause.to_owned(),
        raised_date: day,
        cleared_date: None,
    };
    let conflict = OnConflict::column(credit_hold::Column::PartyId)
        .update_columns([
            credit_hold::Column::Branch,
            credit_hold::Column::Cause,
            credit_hold::Column::RaisedDate,
            credit_hold::Column::ClearedDate,
        ])
        .to_owned();
    credit_hold::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(conflict)
        .exec_without_returning(conn)
        .await?;
    Ok(())
}

/// Ends a hold.
pub async fn clear(conn: &impl ConnectionTrait, party: Uuid, day: NaiveDate) -> Result<(), Fault> {
    credit_hold::Entity::update_many()
        .col_expr(credit_hold::Column::ClearedDate, Some(day).into())
        .filter(credit_hold::Column::PartyId.eq(party.to_string()))
        .exec(conn)
        .await?;
    Ok(())
}

/// Whether a party is on hold.
pub async fn stands(conn: &impl ConnectionTrait, party: Uuid) -> Result<bool, Fault> {
    let row = credit_hold::Entity::find_by_id(party.to_string()).one(conn).await?;
    Ok(row.is_some_and(|r| r.cleared_date.is_none()))
}
