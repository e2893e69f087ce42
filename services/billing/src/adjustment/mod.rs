//! Adjustments of volume with their approval, and theft cases (调量, 补量, 盗气; E11).

pub mod api;
mod case;
pub mod model;
mod ops;
mod post;
pub mod store;
mod theft;
