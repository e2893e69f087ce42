//! The six published matters (六项公示): what the utility tells everybody about its service, and whether all six are told.

pub mod api;
pub mod fees;
pub mod figures;
pub mod model;
pub mod ops;
pub mod store;
