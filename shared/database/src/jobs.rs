//! Work that outlives a call: claimed by a lease, done in chunks that commit by themselves, resumed after a crash.

use std::{sync::Arc, thread::available_parallelism, time::Duration};

use contracts::hearth::job::v1::{
    CancelJobRequest, CancelJobResponse, GetJobRequest, GetJobResponse, Job as Message, WatchJobRequest, WatchJobResponse, job,
    job_service_server::{JobService, JobServiceServer},
};
use futures::Stream;
use rpc::{Call, Fault, Outflow};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use tokio::task::JoinSet;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    Begun, Conn, Database, Engine, Write,
    entity::{job as row, lease},
    point::point,
};

const LEASE: i64 = 10_000_000;
const POLL: Duration = Duration::from_millis(500);
/// A step that fails this often in a row ends its job.
const TRIES: i32 = 5;
/// Workers of a process at one shared job on PostgreSQL, at most: more than the machine has cores would only wait for each other. SQLite has one writer.
const HANDS: usize = 4;

/// A job as its worker sees it.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: Uuid,
    /// What was asked for, as the starter encoded it.
    pub request: Vec<u8>,
    pub requested_by: String,
    pub done: i64,
    pub total: i64,
}

/// What a step achieved.
#[derive(Clone, Debug)]
pub enum Step {
    /// There is more to do.
    More { done: i64, total: i64 },
    /// Others are at work on all that is left of a shared job.
    Taken,
    /// The job has ended; the note is for people.
    Done { done: i64, total: i64, note: String },
}

/// Work of one kind.
#[tonic::async_trait]
pub trait Work: Send + Sync + 'static {
    fn kind(&self) -> &'static str;
    /// Whether many may do steps of one job at once, here and in other replicas: then each step takes a part for itself, by a lock that ends with
    /// its transaction. Else a job has one worker at a time, by a lease.
    fn is_shared(&self) -> bool {
        false
    }
    /// Does the next chunk and commits it. What is left is found in the database, so that a step may be repeated by anybody.
    async fn step(&self, job: &Job) -> Result<Step, Fault>;
}

/// Starts a job inside a write; a worker takes it up once the write is committed.
pub async fn start(write: &Write, kind: &str, request: &[u8]) -> Result<Uuid, Fault> {
    let id = Uuid::now_v7();
    let now = write.now().micros();
    let row = row::ActiveModel {
        id: Set(id),
        kind: Set(kind.to_owned()),
        state: Set("QUEUED".to_owned()),
        request: Set(request.to_vec()),
        done: Set(0),
        total: Set(0),
        note: Set(String::new()),
        requested_by: Set(write.call().subject().to_owned()),
        created_at: Set(now),
        updated_at: Set(now),
        failures: Set(0),
    };
    row::Entity::insert(row).exec_without_returning(&**write).await?;
    Ok(id)
}

