//! Indexes of heat meters at the ends of a season, and meters that do not count.

use calendar::NaiveDate;
use contracts::hearth::billing::v1::{
    CorrectSeasonReadingRequest, CorrectSeasonReadingResponse, RecordSeasonReadingRequest, RecordSeasonReadingResponse, ReportHeatMeterFaultRequest,
    ReportHeatMeterFaultResponse,
};
use database::{Begun, Scope, Write, find};
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use super::{
    model::{HeatMethod, HeatState, Moment},
    store::{self, account, reading, season},
};
use crate::{
    Desk, Refusal,
    meter::store::{self as meters, meter},
    reading::model::index_of,
    supply::{model::Service, store as supplies},
    table,
};

/// Days that a season reading may lie from the end that it stands for.
const TOLERANCE: i64 = 45;

/// RecordSeasonReading.
pub async fn record(desk: Desk, call: Call, request: RecordSeasonReadingRequest) -> Result<RecordSeasonReadingResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let supply = supplies::supply(&write, &scope, wire::id_of("agreement_id", &request.agreement_id)?).await?;
    if supply.service != Service::Heat.code() {
        return Err(Refusal::SupplyNotHeat.into());
    }
    let season = season(&write, &scope, &supply.branch, &request.season).await?;
    let day = wire::date_of(request.read_date.as_ref(), "read_date")?;
    let moment = Moment::of_number(request.moment).ok_or_else(|| Fault::invalid("moment", "MOMENT", "the moment is not known"))?;
    let meter = locked(&write, &scope, &request.meter_no).await?;
    check_day(&season, day, write.now().date())?;
    open(&write, season.id, supply.id).await?;
    let installs = meters::of_agreements(&write, &[supply.id]).await?;
    if !installs.iter().any(|i| i.meter_id == meter.id && i.covers(day)) {
        return Err(Refusal::MeterNotInstalled.into());
    }
    let row = new(&write, &season, supply.id, &meter, moment, day, &request.index, "")?;
    let others = store::readings(&write, season.id, &[supply.id]).await?;
    let standing = others.iter().find(|r| r.meter_id == meter.id && r.moment == row.moment);
    if let Some(standing) = standing {
        if standing.value != row.value || standing.read_date != row.read_date {
            return Err(Refusal::ReadingConflict.into());
        }
        write.subject(standing.id);
        let message = store::reading_message(standing)?;
        return write.commit(RecordSeasonReadingResponse { reading: Some(message) }).await;
    }
    fits(&others, &row)?;
    table::insert::<reading::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    let message = store::reading_message(&row)?;
    write.commit(RecordSeasonReadingResponse { reading: Some(message) }).await
}

/// CorrectSeasonReading: another person puts the true index in its place.
pub async fn correct(desk: Desk, call: Call, request: CorrectSeasonReadingRequest) -> Result<CorrectSeasonReadingResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let id: Uuid = wire::id_of("season_reading_id", &request.season_reading_id)?;
    let load = || find::<reading::Entity>(&scope).filter(reading::Column::Id.eq(id));
    let seen = load().one(&*write).await?.ok_or_else(|| Fault::not_found("season reading", id))?;
    let meter = locked(&write, &scope, &seen.meter_no).await?;
    let old = load().one(&*write).await?.ok_or_else(|| Fault::not_found("season reading", id))?;
    if old.superseded {
        return Err(Refusal::SeasonReadingSuperseded.into());
    }
    if old.recorded_by == call.subject() {
        return Err(Refusal::OwnReading.into());
    }
    let season = store::season_by_id(&write, old.season_id).await?;
    open(&write, season.id, old.agreement_id).await?;
    let row = new(
        &write,
        &season,
        old.agreement_id,
        &meter,
        old.moment()?,
        old.read_date,
        &request.index,
        &request.grounds,
    )?;
    let mut others = store::readings(&write, season.id, &[old.agreement_id]).await?;
    others.retain(|r| r.id != old.id);
    fits(&others, &row)?;
    reading::Entity::update_many()
        .col_expr(reading::Column::Superseded, Expr::value(true))
        .filter(reading::Column::Id.eq(old.id))
        .exec(&*write)
        .await?;
    table::insert::<reading::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    let message = store::reading_message(&row)?;
    write.commit(CorrectSeasonReadingResponse { reading: Some(message) }).await
}

