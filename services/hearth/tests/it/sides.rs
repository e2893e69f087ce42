//! The four services on one engine, with a clock that the test moves, called by name with messages made at run time.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Mutex,
    time::Duration,
};

use boot::{Running, Start};
use bytes::Bytes;
use calendar::Clock;
use contracts::hearth::options::v1::Role;
use database::Engine;
use guard::Whole;
use prost::Message;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use rpc::{Principal, token::Issuer};
use sea_orm::{ConnectionTrait, Statement};
use testbed::at;
use tokio::net::TcpListener;
use tonic::{Request, Status, transport::Channel};
use tonic_types::StatusExt;

use crate::{
    fill::Known,
    tables::Names,
    world::{ALL, folder, people, settings},
};

/// The first morning of the script.
pub const FIRST: &str = "2025-01-02T09:00:00+08:00";

/// What one service's calendar brings about another's may take further.
const ROUNDS: usize = 3;

pub struct Side {
    pub engine: Engine,
    pub clock: Clock,
    pub known: Known,
    pub names: Names,
    pub running: Vec<Running>,
    channels: HashMap<&'static str, Channel>,
    issuer: Issuer,
    tokens: Mutex<HashMap<Caller, String>>,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    pub subject: String,
    pub roles: Vec<Role>,
    pub vendor: Option<String>,
}

impl Caller {
    /// Somebody who has the roles of a contract: of the vendor that the request names where only people of vendors have one, else of the house.
    pub fn of(subject: &str, roles: &[Role], request: &DynamicMessage) -> Self {
        let outside = |r: &Role| matches!(r, Role::VendorAdmin | Role::VendorWorker | Role::Customer);
        let house: Vec<_> = roles.iter().copied().filter(|r| !outside(r) && *r < Role::ServiceArchive).collect();
        let vendor = || request.get_field_by_name("vendor_id")?.as_str().map(str::to_owned);
        Self {
            subject: subject.to_owned(),
            vendor: if house.is_empty() { vendor() } else { None },
            roles: if house.is_empty() { roles.to_vec() } else { house },
        }
    }

    /// Somebody at head office with every role that a token proves.
    pub fn all() -> Self {
        Self {
            subject: "s1".to_owned(),
            roles: people(),
            vendor: None,
        }
    }
}

/// What came of a call.
pub type Outcome = Result<Vec<DynamicMessage>, Status>;

impl Side {
    /// Starts the four; nothing where the machine has no PostgreSQL. The keys are those of `keys`, so that both sides blind alike.
    pub async fn start(engine: Engine, keys: &Path) -> Option<Self> {
        let own = folder();
        for file in std::fs::read_dir(keys).unwrap() {
            let file = file.unwrap().path();
            std::fs::copy(&file, own.join("keys").join(file.file_name().unwrap())).unwrap();
        }
        let clock = Clock::simulated(at(FIRST));
        clock.hold(true);
        let (mut listeners, mut addresses) = (vec![], BTreeMap::new());
        for service in ALL {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.insert(service.name, listener.local_addr().unwrap());
            listeners.push(listener);
        }
        let (mut running, mut channels) = (vec![], HashMap::new());
        for (service, listener) in ALL.into_iter().zip(listeners) {
            let settings = settings(&own, service, &addresses, false, engine).await?;
            let start = Start {
                settings,
                clock: clock.clone(),
                listener,
            };
            running.push(boot::start(service, start).await.unwrap());
            let channel = rpc::user_channel(&format!("https://{}", addresses[service.name]), &own.join("keys/ca.pem")).unwrap();
            channels.insert(service.name, channel);
        }
        Some(Self {
            engine,
            clock,
            known: Known::default(),
            names: Names::default(),
            running,
            channels,
            issuer: Issuer::from_folder(&own.join("keys")).unwrap(),
            tokens: Mutex::default(),
        })
    }

    fn token(&self, caller: &Caller) -> String {
        let principal = Principal {
            subject: caller.subject.clone(),
            roles: caller.roles.iter().map(|r| *r as i32).collect(),
            vendor: caller.vendor.clone(),
            ..Principal::default()
        };
        let sign = || format!("Bearer {}", self.issuer.sign(&principal).unwrap());
        self.tokens.lock().unwrap().entry(caller.clone()).or_insert_with(sign).clone()
    }

    /// Calls a method; of a stream every answer is read.
    pub async fn call(&self, method: &MethodDescriptor, caller: &Caller, message: &[u8]) -> Outcome {
        let answers = self.send(method, caller, message).await?;
        Ok(answers
            .into_iter()
            .map(|bytes| DynamicMessage::decode(method.output(), bytes).unwrap())
            .collect())
    }

