//! Fee items and charges by them (收费项目, A-04, A-05).

pub mod api;
pub mod model;
pub mod ops;
pub mod store;