/// ReportHeatMeterFault: the season is settled by area.
pub async fn report_fault(desk: Desk, call: Call, request: ReportHeatMeterFaultRequest) -> Result<ReportHeatMeterFaultResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let mut row = store::locked(&write, &scope, &request.heat_account_id, &request.etag).await?;
    if row.basis()?.method != HeatMethod::Meter {
        return Err(Refusal::HeatByArea.into());
    }
    unsettled(&row)?;
    row.meter_fault.clone_from(&request.grounds);
    row.version = row.version.saturating_add(1);
    table::update::<account::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    let today = write.now().date();
    let message = store::messages(&write, &[row], today).await?.pop();
    write.commit(ReportHeatMeterFaultResponse { account: message }).await
}

/// The meter, locked: season readings of a meter queue here.
async fn locked(write: &Write, scope: &Scope, meter_no: &str) -> Result<meter::Model, Fault> {
    let meter = meters::lock(write, scope, &[meter_no]).await?.pop();
    meter.ok_or_else(|| Fault::not_found("meter", meter_no))
}

fn check_day(season: &season::Model, day: NaiveDate, today: NaiveDate) -> Result<(), Fault> {
    if day > today {
        return Err(Fault::from(Refusal::FutureReading).field("read_date"));
    }
    let before = season.start_date.signed_duration_since(day).num_days();
    let after = day.signed_duration_since(season.end_date).num_days();
    if before > TOLERANCE || after > TOLERANCE {
        return Err(Fault::from(Refusal::SeasonReadingDay).field("read_date"));
    }
    Ok(())
}

async fn open(write: &Write, season: Uuid, agreement: Uuid) -> Result<(), Fault> {
    match store::in_season(write, season, &[agreement]).await?.get(&agreement) {
        Some(account) => unsettled(account),
        None => Ok(()),
    }
}

fn unsettled(row: &account::Model) -> Result<(), Fault> {
    match row.kept()? {
        HeatState::Enrolled | HeatState::Assessed => Ok(()),
        _ => Err(Refusal::HeatSettled.into()),
    }
}

#[allow(clippy::too_many_arguments, reason = "a reading has these parts")]
fn new(
    write: &Write,
    season: &season::Model,
    agreement: Uuid,
    meter: &meter::Model,
    moment: Moment,
    day: NaiveDate,
    index: &str,
    grounds: &str,
) -> Result<reading::Model, Fault> {
    let kind = meter.kind()?;
    let unit = kind.energy().ok_or(Refusal::MeterOfOtherService)?;
    let value = index_of(index, kind, meter.register()).map_err(|r| Fault::from(r).field("index"))?;
    Ok(reading::Model {
        id: Uuid::now_v7(),
        season_id: season.id,
        season: season.season.clone(),
        branch: season.branch.clone(),
        agreement_id: agreement,
        meter_id: meter.id,
        meter_no: meter.meter_no.clone(),
        moment: moment.code().to_owned(),
        read_date: day,
        value,
        unit: unit.code().to_owned(),
        recorded_by: write.call().subject().to_owned(),
        grounds: grounds.to_owned(),
        superseded: false,
        created_at: write.now().micros(),
    })
}

/// The end of the use is not lower than its start.
fn fits(others: &[reading::Model], row: &reading::Model) -> Result<(), Fault> {
    let other = others.iter().find(|r| r.meter_id == row.meter_id && r.moment != row.moment);
    let turned = other.is_some_and(|o| {
        if row.moment == Moment::End.code() {
            row.value < o.value
        } else {
            o.value < row.value
        }
    });
    if turned {
        Err(Fault::from(Refusal::FinalIndexLower).field("index"))
    } else {
        Ok(())
    }
}
