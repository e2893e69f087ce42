//! Opening of gas, from the application to the flame (E4 to E6).

pub mod api;
pub mod field;
pub mod model;
pub mod ops;
pub mod review;
pub mod saga;
pub mod store;
