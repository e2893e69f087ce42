//! Contracts with vendors (外包合同).

pub mod api;
mod model;
mod ops;
pub(crate) mod store;
mod wire;

pub(crate) use model::{Action, Contract, State, segregated};
pub(crate) use ops::{act, locked_for};
