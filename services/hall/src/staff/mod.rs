//! Staff, their certificates and trainings.

pub mod api;
pub mod certified;
pub mod model;
pub mod ops;
pub mod store;
pub mod sweep;
