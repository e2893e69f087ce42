//! Contract templates (合同示范文本).

mod api;
pub mod model;
pub(crate) mod ops;
pub(crate) mod store;

pub use api::Api;
