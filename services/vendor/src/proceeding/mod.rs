//! Proceedings (处置程序): what becomes of a vendor that fails, and of the contracts with one on the black list.

pub mod api;
mod model;
mod ops;
mod store;
mod wire;

pub(crate) use ops::{assessed, contract_ended, review_contracts};
