//! Cases: what anybody asked of the hall, through any channel.

pub mod api;
pub mod model;
pub mod ops;
pub mod store;
