use std::{
    collections::BTreeSet,
    fmt,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    str::FromStr,
};

use sea_orm::ConnectionTrait;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    Error, Vault,
    cipher::{self, FORMAT, Secret},
    keyring::{sync_folder, write_private},
};

/// The largest file that is taken, in bytes: 16 MiB.
pub const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Format and subject before the nonce of a sealed file.
const HEADER: usize = 17;
/// What sealing adds: header, nonce, tag.
const ADDED: u64 = HEADER as u64 + 24 + 16;

/// How a file is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Clear, such as a published tariff or the text of a policy.
    Open,
    /// Encrypted with the key of the subject it tells about, such as a photo of a paper or a signature.
    Sealed {
        /// Whose key.
        subject: Uuid,
    },
}

/// Address of a file: 64 hexadecimal digits, computed from its content. For an open file it is the SHA-256 of the content; for a
/// sealed one it is keyed with the subject's key, so that nobody can test a guess of the content against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId([u8; 32]);

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for FileId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut id = [0; 32];
        hex::decode_to_slice(text, &mut id).map_err(|_| Error::FileId)?;
        Ok(Self(id))
    }
}

/// The content-addressed store of files: a local folder with `open/ab/abcd…` and `sealed/ab/abcd…`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Files {
    root: PathBuf,
    vault: Vault,
}

impl Files {
    /// Opens the store in a folder, which is made when it is missing.
    ///
    /// # Errors
    /// The disk fails.
    pub fn new(root: impl Into<PathBuf>, vault: Vault) -> Result<Self, Error> {
        let root = root.into();
        private_folder(&root)?;
        Ok(Self { root, vault })
    }

    /// Stores a file and answers its address; to store the same again changes nothing. The file is on the disk when this answers.
    /// A subject's key made here belongs to the caller's transaction: when that is rolled back, store the file again.
    ///
    /// # Errors
    /// [`Error::FileTooLarge`], [`Error::Erased`]; else the disk or the database fails.
    pub async fn put(&self, conn: &impl ConnectionTrait, class: Class, bytes: Vec<u8>) -> Result<FileId, Error> {
        let size = bytes.len() as u64;
        if size > MAX_FILE {
            return Err(Error::FileTooLarge(size));
        }
        let key = match class {
            Class::Open => None,
            Class::Sealed { subject } => {
                let keys = self.vault.keys_or_new(conn, &BTreeSet::from([subject])).await?;
                Some((subject, keys.get(subject)?.clone()))
            }
        };
        let store = self.clone();
        blocking(move || store.write(key, &bytes)).await
    }

    /// Reads a file and proves that it is what its address says.
    ///
    /// # Errors
    /// [`Error::FileMissing`], [`Error::Erased`], [`Error::Broken`] for a file that was changed; else the disk or the database fails.
    pub async fn get(&self, conn: &impl ConnectionTrait, id: FileId) -> Result<Vec<u8>, Error> {
        let store = self.clone();
        let (sealed, bytes) = blocking(move || store.read(id)).await?;
        if !sealed {
            return if address_of_open(&bytes) == id {
                Ok(bytes)
            } else {
                Err(Error::Broken("the file is not what its address says"))
            };
        }
        let subject = subject_of(&bytes)?;
        let keys = self.vault.keys(conn, &BTreeSet::from([subject])).await?;
        let (vault, key) = (self.vault.clone(), keys.get(subject)?.clone());
        blocking(move || unseal(&vault, &key, subject, id, &bytes)).await
    }

    /// Whether a file is stored under this address.
    ///
    /// # Errors
    /// The disk fails.
    pub async fn exists(&self, id: FileId) -> Result<bool, Error> {
        let store = self.clone();
        blocking(move || Ok(store.path(true, id).try_exists()? || store.path(false, id).try_exists()?)).await
    }

    fn path(&self, sealed: bool, id: FileId) -> PathBuf {
        let name = id.to_string();
        let shelf: String = name.chars().take(2).collect();
        self.root.join(if sealed { "sealed" } else { "open" }).join(shelf).join(name)
    }