    /// The same, with the answers as they came.
    pub async fn send(&self, method: &MethodDescriptor, caller: &Caller, message: &[u8]) -> Result<Vec<Bytes>, Status> {
        let token = self.token(caller);
        let package = method.parent_service().package_name().split('.').nth(1).unwrap().to_owned();
        // What every service has is asked of billing.
        let package = if self.channels.contains_key(package.as_str()) {
            package.as_str()
        } else {
            "billing"
        };
        let mut client = tonic::client::Grpc::new(self.channels[package].clone());
        client.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name()).parse().unwrap();
        let mut request = Request::new(Bytes::copy_from_slice(message));
        request.metadata_mut().insert("authorization", token.parse().unwrap());
        if !method.is_client_streaming() && !method.is_server_streaming() {
            return Ok(vec![client.unary(request, path, Whole).await?.into_inner()]);
        }
        let request = request.map(|message| tokio_stream::iter([message]));
        let mut answers = client.streaming(request, path, Whole).await?.into_inner();
        let mut read = vec![];
        while let Some(answer) = answers.message().await? {
            read.push(answer);
        }
        Ok(read)
    }

    /// The outcome as a text that is the same on both sides, if they do the same.
    pub fn told(&mut self, outcome: &Outcome) -> String {
        let text = match outcome {
            Ok(answers) => answers.iter().map(|a| serde_json::to_string(a).unwrap()).collect::<Vec<_>>().join("\n"),
            Err(status) => {
                let details = status.get_error_details();
                let info = details.error_info().map(|i| (i.reason.clone(), i.metadata.iter().collect::<BTreeMap<_, _>>()));
                let fields = details.bad_request().map(|b| b.field_violations.clone());
                let resource = details.resource_info().map(|r| (&r.resource_type, &r.resource_name));
                format!("{:?} {info:?} {:?} {fields:?} {resource:?}", status.code(), status.message())
            }
        };
        self.names.number(&text)
    }

    /// Whether nothing is on its way: every row is sealed, every event taken, every job and step done.
    async fn is_quiet(&self) -> Result<(), String> {
        let looks = self.running.iter().map(async |Running { name, db, .. }| {
            let steps = if *name == "hall" {
                "(SELECT count(*) FROM step WHERE state = 'PENDING')"
            } else {
                "0"
            };
            let taken = ALL.map(|s| format!("(SELECT position FROM cursor WHERE source = '{}')", s.name)).join(", ");
            let sql = format!(
                "SELECT (SELECT count(*) FROM journal WHERE position IS NULL) + (SELECT count(*) FROM job WHERE state IN ('QUEUED', 'RUNNING')) + {steps}, \
                 (SELECT event_position FROM seal), {taken}"
            );
            let reader = db.reader();
            let row = reader
                .query_one_raw(Statement::from_string(reader.get_database_backend(), sql))
                .await
                .unwrap()
                .unwrap();
            let busy: i64 = row.try_get_by_index(0).unwrap();
            let told: i64 = row.try_get_by_index(1).unwrap();
            let taken: Vec<Option<i64>> = (2..2 + ALL.len()).map(|i| row.try_get_by_index(i).unwrap()).collect();
            (*name, busy, told, taken)
        });
        let looks = futures::future::join_all(looks).await;
        for (name, busy, _, taken) in &looks {
            if *busy > 0 {
                return Err(format!("{name} has work in hand"));
            }
            for (source, taken) in ALL.iter().zip(taken) {
                let told = looks.iter().find(|(name, ..)| *name == source.name).map_or(0, |(_, _, told, _)| *told);
                if taken.is_some_and(|taken| taken < told) {
                    return Err(format!("{name} takes what {} told", source.name));
                }
            }
        }
        Ok(())
    }

    /// Waits until nothing is on its way.
    pub async fn quiet(&self) {
        let mut last = String::new();
        for _ in 0..3000 {
            match self.is_quiet().await {
                Ok(()) => return,
                Err(what) => last = what,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{:?}: after 15 seconds {last}", self.engine);
    }

    /// Moves the clock and lets the calendar take effect.
    pub async fn move_on(&self, days: i64) {
        self.quiet().await;
        let to = calendar::Instant::from_micros(self.clock.now().micros() + days * 86_400_000_000);
        self.clock.set(to).unwrap();
        for _ in 0..ROUNDS {
            for running in &self.running {
                running.sweep().await;
            }
            self.quiet().await;
        }
    }
}

/// What a refusal must not tell: statements, places in a file system or a program, names of what it is built from.
const INTERNALS: &[&str] = &[
    "select ",
    "insert ",
    "update ",
    "delete ",
    "constraint failed",
    "violates",
    "relation \"",
    "syntax error",
    "sqlx",
    "sqlite",
    "postgres",
    "sea_orm",
    "dberr",
    "tonic",
    "prost",
    "hyper",
    "serde",
    ".rs",
    "src/",
    "/root",
    "/home",
    "/tmp",
    env!("CARGO_MANIFEST_DIR"),
    "panicked",
    "backtrace",
    "unwrap",
    "called `",
    "stack",
];

/// What is wrong with a refusal as such: every one has a code that means something, a reason, and no text from inside or from the caller.
pub fn improper(status: &Status, sent: Option<&str>) -> Option<String> {
    let details = status.get_error_details();
    let Some(info) = details.error_info() else {
        return Some(format!("no reason: {status:?}"));
    };
    if status.code() == tonic::Code::Unknown {
        return Some(format!("UNKNOWN: {status:?}"));
    }
    if status.code() == tonic::Code::Internal && info.reason != "MALFORMED_MESSAGE" {
        return Some(format!("a mistake of ours: {status:?}"));
    }
    let mut texts = vec![status.message().to_owned(), info.reason.clone()];
    texts.extend(info.metadata.values().cloned());
    for violation in details.bad_request().iter().flat_map(|b| &b.field_violations) {
        texts.extend([violation.description.clone(), violation.reason.clone()]);
    }
    let all = texts.join("\n").to_lowercase();
    let told = INTERNALS.iter().copied().chain(sent).find(|word| all.contains(&word.to_lowercase()));
    told.map(|word| format!("{word:?} in {status:?}"))
}

/// The request as it is sent.
pub fn bytes(message: &DynamicMessage) -> Vec<u8> {
    message.encode_to_vec()
}
