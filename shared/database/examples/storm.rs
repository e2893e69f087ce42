//! Goodput of writes under more load than can be done (reliability goals O1, O2, O3):
//! `cargo run --release -p database --example storm [SECONDS [MILLISECONDS]]`, on SQLite and, where the machine has it, on PostgreSQL.
//!
//! A service with the suite's layers, TLS and a database runs in a process of its own. What it can do is found by 32 callers who wait for
//! each other's end; then callers come at an even pace whatever becomes of those before, wait a second, and come again where they
//! are told to, twice at most. With the second number a write waits so long in PostgreSQL, so that its connections and not the processors are what is
//! short.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_arithmetic)]

#[path = "../tests/storage/notes.rs"]
mod notes;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use boot::{KeySet, Settings, Start};
use calendar::Clock;
use contracts::hearth::{hall::v1::escalation_service_client::EscalationServiceClient, options::v1::Role};
use database::Target;
use notes::{DESK, note};
use rpc::{Load, Principal, TlsFiles, token::Issuer};
use sea_orm::ConnectionTrait;
use tokio::{net::TcpListener, task::JoinSet};
use tonic::{Request, transport::Channel};

const DEADLINE: Duration = Duration::from_secs(1);
const CHANNELS: usize = 8;
/// Tenths of what can be done.
const STEPS: [u32; 6] = [7, 10, 20, 50, 100, 7];

/// The service in this process, until its input ends.
async fn serve(url: &str, folder: &Path) {
    let keys = folder.join("keys");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = Settings {
        database: Target::parse(url).unwrap(),
        listen: address,
        issuer: boot::keys::ISSUER.to_owned(),
        jwks: KeySet::File(keys.join("jwks.json")),
        deny_list: None,
        tls: TlsFiles::in_folder(&keys, DESK.name),
        vault_keys: keys.join("hall.vault"),
        files: folder.join("files"),
        bill_template: None,
        peers: [].into(),
        reflection: false,
        origins: vec![],
        connections_per_address: 2_048,
        // The places are as by default; one caller plays all.
        load: Load {
            quota: 1_000_000,
            of_one: 1_000_000,
            ..Load::default()
        },
        otlp_endpoint: None,
        log: String::new(),
    };
    let clock = Clock::real();
    let running = boot::start(DESK, Start { settings, clock, listener }).await.unwrap();
    println!("{address}");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut vec![]))
        .await
        .unwrap()
        .unwrap();
    running.stop().await.unwrap();
}

/// What became of a try: when it ended, how long it took, and why it was not done, if it was not.
struct Try {
    ended: Instant,
    took: Duration,
    why: String,
}

const DONE: &str = "";
const REFUSED: &str = "OVERLOADED";

type Book = Arc<Mutex<Vec<Try>>>;

#[derive(Clone)]
struct Callers {
    channels: Vec<Channel>,
    token: String,
}

