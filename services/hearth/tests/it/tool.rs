//! The tool as a person calls it.

use std::{path::Path, process::Output};

use testbed::suite;
pub use testbed::suite::{Suite, assert_told, told};

pub const HEARTH: &str = env!("CARGO_BIN_EXE_hearth");

/// `hearth up` in a folder of its own.
pub fn start() -> Suite {
    Suite::start(HEARTH, &std::env::temp_dir())
}

/// Runs a command on a data folder.
pub fn hearth(data: &Path, words: &[&str]) -> Output {
    suite::hearth(HEARTH, data, words)
}

/// The suite with two customers, the prices of Tianjin and the customers' meters.
pub fn filed(register: &str, meters: &str) -> Suite {
    let suite = start();
    let register = suite.file("register.csv", register.as_bytes());
    assert_told(&suite.import("customers", &register, &["--trial-template"]), 0, &["accepted 2"]);
    let tariff = concat!(env!("CARGO_MANIFEST_DIR"), "/data/cn_tianjin_gas_2024.toml");
    assert_told(&suite.import("tariffs", tariff, &[]), 0, &["published"]);
    let meters = suite.file("meters.csv", meters.as_bytes());
    assert_told(&suite.import("meters", &meters, &[]), 0, &["accepted 2"]);
    suite
}
