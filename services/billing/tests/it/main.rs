//! Billing through its own gRPC API, on both engines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod access;
mod adjustment;
mod bulk;
mod city;
mod conversion;
mod credit;
mod credit_note;
mod document;
mod drain;
mod dues;
mod dunning;
mod estimate;
mod explain;
mod export;
mod fee_item;
mod heat;
mod held;
mod late;
mod late_fee;
mod ledger;
mod meter;
mod opening;
mod payment;
mod reading;
mod rebill;
mod registers;
mod relief;
mod rerating;
mod route;
mod run;
mod supply;
mod tariff;
mod threads;
mod upgrade;
mod world;
