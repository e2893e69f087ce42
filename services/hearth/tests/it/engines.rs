//! One script on both engines: the same calls, a fifth of them wrong on purpose, get the same answers and leave the same tables.

use std::collections::{BTreeMap, HashMap};

use contracts::hearth::options::v1::Role;
use database::Engine;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, ReflectMessage, Value};
use rpc::{AccessTable, Kind};

use crate::{
    fill::{Dice, Filler},
    sides::{Caller, Outcome, Side, bytes, improper},
    tables,
    world::{folder, people},
};

/// Rounds and seed of another run.
const ROUNDS: &str = "HEARTH_SCRIPT_ROUNDS";
const SEED: &str = "HEARTH_SCRIPT_SEED";
/// In how many of a hundred steps a wrong call goes ahead of the right one.
const WRONG: usize = 28;
/// Of how many of a hundred writes at least one call succeeds; the others are refused in each round, alike on both sides.
const SUCCEED: usize = 75;

/// A line of the script.
struct Step {
    method: MethodDescriptor,
    /// Those of the contract that a token proves.
    roles: Vec<Role>,
    /// Some steps only read what the next one needs.
    writes: bool,
    caller: Option<String>,
    given: serde_json::Value,
}

/// What is wrong with a call.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Etag,
    Key,
    Missing,
    Unknown,
    Role,
}

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// The script, read when it runs: a change of it needs no build.
fn script() -> Vec<Step> {
    let pool = DescriptorPool::decode(contracts::DESCRIPTORS).unwrap();
    let access = AccessTable::read().unwrap();
    let mut methods = HashMap::new();
    for method in pool.services().flat_map(|s| s.methods().collect::<Vec<_>>()) {
        let name = format!("{}/{}", method.parent_service().full_name(), method.name());
        let Some(found) = access
            .get(&name)
            .filter(|m| m.kind != Kind::Reveal && !m.access.development && (m.kind == Kind::Write || !m.streaming))
        else {
            continue;
        };
        let roles = found
            .access
            .roles
            .iter()
            .filter_map(|r| Role::try_from(*r).ok())
            .filter(|r| *r < Role::ServiceArchive)
            .collect::<Vec<_>>();
        let package = method.parent_service().package_name().split('.').nth(1).unwrap().to_owned();
        let short = format!("{package}.{}", method.name());
        // Journals and jobs are read by name from every service; here they are read in their tables.
        if !matches!(package.as_str(), "journal") {
            let before = methods.insert(short.clone(), (method, roles, found.kind));
            assert!(before.is_none(), "two methods are called {short}");
        }
    }
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/script.txt")).unwrap();
    let steps: Vec<_> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (head, given) = line.split_once(" {").map_or((line, String::new()), |(head, rest)| (head, format!("{{{rest}")));
            let (name, caller) = head.split_once(" @").map_or((head, None), |(name, caller)| (name, Some(caller.to_owned())));
            let (method, roles, kind) = methods.get(name).cloned().unwrap_or_else(|| panic!("there is no method {name}"));
            let given = if given.is_empty() {
                serde_json::json!({})
            } else {
                serde_json::from_str(&given).unwrap_or_else(|e| panic!("{line}: {e}"))
            };
            Step {
                method,
                roles,
                writes: kind == Kind::Write,
                caller,
                given,
            }
        })
        .collect();
    let missing: Vec<_> = methods
        .iter()
        .filter(|(_, (m, _, kind))| *kind == Kind::Write && !steps.iter().any(|s| s.method == *m))
        .map(|(name, _)| name)
        .collect();
    assert!(missing.is_empty(), "writes that the script does not call: {missing:?}");
    steps
}

/// Both sides and what is counted.
struct Run {
    sides: [Side; 2],
    dice: Dice,
    calls: BTreeMap<String, (usize, usize)>,
    wrong: usize,
    /// The last key that a caller used with success, by service.
    keys: HashMap<(String, String), String>,
    refusals: BTreeMap<String, String>,
    faults: Vec<String>,
}

impl Run {
    /// The request on one side; both sides throw the same dice.
    fn fill(&mut self, which: usize, step: &Step) -> (DynamicMessage, Dice) {
        let mut dice = self.dice.clone();
        let side = &mut self.sides[which];
        let now = side.clock.now();
        let mut filler = Filler::new(&mut side.known, &mut dice, now);
        (filler.request(&step.method.input(), &step.given), dice)
    }

