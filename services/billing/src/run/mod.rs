//! Bill runs (出账): a month of all agreements, as a job that survives a restart.

pub mod again;
pub mod api;
pub mod batch;
pub mod chunk;
pub mod household;
pub mod model;
pub mod months;
pub mod ops;
mod reads;
pub mod store;
pub mod trial;
