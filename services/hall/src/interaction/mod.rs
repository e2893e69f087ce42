//! The register of calls and visits (用户来电来访登记簿).

pub mod api;
pub mod model;
pub mod ops;
pub mod store;
