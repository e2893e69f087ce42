//! Call-backs (客户回访): what happened is drawn by policies, agents call whom they are given, and a dissatisfied customer is called again.

pub mod api;
pub mod figures;
pub mod key_account;
pub mod model;
pub mod objection;
pub mod ops;
pub mod plan;
pub mod policy;
pub mod rework;
pub mod store;
