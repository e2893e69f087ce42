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
