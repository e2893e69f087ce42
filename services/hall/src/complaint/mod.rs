//! Complaints and suggestions (投诉、建议): anybody's, through any channel, from the first word to the call-back.

pub mod api;
pub mod model;
pub mod ops;
pub mod outcome;
pub mod store;
