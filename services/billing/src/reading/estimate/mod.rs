//! Estimates (估抄): when nobody could read a meter (E2-03, E2-04), and what actual readings make of them (B12).

pub mod model;
mod ops;
mod store;

pub use ops::{estimate, file_final};
