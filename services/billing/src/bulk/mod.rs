//! Bulk meters over sub-meters (总表, E12).

pub mod api;
mod model;
pub mod ops;
pub mod store;
