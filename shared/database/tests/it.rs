//! The machinery on both engines: one transaction per write, replay, sealing, streaming, numbers, leases, jobs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use boot::{Parts, Service};
use contracts::hearth::{
    job::v1::{CancelJobRequest, CancelJobResponse, GetJobRequest, WatchJobRequest, job, job_service_client::JobServiceClient},
    journal::v1::{Cursor, ListRecordsRequest, Record, WatchEventsRequest, journal_service_client::JournalServiceClient},
    options::v1::Role,
};
use database::{Begun, Database, Scope, Target, jobs, journal, numbers};
use prost::Message;
use rpc::{Call, Fault, Kind, Principal};
use sea_orm::{ConnectionTrait, DbBackend, QueryTrait, Statement};
use sha2::{Digest, Sha256};
use testbed::{Bed, eventually, key};

const NOTES: &str = "-- both\nCREATE TABLE note (id bigint NOT NULL PRIMARY KEY, text text NOT NULL, CONSTRAINT note_text_unique UNIQUE (text))";
const NOTED: Service = Service {
    name: "vendor",
    port: 7704,
    migrations: &[NOTES],
    build: |_| Box::pin(async { Ok(Parts::new().job(Counting)) }),
    references: &[],
};

fn call(subject: &str) -> Call {
    Call::new(
        "hearth.job.v1.JobService/CancelJob",
        Kind::Write,
        Principal {
            subject: subject.to_owned(),
            ..Principal::default()
        },
    )
}

fn request(job_id: &str) -> CancelJobRequest {
    CancelJobRequest {
        request_id: key(),
        job_id: job_id.to_owned(),
    }
}

async fn count(db: &Database, sql: &str) -> i64 {
    let row = db
        .reader()
        .query_one_raw(Statement::from_string(db.reader().get_database_backend(), sql))
        .await
        .unwrap()
        .unwrap();
    row.try_get_by_index(0).unwrap()
}

