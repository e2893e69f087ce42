//! Agreements (供用气、供用热合同).

mod api;
pub(crate) mod missing;
pub mod model;
pub(crate) mod ops;
pub(crate) mod store;

pub use api::Api;
