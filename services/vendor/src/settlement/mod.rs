//! Settlement of contracts (结算): rate cards, lent assets, payment requests and their holds.

pub mod api;
mod count;
mod model;
mod ops;
mod store;
mod terms;
mod wire;

pub(crate) use count::{hold_blacklisted, orders_of};
