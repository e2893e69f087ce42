//! Events that commit in another order than their ids, and events that cannot be read.

use std::sync::atomic::{AtomicBool, Ordering};

use boot::{Parts, Service};
use contracts::hearth::{
    journal::v1::{Cursor, WatchEventsRequest, journal_service_client::JournalServiceClient},
    options::v1::Role,
};
use database::{Consumer, Engine, Event, Write, consume};
use prost::Message;
use rpc::{Fault, Routes};
use sea_orm::{ConnectionTrait, TransactionOptions};

use crate::{
    desk::{DESK, desk, note},
    server::value,
};

#[tokio::test(flavor = "multi_thread")]
async fn r_e3_an_event_that_commits_after_a_younger_one_is_told() {
    // SQLite has one writer: there nothing commits out of order.
    testbed::each_of(DESK, &[Engine::Postgres], async |bed| {
        let db = bed.db();
        let late = db.writer().begin(TransactionOptions::default()).await.unwrap();
        for sql in [
            "INSERT INTO journal (id, written_at, actor, method, subjects, digest) VALUES ('00000000-0000-7000-8000-000000000001', 1, 'late', 'm', '', '')",
            "INSERT INTO event (id, journal_id, ordinal, kind, subject, occurred_at, data)
             VALUES ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000000001', 0, 'late', 's', 1, '')",
        ] {
            late.execute_unprepared(sql).await.unwrap();
        }
        let mut stream = JournalServiceClient::new(bed.staff(&[Role::Auditor]))
            .watch_events(WatchEventsRequest { after_position: 0 })
            .await
            .unwrap()
            .into_inner();
        desk(bed).take_escalation(note()).await.unwrap();
        let first = stream.message().await.unwrap().unwrap().event.unwrap();
        assert_eq!((first.position, first.r#type.as_str()), (1, "hearth.journal.v1.Cursor"));
        late.commit().await.unwrap();
        // The trap: whoever remembers the last id that it saw never meets this one.
        let met: i64 = value(db.reader(), &format!("SELECT count(*) FROM event WHERE id > '{}'", first.id)).await;
        assert_eq!(met, 0);
        let second = stream.message().await.unwrap().unwrap().event.unwrap();
        assert_eq!((second.position, second.r#type.as_str()), (2, "late"));
    })
    .await;
}

const TAKEN: &str = "-- both\nCREATE TABLE taken (ordinal bigint NOT NULL PRIMARY KEY, position bigint NOT NULL)";
const TAKING: Service = Service {
    name: "vendor",
    port: 7704,
    migrations: &[TAKEN],
    build: |host| Box::pin(async move { Ok(Parts::new().task("archive's events", consume(host.db.clone(), host.peer("archive")?, Taker))) }),
    references: &[],
};

struct Taker;

/// Whether the release at hand can read what it is told.
static READS: AtomicBool = AtomicBool::new(false);

#[tonic::async_trait]
impl Consumer for Taker {
    async fn take(&self, write: &mut Write, event: &Event) -> Result<(), Fault> {
        let position = match Cursor::decode(event.data.as_slice()) {
            Ok(cursor) => cursor.position,
            Err(_) if READS.load(Ordering::SeqCst) => event.position,
            Err(error) => return Err(Fault::internal(error)),
        };
        let sql = format!("INSERT INTO taken SELECT count(*), {position} FROM taken");
        write.execute_unprepared(&sql).await?;
        Ok(())
    }
}

/// Things that events are about, and the events that cannot be read, each of another thing.
const THINGS: i64 = 20;
const UNREADABLE: [i64; 3] = [51, 152, 353];

/// A thing whose event cannot be read waits in order, is tried five times before a person is called, and goes on with the release that can read
/// it; the others notice nothing.
#[tokio::test(flavor = "multi_thread")]
async fn r_e4_an_event_that_cannot_be_read_is_parked_and_holds_up_no_other() {
    testbed::each(TAKING, async |bed| {
        READS.store(false, Ordering::SeqCst);
        let feed = bed.fake("archive", Routes::default()).await;
        for n in 1..=1_000 {
            if UNREADABLE.contains(&n) {
                // A number where a text should be.
                feed.tell(n % THINGS, &WatchEventsRequest { after_position: n });
            } else {
                let good = Cursor {
                    position: n,
                    ..Cursor::default()
                };
                feed.tell(n % THINGS, &good);
            }
        }
        let number = async |sql: &str| -> i64 { value(bed.db().reader(), sql).await };
        let passed = async |n: i64| {
            let at = async || (number("SELECT coalesce(max(position), 0) FROM cursor").await == n).then_some(());
            testbed::eventually("all events are passed", at).await;
        };
        // Parked, behind it, taken; and of one thing none before an older one.
        let standing = async || {
            let swapped = format!("SELECT count(*) FROM taken a JOIN taken b ON a.position % {THINGS} = b.position % {THINGS} AND a.position < b.position AND a.ordinal > b.ordinal");
            assert_eq!(number(&swapped).await, 0);
            (
                number("SELECT count(*) FROM parked_event WHERE reason = 'INTERNAL'").await,
                number("SELECT count(*) FROM parked_event WHERE reason = 'WAITS'").await,
                number("SELECT count(DISTINCT position) FROM taken").await,
                number("SELECT count(*) FROM taken").await,
            )
        };
        passed(1_000).await;
        // Each thing has 50 events; of these three 2, 7 and 17 came before the one in question.
        assert_eq!(standing().await, (3, 47 + 42 + 32, 1_000 - 124, 1_000 - 124));

        // After a crash nothing is taken again, and what comes for such a thing waits as well.
        bed.crash().await;
        bed.start().await;
        feed.repeat(50);
        for n in [1_011, 1_002] {
            feed.tell(n % THINGS, &Cursor { position: n, ..Cursor::default() });
        }
        passed(1_002).await;
        assert_eq!(standing().await, (3, 122, 877, 877));

        // Five tries; the time between them is not waited for here.
        testbed::eventually("five tries", async || {
            let db = bed.db();
            db.writer().execute_unprepared("UPDATE parked_event SET next_at = 0").await.unwrap();
            (number("SELECT CAST(min(tries) AS bigint) FROM parked_event WHERE reason = 'INTERNAL'").await >= 5).then_some(())
        })
        .await;
        assert_eq!(standing().await, (3, 122, 877, 877));

        // Another release.
        READS.store(true, Ordering::SeqCst);
        bed.crash().await;
        bed.start().await;
        testbed::eventually("all are taken", async || (number("SELECT count(*) FROM parked_event").await == 0).then_some(())).await;
        assert_eq!(standing().await, (0, 0, 1_002, 1_002));
    })
    .await;
}
