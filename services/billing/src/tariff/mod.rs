//! Tariffs by day.

pub mod api;
pub mod heat;
pub mod model;
pub mod ops;
pub mod store;
mod trial;
