//! How a call enters and leaves a service.
//!
//! Inbound, outermost first: CORS and gRPC-Web, the normaliser (no bare status of a library leaves), the gate
//! (protocol checks, authentication, deadline, access), the generated codec of `guard` (binding, rules, safe text, masks), the
//! handler ([`write()`], [`read`], [`stream`], [`exchange`]). Outbound: [`Peer`].

mod access;
mod etag;
mod fault;
mod gate;
mod handle;
mod keys;
mod normalise;
pub mod page;
mod peer;
mod refusals;
mod serve;
mod service;
pub mod token;
pub mod wire;
mod words;

pub use access::{AccessTable, Method};
pub use etag::{check_etag, etag};
pub use fault::{Fault, name_unique_rule};
pub use guard::{Call, Kind, Principal, Wire};
pub use handle::{Answer, Outflow, exchange, read, stream, unfinished_writes, write};
pub use keys::{TlsFiles, derived_request_id};
pub use peer::{Peer, healthy, user_channel};
pub use serve::{Routes, Server};
pub use tonic::Code;
