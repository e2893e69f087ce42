//! Re-rating runs (重新计价): what a wrong version of a tariff billed, corrected at the version that replaced it (9.2).

pub mod api;
pub mod batch;
pub mod model;
pub mod ops;
pub mod store;
