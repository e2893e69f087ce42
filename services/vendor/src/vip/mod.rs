//! VIP vendors (VIP服务商): trades, eligibility, cases.

pub mod api;
mod model;
mod ops;
pub(crate) mod store;
mod trade;
mod wire;

pub(crate) use ops::delist_blacklisted;
