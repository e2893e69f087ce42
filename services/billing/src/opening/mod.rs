//! The state with which billing begins where another system billed before (期初).

pub mod api;
pub mod intake;
pub mod model;
mod row;
pub mod store;
