//! A database that stands still under load.

use std::{
    env,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use boot::{KeySet, Settings, Start};
use calendar::Clock;
use contracts::hearth::{hall::v1::escalation_service_client::EscalationServiceClient, options::v1::Role};
use database::Target;
use rpc::{Load, Principal, TlsFiles, token::Issuer};
use sea_orm::ConnectionTrait;
use testbed::means::{runs, say};
use tokio::{net::TcpListener, task::JoinSet};
use tonic::{Request, transport::Channel};

use crate::{
    desk::{DESK, note},
    process::alone,
    server::{Server, beside, free_port, kill, url},
};

const TEST: &str = "overload::r_o3_goodput_comes_back_after_the_database_stood_still";
const DEADLINE: Duration = Duration::from_secs(3);

/// A write waits half a second in the database, so that its connections and not this machine are what is short.
const SLOW: [&str; 2] = [
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END $$",
    "CREATE TRIGGER slow BEFORE INSERT ON note FOR EACH ROW EXECUTE FUNCTION slow()",
];

/// What became of a try: when it ended, how long it took, and why it was not done, if it was not.
#[derive(Clone)]
struct Try {
    ended: Instant,
    took: Duration,
    reason: String,
}

/// Done within its deadline; refused for the load.
const DONE: &str = "";
const REFUSED: &str = "OVERLOADED";

type Book = Arc<Mutex<Vec<Try>>>;

#[derive(Clone)]
struct Callers {
    channels: Vec<Channel>,
    token: String,
}

impl Callers {
    /// One write; where it is told to come again it does, twice at most.
    async fn write(&self, at: usize, book: &Book) {
        let mut client = EscalationServiceClient::new(self.channels[at % self.channels.len()].clone());
        let note = note();
        for _ in 0..3 {
            let mut request = Request::new(note.clone());
            request.metadata_mut().insert("authorization", self.token.parse().unwrap());
            request.set_timeout(DEADLINE);
            let came = Instant::now();
            let answer = client.take_escalation(request).await;
            let took = came.elapsed();
            let pause = match &answer {
                Err(status) => status
                    .metadata()
                    .get("grpc-retry-pushback-ms")
                    .and_then(|pause| pause.to_str().ok()?.parse().ok()),
                Ok(_) => None,
            };
            let reason = match &answer {
                Ok(_) if took <= DEADLINE => DONE.to_owned(),
                Ok(_) => "late".to_owned(),
                Err(status) => testbed::reason(status),
            };
            book.lock().unwrap().push(Try {
                ended: Instant::now(),
                took,
                reason,
            });
            let Some(pause) = pause else { return };
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    /// Writes at an even pace, whatever becomes of those before.
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
        book.lock().unwrap().clone()
    }
}

/// Writes that were done in a second, between two moments.
fn goodput(tries: &[Try], from: Instant, to: Instant) -> f64 {
    let done = tries.iter().filter(|one| one.reason == DONE && (from..to).contains(&one.ended)).count();
    done as f64 / (to - from).as_secs_f64()
}

/// The longest time but for a hundredth, in milliseconds.
fn p99(tries: &[Try], reason: &str) -> u128 {
    let mut times: Vec<_> = tries.iter().filter(|one| one.reason == reason).map(|one| one.took.as_millis()).collect();
    times.sort_unstable();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

/// In `full`, since it takes a minute.
#[tokio::test(flavor = "multi_thread")]
async fn r_o3_goodput_comes_back_after_the_database_stood_still() {
    if !runs(false, true) {
        return;
    }
    let port = free_port().to_string();
    let own = url(port.parse().unwrap());
    if crate::server::binaries().is_none() || !alone(TEST, &[(testbed::postgres::URL, &own), ("HEARTH_TEST_PORT", &port)], &[]) {
        return;
    }
    let server = Server::start(env::var("HEARTH_TEST_PORT").unwrap().parse().unwrap()).unwrap();
    let url = testbed::postgres::migrated(DESK).await.unwrap();
    let admin = beside(&url).await;
    for sql in SLOW {
        admin.execute_unprepared(sql).await.unwrap();
    }
    admin.close().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    boot::keys::make(&keys, &[]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = Settings {
        database: Target::parse(&url).unwrap(),
        listen: address,
        issuer: boot::keys::ISSUER.to_owned(),
        jwks: KeySet::File(keys.join("jwks.json")),
        deny_list: None,
        tls: TlsFiles::in_folder(&keys, DESK.name),
        vault_keys: keys.join("hall.vault"),
        files: folder.path().join("files"),
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
    let principal = Principal {
        subject: "load".to_owned(),
        roles: vec![Role::Dispatcher as i32],
        ..Principal::default()
    };
    let callers = Callers {
        channels: (0..8)
            .map(|_| rpc::user_channel(&format!("https://{address}"), &keys.join("ca.pem")).unwrap())
            .collect(),
        token: format!("Bearer {}", Issuer::from_folder(&keys).unwrap().sign(&principal).unwrap()),
    };

    // What can be done, by as many as the database has connections for.
    let seconds = Duration::from_secs;
    let book = Book::default();
    let began = Instant::now();
    let closed = (0..32).map(|at| {
        let (callers, book) = (callers.clone(), book.clone());
        async move {
            while began.elapsed() < seconds(5) {
                callers.write(at, &book).await;
            }
        }
    });
    futures::future::join_all(closed).await;
    let peak = goodput(&book.lock().unwrap(), began + seconds(2), began + seconds(5));
    let rate = (peak * 0.7) as u32;

    let began = Instant::now();
    let quiet = callers.offer(rate, seconds(8)).await;
    let base = goodput(&quiet, began + seconds(2), began + seconds(8));
    let unloaded = p99(&quiet, DONE);

    let still = async {
        tokio::time::sleep(seconds(3)).await;
        let frozen = server.processes();
        frozen.iter().for_each(|process| kill("STOP", *process));
        tokio::time::sleep(seconds(10)).await;
        frozen.iter().for_each(|process| kill("CONT", *process));
        Instant::now()
    };
    let (outage, over) = tokio::join!(callers.offer(rate, seconds(25)), still);
    let again = goodput(&outage, over + seconds(5), over + seconds(10));

    let number = |reason: &str| outage.iter().filter(|one| one.reason == reason).count();
    let (done, refused) = (number(DONE), number(REFUSED));
    say(&format!(
        "figure: O3 Postgres: peak {peak:.0} writes/s, at 0.7 x {base:.0}/s, p99 {unloaded} ms; still for 10 s: {done} done, {refused} refused (p99 {} ms), {} neither; from 5 s after it {again:.0}/s",
        p99(&outage, REFUSED),
        outage.len() - done - refused
    ));
    assert!(again >= 0.95 * base, "{again} of {base} writes a second after the database stood still");
    running.stop().await.unwrap();
}
