//! Readings, their validation (E2-02) and the exception list.

pub mod api;
pub mod chain;
pub mod intake;
pub mod model;
pub mod ops;
pub mod store;
