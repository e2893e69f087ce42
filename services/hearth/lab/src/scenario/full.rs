//! The whole programme: steps of some minutes each, then the tests that have a long form. What is done stands in a file, so that a run that was broken off
//! goes on; with all steps done it prints the rows for `docs/reliability.md` and forgets them.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    process::{Command, ExitCode},
};

use database::Engine;

use super::{frozen, kills, links, orders, retries, runs};
use crate::seed::{self, say};

/// Where finished steps are kept, from where it is called.
const STATE: &str = "target/lab-full.txt";

/// Names and values of environment variables.
type Settings = &'static [(&'static str, &'static str)];

/// Tests that ask for more in profile `full`, on both engines where they have them: the ids that they show, what `cargo test --release` is told, and
/// settings of their own.
const TESTS: &[(&str, &str, Settings)] = &[
    ("M4", "-p money --test it", &[]),
    ("D2, D4, D6, C4", "-p database --test storage", &[]),
    ("T5, T6, O9", "-p rpc --test it", &[("HEARTH_IDLE", "10000")]),
    ("O20", "-p boot --test it dark", &[("HEARTH_ROUNDS", "40000")]),
    ("D4, D10, C1, C3, C5", "-p hearth --test operate", &[]),
    ("M9, I1, I2, I4, S12", "-p hearth --test it engines::", &[]),
    ("I1", "-p archive -p hall -p vendor -p billing --test it", &[]),
    ("W7, W8, W10", "-p hearth --test it nonsense::", &[]),
    ("S2", "-p hearth --test it isolation::", &[]),
];

/// A part of the programme: the ids that it shows, and how often it is repeated.
const PARTS: &[(&str, &str, usize)] = &[
    ("kills", "D1, D8, E1, M1, M2", 10),
    ("answers lost", "I1", 1),
    ("twins", "I3", 1),
    ("frozen", "O13", 1),
    ("links", "E1, E2", 1),
    ("orders", "O19, D12", 1),
    ("runs", "I9", 1),
];

pub fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() != Some("full") {
        eprintln!("lab: the only word is `full`; profile ci is `cargo test -p lab`");
        return ExitCode::FAILURE;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let path = Path::new(STATE);
    let mut done: BTreeMap<String, String> = fs::read_to_string(path)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once('\t').map(|(step, figure)| (step.to_owned(), figure.to_owned())))
        .collect();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for (part, _, times) in PARTS {
            for n in 1..=*times {
                let step = format!("{part} {engine:?} {n}");
                if done.contains_key(&step) {
                    continue;
                }
                let figure = runtime
                    .block_on(play(part, engine, n))
                    .map_or_else(|| "not run: no PostgreSQL here".to_owned(), |figure| format!("{figure}; seed {}", seed::run()));
                note(&mut done, step, figure);
            }
        }
    }
    for (_, words, settings) in TESTS {
        if !done.contains_key(*words) {
            let Some(figure) = test(words, settings) else { return ExitCode::FAILURE };
            note(&mut done, (*words).to_owned(), figure);
        }
    }
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for (part, ids, times) in PARTS {
            for n in 1..=*times {
                println!(
                    "| {ids} | {part} | `lab full`, {n} of {times} | {} | {engine:?} |",
                    done[&format!("{part} {engine:?} {n}")]
                );
            }
        }
    }
    for (ids, words, _) in TESTS {
        println!("| {ids} | `HEARTH_PROFILE=full cargo test --release {words}` | {} |", done[*words]);
    }
    fs::remove_file(STATE).unwrap();
    ExitCode::SUCCESS
}

/// Keeps what a step has shown.
fn note(done: &mut BTreeMap<String, String>, step: String, figure: String) {
    done.insert(step, figure);
    let lines: String = done.iter().map(|(step, figure)| format!("{step}\t{figure}\n")).collect();
    fs::write(STATE, lines).unwrap();
}

/// Runs tests; what they say stands in a file of the target folder. None where one fails.
fn test(words: &str, settings: &[(&str, &str)]) -> Option<String> {
    let name: String = words.chars().filter(|c| c.is_ascii_alphanumeric() || *c == ' ').collect();
    let path = format!("target/lab-full-{}.log", name.trim().replace(' ', "-"));
    let log = File::create(&path).unwrap();
    let mut command = Command::new("cargo");
    command
        .args(["test", "--release", "--locked"])
        .args(words.split(' '))
        .args(["--", "--nocapture"]);
    let outcome = command
        .env("HEARTH_PROFILE", "full")
        .envs(settings.iter().copied())
        .stderr(log.try_clone().unwrap())
        .stdout(log)
        .status();
    if !outcome.is_ok_and(|status| status.success()) {
        say(&format!("cargo test {words}: failed, see {path}"));
        return None;
    }
    let said = fs::read_to_string(&path).unwrap();
    let result = said.lines().rfind(|line| line.starts_with("test result: ok"));
    Some(format!("{}; {path}", result.unwrap_or("nothing ran")))
}

async fn play(part: &str, engine: Engine, round: usize) -> Option<String> {
    let cycles = match engine {
        Engine::Sqlite => 20,
        Engine::Postgres => 10,
    };
    match part {
        "kills" => kills::run(engine, round, cycles).await,
        "answers lost" => retries::lost_answers(engine, 1000).await,
        "twins" => retries::twins(engine, 100).await,
        "orders" => orders::run(engine, 24).await,
        "frozen" => frozen::run(engine, &[1, 5, 30]).await,
        "links" => links::run(engine, 300).await,
        _ => runs::run(engine, 20_000, 20).await,
    }
}
