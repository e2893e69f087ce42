//! Exactness of money and quantities.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rounding;
mod shares;
mod text;

/// In profile `full` as many as the goal of M4 asks for.
fn cases(ci: u32) -> u32 {
    if std::env::var("HEARTH_PROFILE").is_ok_and(|profile| profile == "full") {
        1_000_000
    } else {
        ci
    }
}
