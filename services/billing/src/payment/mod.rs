//! Payments and what they pay (9.5).

pub mod api;
pub mod intake;
pub mod model;
pub mod ops;
pub mod store;