/// Writes a note and tells of it; the event's payload is any message with a name.
async fn note(db: &Database, call: &Call, request: &CancelJobRequest, text: &str) -> Result<CancelJobResponse, Fault> {
    let mut write = match db.begin(call, request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let number = numbers::next(&write, "N", "", 2025, 1).await?;
    write
        .execute_unprepared(&format!("INSERT INTO note (id, text) VALUES ({number}, '{text}')"))
        .await?;
    write.subject(number);
    write.event(
        "notes",
        &Cursor {
            source: text.to_owned(),
            position: number,
            parked: 0,
        },
    );
    let job = contracts::hearth::job::v1::Job {
        note: text.to_owned(),
        done: number,
        ..Default::default()
    };
    write.commit(CancelJobResponse { job: Some(job) }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_write_happens_once_and_gets_the_same_answer() {
    testbed::each(NOTED, async |bed| {
        let (db, who) = (bed.db(), call("li"));
        let asked = request("a");
        let first = note(&db, &who, &asked, "one").await.unwrap();
        assert_eq!(note(&db, &who, &asked, "one").await.unwrap(), first);
        let other = CancelJobRequest {
            job_id: "b".to_owned(),
            ..asked.clone()
        };
        assert_eq!(note(&db, &who, &other, "one").await.unwrap_err().reason(), "IDEMPOTENCY_KEY_REUSED");
        // Keys are private to their caller, and case does not matter.
        assert_ne!(note(&db, &call("wang"), &asked, "two").await.unwrap(), first);
        let upper = CancelJobRequest {
            request_id: asked.request_id.to_uppercase(),
            ..asked.clone()
        };
        assert_eq!(note(&db, &who, &upper, "three").await.unwrap_err().reason(), "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(count(&db, "SELECT count(*) FROM note").await, 2);
    })
    .await;
}

/// Who holds the database alone can test no guess of a request; a request that was answered before digests had a key is known again, and so is every
/// one after a restart.
#[tokio::test(flavor = "multi_thread")]
async fn r_p1_digests_of_requests_have_a_key_and_those_without_still_compare() {
    testbed::each(NOTED, async |bed| {
        let (db, who, asked) = (bed.db(), call("li"), request("a"));
        let first = note(&db, &who, &asked, "one").await.unwrap();
        let plain = Sha256::new().chain_update(who.method()).chain_update([0]).chain_update(asked.encode_to_vec());
        let plain = plain.finalize().to_vec();
        for table in ["journal", "replay"] {
            let row = db
                .reader()
                .query_one_raw(Statement::from_string(
                    db.reader().get_database_backend(),
                    format!("SELECT digest FROM {table}"),
                ))
                .await
                .unwrap()
                .unwrap();
            let kept: Vec<u8> = row.try_get_by_index(0).unwrap();
            assert_eq!(kept.len(), 32, "{table}");
            assert_ne!(kept, plain, "{table}");
        }
        let other = CancelJobRequest {
            job_id: "b".to_owned(),
            ..asked.clone()
        };
        bed.crash().await;
        bed.start().await;
        assert_eq!(
            note(&bed.db(), &who, &asked, "one").await.unwrap(),
            first,
            "the key is the same after a restart"
        );
        let literal = match db.engine() {
            database::Engine::Sqlite => format!("X'{}'", hex::encode(&plain)),
            database::Engine::Postgres => format!("'\\x{}'", hex::encode(&plain)),
        };
        let db = bed.db();
        db.writer().execute_unprepared(&format!("UPDATE replay SET digest = {literal}")).await.unwrap();
        assert_eq!(note(&db, &who, &asked, "one").await.unwrap(), first, "of a row from before");
        assert_eq!(note(&db, &who, &other, "one").await.unwrap_err().reason(), "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(count(&db, "SELECT count(*) FROM note").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twins_have_one_effect() {
    testbed::each(NOTED, async |bed| {
        let db = bed.db();
        for round in 0..10 {
            let asked = Arc::new(request("twin"));
            let twins = (0..16).map(|_| {
                let (db, asked) = (db.clone(), asked.clone());
                tokio::spawn(async move { note(&db, &call("li"), &asked, &format!("round {round}")).await.unwrap() })
            });
            let answers: Vec<_> = futures::future::join_all(twins).await.into_iter().map(Result::unwrap).collect();
            assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
        }
        assert_eq!(count(&db, "SELECT count(*) FROM note").await, 10);
        // Numbers without gaps, although the losers asked for some.
        assert_eq!(count(&db, "SELECT max(id) FROM note").await, 10);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_leaves_nothing() {
    testbed::each(NOTED, async |bed| {
        let db = bed.db();
        note(&db, &call("li"), &request("a"), "same").await.unwrap();
        let asked = request("b");
        let fault = note(&db, &call("li"), &asked, "same").await.unwrap_err();
        assert_eq!((fault.code(), fault.reason()), (rpc::Code::AlreadyExists, "NOTE_TEXT_UNIQUE"));
        // Neither the key nor the number is used up.
        let answer = note(&db, &call("li"), &asked, "other").await.unwrap();
        assert_eq!(answer.job.unwrap().done, 2);
        assert_eq!(count(&db, "SELECT count(*) FROM journal").await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_rows_have_positions_without_gaps_whoever_seals() {
    testbed::each(NOTED, async |bed| {
        let db = bed.db();
        let writers = (0..8).map(|writer| {
            let db = db.clone();
            tokio::spawn(async move {
                for n in 0..25 {
                    note(&db, &call(&format!("writer {writer}")), &request("x"), &format!("{writer}/{n}"))
                        .await
                        .unwrap();
                }
            })
        });
        // The service's own sealer and two more.
        let sealers = (0..2).map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    journal::seal(&db).await.unwrap();
                }
            })
        });
        let (writers, sealers): (Vec<_>, Vec<_>) = (writers.collect(), sealers.collect());
        futures::future::try_join_all(writers.into_iter().chain(sealers)).await.unwrap();
        let state = eventually("sealing", async || Some(journal::verify(&db).await.unwrap()).filter(|s| s.unsealed_rows == 0)).await;
        assert!(state.intact, "{state:?}");
        assert_eq!((state.sealed_rows, state.events), (200, 200));
        assert_eq!(count(&db, "SELECT count(DISTINCT sequence) FROM event WHERE subject = 'notes'").await, 200);
        assert_eq!(count(&db, "SELECT max(sequence) FROM event").await, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tampering_is_refused_and_where_it_was_forced_found() {
    testbed::each(NOTED, async |bed| {
        let db = bed.db();
        for n in 0..5 {
            note(&db, &call("li"), &request("x"), &format!("{n}")).await.unwrap();
        }
        eventually("sealing", async || {
            Some(journal::verify(&db).await.unwrap()).filter(|s| s.unsealed_rows == 0 && s.sealed_rows == 5)
        })
        .await;
        for sql in [
            "UPDATE journal SET actor = 'nobody' WHERE position = 3",
            "DELETE FROM journal WHERE position = 3",
            "DELETE FROM event WHERE position = 3",
        ] {
            let fault = Fault::from(db.writer().execute_unprepared(sql).await.unwrap_err());
            assert!(fault.reason().ends_with("_IS_APPEND_ONLY"), "{sql}: {fault}");
        }
        let disarm = match db.engine() {
            database::Engine::Sqlite => ["DROP TRIGGER journal_no_update", "DROP TRIGGER event_no_update"],
            database::Engine::Postgres => ["DROP TRIGGER journal_no_update ON journal", "DROP TRIGGER event_no_update ON event"],
        };
        for sql in disarm {
            db.writer().execute_unprepared(sql).await.unwrap();
        }
        db.writer()
            .execute_unprepared("UPDATE event SET subject = 'forged' WHERE position = 4")
            .await
            .unwrap();
        let state = journal::verify(&db).await.unwrap();
        assert_eq!((state.intact, state.broken_position), (false, 4));
        db.writer()
            .execute_unprepared("UPDATE journal SET actor = 'nobody' WHERE position = 2")
            .await
            .unwrap();
        assert_eq!(journal::verify(&db).await.unwrap().broken_position, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_commit_is_streamed_after_an_early_one() {
    testbed::each_of(NOTED, &[database::Engine::Postgres], async |bed| {
        let db = bed.db();
        // The first write is begun, its journal row made, and not committed while a second one overtakes it.
        let slow = db.open(&call("slow")).await.unwrap();
        slow.execute_unprepared("INSERT INTO note (id, text) VALUES (1000, 'slow')").await.unwrap();
        note(&db, &call("fast"), &request("x"), "fast").await.unwrap();
        let mut stream = watch(bed, 0).await;
        assert_eq!(next(&mut stream).await, (1, "fast".to_owned()));
        let mut slow = slow;
        slow.event(
            "notes",
            &Cursor {
                source: "slow".to_owned(),
                ..Default::default()
            },
        );
        slow.close().await.unwrap();
        assert_eq!(next(&mut stream).await, (2, "slow".to_owned()));
        // A reader that comes back starts after what it has.
        let mut again = watch(bed, 1).await;
        assert_eq!(next(&mut again).await, (2, "slow".to_owned()));
    })
    .await;
}

type Events = tonic::Streaming<contracts::hearth::journal::v1::WatchEventsResponse>;

async fn watch(bed: &Bed, after_position: i64) -> Events {
    JournalServiceClient::new(bed.peer("hall"))
        .watch_events(WatchEventsRequest { after_position })
        .await
        .unwrap()
        .into_inner()
}

async fn next(stream: &mut Events) -> (i64, String) {
    let event = stream.message().await.unwrap().unwrap().event.unwrap();
    (event.position, Cursor::decode(event.data.as_slice()).unwrap().source)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_for_services_and_auditors_only() {
    testbed::each(NOTED, async |bed| {
        let mut cashier = JournalServiceClient::new(bed.staff(&[Role::Cashier]));
        let status = cashier.watch_events(WatchEventsRequest { after_position: 0 }).await.unwrap_err();
        assert_eq!(
            (status.code(), testbed::reason(&status).as_str()),
            (tonic::Code::PermissionDenied, "METHOD_NOT_ALLOWED")
        );
        // Nor for one branch: the journal belongs to all of them.
        let mut of_branch = JournalServiceClient::new(bed.staff_of("河西区", &[Role::Auditor]));
        let status = of_branch.watch_events(WatchEventsRequest { after_position: 0 }).await.unwrap_err();
        assert_eq!(testbed::reason(&status), "METHOD_NOT_ALLOWED");
        note(&bed.db(), &call("li"), &request("x"), "seen").await.unwrap();
        let mut auditor = JournalServiceClient::new(bed.staff(&[Role::Auditor]));
        let mut stream = auditor.watch_events(WatchEventsRequest { after_position: 0 }).await.unwrap().into_inner();
        assert_eq!(next(&mut stream).await.1, "seen");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_has_one_holder() {
    testbed::each(NOTED, async |bed| {
        let db = bed.db();
        let racers = (0..20).map(|n| {
            let db = db.clone();
            tokio::spawn(async move { jobs::hold(&db, "lamp", &format!("holder {n}")).await.unwrap() })
        });
        let won = futures::future::join_all(racers).await.into_iter().filter(|r| *r.as_ref().unwrap()).count();
        assert_eq!(won, 1);
    })
    .await;
}

/// Counts to five, a step a note; the third try of step three fails once.
struct Counting;
static FAILED: AtomicI64 = AtomicI64::new(0);

#[tonic::async_trait]
impl jobs::Work for Counting {
    fn kind(&self) -> &'static str {
        "counting"
    }
    async fn step(&self, job: &jobs::Job) -> Result<jobs::Step, Fault> {
        if job.done == 3 && FAILED.fetch_add(1, Ordering::SeqCst) % 2 == 0 {
            return Err(Fault::unavailable("STORAGE_UNAVAILABLE", "for once"));
        }
        let done = job.done + 1;
        Ok(if done < 5 {
            jobs::Step::More { done, total: 5 }
        } else {
            jobs::Step::Done {
                done,
                total: 5,
                note: "counted".to_owned(),
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_to_its_end_and_is_watched() {
    testbed::each(NOTED, async |bed| {
        let db = bed.db();
        let write = db.open(&call("li")).await.unwrap();
        let id = jobs::start(&write, "counting", b"").await.unwrap().to_string();
        write.close().await.unwrap();
        let mut manager = JobServiceClient::new(bed.staff(&[Role::ServiceManager]));
        let mut stream = manager.watch_job(WatchJobRequest { job_id: id.clone() }).await.unwrap().into_inner();
        let mut last = None;
        while let Some(answer) = stream.message().await.unwrap() {
            last = answer.job;
        }
        let last = last.unwrap();
        assert_eq!((last.state(), last.done, last.note.as_str()), (job::State::Succeeded, 5, "counted"));
        let status = manager
            .cancel_job(CancelJobRequest {
                request_id: key(),
                job_id: id.clone(),
            })
            .await
            .unwrap_err();
        assert_eq!(testbed::reason(&status), "JOB_ENDED");
        // Who is bound to a branch does not find what somebody else asked for.
        let mut of_branch = JobServiceClient::new(bed.staff_of("河西区", &[Role::ServiceManager]));
        let status = of_branch.get_job(GetJobRequest { job_id: id.clone() }).await.unwrap_err();
        assert_eq!((status.code(), testbed::reason(&status).as_str()), (tonic::Code::NotFound, "NOT_FOUND"));
        assert_eq!(manager.get_job(GetJobRequest { job_id: id }).await.unwrap().into_inner().job.unwrap().done, 5);
        let status = manager.get_job(GetJobRequest { job_id: key() }).await.unwrap_err();
        assert_eq!((status.code(), testbed::reason(&status).as_str()), (tonic::Code::NotFound, "NOT_FOUND"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_counts_until_it_is_put_away() {
    testbed::each(NOTED, async |bed| {
        let db = bed.db();
        let write = db.open(&call("li")).await.unwrap();
        let id = jobs::start(&write, "of-nobody", b"").await.unwrap().to_string();
        write.close().await.unwrap();
        let counted = async || {
            let journal = journal::verify(&db).await.unwrap();
            (journal.open_jobs, journal.failed_jobs)
        };
        assert_eq!(counted().await, (1, 0));
        db.writer().execute_unprepared("UPDATE job SET state = 'FAILED'").await.unwrap();
        assert_eq!(counted().await, (0, 1));
        let mut manager = JobServiceClient::new(bed.staff(&[Role::ServiceManager]));
        let job = manager.cancel_job(request(&id)).await.unwrap().into_inner().job.unwrap();
        assert_eq!(job.state(), job::State::Cancelled);
        assert_eq!(counted().await, (0, 0));
        assert_eq!(testbed::reason(&manager.cancel_job(request(&id)).await.unwrap_err()), "JOB_ENDED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_step_of_the_database_is_refused() {
    testbed::each_of(NOTED, &[database::Engine::Sqlite], async |bed| {
        let target = Target::parse(&format!("sqlite://{}", bed.file().display())).unwrap();
        let again = async |steps: &[&str]| Database::connect("vendor", &target, calendar::Clock::real(), steps).await.map(drop);
        again(&[NOTES]).await.unwrap();
        assert_eq!(
            again(&["-- both\nCREATE TABLE other (id bigint)"]).await.unwrap_err().reason(),
            "MIGRATION_CHANGED"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_reads_who_called_what_for_whom_and_why() {
    testbed::each(NOTED, async |bed| {
        let db = bed.db();
        let relayed = Call::new(
            "hearth.job.v1.JobService/GetJob",
            Kind::Write,
            Principal {
                subject: "wang".to_owned(),
                service: Some("hall".to_owned()),
                ..Principal::default()
            },
        )
        .with(Some("callback after a repair".to_owned()), Some("00-trace".to_owned()), None, None);
        for n in 1..=10 {
            note(&db, &call("li"), &request("x"), &format!("{n}")).await.unwrap();
        }
        let asked = request("y");
        note(&db, &relayed, &asked, "11").await.unwrap();
        eventually("sealing", async || Some(journal::verify(&db).await.unwrap()).filter(|s| s.sealed_rows == 11)).await;

        let list = async |role: Role, request: ListRecordsRequest| {
            let answer = JournalServiceClient::new(bed.staff(&[role])).list_records(request).await?;
            Ok::<_, tonic::Status>(answer.into_inner())
        };
        let refused = list(Role::Cashier, ListRecordsRequest::default()).await.unwrap_err();
        assert_eq!(testbed::reason(&refused), "METHOD_NOT_ALLOWED");

        // Page by page, in the order of the positions.
        let (mut all, mut token) = (vec![], String::new());
        loop {
            let page = ListRecordsRequest {
                page_size: 4,
                page_token: token,
                ..Default::default()
            };
            let page = list(Role::Auditor, page).await.unwrap();
            assert!(page.records.len() <= 4);
            all.extend(page.records);
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(all.iter().map(|r| r.position).collect::<Vec<_>>(), (1..=11).collect::<Vec<_>>());
        let last = &all[10];
        assert_eq!(
            [&last.actor, &last.service, &last.method, &last.purpose, &last.request_id, &last.traceparent],
            [
                "wang",
                "hall",
                "hearth.job.v1.JobService/GetJob",
                "callback after a repair",
                &asked.request_id,
                "00-trace"
            ]
        );
        assert_eq!(last.subjects, ["11"]);
        assert!(last.digest.len() == 64 && last.hash.len() == 64 && last.time.is_some(), "{last:?}");
        assert_eq!((all[0].actor.as_str(), all[0].service.as_str(), all[0].purpose.as_str()), ("li", "", ""));

        let positions = async |request: ListRecordsRequest| {
            let page = list(Role::PrivacyOfficer, request).await.unwrap();
            page.records.iter().map(|r| r.position).collect::<Vec<_>>()
        };
        let any = ListRecordsRequest::default;
        let of = |actor: &str| ListRecordsRequest {
            actor: actor.to_owned(),
            ..any()
        };
        assert_eq!(positions(of("wang")).await, [11]);
        let about = |subject: &str| ListRecordsRequest {
            subject: subject.to_owned(),
            ..any()
        };
        // 1 is neither 10 nor 11, and a sign of a pattern is a sign.
        assert_eq!(positions(about("1")).await, [1]);
        assert_eq!(positions(about("1%")).await, [0_i64; 0]);
        assert_eq!(positions(about("_")).await, [0_i64; 0]);
        let by = |method: &str| ListRecordsRequest {
            method: method.to_owned(),
            ..any()
        };
        assert_eq!(positions(by("hearth.job.v1.JobService/GetJob")).await, [11]);
        // From a time on, and before a time.
        let time = all[4].time;
        let since = positions(ListRecordsRequest { from_time: time, ..any() }).await;
        let before = positions(ListRecordsRequest { until_time: time, ..any() }).await;
        let key = |t: &Option<prost_types::Timestamp>| t.map(|t| (t.seconds, t.nanos));
        let late = |r: &&Record| key(&r.time) >= key(&time);
        assert_eq!(since, all.iter().filter(late).map(|r| r.position).collect::<Vec<_>>());
        assert_eq!(before, all.iter().filter(|r| !late(r)).map(|r| r.position).collect::<Vec<_>>());

        // A token is good for the same question only.
        let first = ListRecordsRequest { page_size: 1, ..of("li") };
        let token = list(Role::Operator, first).await.unwrap().next_page_token;
        let other = ListRecordsRequest {
            page_size: 1,
            page_token: token,
            ..of("wang")
        };
        assert_eq!(testbed::reason(&list(Role::Operator, other).await.unwrap_err()), "PAGE_TOKEN_INVALID");

        // Large and small letters are not the same, on either engine.
        let mut write = db.open(&call("zhao")).await.unwrap();
        write.subject("ring-a");
        write.subject("ring-B");
        write.close().await.unwrap();
        eventually("sealing", async || Some(journal::verify(&db).await.unwrap()).filter(|s| s.sealed_rows == 12)).await;
        assert_eq!(positions(about("ring-B")).await, [12]);
        assert_eq!(positions(about("ring-A")).await, [0_i64; 0]);
    })
    .await;
}

/// Notes as rows that belong to a branch, and to no vendor and no customer.
mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "note")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub text: String,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    impl database::Scoped for Entity {
        const BRANCH: Option<Column> = Some(Column::Text);
    }
}

#[test]
fn r_s2_who_is_bound_to_what_a_table_does_not_know_sees_nothing_of_it() {
    let sql = |bound: [Option<&str>; 3]| {
        let [branch, vendor, customer] = bound.map(|text| text.map(str::to_owned));
        let principal = Principal {
            branch,
            vendor,
            customer,
            ..Principal::default()
        };
        let scope = Scope::of(&Call::new("hearth.job.v1.JobService/GetJob", Kind::Read, principal));
        database::find::<row::Entity>(&scope).build(DbBackend::Sqlite).to_string()
    };
    assert!(!sql([None, None, None]).contains("WHERE"));
    let own = sql([Some("河西区"), None, None]);
    assert!(own.ends_with(r#""text" = '河西区'"#), "{own}");
    for bound in [[None, Some("v"), None], [None, None, Some("c")], [Some("河西区"), Some("v"), None]] {
        let nothing = sql(bound);
        assert!(nothing.ends_with("1 = 0"), "{nothing}");
    }
}