impl Callers {
    async fn write(&self, at: usize, book: &Book) {
        let mut client = EscalationServiceClient::new(self.channels[at % CHANNELS].clone());
        let note = note();
        for _ in 0..3 {
            let mut request = Request::new(note.clone());
            request.metadata_mut().insert("authorization", self.token.parse().unwrap());
            request.set_timeout(DEADLINE);
            let came = Instant::now();
            let answer = client.take_escalation(request).await;
            let took = came.elapsed();
            let metadata = answer.as_ref().err().map(tonic::Status::metadata);
            let pause = metadata.and_then(|m| m.get("grpc-retry-pushback-ms")?.to_str().ok()?.parse().ok());
            let why = match &answer {
                Ok(_) if took <= DEADLINE => DONE.to_owned(),
                Ok(_) => "late".to_owned(),
                Err(_) if pause.is_some() => REFUSED.to_owned(),
                Err(status) => cause(status),
            };
            let ended = Instant::now();
            book.lock().unwrap().push(Try { ended, took, why });
            let Some(pause) = pause else { return };
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    /// What can be done.
    async fn peak(&self, time: Duration) -> f64 {
        let (book, began) = (Book::default(), Instant::now());
        let callers = (0..32).map(|at| {
            let (own, book) = (self.clone(), book.clone());
            tokio::spawn(async move {
                while began.elapsed() < time {
                    own.write(at, &book).await;
                }
            })
        });
        futures::future::join_all(callers.collect::<Vec<_>>()).await;
        goodput(&book.lock().unwrap(), began + time / 3, began + time)
    }

    /// Writes at an even pace.
    async fn offer(&self, rate: u32, time: Duration) -> Vec<Try> {
        let (book, mut callers) = (Book::default(), JoinSet::new());
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        let (began, mut sent) = (Instant::now(), 0_u32);
        while began.elapsed() < time {
            pace.tick().await;
            while Duration::from_secs(1) / rate * sent <= began.elapsed() {
                let (own, book, at) = (self.clone(), book.clone(), sent as usize);
                callers.spawn(async move { own.write(at, &book).await });
                sent += 1;
            }
            while callers.try_join_next().is_some() {}
        }
        callers.join_all().await;
        std::mem::take(&mut *book.lock().unwrap())
    }
}

/// What is behind a refusal of the library: how a connection ended tells only the innermost.
fn cause(status: &tonic::Status) -> String {
    let mut found: &dyn std::error::Error = status;
    while let Some(source) = found.source() {
        found = source;
    }
    format!("{:?}: {found}", status.code())
}

/// Writes that were done in a second, between two moments.
fn goodput(tries: &[Try], from: Instant, to: Instant) -> f64 {
    let done = tries.iter().filter(|one| one.why == DONE && (from..to).contains(&one.ended)).count();
    done as f64 / (to - from).as_secs_f64()
}

fn p99<'a>(tries: impl Iterator<Item = &'a Try>) -> u128 {
    let mut times: Vec<_> = tries.map(|one| one.took.as_millis()).collect();
    times.sort_unstable();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

/// Seconds of the processors that a process has taken.
fn work(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn start(url: &str, folder: &Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("serve")
        .arg(url)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    (child, address.trim().to_owned())
}

async fn measure(engine: &str, url: &str, folder: &Path, time: Duration) {
    let (mut child, address) = start(url, folder);
    let keys = folder.join("keys");
    let principal = Principal {
        subject: "load".to_owned(),
        roles: vec![Role::Dispatcher as i32],
        ..Principal::default()
    };
    let callers = Callers {
        channels: (0..CHANNELS)
            .map(|_| rpc::user_channel(&format!("https://{address}"), &keys.join("ca.pem")).unwrap())
            .collect(),
        token: format!("Bearer {}", Issuer::from_folder(&keys).unwrap().sign(&principal).unwrap()),
    };
    callers.peak(Duration::from_secs(3)).await;
    let peak = callers.peak(time).await;
    println!("| {engine} | peak | {peak:.0} | | | | | |");
    for tenths in STEPS {
        let rate = ((peak * f64::from(tenths) / 10.0) as u32).max(1);
        let (began, before) = (Instant::now(), work(child.id()));
        let tries = callers.offer(rate, time).await;
        let took = work(child.id()) - before;
        // Who comes last is answered after the end.
        let (whole, end) = (goodput(&tries, began, began + time), goodput(&tries, began + time / 2, began + time));
        let mut others = BTreeMap::<&str, usize>::new();
        for one in tries.iter().filter(|one| ![DONE, REFUSED].contains(&one.why.as_str())) {
            *others.entry(&one.why).or_default() += 1;
        }
        let refused = || tries.iter().filter(|one| one.why == REFUSED);
        println!(
            "| {engine} | {rate} | {whole:.0} | {end:.0} | {} | {} | {} | {:.0} | {others:?}",
            p99(tries.iter().filter(|one| one.why == DONE)),
            p99(refused()),
            refused().count(),
            took * 1e6 / tries.len() as f64,
        );
    }
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let first = args.next();
    if first.as_deref() == Some("serve") {
        let (url, folder) = (args.next().unwrap(), args.next().unwrap());
        return serve(&url, Path::new(&folder)).await;
    }
    let time = Duration::from_secs(first.and_then(|n| n.parse().ok()).unwrap_or(10));
    let slow: u32 = args.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let folder = tempfile::tempdir().unwrap();
    boot::keys::make(&folder.path().join("keys"), &[]).unwrap();
    println!(
        "| engine | offered/s | goodput/s | in the second half | p99 of the served, ms | of the refused, ms | refused | processor time of the service a try, µs | others |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    if slow == 0 {
        let url = format!("sqlite://{}", folder.path().join("storm.db").display());
        measure("SQLite", &url, folder.path(), time).await;
    }
    if let Some(url) = testbed::postgres::migrated(DESK).await {
        if slow > 0 {
            let admin = sea_orm::Database::connect(&url).await.unwrap();
            let wait = f64::from(slow) / 1000.0;
            for sql in [
                &format!("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep({wait}); RETURN NEW; END $$"),
                "CREATE TRIGGER slow BEFORE INSERT ON note FOR EACH ROW EXECUTE FUNCTION slow()",
            ] {
                admin.execute_unprepared(sql).await.unwrap();
            }
            admin.close().await.unwrap();
        }
        measure("PostgreSQL", &url, folder.path(), time).await;
    }
}
