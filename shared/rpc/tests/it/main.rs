//! What a service promises to those who connect, well meant or not. Each test was seen to fail on the bare stack:
//! `HEARTH_BARE=1 cargo test -p rpc --test it` serves the same handlers by the library's own server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_arithmetic)]

mod age;
mod bytes;
mod child;
mod crowd;
mod drain;
mod flood;
mod peers;
mod rows;
mod slow;
mod web;
mod wire;
mod world;
