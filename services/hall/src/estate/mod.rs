//! Estates and the record of their inspection.

pub mod api;
pub mod model;
pub mod ops;
pub mod store;
