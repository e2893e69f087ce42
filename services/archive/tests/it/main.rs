//! The archive through its own gRPC API, on both engines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod agreement;
mod bad_input;
mod credit;
mod credit_file;
mod entitlement;
mod intake;
mod integrity;
mod isolation;
mod party;
mod policy;
mod premises;
mod privacy;
mod start;
mod template;
mod world;
