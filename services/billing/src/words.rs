//! Closed lists of words, as the database holds them.

pub(crate) use rpc::words;

/// The word of a code that the database holds.
pub(crate) fn known<T>(word: Option<T>, code: &str) -> Result<T, rpc::Fault> {
    word.ok_or_else(|| rpc::Fault::internal(format!("the database holds an unknown code: {code}")))
}
