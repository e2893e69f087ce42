//! A test in a process of its own, with variables of its own.

use std::{
    env,
    io::{self, Write},
    process::{Command, Stdio},
};

const ALONE: &str = "HEARTH_TEST_ALONE";

/// Whether this process was made for the test. Where it was not, the test is run in one that is, under `wrapper` (a command and its flags), and fails
/// where that does.
pub fn alone(test: &str, variables: &[(&str, &str)], wrapper: &[&str]) -> bool {
    if env::var(ALONE).is_ok_and(|name| name == test) {
        return true;
    }
    let own = env::current_exe().unwrap().display().to_string();
    let words: Vec<&str> = [wrapper, &[&own, "--exact", test, "--nocapture", "--test-threads", "1"]].concat();
    let output = Command::new(words[0])
        .args(&words[1..])
        .env(ALONE, test)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(output.status.success(), "{test} failed in its own process:\n{told}");
    assert!(told.contains("1 passed"), "{test} is no test of this file:\n{told}");
    for line in told.lines().filter(|line| line.starts_with("figure: ")) {
        say(line);
    }
    false
}

/// Whether a program is there. A person may do without, which is said in one line; CI may not.
pub fn has(what: &str, found: bool) -> bool {
    if !found {
        assert!(!env::var("CI").is_ok_and(|ci| ci == "true"), "CI=true asks for {what}");
        say(&format!("note: a test of storage did not run: this machine has no {what}"));
    }
    found
}

/// Past the test harness, which would keep a line of a passing test for itself.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The long runs of profile `full`, where it is asked for.
pub fn count(ci: u32, full: u32) -> u32 {
    if env::var("HEARTH_PROFILE").is_ok_and(|profile| profile == "full") {
        full
    } else {
        ci
    }
}
