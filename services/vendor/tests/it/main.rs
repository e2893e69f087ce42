//! The vendor service through its gRPC interface, on both engines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admission;
mod contract;
mod isolation;
mod offer;
mod person;
mod world;
