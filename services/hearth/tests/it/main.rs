//! The suite as a whole: what the four services promise alike, how they are laid out, and the tool.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alone;
mod bad_inputs;
mod bench;
mod bill_run;
mod certificates;
mod check;
mod contracts;
mod demo;
mod docs;
mod engines;
mod export;
mod fill;
mod frame;
mod import;
mod injection;
mod isolation;
mod journeys;
mod kill;
mod layout;
mod nonsense;
mod principals;
mod rate;
mod readme;
mod reliability;
mod repeat;
mod rpcs;
mod sentences;
mod sides;
mod tables;
mod tokens;
mod tool;
mod tree;
mod world;
