//! One script on both engines: the same calls, a fifth of them wrong on purpose, get the same answers and leave the same tables. Texts that would do
//! harm if anybody ran them stand in every field that takes any text, and what succeeds is asked for again, of one engine at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use contracts::hearth::options::v1::Role;
use database::Engine;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, ReflectMessage, Value};
use rpc::{AccessTable, Kind};
use testbed::means::runs;

use crate::{
    fill::{Dice, Filler},
    injection,
    repeat::{Asked, Changed},
    sides::{Caller, Outcome, Side, bytes, improper},
    tables,
    world::{folder, people},
};

/// Rounds and seed of another run.
const ROUNDS: &str = "HEARTH_SCRIPT_ROUNDS";
const SEED: &str = "HEARTH_SCRIPT_SEED";
/// How often each kind of write is asked for again.
const REPEATS: &str = "HEARTH_SCRIPT_REPEATS";
/// In how many of a hundred steps a wrong call goes ahead of the right one.
const WRONG: usize = 28;
/// Of how many of a hundred writes at least one call succeeds; the others are refused in each round, alike on both sides.
const SUCCEED: usize = 75;

/// Fields that are exceptions, with the reason, under a heading of `exceptions.txt`; read when it runs.
fn exceptions(heading: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/exceptions.txt")).unwrap();
    let part = text
        .split("\n# ")
        .find_map(|part| part.strip_prefix(heading))
        .unwrap_or_else(|| panic!("no heading {heading}"));
    let lines = part.lines().skip(1).filter(|line| !line.is_empty());
    lines
        .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("{line}: no reason")).0.to_owned())
        .collect()
}

/// Of how many texts of a field it is looked whether they are kept.
const LOOKED_FOR: usize = 30;

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
    repeats: usize,
    /// What was asked for again, on either side.
    asked: [Vec<Asked>; 2],
    changed: Changed,
    /// Texts of successful writes by service and field.
    texts: BTreeMap<(String, String), BTreeSet<String>>,
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
        let texts = self.sides[0].known.texts.clone();
        let first = messages.each_ref().map(bytes);
        let done = self.send(step, &subject, &step.roles, &first, None).await;
        let Some([left, right]) = done.filter(|_| step.writes) else {
            return;
        };
        let service = step.method.parent_service().package_name().split('.').nth(1).unwrap().to_owned();
        for (field, text) in texts {
            self.texts.entry((service.clone(), field)).or_default().insert(text);
        }
        // The first that succeeds is asked for again on one side, the second on the other.
        let which = usize::from(self.asked[0].iter().any(|a| a.method == step.method));
        if self.asked[which].iter().all(|a| a.method != step.method) {
            let asked = if which == 0 { left } else { right };
            self.again(which, asked).await;
        }
    }

    async fn again(&mut self, which: usize, asked: Asked) {
        let side = &self.sides[which];
        self.faults.extend(asked.repeat(side, self.repeats).await);
        // With dice of its own: the script goes on as if nothing had been asked again.
        let changed = asked.change(side, &mut self.dice.clone()).await;
        self.changed.told += changed.told;
        self.changed.unfit.extend(changed.unfit);
        self.faults.extend(changed.faults);
        self.asked[which].push(asked);
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

    /// Sends to both, compares, learns; what was done on either side where it was no refusal.
    async fn send(&mut self, step: &Step, subject: &str, roles: &[Role], sent: &[Vec<u8>; 2], wrong: Option<Wrong>) -> Option<[Asked; 2]> {
        let method = &step.method;
        let [left, right] = &mut self.sides;
        let requests = sent.each_ref().map(|bytes| DynamicMessage::decode(method.input(), bytes.as_slice()).unwrap());
        let callers = requests.each_ref().map(|request| Caller::of(subject, roles, request));
        let answered = tokio::join!(left.send(method, &callers[0], &sent[0]), right.send(method, &callers[1], &sent[1]));
        let answered: [_; 2] = answered.into();
        let read = |bytes: &bytes::Bytes| DynamicMessage::decode(method.output(), bytes.clone()).unwrap();
        let outcomes: [Outcome; 2] = answered
            .each_ref()
            .map(|a| a.as_ref().map(|b| b.iter().map(read).collect()).map_err(Clone::clone));
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
            side.known.counted(outcome.is_ok());
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
        let ([first, second], [one, other]) = (callers, answered);
        let asked = |caller, message: &Vec<u8>, answers| Asked {
            method: method.clone(),
            caller,
            message: message.clone(),
            answers,
        };
        Some([asked(first, &sent[0], one.ok()?), asked(second, &sent[1], other.ok()?)])
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
            for rows in &rows {
                self.faults.extend(changed_texts(service, &self.texts, rows));
            }
        }
    }
}

