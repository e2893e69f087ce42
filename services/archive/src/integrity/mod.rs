//! The list of dishonest customers (不诚信客户). It bears on credit only: never on basic supply, never on a price.

mod api;
pub(crate) mod dispute;
pub mod model;
mod ops;
pub(crate) mod reach;
pub(crate) mod store;
pub(crate) mod sweep;

pub use api::Api;
