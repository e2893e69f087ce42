//! A service that is asked for more than it can do, and a service that asks one that does not answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_arithmetic)]

mod places;
mod sick;
mod world;
