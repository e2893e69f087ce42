//! Seasons, enrolment, corrections, and the start of runs.

use calendar::NaiveDate;
use chrono::{Datelike, Days};
use contracts::hearth::{
    billing::v1::{
        AssessHeatRequest, AssessHeatResponse, CorrectHeatAreaRequest, CorrectHeatAreaResponse, EnrolHeatRequest, EnrolHeatResponse, HeatSeasonOpened,
        OpenHeatSeasonRequest, OpenHeatSeasonResponse, SettleHeatRequest, SettleHeatResponse,
    },
    r#type::v1::Decimal,
};
use database::{Begun, Scope, Write, jobs, numbers};
use money::{Area, UnitPrice};
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use uuid::Uuid;

use super::{
    batch::{self, KIND},
    decide::heated,
    model::{self, Action, Asked, Basis, HeatMethod, HeatState, NO_CORRECTION, Season, check_basis, check_season, standing, step},
    rows::{Bill, enrolled},
    store::{self, account, season},
};
use crate::{
    Desk, Refusal,
    bill::{
        issue::issue,
        model::BillKind,
        ops::{settle_others, take_back},
        store as bills,
    },
    run::{model::Purpose, store::run},
    supply::{
        model::{Service, SupplyState},
        store as supplies,
    },
    table,
    tariff::store::heat_book,
};

/// Days from the settlement to the day on which a supplement is due where the caller names none; also from a season bill that is
/// issued after the due date of the season.
pub const DUE_DAYS: i32 = 30;

/// OpenHeatSeason.
pub async fn open(desk: Desk, call: Call, request: OpenHeatSeasonRequest) -> Result<OpenHeatSeasonResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let span = Season {
        start: wire::date_of(request.start_date.as_ref(), "start_date")?,
        end: wire::date_of(request.end_date.as_ref(), "end_date")?,
        due: wire::date_of(request.due_date.as_ref(), "due_date")?,
    };
    check_season(&request.season, span).map_err(|r| Fault::from(r).field("season"))?;
    let row = season::Model {
        id: Uuid::now_v7(),
        season: request.season.clone(),
        branch: request.branch.clone(),
        start_date: span.start,
        end_date: span.end,
        due_date: span.due,
        document_reference: request.document_reference.clone(),
        created_at: write.now().micros(),
    };
    table::insert::<season::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    let event = HeatSeasonOpened {
        heat_season_id: row.id.to_string(),
        season: row.season.clone(),
        branch: row.branch.clone(),
        start_date: Some(wire::date(row.start_date)),
        end_date: Some(wire::date(row.end_date)),
    };
    write.event(row.id, &event);
    write
        .commit(OpenHeatSeasonResponse {
            season: Some(store::season_message(&row)),
        })
        .await
}

/// EnrolHeat.
pub async fn enrol(desk: Desk, call: Call, request: EnrolHeatRequest) -> Result<EnrolHeatResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let supply = supplies::supply(&write, &scope, wire::id_of("agreement_id", &request.agreement_id)?).await?;
    if supply.service != Service::Heat.code() {
        return Err(Refusal::SupplyNotHeat.into());
    }
    if supply.state == SupplyState::Ended.code() || supply.state == SupplyState::Voided.code() {
        return Err(Refusal::SupplyNotLive.into());
    }
    let season = season(&write, &scope, &supply.branch, &request.season).await?;
    let today = write.now().date();
    if today > season.end_date {
        return Err(Refusal::SeasonOver.into());
    }
    supplies::lock_accounts(&write, &[supply.account_id]).await?;
    let there = store::in_season(&write, season.id, &[supply.id]).await?.remove(&supply.id);
    let before = store::before(&write, season.start_date, &[supply.id]).await?.remove(&supply.id);
    let basis = Basis {
        method: HeatMethod::of_number(request.method).ok_or_else(|| Fault::invalid("method", "METHOD", "the method is not known"))?,
        area: area_of(request.area.as_ref())?,
        // A new area does not make the rooms lower: the surcharge would be lost in silence.
        height: match height_of(request.height.as_ref())? {
            Some(height) => Some(height),
            None => there.as_ref().or(before.as_ref()).and_then(|a| a.height),
        },
        correction: correction_of(request.correction.as_ref())?,
    };
    check_basis(&basis)?;
    let fresh = there.is_none();
    let mut row = match there {
        Some(row) if row.kept()? == HeatState::Enrolled => row,
        Some(_) => return Err(Refusal::HeatAssessed.into()),
        None => enrolled(&season, &supply, &basis, write.now().micros()),
    };
    keep(&mut row, &basis, &request.document_reference, call.subject());
    if fresh {
        table::insert::<account::Entity>(&write, row.clone()).await?;
    } else {
        row.version = row.version.saturating_add(1);
        table::update::<account::Entity>(&write, row.clone()).await?;
    }
    write.subject(row.id);
    let message = store::messages(&write, &[row], today).await?.pop();
    write.commit(EnrolHeatResponse { account: message }).await
}

