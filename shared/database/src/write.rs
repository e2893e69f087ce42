use std::{collections::VecDeque, mem, ops::Deref};

use calendar::Instant;
use hmac::{Hmac, Mac};
use prost::{Message, Name};
use rpc::{Call, Fault, Kind, Wire};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, TryInsertResult};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    Database,
    conn::Conn,
    entity::{event, journal, replay},
    point::point,
    table,
};

/// What comes of the start of a write.
pub enum Begun<R> {
    /// Nobody did this yet.
    Fresh(Write),
    /// It was done before; this is the answer that was given then.
    Replay(R),
}

/// One write in progress: the transaction and what its journal row will say. Dropped without [`commit`](Self::commit) or
/// [`close`](Self::close) it leaves nothing.
pub struct Write {
    tx: Conn,
    db: Database,
    call: Call,
    now: Instant,
    keyed: Box<Hmac<Sha256>>,
    purpose: Option<String>,
    part: Box<Part>,
    /// Of several requests those that are answered, with what is kept of the answer.
    answered: Vec<(Part, Option<Vec<u8>>)>,
    /// Those that are not yet.
    waiting: VecDeque<Part>,
}

/// What a journal row will say: of the one request that a write is for, or of each of several.
#[derive(Default)]
struct Part {
    request_id: Option<String>,
    digest: Vec<u8>,
    subjects: Vec<String>,
    events: Vec<Pending>,
}

struct Pending {
    kind: String,
    subject: String,
    data: Vec<u8>,
}

impl Deref for Write {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.tx
    }
}

impl Database {
    /// Begins the write that a request asks for, or finds the answer that it got before. A racer with the same key waits here
    /// until the first one has ended. A reveal keeps no answer: each one leaves a journal row of its own.
    pub async fn begin<Q: Wire, R: Message + Default>(&self, call: &Call, request: &Q) -> Result<Begun<R>, Fault> {
        let request_id = request.request_id().map(str::to_lowercase);
        match self.begin_as(call, request_id, &request.encode_to_vec()).await? {
            Begun::Fresh(write) => Ok(Begun::Fresh(write)),
            Begun::Replay(answer) => R::decode(answer.as_slice()).map(Begun::Replay).map_err(Fault::internal),
        }
    }

    /// What all requests have in common: compiled once, not once for each RPC.
    async fn begin_as(&self, call: &Call, request_id: Option<String>, request: &[u8]) -> Result<Begun<Vec<u8>>, Fault> {
        let mut write = self.open(call).await?;
        let digest = write.digest_of(request);
        write.part.digest.clone_from(&digest);
        let Some(request_id) = request_id else {
            return Ok(Begun::Fresh(write));
        };
        write.part.request_id = Some(request_id.clone());
        if call.kind() == Kind::Reveal {
            return Ok(Begun::Fresh(write));
        }
        let caller = caller(call);
        let row = replay::ActiveModel {
            caller: Set(caller.clone()),
            request_id: Set(request_id.clone()),
            method: Set(call.method().to_owned()),
            digest: Set(digest.clone()),
            response: Set(vec![]),
            created_at: Set(write.now.micros()),
        };
        point("claim.before");
        let taken = replay::Entity::insert(row).on_conflict_do_nothing().exec_without_returning(&write.tx).await?;
        if matches!(taken, TryInsertResult::Inserted(n) if n > 0) {
            point("claim.after");
            return Ok(Begun::Fresh(write));
        }
        let before = replay::Entity::find_by_id((caller, request_id)).one(&write.tx).await?;
        let before = before.ok_or_else(|| Fault::aborted("CONTENTION", "the same request was withdrawn at this moment; try again"))?;
        if before.digest != digest && before.digest != unkeyed(call, request) {
            return Err(Fault::invalid(
                "request_id",
                "IDEMPOTENCY_KEY_REUSED",
                "the request_id was used for another request",
            ));
        }
        Ok(Begun::Replay(before.response))
    }

    /// Begins one write that several requests ask for, each with an answer and a journal row of its own, in their order. None where one of them has no
    /// request id, or is one that was used before: then each is begun alone.
    pub async fn begin_together<'a, Q: Wire + 'a>(&self, call: &Call, requests: impl Iterator<Item = &'a Q>) -> Result<Option<Write>, Fault> {
        let requests = requests.map(|q| (q.request_id().map(str::to_lowercase), q.encode_to_vec()));
        self.begin_together_as(call, requests.collect()).await
    }

    async fn begin_together_as(&self, call: &Call, requests: Vec<(Option<String>, Vec<u8>)>) -> Result<Option<Write>, Fault> {
        let mut write = self.open(call).await?;
        let parts = requests.into_iter().map(|(request_id, request)| Part {
            request_id,
            digest: write.digest_of(&request),
            ..Part::default()
        });
        let mut parts: VecDeque<Part> = parts.collect();
        let claim = |part: &Part| {
            Some(replay::ActiveModel {
                caller: Set(caller(call)),
                request_id: Set(part.request_id.clone()?),
                method: Set(call.method().to_owned()),
                digest: Set(part.digest.clone()),
                response: Set(vec![]),
                created_at: Set(write.now.micros()),
            })
        };
        let Some(rows) = parts.iter().map(claim).collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        point("claim.before");
        let taken = replay::Entity::insert_many(rows)
            .on_conflict_do_nothing()
            .exec_without_returning(&write.tx)
            .await?;
        let all = u64::try_from(parts.len()).unwrap_or(u64::MAX);
        if !matches!(taken, TryInsertResult::Inserted(n) if n == all) {
            return Ok(None);
        }
        point("claim.after");
        *write.part = parts.pop_front().unwrap_or_default();
        write.waiting = parts;
        Ok(Some(write))
    }

