//! The journal of a service: sealed, verified, streamed.

use std::{collections::HashMap, time::Duration};

use contracts::hearth::journal::v1::{
    CompareHistoryRequest, CompareHistoryResponse, Event, ListRecordsRequest, ListRecordsResponse, Orphan, VerifyJournalRequest, VerifyJournalResponse,
    WatchEventsRequest, WatchEventsResponse,
    journal_service_server::{JournalService, JournalServiceServer},
};
use futures::Stream;
use rpc::{Call, Fault, Outflow};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Statement, Value};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    Database, Engine,
    chain::chain,
    conn::Conn,
    entity::{event, journal, seal},
    history,
    point::point,
    record,
};

pub use crate::chain::verify;

/// A column whose values are keys of another table: `("bill.agreement_id", "supply.id")`.
pub type Reference = (&'static str, &'static str);

/// An event without its row would never be told, and stand outside the chain.
const EVENTS: &[Reference] = &[("event.journal_id", "journal.id")];
const BATCH: u64 = 500;
const PAUSE: Duration = Duration::from_millis(10);
/// Other replicas ring no bell here.
const POLL: Duration = Duration::from_millis(500);
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Numbers and chains committed rows, for ever. Any number of replicas may run it: the row of the seal lets one in at a time.
pub async fn seal_forever(db: Database) {
    let mut written = db.written().subscribe();
    loop {
        written.mark_unchanged();
        match seal(&db).await {
            Ok(0) => {
                tokio::select! {
                    _ = written.changed() => {}
                    () = tokio::time::sleep(POLL) => {}
                }
            }
            Ok(_) => {}
            Err(fault) => {
                tracing::warn!(%fault, "the journal could not be sealed; it is tried again");
                tokio::time::sleep(POLL).await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Seals up to 500 rows; says how many.
pub async fn seal(db: &Database) -> Result<u64, Fault> {
    // A look without a lock first: most of the time there is nothing to do.
    if journal::Entity::find().filter(journal::Column::Position.is_null()).count(db.reader()).await? == 0 {
        return Ok(0);
    }
    let tx = db.transaction().await?;
    let head = seal::Entity::find_by_id(1)
        .lock_exclusive()
        .one(&tx)
        .await?
        .ok_or_else(|| Fault::internal("the seal is missing"))?;
    let rows = journal::Entity::find()
        .filter(journal::Column::Position.is_null())
        .order_by_asc(journal::Column::Id)
        .limit(BATCH)
        .all(&tx)
        .await?;
    if rows.is_empty() {
        tx.rollback().await?;
        return Ok(0);
    }
    let mut events: HashMap<Uuid, Vec<event::Model>> = HashMap::new();
    let ids: Vec<_> = rows.iter().map(|r| r.id).collect();
    for found in event::Entity::find()
        .filter(event::Column::JournalId.is_in(ids))
        .order_by_asc(event::Column::Ordinal)
        .all(&tx)
        .await?
    {
        events.entry(found.journal_id).or_default().push(found);
    }
    let mut sequences = last_sequences(&tx, events.values().flatten().map(|e| e.subject.clone()).collect()).await?;

    let (mut position, mut event_position, mut hash) = (head.position, head.event_position, head.hash);
    let (mut sealed_rows, mut sealed_events) = (vec![], vec![]);
    for row in &rows {
        let mut own = events.remove(&row.id).unwrap_or_default();
        for event in &mut own {
            event_position = next(event_position)?;
            let sequence = sequences.entry(event.subject.clone()).or_insert(0);
            *sequence = next(*sequence)?;
            (event.position, event.sequence) = (Some(event_position), Some(*sequence));
            sealed_events.push([Value::from(event.id), event_position.into(), (*sequence).into()]);
        }
        position = next(position)?;
        hash = chain(&hash, position, row, &own);
        sealed_rows.push([Value::from(row.id), position.into(), hash.clone().into()]);
    }
    point("seal.before");
    set(&tx, db.engine(), "journal", ("position", "bigint"), ("hash", "bytea"), sealed_rows).await?;
    set(&tx, db.engine(), "event", ("position", "bigint"), ("sequence", "bigint"), sealed_events).await?;
    point("seal.rows");
    seal::Entity::update_many()
        .col_expr(seal::Column::Position, position.into())
        .col_expr(seal::Column::EventPosition, event_position.into())
        .col_expr(seal::Column::Hash, hash.into())
        .filter(seal::Column::Id.eq(1))
        .exec(&tx)
        .await?;
    point("seal.moved");
    tx.commit().await?;
    point("seal.after");
    db.sealed().send_modify(|n| *n = n.wrapping_add(1));
    Ok(u64::try_from(rows.len()).unwrap_or(BATCH))
}

/// The number after one that was given.
fn next(number: i64) -> Result<i64, Fault> {
    number.checked_add(1).ok_or_else(|| Fault::internal("the numbers of the journal are used up"))
}

async fn last_sequences(tx: &Conn, mut subjects: Vec<String>) -> Result<HashMap<String, i64>, Fault> {
    subjects.sort();
    subjects.dedup();
    let mut last = HashMap::new();
    for chunk in subjects.chunks(500) {
        let found: Vec<(String, Option<i64>)> = event::Entity::find()
            .select_only()
            .column(event::Column::Subject)
            .column_as(event::Column::Sequence.max(), "last")
            .filter(event::Column::Subject.is_in(chunk.iter().map(String::as_str)))
            .filter(event::Column::Sequence.is_not_null())
            .group_by(event::Column::Subject)
            .into_tuple()
            .all(tx)
            .await?;
        last.extend(found.into_iter().filter_map(|(subject, n)| Some((subject, n?))));
    }
    Ok(last)
}

/// Sets two columns of many rows in one statement.
async fn set(tx: &Conn, engine: Engine, table: &str, a: (&str, &str), b: (&str, &str), rows: Vec<[Value; 3]>) -> Result<(), Fault> {
    for chunk in rows.chunks(300) {
        #[expect(clippy::arithmetic_side_effects, reason = "a chunk has at most 300 rows")]
        let list: Vec<_> = (0..chunk.len())
            .map(|i| match engine {
                Engine::Postgres => format!("(${}::uuid, ${}::{}, ${}::{})", i * 3 + 1, i * 3 + 2, a.1, i * 3 + 3, b.1),
                Engine::Sqlite => "(?, ?, ?)".to_owned(),
            })
            .collect();
        let sql = format!(
            "UPDATE {table} SET {} = v.column2, {} = v.column3 FROM (VALUES {}) AS v WHERE {table}.id = v.column1",
            a.0,
            b.0,
            list.join(", ")
        );
        let values = chunk.iter().flatten().cloned();
        tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await?;
    }
    Ok(())
}

/// Rows whose reference leads nowhere. The database refuses some of them by itself; bulk lines and ledger entries stand without foreign
/// keys, and a file may have been changed by other hands.
pub async fn orphans(db: &Database, references: &[Reference]) -> Result<Vec<Orphan>, Fault> {
    let mut found = vec![];
    for (from, to) in references {
        let split = |name: &'static str| {
            name.split_once('.')
                .ok_or_else(|| Fault::internal(format!("{name} names no column of a table")))
        };
        let ((table, column), (other, key)) = (split(from)?, split(to)?);
        // Names of tables and columns are our own literals.
        let sql =
            format!("SELECT count(*) FROM {table} AS a WHERE a.{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {other} AS b WHERE b.{key} = a.{column})");
        let reader = db.reader();
        let row = reader.query_one_raw(Statement::from_string(reader.get_database_backend(), sql)).await?;
        let rows: i64 = row.ok_or_else(|| Fault::internal("a count has no row"))?.try_get_by_index(0)?;
        if rows > 0 {
            found.push(Orphan {
                reference: format!("{from} -> {to}"),
                rows,
            });
        }
    }
    Ok(found)
}

async fn after(db: &Database, position: i64) -> Result<Vec<Event>, Fault> {
    let rows = event::Entity::find()
        .filter(event::Column::Position.gt(position))
        .order_by_asc(event::Column::Position)
        .limit(BATCH)
        .all(db.reader())
        .await?;
    let ids: Vec<_> = rows.iter().map(|r| r.journal_id).collect();
    let traces: Vec<(Uuid, Option<String>)> = journal::Entity::find()
        .select_only()
        .column(journal::Column::Id)
        .column(journal::Column::Traceparent)
        .filter(journal::Column::Id.is_in(ids))
        .into_tuple()
        .all(db.reader())
        .await?;
    let traces: HashMap<_, _> = traces.into_iter().collect();
    let event = |row: event::Model| Event {
        id: row.id.to_string(),
        source: db.service().to_owned(),
        r#type: row.kind,
        subject: row.subject,
        time: Some(rpc::wire::time(calendar::Instant::from_micros(row.occurred_at))),
        position: row.position.unwrap_or_default(),
        sequence: row.sequence.unwrap_or_default(),
        data: row.data,
        traceparent: traces.get(&row.journal_id).cloned().flatten().unwrap_or_default(),
    };
    Ok(rows.into_iter().map(event).collect())
}

fn watch(db: Database, after_position: i64) -> impl Stream<Item = Result<WatchEventsResponse, Fault>> {
    let bell = db.sealed().subscribe();
    let start = (db, bell, after_position, Vec::new().into_iter());
    futures::stream::try_unfold(start, |(db, mut bell, mut position, mut ready)| async move {
        let mut quiet = Duration::ZERO;
        loop {
            if let Some(event) = ready.next() {
                let event: Event = event;
                position = event.position;
                return Ok(Some((WatchEventsResponse { event: Some(event) }, (db, bell, position, ready))));
            }
            bell.mark_unchanged();
            ready = after(&db, position).await?.into_iter();
            if ready.len() > 0 {
                continue;
            }
            if quiet >= HEARTBEAT {
                return Ok(Some((WatchEventsResponse { event: None }, (db, bell, position, ready))));
            }
            tokio::select! {
                _ = bell.changed() => {}
                () = tokio::time::sleep(POLL) => quiet = quiet.saturating_add(POLL),
            }
        }
    })
}

/// The journal over gRPC.
#[derive(Clone)]
pub struct Api {
    db: Database,
    references: &'static [Reference],
}

/// The gRPC service of a database's journal. `references` are verified along with it.
pub fn server(db: Database, references: &'static [Reference]) -> JournalServiceServer<Api> {
    JournalServiceServer::new(Api { db, references })
}

/// The journal belongs to no branch: who is bound to one is told nothing of it.
fn undivided(call: &Call) -> Result<(), Fault> {
    match call.branch() {
        None => Ok(()),
        Some(_) => Err(Fault::denied("METHOD_NOT_ALLOWED", "not allowed")),
    }
}

#[tonic::async_trait]
impl JournalService for Api {
    type WatchEventsStream = Outflow<WatchEventsResponse>;

    async fn watch_events(&self, request: Request<WatchEventsRequest>) -> Result<Response<Self::WatchEventsStream>, Status> {
        rpc::stream(&self.db, request, |db: Database, call: Call, request: WatchEventsRequest| {
            undivided(&call)?;
            Ok(watch(db, request.after_position))
        })
        .await
    }

    async fn verify_journal(&self, request: Request<VerifyJournalRequest>) -> Result<Response<VerifyJournalResponse>, Status> {
        let references = self.references;
        let work = |db: Database, _: Call, _: VerifyJournalRequest| async move {
            let mut answer = verify(&db).await?;
            answer.orphans = orphans(&db, EVENTS).await?;
            answer.orphans.extend(orphans(&db, references).await?);
            Ok(answer)
        };
        rpc::read(&self.db, request, work).await
    }

    async fn compare_history(&self, request: Request<CompareHistoryRequest>) -> Result<Response<CompareHistoryResponse>, Status> {
        rpc::read(&self.db, request, history::compare).await
    }

    async fn list_records(&self, request: Request<ListRecordsRequest>) -> Result<Response<ListRecordsResponse>, Status> {
        let work = |db: Database, call: Call, request: ListRecordsRequest| async move {
            undivided(&call)?;
            record::list(db, call, request).await
        };
        rpc::read(&self.db, request, work).await
    }
}
