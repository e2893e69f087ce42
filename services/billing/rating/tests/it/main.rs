//! Tariff arithmetic against published bills, other billing systems' cases, and oracles.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bills;
mod cases;
mod explanations;
mod heat;
mod periods;
mod prices;
mod properties;
mod schedule;
mod tariffs;

use std::path::Path;

/// All cases of `tests/data/cases.json`, and those of the file that `HEARTH_RATING_CASES` names, if it is set.
#[test]
fn rating_cases() {
    let own = cases::run(include_str!("../data/cases.json"));
    assert_eq!(own.ran, 89);
    own.settle("tests/data/cases.json");
    if let Some(path) = std::env::var_os("HEARTH_RATING_CASES") {
        // Cargo runs tests in the folder of the crate; a relative path is meant from the root of the workspace.
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").join(path);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("HEARTH_RATING_CASES: {}: {error}", path.display()));
        cases::run(&text).settle(&path.to_string_lossy());
    }
}
