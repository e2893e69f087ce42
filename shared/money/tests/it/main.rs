//! Exactness of money and quantities.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rounding;
mod shares;
mod text;
