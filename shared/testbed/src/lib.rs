//! Runs a service for its tests as production runs it: real TLS, real tokens, real HTTP/2, on SQLite and on PostgreSQL. A peer
//! service is faked by implementing its generated trait.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod again;
mod bed;
mod feed;
pub mod means;
pub mod postgres;
pub mod suite;

pub use bed::{Bed, Client, each, each_of};
pub use feed::Feed;

use calendar::Instant;
use tonic::Status;
use tonic_types::StatusExt;

/// A service with nothing of its own, for what the frame does.
pub const BARE: boot::Service = boot::Service {
    name: "archive",
    port: 7701,
    migrations: &[],
    build: |_| Box::pin(async { Ok(boot::Parts::new()) }),
    references: &[],
};

/// An instant from its RFC 3339 text.
pub fn at(text: &str) -> Instant {
    Instant::parse_rfc3339(text).expect("an RFC 3339 time")
}

/// A fresh key of a write.
pub fn key() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// An identity number of these 17 digits: behind them the check character of GB 11643.
pub fn id_number(stem: &str) -> String {
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let digits: Vec<_> = stem.bytes().map(|digit| usize::from(digit - b'0')).collect();
    assert_eq!(digits.len(), weights.len(), "{stem} is not 17 digits");
    let sum: usize = digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum();
    format!("{stem}{}", char::from(b"10X98765432"[sum % 11]))
}

/// The reason of a refusal.
pub fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .map_or_else(|| format!("no reason: {status:?}"), |info| info.reason)
}

/// What a refusal says besides its reason.
pub fn told(status: &Status, key: &str) -> Option<String> {
    status.get_details_error_info()?.metadata.remove(key)
}

/// The fields that a refusal names.
pub fn fields(status: &Status) -> Vec<String> {
    status
        .get_details_bad_request()
        .map(|b| b.field_violations.into_iter().map(|v| v.field).collect())
        .unwrap_or_default()
}

/// Asks again and again until there is an answer, ten seconds at most: for effects that another task brings about.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..1000 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{what} did not come about within ten seconds");
}

/// Fails where a list and the enum of the contract differ in a name or a number.
pub fn assert_contract(words: &[(i32, &str)], prefix: &str, name_of: impl Fn(i32) -> Option<&'static str>) {
    for (number, code) in words {
        assert_eq!(name_of(*number), Some(format!("{prefix}{code}").as_str()));
    }
    assert_eq!(
        words.len(),
        (1..200).filter(|n| name_of(*n).is_some()).count(),
        "the contract has another number of values than the list of {prefix}"
    );
}
