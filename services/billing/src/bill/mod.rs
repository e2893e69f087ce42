//! Bills: made by runs, never edited, reversed by credit notes, explained step by step.

pub mod api;
pub mod credit;
pub mod document;
pub mod explain;
mod gaps;
pub mod issue;
pub mod model;
mod numbers;
pub mod ops;
pub mod rebill;
pub mod store;
pub mod together;
