//! Acceptances before gas is opened: the indoor pipe, and every appliance.

pub mod api;
pub mod model;
pub mod ops;
pub mod store;
