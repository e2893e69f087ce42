//! Tables of readings and exceptions.

use calendar::{Instant, NaiveDate};
use contracts::hearth::billing::v1 as proto;
use database::{Scope, Scoped, find};
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::model::{Code, ExceptionState, ReadingState, codes_of};
use crate::{meter::store::metres, table, words::known};

table!(reading, "reading", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    meter_id: Uuid,
    meter_no: String,
    installation_id: Uuid,
    agreement_id: Uuid,
    branch: String,
    read_at: i64,
    read_date: Date,
    value: i64,
    raw: String,
    source: String,
    recorded_by: String,
    state: String,
    conflict: bool,
    rollover: bool,
    codes: String,
    exception_id: Option<Uuid>,
    created_at: i64,
});
table!(exception, "reading_exception", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    codes: String,
    state: String,
    meter_no: String,
    account_no: String,
    installation_id: Uuid,
    agreement_id: Uuid,
    branch: String,
    date: Date,
    volume: Option<i64>,
    largest_before: Option<i64>,
    smallest_before: Option<i64>,
    recorded_by: String,
    decided_by: String,
    grounds: String,
    created_at: i64,
    decided_at: Option<i64>,
    version: i64,
});

impl Scoped for reading::Entity {
    const BRANCH: Option<reading::Column> = Some(reading::Column::Branch);
}

impl Scoped for exception::Entity {
    const BRANCH: Option<exception::Column> = Some(exception::Column::Branch);
}

impl reading::Model {
    /// Where it stands.
    pub fn state(&self) -> Result<ReadingState, Fault> {
        known(ReadingState::of(&self.state), &self.state)
    }
}

impl exception::Model {
    /// Where it stands.
    pub fn state(&self) -> Result<ExceptionState, Fault> {
        known(ExceptionState::of(&self.state), &self.state)
    }
    /// Whether it waits for a person.
    pub fn is_open(&self) -> bool {
        self.state == ExceptionState::Open.code()
    }
}

/// Readings of exceptions, in the order of time.
pub async fn of_exceptions(conn: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<reading::Model>, Fault> {
    let select = reading::Entity::find().filter(reading::Column::ExceptionId.is_in(ids.iter().copied()));
    Ok(select.order_by_asc(reading::Column::ReadAt).order_by_asc(reading::Column::Id).all(conn).await?)
}

/// A page of readings.
pub async fn list(
    conn: &impl ConnectionTrait,
    scope: &Scope,
    page: &Page,
    request: &proto::ListReadingsRequest,
) -> Result<(Vec<proto::Reading>, String), Fault> {
    let mut select = find::<reading::Entity>(scope).order_by_asc(reading::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(reading::Column::Id.gt(after));
    }
    if !request.meter_no.is_empty() {
        select = select.filter(reading::Column::MeterNo.eq(&request.meter_no));
    }
    if let Some(state) = ReadingState::of_number(request.state) {
        select = select.filter(reading::Column::State.eq(state.code()));
    }
    if !request.branch.is_empty() {
        select = select.filter(reading::Column::Branch.eq(&request.branch));
    }
    if let Some(agreement) = &request.agreement_id {
        select = select.filter(reading::Column::AgreementId.eq(wire::id_of::<Uuid>("agreement_id", agreement)?));
    }
    if let Some(from) = wire::date_if(request.from_date.as_ref(), "from_date")? {
        select = select.filter(reading::Column::ReadDate.gte(from));
    }
    if let Some(until) = wire::date_if(request.until_date.as_ref(), "until_date")? {
        select = select.filter(reading::Column::ReadDate.lte(until));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((rows.iter().map(message).collect::<Result<_, _>>()?, next))
}

/// A page of exceptions with their readings.
pub async fn exceptions(
    conn: &impl ConnectionTrait,
    scope: &Scope,
    page: &Page,
    request: &proto::ListExceptionsRequest,
) -> Result<(Vec<proto::ReadingException>, String), Fault> {
    let day = |value: &Option<_>, field: &str| -> Result<Option<NaiveDate>, Fault> { wire::date_if(value.as_ref(), field) };
    let mut select = find::<exception::Entity>(scope).order_by_asc(exception::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(exception::Column::Id.gt(after));
    }
    if let Some(state) = ExceptionState::of_number(request.state) {
        select = select.filter(exception::Column::State.eq(state.code()));
    }
    if let Some(code) = Code::of_number(request.code) {
        // Codes are words parted by blanks; one may be the beginning of another.
        let (code, column) = (code.code(), exception::Column::Codes);
        let any = Condition::any()
            .add(column.eq(code))
            .add(column.like(format!("{code} %")))
            .add(column.like(format!("% {code}")))
            .add(column.like(format!("% {code} %")));
        select = select.filter(any);
    }
    if !request.meter_no.is_empty() {
        select = select.filter(exception::Column::MeterNo.eq(&request.meter_no));
    }
    if !request.branch.is_empty() {
        select = select.filter(exception::Column::Branch.eq(&request.branch));
    }
    if let Some(from) = day(&request.from_date, "from_date")? {
        select = select.filter(exception::Column::Date.gte(from));
    }
    if let Some(until) = day(&request.until_date, "until_date")? {
        select = select.filter(exception::Column::Date.lte(until));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    let readings = of_exceptions(conn, &rows.iter().map(|r| r.id).collect::<Vec<_>>()).await?;
    Ok((rows.iter().map(|row| exception_message(row, &readings)).collect::<Result<_, _>>()?, next))
}

/// The message of a reading.
pub fn message(row: &reading::Model) -> Result<proto::Reading, Fault> {
    Ok(proto::Reading {
        reading_id: row.id.to_string(),
        meter_no: row.meter_no.clone(),
        installation_id: row.installation_id.to_string(),
        agreement_id: row.agreement_id.to_string(),
        branch: row.branch.clone(),
        read_time: Some(wire::time(Instant::from_micros(row.read_at))),
        index: Some(metres(row.value)),
        raw_index: row.raw.clone(),
        source: row.source.clone(),
        recorded_by: row.recorded_by.clone(),
        state: row.state()?.number(),
        rollover: row.rollover,
        create_time: Some(wire::time(Instant::from_micros(row.created_at))),
    })
}

/// The message of an exception; `readings` may hold those of others too.
pub fn exception_message(row: &exception::Model, readings: &[reading::Model]) -> Result<proto::ReadingException, Fault> {
    let readings = readings
        .iter()
        .filter(|r| r.exception_id == Some(row.id))
        .map(message)
        .collect::<Result<_, _>>()?;
    Ok(proto::ReadingException {
        exception_id: row.id.to_string(),
        codes: codes_of(&row.codes).iter().map(|c| c.number()).collect(),
        state: row.state()?.number(),
        meter_no: row.meter_no.clone(),
        account_no: row.account_no.clone(),
        agreement_id: row.agreement_id.to_string(),
        branch: row.branch.clone(),
        readings,
        date: Some(wire::date(row.date)),
        volume: row.volume.map(metres),
        largest_before: row.largest_before.map(metres),
        smallest_before: row.smallest_before.map(metres),
        recorded_by: row.recorded_by.clone(),
        decided_by: row.decided_by.clone(),
        grounds: row.grounds.clone(),
        create_time: Some(wire::time(Instant::from_micros(row.created_at))),
        decide_time: row.decided_at.map(|at| wire::time(Instant::from_micros(at))),
        etag: rpc::etag(row.id, row.version),
    })
}
