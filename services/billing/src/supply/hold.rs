//! Credit holds (信用冻结) and the list of dishonest customers (不诚信客户), as archive tells of them: the party is asked to pay ahead and buys nothing
//! on credit (B-05), and who is listed gets no favours (G-11). Supply, price and reminders are not touched.

use calendar::NaiveDate;
use database::Conn;
use rpc::Fault;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, sea_query::OnConflict};
use uuid::Uuid;

use crate::table;

table!(credit_hold, "credit_hold", {
    #[sea_orm(primary_key, auto_increment = false)] party_id: String,
    branch: String,
    cause: String,
    raised_date: Date,
    cleared_date: Option<Date>,
});

table!(listing, "dishonest_listing", {
    #[sea_orm(primary_key, auto_increment = false)] party_id: String,
    branch: String,
    conduct_code: String,
    from_date: Date,
    until_date: Option<Date>,
    live: bool,
});

/// Files a hold that was raised; a later one takes the place of one that was cleared.
pub async fn raise(conn: &Conn, party: Uuid, branch: &str, cause: &str, day: NaiveDate) -> Result<(), Fault> {
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
pub async fn clear(conn: &Conn, party: Uuid, day: NaiveDate) -> Result<(), Fault> {
    credit_hold::Entity::update_many()
        .col_expr(credit_hold::Column::ClearedDate, Some(day).into())
        .filter(credit_hold::Column::PartyId.eq(party.to_string()))
        .exec(conn)
        .await?;
    Ok(())
}

/// Files a listing; a later one takes the place of the one before and ends no sooner: archive tells the end when none is in force any more.
pub async fn list(conn: &Conn, mut row: listing::Model) -> Result<(), Fault> {
    let before = listing::Entity::find_by_id(&row.party_id).one(conn).await?;
    if let Some(before) = before.filter(|before| before.live) {
        row.from_date = row.from_date.min(before.from_date);
        row.until_date = row.until_date.zip(before.until_date).map(|(new, old)| new.max(old));
    }
    let conflict = OnConflict::column(listing::Column::PartyId)
        .update_columns([
            listing::Column::Branch,
            listing::Column::ConductCode,
            listing::Column::FromDate,
            listing::Column::UntilDate,
            listing::Column::Live,
        ])
        .to_owned();
    listing::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(conflict)
        .exec_without_returning(conn)
        .await?;
    Ok(())
}

/// Ends a listing.
pub async fn delist(conn: &Conn, party: Uuid) -> Result<(), Fault> {
    listing::Entity::update_many()
        .col_expr(listing::Column::Live, false.into())
        .filter(listing::Column::PartyId.eq(party.to_string()))
        .exec(conn)
        .await?;
    Ok(())
}

/// Whether a party is on the list of dishonest customers on a day; a listing ends by itself (G-09).
pub async fn is_listed(conn: &Conn, party: Uuid, day: NaiveDate) -> Result<bool, Fault> {
    let row = listing::Entity::find_by_id(party.to_string()).one(conn).await?;
    Ok(row.is_some_and(|r| r.live && r.from_date <= day && r.until_date.is_none_or(|until| day < until)))
}

/// Whether a party pays ahead and buys nothing on credit: it is on hold (B-05) or listed (G-11).
pub async fn pays_ahead(conn: &Conn, party: Uuid, day: NaiveDate) -> Result<bool, Fault> {
    let hold = credit_hold::Entity::find_by_id(party.to_string()).one(conn).await?;
    Ok(hold.is_some_and(|r| r.cleared_date.is_none()) || is_listed(conn, party, day).await?)
}
