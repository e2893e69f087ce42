//! The gate between pricing and issue (出账前审核): checks as data, the bills that they hold, and what becomes of them.

pub mod api;
pub mod model;
pub mod ops;
pub mod store;
