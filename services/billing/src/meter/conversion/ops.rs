//! Setting and listing conversions.

use calendar::NaiveDate;
use contracts::hearth::billing::v1::{ListConversionsRequest, ListConversionsResponse, SetConversionRequest, SetConversionResponse};
use database::{Begun, Conn, Scope};
use money::{Area, UnitPrice, Volume};
use rating::Conditions;
use rpc::{Call, Fault, page::Page, wire};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{
    model,
    store::{self, conversion},
};
use crate::{
    Desk, Refusal,
    meter::store::{self as meters, installation, meter},
    reading::{model::ReadingState, store::reading},
    table,
};

/// SetConversion.
pub async fn set(desk: Desk, call: Call, request: SetConversionRequest) -> Result<SetConversionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let from = wire::date_of(request.from_date.as_ref(), "from_date")?;
    let conditions = Conditions {
        gauge_pressure: wire::decimal_of::<Volume>(request.gauge_pressure.as_ref(), "gauge_pressure")?.litres(),
        air_pressure: wire::decimal_of::<Volume>(request.air_pressure.as_ref(), "air_pressure")?.litres(),
        temperature: wire::decimal_of::<Area>(request.temperature.as_ref(), "temperature")?.hundredths(),
        compressibility: wire::decimal_of::<UnitPrice>(request.compressibility.as_ref(), "compressibility")?.micros(),
    };
    let factor = model::factor(conditions).map_err(|(refusal, field)| Fault::from(refusal).field(field))?;
    // Readings of the meter queue behind the lock: none goes or comes until it is set.
    let meter = meters::lock(&write, &Scope::of(&call), &[&request.meter_no]).await?.pop();
    let meter = meter.ok_or_else(|| Fault::not_found("meter", &request.meter_no))?;
    model::may_convert(meter.kind()?)?;
    let install = installed(&write, &meter, from).await?.ok_or(Refusal::MeterNotInstalled)?;
    if install.from_date != from && !was_read(&write, install.id, from).await? {
        return Err(Fault::from(Refusal::ConversionUnread).field("from_date"));
    }
    conversion::Entity::update_many()
        .col_expr(conversion::Column::Live, false.into())
        .filter(conversion::Column::InstallationId.eq(install.id))
        .filter(conversion::Column::FromDate.eq(from))
        .exec(&*write)
        .await?;
    let row = conversion::Model {
        id: Uuid::now_v7(),
        installation_id: install.id,
        meter_no: meter.meter_no,
        branch: install.branch,
        from_date: from,
        gauge_pressure: conditions.gauge_pressure,
        air_pressure: conditions.air_pressure,
        temperature: conditions.temperature,
        compressibility: conditions.compressibility,
        factor: factor.hundred_thousandths(),
        basis: request.basis.clone(),
        recorded_by: call.subject().to_owned(),
        live: true,
        created_at: write.now().micros(),
    };
    table::insert::<conversion::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    write
        .commit(SetConversionResponse {
            conversion: Some(store::message(&row)),
        })
        .await
}

/// The installation of a meter from the reading of a day on: on the day of an exchange the later one.
async fn installed(conn: &Conn, meter: &meter::Model, day: NaiveDate) -> Result<Option<installation::Model>, Fault> {
    let goes_on = Condition::any()
        .add(installation::Column::EndDate.is_null())
        .add(installation::Column::EndDate.gt(day));
    let select = installation::Entity::find()
        .filter(installation::Column::MeterId.eq(meter.id))
        .filter(installation::Column::FromDate.lte(day))
        .filter(goes_on)
        .order_by_desc(installation::Column::FromDate);
    Ok(select.one(conn).await?)
}

async fn was_read(conn: &Conn, installation: Uuid, day: NaiveDate) -> Result<bool, Fault> {
    let usable = [ReadingState::Validated, ReadingState::Accepted, ReadingState::Billed].map(ReadingState::code);
    let select = reading::Entity::find()
        .filter(reading::Column::InstallationId.eq(installation))
        .filter(reading::Column::ReadDate.eq(day))
        .filter(reading::Column::State.is_in(usable));
    Ok(select.one(conn).await?.is_some())
}

/// ListConversions.
pub async fn list(desk: Desk, call: Call, request: ListConversionsRequest) -> Result<ListConversionsResponse, Fault> {
    let page = Page::of(&call, &[&request.meter_no], request.page_size, &request.page_token)?;
    let (conversions, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page, &request.meter_no).await?;
    Ok(ListConversionsResponse { conversions, next_page_token })
}
