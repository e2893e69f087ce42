//! What a database is put through: settings that lose writes, a server that dies or freezes, also under load, callers that leave, replies that come
//! too early, events that commit out of order or cannot be read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_arithmetic)]

mod callers;
mod cancel;
mod desk;
mod events;
mod full;
mod notes;
mod outage;
mod overload;
mod process;
mod server;
mod settings;
mod sync;