    async fn step(&mut self, step: &Step) {
        if step.writes && self.dice.percent(WRONG) {
            self.wrongly(step).await;
        }
        let subject = match step.caller.as_deref() {
            Some("login") => self.sides[0].known.latest("login").unwrap_or("s1").to_owned(),
            Some(number) => format!("s{number}"),
            None => format!("s{}", 1 + self.dice.below(6)),
        };
        let messages = self.both(step);
        let first = messages.each_ref().map(bytes);
        let told = self.send(step, &subject, &step.roles, &first, None).await;
        // Now and then the same once more: the answer is the one that was given then.
        if let Some(told) = told
            && self.dice.percent(10)
        {
            let again = self.send(step, &subject, &step.roles, &first, None).await;
            if again.as_ref() != Some(&told) {
                self.faults
                    .push(format!("{}: a replay is answered\n  {again:?}\n  and not\n  {told}", step.method.full_name()));
            }
        }
    }

    /// The same request on both sides, each with its own ids.
    fn both(&mut self, step: &Step) -> [DynamicMessage; 2] {
        let (left, after) = self.fill(0, step);
        let (right, same) = self.fill(1, step);
        assert_eq!(after, same, "the two sides threw different dice for {}", step.method.full_name());
        self.dice = after;
        [left, right]
    }

    /// A call that must be refused, or that has no effect of its own.
    async fn wrongly(&mut self, step: &Step) {
        let mut messages = self.both(step);
        let subject = format!("s{}", 1 + self.dice.below(6));
        let package = step.method.parent_service().package_name().to_owned();
        let kinds = [Wrong::Etag, Wrong::Key, Wrong::Missing, Wrong::Unknown, Wrong::Role];
        let wrong = kinds[self.dice.below(kinds.len())];
        let mut roles = step.roles.clone();
        let which = self.dice.roll() as usize;
        let ids = |m: &DynamicMessage| -> Vec<_> {
            let set: Vec<_> = m.fields().map(|(f, _)| f).collect();
            set.into_iter().filter(|f| f.name().ends_with("_id") && f.name() != "request_id").collect()
        };
        let fresh = self.dice.uuid();
        for message in &mut messages {
            match wrong {
                Wrong::Etag => set(message, "etag", "\"0000000000000000\""),
                Wrong::Key => match self.keys.get(&(package.clone(), subject.clone())) {
                    Some(key) => set(message, "request_id", key),
                    None => set(message, "request_id", "no key"),
                },
                Wrong::Missing => {
                    let set: Vec<_> = message.fields().map(|(f, _)| f).collect();
                    if let Some(field) = set.get(which % set.len().max(1)) {
                        message.clear_field(field);
                    }
                }
                Wrong::Unknown => {
                    let ids = ids(message);
                    match ids.get(which % ids.len().max(1)) {
                        Some(field) => message.set_field(field, Value::String(fresh.clone())),
                        None => set(message, "request_id", ""),
                    }
                }
                Wrong::Role => {
                    roles = people();
                    roles.retain(|r| !step.roles.contains(r));
                    if roles.is_empty() {
                        roles = vec![Role::Customer];
                    }
                }
            }
        }
        self.wrong += 1;
        let sent = messages.each_ref().map(bytes);
        self.send(step, &subject, &roles, &sent, Some(wrong)).await;
    }

