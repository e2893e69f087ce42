//! Vendors and their admission (准入).

pub mod api;
mod model;
mod ops;
pub(crate) mod store;
pub(crate) mod wire;

pub use model::{Category, Points, Stage, State, Vendor};
pub(crate) use ops::{bar, leave, unlisted};
