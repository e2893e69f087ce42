//! Work orders offered to vendors (派单), their acceptance and rework.

pub mod api;
mod events;
mod model;
mod ops;
pub(crate) mod store;
mod wire;

pub use events::HallEvents;
pub(crate) use model::Decided;
