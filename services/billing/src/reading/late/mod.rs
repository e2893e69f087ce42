//! Bills that true readings would have made others: a reading came late, or an actual one after an estimate (B11, B12).

pub mod model;
pub mod ops;
pub mod store;
