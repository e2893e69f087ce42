//! PostgreSQL ends, loses a process or freezes under load, and comes back.

use std::{
    env,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use database::Engine;
use sea_orm::DatabaseConnection;
use testbed::means::{runs, say};
use tonic::{Code, Request, Status};

use crate::{
    desk::{DESK, Desk, desk, note},
    process::alone,
    server::{Server, beside, free_port, kill, url, value},
};

const TEST: &str = "outage::r_d6_a_postgres_that_ends_or_freezes_loses_nothing_and_is_found_again";

/// What callers may be told while the database is away; each means that the same key may be sent again.
fn is_outage(status: &Status) -> bool {
    let reason = testbed::reason(status);
    let told = matches!(
        (status.code(), reason.as_str()),
        (Code::Unavailable, "STORAGE_UNAVAILABLE") | (Code::DeadlineExceeded, "DEADLINE_EXCEEDED") | (Code::Aborted, "CONTENTION")
    );
    // The client's own clock.
    told || status.code() == Code::Cancelled
}

#[derive(Default)]
struct Told {
    /// Acknowledged notes, each with the time.
    acknowledged: Mutex<Vec<(String, Instant)>>,
    refused: Mutex<Vec<(Instant, String)>>,
    wrong: Mutex<Vec<String>>,
    over: AtomicBool,
}

/// Writes notes until told to stop; sends each again under its key until it is acknowledged.
async fn write_notes(mut client: Desk, told: Arc<Told>) {
    while !told.over.load(Ordering::Relaxed) {
        let note = note();
        loop {
            let mut request = Request::new(note.clone());
            request.set_timeout(Duration::from_secs(3));
            match client.take_escalation(request).await {
                Ok(_) => {
                    told.acknowledged.lock().unwrap().push((note.escalation_id, Instant::now()));
                    break;
                }
                Err(status) => {
                    if !is_outage(&status) {
                        told.wrong.lock().unwrap().push(format!("{status:?}"));
                    }
                    told.refused.lock().unwrap().push((Instant::now(), testbed::reason(&status)));
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}

impl Told {
    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Waits for this many more acknowledged notes.
    async fn more(&self, wanted: usize) {
        let before = self.count();
        testbed::eventually("more notes are acknowledged", async || (self.count() >= before + wanted).then_some(())).await;
    }
}

/// A backend of the service: one process among many of the server.
async fn backend(admin: &DatabaseConnection) -> u32 {
    let pid: i32 = value(
        admin,
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'hearth' AND pid <> pg_backend_pid() LIMIT 1",
    )
    .await;
    u32::try_from(pid).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn r_d6_a_postgres_that_ends_or_freezes_loses_nothing_and_is_found_again() {
    let port = free_port().to_string();
    let own = url(port.parse().unwrap());
    if crate::server::binaries().is_none() || !alone(TEST, &[(testbed::postgres::URL, &own), ("HEARTH_TEST_PORT", &port)], &[]) {
        return;
    }
    let port: u16 = env::var("HEARTH_TEST_PORT").unwrap().parse().unwrap();
    let server = tokio::sync::Mutex::new(Server::start(port).unwrap());
    testbed::each_of(DESK, &[Engine::Postgres], async |bed| {
        let (mut server, mut figures) = (server.lock().await, vec![]);
        let told = Arc::new(Told::default());
        let load: Vec<_> = (0..8).map(|_| tokio::spawn(write_notes(desk(bed), told.clone()))).collect();
        for round in 0..runs(2, 10) {
            for fault in ["restart", "backend killed", "terminated", "postmaster killed", "frozen"] {
                told.more(20).await;
                match fault {
                    "restart" => {
                        server.end("QUIT");
                        server.start_again();
                    }
                    "backend killed" => {
                        // The server ends all others too and recovers.
                        let admin = beside(&url(port)).await;
                        let logged = server.log().len();
                        kill("KILL", backend(&admin).await);
                        // Its connection may be gone already.
                        let _ = admin.close().await;
                        testbed::eventually("the server has recovered", async || {
                            server.log()[logged..].contains("ready to accept connections").then_some(())
                        })
                        .await;
                    }
                    "terminated" => {
                        let admin = beside(&url(port)).await;
                        let pid = backend(&admin).await;
                        assert!(value::<bool>(&admin, &format!("SELECT pg_terminate_backend({pid})")).await);
                        admin.close().await.unwrap();
                    }
                    "postmaster killed" => {
                        let children = server.processes();
                        server.end("KILL");
                        // What it leaves behind holds the shared memory until it has noticed.
                        for child in children {
                            kill("KILL", child);
                        }
                        server.start_again();
                    }
                    _ => {
                        let frozen = server.processes();
                        frozen.iter().for_each(|process| kill("STOP", *process));
                        let from = Instant::now();
                        while from.elapsed() < Duration::from_secs(5) {
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                        frozen.iter().for_each(|process| kill("CONT", *process));
                    }
                }
                let back = Instant::now();
                told.more(8).await;
                figures.push((round, fault, back, Instant::now()));
            }
        }
        told.over.store(true, Ordering::Relaxed);
        for task in load {
            task.await.unwrap();
        }
        assert_eq!(*told.wrong.lock().unwrap(), Vec::<String>::new(), "what callers must never see");

        // Each acknowledged note is there, each once, and no other.
        let db = bed.db();
        let acknowledged = told.acknowledged.lock().unwrap().clone();
        let kept: i64 = value(db.reader(), "SELECT count(*) FROM note").await;
        assert_eq!(kept, i64::try_from(acknowledged.len()).unwrap());
        for (id, _) in &acknowledged {
            assert_eq!(value::<i64>(db.reader(), &format!("SELECT count(*) FROM note WHERE text = '{id}'")).await, 1, "{id}");
        }
        // Errors end with the outage, and the pool is as good as before.
        let refused = told.refused.lock().unwrap().clone();
        let mut worst = Duration::ZERO;
        for (place, (_, fault, back, _)) in figures.iter().enumerate() {
            let until = figures.get(place + 1).map_or(Instant::now(), |next| next.2);
            // Those of the next outage begin after twenty more notes; they are its own.
            let here = acknowledged.iter().filter(|(_, at)| at > back).nth(19).map_or(until, |(_, at)| *at);
            let last = refused.iter().filter(|(at, _)| at > back && *at < here).map(|(at, _)| *at - *back).max();
            worst = worst.max(last.unwrap_or_default());
            assert!(last.unwrap_or_default() < Duration::from_secs(2), "{fault}: refused until {last:?} after it was over");
        }
        let mut client = desk(bed);
        for _ in 0..runs(200, 1_000) {
            client.take_escalation(note()).await.unwrap();
        }
        let slowest = figures.iter().map(|(_, _, back, found)| *found - *back).max().unwrap();
        assert!(slowest < Duration::from_secs(5), "{slowest:?} until writes went on");
        say(&format!(
            "figure: D6 {} outages, {} notes acknowledged, 0 lost or doubled, {} refusals, the last {worst:?} after the end of an outage; D8 writes after {slowest:?} at most",
            figures.len(),
            acknowledged.len(),
            refused.len(),
        ));
    })
    .await;
}
