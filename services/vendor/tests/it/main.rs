//! The vendor service through its gRPC interface, on both engines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admission;
mod assessment;
mod contract;
mod field;
mod isolation;
mod offer;
mod orders;
mod person;
mod proceeding;
mod register;
mod remedy;
mod settlement;
mod tender;
mod vip;
mod world;
