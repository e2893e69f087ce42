//! The suite as a whole: what the four services promise alike, how they are laid out, and the tool.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod check;
mod contracts;
mod demo;
mod docs;
mod frame;
mod import;
mod layout;
mod tree;
mod world;
