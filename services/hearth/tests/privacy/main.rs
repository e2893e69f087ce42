//! Personal data and the audit trail over the four services, each in a process of its own, on both engines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod anchors;
mod markers;
mod processes;
mod rotation;
mod wire;
mod year;
