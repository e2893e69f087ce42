//! Bill runs (出账): a month of all agreements, as a job that survives a restart.

pub mod api;
pub mod batch;
pub mod model;
pub mod ops;
pub mod store;
