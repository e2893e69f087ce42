//! Decisions on exceptions (E2-07: never by who brought the reading or found the seal broken).

use calendar::Instant;
use contracts::hearth::billing::v1::{
    AdjustExceptionRequest, AdjustExceptionResponse, RejectExceptionRequest, RejectExceptionResponse, ReleaseExceptionsRequest, ReleaseExceptionsResponse,
    VoidReadingRequest, VoidReadingResponse,
};
use database::{Begun, Scope, Write, find};
use money::Volume;
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{
    case,
    chain::{Chains, new_reading},
    model::{Decision, ExceptionState, ReadingState, Source, codes_of, fits, fits_round, index_of, may_void, step},
    store::{self, exception, reading},
};
use crate::{
    Desk, Refusal,
    meter::store::{self as meters, installation, meter},
};

/// ReleaseExceptions.
pub async fn release(desk: Desk, call: Call, request: ReleaseExceptionsRequest) -> Result<ReleaseExceptionsResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let ids = request
        .exception_ids
        .iter()
        .map(|id| wire::id_of::<Uuid>("exception_ids", id))
        .collect::<Result<Vec<_>, _>>()?;
    let case = Case::load(&write, &call, &ids).await?;
    let floor = case.readings.iter().map(|r| r.read_date).min();
    let rows = case.decide(&write, &case.exceptions, Decision::Release, &request.grounds).await?;
    for row in &rows {
        write.subject(row.id);
    }
    if let Some(floor) = floor {
        let mut chains = Chains::load(&write, &desk.thresholds, case.meters, floor).await?;
        for row in case.readings.iter().filter(|r| r.state == ReadingState::Held.code()) {
            if let Some(link) = chains.link(row.id) {
                link.edit().state = ReadingState::Accepted.code().to_owned();
            }
        }
        chains.settle(&mut write, &desk.thresholds).await?;
    }
    let released = i32::try_from(rows.len()).unwrap_or(i32::MAX);
    write.commit(ReleaseExceptionsResponse { released }).await
}

/// RejectException.
pub async fn reject(desk: Desk, call: Call, request: RejectExceptionRequest) -> Result<RejectExceptionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: Uuid = wire::id_of("exception_id", &request.exception_id)?;
    let case = Case::load(&write, &call, &[id]).await?;
    let row = case.only(id)?;
    rpc::check_etag(&request.etag, row.id, row.version)?;
    let row = case.decide_one(&write, row, Decision::Reject, &request.grounds).await?;
    let readings = discard(&mut write, &desk, &case, None).await?;
    write.subject(id);
    write
        .commit(RejectExceptionResponse {
            exception: Some(store::exception_message(&row, &readings)?),
        })
        .await
}

/// AdjustException: the true index stands in the place of what was held.
pub async fn adjust(desk: Desk, call: Call, request: AdjustExceptionRequest) -> Result<AdjustExceptionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: Uuid = wire::id_of("exception_id", &request.exception_id)?;
    let case = Case::load(&write, &call, &[id]).await?;
    let row = case.only(id)?;
    rpc::check_etag(&request.etag, row.id, row.version)?;
    let text = request.true_index.as_ref().map(|d| d.value.as_str()).unwrap_or_default();
    let row = case.decide_one(&write, row, Decision::Adjust, &request.grounds).await?;
    let (first, meter) = case.readings.first().zip(case.meters.first()).ok_or(Refusal::ExceptionNotAdjustable)?;
    let value = index_of(text, meter.kind()?, meter.register()).map_err(|r| Fault::from(r).field("true_index"))?;
    let install = installation::Entity::find_by_id(first.installation_id)
        .one(&*write)
        .await?
        .ok_or_else(|| Fault::not_found("installation", first.installation_id))?;
    let instead = Instead {
        install: &install,
        meter,
        value,
        raw: text,
        rollover: request.rollover,
    };
    let readings = discard(&mut write, &desk, &case, Some(instead)).await?;
    let standing = readings
        .iter()
        .find(|r| r.state == ReadingState::Accepted.code())
        .ok_or_else(|| Fault::internal("the adjusted reading is not there"))?;
    write.subject(id);
    write.subject(standing.id);
    let reading = Some(store::message(standing)?);
    write
        .commit(AdjustExceptionResponse {
            exception: Some(store::exception_message(&row, &readings)?),
            reading,
        })
        .await
}