    fn read(&self, id: FileId) -> Result<(bool, Vec<u8>), Error> {
        for sealed in [true, false] {
            match std::fs::File::open(self.path(sealed, id)) {
                Ok(file) => {
                    // One byte more than allowed shows a file that somebody put there.
                    let limit = MAX_FILE + ADDED;
                    let mut bytes = vec![];
                    file.take(limit + 1).read_to_end(&mut bytes)?;
                    return if bytes.len() as u64 > limit {
                        Err(Error::Broken("the file is over the limit"))
                    } else {
                        Ok((sealed, bytes))
                    };
                }
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(Error::FileMissing(id))
    }

    fn write(&self, key: Option<(Uuid, Secret)>, clear: &[u8]) -> Result<FileId, Error> {
        let id = match &key {
            None => address_of_open(clear),
            Some((_, key)) => address_of_sealed(key, clear),
        };
        let path = self.path(key.is_some(), id);
        if self.intact(key.as_ref(), id, &path)? {
            return Ok(id);
        }
        let stored = match &key {
            None => clear,
            Some((subject, key)) => &cipher::seal(key, &header(*subject), &context(&self.vault, &id), clear)?,
        };
        let folder = path.parent().unwrap_or(&self.root);
        let shelf_is_new = !folder.try_exists()?;
        private_folder(folder)?;
        // In the same folder, so that the rename is atomic; a crash leaves a file that no address finds.
        let temporary = folder.join(format!("{}.new", Uuid::now_v7()));
        write_private(&temporary, stored)
            .and_then(|()| std::fs::rename(&temporary, &path))
            .inspect_err(|_| {
                // The disk is failing already; a file that is left behind is found by no address.
                let _ = std::fs::remove_file(&temporary);
            })?;
        // A rename is on the disk only when its folder is; a new folder only when those above it are.
        folder.ancestors().take(if shelf_is_new { 3 } else { 1 }).try_for_each(sync_folder)?;
        Ok(id)
    }

    /// Whether the file is there and good; a damaged one is written anew.
    fn intact(&self, key: Option<&(Uuid, Secret)>, id: FileId, path: &Path) -> Result<bool, Error> {
        let stored = match std::fs::read(path) {
            Ok(stored) => stored,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(e.into()),
        };
        Ok(match key {
            None => address_of_open(&stored) == id,
            Some((subject, key)) => unseal(&self.vault, key, *subject, id, &stored).is_ok(),
        })
    }
}

fn address_of_open(clear: &[u8]) -> FileId {
    FileId(Sha256::digest(clear).into())
}

fn address_of_sealed(key: &Secret, clear: &[u8]) -> FileId {
    // A key of its own: the address is public, the sealing key never meets it.
    FileId(*cipher::mac(&cipher::mac(key, &[b"file address"]), &[clear]))
}

fn header(subject: Uuid) -> Vec<u8> {
    [&[FORMAT], subject.as_bytes().as_slice()].concat()
}

fn subject_of(stored: &[u8]) -> Result<Uuid, Error> {
    let (format, rest) = stored.split_first().ok_or(Error::Broken("too short"))?;
    if *format != FORMAT {
        return Err(Error::Broken("unknown format"));
    }
    rest.first_chunk().map(|subject| Uuid::from_bytes(*subject)).ok_or(Error::Broken("too short"))
}

fn context<'a>(vault: &'a Vault, id: &'a FileId) -> [&'a [u8]; 3] {
    [b"file", vault.service(), &id.0]
}

fn unseal(vault: &Vault, key: &Secret, subject: Uuid, id: FileId, stored: &[u8]) -> Result<Vec<u8>, Error> {
    if !stored.starts_with(&header(subject)) {
        return Err(Error::Broken("the file is another subject's"));
    }
    let mut clear = cipher::open(key, HEADER, &context(vault, &id), stored)?;
    if address_of_sealed(key, &clear) == id {
        Ok(std::mem::take(&mut *clear))
    } else {
        Err(Error::Broken("the file is not what its address says"))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::Io(std::io::Error::other(e)))?
}

fn private_folder(folder: &Path) -> Result<(), Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    Ok(builder.create(folder)?)
}
