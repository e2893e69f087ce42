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
    model::{self, HeatMethod, HeatState, Moment, Shown},
    store::{self, account, reading, season},
};
use crate::{
    Desk, Refusal,
    meter::store::{self as meters, installation, meter},
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
    let install = installation_on(&write, supply.id, &meter, day).await?;
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
    fits(&season, &install, &meter, &others, &row, write.now().date())?;
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
    let install = installation_on(&write, old.agreement_id, &meter, old.read_date).await?;
    fits(&season, &install, &meter, &others, &row, write.now().date())?;
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
    if !is_near(season, day) {
        return Err(Fault::from(Refusal::SeasonReadingDay).field("read_date"));
    }
    Ok(())
}

/// Whether a day lies in a season or close to it.
fn is_near(season: &season::Model, day: NaiveDate) -> bool {
    let before = season.start_date.signed_duration_since(day).num_days();
    let after = day.signed_duration_since(season.end_date).num_days();
    before <= TOLERANCE && after <= TOLERANCE
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

/// The installation of a meter at an agreement that a day belongs to.
async fn installation_on(write: &Write, agreement: Uuid, meter: &meter::Model, day: NaiveDate) -> Result<installation::Model, Fault> {
    let mut installs = meters::of_agreements(write, &[agreement]).await?.into_iter();
    installs
        .find(|i| i.meter_id == meter.id && i.covers(day))
        .ok_or_else(|| Refusal::MeterNotInstalled.into())
}

/// Holds a reading against the other end of the use, and against what its meter came and went with about the season. An index of years ago proves nothing:
/// a register may have passed its end since.
fn fits(
    season: &season::Model,
    install: &installation::Model,
    meter: &meter::Model,
    others: &[reading::Model],
    row: &reading::Model,
    today: NaiveDate,
) -> Result<(), Fault> {
    let of_install = || others.iter().chain([row]).filter(|r| r.meter_id == row.meter_id && install.covers(r.read_date));
    let ends = [Moment::Start, Moment::End].into_iter().filter_map(|moment| {
        let shown = |r: &reading::Model| Shown {
            day: r.read_date,
            value: r.value,
        };
        of_install().find(|r| r.moment == moment.code()).map(shown)
    });
    let ends: Vec<Shown> = ends.collect();
    let field = |refusal: Refusal| {
        let of_day = matches!(refusal, Refusal::DateOrder | Refusal::FutureReading);
        Fault::from(refusal).field(if of_day { "read_date" } else { "index" })
    };
    model::fits(meter.register(), &ends, today).map_err(field)?;
    let near = |day: NaiveDate| is_near(season, day) && day <= today;
    let came = Some(Shown {
        day: install.from_date,
        value: install.initial_index,
    });
    let went = install.end_date.zip(install.final_index).map(|(day, value)| Shown { day, value });
    let all: Vec<Shown> = came
        .filter(|c| near(c.day))
        .into_iter()
        .chain(ends)
        .chain(went.filter(|w| near(w.day)))
        .collect();
    model::fits(meter.register(), &all, today).map_err(|refusal| match refusal {
        Refusal::FinalIndexLower => field(Refusal::IndexOutOfLine),
        other => field(other),
    })
}