/// VoidReading (thread 27).
pub async fn void(desk: Desk, call: Call, request: VoidReadingRequest) -> Result<VoidReadingResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: Uuid = wire::id_of("reading_id", &request.reading_id)?;
    let missing = || Fault::not_found("reading", id);
    let select = || find::<reading::Entity>(&Scope::of(&call)).filter(reading::Column::Id.eq(id));
    let seen = select().one(&*write).await?.ok_or_else(missing)?;
    // The meter first, as everywhere: then the row as it is now.
    let meters = meters::lock(&write, &Scope::everything(), &[&seen.meter_no]).await?;
    let row = select().one(&*write).await?.ok_or_else(missing)?;
    if row.recorded_by == call.subject() {
        return Err(Refusal::OwnReading.into());
    }
    may_void(row.state()?, row.source()?, &codes_of(&row.codes))?;
    let mut chains = Chains::load(&write, &desk.thresholds, meters, row.read_date).await?;
    let install = chains
        .install(row.installation_id)
        .ok_or_else(|| Fault::not_found("installation", row.installation_id))?;
    let now = write.now();
    let decided = exception::Model {
        state: ExceptionState::Rejected.code().to_owned(),
        recorded_by: row.recorded_by.clone(),
        decided_by: call.subject().to_owned(),
        grounds: request.grounds.clone(),
        decided_at: Some(now.micros()),
        ..exception::Model::found(install, &[], row.read_date, now)
    };
    // What a rule found about it is no matter any more.
    let known = store::exceptions_by_id(&write, row.exception_id.into_iter().collect()).await?;
    let mut changed = vec![decided.clone()];
    for open in known.into_iter().filter(exception::Model::is_open) {
        changed.push(exception::Model {
            state: step(open.state()?, &codes_of(&open.codes), Decision::Resolve)?.code().to_owned(),
            decided_at: Some(now.micros()),
            version: open.version.saturating_add(1),
            ..open
        });
    }
    store::save_exceptions(&write, changed).await?;
    case::keep(&write, [row.agreement_id].into()).await?;
    let link = chains.link(id).ok_or_else(missing)?.edit();
    link.state = ReadingState::Rejected.code().to_owned();
    link.exception_id = Some(decided.id);
    let settled = chains.settle(&mut write, &desk.thresholds).await?;
    let readings: Vec<reading::Model> = settled.readings.get(&id).cloned().into_iter().collect();
    write.subject(id);
    write
        .commit(VoidReadingResponse {
            exception: Some(store::exception_message(&decided, &readings)?),
        })
        .await
}

/// Exceptions to decide on, with their readings and the meters, locked.
struct Case {
    exceptions: Vec<exception::Model>,
    readings: Vec<reading::Model>,
    meters: Vec<meter::Model>,
    by: String,
}

impl Case {
    async fn load(write: &Write, call: &Call, ids: &[Uuid]) -> Result<Self, Fault> {
        let scope = Scope::of(call);
        let select = || {
            find::<exception::Entity>(&scope)
                .filter(exception::Column::Id.is_in(ids.iter().copied()))
                .order_by_asc(exception::Column::Id)
        };
        let seen = select().all(&**write).await?;
        if let Some(id) = ids.iter().find(|id| !seen.iter().any(|e| e.id == **id)) {
            return Err(Fault::not_found("exception", id));
        }
        // Meters first, as everywhere: then the rows as they are now.
        let numbers: Vec<&str> = seen.iter().map(|e| e.meter_no.as_str()).collect();
        let meters = meters::lock(write, &Scope::everything(), &numbers).await?;
        let exceptions = select().lock_exclusive().all(&**write).await?;
        let readings = store::of_exceptions(write, ids).await?;
        let by = call.subject().to_owned();
        if readings.iter().any(|r| r.recorded_by == by) || exceptions.iter().any(|e| e.recorded_by == by) {
            return Err(Refusal::OwnException.into());
        }
        Ok(Self {
            exceptions,
            readings,
            meters,
            by,
        })
    }

