//! The hall over its own gRPC API, on both engines, with its peers faked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod callback;
mod case;
mod complaint;
mod conduct;
mod hands;
mod interaction;
mod matter;
mod opening;
mod order;
mod orders;
mod peers;
mod saga;
mod sealed;
mod staff;
mod vendor;
mod world;

use contracts::hearth::r#type::v1::{Date, Decimal};
use tonic::{Code, Status};

pub const BRANCH: &str = "河西区";
pub const OTHER: &str = "南开区";
/// Digest of a file, as the file store gives it.
pub const FILE: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// A day from its text.
pub fn date(text: &str) -> Date {
    let parts: Vec<i32> = text.split('-').map(|part| part.parse().unwrap()).collect();
    Date {
        year: parts[0],
        month: parts[1],
        day: parts[2],
    }
}

/// A timestamp from its RFC 3339 text.
pub fn time(text: &str) -> prost_types::Timestamp {
    rpc::wire::time(testbed::at(text))
}

pub fn decimal(text: &str) -> Decimal {
    Decimal { value: text.to_owned() }
}

/// Code and reason of a refusal.
pub fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.unwrap_err();
    (status.code(), testbed::reason(&status))
}

/// A value in the metadata of a refusal.
pub fn meta(status: &Status, key: &str) -> String {
    use tonic_types::StatusExt;
    status
        .get_details_error_info()
        .and_then(|info| info.metadata.get(key).cloned())
        .unwrap_or_default()
}
