//! Profiles: every number of dues that a city decides (decision 9).

pub mod api;
pub mod model;
pub mod ops;
pub mod store;
