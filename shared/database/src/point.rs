//! Places at which a process of a debug build can be made to end at once, to see what it leaves behind: `HEARTH_FAILPOINT=commit.before:3` aborts
//! it when it passes that place for the third time. A release build has none of it.

/// Every place, for a test that goes through all of them.
pub const POINTS: &[&str] = &[
    // A write: the claim of its request id, the answer that is kept, the journal row with its events, the commit, the reply.
    "claim.before",
    "claim.after",
    "answer.before",
    "answer.after",
    "journal.before",
    "journal.after",
    "commit.before",
    "commit.after",
    // The sealer: rows numbered, the seal moved, all of it committed.
    "seal.before",
    "seal.rows",
    "seal.moved",
    "seal.after",
    // A consumer: its effect, its cursor.
    "effect.before",
    "cursor.before",
    "cursor.after",
    // A job: a chunk, its progress.
    "chunk.before",
    "chunk.after",
    "progress.after",
];

/// Passes a place.
#[cfg(debug_assertions)]
pub(crate) fn point(name: &'static str) {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    };
    static ARMED: LazyLock<Option<(String, AtomicU64)>> = LazyLock::new(|| {
        let armed = std::env::var("HEARTH_FAILPOINT").ok()?;
        let (name, pass) = armed.split_once(':')?;
        Some((name.to_owned(), AtomicU64::new(pass.parse().ok()?)))
    });
    debug_assert!(POINTS.contains(&name), "{name} is not in the list of places");
    if let Some((armed, left)) = &*ARMED
        && armed == name
        && left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        std::process::abort();
    }
}

/// Passes a place.
#[cfg(not(debug_assertions))]
pub(crate) fn point(_: &'static str) {}
