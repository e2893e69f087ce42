use std::{io::ErrorKind, path::PathBuf};

use rpc::Fault;
use uuid::Uuid;

use crate::files::{FileId, MAX_FILE};

/// Why something cannot be sealed, opened or stored. No variant carries clear text or key material.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key of this subject is destroyed; nothing of theirs can be opened or sealed any more.
    #[error("the data of subject {0} is erased")]
    Erased(Uuid),
    /// Sealed data exists, but the database holds no key of this subject.
    #[error("subject {0} has no key")]
    KeyMissing(Uuid),
    /// The data was changed, cut, or belongs to another subject, field or service.
    #[error("sealed data does not open: {0}")]
    Broken(&'static str),
    /// A subject key is wrapped by a key that is not in the key file.
    #[error("key {0} is not in the key file")]
    UnknownKey(String),
    /// The key file cannot be used.
    #[error("key file {}: {problem}", path.display())]
    KeyFile {
        /// Where the file lies.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file id is not 64 hexadecimal digits.
    #[error("a file id is 64 hexadecimal digits")]
    FileId,
    /// No file is stored under this id.
    #[error("file {0} is not stored")]
    FileMissing(FileId),
    /// A file is larger than [`MAX_FILE`] bytes; holds the size.
    #[error("a file of {0} bytes is over the limit of {MAX_FILE}")]
    FileTooLarge(u64),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sea_orm::DbErr),
    /// The operating system gives no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
    /// The disk failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            // To the caller an erased subject is an unknown one.
            Error::Erased(subject) => Self::not_found("subject", subject),
            Error::FileMissing(id) => Self::not_found("file", id),
            Error::FileId => Self::invalid("file_id", "ID_FORMAT", "a file id is 64 hexadecimal digits"),
            Error::FileTooLarge(_) => Self::invalid("content", "FILE_TOO_LARGE", "a file is at most 16 MiB").meta("limit", MAX_FILE),
            Error::Database(error) => error.into(),
            Error::Io(error) if error.kind() == ErrorKind::StorageFull => Self::unavailable("STORAGE_FULL", "the disk of the files is full").because(error),
            error => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(error: Error) -> (String, String) {
        let fault = Fault::from(error);
        (fault.reason().to_owned(), fault.message().to_owned())
    }

    #[test]
    fn an_erased_subject_looks_like_an_unknown_one_and_inner_text_stays_inside() {
        let pair = |reason: &str, text: &str| (reason.to_owned(), text.to_owned());
        assert_eq!(shown(Error::Erased(Uuid::nil())), pair("NOT_FOUND", "no such subject"));
        assert_eq!(shown(Error::FileId).0, "ID_FORMAT");
        assert_eq!(shown(Error::FileTooLarge(MAX_FILE + 1)).0, "FILE_TOO_LARGE");
        assert_eq!(shown(Error::Io(ErrorKind::StorageFull.into())).0, "STORAGE_FULL");
        for hidden in [
            Error::KeyMissing(Uuid::nil()),
            Error::Broken("x"),
            Error::UnknownKey("k1".to_owned()),
            Error::Io(ErrorKind::NotFound.into()),
        ] {
            assert_eq!(shown(hidden), pair("INTERNAL", "internal error"));
        }
    }
}
