//! Billing through its own gRPC API, on both engines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod access;
mod city;
mod ledger;
mod meter;
mod payment;
mod reading;
mod run;
mod supply;
mod tariff;
mod world;
