//! One database per service, SQLite or PostgreSQL behind one connect.
//!
//! Every write is one transaction: the change, the idempotency record, the journal row and its events ([`Write`]). A sealer numbers
//! and chains committed journal rows and numbers their events; [`watch`](crate::journal) streams them; a [`Consumer`] takes the
//! events of another service and moves its cursor in the transaction of the effect. [`jobs`] holds work that outlives a call.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod chain;
mod conn;
mod connect;
mod consumer;
mod entity;
mod history;
pub mod jobs;
pub mod journal;
mod migrate;
mod nagle;
pub mod numbers;
mod point;
mod pulse;
mod record;
mod scope;
pub mod table;
mod write;

pub use conn::Conn;
pub use connect::{Database, Engine, Target};
pub use consumer::{Consumer, consume};
pub use contracts::hearth::journal::v1::Event;
pub use migrate::migrate;
pub use nagle::send_at_once;
pub use point::POINTS;
pub use pulse::pulse;
pub use scope::{Scope, Scoped, find};
pub use write::{Begun, Write};
