//! Entitlements (人口登记、低保).

mod api;
pub mod model;
pub(crate) mod ops;
pub(crate) mod store;
pub(crate) mod sweep;

pub use api::Api;
