//! A collector that is dead or does not answer costs the service nothing. Each case is a process of its own, since telemetry is
//! started once: this test program, started again.

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use boot::telemetry::{Look, Telemetry};
use opentelemetry::global;
use testbed::means::runs;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::collector::Collector;

const COLLECTOR: &str = "DARK_CHILD_COLLECTOR";
const ROUNDS: &str = "DARK_CHILD_ROUNDS";

fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let words: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (words[11].parse::<f64>().unwrap() + words[12].parse::<f64>().unwrap()) / 100.0
}

fn memory() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// The other side of [`work_with`]; without a parent there is nothing to do.
#[test]
fn the_child_works() {
    let Ok(collector) = std::env::var(COLLECTOR) else { return };
    let rounds: usize = std::env::var(ROUNDS).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let telemetry = Telemetry::start("probe", "warn", Look::Json, Some(&collector)).unwrap();
        // A caller that samples its trace, so that every span is recorded.
        let caller = std::collections::HashMap::from([("traceparent".to_owned(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned())]);
        let counter = global::meter("probe").u64_counter("calls").build();
        let round = || {
            let span = tracing::info_span!("call", rpc.method = "probe/Call");
            span.set_parent(global::get_text_map_propagator(|p| p.extract(&caller))).unwrap();
            span.in_scope(|| tracing::info!("a call is served"));
            counter.add(1, &[]);
        };
        (0..1_000).for_each(|_| round());
        let (before, took, began) = (memory(), cpu(), Instant::now());
        for _ in 0..rounds / 100 {
            (0..100).for_each(|_| round());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (elapsed, cpu, grown) = (began.elapsed(), cpu() - took, memory().saturating_sub(before));
        let stopping = Instant::now();
        telemetry.stop().await;
        println!("\nresult {} {cpu} {grown} {}", elapsed.as_secs_f64(), stopping.elapsed().as_secs_f64());
    });
}

/// What a process with that collector took.
struct Took {
    seconds: f64,
    cpu: f64,
    grown: f64,
    stop: f64,
    log: String,
}

fn work_with(collector: SocketAddr, rounds: usize) -> Took {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["dark::the_child_works", "--exact", "--nocapture"])
        .env(COLLECTOR, format!("http://{collector}"))
        .env(ROUNDS, rounds.to_string())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<f64> = {
        let line = log
            .lines()
            .find_map(|l| l.strip_prefix("result "))
            .unwrap_or_else(|| panic!("no result: {log}"));
        line.split(' ').map(|n| n.parse().unwrap()).collect()
    };
    Took {
        seconds: numbers[0],
        cpu: numbers[1],
        grown: numbers[2],
        stop: numbers[3],
        log,
    }
}

/// O20: no call waits for a collector, memory does not grow with what it does not take, what was dropped is counted in the log, and
/// the end is not held up. In `full` as many rounds as `HEARTH_ROUNDS` says, and one more collector that takes ten seconds for everything.
#[tokio::test(flavor = "multi_thread")]
async fn r_o20_a_dead_or_dark_collector_costs_nothing() {
    let rounds = std::env::var("HEARTH_ROUNDS").map_or(runs(15_000, 200_000), |n| n.parse().unwrap());
    // A tenth, since a busy machine measures no closer in so short a time.
    let most = runs(1.1, 1.02);
    let alive = Collector::deaf().serve().await;
    // Bound and never accepted from: the kernel takes the connection and nobody answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dark = silent.local_addr().unwrap();
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();

    let work = async |collector| tokio::task::spawn_blocking(move || work_with(collector, rounds)).await.unwrap();
    let base = work(alive).await;
    println!(
        "alive: {:.3} s, {:.2} CPU s, {} KiB, stop {:.2} s",
        base.seconds,
        base.cpu,
        base.grown / 1024.0,
        base.stop
    );
    let slow = Collector::slow(Duration::from_secs(10)).serve().await;
    let cases = [("dead", dead), ("dark", dark), ("10 s slow", slow)];
    for (what, collector) in cases.into_iter().take(runs(2, 3)) {
        let took = work(collector).await;
        println!(
            "{what}: {:.3} s, {:.2} CPU s, {} KiB, stop {:.2} s",
            took.seconds,
            took.cpu,
            took.grown / 1024.0,
            took.stop
        );
        assert!(took.cpu <= base.cpu * most + 0.1, "{what}: {} and not {} processor seconds", took.cpu, base.cpu);
        assert!(took.grown <= 32.0 * 1024.0 * 1024.0, "{what}: {} bytes more", took.grown);
        assert!(took.stop <= 5.0, "{what}: {} s to stop", took.stop);
        assert!(took.log.contains("ropped"), "{what}: what was dropped is told: {}", took.log);
    }
}
