use sha2::{Digest, Sha256};

use crate::Fault;

/// Strong tag of a resource's version; changes with every write to it.
pub fn etag(id: impl std::fmt::Display, version: i64) -> String {
    let digest = Sha256::new().chain_update(id.to_string()).chain_update(version.to_be_bytes()).finalize();
    let tag = hex::encode(digest);
    format!("\"{}\"", tag.get(..16).unwrap_or_default())
}

/// Refuses a tag that is not that of the version at hand: somebody else wrote in between.
pub fn check_etag(given: &str, id: impl std::fmt::Display, version: i64) -> Result<(), Fault> {
    if given == etag(id, version) {
        return Ok(());
    }
    Err(Fault::aborted("ETAG_MISMATCH", "the resource has changed since it was read; read it again").field("etag"))
}
