//! Kill -9 of the whole demo, at ten seeded moments between its first write and its summary: what is left is whole, and services
//! that are started on it finish every saga and job.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Customers of the small city that is played here; the moments spread over the same chapters as with the whole one.
const CUSTOMERS: &str = "24";
const SEED: u64 = 20_250_101;

fn demo(data: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_hearth"))
        .args(["demo", "--customers", CUSTOMERS, "--data"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits for the line of the services, after which the first write comes.
fn started(child: &mut Child) -> BufReader<std::process::ChildStdout> {
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 && !line.contains("archive, hall, billing and vendor") {
        line.clear();
    }
    lines
}

fn check(data: &Path) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hearth")).arg("check").arg("--data").arg(data).stdin(Stdio::null()).output().unwrap();
    (output.status.success(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_killed_demo_leaves_nothing_half_done() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    // An undisturbed run first: it tells how long the play is, and must itself be clean.
    let whole = folder.path().join("whole");
    let mut child = demo(&whole);
    let mut lines = started(&mut child);
    let began = Instant::now();
    std::io::copy(&mut lines, &mut std::io::sink()).unwrap();
    assert!(child.wait().unwrap().success());
    let length = began.elapsed();
    let (clean, told) = check(&whole);
    assert!(clean, "{told}");

    let mut state = SEED;
    for moment in 0..10_u32 {
        // Multiplicative congruential, full period: enough to spread ten moments, and the same in every run.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let part = u32::try_from(state >> 54).unwrap();
        let after = length.mul_f64(0.95) / 10 * moment + (length.mul_f64(0.95) / 10 * part) / 1024;
        let data = folder.path().join(format!("killed-{moment}"));
        let mut child = demo(&data);
        let lines = started(&mut child);
        std::thread::sleep(after);
        let running = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        drop(lines);
        let (clean, told) = check(&data);
        assert!(clean, "seed {SEED}, moment {moment}, killed after {after:?} ({}):\n{told}", if running { "running" } else { "ended by itself" });
        // The time of the kill is what is tried here; that the play was in progress is part of the trial.
        assert!(running || after > Duration::from_secs(1), "the play ended before the kill");
    }
}
