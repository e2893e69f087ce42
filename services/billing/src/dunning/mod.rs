//! The reminder ladder (催费, E2-05).

pub mod api;
pub mod model;
pub mod store;
pub mod sweep;
