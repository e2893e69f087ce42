//! Readings as they arrive, one or many.

use std::collections::{HashMap, HashSet};

use calendar::Instant;
use contracts::hearth::billing::v1::{ImportReadingsRequest, ImportReadingsResponse, RecordReadingRequest, RecordReadingResponse, RefusedReadingRow};
use database::{Begun, Scope, Write};
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    chain::{Chains, new_reading},
    model::{ReadingState, index_of},
    store::{self, exception},
};
use crate::{
    Desk, Refusal,
    meter::store::{self as meters, meter},
};

/// RecordReading.
pub async fn record(desk: Desk, call: Call, request: RecordReadingRequest) -> Result<RecordReadingResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let at = wire::time_of(request.read_time.as_ref(), "read_time")?;
    if at > write.now() {
        return Err(Fault::from(Refusal::FutureReading).field("read_time"));
    }
    let meter = meters::lock(&*write, &Scope::of(&call), &[&request.meter_no])
        .await?
        .pop()
        .ok_or_else(|| Fault::not_found("meter", &request.meter_no))?;
    if meter.kind()?.energy().is_some() {
        return Err(Refusal::MeterOfOtherService.into());
    }
    let value = index_of(&request.index, meter.kind()?, meter.register()).map_err(|r| Fault::from(r).field("index"))?;
    let mut chains = Chains::load(&*write, &desk.thresholds, vec![meter.clone()], at.date()).await?;
    let install = chains.installation(meter.id, at.date()).cloned().ok_or(Refusal::MeterNotInstalled)?;
    let there: Vec<_> = chains.at(install.id, at.micros()).map(|l| l.row.clone()).collect();
    let id = match there.iter().find(|r| r.value == value) {
        Some(same) => same.id,
        None if there.iter().any(|r| r.state().is_ok_and(ReadingState::is_live)) => return Err(Refusal::ReadingConflict.into()),
        None => {
            let row = new_reading(&write, &meter, &install, at, value, &request.index, &request.source, ReadingState::Validated);
            let id = row.id;
            chains.add(row);
            id
        }
    };
    let standing = chains.link(id).map(|l| l.row.clone());
    let settled = chains.settle(&mut write, &desk.thresholds).await?;
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

/// ImportReadings: one chunk.
pub async fn import(desk: Desk, call: Call, request: ImportReadingsRequest) -> Result<ImportReadingsResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut answer = ImportReadingsResponse {
        request_id: request.request_id.clone(),
        ..Default::default()
    };
    let numbers: HashSet<&str> = request.rows.iter().map(|r| r.meter_no.as_str()).collect();
    let numbers: Vec<&str> = numbers.into_iter().collect();
    let found = meters::lock(&*write, &Scope::of(&call), &numbers).await?;
    let by_number: HashMap<String, meter::Model> = found.iter().map(|m| (m.meter_no.clone(), m.clone())).collect();
    let now = write.now();
    let mut good = vec![];
    for row in &request.rows {
        let parsed = by_number.get(&row.meter_no).ok_or((Refusal::MeterUnknown, "meter_no")).and_then(|meter| {
            if !matches!(row.source.as_str(), "reader" | "remote" | "user") {
                return Err((Refusal::Source, "source"));
            }
            let at = Instant::parse_rfc3339(&row.read_at).map_err(|_| (Refusal::ReadTime, "read_at"))?;
            if at > now {
                return Err((Refusal::FutureReading, "read_at"));
            }
            let kind = meter.kind().map_err(|_| (Refusal::MeterUnknown, "meter_no"))?;
            if kind.energy().is_some() {
                return Err((Refusal::MeterOfOtherService, "meter_no"));
            }
            let value = index_of(&row.index, kind, meter.register()).map_err(|r| (r, "index"))?;
            Ok((meter, at, value))
        });
        match parsed {
            Ok((meter, at, value)) => good.push((row, meter, at, value)),
            Err((refusal, field)) => answer.refused.push(refused(row.line, field, refusal)),
        }
    }
    if let Some(floor) = good.iter().map(|(_, _, at, _)| at.date()).min() {
        let mut chains = Chains::load(&*write, &desk.thresholds, found, floor).await?;
        let mut added = vec![];
        for (row, meter, at, value) in good {
            let Some(install) = chains.installation(meter.id, at.date()).cloned() else {
                answer.refused.push(refused(row.line, "read_at", Refusal::MeterNotInstalled));
                continue;
            };
            if chains.at(install.id, at.micros()).any(|l| l.row.value == value) {
                answer.repeats += 1;
                continue;
            }
            let mut fresh = new_reading(&write, meter, &install, at, value, &row.index, &row.source, ReadingState::Validated);
            if clash(&mut chains, install.id, at) {
                fresh.conflict = true;
                fresh.state = ReadingState::Held.code().to_owned();
            }
            added.push(fresh.id);
            chains.add(fresh);
            answer.accepted += 1;
        }
        let settled = chains.settle(&mut write, &desk.thresholds).await?;
        let held = |id: &&Uuid| settled.readings.get(id).is_some_and(|r| r.state == ReadingState::Held.code());
        answer.held = i32::try_from(added.iter().filter(held).count()).unwrap_or(i32::MAX);
    }
    answer.refused.sort_by_key(|r| r.line);
    if request.dry_run {
        return Ok(answer);
    }
    finish(write, answer).await
}

async fn finish(mut write: Write, answer: ImportReadingsResponse) -> Result<ImportReadingsResponse, Fault> {
    write.subject(format!("readings:{}", answer.accepted));
    write.commit(answer).await
}

/// Whether another value stands at the moment. One that is neither billed nor accepted by a person is held together with the new one.
fn clash(chains: &mut Chains, installation: Uuid, at: Instant) -> bool {
    let mut clash = false;
    for link in chains.at(installation, at.micros()) {
        match ReadingState::of(&link.row.state) {
            Some(ReadingState::Validated | ReadingState::Held) => {
                clash = true;
                let row = link.edit();
                row.conflict = true;
                row.state = ReadingState::Held.code().to_owned();
            }
            Some(ReadingState::Accepted | ReadingState::Billed) => clash = true,
            Some(ReadingState::Rejected | ReadingState::Corrected) | None => {}
        }
    }
    clash
}

fn refused(line: i32, field: &str, refusal: Refusal) -> RefusedReadingRow {
    RefusedReadingRow {
        line,
        field: field.to_owned(),
        reason: refusal.reason().to_owned(),
        text: refusal.message().to_owned(),
    }
}