    fn only(&self, id: Uuid) -> Result<&exception::Model, Fault> {
        self.exceptions.first().ok_or_else(|| Fault::not_found("exception", id))
    }

    async fn decide(&self, write: &Write, rows: &[exception::Model], decision: Decision, grounds: &str) -> Result<Vec<exception::Model>, Fault> {
        let decided = rows.iter().map(|row| {
            let state = step(row.state()?, &codes_of(&row.codes), decision)?;
            Ok::<_, Fault>(exception::Model {
                state: state.code().to_owned(),
                decided_by: self.by.clone(),
                grounds: grounds.to_owned(),
                decided_at: Some(write.now().micros()),
                version: row.version.saturating_add(1),
                ..row.clone()
            })
        });
        let decided = decided.collect::<Result<Vec<_>, _>>()?;
        store::save_exceptions(write, decided.clone()).await?;
        case::keep(write, decided.iter().map(|e| e.agreement_id).collect()).await?;
        Ok(decided)
    }

    async fn decide_one(&self, write: &Write, row: &exception::Model, decision: Decision, grounds: &str) -> Result<exception::Model, Fault> {
        let decided = self.decide(write, std::slice::from_ref(row), decision, grounds).await?;
        decided.into_iter().next().ok_or_else(|| Fault::not_found("exception", row.id))
    }
}

/// The true index.
struct Instead<'a> {
    install: &'a installation::Model,
    meter: &'a meter::Model,
    /// Litres.
    value: i64,
    raw: &'a str,
    /// Whether a person says that the register went round.
    rollover: bool,
}

/// Rejects what an exception holds; with a true index one reading stands in its place.
async fn discard(write: &mut Write, desk: &Desk, case: &Case, instead: Option<Instead<'_>>) -> Result<Vec<reading::Model>, Fault> {
    let Some(floor) = case.readings.iter().map(|r| r.read_date).min() else {
        return Ok(vec![]);
    };
    let mut chains = Chains::load(write, &desk.thresholds, case.meters.clone(), floor).await?;
    let held: Vec<&reading::Model> = case.readings.iter().filter(|r| r.state == ReadingState::Held.code()).collect();
    let mut ids: Vec<Uuid> = held.iter().map(|r| r.id).collect();
    for id in &ids {
        if let Some(link) = chains.link(*id) {
            link.edit().state = ReadingState::Rejected.code().to_owned();
        }
    }
    if let Some(Instead {
        install,
        meter,
        value,
        raw,
        rollover,
    }) = instead
    {
        let (at, on) = held.first().map_or((0, floor), |r| (r.read_at, r.read_date));
        let (before, after) = chains.neighbours(install.id, at);
        let is_in_line = if rollover {
            let before = before.map(|b| (b.value, on.signed_duration_since(b.date).num_days().max(1)));
            fits_round(meter.register(), value, before, after)
        } else {
            fits(value, before.map(|b| b.value), after)
        };
        if !is_in_line {
            return Err(Fault::from(Refusal::IndexOutOfLine)
                .meta("index", Volume::from_litres(value).short())
                .field("true_index"));
        }
        // One of two values at one moment may be the true one: then it stands again itself.
        let same = chains
            .at(install.id, at)
            .find(|l| l.row.value == value && (ids.contains(&l.row.id) || l.row.source == Source::Adjusted.code()));
        let standing = match same {
            Some(link) => {
                let row = link.edit();
                row.state = ReadingState::Accepted.code().to_owned();
                row.conflict = false;
                row.replaced_by = None;
                row.id
            }
            None => {
                let row = new_reading(
                    write,
                    meter,
                    install,
                    Instant::from_micros(at),
                    value,
                    raw,
                    Source::Adjusted.code(),
                    ReadingState::Accepted,
                );
                let id = row.id;
                chains.add(row);
                id
            }
        };
        ids.retain(|id| *id != standing);
        for id in &ids {
            if let Some(link) = chains.link(*id) {
                link.edit().replaced_by = Some(standing);
            }
        }
        ids.push(standing);
    }
    let settled = chains.settle(write, &desk.thresholds).await?;
    Ok(ids.iter().filter_map(|id| settled.readings.get(id).cloned()).collect())
}
