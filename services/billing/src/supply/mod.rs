//! Billing's copy of accounts and agreements. Archive owns them.

pub mod api;
pub mod events;
pub mod hold;
pub mod model;
pub mod store;
