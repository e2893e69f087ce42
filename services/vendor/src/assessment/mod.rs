//! Assessments of contracts (考核).

pub mod api;
mod draft;
mod events;
mod model;
mod ops;
pub(crate) mod store;
mod wire;

pub(crate) use events::{complaint_upheld, finding_reversed};
pub(crate) use model::{Assessment, Consequence, Month, consequence, factor};
