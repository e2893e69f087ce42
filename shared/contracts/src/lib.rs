//! What the four services promise, generated from `proto/`: messages, clients, server traits and the descriptors. Nothing here is
//! written by hand; the comments of the contracts are the documentation.
#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::restriction, rustdoc::all, unused_qualifications)]

include!(concat!(env!("OUT_DIR"), "/mod.rs"));

mod rules {
    use crate::hearth;
    include!(concat!(env!("OUT_DIR"), "/validate_impl.rs"));
}

mod wire {
    use guard::{NoRules, Texts, Validate, ValidationError, Visit, Wire};
    use prost::{DecodeError, Message};

    use crate::hearth;
    include!(concat!(env!("OUT_DIR"), "/wire.rs"));
}

/// The encoded `FileDescriptorSet` of all contracts, with their imports and comments.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));
