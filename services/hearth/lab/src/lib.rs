//! The crash lab. It starts the four services as processes on SQLite or PostgreSQL, kills, freezes and cuts them off at seeded moments under the load
//! of clients that live outside and keep a synced history, and holds afterwards what every client was told against what the services say and what
//! stands in their databases.
//!
//! A seed settles what is asked for, in which order by each client, and when whom what happens to; how calls of several clients interleave it does not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_arithmetic)]

pub mod check;
pub mod city;
mod client;
mod history;
mod load;
mod proxy;
pub mod scenario;
mod seed;
mod site;
mod sql;

pub use client::{Client, Who};
pub use history::{Done, History, Meaning, Op};
pub use load::Load;
pub use proxy::{Mode, Proxy, fault};
pub use seed::Seed;
pub use site::{Site, program};

/// Services of the suite, in the order in which they are started.
pub const SERVICES: [boot::Service; 4] = [archive::SERVICE, hall::SERVICE, billing::SERVICE, vendor::SERVICE];
