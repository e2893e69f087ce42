//! Double-entry ledger (复式账). The database holds that every transaction sums up to 0 and that nothing is changed.

pub mod api;
pub mod store;
