//! Routes, reading books, the cycle calendar and the tasks of readers (E2-01, E2-08).

pub mod api;
mod figures;
pub mod model;
mod ops;
pub mod plan;
pub mod store;