    /// Sends to both, compares, learns; what both said where that was no refusal.
    async fn send(&mut self, step: &Step, subject: &str, roles: &[Role], sent: &[Vec<u8>; 2], wrong: Option<Wrong>) -> Option<String> {
        let method = &step.method;
        let [left, right] = &mut self.sides;
        let requests = sent.each_ref().map(|bytes| DynamicMessage::decode(method.input(), bytes.as_slice()).unwrap());
        let callers = requests.each_ref().map(|request| Caller::of(subject, roles, request));
        let outcomes = tokio::join!(left.call(method, &callers[0], &sent[0]), right.call(method, &callers[1], &sent[1]));
        let outcomes: [Outcome; 2] = outcomes.into();
        let told = [left.told(&outcomes[0]), right.told(&outcomes[1])];
        let name = method.full_name().to_owned();
        if told[0] != told[1] {
            self.faults.push(format!(
                "{name} by {subject}, {wrong:?}, {}\n  SQLite     {}\n  PostgreSQL {}",
                serde_json::to_string(&requests[0]).unwrap(),
                told[0],
                told[1]
            ));
        }
        self.faults.extend(
            outcomes
                .iter()
                .filter_map(|o| improper(o.as_ref().err()?, None))
                .map(|fault| format!("{name}: {fault}")),
        );
        let fine = outcomes[0].is_ok();
        if step.writes {
            let count = self.calls.entry(name.clone()).or_default();
            count.0 += 1;
            count.1 += usize::from(fine && wrong.is_none());
        }
        if !fine && wrong.is_none() {
            self.refusals.insert(name, told[0].clone());
        }
        for (side, outcome) in self.sides.iter_mut().zip(&outcomes) {
            for answer in outcome.iter().flatten() {
                side.known.learn(answer);
            }
        }
        if step.writes && outcomes.iter().any(Result::is_ok) {
            let [left, right] = &self.sides;
            tokio::join!(left.quiet(), right.quiet());
            if let Some(key) = requests[0].get_field_by_name("request_id").and_then(|v| v.as_str().map(str::to_owned)) {
                self.keys.insert((method.parent_service().package_name().to_owned(), subject.to_owned()), key);
            }
        }
        let [left, _] = told;
        fine.then_some(left)
    }

    /// Every table of the four services.
    async fn compare_tables(&mut self) {
        let [left, right] = &mut self.sides;
        for i in 0..left.running.len() {
            let service = left.running[i].name;
            let rows = [
                tables::rows(service, &left.running[i].db).await,
                tables::rows(service, &right.running[i].db).await,
            ];
            let found = tables::differences(service, [&rows[0], &rows[1]], [&mut left.names, &mut right.names]);
            self.faults.extend(found);
        }
    }
}

fn set(message: &mut DynamicMessage, name: &str, value: &str) {
    if let Some(field) = message.descriptor().get_field_by_name(name) {
        message.set_field(&field, Value::String(value.to_owned()));
    }
}

/// Every write of the four services at least ten times, a fifth of the calls wrong on purpose; ids of requests, contents, callers and the clock
/// come from the seed. Ids that the services make begin with the machine's time; they are compared by the order of their appearance.
#[tokio::test(flavor = "multi_thread")]
async fn r_m9_one_script_gives_equal_answers_and_tables_on_both_engines() {
    let (rounds, seed) = (setting(ROUNDS, 10), setting(SEED, 20_250_102));
    let keys = folder().join("keys");
    let left = Side::start(Engine::Sqlite, &keys).await.unwrap();
    let Some(right) = Side::start(Engine::Postgres, &keys).await else { return };
    let steps = script();
    let mut run = Run {
        sides: [left, right],
        dice: Dice(seed),
        calls: BTreeMap::new(),
        wrong: 0,
        keys: HashMap::new(),
        refusals: BTreeMap::new(),
        faults: vec![],
    };
    for _ in 0..rounds {
        for step in &steps {
            run.step(step).await;
            assert!(run.faults.len() < 5, "seed {seed}\n{}", run.faults.join("\n"));
        }
        let [left, right] = &run.sides;
        tokio::join!(left.move_on(12), right.move_on(12));
    }
    run.compare_tables().await;
    let calls: usize = run.calls.values().map(|c| c.0).sum();
    let fine: usize = run.calls.values().map(|c| c.1).sum();
    let rare: Vec<_> = run.calls.iter().filter(|(_, c)| c.0 < 10).map(|(name, _)| name.as_str()).collect();
    let never: Vec<_> = run.calls.iter().filter(|(_, c)| c.1 == 0).map(|(name, _)| name.as_str()).collect();
    println!(
        "seed {seed}: {} writes, {calls} calls on each engine, {fine} that succeeded, {} wrong on purpose, {} writes that never succeeded",
        run.calls.len(),
        run.wrong,
        never.len()
    );
    for name in &never {
        println!("  {name}: {}", run.refusals.get(*name).map_or("", String::as_str));
    }
    assert!(run.faults.is_empty(), "seed {seed}\n{}", run.faults.join("\n"));
    assert!(rounds < 10 || rare.is_empty(), "called less than ten times: {rare:?}");
    assert!(run.wrong * 5 >= calls, "{} of {calls} calls are wrong on purpose", run.wrong);
    assert!(
        rounds < 10 || never.len() * 100 <= run.calls.len() * (100 - SUCCEED),
        "no call succeeded: {never:?}"
    );
    for side in run.sides {
        for running in side.running {
            running.stop().await.unwrap();
        }
    }
}
