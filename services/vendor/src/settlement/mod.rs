//! Settlement of contracts (结算): rate cards, lent assets, payment requests and their holds.

pub mod api;
mod count;
mod model;
mod ops;
mod store;
mod terms;
mod wire;

pub(crate) use count::{SERVICE, contract_of, orders_of, settle, sweep};
pub(crate) use model::{Cause, Owner};
