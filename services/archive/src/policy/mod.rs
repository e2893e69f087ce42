//! Policy documents (制度) as data: versions with their control pages, the duties they bring, who has read them, what prevails in a
//! conflict.

mod ack;
mod api;
mod conflict;
pub mod control;
mod duties;
pub mod duty;
pub mod label;
pub mod model;
pub(crate) mod ops;
mod read;
mod show;
pub(crate) mod store;
pub(crate) mod sweep;

pub use api::{ConflictApi, DutyApi, PolicyApi};
