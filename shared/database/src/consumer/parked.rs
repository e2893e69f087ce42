//! Events that were refused: kept in order for each thing that they are about, and tried again.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use calendar::Clock;
use contracts::hearth::journal::v1::{Event, WatchEventsRequest, journal_service_client::JournalServiceClient};
use rpc::{Call, Fault, Peer};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::time::timeout;
use tonic::Request;

use super::{Consumer, locked};
use crate::{Database, Write, entity::parked_event};

/// How often it is looked whether one is due.
const LOOK: Duration = Duration::from_secs(1);
/// How long a source is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// So often refused, an event waits for a person. It is tried on all the same: a new release may know what to do with it.
const TRIES: i32 = 5;
/// Microseconds to the second try; four times as long to each further one, up to an hour.
const PAUSE: i64 = 1_000_000;
const LONGEST: i64 = 3_600_000_000;

/// Parks an event, for a reason or behind another one.
pub async fn put(write: &Write, source: &str, event: &Event, refused: Option<&Fault>) -> Result<(), Fault> {
    let (reason, tries, next_at) = match refused {
        Some(fault) => (fault.reason(), 1, now().saturating_add(pause(1))),
        None => ("WAITS", 0, 0),
    };
    let row = parked_event::ActiveModel {
        source: Set(source.to_owned()),
        position: Set(event.position),
        kind: Set(event.r#type.clone()),
        subject: Set(event.subject.clone()),
        data: Set(event.data.clone()),
        reason: Set(reason.to_owned()),
        parked_at: Set(write.now().micros()),
        tries: Set(tries),
        next_at: Set(next_at),
    };
    parked_event::Entity::insert(row)
        .on_conflict_do_nothing()
        .exec_without_returning(&**write)
        .await?;
    Ok(())
}

/// What these events are about and a parked one is, too.
pub async fn subjects(write: &Write, source: &str, events: &[Event]) -> Result<HashSet<String>, Fault> {
    let about: BTreeSet<&str> = events.iter().map(|event| event.subject.as_str()).collect();
    let found: Vec<String> = parked_event::Entity::find()
        .select_only()
        .column(parked_event::Column::Subject)
        .distinct()
        .filter(parked_event::Column::Source.eq(source))
        .filter(parked_event::Column::Subject.is_in(about))
        .into_tuple()
        .all(&**write)
        .await?;
    Ok(found.into_iter().collect())
}

/// Takes parked events when their time has come, for ever; the program that starts may be a new release, and tries them at once.
pub async fn take_forever(db: &Database, peer: &Peer, consumer: &impl Consumer) {
    let mut starts = true;
    loop {
        match take_due(db, peer, consumer, if starts { i64::MAX } else { now() }).await {
            Ok(taken) => {
                starts = false;
                if taken {
                    continue;
                }
            }
            Err(fault) => tracing::debug!(%fault, source = peer.name(), "a parked event cannot be tried again; that is done later"),
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Tries, of each thing, the oldest one; says whether one was taken, so that the next in line may be due.
async fn take_due(db: &Database, peer: &Peer, consumer: &impl Consumer, until: i64) -> Result<bool, Fault> {
    let parked: Vec<(i64, String, i64)> = parked_event::Entity::find()
        .select_only()
        .columns([parked_event::Column::Position, parked_event::Column::Subject, parked_event::Column::NextAt])
        .filter(parked_event::Column::Source.eq(peer.name()))
        .order_by_asc(parked_event::Column::Position)
        .into_tuple()
        .all(db.reader())
        .await?;
    let (mut first, mut taken) = (HashSet::new(), false);
    for (position, subject, next_at) in parked {
        if first.insert(subject) && next_at <= until {
            taken |= again(db, peer, consumer, position).await?;
        }
    }
    Ok(taken)
}

/// Says whether the event was taken.
async fn again(db: &Database, peer: &Peer, consumer: &impl Consumer, position: i64) -> Result<bool, Fault> {
    let event = told(peer, position).await?;
    let (source, key) = (peer.name(), (peer.name().to_owned(), position));
    let mut write = db.open(&Call::background(db.service(), "take-events")).await?;
    locked(&write, source).await?;
    let Some(row) = parked_event::Entity::find_by_id(key.clone()).one(&*write).await? else {
        return Ok(false);
    };
    if (&row.kind, &row.subject, &row.data) != (&event.r#type, &event.subject, &event.data) {
        return Err(Fault::internal("the source tells another event at the place of a parked one"));
    }
    write.subject(&event.id);
    let fault = match consumer.take(&mut write, &event).await {
        Ok(()) => {
            parked_event::Entity::delete_by_id(key).exec(&*write).await?;
            write.close().await?;
            tracing::info!(source, position, "a parked event was taken");
            return Ok(true);
        }
        Err(fault) if fault.is_transient() => return Err(fault),
        Err(fault) => fault,
    };
    drop(write);
    let tries = row.tries.saturating_add(1);
    let write = db.open(&Call::background(db.service(), "park-event")).await?;
    parked_event::Entity::update_many()
        .col_expr(parked_event::Column::Tries, tries.into())
        .col_expr(parked_event::Column::NextAt, now().saturating_add(pause(tries)).into())
        .col_expr(parked_event::Column::Reason, fault.reason().into())
        .filter(parked_event::Column::Source.eq(source))
        .filter(parked_event::Column::Position.eq(position))
        .exec(&*write)
        .await?;
    write.close_quietly().await?;
    if tries >= TRIES {
        tracing::error!(%fault, source, position, kind = row.kind, tries, "an event is parked");
    }
    Ok(false)
}

/// The event as its source tells it.
async fn told(peer: &Peer, position: i64) -> Result<Event, Fault> {
    let mut client = JournalServiceClient::new(peer.channel());
    let request = Request::new(WatchEventsRequest {
        after_position: position.saturating_sub(1),
    });
    let first = async { client.watch_events(request).await?.into_inner().message().await };
    let first = timeout(PATIENCE, first)
        .await
        .map_err(|_| Fault::unavailable("DEPENDENCY_UNAVAILABLE", "a service that is needed does not answer"))?;
    let event = first.map_err(|status| peer.fault(status))?.and_then(|answer| answer.event);
    event
        .filter(|event| event.position == position)
        .ok_or_else(|| Fault::internal("the source does not tell a parked event any more"))
}

/// Microseconds until the next try of what was refused so often.
fn pause(tries: i32) -> i64 {
    let further = tries.saturating_sub(1).max(0).unsigned_abs();
    PAUSE.saturating_mul(4_i64.saturating_pow(further)).min(LONGEST)
}

/// By the clock of the machine: how often something is tried is no business of the rules.
fn now() -> i64 {
    Clock::real().now().micros()
}

#[cfg(test)]
mod tests {
    use super::pause;

    #[test]
    fn r_e4_tries_come_less_and_less_often() {
        let seconds = [1, 2, 3, 4, 5, 6, 7, 8, i32::MAX].map(|tries| pause(tries) / 1_000_000);
        assert_eq!(seconds, [1, 4, 16, 64, 256, 1024, 3600, 3600, 3600]);
    }
}
