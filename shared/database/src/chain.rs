//! The chain over the journal: each row's hash covers the row, its events and the hash before it.

use std::collections::HashMap;

use contracts::hearth::journal::v1::{Cursor, VerifyJournalResponse};
use rpc::Fault;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    Conn, Database,
    entity::{cursor, event, job, journal, parked_event, seal},
    history,
};

/// Rows that are looked at in one go.
const BATCH: u64 = 500;

/// Hash of a row and its numbered events over that of the row before.
pub(crate) fn chain(before: &[u8], position: i64, row: &journal::Model, events: &[event::Model]) -> Vec<u8> {
    hash(true, before, position, row, events)
}

/// Whether a row bears the right hash, which may be of the first form: that one left out the trace, when an event occurred and its sequence, and did
/// not tell an absent text from an empty one.
fn bears(before: &[u8], position: i64, row: &journal::Model, events: &[event::Model]) -> bool {
    [true, false]
        .into_iter()
        .any(|whole| row.hash.as_deref() == Some(hash(whole, before, position, row, events).as_slice()))
}

fn hash(whole: bool, before: &[u8], position: i64, row: &journal::Model, events: &[event::Model]) -> Vec<u8> {
    let mut digest = Sha256::new();
    if whole {
        digest.update("hearth journal 2");
    }
    digest.update(before);
    digest.update(position.to_be_bytes());
    digest.update(row.id);
    digest.update(row.written_at.to_be_bytes());
    let mut put = |part: Option<&[u8]>| match part {
        None if whole => digest.update(u64::MAX.to_be_bytes()),
        part => {
            let part = part.unwrap_or_default();
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
    };
    for text in [
        Some(&row.actor),
        row.service.as_ref(),
        Some(&row.method),
        row.request_id.as_ref(),
        row.purpose.as_ref(),
        Some(&row.subjects),
    ] {
        put(text.map(String::as_bytes));
    }
    put(Some(&row.digest));
    if whole {
        put(row.traceparent.as_deref().map(str::as_bytes));
    }
    for event in events {
        for part in [event.id.as_bytes().as_slice(), event.kind.as_bytes(), event.subject.as_bytes(), &event.data] {
            put(Some(part));
        }
        if whole {
            put(Some(&event.occurred_at.to_be_bytes()));
            put(event.sequence.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
        }
    }
    digest.finalize().to_vec()
}

/// Recomputes the chain up to where the seal stands now. Rows may be written and sealed meanwhile: the tail is counted first, then the highest
/// positions are read, and the seal last, so that nothing is counted in neither and no number can honestly lie beyond the seal.
pub async fn verify(db: &Database) -> Result<VerifyJournalResponse, Fault> {
    let reader = db.reader();
    let unsealed = journal::Entity::find().filter(journal::Column::Position.is_null());
    let oldest = unsealed.clone().order_by_asc(journal::Column::WrittenAt).one(reader).await?;
    let unsealed = unsealed.count(reader).await?;
    let last_row: Option<Option<i64>> = journal::Entity::find()
        .select_only()
        .column_as(journal::Column::Position.max(), "last")
        .into_tuple()
        .one(reader)
        .await?;
    let last_event: Option<Option<i64>> = event::Entity::find()
        .select_only()
        .column_as(event::Column::Position.max(), "last")
        .into_tuple()
        .one(reader)
        .await?;
    let head = seal::Entity::find_by_id(1)
        .one(reader)
        .await?
        .ok_or_else(|| Fault::internal("the seal is missing"))?;
    let (mut before, mut last, mut events, mut broken) = (vec![], 0_i64, 0_i64, 0_i64);
    'pages: loop {
        let rows = journal::Entity::find()
            .filter(journal::Column::Position.gt(last))
            .filter(journal::Column::Position.lte(head.position))
            .order_by_asc(journal::Column::Position)
            .limit(BATCH)
            .all(reader)
            .await?;
        if rows.is_empty() {
            break;
        }
        let ids: Vec<_> = rows.iter().map(|r| r.id).collect();
        let mut told: HashMap<Uuid, Vec<event::Model>> = HashMap::new();
        for found in event::Entity::find()
            .filter(event::Column::JournalId.is_in(ids))
            .order_by_asc(event::Column::Ordinal)
            .all(reader)
            .await?
        {
            told.entry(found.journal_id).or_default().push(found);
        }
        for row in rows {
            let own = told.remove(&row.id).unwrap_or_default();
            let next = last.saturating_add(1);
            let numbered = (events.saturating_add(1)..).zip(&own).all(|(n, e)| e.position == Some(n));
            if row.position != Some(next) || !numbered || !bears(&before, next, &row, &own) {
                broken = next;
                break 'pages;
            }
            before = row.hash.unwrap_or_default();
            last = next;
            events = events.saturating_add(i64::try_from(own.len()).unwrap_or(i64::MAX));
        }
    }
    let beyond = last_row.flatten() > Some(head.position) || last_event.flatten() > Some(head.event_position);
    if broken == 0 && (beyond || head.position != last || head.hash != before || head.event_position != events) {
        broken = last.saturating_add(1);
    }
    let parked: Vec<(String, i64)> = parked_event::Entity::find()
        .select_only()
        .column(parked_event::Column::Source)
        .column_as(parked_event::Column::Position.count(), "n")
        .group_by(parked_event::Column::Source)
        .into_tuple()
        .all(reader)
        .await?;
    let parked: HashMap<_, _> = parked.into_iter().collect();
    let cursors = cursor::Entity::find().order_by_asc(cursor::Column::Source).all(reader).await?;
    Ok(VerifyJournalResponse {
        intact: broken == 0,
        broken_position: broken,
        sealed_rows: head.position,
        events: head.event_position,
        unsealed_rows: i64::try_from(unsealed).unwrap_or(i64::MAX),
        oldest_unsealed_time: oldest.map(|row| rpc::wire::time(calendar::Instant::from_micros(row.written_at))),
        witnesses: history::witnesses(db, &cursors).await?,
        cursors: cursors
            .into_iter()
            .map(|c| Cursor {
                parked: parked.get(&c.source).copied().unwrap_or(0),
                source: c.source,
                position: c.position,
            })
            .collect(),
        open_jobs: jobs(reader, &["QUEUED", "RUNNING"]).await?,
        failed_jobs: jobs(reader, &["FAILED"]).await?,
        orphans: vec![],
    })
}

/// How many jobs are in one of some states.
async fn jobs(reader: &Conn, states: &[&str]) -> Result<i64, Fault> {
    let found = job::Entity::find().filter(job::Column::State.is_in(states.iter().copied()));
    Ok(i64::try_from(found.count(reader).await?).unwrap_or(i64::MAX))
}
