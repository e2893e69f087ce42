//! Sealed personal data (敏感个人信息): fields and files, each encrypted with the key of the person they tell about.
//!
//! A [`Keyring`] comes from one key file. Under it every subject (a party, a member of staff, a complainant) has a random key of
//! their own, wrapped and kept in the table `subject_key` of the service's database; [`Vault::seal`] and [`Vault::open`] use it for
//! single fields and [`Files`] for photos and papers. [`Vault::blind`] makes the values that an exact search compares. To erase a
//! person is to destroy the key: every sealed copy, wherever it lies, stays unreadable.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod cipher;
mod error;
mod files;
mod index;
mod keyring;
mod seal;
mod subject;

pub use error::Error;
pub use files::{Class, FileId, Files, MAX_FILE};
pub use index::Index;
pub use keyring::Keyring;
pub use seal::{SEALED, Vault};
