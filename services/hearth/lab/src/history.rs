use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tonic::Status;

use crate::{
    client::{Client, Who, is_open},
    site::Site,
};

/// Between two tries of one call.
const PAUSE: Duration = Duration::from_millis(20);
/// After this a call that nobody answers is a fault of the services.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a write means, for those who look for its effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    Payment { account: String, reference: String, fen: i64 },
    Reading { meter: String, micros: i64 },
    Edit { party: String, address: String },
    Customers { accounts: Vec<String> },
    Order,
    Offer { order: String },
    Decline { order: String },
    Other,
}

/// A write, as it is sent each time.
#[derive(Clone, Debug)]
pub struct Op {
    pub id: String,
    pub who: Who,
    pub service: &'static str,
    pub method: &'static str,
    pub message: Bytes,
    pub meaning: Meaning,
}

/// A write with what its client was told in the end.
#[derive(Clone, Debug)]
pub struct Done {
    pub op: Op,
    /// The answer; else the reason of a refusal.
    pub answer: Result<Bytes, String>,
}

/// What the clients of one site asked for and were told: in memory, and line by line in a file that is synced before a client goes on.
pub struct History {
    file: Mutex<File>,
    done: Mutex<Vec<Done>>,
    unknown: AtomicU64,
}

impl History {
    pub fn new(path: &Path) -> Self {
        Self {
            file: Mutex::new(File::create(path).unwrap()),
            done: Mutex::default(),
            unknown: AtomicU64::new(0),
        }
    }

    pub fn note(&self, word: &str, id: &str, rest: &str, sync: bool) {
        let mut file = self.file.lock().unwrap();
        writeln!(file, "{word} {id} {rest}").unwrap();
        if sync {
            file.sync_data().unwrap();
        }
    }

    /// Sends a write until somebody says what became of it: always the same bytes under the same key.
    pub async fn settle(&self, site: &Site, client: &Client, op: Op) -> Result<Bytes, String> {
        self.note(
            "invoke",
            &op.id,
            &format!("{} {} {}", op.who.subject, op.method, hex::encode(&op.message)),
            false,
        );
        let began = Instant::now();
        let answer = loop {
            match client.send(&site.address(op.service), &op.who, op.method, op.message.clone()).await {
                Ok(answer) => {
                    self.note("ok", &op.id, &hex::encode(&answer), true);
                    break Ok(answer);
                }
                Err(status) if is_open(&status) => {
                    assert!(began.elapsed() < PATIENCE, "{} {}: nobody answers: {status}", op.method, op.id);
                    self.note("unknown", &op.id, status.code().description(), false);
                    self.unknown.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(PAUSE).await;
                }
                Err(status) => {
                    let why = told(&status);
                    self.note("fail", &op.id, &why, false);
                    break Err(why);
                }
            }
        };
        self.push(op, answer.clone());
        answer
    }

    pub fn push(&self, op: Op, answer: Result<Bytes, String>) {
        self.done.lock().unwrap().push(Done { op, answer });
    }

    pub fn done(&self) -> Vec<Done> {
        self.done.lock().unwrap().clone()
    }

    /// Writes that were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.done.lock().unwrap().iter().filter(|d| d.answer.is_ok()).count()
    }

    /// Tries that left open what became of them; each was resolved under its own key.
    pub fn unknown(&self) -> u64 {
        self.unknown.load(Ordering::Relaxed)
    }
}

/// Code and reason of a refusal.
pub fn told(status: &Status) -> String {
    format!("{:?} {} {}", status.code(), testbed::reason(status), status.message())
}
