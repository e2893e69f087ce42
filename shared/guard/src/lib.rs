//! What stands at the door of every call: who calls, and the one codec that checks requests and masks answers.
//!
//! The codec is generated into every client and server by `contracts`. On the server it holds each decoded request, those of
//! streams too, against the caller's binding, the rules of the contract and the rules of safe text, and masks personal data in
//! each answer. It fails closed: a request that arrives without a [`Call`] is refused.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod call;
mod codec;
pub mod language;
pub mod mask;
mod rules;
pub mod status;
mod text;
mod unary;

pub use call::{CALL, Call, Kind, Principal};
pub use codec::{GuardedCodec, NoRules, Violation, Wire, masked};
pub use language::{LANGUAGE, Language};
pub use prost_protovalidate::{Validate, ValidationError};
pub use text::{Texts, Visit};
pub use unary::{Grpc, Whole, ask};
