//! What keeps the suite's data: backups and the way back, upgrades that are cut off, a full disk, many at once; and a page for each alarm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backup;
mod disk;
mod runbooks;
mod suite;
mod together;
mod upgrade;
