//! Taking over a register of customers.

mod api;
mod batch;
pub mod model;
mod ops;

pub use api::Api;
