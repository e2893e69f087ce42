//! The archive through its own gRPC API, on both engines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod agreement;
mod bad_input;
mod entitlement;
mod intake;
mod isolation;
mod party;
mod premises;
mod privacy;
mod template;
mod world;
