//! The service of the notes in this process, and those who write to it at a pace of their own.

use std::{
    error::Error,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use boot::{KeySet, Running, Settings, Start};
use calendar::Clock;
use contracts::hearth::{hall::v1::escalation_service_client::EscalationServiceClient, options::v1::Role};
use database::Target;
use rpc::{Load, Principal, TlsFiles, token::Issuer};
use sea_orm::ConnectionTrait;
use tokio::{net::TcpListener, task::JoinSet};
use tonic::{Request, transport::Channel};

use crate::notes::{DESK, note};

/// Serves on a port of its own, with the keys of a folder; the address.
pub async fn serve(url: &str, folder: &Path) -> (Running, String) {
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
    (boot::start(DESK, Start { settings, clock, listener }).await.unwrap(), address.to_string())
}

/// Lets each write wait so long in PostgreSQL, so that its connections and not this machine are what is short.
pub async fn slow_down(url: &str, wait: Duration) {
    let admin = sea_orm::Database::connect(url).await.unwrap();
    for sql in [
        &format!(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep({}); RETURN NEW; END $$",
            wait.as_secs_f64()
        ),
        "CREATE TRIGGER slow BEFORE INSERT ON note FOR EACH ROW EXECUTE FUNCTION slow()",
    ] {
        admin.execute_unprepared(sql).await.unwrap();
    }
    admin.close().await.unwrap();
}

/// What became of a try: when it ended, how long it took, and why it was not done, if it was not.
pub struct Try {
    pub ended: Instant,
    pub took: Duration,
    pub why: String,
}

/// Done within its deadline; told to come again.
pub const DONE: &str = "";
pub const REFUSED: &str = "OVERLOADED";

type Book = Arc<Mutex<Vec<Try>>>;

#[derive(Clone)]
pub struct Callers {
    channels: Vec<Channel>,
    token: String,
    deadline: Duration,
}

impl Callers {
    pub fn new(address: &str, folder: &Path, deadline: Duration) -> Self {
        let keys = folder.join("keys");
        let principal = Principal {
            subject: "load".to_owned(),
            roles: vec![Role::Dispatcher as i32],
            ..Principal::default()
        };
        Self {
            channels: (0..8)
                .map(|_| rpc::user_channel(&format!("https://{address}"), &keys.join("ca.pem")).unwrap())
                .collect(),
            token: format!("Bearer {}", Issuer::from_folder(&keys).unwrap().sign(&principal).unwrap()),
            deadline,
        }
    }

    /// One write; where it is told to come again it does, twice at most.
    async fn write(&self, at: usize, book: &Book) {
        let mut client = EscalationServiceClient::new(self.channels[at % self.channels.len()].clone());
        let note = note();
        for _ in 0..3 {
            let mut request = Request::new(note.clone());
            request.metadata_mut().insert("authorization", self.token.parse().unwrap());
            request.set_timeout(self.deadline);
            let came = Instant::now();
            let answer = client.take_escalation(request).await;
            let took = came.elapsed();
            let metadata = answer.as_ref().err().map(tonic::Status::metadata);
            let pause = metadata.and_then(|m| m.get("grpc-retry-pushback-ms")?.to_str().ok()?.parse().ok());
            let why = match &answer {
                Ok(_) if took <= self.deadline => DONE.to_owned(),
                Ok(_) => "late".to_owned(),
                Err(status) if status.source().is_some() => cause(status),
                Err(status) => testbed::reason(status),
            };
            let ended = Instant::now();
            book.lock().unwrap().push(Try { ended, took, why });
            let Some(pause) = pause else { return };
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    /// What 32 can do who wait for each other's end, of the time after its first two fifths.
    pub async fn peak(&self, time: Duration) -> f64 {
        let (book, began) = (Book::default(), Instant::now());
        let closed = (0..32).map(|at| {
            let (own, book) = (self.clone(), book.clone());
            tokio::spawn(async move {
                while began.elapsed() < time {
                    own.write(at, &book).await;
                }
            })
        });
        futures::future::join_all(closed.collect::<Vec<_>>()).await;
        goodput(&book.lock().unwrap(), began + time * 2 / 5, began + time)
    }

    /// Writes at an even pace, whatever becomes of those before.
    pub async fn offer(&self, rate: u32, time: Duration) -> Vec<Try> {
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
    let mut found: &dyn Error = status;
    while let Some(source) = found.source() {
        found = source;
    }
    format!("{:?}: {found}", status.code())
}

/// Writes that were done in a second, between two moments.
pub fn goodput(tries: &[Try], from: Instant, to: Instant) -> f64 {
    let done = tries.iter().filter(|one| one.why == DONE && (from..to).contains(&one.ended)).count();
    done as f64 / (to - from).as_secs_f64()
}

/// How many ended so, and the longest time of these but for a hundredth, in milliseconds.
pub fn ended(tries: &[Try], why: &str) -> (usize, u128) {
    let mut times: Vec<_> = tries.iter().filter(|one| one.why == why).map(|one| one.took.as_millis()).collect();
    times.sort_unstable();
    (times.len(), times.get(times.len() * 99 / 100).copied().unwrap_or_default())
}
