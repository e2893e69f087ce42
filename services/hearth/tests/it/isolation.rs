//! What belongs to somebody else looks like what is not there: every RPC, with the ids of a played year and with ids of nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
    time::Instant,
};

use contracts::hearth::options::v1::Role;
use database::Engine;
use futures::{StreamExt, stream};
use prost::Message;
use prost_reflect::{DynamicMessage, Value};
use rpc::Principal;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use testbed::{key, reason};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

use crate::{
    fill::{Dice, Filler, Known},
    rpcs::{Rpc, put, rpcs},
    tree::SERVICES,
    world::{World, all_in},
};

/// Rows that belong to somebody: by the column that says to whom.
#[derive(Default)]
struct Things {
    owned: BTreeSet<String>,
    /// A value for each field that identifies something: `account_id`.
    by_field: BTreeMap<String, String>,
    /// Ids of rows that are only this owner's.
    ids: BTreeSet<String>,
}

async fn texts(db: &DatabaseConnection, sql: String) -> Vec<String> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    rows.iter().filter_map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Price lists are published: whichever branch they are of, everybody may know them.
const PUBLISHED: &str = "tariff";

/// Everything in the four databases that has an owner of this kind.
async fn things(folder: &Path, owner: &str) -> Things {
    let (mut found, mut shared) = (Things::default(), BTreeSet::new());
    for service in SERVICES {
        let db = Database::connect(format!("sqlite://{}?mode=ro", folder.join(format!("{service}.db")).display()))
            .await
            .unwrap();
        for table in texts(&db, "SELECT name FROM sqlite_master WHERE type = 'table'".to_owned()).await {
            let columns = texts(&db, format!("SELECT name FROM pragma_table_info('{table}')")).await;
            if !columns.iter().any(|c| c == owner) || table == PUBLISHED {
                shared.insert(format!("{table}_id"));
                continue;
            }
            found.owned.insert(format!("{table}_id"));
            let named = |c: &&String| *c == "id" || c.ends_with("_id") || *c == "meter_no";
            for column in columns.iter().filter(named).filter(|c| *c != "request_id") {
                let text = format!("CASE typeof(\"{column}\") WHEN 'blob' THEN lower(hex(\"{column}\")) ELSE \"{column}\" END");
                let sql = format!("SELECT {text} FROM \"{table}\" WHERE \"{column}\" IS NOT NULL AND \"{owner}\" IS NOT NULL AND \"{owner}\" <> '' LIMIT 200");
                let values = texts(&db, sql)
                    .await
                    .into_iter()
                    .map(|v| uuid::Uuid::try_parse(&v).map_or(v, |id| id.to_string()));
                let values: Vec<_> = values.filter(|v| !v.is_empty()).collect();
                let Some(first) = values.first() else { continue };
                let field = if column == "id" { format!("{table}_id") } else { column.clone() };
                found.by_field.entry(field).or_insert_with(|| first.clone());
                if column == "id" {
                    found.ids.extend(values);
                }
            }
        }
    }
    // What belongs to nobody in particular, such as tariffs, everybody may know; jobs belong to who asked for them.
    let owned = std::mem::take(&mut found.owned);
    found
        .by_field
        .retain(|field, _| owned.contains(field) || !shared.contains(field) || field == "job_id");
    found
}

/// A value of the same form that names nothing.
fn nothing_like(value: &str) -> String {
    let digits = key().replace('-', "");
    match value.len() {
        36 => key(),
        // A digest: the name of a stored file.
        64 => format!("{digits}{digits}"),
        _ => format!("X-{}", &digits[20..]),
    }
}

/// What a caller can tell: everything about a refusal but the ids that it sent; of an answer that it is one.
fn shape(outcome: &Result<bytes::Bytes, Status>, sent: &[String]) -> Option<(Code, String, String, String)> {
    let status = outcome.as_ref().err()?;
    let without = |text: String| sent.iter().fold(text, |text, id| text.replace(id, "·"));
    let details = without(format!("{:?}", status.get_error_details()));
    Some((status.code(), reason(status), without(status.message().to_owned()), details))
}

