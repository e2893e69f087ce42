//! Tables of bulk meters.

use calendar::NaiveDate;
use contracts::hearth::billing::v1 as proto;
use database::Conn;
use rpc::{Fault, wire};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::model::Seen;
use crate::{
    reading::{
        model::{ReadingState, Source},
        store::reading,
    },
    table,
};

table!(sub, "sub_meter", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    bulk_installation_id: Uuid,
    installation_id: Uuid,
    meter_no: String,
    from_date: Date,
    end_date: Option<Date>,
});

/// Meters that are or were behind a bulk meter, by number.
pub async fn behind(conn: &Conn, bulk: Uuid) -> Result<Vec<sub::Model>, Fault> {
    let select = sub::Entity::find().filter(sub::Column::BulkInstallationId.eq(bulk));
    Ok(select.order_by_asc(sub::Column::MeterNo).order_by_asc(sub::Column::FromDate).all(conn).await?)
}

/// Where installations are behind a bulk meter now.
pub async fn live(conn: &Conn, installations: &[Uuid]) -> Result<Vec<sub::Model>, Fault> {
    let select = sub::Entity::find()
        .filter(sub::Column::InstallationId.is_in(installations.iter().copied()))
        .filter(sub::Column::EndDate.is_null());
    Ok(select.all(conn).await?)
}

/// Usable readings of installations from one day to another, in the order of time. What was estimated proves nothing here.
pub async fn seen(conn: &Conn, installations: &[Uuid], from: NaiveDate, until: NaiveDate) -> Result<Vec<Seen>, Fault> {
    let usable = [ReadingState::Validated, ReadingState::Accepted, ReadingState::Billed].map(ReadingState::code);
    let mut seen = vec![];
    for some in installations.chunks(10_000) {
        let all = Condition::all()
            .add(reading::Column::InstallationId.is_in(some.iter().copied()))
            .add(reading::Column::ReadDate.between(from, until))
            .add(reading::Column::State.is_in(usable))
            .add(reading::Column::Source.ne(Source::Estimate.code()));
        let rows = reading::Entity::find().filter(all).order_by_asc(reading::Column::ReadAt).all(conn).await?;
        seen.extend(rows.into_iter().map(|r| Seen {
            installation: r.installation_id,
            first: r.read_date == from,
            last: r.read_date == until,
            value: r.value,
            rollover: r.rollover,
        }));
    }
    Ok(seen)
}

/// A meter is gone: what was behind it, or where it was behind, goes on with the one that came in its stead.
pub async fn follow(conn: &Conn, gone: Uuid, end: NaiveDate, instead: Option<Uuid>) -> Result<(), Fault> {
    let either = Condition::any()
        .add(sub::Column::InstallationId.eq(gone))
        .add(sub::Column::BulkInstallationId.eq(gone));
    let live = || Condition::all().add(either.clone()).add(sub::Column::EndDate.is_null());
    let rows = sub::Entity::find().filter(live()).all(conn).await?;
    sub::Entity::update_many()
        .col_expr(sub::Column::EndDate, end.into())
        .filter(live())
        .exec(conn)
        .await?;
    let Some(instead) = instead else { return Ok(()) };
    let on = |id: Uuid| if id == gone { instead } else { id };
    let rows = rows.into_iter().map(|row| sub::Model {
        id: Uuid::now_v7(),
        bulk_installation_id: on(row.bulk_installation_id),
        installation_id: on(row.installation_id),
        from_date: end,
        ..row
    });
    Ok(table::insert_all::<sub::Entity>(conn, rows).await?)
}

/// The message of a sub-meter.
pub fn message(row: &sub::Model) -> proto::SubMeter {
    proto::SubMeter {
        bulk_installation_id: row.bulk_installation_id.to_string(),
        installation_id: row.installation_id.to_string(),
        meter_no: row.meter_no.clone(),
        from_date: Some(wire::date(row.from_date)),
        end_date: row.end_date.map(wire::date),
    }
}
