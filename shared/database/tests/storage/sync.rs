//! No reply leaves before its write is on the disk: seen by watching the system calls of a service.

use std::{collections::HashMap, fs, process::Command};

use database::Engine;
use sea_orm::ConnectionTrait;
use testbed::means::{has, runs, say};

use crate::{
    desk::{DESK, desk, note},
    process::alone,
};

const SLOPPY: &str = "HEARTH_TEST_SLOPPY";

/// Writes notes one after the other and says so when each is acknowledged.
async fn write_notes() {
    testbed::each_of(DESK, &[Engine::Sqlite], async |bed| {
        if std::env::var(SLOPPY).is_ok() {
            bed.db().writer().execute_unprepared("PRAGMA synchronous = NORMAL").await.unwrap();
        }
        let mut client = desk(bed);
        for _ in 0..runs(200, 1_000) {
            let note = note();
            let id = note.escalation_id.clone();
            client.take_escalation(note).await.unwrap();
            say(&format!("acknowledged {id}"));
        }
    })
    .await;
}

/// Of a trace: how many writes were acknowledged, and how many of them before a sync of the log that began after their pages were written to it.
fn judge(trace: &str) -> (usize, usize) {
    let id_of = |line: &str| line.split_once("\"acknowledged ").map(|(_, rest)| rest.chars().take(36).collect::<String>());
    let ids: Vec<String> = trace.lines().filter_map(id_of).collect();
    let mut wanted = ids.iter();
    let mut id = wanted.next();
    let (mut written, mut synced, mut early) = (false, false, 0);
    // Threads that are inside a sync, with whether the pages were there when it began.
    let mut syncing: HashMap<&str, bool> = HashMap::new();
    for line in trace.lines() {
        let Some(now) = id else { break };
        let thread = line.split_whitespace().next().unwrap_or_default();
        if line.contains("sync(") && line.contains("-wal>") {
            if line.contains("<unfinished") {
                syncing.insert(thread, written);
            } else {
                synced |= written && line.ends_with("= 0");
            }
        } else if line.contains("sync resumed>") {
            synced |= syncing.remove(thread).unwrap_or_default() && line.ends_with("= 0");
        } else if line.contains("write") && line.contains("-wal>") && !written {
            written = line.contains(now.as_str());
        } else if id_of(line).is_some() {
            assert!(written, "{now} was acknowledged and is not in the log");
            early += usize::from(!synced);
            (id, written, synced) = (wanted.next(), false, false);
        }
    }
    (ids.len(), early)
}

/// Runs the notes under strace; where the machine has none, `None`.
fn traced(test: &str, variables: &[(&str, &str)]) -> Option<(usize, usize)> {
    let works = Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "true"])
        .status()
        .is_ok_and(|s| s.success());
    if !has("strace that may trace", works) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace").display().to_string();
    let calls = "trace=write,pwrite64,fsync,fdatasync";
    let strace = ["strace", "-f", "-qq", "-y", "--seccomp-bpf", "-s", "5000", "-e", calls, "-o", &file];
    if alone(test, variables, &strace) {
        return None;
    }
    Some(judge(&fs::read_to_string(file).unwrap()))
}

fn is_child(test: &str) -> bool {
    std::env::var("HEARTH_TEST_ALONE").is_ok_and(|name| name == test)
}

#[tokio::test(flavor = "multi_thread")]
async fn r_d2_no_reply_leaves_before_its_write_is_synced() {
    const TEST: &str = "sync::r_d2_no_reply_leaves_before_its_write_is_synced";
    if is_child(TEST) {
        return write_notes().await;
    }
    let Some((acknowledged, early)) = traced(TEST, &[]) else { return };
    assert_eq!((acknowledged, early), (runs(200, 1_000), 0));
    say(&format!("figure: D2 {acknowledged} acknowledged writes, {early} before their sync"));
}

#[tokio::test(flavor = "multi_thread")]
async fn r_d2_the_trace_finds_replies_that_leave_too_early() {
    const TEST: &str = "sync::r_d2_the_trace_finds_replies_that_leave_too_early";
    if is_child(TEST) {
        return write_notes().await;
    }
    let Some((acknowledged, early)) = traced(TEST, &[(SLOPPY, "1")]) else {
        return;
    };
    assert!(early > 0, "0 of {acknowledged} with synchronous=NORMAL");
    say(&format!("figure: D2 with synchronous=NORMAL {early} of {acknowledged} before their sync"));
}
