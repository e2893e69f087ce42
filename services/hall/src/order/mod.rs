//! Work orders: own crews here, vendors' crews by offer and event.

pub mod api;
pub mod field;
pub mod model;
pub mod ops;
pub mod store;
pub mod vendor;
pub mod visit;