/// Puts ids into all fields of a message that identify something.
fn name(message: &mut DynamicMessage, things: &Things, foreign: bool, sent: &mut Vec<String>) {
    // By whatever part it plays, a meter that is there.
    let kind = |field: &str| match field.trim_end_matches('s') {
        "bulk_meter_no" | "old_meter_no" => "meter_no".to_owned(),
        one => one.to_owned(),
    };
    let mut id = |field: &str, before: &str| match things.by_field.get(&kind(field)) {
        _ if field == "request_id" => key(),
        Some(value) => {
            let value = if foreign { value.clone() } else { nothing_like(value) };
            sent.push(value.clone());
            value
        }
        None => before.to_owned(),
    };
    let mut inner = vec![];
    for (field, value) in message.fields_mut() {
        match value {
            Value::String(text) => *text = id(field.name(), text),
            Value::List(items) => {
                for item in items {
                    match item {
                        Value::String(text) => *text = id(field.name(), text),
                        Value::Message(of) => inner.push(of),
                        _ => {}
                    }
                }
            }
            Value::Message(of) => inner.push(of),
            _ => {}
        }
    }
    for of in inner {
        name(of, things, foreign, sent);
    }
}

/// A number on a plate is taken for the whole company, whoever has it; and a stranger may have recorded an objection of a foreign account
/// itself, a moment ago.
const TAKEN: [&str; 2] = [
    "hearth.billing.v1.MeterService/RegisterMeter",
    "hearth.hall.v1.CallbackService/LiftCallObjection",
];

struct Trial<'a> {
    rpc: Rpc,
    channel: Channel,
    token: String,
    bindings: Vec<(String, String)>,
    things: &'a Things,
}

impl Trial<'_> {
    /// A request with ids of rows, or with ids of nothing and otherwise the same; and the ids.
    fn request(&self, foreign: bool) -> (bytes::Bytes, Vec<String>) {
        let (mut known, mut dice) = (Known::default(), Dice(7));
        let now = testbed::at("2025-06-02T10:00:00+08:00");
        if !foreign {
            // Names and numbers of what is new are others than before.
            Filler::new(&mut known, &mut Dice(8), now).request(&self.rpc.input, &serde_json::Value::Null);
        }
        let mut filler = Filler::new(&mut known, &mut dice, now);
        let mut message = filler.request(&self.rpc.input, &serde_json::Value::Null);
        let mut sent = vec![];
        name(&mut message, self.things, foreign, &mut sent);
        for (path, own) in &self.bindings {
            put(&mut message, path, own);
        }
        (message.encode_to_vec().into(), sent)
    }

    async fn ask(&self, foreign: bool) -> (Result<bytes::Bytes, Status>, Vec<String>) {
        let (request, sent) = self.request(foreign);
        (self.send(request).await, sent)
    }

    async fn send(&self, request: bytes::Bytes) -> Result<bytes::Bytes, Status> {
        self.rpc.ask(&self.channel, Some(&self.token), request).await
    }

    /// How much longer the median of so many calls takes with the ids of rows than with those of nothing, in turn, in thousandths; None where no row is
    /// asked for by its id.
    async fn longer(&self, calls: usize) -> Option<i128> {
        let requests = [self.request(true).0, self.request(false).0];
        for request in &requests {
            if self.send(request.clone()).await.err()?.code() != Code::NotFound {
                return None;
            }
        }
        let mut times = [vec![], vec![]];
        for _ in 0..calls {
            for (request, times) in requests.iter().zip(&mut times) {
                let began = Instant::now();
                self.send(request.clone()).await.unwrap_err();
                times.push(began.elapsed());
            }
        }
        let [foreign, unknown] = times.map(|mut times| {
            times.sort();
            i128::try_from(times[times.len() / 2].as_nanos()).unwrap()
        });
        Some((foreign - unknown) * 1000 / unknown)
    }

    /// Whether foreign and unknown can be told apart; else what an answer shows of others.
    async fn differs(&self) -> Option<String> {
        let ((foreign, ids), (unknown, others)) = (self.ask(true).await, self.ask(false).await);
        let (a, b) = (shape(&foreign, &ids), shape(&unknown, &others));
        if a != b && !ids.is_empty() {
            return Some(format!("{}: {a:?} for a foreign id, {b:?} for an unknown one", self.rpc.name));
        }
        for (answer, sent) in [(foreign, ids), (unknown, others)] {
            let text = answer.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            if let Some(id) = self.things.ids.iter().find(|id| text.contains(*id) && !sent.contains(id)) {
                return Some(format!("{} shows {id}", self.rpc.name));
            }
        }
        None
    }
}

/// Whom the ids belong to, seen from a caller of that kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    Branch,
    /// The same, for whom hall asks.
    BranchThroughHall,
    HeadOffice,
    Vendor,
    Customer,
}

