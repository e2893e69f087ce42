//! What vendors have to set right (整改事项): rectifications, disturbances and confidentiality incidents.

pub mod api;
mod model;
mod ops;
pub(crate) mod store;
mod wire;

pub(crate) use model::{Remedy, Severity};
pub(crate) use ops::{Complaint, Rectification, cancel_disturbance, disturbed, pause, rectify};
