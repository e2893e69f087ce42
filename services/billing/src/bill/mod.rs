//! Bills: made by runs, never edited, reversed by credit notes.

pub mod api;
pub mod issue;
pub mod model;
pub mod ops;
pub mod store;