fn trials<'a>(world: &World, caller: Caller, things: &'a Things) -> Vec<Trial<'a>> {
    let (somewhere, somebody) = ("无此区".to_owned(), key());
    let mut trials = vec![];
    for service in SERVICES {
        for rpc in rpcs(service).into_iter().filter(|rpc| !rpc.public) {
            let roles = rpc.roles.iter().map(|name| Role::from_str_name(name).unwrap()).filter(|role| {
                let number = *role as i32;
                match caller {
                    Caller::Customer => *role == Role::Customer,
                    Caller::Vendor => [Role::VendorAdmin, Role::VendorWorker].contains(role),
                    _ => number < Role::Customer as i32,
                }
            });
            let roles: Vec<_> = roles.map(|role| role as i32).collect();
            if roles.is_empty() || (caller == Caller::BranchThroughHall && !rpc.lists("ROLE_SERVICE_HALL")) {
                continue;
            }
            let own = |wanted: Caller, id: &String| (caller == wanted).then(|| id.clone());
            let principal = Principal {
                subject: "stranger".to_owned(),
                roles,
                service: None,
                branch: own(Caller::Branch, &somewhere).or(own(Caller::BranchThroughHall, &somewhere)),
                vendor: own(Caller::Vendor, &somebody),
                customer: own(Caller::Customer, &somebody),
            };
            let bindings = [
                (&rpc.branch, &principal.branch),
                (&rpc.vendor, &principal.vendor),
                (&rpc.customer, &principal.customer),
            ];
            let bindings = bindings.into_iter().filter(|(path, _)| !path.is_empty());
            trials.push(Trial {
                channel: if caller == Caller::BranchThroughHall {
                    world.peer(service, "hall")
                } else {
                    world.channel(service)
                },
                token: world.token_of(&principal),
                bindings: bindings.filter_map(|(path, own)| Some((path.clone(), own.clone()?))).collect(),
                rpc,
                things,
            });
        }
    }
    trials
}

async fn differing(world: &World, caller: Caller, things: &Things) -> (usize, Vec<String>) {
    let trials = trials(world, caller, things);
    let outcomes: Vec<_> = stream::iter(trials.iter().filter(|trial| !TAKEN.contains(&trial.rpc.name.as_str())))
        .map(Trial::differs)
        .buffer_unordered(8)
        .collect()
        .await;
    (trials.len(), outcomes.into_iter().flatten().collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_s2_what_is_somebody_elses_looks_like_nothing_in_every_rpc() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let data = folder.path().join("data");
    let demo = Command::new(env!("CARGO_BIN_EXE_hearth"))
        .args(["demo", "--customers", "20", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
    std::fs::write(data.join("denied"), "").unwrap();
    let (of_branches, of_vendors, of_customers) = (things(&data, "branch").await, things(&data, "vendor_id").await, things(&data, "party_id").await);
    let world = all_in(data, Engine::Sqlite).await;

    let mut wrong = vec![];
    for (caller, name, things) in [
        (Caller::Branch, "staff of another branch", &of_branches),
        (Caller::BranchThroughHall, "staff of another branch through hall", &of_branches),
        (Caller::Vendor, "people of another vendor", &of_vendors),
        (Caller::Customer, "another customer", &of_customers),
    ] {
        assert!(!things.ids.is_empty(), "{name}");
        let (tried, found) = differing(&world, caller, things).await;
        println!("{name}: {tried} RPCs, {} kinds of ids", things.by_field.len());
        wrong.extend(found.into_iter().map(|what| format!("{name}: {what}")));
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));

    // Nor by the time that it takes, in profile `full`.
    let calls = testbed::means::runs(0, 1000);
    if calls > 0 {
        let mut longer = vec![];
        for trial in trials(&world, Caller::Branch, &of_branches)
            .iter()
            .filter(|trial| trial.rpc.name.contains("/Get"))
        {
            longer.extend(trial.longer(calls).await.map(|part| (part, trial.rpc.name.clone())));
        }
        longer.sort_by_key(|(part, _)| part.abs());
        let (part, name) = longer.last().unwrap();
        println!(
            "{} RPCs by id: the medians of {calls} calls differ by {part} thousandths at most ({name})",
            longer.len()
        );
        assert!(longer.len() > 10 && part.abs() < 100);
    }

    // To head office the same requests make a difference wherever they come as far as the row: else nothing was shown above.
    let (tried, telling) = differing(&world, Caller::HeadOffice, &of_branches).await;
    println!("head office: {} of {tried} RPCs tell a row from nothing", telling.len());
    assert!(telling.len() >= 100, "{}", telling.len());
}
