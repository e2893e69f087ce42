//! Tenders (招标) and the preference of VIPs in them.

pub mod api;
mod model;
mod ops;
mod store;
mod wire;
