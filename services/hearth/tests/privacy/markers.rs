//! Personal data through the four services, on both engines: values that stand nowhere else are sown into every field that can carry them, and looked
//! for wherever they must not be.

mod script;
pub mod search;
mod sow;

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use contracts::hearth::options::v1::Role;
use database::Engine;
use rpc::{Kind, Principal};
use tokio::sync::OnceCell;
use tonic::Status;

use self::{
    script::{Played, bound},
    search::Search,
    sow::{ADDRESS, Done, Marker, NAME, Sower, earned, staff},
};
use crate::processes::{Processes, columns, number, rows};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const SERVICES: [&str; 4] = ["archive", "hall", "billing", "vendor"];
/// Those that have fields of personal data, so that they are called.
const CALLED: [&str; 3] = ["archive", "hall", "vendor"];

/// Columns that hold personal data in clear text, by class, and why (decision 16).
const CLEAR: &[(&str, &str, i32)] = &[
    // Archive keeps names and addresses of parties searchable.
    ("archive", "party.name", NAME),
    ("archive", "party.name_key", NAME),
    ("archive", "party.address", ADDRESS),
    ("archive", "premises.address", ADDRESS),
    // Each service keeps the names of its own people: hall its staff, vendor the persons of vendors.
    ("hall", "staff.name", NAME),
    ("vendor", "person.name", NAME),
];

/// Fields of requests that cannot be sown, and why.
const NOT_SOWN: &[(&str, &str)] = &[];

/// What was done once for all tests of an engine.
struct Stage {
    processes: Processes,
    played: Played,
    markers: Vec<Marker>,
    done: Vec<Done>,
    seen: BTreeSet<(String, Role)>,
    unmasked: Vec<String>,
}

async fn stage(engine: Engine) -> Option<&'static Stage> {
    static STAGES: [OnceCell<Option<Stage>>; 2] = [OnceCell::const_new(), OnceCell::const_new()];
    STAGES[usize::from(engine == Engine::Postgres)].get_or_init(|| set(engine)).await.as_ref()
}

async fn set(engine: Engine) -> Option<Stage> {
    let processes = Processes::start(engine, &SERVICES).await?;
    let sower = Sower::new(&processes);
    let played = script::play(&sower).await;
    // Read by everybody who may.
    for (method, json) in &played.reads {
        let access = sower.method(method).access;
        for role in access.roles.iter().map(|n| Role::try_from(*n).unwrap()) {
            let mut json = json.clone();
            if role == Role::Customer && !access.customer_field.is_empty() {
                json[&access.customer_field] = played.party.clone().into();
            }
            if let Err(status) = sower.attempt(&bound(role, &played), method, json).await {
                panic!("{method} by {role:?}: {status:?}");
            }
        }
    }
    // Whatever carried personal data once more, in ways that are refused.
    let carried: Vec<_> = sower
        .done
        .lock()
        .unwrap()
        .iter()
        .filter(|d| d.answer.is_ok() && !sower.personal_of(&d.method.name).0.is_empty())
        .cloned()
        .collect();
    let mut tried = BTreeSet::new();
    for done in carried.iter().filter(|d| !d.method.streaming && tried.insert(d.method.name.clone())) {
        sower.refusals(&actor(done), &done.method.name, &done.request).await;
    }
    let (markers, done, seen, unmasked) = (
        sower.markers.lock().unwrap().clone(),
        sower.done.lock().unwrap().clone(),
        sower.seen.lock().unwrap().clone(),
        sower.unmasked.lock().unwrap().clone(),
    );
    Some(Stage {
        processes,
        played,
        markers,
        done,
        seen,
        unmasked,
    })
}

/// Who made a call of the script.
fn actor(done: &Done) -> Principal {
    staff(Role::from_str_name(&format!("ROLE_{}", done.actor.to_uppercase())).unwrap())
}

