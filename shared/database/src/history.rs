//! What others keep of a journal, and what this service keeps of theirs. A chain shows a change of one row; a tail that was cut off, a chain that was
//! made anew or a database that was restored from an older copy shows only against a place that was kept outside.

use std::time::Duration;

use contracts::hearth::journal::v1::{Anchor, CompareHistoryRequest, CompareHistoryResponse, Witness, journal_service_client::JournalServiceClient};
use rpc::{Call, Fault, Peer};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tonic::{Code, Request};

use crate::{
    Database,
    entity::{anchor, cursor, event, journal, seal},
};

/// Places that are told of one source.
const TOLD: u64 = 1000;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Compares what was kept of this journal with what it holds.
pub(crate) async fn compare(db: Database, _: Call, request: CompareHistoryRequest) -> Result<CompareHistoryResponse, Fault> {
    let reader = db.reader();
    let mut missed = vec![];
    for kept in request.anchors {
        let row = journal::Entity::find().filter(journal::Column::Position.eq(kept.position)).one(reader).await?;
        if row.and_then(|row| row.hash).is_none_or(|hash| hex::encode(&hash) != kept.hash) {
            missed.push(kept);
        }
    }
    let event_missed = request.event_position > 0 && {
        let row = event::Entity::find()
            .filter(event::Column::Position.eq(request.event_position))
            .one(reader)
            .await?;
        row.is_none_or(|row| !request.event_id.is_empty() && row.id.to_string() != request.event_id)
    };
    let head = seal::Entity::find_by_id(1)
        .one(reader)
        .await?
        .ok_or_else(|| Fault::internal("the seal is missing"))?;
    let head = (head.position > 0).then(|| Anchor {
        position: head.position,
        hash: hex::encode(&head.hash),
    });
    Ok(CompareHistoryResponse { head, missed, event_missed })
}

/// Asks a peer whether its journal still holds what was kept of it, and keeps where it stands now.
///
/// # Errors
/// HISTORY_DIFFERS where it does not: nothing may be taken from it before a person has looked.
pub(crate) async fn ask(db: &Database, peer: &Peer) -> Result<(), Fault> {
    let newest = anchor::Entity::find()
        .filter(anchor::Column::Source.eq(peer.name()))
        .order_by_desc(anchor::Column::Position)
        .one(db.reader())
        .await?;
    let taken = cursor::Entity::find_by_id(peer.name()).one(db.reader()).await?;
    let request = CompareHistoryRequest {
        anchors: newest.iter().map(told).collect(),
        event_position: taken.as_ref().map_or(0, |c| c.position),
        event_id: taken.and_then(|c| c.event_id).unwrap_or_default(),
    };
    let mut request = Request::new(request);
    request.set_timeout(PATIENCE);
    let answer = match JournalServiceClient::new(peer.channel()).compare_history(request).await {
        Ok(answer) => answer.into_inner(),
        // One of an older version keeps nothing to compare with.
        Err(status) if status.code() == Code::Unimplemented => return Ok(()),
        Err(status) => return Err(peer.fault(status)),
    };
    if answer.event_missed || !answer.missed.is_empty() {
        return Err(Fault::precondition(
            "HISTORY_DIFFERS",
            "the journal of the peer does not hold what was kept of it: it was restored from an older copy, cut or changed",
        )
        .meta("dependency", peer.name()));
    }
    if let Some(head) = answer.head.filter(|head| newest.is_none_or(|kept| kept.position < head.position)) {
        let row = anchor::ActiveModel {
            source: Set(peer.name().to_owned()),
            position: Set(head.position),
            hash: Set(head.hash),
            kept_at: Set(calendar::Clock::real().now().micros()),
        };
        anchor::Entity::insert(row).on_conflict_do_nothing().exec_without_returning(db.writer()).await?;
    }
    Ok(())
}

/// What this service kept of those that it follows.
pub(crate) async fn witnesses(db: &Database, cursors: &[cursor::Model]) -> Result<Vec<Witness>, Fault> {
    let mut all = vec![];
    for cursor in cursors {
        let mut anchors = anchor::Entity::find()
            .filter(anchor::Column::Source.eq(&cursor.source))
            .order_by_desc(anchor::Column::Position)
            .limit(TOLD)
            .all(db.reader())
            .await?;
        anchors.reverse();
        all.push(Witness {
            source: cursor.source.clone(),
            anchors: anchors.iter().map(told).collect(),
            event_position: cursor.position,
            event_id: cursor.event_id.clone().unwrap_or_default(),
        });
    }
    Ok(all)
}

fn told(row: &anchor::Model) -> Anchor {
    Anchor {
        position: row.position,
        hash: row.hash.clone(),
    }
}
