//! Customer credit files (客户信用档案): what is known of a party, fact by fact, and the customer list that is made from it.

mod api;
pub mod model;
pub(crate) mod ops;
pub(crate) mod read;
pub(crate) mod store;
pub(crate) mod sweep;

pub use api::Api;
pub use store::{FileStanding, standing};
