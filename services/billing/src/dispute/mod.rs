//! Disputes about bills (E2-06).

pub mod api;
pub mod model;
pub mod ops;
pub mod store;
