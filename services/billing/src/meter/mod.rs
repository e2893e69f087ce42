//! Meters and where they are installed.

pub mod api;
pub mod conversion;
pub mod intake;
pub mod model;
pub mod ops;
pub mod seal;
pub mod store;
