//! What a process tells a collector and what a dead one costs it, and where it learns the issuer's keys.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_arithmetic)]

mod collector;
mod dark;
mod database;
mod telemetry;
