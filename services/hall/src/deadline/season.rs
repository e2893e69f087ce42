//! Heating seasons (供热季) as billing opens them: promises of their first days differ from those of other days.

use calendar::NaiveDate;
use contracts::hearth::billing::v1::HeatSeasonOpened;
use database::{Conn, Write};
use rpc::{Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::model::in_first_days;
use crate::rows::table;

table! {
    season "heat_season" {
        branch: String,
        season: String,
        start_on: NaiveDate,
        end_on: NaiveDate,
    }
}

/// Keeps a season that was opened.
pub async fn opened(write: &mut Write, event: HeatSeasonOpened) -> Result<(), Fault> {
    let row = season::Model {
        id: Uuid::try_parse(&event.heat_season_id).map_err(Fault::internal)?,
        branch: event.branch,
        season: event.season,
        start_on: wire::date_of(event.start_date.as_ref(), "start_date")?,
        end_on: wire::date_of(event.end_date.as_ref(), "end_date")?,
    };
    write.subject(row.id);
    row.insert(write).await
}

/// Whether a day is among the first ones of a season of a branch.
pub async fn has_just_begun(conn: &Conn, branch: &str, day: NaiveDate, days: i32) -> Result<bool, Fault> {
    let select = season::Entity::find()
        .filter(season::Column::Branch.eq(branch))
        .filter(season::Column::StartOn.lte(day))
        .order_by_desc(season::Column::StartOn);
    let season = select.one(conn).await?;
    Ok(season.is_some_and(|season| day <= season.end_on && in_first_days(season.start_on, day, days)))
}
