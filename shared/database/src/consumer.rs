use std::time::Duration;

use contracts::hearth::journal::v1::{Event, WatchEventsRequest, journal_service_client::JournalServiceClient};
use futures::StreamExt;
use rpc::{Call, Fault, Peer};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use tokio::time::{Instant, timeout};
use tonic::Request;

use crate::{Database, Write, entity::cursor, history, point::point};

mod parked;

const BATCH: usize = 200;
/// Before a peer is followed again: after a line that brought something, and at most.
const BRIEF: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(5);
/// A source is asked for its history at least so often while it is followed, and so many events apart.
const COMPARED: Duration = Duration::from_secs(5 * 60);
const COMPARED_EVENTS: usize = 1000;

/// Takes the events of another service. Each event's effect and the move of the cursor are one transaction, so that every effect
/// happens once, in order, whatever crashes in between.
#[tonic::async_trait]
pub trait Consumer: Send + Sync + 'static {
    /// Applies an event inside the write; types that mean nothing here are passed over. A refusal parks the event and, behind it, the later ones about
    /// the same thing; it is tried again less and less often. An absence (`UNAVAILABLE`) is waited for.
    async fn take(&self, write: &mut Write, event: &Event) -> Result<(), Fault>;
}

/// Follows a peer's events for ever.
pub async fn consume(db: Database, peer: Peer, consumer: impl Consumer) {
    tokio::join!(follow_forever(&db, &peer, &consumer), parked::take_forever(&db, &peer, &consumer));
}

async fn follow_forever(db: &Database, peer: &Peer, consumer: &impl Consumer) {
    let mut pause = BRIEF;
    loop {
        let mut taken = false;
        let followed = follow(db, peer, consumer, &mut taken).await;
        pause = if taken { BRIEF } else { pause.saturating_mul(2).min(LONG) };
        match followed {
            Ok(()) => {}
            Err(fault) if fault.reason() == "HISTORY_DIFFERS" => {
                tracing::error!(%fault, source = peer.name(), "nothing is taken from a peer whose history differs from what was kept of it");
                pause = LONG;
            }
            Err(fault) => {
                tracing::debug!(%fault, source = peer.name(), "the events of a peer cannot be followed; it is tried again");
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// Ends when the line does, and says whether it brought anything.
async fn follow(db: &Database, peer: &Peer, consumer: &impl Consumer, taken: &mut bool) -> Result<(), Fault> {
    let position = match cursor::Entity::find_by_id(peer.name()).one(db.reader()).await? {
        Some(cursor) => cursor.position,
        None => {
            // Kept before the first event, so that a verification knows whom this service follows.
            let row = cursor::ActiveModel {
                source: Set(peer.name().to_owned()),
                position: Set(0),
                event_id: Set(None),
            };
            cursor::Entity::insert(row).on_conflict_do_nothing().exec_without_returning(db.writer()).await?;
            0
        }
    };
    history::ask(db, peer).await?;
    let mut client = JournalServiceClient::new(peer.channel());
    let answer = client
        .watch_events(Request::new(WatchEventsRequest { after_position: position }))
        .await
        .map_err(|s| peer.fault(s))?;
    let mut batches = answer.into_inner().ready_chunks(BATCH);
    let (mut compared, mut since) = (Instant::now(), 0_usize);
    loop {
        if since >= COMPARED_EVENTS || compared.elapsed() >= COMPARED {
            history::ask(db, peer).await?;
            (compared, since) = (Instant::now(), 0);
        }
        let batch = match timeout(COMPARED, batches.next()).await {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            Err(_) => continue,
        };
        let mut events = vec![];
        for answer in batch {
            events.extend(answer.map_err(|s| peer.fault(s))?.event);
        }
        if events.is_empty() {
            continue;
        }
        since = since.saturating_add(events.len());
        // One transaction for all; where that fails, one by one, so that only the culprit is held.
        if apply(db, peer.name(), consumer, &events).await.is_err() {
            for event in &events {
                one(db, peer.name(), consumer, event).await?;
                *taken = true;
            }
        }
        *taken = true;
    }
    Ok(())
}

async fn one(db: &Database, source: &'static str, consumer: &impl Consumer, event: &Event) -> Result<(), Fault> {
    match apply(db, source, consumer, std::slice::from_ref(event)).await {
        Err(fault) if !fault.is_transient() => {
            tracing::warn!(%fault, source, position = event.position, kind = event.r#type, "an event is refused; it is tried again");
            let write = db.open(&Call::background(db.service(), "park-event")).await?;
            parked::put(&write, source, event, Some(&fault)).await?;
            advance(&write, source, event).await?;
            write.close().await
        }
        other => other,
    }
}

async fn apply(db: &Database, source: &'static str, consumer: &impl Consumer, events: &[Event]) -> Result<(), Fault> {
    let mut write = db.open(&Call::background(db.service(), "take-events")).await?;
    let before = locked(&write, source).await?;
    let mut at = before;
    let waited_for = parked::subjects(&write, source, events).await?;
    for event in events {
        // It was taken, before or just now.
        if event.position <= at {
            continue;
        }
        // Positions have no gaps: what is missing was lost or overtaken on the way, and the source is asked again from the cursor on.
        if event.position != at.saturating_add(1) {
            let gap = format!("after the event at {at} came the one at {}", event.position);
            return Err(Fault::unavailable("DEPENDENCY_UNAVAILABLE", "the events of a service that is needed are out of their order").because(gap));
        }
        at = event.position;
        write.subject(&event.id);
        if waited_for.contains(&event.subject) {
            parked::put(&write, source, event, None).await?;
            continue;
        }
        point("effect.before");
        consumer.take(&mut write, event).await?;
    }
    match events.iter().rfind(|event| event.position == at) {
        Some(last) if at > before => {
            advance(&write, source, last).await?;
            write.close().await
        }
        _ => Ok(()),
    }
}

/// The position up to which events were taken. The cursor's row is the lock: a second replica waits here and then finds them taken.
async fn locked(write: &Write, source: &str) -> Result<i64, Fault> {
    let row = cursor::ActiveModel {
        source: Set(source.to_owned()),
        position: Set(0),
        event_id: Set(None),
    };
    cursor::Entity::insert(row).on_conflict_do_nothing().exec_without_returning(&**write).await?;
    let found = cursor::Entity::find_by_id(source).lock_exclusive().one(&**write).await?;
    Ok(found.map_or(0, |cursor| cursor.position))
}

async fn advance(write: &Write, source: &str, last: &Event) -> Result<(), Fault> {
    point("cursor.before");
    cursor::Entity::update_many()
        .col_expr(cursor::Column::Position, last.position.into())
        .col_expr(cursor::Column::EventId, last.id.as_str().into())
        .filter(cursor::Column::Source.eq(source))
        .exec(&**write)
        .await?;
    point("cursor.after");
    Ok(())
}
