//! Premises (房屋) and service points (用气点).

mod api;
pub mod model;
pub(crate) mod ops;
pub(crate) mod store;

pub use api::Api;
