//! Parties (客户).

mod api;
pub mod identity;
pub mod model;
pub(crate) mod ops;
pub(crate) mod store;

pub use api::Api;
