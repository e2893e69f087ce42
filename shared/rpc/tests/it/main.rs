//! What a service promises to those who connect, well meant or not. That the traps are there, and that their tests fail where nothing is around the
//! library, shows `bare`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_arithmetic)]

mod age;
mod bare;
mod bytes;
mod child;
mod crowd;
mod drain;
mod flood;
mod heavy;
mod peers;
mod rows;
mod slow;
mod web;
mod wire;
mod world;