/// CorrectHeatArea: mis-measured from the start, so the whole season is billed anew.
pub async fn correct(desk: Desk, call: Call, request: CorrectHeatAreaRequest) -> Result<CorrectHeatAreaResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let mut row = store::locked(&write, &scope, &request.heat_account_id, &request.etag).await?;
    if row.entered_by == call.subject() {
        return Err(Refusal::OwnEnrolment.into());
    }
    let today = write.now().date();
    let season = store::season_by_id(&write, row.season_id).await?;
    let bill_id = row.bill_id.ok_or(Refusal::HeatNotAssessed)?;
    let old = bills::one(&write, &scope, bill_id).await?;
    let asked = Asked {
        amount: old.amount,
        paid: old.paid,
        ahead: 0,
    };
    let state = step(standing(row.kept()?, season.span(), asked, today)?, Action::Correct)?;
    let before = row.basis()?;
    let basis = Basis {
        area: area_of(request.area.as_ref())?,
        height: height_of(request.height.as_ref())?.or(before.height),
        ..before
    };
    check_basis(&basis)?;
    let book = heat_book(&write).await?;
    let price = book
        .price(&old.branch, &old.use_class, season.start_date)
        .ok_or_else(|| Fault::precondition("TARIFF_MISSING", "the class has no price on the first day of the season"))?;
    let draft = model::assess(price, &basis, heated(&season)).map_err(|reason| Fault::precondition(reason, "the season cannot be priced"))?;
    let supply = supplies::supply(&write, &scope, row.agreement_id).await?;
    let old = take_back(&mut write, old, "area corrected").await?;
    let (bill, lines, explanation) = Bill {
        season: &season,
        supply: &supply,
        kind: BillKind::HeatSeason,
        price,
        draft: &draft,
        due: old.due_date.max(after(today, DUE_DAYS)),
        run: None,
        energy: None,
    }
    .rows(write.now());
    row.bill_id = Some(bill.id);
    row.by_area = Some(bill.amount);
    row.state = state.code().to_owned();
    row.version = row.version.saturating_add(1);
    keep(&mut row, &basis, &request.document_reference, call.subject());
    issue(&mut write, vec![bill], lines, vec![explanation]).await?;
    table::update::<account::Entity>(&write, row.clone()).await?;
    settle_others(&mut write, row.account_id).await?;
    write.subject(row.id);
    let message = store::messages(&write, &[row], today).await?.pop();
    write.commit(CorrectHeatAreaResponse { account: message }).await
}

fn keep(row: &mut account::Model, basis: &Basis, document: &str, by: &str) {
    row.method = basis.method.code().to_owned();
    row.area = basis.area.hundredths();
    row.height = basis.height;
    row.correction = basis.correction;
    row.document_reference = document.to_owned();
    row.entered_by = by.to_owned();
}

