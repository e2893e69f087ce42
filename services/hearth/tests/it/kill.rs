//! Kill -9 of the whole demo, at ten seeded moments between its first write and its summary: what is left is whole, and services
//! that are started on it finish every saga and job.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

/// Customers of the city that is played here: in a release build all of them. Without optimisation the first ones have to do, through the same chapters: more
/// would only lengthen each month's bill run.
const CUSTOMERS: &str = if cfg!(debug_assertions) { "24" } else { "660" };
const SEED: u64 = 20_250_101;

/// Plays in a folder; gives the process once the services run, and what ends when the play does.
fn demo(data: &Path) -> (Child, Receiver<()>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hearth"))
        .args(["demo", "--customers", CUSTOMERS, "--data"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 && !line.contains("archive, hall, billing and vendor") {
        line.clear();
    }
    let (tell, ended) = mpsc::channel();
    thread::spawn(move || {
        std::io::copy(&mut lines, &mut std::io::sink()).unwrap();
        drop(tell);
    });
    (child, ended)
}

fn check(data: &Path) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hearth"))
        .arg("check")
        .arg("--data")
        .arg(data)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&told).into_owned())
}

#[test]
fn a_killed_demo_leaves_nothing_half_done() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    // An undisturbed play first: it tells how long one is, and must itself be clean.
    let whole = folder.path().join("whole");
    let (mut child, ended) = demo(&whole);
    let began = Instant::now();
    assert!(ended.recv().is_err());
    assert!(child.wait().unwrap().success());
    let length = began.elapsed();
    let (clean, told) = check(&whole);
    assert!(clean, "{told}");

    let mut state = SEED;
    for moment in 0..10_u32 {
        // A linear congruential generator: enough to place ten moments, one in each tenth, the same in every run.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let part = u32::try_from(state >> 54).unwrap();
        let after = length * (moment * 1024 + part) / (10 * 1024) * 9 / 10;
        let data = folder.path().join(format!("killed-{moment}"));
        let after = killed(&data, after);
        let (clean, told) = check(&data);
        assert!(clean, "seed {SEED}, moment {moment}, killed after {after:?} of {length:?}:\n{told}");
        assert!(!told.contains("for a person"), "moment {moment}, killed after {after:?}:\n{told}");
    }
}

/// Ends a play after so long and gives how long it was; one that is over by then is played anew and ended sooner.
fn killed(data: &Path, mut after: Duration) -> Duration {
    loop {
        let (mut child, ended) = demo(data);
        let running = ended.recv_timeout(after) == Err(mpsc::RecvTimeoutError::Timeout);
        child.kill().unwrap();
        child.wait().unwrap();
        if running {
            return after;
        }
        after = after * 9 / 10;
    }
}
