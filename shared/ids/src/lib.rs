//! Identifiers: typed keys of Hearth's own rows, and the numbers by which China knows persons, organisations and telephones.
//!
//! Everything here is pure: no clock but the one inside a new UUIDv7, no database, no network.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod credit_code;
mod id_number;
mod key;
mod phone;

pub use credit_code::{CodeCheck, CodePart, CreditCode, CreditCodeError};
pub use id_number::{IdNumber, IdNumberError, IdNumberWarning, Sex};
pub use key::*;
pub use phone::{Phone, PhoneError, PhoneKind};