fn area_of(value: Option<&Decimal>) -> Result<Area, Fault> {
    wire::decimal_of(value, "area")
}

fn height_of(value: Option<&Decimal>) -> Result<Option<i64>, Fault> {
    value.map(|v| wire::decimal_of::<Area>(Some(v), "height").map(Area::hundredths)).transpose()
}

fn correction_of(value: Option<&Decimal>) -> Result<i64, Fault> {
    let Some(value) = value else { return Ok(NO_CORRECTION) };
    let micros = wire::decimal_of::<UnitPrice>(Some(value), "correction")?.micros();
    if micros % 100 == 0 {
        Ok(micros / 100)
    } else {
        Err(Fault::from(Refusal::HeatCorrection).field("correction"))
    }
}

/// A day some days later.
pub fn after(day: NaiveDate, days: i32) -> NaiveDate {
    day.checked_add_days(Days::new(u64::from(days.unsigned_abs()))).unwrap_or(day)
}

/// Due date of a season bill: that of the season, or some days from now where it is past.
pub fn season_due(season: &season::Model, today: NaiveDate) -> NaiveDate {
    if today < season.due_date { season.due_date } else { after(today, DUE_DAYS) }
}

/// AssessHeat.
pub async fn assess(desk: Desk, call: Call, request: AssessHeatRequest) -> Result<AssessHeatResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let season = season(&write, &Scope::of(&call), &request.branch, &request.season).await?;
    if write.now().date() > season.end_date {
        return Err(Refusal::SeasonOver.into());
    }
    let last = numbers::last(&write, supplies::FILED, "", 0).await?;
    let agreements = batch::agreements(&season.branch, Some(last));
    let filed = agreements.clone().count(&*write).await?;
    let expected = agreements
        .filter(supplies::supply::Column::State.ne(SupplyState::Voided.code()))
        .count(&*write)
        .await?;
    let (run_id, job_id) = start(&write, &season, Purpose::HeatSeason, 0, (filed, expected, Some(last))).await?;
    write.subject(&run_id);
    write.commit(AssessHeatResponse { run_id, job_id }).await
}

/// SettleHeat.
pub async fn settle(desk: Desk, call: Call, request: SettleHeatRequest) -> Result<SettleHeatResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let season = season(&write, &Scope::of(&call), &request.branch, &request.season).await?;
    if write.now().date() <= season.end_date {
        return Err(Refusal::SeasonNotOver.into());
    }
    // Nobody is enrolled in a season that is over, so nobody comes to those that are counted.
    let expected = account::Entity::find().filter(account::Column::SeasonId.eq(season.id)).count(&*write).await?;
    let due_days = if request.due_days == 0 { DUE_DAYS } else { request.due_days };
    let (run_id, job_id) = start(&write, &season, Purpose::HeatSettlement, due_days, (expected, expected, None)).await?;
    write.subject(&run_id);
    write.commit(SettleHeatResponse { run_id, job_id }).await
}

/// Starts a run over so many agreements on file and so many of them that may have a bill, up to the last one that was filed.
async fn start(
    write: &Write,
    season: &season::Model,
    purpose: Purpose,
    due_days: i32,
    (filed, expected, filed_until): (u64, u64, Option<i64>),
) -> Result<(String, String), Fault> {
    let id = Uuid::now_v7();
    let job_id = jobs::start(write, KIND, id.as_bytes()).await?;
    let month = |n: u32| i32::try_from(n).unwrap_or(0);
    let row = run::Model {
        year: season.start_date.year(),
        month: month(season.start_date.month()),
        due_days,
        purpose: Some(purpose.code().to_owned()),
        season: Some(season.season.clone()),
        filed: i64::try_from(filed).ok(),
        filed_until,
        ..run::Model::begun(id, job_id, &season.branch, expected, write)
    };
    table::insert::<run::Entity>(write, row).await?;
    Ok((id.to_string(), job_id.to_string()))
}
