//! Several sealers, killed ones, and a source that was restored from an older copy.

use std::{
    io::Write,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use calendar::Clock;
use contracts::hearth::journal::v1::{CompareHistoryRequest, Cursor, journal_service_client::JournalServiceClient};
use database::{Consumer, Database, Event, Write as Writing, consume, journal};
use rpc::{Fault, Peer, Tls, TlsFiles};
use sea_orm::ConnectionTrait;
use testbed::eventually;

use crate::{NOTED, NOTES, copy, disarm, note, number, restore, sealed};

const TAKEN: &str = "-- both\nCREATE TABLE taken (position bigint NOT NULL PRIMARY KEY, text text NOT NULL)";

/// Three processes seal at once and are killed in the middle, again and again, while others write.
#[tokio::test(flavor = "multi_thread")]
async fn r_a1_sealers_that_race_and_are_killed_keep_the_positions_right() {
    testbed::each(NOTED, async |bed| {
        let mut processes = vec![];
        for _ in 0..3 {
            let process = Database::connect("vendor", &bed.target(), Clock::real(), &[NOTES]).await.unwrap();
            process.key_digests(&[7; 32]).unwrap();
            processes.push(process);
        }
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let db = processes[writer % 3].clone();
                tokio::spawn(async move {
                    for n in 0..25 {
                        note(&db, &format!("{writer}/{n}")).await.unwrap();
                    }
                })
            })
            .collect();
        let killers: Vec<_> = (0..3_u64)
            .map(|n| {
                let db = processes[n as usize].clone();
                tokio::spawn(async move {
                    let mut killed = 0;
                    for round in 0..60_u64 {
                        // Somewhere between its begin and its commit.
                        let moment = Duration::from_micros((round * 37 + n * 11) % 60 * 100);
                        killed += u32::from(tokio::time::timeout(moment, journal::seal(&db)).await.is_err());
                    }
                    killed
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let mut killed = 0;
        for killer in killers {
            killed += killer.await.unwrap();
        }
        assert!(killed > 20, "only {killed} sealers were killed");
        let db = bed.db();
        let state = sealed(&db, 100).await;
        assert!(state.intact, "{state:?}");
        assert_eq!((state.sealed_rows, state.events), (100, 200));
        for (sql, expected) in [
            ("SELECT count(DISTINCT position) FROM journal", 100),
            ("SELECT max(position) FROM journal", 100),
            ("SELECT max(position) FROM event", 200),
            ("SELECT count(DISTINCT sequence) FROM event WHERE subject = 'notes'", 100),
            ("SELECT max(sequence) FROM event WHERE subject = 'notes'", 100),
        ] {
            assert_eq!(number(&db, sql).await, expected, "{sql}");
        }
        for process in processes {
            process.close().await;
        }
    })
    .await;
}

/// Writes down what it takes.
struct Taker;

#[tonic::async_trait]
impl Consumer for Taker {
    async fn take(&self, write: &mut Writing, event: &Event) -> Result<(), Fault> {
        let said = <Cursor as prost::Message>::decode(event.data.as_slice()).unwrap().source;
        let sql = format!("INSERT INTO taken (position, text) VALUES ({}, '{said}')", event.position);
        write.execute_unprepared(&sql).await?;
        Ok(())
    }
}

/// What this process logs.
fn log() -> &'static Arc<Mutex<Vec<u8>>> {
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    LOG.get_or_init(|| {
        let log = Arc::<Mutex<Vec<u8>>>::default();
        let into = log.clone();
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || Lines(into.clone())).init();
        log
    })
}

/// A copy is taken, writes go on, the copy is put back: the source numbers on from where the copy stood, and whoever had taken later events takes
/// nothing of what now stands at their places, says so, and can prove it.
#[tokio::test(flavor = "multi_thread")]
async fn r_a1_a_restored_source_numbers_on_and_its_consumers_notice() {
    let log = log();
    testbed::each(NOTED, async |bed| {
        log.lock().unwrap().clear();
        let folder = tempfile::tempdir().unwrap();
        let target = database::Target::parse(&format!("sqlite://{}", folder.path().join("hall.db").display())).unwrap();
        let hall = Database::connect("hall", &target, Clock::real(), &[TAKEN]).await.unwrap();
        hall.key_digests(&[7; 32]).unwrap();
        let keys = Tls::new(TlsFiles::in_folder(bed.ca().parent().unwrap(), "hall")).unwrap();
        let follow = || {
            let peer = Peer::lazy("vendor", &format!("https://{}", bed.address()), Some(&keys)).unwrap();
            tokio::spawn(consume(hall.clone(), peer, Taker))
        };
        let tables = ["journal", "event", "seal", "note", "number", "replay"];

        let db = bed.db();
        for n in 0..5 {
            note(&db, &format!("first {n}")).await.unwrap();
        }
        sealed(&db, 5).await;
        copy(&db, &tables).await;
        for n in 0..5 {
            note(&db, &format!("lost {n}")).await.unwrap();
        }
        let following = follow();
        let has_taken = async |n: i64| eventually("events taken", async || (number(&hall, "SELECT count(*) FROM taken").await >= n).then_some(())).await;
        has_taken(20).await;
        following.abort();

        disarm(&db).await;
        restore(&db, &tables).await;
        let differs = async || {
            eventually("the difference is told", async || {
                let text = String::from_utf8(log.lock().unwrap().clone()).unwrap();
                text.contains("whose history differs").then_some(())
            })
            .await
        };
        // At first the source has less than was taken, later as much and more.
        for more in [0, 5, 3] {
            for n in 0..more {
                note(&db, &format!("again {more} {n}")).await.unwrap();
            }
            log.lock().unwrap().clear();
            let following = follow();
            differs().await;
            following.abort();
            assert_eq!(number(&hall, "SELECT count(*) FROM taken WHERE text LIKE 'again%'").await, 0);
            assert_eq!(number(&hall, "SELECT count(*) FROM taken").await, 20);
        }
        let state = sealed(&db, 13).await;
        assert!(state.intact);
        assert_eq!((state.sealed_rows, state.events), (13, 26));
        assert_eq!(number(&db, "SELECT max(sequence) FROM event WHERE subject = 'notes'").await, 13);
        assert_eq!(number(&db, "SELECT count(DISTINCT sequence) FROM event WHERE subject = 'notes'").await, 13);

        let witness = journal::verify(&hall).await.unwrap().witnesses.remove(0);
        assert_eq!((witness.source.as_str(), witness.event_position), ("vendor", 20));
        let request = CompareHistoryRequest {
            anchors: witness.anchors,
            event_position: witness.event_position,
            event_id: witness.event_id,
        };
        let mut client = JournalServiceClient::new(bed.peer("hall"));
        assert!(client.compare_history(request).await.unwrap().into_inner().event_missed);
        hall.close().await;
    })
    .await;
}
