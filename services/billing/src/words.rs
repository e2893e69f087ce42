//! Closed lists of words, as the database holds them.

pub(crate) use rpc::words;
use sea_orm::{ColumnTrait, Condition};

/// The word of a code that the database holds.
pub(crate) fn known<T>(word: Option<T>, code: &str) -> Result<T, rpc::Fault> {
    word.ok_or_else(|| rpc::Fault::internal(format!("the database holds an unknown code: {code}")))
}

/// Whether a column of words that are parted by blanks has this one; it may be the beginning or the end of another.
pub(crate) fn has_word(column: impl ColumnTrait, word: &str) -> Condition {
    Condition::any()
        .add(column.eq(word))
        .add(column.like(format!("{word} %")))
        .add(column.like(format!("% {word}")))
        .add(column.like(format!("% {word} %")))
}
