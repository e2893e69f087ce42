use std::time::Duration;

use contracts::hearth::journal::v1::{Event, WatchEventsRequest, journal_service_client::JournalServiceClient};
use futures::StreamExt;
use rpc::{Call, Fault, Peer};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use tonic::Request;

use crate::{
    Database, Write,
    entity::{cursor, parked_event},
};

const BATCH: usize = 200;

/// Takes the events of another service. Each event's effect and the move of the cursor are one transaction, so that every effect
/// happens once, in order, whatever crashes in between.
#[tonic::async_trait]
pub trait Consumer: Send + Sync + 'static {
    /// Applies an event inside the write; types that mean nothing here are passed over. A refusal parks the event for a person,
    /// an absence (`UNAVAILABLE`) is tried again.
    async fn take(&self, write: &mut Write, event: &Event) -> Result<(), Fault>;
}

/// Follows a peer's events for ever.
pub async fn consume(db: Database, peer: Peer, consumer: impl Consumer) {
    let mut pause = Duration::from_millis(100);
    loop {
        match follow(&db, &peer, &consumer).await {
            Ok(taken) if taken > 0 => pause = Duration::from_millis(100),
            Ok(_) => pause = (pause * 2).min(Duration::from_secs(5)),
            Err(fault) => {
                tracing::debug!(%fault, source = peer.name(), "the events of a peer cannot be followed; it is tried again");
                pause = (pause * 2).min(Duration::from_secs(5));
            }
        }
        tokio::time::sleep(pause).await;
    }
}

async fn follow(db: &Database, peer: &Peer, consumer: &impl Consumer) -> Result<u64, Fault> {
    let position = match cursor::Entity::find_by_id(peer.name()).one(db.reader()).await? {
        Some(cursor) => cursor.position,
        None => {
            // Kept before the first event, so that a verification knows whom this service follows.
            let row = cursor::ActiveModel {
                source: Set(peer.name().to_owned()),
                position: Set(0),
            };
            cursor::Entity::insert(row).on_conflict_do_nothing().exec_without_returning(db.writer()).await?;
            0
        }
    };
    let mut client = JournalServiceClient::new(peer.channel());
    let answer = client
        .watch_events(Request::new(WatchEventsRequest { after_position: position }))
        .await
        .map_err(|s| peer.fault(s))?;
    let mut batches = answer.into_inner().ready_chunks(BATCH);
    let mut taken = 0;
    while let Some(batch) = batches.next().await {
        let mut events = vec![];
        for answer in batch {
            events.extend(answer.map_err(|s| peer.fault(s))?.event);
        }
        if events.is_empty() {
            continue;
        }
        taken += 1;
        // One transaction for all; where that fails, one by one, so that only the culprit is held.
        if apply(db, peer.name(), consumer, &events).await.is_err() {
            for event in &events {
                one(db, peer.name(), consumer, event).await?;
            }
        }
    }
    Ok(taken)
}

async fn one(db: &Database, source: &'static str, consumer: &impl Consumer, event: &Event) -> Result<(), Fault> {
    match apply(db, source, consumer, std::slice::from_ref(event)).await {
        Err(fault) if !fault.is_transient() => {
            tracing::error!(%fault, source, position = event.position, kind = event.r#type, "an event is parked");
            let write = db.open(&Call::background(db.service(), "park-event")).await?;
            let row = parked_event::ActiveModel {
                source: Set(source.to_owned()),
                position: Set(event.position),
                kind: Set(event.r#type.clone()),
                subject: Set(event.subject.clone()),
                data: Set(event.data.clone()),
                reason: Set(fault.reason().to_owned()),
                parked_at: Set(write.now().micros()),
            };
            parked_event::Entity::insert(row)
                .on_conflict_do_nothing()
                .exec_without_returning(&*write)
                .await?;
            advance(&write, source, event.position).await?;
            write.close().await
        }
        other => other,
    }
}

async fn apply(db: &Database, source: &'static str, consumer: &impl Consumer, events: &[Event]) -> Result<(), Fault> {
    let mut write = db.open(&Call::background(db.service(), "take-events")).await?;
    // The cursor row is the lock: a second replica waits here and then finds the events taken.
    let row = cursor::ActiveModel {
        source: Set(source.to_owned()),
        position: Set(0),
    };
    cursor::Entity::insert(row).on_conflict_do_nothing().exec_without_returning(&*write).await?;
    let at = sea_orm::QuerySelect::lock_exclusive(cursor::Entity::find_by_id(source))
        .one(&*write)
        .await?
        .map_or(0, |c| c.position);
    for event in events.iter().filter(|e| e.position > at) {
        write.subject(&event.id);
        consumer.take(&mut write, event).await?;
    }
    match events.last() {
        Some(last) if last.position > at => {
            advance(&write, source, last.position).await?;
            write.close().await
        }
        _ => Ok(()),
    }
}

async fn advance(write: &Write, source: &str, position: i64) -> Result<(), Fault> {
    cursor::Entity::update_many()
        .col_expr(cursor::Column::Position, position.into())
        .filter(cursor::Column::Source.eq(source))
        .exec(&**write)
        .await?;
    Ok(())
}
