//! Free volume that is charged first and returned after the tier-year (9.1).

pub mod api;
pub mod model;
pub mod ops;
pub mod store;
pub mod sweep;
