//! How a service starts and stops: settings from flags, environment and file; keys for trials; telemetry; drain.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod clock;
mod host;
mod key_set;
pub mod keys;
mod rotate;
mod run;
mod settings;
mod sweep;
pub mod telemetry;
mod unusable;

pub use host::{Built, Host, Parts, Running, Service, Start, start};
pub use key_set::KeySet;
pub use rotate::ROTATION;
pub use run::run;
pub use settings::{SETTINGS, Setting, Settings, origin, settings_table};
pub use unusable::Unusable;

/// The version of the suite.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Of something that the calendar brings about: whenever the calendar is looked at, twice a second ([`Parts::sweep`]).
pub const ALWAYS: std::time::Duration = std::time::Duration::ZERO;

/// The four services and their default ports.
pub const PORTS: [(&str, u16); 4] = [("archive", 7701), ("hall", 7702), ("billing", 7703), ("vendor", 7704)];
