//! Steps that the hall takes in other services, one after the other, until each has an answer.

pub mod api;
pub mod model;
pub mod ops;
pub mod runner;
pub mod store;
