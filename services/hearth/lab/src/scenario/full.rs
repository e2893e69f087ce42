//! The whole programme: steps of some minutes each. What is done stands in a file, so that a run that was broken off goes on; with all steps done it
//! prints the rows for `docs/reliability.md` and forgets them.

use std::{collections::BTreeMap, fs, path::Path, process::ExitCode};

use database::Engine;

use super::{frozen, kills, orders, retries, runs};

/// Where finished steps are kept, from where it is called.
const STATE: &str = "target/lab-full.txt";

/// A part of the programme: the ids that it shows, and how often it is repeated.
const PARTS: &[(&str, &str, usize)] = &[
    ("kills", "D1, D8, E1, M1, M2", 10),
    ("answers lost", "I1", 1),
    ("twins", "I3", 1),
    ("frozen", "O13", 1),
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
                    .unwrap_or_else(|| "not run: no PostgreSQL here".to_owned());
                done.insert(step, figure);
                let lines: String = done.iter().map(|(step, figure)| format!("{step}\t{figure}\n")).collect();
                fs::write(path, lines).unwrap();
            }
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
    fs::remove_file(path).unwrap();
    ExitCode::SUCCESS
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
        _ => runs::run(engine, 20_000, 20).await,
    }
}
