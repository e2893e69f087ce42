//! Credit of key accounts (大客户信用): designation, rating, lines, exposure and its two locks.

mod accounts;
mod api;
pub(crate) mod billing;
pub(crate) mod books;
mod exposure;
pub(crate) mod lines;
pub mod model;
pub(crate) mod rating;
pub(crate) mod store;
pub(crate) mod sweep;
mod watch;

pub use api::Api;
pub(crate) use store::summary;
