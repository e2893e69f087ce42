//! The benches, small: they run to their end, hold what was done against their reference row by row, and write their table.

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

/// One after the other: the databases of a bench have fixed names.
#[tokio::test]
async fn on_postgres_the_same_rows_are_written_by_copy_and_by_two_replicas_too() {
    let Some(url) = testbed::postgres::database("bench", async |_| Ok(())).await.unwrap() else {
        return;
    };
    let on = |words: &[&'static str]| {
        let mut words = words.to_vec();
        words.extend(["--engine", "postgres", "--url", &url]);
        bench(&words)
    };
    let page = on(&["bill-run", "--agreements", "1200"]);
    let rows = ["bill run", "one INSERT … SELECT for each table", "COPY of the finished rows"];
    assert_rows(&page, "<!-- bench: bill-run PostgreSQL 1200 agreements, 1 replicas -->", &rows);
    let page = on(&["bill-run", "--agreements", "1200", "--replicas", "2", "--alone"]);
    let rows = ["bill run, 2 replicas", "bill run, one replica"];
    assert_rows(&page, "<!-- bench: bill-run PostgreSQL 1200 agreements, 2 replicas alone -->", &rows);
    let page = on(&["intake", "--readings", "1200"]);
    let rows = ["client stream", "INSERT … ON CONFLICT DO NOTHING", "COPY with the same key"];
    assert_rows(&page, "<!-- bench: intake PostgreSQL 1200 readings -->", &rows);
}
