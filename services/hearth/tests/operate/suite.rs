//! The four services, and the tool.

use std::{path::Path, process::Output};

use boot::Service;
pub use testbed::{
    means::{has, runs, say},
    suite::{Suite, assert_told},
};

pub const HEARTH: &str = env!("CARGO_BIN_EXE_hearth");
pub const ALL: [Service; 4] = [archive::SERVICE, hall::SERVICE, billing::SERVICE, vendor::SERVICE];

/// Runs a command on a data folder.
pub fn hearth(data: &Path, words: &[&str]) -> Output {
    testbed::suite::hearth(HEARTH, data, words)
}
