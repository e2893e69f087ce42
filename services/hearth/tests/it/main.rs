//! The suite as a whole: what the four services promise alike, how they are laid out, and the tool.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alone;
mod check;
mod contracts;
mod demo;
mod docs;
mod export;
mod frame;
mod import;
mod kill;
mod layout;
mod rate;
mod sentences;
mod tokens;
mod tool;
mod tree;
mod world;
