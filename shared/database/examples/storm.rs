//! Goodput of writes under more load than can be done (reliability goals O1, O2, O3):
//! `cargo run --release -p database --example storm [SECONDS [MILLISECONDS]]`, on SQLite and, where the machine has it, on PostgreSQL.
//!
//! A service with the suite's layers, TLS and a database runs in a process of its own. What it can do is found by 32 callers who wait for
//! each other's end; then callers come at an even pace whatever becomes of those before, wait a second, and come again where they
//! are told to, twice at most. With the second number a write waits so long in PostgreSQL, so that its connections and not the processors are what is
//! short.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_arithmetic)]

#[path = "../tests/storage/callers.rs"]
mod callers;
#[path = "../tests/storage/notes.rs"]
mod notes;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use callers::{Callers, DONE, REFUSED, ended, goodput, slow_down};
use notes::DESK;

const DEADLINE: Duration = Duration::from_secs(1);
/// Tenths of what can be done.
const STEPS: [u32; 6] = [7, 10, 20, 50, 100, 7];

/// The service in this process, until its input ends.
async fn serve(url: &str, folder: &Path) {
    let (running, address) = callers::serve(url, folder).await;
    println!("{address}");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut vec![]))
        .await
        .unwrap()
        .unwrap();
    running.stop().await.unwrap();
}

/// Seconds of the processors that a process has taken.
fn work(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn start(url: &str, folder: &Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("serve")
        .arg(url)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    (child, address.trim().to_owned())
}

async fn measure(engine: &str, url: &str, folder: &Path, time: Duration) {
    let (mut child, address) = start(url, folder);
    let callers = Callers::new(&address, folder, DEADLINE);
    callers.peak(Duration::from_secs(3)).await;
    let peak = callers.peak(time).await;
    println!("| {engine} | peak | {peak:.0} | | | | | |");
    for tenths in STEPS {
        let rate = ((peak * f64::from(tenths) / 10.0) as u32).max(1);
        let (began, before) = (Instant::now(), work(child.id()));
        let tries = callers.offer(rate, time).await;
        let took = work(child.id()) - before;
        // Who comes last is answered after the end.
        let (whole, end) = (goodput(&tries, began, began + time), goodput(&tries, began + time / 2, began + time));
        let mut others = BTreeMap::<&str, usize>::new();
        for one in tries.iter().filter(|one| ![DONE, REFUSED].contains(&one.why.as_str())) {
            *others.entry(&one.why).or_default() += 1;
        }
        let ((_, served), (refused, quickly)) = (ended(&tries, DONE), ended(&tries, REFUSED));
        let each = took * 1e6 / tries.len() as f64;
        println!("| {engine} | {rate} | {whole:.0} | {end:.0} | {served} | {quickly} | {refused} | {each:.0} | {others:?} |");
    }
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let first = args.next();
    if first.as_deref() == Some("serve") {
        let (url, folder) = (args.next().unwrap(), args.next().unwrap());
        return serve(&url, Path::new(&folder)).await;
    }
    let time = Duration::from_secs(first.and_then(|n| n.parse().ok()).unwrap_or(10));
    let slow: u64 = args.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let folder = tempfile::tempdir().unwrap();
    boot::keys::make(&folder.path().join("keys"), &[]).unwrap();
    println!(
        "| engine | offered/s | goodput/s | in the second half | p99 of the served, ms | of the refused, ms | refused | processor time of the service a try, µs | others |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    if slow == 0 {
        let url = format!("sqlite://{}", folder.path().join("storm.db").display());
        measure("SQLite", &url, folder.path(), time).await;
    }
    if let Some(url) = testbed::postgres::migrated(DESK).await {
        if slow > 0 {
            slow_down(&url, Duration::from_millis(slow)).await;
        }
        measure("PostgreSQL", &url, folder.path(), time).await;
    }
}