    /// Begins a write that no request asks for: a step of a saga, a chunk of a job, the effect of an event.
    pub async fn open(&self, call: &Call) -> Result<Write, Fault> {
        let keyed = Box::new(self.digest()?);
        let tx = self.transaction().await?;
        let now = self.clock().now();
        let purpose = call.purpose().map(str::to_owned);
        Ok(Write {
            tx,
            db: self.clone(),
            call: call.clone(),
            now,
            keyed,
            purpose,
            part: Box::default(),
            answered: vec![],
            waiting: VecDeque::new(),
        })
    }
}

/// The digest of a request that was answered before digests had a key; it may be repeated all the same.
fn unkeyed(call: &Call, request: &[u8]) -> Vec<u8> {
    let digest = Sha256::new().chain_update(call.method()).chain_update([0]).chain_update(request);
    digest.finalize().to_vec()
}

/// Keys are private to the caller: another one may use the same id.
fn caller(call: &Call) -> String {
    match &call.principal().service {
        Some(service) => format!("{service}/{}", call.subject()),
        None => call.subject().to_owned(),
    }
}

impl Write {
    /// The time of this write by the clock of the rules.
    pub fn now(&self) -> Instant {
        self.now
    }
    pub fn call(&self) -> &Call {
        &self.call
    }
    /// Names what the write is about, for the audit trail: an id, never personal data.
    pub fn subject(&mut self, id: impl std::fmt::Display) {
        self.part.subjects.push(id.to_string());
    }
    /// Says why personal data is asked for, where the request carries it.
    pub fn purpose(&mut self, text: &str) {
        self.purpose = Some(text.to_owned());
    }
    /// Adds the digest of bulk work to the journal row.
    pub fn digest(&mut self, bytes: &[u8]) {
        let digest = Hmac::clone(&self.keyed).chain_update(&self.part.digest).chain_update(bytes);
        self.part.digest = digest.finalize().into_bytes().to_vec();
    }
    fn digest_of(&self, request: &[u8]) -> Vec<u8> {
        let digest = Hmac::clone(&self.keyed).chain_update(self.call.method()).chain_update([0]);
        digest.chain_update(request).finalize().into_bytes().to_vec()
    }
    /// Tells the other services a fact about an aggregate. It is sent when the write is committed.
    pub fn event<M: Message + Name>(&mut self, aggregate: impl std::fmt::Display, payload: &M) {
        self.part.events.push(Pending {
            kind: M::full_name(),
            subject: aggregate.to_string(),
            data: payload.encode_to_vec(),
        });
    }

    /// Keeps the answer for replays, writes the journal row and its events, commits. What is kept is masked, as the answer will be.
    pub async fn commit<R: Wire + Clone>(mut self, answer: R) -> Result<R, Fault> {
        self.answer(&answer);
        self.finish().await?;
        Ok(answer)
    }

    /// Answers one of several requests; what comes from here on is of the next one.
    pub fn answer<R: Wire + Clone>(&mut self, answer: &R) {
        let kept = (self.call.kind() != Kind::Reveal).then(|| guard::masked(answer.clone()).encode_to_vec());
        self.end(kept);
    }

    fn end(&mut self, kept: Option<Vec<u8>>) {
        let next = self.waiting.pop_front().unwrap_or_default();
        self.answered.push((mem::replace(&mut *self.part, next), kept));
    }

    /// Commits without a journal row: for progress that is no business fact.
    pub(crate) async fn close_quietly(self) -> Result<(), Fault> {
        self.tx.commit().await?;
        self.db.written().send_modify(|n| *n = n.wrapping_add(1));
        Ok(())
    }

    /// Writes the journal row and the events, commits.
    pub async fn close(mut self) -> Result<(), Fault> {
        self.end(None);
        self.finish().await
    }

    /// Keeps the answers of several requests, writes their journal rows and events, commits.
    pub async fn finish(self) -> Result<(), Fault> {
        let caller = caller(&self.call);
        let (mut rows, mut events) = (vec![], vec![]);
        for (part, kept) in self.answered {
            if let (Some(request_id), Some(kept)) = (&part.request_id, kept) {
                point("answer.before");
                replay::Entity::update_many()
                    .col_expr(replay::Column::Response, kept.into())
                    .filter(replay::Column::Caller.eq(&caller))
                    .filter(replay::Column::RequestId.eq(request_id))
                    .exec(&self.tx)
                    .await?;
                point("answer.after");
            }
            let id = Uuid::now_v7();
            rows.push(journal::Model {
                id,
                written_at: self.now.micros(),
                actor: self.call.subject().to_owned(),
                service: self.call.principal().service.clone(),
                method: self.call.method().to_owned(),
                request_id: part.request_id,
                purpose: self.purpose.clone(),
                subjects: part.subjects.join(" "),
                digest: part.digest,
                traceparent: self.call.traceparent().map(str::to_owned),
                position: None,
                hash: None,
            });
            events.extend((0..).zip(part.events).map(|(ordinal, pending)| event::Model {
                id: Uuid::now_v7(),
                journal_id: id,
                ordinal,
                kind: pending.kind,
                subject: pending.subject,
                occurred_at: self.now.micros(),
                data: pending.data,
                position: None,
                sequence: None,
            }));
        }
        point("journal.before");
        table::insert_all::<journal::Entity>(&self.tx, rows).await?;
        point("journal.after");
        table::insert_all::<event::Entity>(&self.tx, events).await?;
        point("commit.before");
        self.tx.commit().await?;
        point("commit.after");
        self.db.written().send_modify(|n| *n = n.wrapping_add(1));
        Ok(())
    }
}
