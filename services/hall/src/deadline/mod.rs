//! Clocks: what is promised, what is due when and why, what was broken.

pub mod api;
pub mod model;
pub mod ops;
pub mod season;
pub mod store;
pub mod sweep;