/// S12: fields whose texts are found neither in the tables nor in the answers that are kept, as they were sent.
fn changed_texts(service: &str, sent: &BTreeMap<(String, String), BTreeSet<String>>, rows: &tables::Rows) -> Vec<String> {
    let values: BTreeSet<&str> = rows.values().flatten().flatten().map(|(_, value)| value.as_str()).collect();
    let all = values.iter().copied().collect::<Vec<_>>().join("\n");
    let kept = |text: &str| {
        let in_json = serde_json::to_string(text).unwrap();
        let in_bytes: String = text.bytes().map(|b| format!("{b:02x}")).collect();
        values.contains(text) || [text, in_json.trim_matches('"'), &in_bytes].iter().any(|form| all.contains(form))
    };
    let (mut found, known) = (vec![], exceptions("Not kept"));
    for ((_, field), texts) in sent.iter().filter(|((s, _), _)| s == service) {
        let looked: Vec<_> = texts.iter().step_by(texts.len().div_ceil(LOOKED_FOR)).collect();
        let lost: Vec<_> = looked.iter().filter(|text| !kept(text)).collect();
        // One that is replaced later in the round is gone now and then.
        if lost.len() == looked.len() && lost.len() > 2 && !known.contains(field) {
            found.push(format!(
                "{field}: {} of {} texts are not kept as they are: {:?}",
                lost.len(),
                looked.len(),
                lost[0]
            ));
        }
    }
    found
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
    let (rounds, seed) = (setting(ROUNDS, runs(10, 140)), setting(SEED, 20_250_102));
    let keys = folder().join("keys");
    let mut left = Side::start(Engine::Sqlite, &keys).await.unwrap();
    let Some(mut right) = Side::start(Engine::Postgres, &keys).await else {
        return;
    };
    for side in [&mut left, &mut right] {
        side.known.harm = injection::DATA.map(str::to_owned).to_vec();
    }
    let steps = script();
    let mut run = Run {
        sides: [left, right],
        dice: Dice(seed),
        calls: BTreeMap::new(),
        wrong: 0,
        keys: HashMap::new(),
        refusals: BTreeMap::new(),
        faults: vec![],
        repeats: setting(REPEATS, runs(5, 1000)) as usize,
        asked: [vec![], vec![]],
        changed: Changed::default(),
        texts: BTreeMap::new(),
    };
    for _ in 0..rounds {
        for step in &steps {
            run.step(step).await;
            assert!(run.faults.len() < 5, "seed {seed}\n{}", run.faults.join("\n"));
        }
        let [left, right] = &run.sides;
        tokio::join!(left.move_on(12), right.move_on(12));
    }
    // I4: long after, too.
    for (side, asked) in run.sides.iter().zip(&run.asked) {
        for asked in asked {
            run.faults.extend(asked.repeat(side, 1).await);
        }
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
    println!(
        "{} and {} kinds of writes asked for {} times again, {} fields sent with another content under the same key; texts of {} fields",
        run.asked[0].len(),
        run.asked[1].len(),
        run.repeats,
        run.changed.told,
        run.texts.len()
    );
    let known = exceptions("No other value");
    let unfit: BTreeSet<_> = run.changed.unfit.iter().filter(|(field, _)| !known.contains(field)).collect();
    for (field, why) in &unfit {
        println!("  {field}: no other value comes as far as the key: {why}");
    }
    assert!(unfit.len() * 50 <= run.changed.told, "{} fields of which no other value was tried", unfit.len());
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
