//! The benches, small: they run to their end, hold what was done against their reference, and write their table.

use std::{
    fs,
    process::{Command, Stdio},
};

use crate::tool::{HEARTH, assert_told};

/// The page that a bench has written.
fn bench(words: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.md");
    fs::write(&page, "# Page\n").unwrap();
    let mut command = Command::new(HEARTH);
    command.arg("bench").args(words).args(["--rounds", "1", "--into"]).arg(&page);
    assert_told(&command.stdin(Stdio::null()).output().unwrap(), 0, &["round 1:"]);
    fs::read_to_string(page).unwrap()
}

#[track_caller]
fn assert_rows(page: &str, section: &str, rows: &[&str]) {
    let (_, table) = page.split_once(section).unwrap_or_else(|| panic!("{section} is not in: {page}"));
    for row in rows {
        assert!(table.contains(&format!("\n| {row} ")), "{row} is not in: {table}");
    }
}

#[test]
fn a_bill_run_is_held_against_one_statement_for_each_table() {
    let page = bench(&["bill-run", "--engine", "sqlite", "--agreements", "600"]);
    assert_rows(
        &page,
        "<!-- bench: bill-run SQLite 600 agreements, 1 replicas -->",
        &["bill run", "one INSERT … SELECT for each table"],
    );
}

#[test]
fn intake_is_held_against_the_same_rows_without_validation() {
    let page = bench(&["intake", "--readings", "600"]);
    assert_rows(
        &page,
        "<!-- bench: intake SQLite 600 readings -->",
        &["client stream", "INSERT … ON CONFLICT DO NOTHING"],
    );
}

#[test]
fn a_bill_is_read_against_an_echo_and_its_query() {
    let page = bench(&["read", "--calls", "64"]);
    let rows = ["one bill, whole stack", "tonic echo", "the query alone", "twice the echo and the query"];
    assert_rows(&page, "<!-- bench: read SQLite -->", &rows);
}
