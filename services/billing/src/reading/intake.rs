//! Readings as they arrive, one or many.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use calendar::Instant;
use contracts::hearth::billing::v1::{
    ImportReadingsRequest, ImportReadingsResponse, ReadingRow, RecordReadingRequest, RecordReadingResponse, RefusedReadingRow,
};
use database::{Begun, Scope, Write};
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    chain::{Chains, new_reading},
    meeting::{Meeting, meet, take},
    model::{Code, ReadingState, Source, codes_of, index_of, index_of_device},
    rules::Rules,
    store::{self, exception, reading},
};
use crate::{
    Desk, Refusal,
    meter::store::{self as meters, installation, meter},
};

/// RecordReading.
pub async fn record(desk: Desk, call: Call, request: RecordReadingRequest) -> Result<RecordReadingResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let rules = &desk.thresholds;
    let at = wire::time_of(request.read_time.as_ref(), "read_time")?;
    if at > write.now() {
        return Err(Fault::from(Refusal::FutureReading).field("read_time"));
    }
    let source = Source::of(&request.source).ok_or(Refusal::Source)?;
    if source == Source::Photo && request.photo_file.is_empty() {
        return Err(Fault::from(Refusal::PhotoMissing).field("photo_file"));
    }
    let scope = Scope::of(&call);
    let meter_no = if request.account_no.is_empty() {
        request.meter_no.clone()
    } else {
        meters::of_account(&write, &scope, &request.account_no).await?
    };
    let meter = meters::lock(&write, &scope, &[&meter_no])
        .await?
        .pop()
        .ok_or_else(|| Fault::not_found("meter", &meter_no))?;
    let value = index(rules, &meter, &request.index)?.map_err(|r| Fault::from(r).field("index"))?;
    let mut chains = Chains::load(&write, rules, vec![meter.clone()], at.date()).await?;
    let install = chains.installation(meter.id, at.date()).cloned().ok_or(Refusal::MeterNotInstalled)?;
    let id = match meet(&mut chains, rules, install.id, at.micros(), value, source)? {
        Meeting::Repeat(id) => id,
        Meeting::Clash | Meeting::Worse(_) => return Err(Refusal::ReadingConflict.into()),
        met => {
            let row = reading::Model {
                photo_file: request.photo_file.clone(),
                ..new_reading(&write, &meter, &install, at, value, &request.index, source.code(), ReadingState::Validated)
            };
            take(&mut chains, met, row)
        }
    };
    let standing = chains.link(id).map(|l| l.row.clone());
    let settled = chains.settle(&mut write, rules).await?;
    let row = settled.readings.get(&id).cloned().or(standing).ok_or_else(|| Fault::not_found("reading", id))?;
    let own: Vec<exception::Model> = settled
        .exceptions
        .into_iter()
        .filter(|e| row.exception_id == Some(e.id) && e.is_open())
        .collect();
    let exceptions = own
        .iter()
        .map(|e| store::exception_message(e, std::slice::from_ref(&row)))
        .collect::<Result<_, _>>()?;
    write.subject(row.id);
    write
        .commit(RecordReadingResponse {
            reading: Some(store::message(&row)?),
            exceptions,
        })
        .await
}

/// Chunks that are taken in one transaction when so many have come.
pub const TOGETHER: usize = 8;

/// ImportReadings: the chunks that have come, or the first of them. Each has its own answer: where one was taken before or cannot be, it is to change nothing
/// about the others, so each is taken alone then.
pub async fn import(desk: Desk, call: Call, requests: Vec<Arc<ImportReadingsRequest>>) -> Result<Vec<ImportReadingsResponse>, Fault> {
    if requests.len() > 1
        && requests.iter().all(|request| !request.dry_run)
        && let Ok(Some(answers)) = together(&desk, &call, &requests).await
    {
        return Ok(answers);
    }
    let Some(request) = requests.first() else { return Ok(vec![]) };
    let mut write = match desk.db.begin(&call, &**request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(vec![answer]),
    };
    let meters = locked(&write, std::slice::from_ref(request)).await?;
    let answer = chunk(&desk, &mut write, &meters, request).await?;
    if request.dry_run {
        return Ok(vec![answer]);
    }
    Ok(vec![write.commit(answer).await?])
}

/// Chunks in their order, in one transaction; none where one of them was taken before.
async fn together(desk: &Desk, call: &Call, requests: &[Arc<ImportReadingsRequest>]) -> Result<Option<Vec<ImportReadingsResponse>>, Fault> {
    let Some(mut write) = desk.db.begin_together(call, requests.iter().map(|request| &**request)).await? else {
        return Ok(None);
    };
    // All at once, since who locks meter after meter waits for others in a circle.
    let meters = locked(&write, requests).await?;
    let mut answers = vec![];
    for request in requests {
        let answer = chunk(desk, &mut write, &meters, request).await?;
        write.answer(&answer);
        answers.push(answer);
    }
    write.finish().await?;
    Ok(Some(answers))
}

/// The meters of chunks by their numbers.
async fn locked(write: &Write, requests: &[Arc<ImportReadingsRequest>]) -> Result<HashMap<String, meter::Model>, Fault> {
    let numbers: HashSet<&str> = requests.iter().flat_map(|request| &request.rows).map(|row| row.meter_no.as_str()).collect();
    let numbers: Vec<&str> = numbers.into_iter().collect();
    let found = meters::lock(write, &Scope::of(write.call()), &numbers).await?;
    Ok(found.into_iter().map(|meter| (meter.meter_no.clone(), meter)).collect())
}

