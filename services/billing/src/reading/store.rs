//! Tables of readings and exceptions.

use std::collections::HashSet;

use calendar::{Instant, NaiveDate};
use contracts::hearth::billing::v1 as proto;
use database::{Conn, Scope, Scoped, find};
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::model::{Cause, Code, ExceptionState, Method, ReadingState, Source, codes_of, join};
use crate::{
    fetch::placed,
    meter::store::{installation, metres},
    table,
    words::{has_word, known},
};

placed!(reading, "reading", {
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
    time_twice: bool,
    photo_file: String,
    method: Option<String>,
    lineage: String,
    replaced_by: Option<Uuid>,
    restated: Option<i64>,
    cause: Option<String>,
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
    case_id: Option<Uuid>,
    bill_id: Option<Uuid>,
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
    /// Where it came from.
    pub fn source(&self) -> Result<Source, Fault> {
        known(Source::of(&self.source), &self.source)
    }
    /// Whether nobody read it.
    pub fn is_estimate(&self) -> bool {
        self.source == Source::Estimate.code()
    }
}

impl exception::Model {
    /// A finding about an installation that is open from now on.
    pub fn found(install: &installation::Model, codes: &[Code], date: NaiveDate, now: Instant) -> Self {
        Self {
            id: Uuid::now_v7(),
            codes: join(codes),
            state: ExceptionState::Open.code().to_owned(),
            meter_no: install.meter_no.clone(),
            account_no: install.account_no.clone(),
            installation_id: install.id,
            agreement_id: install.agreement_id,
            branch: install.branch.clone(),
            date,
            volume: None,
            largest_before: None,
            smallest_before: None,
            recorded_by: String::new(),
            decided_by: String::new(),
            grounds: String::new(),
            created_at: now.micros(),
            decided_at: None,
            version: 1,
            case_id: None,
            bill_id: None,
        }
    }
    /// Where it stands.
    pub fn state(&self) -> Result<ExceptionState, Fault> {
        known(ExceptionState::of(&self.state), &self.state)
    }
    /// Whether it waits for a person.
    pub fn is_open(&self) -> bool {
        self.state == ExceptionState::Open.code()
    }
}

/// Writes new readings.
pub async fn add(conn: &Conn, rows: &[reading::Model]) -> Result<(), Fault> {
    Ok(table::insert_all::<reading::Entity>(conn, rows).await?)
}

/// Writes what changed about readings, and those that are new. What was read stays as it is.
pub async fn save(conn: &Conn, rows: Vec<reading::Model>) -> Result<(), Fault> {
    use reading::Column as C;
    let changing = [
        C::State,
        C::Conflict,
        C::Rollover,
        C::Codes,
        C::ExceptionId,
        C::Method,
        C::Lineage,
        C::ReplacedBy,
        C::Restated,
    ];
    Ok(table::save_all::<reading::Entity>(conn, rows, C::Id, &changing).await?)
}

/// Writes exceptions, new ones and what changed about others.
pub async fn save_exceptions(conn: &Conn, rows: Vec<exception::Model>) -> Result<(), Fault> {
    use exception::Column as C;
    let changing = [
        C::Codes,
        C::State,
        C::Volume,
        C::LargestBefore,
        C::SmallestBefore,
        C::DecidedBy,
        C::Grounds,
        C::DecidedAt,
        C::Version,
    ];
    Ok(table::save_all::<exception::Entity>(conn, rows, C::Id, &changing).await?)
}

/// Exceptions by their ids.
pub async fn exceptions_by_id(conn: &Conn, ids: HashSet<Uuid>) -> Result<Vec<exception::Model>, Fault> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    Ok(exception::Entity::find().filter(exception::Column::Id.is_in(ids)).all(conn).await?)
}

/// Leaves out findings that are open at their installation already.
pub async fn not_open(conn: &Conn, found: Vec<exception::Model>) -> Result<Vec<exception::Model>, Fault> {
    if found.is_empty() {
        return Ok(found);
    }
    let known = exception::Entity::find()
        .filter(exception::Column::InstallationId.is_in(found.iter().map(|e| e.installation_id)))
        .filter(exception::Column::State.eq(ExceptionState::Open.code()))
        .all(conn)
        .await?;
    let listed = |e: &exception::Model| known.iter().any(|k| k.installation_id == e.installation_id && k.codes == e.codes);
    Ok(found.into_iter().filter(|e| !listed(e)).collect())
}

/// Findings about meters that are open, or for which a reading was rejected.
pub async fn of_faults(conn: &Conn, meter_nos: &[&str]) -> Result<Vec<exception::Model>, Fault> {
    let states = [ExceptionState::Open, ExceptionState::Rejected].map(ExceptionState::code);
    let select = exception::Entity::find()
        .filter(table::among_texts(conn, exception::Column::MeterNo, meter_nos.iter().copied()))
        .filter(exception::Column::State.is_in(states));
    Ok(select.all(conn).await?)
}

/// Readings of exceptions, in the order of time.
pub async fn of_exceptions(conn: &Conn, ids: &[Uuid]) -> Result<Vec<reading::Model>, Fault> {
    let select = reading::Entity::find().filter(reading::Column::ExceptionId.is_in(ids.iter().copied()));
    Ok(select.order_by_asc(reading::Column::ReadAt).order_by_asc(reading::Column::Id).all(conn).await?)
}

/// A page of readings.
pub async fn list(conn: &Conn, scope: &Scope, page: &Page, request: &proto::ListReadingsRequest) -> Result<(Vec<proto::Reading>, String), Fault> {
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
    conn: &Conn,
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
        select = select.filter(has_word(exception::Column::Codes, code.code()));
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
        method: row.method.as_deref().and_then(Method::of).map_or(0, Method::number),
        lineage: row.lineage.split_whitespace().map(str::to_owned).collect(),
        replaced_by: row.replaced_by.map(|id| id.to_string()).unwrap_or_default(),
        restated_index: row.restated.map(metres),
        cause: row.cause.as_deref().and_then(Cause::of).map_or(0, Cause::number),
        photo_file: row.photo_file.clone(),
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
        case_id: row.case_id.map(|id| id.to_string()).unwrap_or_default(),
        bill_id: row.bill_id.map(|id| id.to_string()).unwrap_or_default(),
    })
}
