//! Late fee (违约金, 9.4).

pub mod api;
pub mod model;
pub mod ops;
pub mod store;
pub mod sweep;