/// Every text that a refusal carries.
fn told(status: &Status) -> Vec<u8> {
    let mut all = status.message().as_bytes().to_vec();
    all.extend(status.details());
    for entry in status.metadata().iter() {
        match entry {
            tonic::metadata::KeyAndValueRef::Ascii(_, value) => all.extend(value.as_bytes()),
            tonic::metadata::KeyAndValueRef::Binary(_, value) => all.extend(value.to_bytes().unwrap_or_default()),
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn r_p1_personal_data_stands_nowhere_but_in_its_columns() {
    for engine in ENGINES {
        let Some(stage) = stage(engine).await else { continue };
        let processes = &stage.processes;
        let sower = Sower::new(processes);
        let sown: BTreeSet<_> = stage.markers.iter().map(|m| m.field.clone()).collect();
        let wanted: BTreeSet<_> = sower.methods().iter().flat_map(|m| sower.personal_of(&m.name).0.into_keys()).collect();
        let left: BTreeSet<_> = NOT_SOWN.iter().map(|(field, _)| (*field).to_owned()).collect();
        assert_eq!(wanted.difference(&sown).cloned().collect::<BTreeSet<_>>(), left, "fields that are not sown");

        let search = Search::new(stage.markers.iter().map(|m| m.needle.as_str()));
        let mut hits = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut look = |place: &str, bytes: &[u8], allowed: &dyn Fn(&Marker) -> bool| {
            for (n, around) in search.find(bytes) {
                let marker = &stage.markers[n];
                seen.insert(place.to_owned());
                if !allowed(marker) {
                    hits.insert(format!("{place}: {} ({}) in {around:?}", marker.field, marker.needle));
                }
            }
        };
        for service in SERVICES {
            let db = processes.db(service).await;
            let mut held = 0;
            for (column, bytes) in columns(&db, engine).await {
                held += bytes.len();
                let allowed = |marker: &Marker| CLEAR.iter().any(|(s, c, class)| (*s, *c, *class) == (service, column.as_str(), marker.class));
                look(&format!("{service} {column}"), &bytes, &allowed);
            }
            assert!(held > 1000, "{service} holds something");
            // Pages that no table shows any more, and the log of the writes. A value that stands in one of the clear columns stands here too.
            let clear = |marker: &Marker| CLEAR.iter().any(|(s, _, class)| (*s, *class) == (service, marker.class));
            for ending in ["db", "db-wal"] {
                let file = processes.folder().join(format!("{service}.{ending}"));
                if engine == Engine::Sqlite {
                    look(&format!("{service}.{ending}"), &std::fs::read(file).unwrap(), &clear);
                }
            }
            let log = std::fs::read(processes.log(service)).unwrap();
            assert!(
                String::from_utf8_lossy(&log).contains("\"level\":\"DEBUG\""),
                "the log of {service} is one of level debug"
            );
            look(&format!("log of {service}"), &log, &|_| false);
        }
        for kind in ["traces", "metrics", "logs"] {
            let bytes = testbed::eventually(kind, async || {
                let bytes = processes.sink.told(kind);
                CALLED.iter().all(|s| bytes.windows(s.len()).any(|w| w == s.as_bytes())).then_some(bytes)
            })
            .await;
            look(kind, &bytes, &|_| false);
        }
        for done in &stage.done {
            match &done.answer {
                Ok(answer) => look(&format!("answer of {}", done.method.name), answer, &|_| false),
                Err(status) => {
                    assert!(earned(status), "{}: {status:?}", done.method.name);
                    look(&format!("refusal of {}", done.method.name), &told(status), &|_| false);
                }
            }
        }
        for what in ["customers", "audit"] {
            let file = processes.folder().join(format!("{what}.csv"));
            let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
            command.args(["export", what, "--data"]).arg(processes.keys()).arg("-o").arg(&file);
            for service in SERVICES {
                command.arg("--address").arg(format!("{service}={}", processes.address(service)));
            }
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let bytes = std::fs::read(&file).unwrap();
            assert!(bytes.len() > 100);
            look(&format!("export of {what}"), &bytes, &|_| false);
            look(&format!("output of the export of {what}"), &[output.stdout, output.stderr].concat(), &|_| false);
        }
        for (service, place, bytes) in copies(processes, engine) {
            let clear = |marker: &Marker| CLEAR.iter().any(|(s, _, class)| (*s, *class) == (service, marker.class));
            look(&place, &bytes, &clear);
        }
        // The look does see: what may stand in clear text was found where it stands.
        for place in ["archive party.name", "archive party.address", "hall staff.name", "vendor person.name"] {
            assert!(seen.contains(place), "{engine:?}: {place} was not found although it is there");
        }
        for service in CALLED {
            assert!(
                seen.contains(&format!("copy of {service}")),
                "{engine:?}: nothing was found in the copy of {service}"
            );
        }
        println!(
            "{engine:?}: {} values in {} fields, {} calls",
            stage.markers.len(),
            sown.len(),
            stage.done.len()
        );
        assert!(
            hits.is_empty(),
            "{engine:?}: {} hits\n{}",
            hits.len(),
            hits.into_iter().collect::<Vec<_>>().join("\n")
        );
    }
}

/// Copies that operators make: of SQLite by `hearth backup`, of PostgreSQL by pg_dump, as that packs its copy within a backup.
fn copies(processes: &Processes, engine: Engine) -> Vec<(&'static str, String, Vec<u8>)> {
    let folder = processes.folder();
    if engine == Engine::Postgres {
        return SERVICES
            .map(|service| {
                let output = Command::new("pg_dump")
                    .args(["--format=plain", "--dbname", processes.url(service)])
                    .output()
                    .unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                assert!(output.stdout.windows(12).any(|w| w == b"COPY public."), "the dump is plain SQL");
                (service, format!("copy of {service}"), output.stdout)
            })
            .to_vec();
    }
    let to = folder.join("backup");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    command.arg("backup").arg("--to").arg(&to);
    command.arg("--database").arg(format!("sqlite://{}/{{service}}.db", folder.display()));
    command.arg("--files").arg(format!("{}/{{service}}-files", folder.display()));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut all = vec![("", "output of the backup".to_owned(), [output.stdout, output.stderr].concat())];
    all.push(("", "manifest of the backup".to_owned(), std::fs::read(to.join("manifest.json")).unwrap()));
    for service in SERVICES {
        for file in std::fs::read_dir(to.join(service))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
        {
            all.push((service, format!("copy of {service}"), std::fs::read(file).unwrap()));
        }
    }
    all
}

/// Fields of answers with personal data that no answer here held, and why.
const NOT_SEEN: &[(&str, &str)] = &[];

#[tokio::test(flavor = "multi_thread")]
async fn r_p5_whoever_reads_sees_a_mask_in_every_personal_field() {
    for engine in ENGINES {
        let Some(stage) = stage(engine).await else { continue };
        let sower = Sower::new(&stage.processes);
        assert!(stage.unmasked.is_empty(), "{engine:?}: {:?}", stage.unmasked);
        let mut wanted = BTreeMap::new();
        for method in sower.methods().into_iter().filter(|m| m.kind != Kind::Reveal) {
            wanted.extend(sower.personal_of(&method.name).1);
        }
        let seen: BTreeSet<_> = stage.seen.iter().map(|(field, _)| field.clone()).collect();
        let left: BTreeSet<_> = NOT_SEEN.iter().map(|(field, _)| (*field).to_owned()).collect();
        let missing: BTreeSet<_> = wanted.keys().filter(|field| !seen.contains(*field)).cloned().collect();
        assert_eq!(missing, left, "fields that no answer held");
        // Every role that may read at all has read.
        let reads: BTreeSet<_> = stage.played.reads.iter().map(|(method, _)| *method).collect();
        let skipped: Vec<_> = sower
            .methods()
            .into_iter()
            .filter(|m| m.kind == Kind::Read && !m.streaming && !sower.personal_of(&m.name).1.is_empty() && !reads.contains(m.name.as_str()))
            .map(|m| m.name)
            .collect();
        assert!(skipped.is_empty(), "reads with personal data that nobody called: {skipped:?}");
        let pairs = stage.seen.len();
        assert!(pairs > 150, "only {pairs} pairs of a role and a field");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_p4_every_reveal_is_journaled_or_refused() {
    for engine in ENGINES {
        let Some(stage) = stage(engine).await else { continue };
        let sower = Sower::new(&stage.processes);
        let all: BTreeSet<_> = sower.methods().into_iter().filter(|m| m.kind == Kind::Reveal).map(|m| m.name).collect();
        let played: BTreeSet<_> = stage.played.reveals.iter().map(|(method, _)| (*method).to_owned()).collect();
        assert_eq!(all, played, "reveals that are not tried");
        let search = Search::new(stage.markers.iter().map(|m| m.needle.as_str()));
        for (method, json) in &stage.played.reveals {
            let service = method.split('.').nth(1).unwrap();
            let db = stage.processes.db(service).await;
            let role = Role::try_from(sower.method(method).access.roles[0]).unwrap();
            let mut caller = staff(role);
            caller.subject = "revealer".to_owned();
            let told = async || number(&db, &format!("SELECT count(*) FROM journal WHERE method = '{method}'")).await;
            let before = told().await;
            let request = sower.request(method, json.clone());
            sower.send(&caller, method, request.clone()).await.unwrap();
            let shown = sower.done.lock().unwrap().last().unwrap().answer.clone().unwrap();
            assert!(!search.find(&shown).is_empty(), "{method} shows clear text");
            let sql = format!("SELECT actor, purpose, subjects, request_id FROM journal WHERE method = '{method}' AND actor = 'revealer'");
            let row: Vec<String> = {
                let found = rows(&db, &sql).await;
                assert_eq!(found.len(), 1, "{method}");
                (0..4).map(|i| found[0].try_get_by_index(i).unwrap()).collect()
            };
            let done = sower.done.lock().unwrap().last().unwrap().clone();
            assert_eq!(
                (row[1].as_str(), row[3].as_str()),
                (json["purpose"].as_str().unwrap(), done.request_id.as_str())
            );
            let about = json
                .as_object()
                .unwrap()
                .iter()
                .filter(|(name, _)| name.ends_with("_id"))
                .map(|(_, id)| id.as_str().unwrap());
            assert!(
                about.into_iter().any(|id| row[2].split(' ').any(|subject| subject == id)),
                "{method} names what it was about: {row:?}"
            );
            // With the same key once more: shown and journaled once more.
            sower.send(&caller, method, request).await.unwrap();
            assert_eq!(told().await, before + 2);

            caller.subject = "unlucky".to_owned();
            let statements: [&str; 2] = match engine {
                Engine::Sqlite => [
                    "CREATE TRIGGER unlucky BEFORE INSERT ON journal WHEN NEW.actor = 'unlucky' BEGIN SELECT RAISE(ABORT, 'the journal is full'); END",
                    "DROP TRIGGER unlucky",
                ],
                Engine::Postgres => [
                    "CREATE FUNCTION unlucky() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the journal is full'; END $$;
                    CREATE TRIGGER unlucky BEFORE INSERT ON journal FOR EACH ROW WHEN (NEW.actor = 'unlucky') EXECUTE FUNCTION unlucky()",
                    "DROP TRIGGER unlucky ON journal; DROP FUNCTION unlucky()",
                ],
            };
            sea_orm::ConnectionTrait::execute_unprepared(&db, statements[0]).await.unwrap();
            let refused = sower.attempt(&caller, method, json.clone()).await;
            sea_orm::ConnectionTrait::execute_unprepared(&db, statements[1]).await.unwrap();
            let status = refused.unwrap_err();
            assert!(search.find(&self::told(&status)).is_empty(), "{method}: {status:?}");
            assert_eq!(told().await, before + 2, "{method}");
        }
    }
}

/// Every call that changed something left one row of the journal under its key, every other call none; a repetition adds nothing.
#[tokio::test(flavor = "multi_thread")]
async fn r_a2_each_write_has_one_journal_row_and_a_refusal_none() {
    for engine in ENGINES {
        let Some(stage) = stage(engine).await else { continue };
        let sower = Sower::new(&stage.processes);
        let mut outcomes: BTreeMap<(String, String, String), bool> = BTreeMap::new();
        for done in stage.done.iter().filter(|d| d.method.kind == Kind::Write && !d.request_id.is_empty()) {
            let key = (done.method.name.clone(), done.actor.clone(), done.request_id.clone());
            *outcomes.entry(key).or_default() |= done.answer.is_ok();
        }
        for done in stage
            .done
            .iter()
            .filter(|d| d.method.kind == Kind::Write && d.answer.is_ok() && !d.method.streaming)
        {
            sower.send(&actor(done), &done.method.name, done.request.clone()).await.unwrap();
            let again = sower.done.lock().unwrap().last().unwrap().answer.clone().unwrap();
            assert_eq!(Ok(&again), done.answer.as_ref().map_err(|_| ()), "{} answers as it did", done.method.name);
        }
        let mut counted = BTreeMap::new();
        for service in SERVICES {
            let db = stage.processes.db(service).await;
            for row in rows(&db, "SELECT method, actor, request_id FROM journal WHERE request_id IS NOT NULL").await {
                let [method, actor, id] = [0, 1, 2].map(|i| row.try_get_by_index::<String>(i).unwrap());
                *counted.entry((method, actor, id)).or_insert(0) += 1;
            }
            let lone = "SELECT count(*) FROM replay r WHERE NOT EXISTS (SELECT 1 FROM journal j WHERE j.request_id = r.request_id AND j.method = r.method)";
            assert_eq!(number(&db, lone).await, 0, "{service} keeps answers of writes that no row tells of");
            let lone = "SELECT count(*) FROM journal j WHERE j.request_id IS NOT NULL AND j.method NOT LIKE '%/Reveal%'
                AND NOT EXISTS (SELECT 1 FROM replay r WHERE j.request_id = r.request_id AND j.method = r.method)";
            assert_eq!(number(&db, lone).await, 0, "{service} tells of writes whose answer it did not keep");
            let lone = "SELECT count(*) FROM event e WHERE NOT EXISTS (SELECT 1 FROM journal j WHERE j.id = e.journal_id)";
            assert_eq!(number(&db, lone).await, 0, "{service} has events without a row");
        }
        let (mut made, mut refused) = (0, 0);
        for (key, ok) in &outcomes {
            assert_eq!(counted.get(key).copied().unwrap_or(0), i32::from(*ok), "{key:?}");
            if *ok { made += 1 } else { refused += 1 }
        }
        assert!(made > 40 && refused > 100, "{made} writes and {refused} refusals");
    }
}

/// No statement of a service's own role changes what is written once for all.
#[tokio::test(flavor = "multi_thread")]
async fn r_a3_what_is_append_only_is_so_for_the_role_of_the_service() {
    for engine in ENGINES {
        let Some(stage) = stage(engine).await else { continue };
        for service in SERVICES {
            let db = stage.processes.db(service).await;
            let guarded = match engine {
                Engine::Sqlite => "SELECT DISTINCT tbl_name FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '%BEFORE DELETE%'",
                Engine::Postgres => {
                    "SELECT DISTINCT c.relname::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND t.tgtype & 8 <> 0
                    AND c.relnamespace = current_schema()::regnamespace"
                }
            };
            let tables: BTreeSet<String> = rows(&db, guarded).await.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
            for table in ["journal", "event", "seal", "anchor"] {
                assert!(tables.contains(table), "{service}.{table}");
            }
            if service == "billing" {
                for table in ["ledger_transaction", "ledger_entry", "bill", "bill_line", "payment", "allocation"] {
                    assert!(tables.contains(table), "{service}.{table}");
                }
            }
            for table in tables {
                let mut attempts = vec![];
                if number(&db, &format!("SELECT count(*) FROM {table}")).await > 0 {
                    attempts.push(format!("DELETE FROM {table}"));
                }
                if engine == Engine::Postgres {
                    attempts.push(format!("TRUNCATE {table} CASCADE"));
                }
                for attempt in attempts {
                    let error = sea_orm::ConnectionTrait::execute_unprepared(&db, &attempt).await.unwrap_err();
                    let reason = rpc::Fault::from(error).reason().to_owned();
                    assert!(
                        reason.ends_with("_IS_APPEND_ONLY") || reason.ends_with("_IS_IMMUTABLE"),
                        "{service}: {attempt}: {reason}"
                    );
                }
            }
        }
    }
}
