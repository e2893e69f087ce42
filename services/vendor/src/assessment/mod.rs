//! Assessments of contracts (考核).

pub mod api;
mod events;
mod model;
mod ops;
pub(crate) mod store;
mod wire;

pub(crate) use events::complaint_upheld;
pub(crate) use model::{Month, factor};
