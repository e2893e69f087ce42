//! Tables of bulk meters.

use std::collections::BTreeSet;

use calendar::NaiveDate;
use contracts::hearth::billing::v1 as proto;
use database::Conn;
use rpc::{Fault, wire};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::model::Seen;
use crate::{
    fetch,
    meter::{model::Commodity, store::installation},
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

/// Meters that are or were behind the installations of a bulk meter, by number.
pub async fn behind(conn: &Conn, bulk: &[Uuid]) -> Result<Vec<sub::Model>, Fault> {
    let select = sub::Entity::find().filter(sub::Column::BulkInstallationId.is_in(bulk.iter().copied()));
    Ok(select.order_by_asc(sub::Column::MeterNo).order_by_asc(sub::Column::FromDate).all(conn).await?)
}

/// Numbers of the bulk meters that something was behind within some days.
pub async fn bulk_meters(conn: &Conn, (from, until): (NaiveDate, NaiveDate)) -> Result<BTreeSet<String>, Fault> {
    let within = sub::Entity::find()
        .filter(sub::Column::FromDate.lt(until))
        .filter(Condition::any().add(sub::Column::EndDate.is_null()).add(sub::Column::EndDate.gt(from)));
    let places: BTreeSet<Uuid> = within.all(conn).await?.into_iter().map(|sub| sub.bulk_installation_id).collect();
    let installs = installed(conn, places.into_iter()).await?;
    Ok(installs.into_iter().map(|install| install.meter_no).collect())
}

/// Where installations are behind a bulk meter now.
pub async fn live(conn: &Conn, installations: &[Uuid]) -> Result<Vec<sub::Model>, Fault> {
    let select = sub::Entity::find()
        .filter(sub::Column::InstallationId.is_in(installations.iter().copied()))
        .filter(sub::Column::EndDate.is_null());
    Ok(select.all(conn).await?)
}

/// Where a meter was installed by a day last, and what hung there before and after it, oldest first: the meters of an agreement that count the same.
pub async fn place(conn: &Conn, meter: Uuid, until: NaiveDate) -> Result<Vec<installation::Model>, Fault> {
    let last = installation::Entity::find()
        .filter(installation::Column::MeterId.eq(meter))
        .filter(installation::Column::FromDate.lte(until))
        .order_by_desc(installation::Column::FromDate)
        .order_by_desc(installation::Column::CreatedAt);
    let Some(last) = last.one(conn).await? else { return Ok(vec![]) };
    let all = installation::Entity::find()
        .filter(installation::Column::AgreementId.eq(last.agreement_id))
        .filter(installation::Column::Commodity.eq(last.commodity))
        .order_by_asc(installation::Column::FromDate)
        .order_by_asc(installation::Column::CreatedAt);
    Ok(all.all(conn).await?)
}

/// Where a meter is and was installed.
pub async fn of_meter(conn: &Conn, meter: Uuid) -> Result<Vec<Uuid>, Fault> {
    let select = installation::Entity::find().filter(installation::Column::MeterId.eq(meter));
    Ok(select.all(conn).await?.into_iter().map(|i| i.id).collect())
}

/// Installations by their ids.
pub async fn installed(conn: &Conn, ids: impl Iterator<Item = Uuid>) -> Result<Vec<installation::Model>, Fault> {
    let select = installation::Entity::find().filter(table::among(conn, installation::Column::Id, ids));
    fetch::all(conn, select).await
}

/// Usable readings of installations from one day to another, each in the order of time, with the first index of those that came and the last one where it is no
/// reading. What was estimated proves nothing here.
pub async fn seen(conn: &Conn, installs: &[&installation::Model], (from, until): (NaiveDate, NaiveDate)) -> Result<Vec<Seen>, Fault> {
    let usable = [ReadingState::Validated, ReadingState::Accepted, ReadingState::Billed].map(ReadingState::code);
    let index = |install: &installation::Model, date: NaiveDate, value: i64| {
        let within = from <= date && date <= until;
        within.then_some(Seen {
            installation: install.id,
            date,
            value,
            rollover: false,
        })
    };
    let mut seen: Vec<Seen> = installs.iter().filter_map(|i| index(i, i.from_date, i.initial_index)).collect();
    for some in installs.chunks(10_000) {
        let all = Condition::all()
            .add(reading::Column::InstallationId.is_in(some.iter().map(|i| i.id)))
            .add(reading::Column::ReadDate.between(from, until))
            .add(reading::Column::State.is_in(usable))
            .add(reading::Column::Source.ne(Source::Estimate.code()));
        let rows = reading::Entity::find().filter(all).order_by_asc(reading::Column::ReadAt).all(conn).await?;
        seen.extend(rows.into_iter().map(|r| Seen {
            installation: r.installation_id,
            date: r.read_date,
            value: r.value,
            rollover: r.rollover,
        }));
    }
    // The last index of a heat meter, and that of a meter which was never used, is filed with the installation alone.
    let unread = installs
        .iter()
        .filter(|i| i.commodity == Commodity::Heat.code() || i.final_index == Some(i.initial_index));
    let last = unread.filter_map(|i| index(i, i.end_date?, i.final_index?));
    seen.extend(last.collect::<Vec<_>>());
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
    let Some(new) = installation::Entity::find_by_id(instead).one(conn).await? else {
        return Ok(());
    };
    let on = |id: Uuid| if id == gone { instead } else { id };
    let rows = rows.into_iter().map(|row| sub::Model {
        id: Uuid::now_v7(),
        bulk_installation_id: on(row.bulk_installation_id),
        installation_id: on(row.installation_id),
        meter_no: if row.installation_id == gone {
            new.meter_no.clone()
        } else {
            row.meter_no.clone()
        },
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
