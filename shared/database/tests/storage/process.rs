//! A test in a process of its own, with variables of its own.

use std::{
    env,
    process::{Command, Stdio},
};

use testbed::means::say;

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
