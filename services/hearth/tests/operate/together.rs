//! Many at once: on one resource, under one rule, beside a backup.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use contracts::hearth::{
    archive::v1::{CorrectContactRequest, GetPartyRequest, RegisterPersonRequest, party_service_client::PartyServiceClient},
    options::v1::Role,
};
use database::Engine;
use futures::future::join_all;
use sea_orm::{ConnectionTrait, DbErr, Statement, TransactionOptions};
use testbed::{Bed, key, reason};

use crate::{
    disk::Agent,
    suite::{ALL, HEARTH, Suite, assert_told, hearth, runs, say},
    upgrade::open,
};

#[tokio::test(flavor = "multi_thread")]
async fn r_c1_of_clients_who_read_and_write_back_none_overwrites_another() {
    testbed::each(archive::SERVICE, async |bed| {
        let party = PartyServiceClient::new(bed.staff(&[Role::Agent]))
            .register_person(RegisterPersonRequest {
                request_id: key(),
                name: "王芳".to_owned(),
                id_number: "11010519491231002X".to_owned(),
                phone: "13800000000".to_owned(),
                address: String::new(),
                branch: "河西区".to_owned(),
            })
            .await
            .unwrap()
            .into_inner()
            .party
            .unwrap();
        let (clients, each) = (32, runs(5, 1_500));
        let work = (0..clients).map(|_| {
            let (mut client, party_id) = (PartyServiceClient::new(bed.staff(&[Role::Agent])), party.party_id.clone());
            tokio::spawn(async move {
                let (mut written, mut lost) = (0, 0);
                while written < each {
                    let ask = GetPartyRequest { party_id: party_id.clone() };
                    let read = client.get_party(ask).await.unwrap().into_inner().party.unwrap();
                    // The last four digits of a masked phone are clear: a counter.
                    let count: usize = read.phone[read.phone.len() - 4..].parse().unwrap();
                    let request = CorrectContactRequest {
                        request_id: key(),
                        party_id: party_id.clone(),
                        etag: read.etag,
                        phone: Some(format!("1380000{:04}", (count + 1) % 10_000)),
                        ..CorrectContactRequest::default()
                    };
                    match client.correct_contact(request).await {
                        Ok(_) => written += 1,
                        Err(status) => {
                            assert_eq!((status.code(), reason(&status).as_str()), (tonic::Code::Aborted, "ETAG_MISMATCH"));
                            lost += 1;
                        }
                    }
                }
                lost
            })
        });
        let lost: usize = join_all(work.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap).sum();
        let ask = GetPartyRequest {
            party_id: party.party_id.clone(),
        };
        let read = PartyServiceClient::new(bed.staff(&[Role::Agent]))
            .get_party(ask)
            .await
            .unwrap()
            .into_inner()
            .party
            .unwrap();
        assert!(
            read.phone.ends_with(&format!("{:04}", (clients * each) % 10_000)),
            "{} after {} writes",
            read.phone,
            clients * each
        );
        assert!(lost > 0, "nobody met anybody");
        say(&format!(
            "figure: C1 {:?} {} writes, {lost} refused with ETAG_MISMATCH, 0 overwritten",
            bed.engine(),
            clients * each
        ));
    })
    .await;
}

/// A fee that is in force for ever from a day: legal alone, and two of them are not.
async fn publish_fee(bed: &Bed, code: &str, version: usize) -> Result<(), DbErr> {
    let (db, id) = (bed.db(), uuid::Uuid::now_v7().simple());
    let id = match bed.engine() {
        Engine::Sqlite => format!("x'{id}'"),
        Engine::Postgres => format!("'{id}'"),
    };
    let tx = db.writer().begin(TransactionOptions::default()).await?;
    let sql = format!("SELECT count(*) FROM fee_item WHERE code = '{code}'");
    let row = tx.query_one_raw(Statement::from_string(tx.get_database_backend(), sql)).await?.unwrap();
    if row.try_get_by_index::<i64>(0)? > 0 {
        return Err(DbErr::Custom("fee_item_overlap, seen".to_owned()));
    }
    // Whoever comes this far found that it may.
    tokio::task::yield_now().await;
    tx.execute_unprepared(&format!(
        "INSERT INTO fee_item (id, code, version, name, unit, price, legal_basis, approving_body, from_date, customer_classes, published_by, created_at, revision)
         VALUES ({id}, '{code}', {version}, 'n', 'u', 1, 'basis', 'body', '2025-01-01', '', 'li', 0, 1)"
    ))
    .await?;
    tx.commit().await
}