/// Works on the jobs of the given kinds, for ever. Several replicas may run it: each job has one worker at a time, a shared one as many as it has parts.
pub async fn work_forever(db: Database, kinds: Vec<Arc<dyn Work>>) {
    let holder = Uuid::now_v7().to_string();
    let mut written = db.written().subscribe();
    loop {
        written.mark_unchanged();
        let names: Vec<_> = kinds.iter().map(|k| k.kind()).collect();
        let waiting = row::Entity::find()
            .filter(row::Column::State.is_in(["QUEUED", "RUNNING"]))
            .filter(row::Column::Kind.is_in(names))
            .order_by_asc(row::Column::Id)
            .all(db.reader())
            .await
            .unwrap_or_default();
        let mut worked = false;
        for job in waiting {
            let Some(kind) = kinds.iter().find(|k| k.kind() == job.kind) else { continue };
            let done = match kind.is_shared() {
                true => share(&db, kind, job.id).await,
                false => advance(&db, kind.as_ref(), job.id, Some(&holder)).await,
            };
            match done {
                Ok(did) => worked |= did,
                Err(fault) => tracing::warn!(%fault, "a job could not be moved; it is tried again"),
            }
        }
        if !worked {
            tokio::select! {
                _ = written.changed() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }
}

/// Sets all hands of this process to a shared job, until each found nothing more to take.
async fn share(db: &Database, kind: &Arc<dyn Work>, id: Uuid) -> Result<bool, Fault> {
    let hands = match db.engine() {
        Engine::Sqlite => 1,
        Engine::Postgres => available_parallelism().map_or(1, usize::from).min(HANDS),
    };
    let mut at_work = JoinSet::new();
    for _ in 0..hands {
        let (db, kind) = (db.clone(), kind.clone());
        at_work.spawn(async move { advance(&db, kind.as_ref(), id, None).await });
    }
    let mut worked = false;
    while let Some(done) = at_work.join_next().await {
        worked |= done.map_err(Fault::internal)??;
    }
    Ok(worked)
}

/// Does steps of a job while there are some; says whether any was done. Where a holder is named, as long as it has the lease.
async fn advance(db: &Database, kind: &dyn Work, id: Uuid, holder: Option<&str>) -> Result<bool, Fault> {
    let lease = format!("job/{id}");
    let mut worked = false;
    loop {
        if let Some(holder) = holder
            && !hold(db, &lease, holder).await?
        {
            return Ok(worked);
        }
        let Some(now) = row::Entity::find_by_id(id)
            .one(db.reader())
            .await?
            .filter(|j| matches!(j.state.as_str(), "QUEUED" | "RUNNING"))
        else {
            return Ok(true);
        };
        let job = Job {
            id,
            request: now.request.clone(),
            requested_by: now.requested_by.clone(),
            done: now.done,
            total: now.total,
        };
        point("chunk.before");
        let (state, reached, note, failures) = match kind.step(&job).await {
            Ok(Step::More { done, total }) => ("RUNNING", Some((done, total)), String::new(), 0),
            Ok(Step::Taken) => return Ok(worked),
            Ok(Step::Done { done, total, note }) => ("SUCCEEDED", Some((done, total)), note, 0),
            Err(fault) => {
                tracing::warn!(%fault, %id, "a step of a job failed");
                let failures = now.failures.saturating_add(1);
                let state = if failures >= TRIES && !fault.is_transient() { "FAILED" } else { "RUNNING" };
                (state, None, format!("{}: {}", fault.reason(), fault.message()), failures)
            }
        };
        point("chunk.after");
        let write = db.open(&Call::background(db.service(), "job")).await?;
        write_progress(&write, id, state, reached, note, failures).await?;
        write.close_quietly().await?;
        point("progress.after");
        if failures > 0 {
            return Ok(false);
        }
        worked = true;
        if state != "RUNNING" {
            return Ok(true);
        }
    }
}

/// What is reached only grows: of two workers the slower one may come later with less.
async fn write_progress(write: &Write, id: Uuid, state: &str, reached: Option<(i64, i64)>, note: String, failures: i32) -> Result<(), Fault> {
    let mut update = row::Entity::update_many()
        .col_expr(row::Column::State, state.into())
        .col_expr(row::Column::Note, note.into())
        .col_expr(row::Column::Failures, failures.into())
        .col_expr(row::Column::UpdatedAt, write.now().micros().into())
        .filter(row::Column::Id.eq(id))
        .filter(row::Column::State.is_in(["QUEUED", "RUNNING"]));
    if let Some((done, total)) = reached {
        update = update.col_expr(row::Column::Done, done.into()).col_expr(row::Column::Total, total.into());
        if state == "RUNNING" {
            update = update.filter(row::Column::Done.lte(done));
        }
    }
    update.exec(&**write).await?;
    Ok(())
}

/// Takes or renews a lease of ten seconds by the wall clock; says whether the holder has it now.
pub async fn hold(db: &Database, name: &str, holder: &str) -> Result<bool, Fault> {
    let now = calendar::Clock::real().now().micros();
    let until = now.saturating_add(LEASE);
    let tx = db.transaction().await?;
    let row = lease::ActiveModel {
        name: Set(name.to_owned()),
        holder: Set(holder.to_owned()),
        until: Set(until),
    };
    lease::Entity::insert(row).on_conflict_do_nothing().exec_without_returning(&tx).await?;
    let taken = lease::Entity::update_many()
        .col_expr(lease::Column::Holder, holder.into())
        .col_expr(lease::Column::Until, until.into())
        .filter(lease::Column::Name.eq(name))
        .filter(Condition::any().add(lease::Column::Holder.eq(holder)).add(lease::Column::Until.lt(now)))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    Ok(taken.rows_affected == 1)
}

/// Whether somebody has cancelled a job.
pub async fn is_cancelled(conn: &Conn, id: Uuid) -> Result<bool, Fault> {
    let row = row::Entity::find_by_id(id).one(conn).await?;
    Ok(row.is_some_and(|row| row.state == "CANCELLED"))
}

/// A job has no branch: who is bound to one finds the jobs that he asked for.
fn of(call: &Call, id: Uuid) -> Select<row::Entity> {
    let select = row::Entity::find_by_id(id);
    match call.branch() {
        None => select,
        Some(_) => select.filter(row::Column::RequestedBy.eq(call.subject())),
    }
}

async fn get(db: &Database, call: &Call, id: &str) -> Result<Message, Fault> {
    let key: Uuid = rpc::wire::id_of("job_id", id)?;
    let row = of(call, key).one(db.reader()).await?.ok_or_else(|| Fault::not_found("job", id))?;
    Ok(message(row))
}

fn message(row: row::Model) -> Message {
    let state = match row.state.as_str() {
        "QUEUED" => job::State::Queued,
        "RUNNING" => job::State::Running,
        "SUCCEEDED" => job::State::Succeeded,
        "FAILED" => job::State::Failed,
        "CANCELLED" => job::State::Cancelled,
        _ => job::State::Unspecified,
    };
    let time = |micros| Some(rpc::wire::time(calendar::Instant::from_micros(micros)));
    Message {
        job_id: row.id.to_string(),
        kind: row.kind,
        state: state.into(),
        done: row.done,
        total: row.total,
        note: row.note,
        create_time: time(row.created_at),
        update_time: time(row.updated_at),
    }
}

fn watch(db: Database, call: Call, id: String) -> impl Stream<Item = Result<WatchJobResponse, Fault>> {
    futures::stream::try_unfold((db, call, id, None::<Message>), |(db, call, id, seen)| async move {
        if seen.as_ref().is_some_and(|j| !matches!(j.state(), job::State::Queued | job::State::Running)) {
            return Ok(None);
        }
        let mut bell = db.written().subscribe();
        loop {
            bell.mark_unchanged();
            let now = get(&db, &call, &id).await?;
            if seen.as_ref() != Some(&now) {
                return Ok(Some((WatchJobResponse { job: Some(now.clone()) }, (db, call, id, Some(now)))));
            }
            tokio::select! {
                _ = bell.changed() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    })
}

async fn cancel(db: Database, call: Call, request: CancelJobRequest) -> Result<CancelJobResponse, Fault> {
    let mut write = match db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let key: Uuid = rpc::wire::id_of("job_id", &request.job_id)?;
    let mut row = of(&call, key)
        .lock_exclusive()
        .one(&*write)
        .await?
        .ok_or_else(|| Fault::not_found("job", &request.job_id))?;
    if !matches!(row.state.as_str(), "QUEUED" | "RUNNING" | "FAILED") {
        return Err(Fault::precondition("JOB_ENDED", "the job has ended already"));
    }
    row.state = "CANCELLED".to_owned();
    row.updated_at = write.now().micros();
    row::Entity::update_many()
        .col_expr(row::Column::State, row.state.clone().into())
        .col_expr(row::Column::UpdatedAt, row.updated_at.into())
        .filter(row::Column::Id.eq(key))
        .exec(&*write)
        .await?;
    write.subject(key);
    write.commit(CancelJobResponse { job: Some(message(row)) }).await
}

/// Jobs over gRPC.
#[derive(Clone)]
pub struct Api(Database);

/// The gRPC service of a database's jobs.
pub fn server(db: Database) -> JobServiceServer<Api> {
    JobServiceServer::new(Api(db))
}

#[tonic::async_trait]
impl JobService for Api {
    async fn get_job(&self, request: Request<GetJobRequest>) -> Result<Response<GetJobResponse>, Status> {
        rpc::read(&self.0, request, |db: Database, call: Call, request: GetJobRequest| async move {
            Ok(GetJobResponse {
                job: Some(get(&db, &call, &request.job_id).await?),
            })
        })
        .await
    }

    type WatchJobStream = Outflow<WatchJobResponse>;

    async fn watch_job(&self, request: Request<WatchJobRequest>) -> Result<Response<Self::WatchJobStream>, Status> {
        rpc::stream(&self.0, request, |db: Database, call: Call, request: WatchJobRequest| {
            Ok(watch(db, call, request.job_id))
        })
        .await
    }

    async fn cancel_job(&self, request: Request<CancelJobRequest>) -> Result<Response<CancelJobResponse>, Status> {
        rpc::write(&self.0, request, cancel).await
    }
}
