#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod field;
mod file;
mod keyring;
mod stand;
