//! Events that commit in another order than their ids, and events that cannot be read.

use boot::{Parts, Service};
use contracts::hearth::{
    journal::v1::{Cursor, WatchEventsRequest, journal_service_client::JournalServiceClient},
    options::v1::Role,
};
use database::{Consumer, Engine, Event, Write, consume};
use prost::Message;
use rpc::{Fault, Routes};
use sea_orm::{ConnectionTrait, TransactionTrait};

use crate::{
    desk::{DESK, desk, note},
    server::value,
};

#[tokio::test(flavor = "multi_thread")]
async fn r_e3_an_event_that_commits_after_a_younger_one_is_told() {
    // SQLite has one writer: there nothing commits out of order.
    testbed::each_of(DESK, &[Engine::Postgres], async |bed| {
        let db = bed.db();
        let late = db.writer().begin().await.unwrap();
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

#[tonic::async_trait]
impl Consumer for Taker {
    async fn take(&self, write: &mut Write, event: &Event) -> Result<(), Fault> {
        let cursor = Cursor::decode(event.data.as_slice()).map_err(Fault::internal)?;
        let sql = format!("INSERT INTO taken SELECT count(*), {} FROM taken", cursor.position);
        write.execute_unprepared(&sql).await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_e4_an_event_that_cannot_be_read_is_parked_and_holds_up_no_other() {
    testbed::each(TAKING, async |bed| {
        let feed = bed.fake("archive", Routes::default()).await;
        for n in 1..=1_000 {
            if n % 100 == 50 {
                // A number where a text should be.
                feed.tell("a", &WatchEventsRequest { after_position: n });
            } else {
                let good = Cursor {
                    position: n,
                    ..Cursor::default()
                };
                feed.tell("a", &good);
            }
        }
        let settled = async || {
            let db = bed.db();
            let at: i64 = value(db.reader(), "SELECT coalesce(max(position), 0) FROM cursor").await;
            (at == 1_000).then_some(())
        };
        testbed::eventually("all events are passed", settled).await;
        let standing = async || {
            let db = bed.db();
            let taken: i64 = value(db.reader(), "SELECT count(*) FROM taken").await;
            let in_order: i64 = value(
                db.reader(),
                "SELECT count(*) FROM taken a JOIN taken b ON b.ordinal = a.ordinal + 1 AND b.position > a.position",
            )
            .await;
            let parked: i64 = value(
                db.reader(),
                "SELECT count(*) FROM parked_event WHERE position % 100 = 50 AND reason = 'INTERNAL'",
            )
            .await;
            let all_parked: i64 = value(db.reader(), "SELECT count(*) FROM parked_event").await;
            (taken, in_order, parked, all_parked)
        };
        assert_eq!(standing().await, (990, 989, 10, 10));
        // After a crash nothing is taken again.
        bed.crash().await;
        bed.start().await;
        feed.repeat(50);
        feed.tell(
            "a",
            &Cursor {
                position: 1_001,
                ..Cursor::default()
            },
        );
        testbed::eventually("the next event is taken", async || (standing().await.0 == 991).then_some(())).await;
        assert_eq!(standing().await, (991, 990, 10, 10));
    })
    .await;
}
