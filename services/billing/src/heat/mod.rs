//! Heat by the season.

pub mod api;
pub mod batch;
mod decide;
pub mod model;
pub mod ops;
pub mod readings;
pub mod rows;
pub mod store;
pub mod trial;