async fn chunk(
    desk: &Desk,
    write: &mut Write,
    meters: &HashMap<String, meter::Model>,
    request: &ImportReadingsRequest,
) -> Result<ImportReadingsResponse, Fault> {
    let rules = &desk.thresholds;
    let mut answer = ImportReadingsResponse {
        request_id: request.request_id.clone(),
        ..Default::default()
    };
    let mut good = vec![];
    for row in &request.rows {
        match parse(rules, meters, row, write.now())? {
            Ok(parsed) => good.push((row, parsed)),
            Err((refusal, field)) => answer.refused.push(refused(row.line, field, refusal)),
        }
    }
    if let Some(floor) = good.iter().map(|(_, parsed)| parsed.at.date()).min() {
        let of_rows: HashMap<Uuid, &meter::Model> = good.iter().map(|(_, parsed)| (parsed.meter.id, parsed.meter)).collect();
        let mut chains = Chains::load(write, rules, of_rows.into_values().cloned().collect(), floor).await?;
        let mut added = vec![];
        for (row, Parsed { meter, source, at, value }) in good {
            let Some(installation) = chains.installation(meter.id, at.date()).map(|i| i.id) else {
                answer.refused.push(refused(row.line, "read_at", Refusal::MeterNotInstalled));
                continue;
            };
            let met = meet(&mut chains, rules, installation, at.micros(), value, source)?;
            if let Meeting::Repeat(_) = met {
                answer.repeats = answer.repeats.saturating_add(1);
                continue;
            }
            let Some(install) = chains.installation(meter.id, at.date()) else { continue };
            let fresh = reading::Model {
                time_twice: row.time_twice,
                ..new_reading(write, meter, install, at, value, delivered(row), source.code(), ReadingState::Validated)
            };
            added.push(take(&mut chains, met, fresh));
            answer.accepted = answer.accepted.saturating_add(1);
        }
        let settled = chains.settle(write, rules).await?;
        let held = |id: &&Uuid| settled.readings.get(id).is_some_and(|r| r.state == ReadingState::Held.code());
        answer.held = i32::try_from(added.iter().filter(held).count()).unwrap_or(i32::MAX);
    }
    answer.refused.sort_by_key(|r| r.line);
    write.subject(format!("readings:{}", answer.accepted));
    Ok(answer)
}

/// A row of a file that can be taken.
struct Parsed<'a> {
    meter: &'a meter::Model,
    source: Source,
    at: Instant,
    value: i64,
}

/// A row, or the field that is wrong and why.
fn parse<'a>(
    rules: &Rules,
    by_number: &'a HashMap<String, meter::Model>,
    row: &ReadingRow,
    now: Instant,
) -> Result<Result<Parsed<'a>, (Refusal, &'static str)>, Fault> {
    let Some(meter) = by_number.get(&row.meter_no) else {
        return Ok(Err((Refusal::MeterUnknown, "meter_no")));
    };
    let Some(source) = Source::of(&row.source).filter(|s| s.is_of_files()) else {
        return Ok(Err((Refusal::Source, "source")));
    };
    let Ok(at) = Instant::parse_rfc3339(&row.read_at) else {
        return Ok(Err((Refusal::ReadTime, "read_at")));
    };
    if at > now {
        return Ok(Err((Refusal::FutureReading, "read_at")));
    }
    // What a device has sent nobody can write anew: it is held instead.
    if row.time_twice && !rules.limits(meter.metered()?.class).lenient {
        return Ok(Err((Refusal::LocalTimeTwice, "read_at")));
    }
    let raw = row.raw_index.as_deref().unwrap_or_default();
    if !raw.chars().all(|c| c.is_ascii_digit() || " .,+-eE".contains(c)) {
        return Ok(Err((Refusal::IndexNotPlainDigits, "raw_index")));
    }
    let parsed = |value| Parsed { meter, source, at, value };
    Ok(index(rules, meter, &row.index)?.map(parsed).map_err(|r| (r, "index")))
}

/// The number as it stood in the source of a row.
fn delivered(row: &ReadingRow) -> &str {
    row.raw_index.as_deref().filter(|raw| !raw.is_empty()).unwrap_or(&row.index)
}

/// The index as the class of the meter reads it.
fn index(rules: &Rules, meter: &meter::Model, text: &str) -> Result<Result<i64, Refusal>, Fault> {
    let metered = meter.metered()?;
    Ok(if rules.limits(metered.class).lenient {
        index_of_device(text, metered.register)
    } else {
        index_of(text, meter.kind()?, metered.register)
    })
}

/// Files the last reading of an installation that ends.
pub async fn file_final(
    write: &mut Write,
    desk: &Desk,
    meter: &meter::Model,
    install: &installation::Model,
    at: Instant,
    value: i64,
    raw: &str,
) -> Result<(), Fault> {
    let rules = &desk.thresholds;
    let mut chains = Chains::load(write, rules, vec![meter.clone()], at.date()).await?;
    let met = meet(&mut chains, rules, install.id, at.micros(), value, Source::Final)?;
    match met {
        Meeting::Repeat(_) => return Ok(()),
        Meeting::Clash | Meeting::Worse(_) => return Err(Refusal::ReadingConflict.into()),
        Meeting::Free | Meeting::Better => {}
    }
    let row = new_reading(write, meter, install, at, value, raw, Source::Final.code(), ReadingState::Validated);
    let id = take(&mut chains, met, row);
    let settled = chains.settle(write, rules).await?;
    match settled.readings.get(&id) {
        Some(row) if codes_of(&row.codes).iter().any(|c| matches!(c, Code::Reverse | Code::NewRegister)) => Err(Refusal::FinalIndexLower.into()),
        _ => Ok(()),
    }
}

fn refused(line: i32, field: &str, refusal: Refusal) -> RefusedReadingRow {
    RefusedReadingRow {
        line,
        field: field.to_owned(),
        reason: refusal.reason().to_owned(),
        text: refusal.message().to_owned(),
    }
}
