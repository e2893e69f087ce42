//! How a call enters and leaves a service.
//!
//! Inbound, outermost first: the connection (who gets one, for how long), CORS and gRPC-Web, the normaliser (every call ends in a
//! status, and in none of a library), the gate (protocol checks, authentication, access), admission (quotas, places by priority),
//! the bounds of a call (sizes, deadline), the generated codec of `guard` (binding, rules, safe text, masks), the handler ([`write()`], [`read`], [`stream`], [`exchange`]). Outbound: [`Peer`].
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod accept;
mod access;
mod admission;
mod bounds;
mod breaker;
mod calm;
mod entry;
mod etag;
mod fault;
mod gate;
mod handle;
mod keys;
mod limit;
mod line;
mod normalise;
mod outbound;
pub mod page;
mod peer;
mod quota;
mod refusals;
mod retry;
mod revocation;
mod serve;
mod service;
pub mod token;
pub mod wire;
mod words;

pub use accept::Limits;
pub use access::{AccessTable, Method};
pub use admission::Load;
pub use etag::{check_etag, etag};
pub use fault::{Fault, name_unique_rule};
pub use guard::{Call, Kind, Principal, Wire};
pub use handle::{Answer, Outflow, exchange, exchange_some, read, stream, unfinished_writes, write};
pub use keys::{Stamp, Tls, TlsFiles, derived_request_id, stamp};
pub use outbound::Outbound;
pub use peer::{Peer, healthy, service_channel, user_channel};
pub use serve::{Routes, Server};
pub use tonic::Code;