#[tokio::test(flavor = "multi_thread")]
async fn r_c3_of_transactions_that_are_legal_alone_one_is_kept() {
    testbed::each(billing::SERVICE, async |bed| {
        let (rounds, mut late) = (runs(100, 5_000), 0);
        for round in 0..rounds {
            let code = format!("FEE-{round}");
            let outcomes = join_all((1..=4).map(|version| publish_fee(bed, &code, version))).await;
            let refused: Vec<String> = outcomes.iter().filter_map(|o| o.as_ref().err()).map(ToString::to_string).collect();
            assert_eq!(refused.len(), 3, "{refused:?}");
            // Of several that wait for each other PostgreSQL ends some; a call would be tried again and then see.
            assert!(
                refused.iter().all(|r| r.contains("fee_item_overlap") || r.contains("deadlock detected")),
                "{refused:?}"
            );
            late += refused.iter().filter(|r| !r.contains("seen")).count();
        }
        // On SQLite writers stand in line, so each sees the one before.
        assert!(bed.engine() == Engine::Sqlite || late > 0, "nobody was stopped by the rule itself");
        say(&format!(
            "figure: C3 {:?} {rounds} rounds of 4, one kept in each, {late} stopped by the rule after they had seen nothing",
            bed.engine()
        ));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r_c5_writers_notice_neither_a_backup_nor_a_checkpoint() {
    let suite = Suite::start(HEARTH, &std::env::temp_dir());
    let agent = Agent::new(&suite);
    let over = Arc::new(AtomicBool::new(false));
    let (started, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let writers: Vec<_> = (0..32)
        .map(|_| {
            let (agent, over, started, done) = (agent.clone(), over.clone(), started.clone(), done.clone());
            tokio::spawn(async move {
                let mut slowest = Duration::ZERO;
                while !over.load(Ordering::Relaxed) {
                    let from = Instant::now();
                    let n = started.fetch_add(1, Ordering::Relaxed);
                    agent.register_person(n).await.expect("a writer was told of others");
                    slowest = slowest.max(from.elapsed());
                    done.fetch_add(1, Ordering::Relaxed);
                }
                slowest
            })
        })
        .collect();
    let (data, folder, written) = (suite.data(), suite.folder.path().to_owned(), done.clone());
    let work = tokio::task::spawn_blocking(move || {
        let mut backups = vec![];
        while backups.len() < runs(4, 40) || written.load(Ordering::Relaxed) < 300 {
            let to = folder.join(format!("backup-{}", backups.len()));
            assert_told(&hearth(&data, &["backup", "--to", to.to_str().unwrap()]), 0, &["is whole"]);
            backups.push(to);
        }
        backups
    });
    let checkpoints = async {
        let file = suite.data().join("archive.db");
        let db = sea_orm::Database::connect(format!("sqlite://{}?mode=rw", file.display())).await.unwrap();
        let mut done = 0;
        while !work.is_finished() {
            // Busy is an answer here; what counts is what writers are told.
            let checkpoint = Statement::from_string(sea_orm::DbBackend::Sqlite, "PRAGMA wal_checkpoint(TRUNCATE)");
            db.query_one_raw(checkpoint).await.unwrap();
            done += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        db.close().await.unwrap();
        done
    };
    let checkpoints = checkpoints.await;
    let backups = work.await.unwrap();
    over.store(true, Ordering::Relaxed);
    let slowest = join_all(writers).await.into_iter().map(Result::unwrap).max().unwrap();
    let mut taken = 0;
    for backup in &backups {
        taken += assert_of_one_moment(backup).await;
    }
    assert!(taken > 0, "nobody took an event: the moments cannot differ");
    assert_told(&hearth(&suite.data(), &["check"]), 0, &["no fault"]);
    say(&format!(
        "figure: C5 32 writers, {} writes beside {} backups and {checkpoints} checkpoints: 0 refused, the slowest {slowest:?}",
        done.load(Ordering::Relaxed),
        backups.len()
    ));
}

/// No service of a backup has taken an event that its source does not hold. Says how many were taken.
async fn assert_of_one_moment(backup: &Path) -> i64 {
    let ask = async |service: &str, sql: &str| {
        let db = open(&format!("sqlite://{}?mode=ro", backup.join(service).join("database.sqlite").display())).await;
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        let rows: Vec<(String, i64)> = rows.iter().map(|r| (r.try_get_by_index(0).unwrap(), r.try_get_by_index(1).unwrap())).collect();
        db.close().await.unwrap();
        rows
    };
    let mut all = 0;
    for service in ALL {
        for (source, taken) in ask(service.name, "SELECT source, position FROM cursor").await {
            let told = ask(&source, "SELECT 'events', event_position FROM seal").await[0].1;
            assert!(
                taken <= told,
                "{}: {} took {taken} events of {source}, which has {told}",
                backup.display(),
                service.name
            );
            all += taken;
        }
    }
    all
}
