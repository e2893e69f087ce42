//! What a cubic metre of a gas meter is at reference conditions (体积修正), from a day on (B17).

pub mod model;
pub mod ops;
pub mod store;
