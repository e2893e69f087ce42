//! Persons who work for vendors (外包人员).

pub mod api;
mod model;
mod ops;
pub(crate) mod store;
pub(crate) mod wire;

pub use model::{CertificateKind, Turnover, happened};
pub(crate) use ops::revoke_all;
