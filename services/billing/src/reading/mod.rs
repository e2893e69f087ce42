//! Readings, their validation (E2-02) and the exception list.

pub mod api;
mod case;
pub mod chain;
pub mod estimate;
pub mod intake;
pub mod late;
mod meeting;
pub mod model;
pub mod ops;
pub mod rules;
mod scale;
pub mod silent;
pub mod store;

pub use case::of_agreement as case;
