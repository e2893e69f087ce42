use std::{collections::BTreeSet, fmt, sync::Arc};

use sea_orm::ConnectionTrait;
use uuid::Uuid;
use zeroize::Zeroize;

use crate::{
    Error, Keyring,
    cipher::{self, FORMAT, Secret},
    keyring::Key,
    subject,
};

/// Seals and opens the fields of one service. Cheap to clone.
///
/// A sealed field is bound to its service, field name and subject: moved to another row or column it does not open.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    keyring: Keyring,
    service: String,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("service", &self.0.service)
            .field("keyring", &self.0.keyring)
            .finish()
    }
}

impl Vault {
    /// The vault of a service, such as `archive`.
    pub fn new(keyring: Keyring, service: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            keyring,
            service: service.into(),
        }))
    }

    /// Seals a text under the subject's key, which is made on first use. `field` names the column, such as `party.phone`.
    ///
    /// # Errors
    /// [`Error::Erased`] for a subject who is erased; else the key or the database fails.
    pub async fn seal(&self, conn: &impl ConnectionTrait, subject: Uuid, field: &'static str, clear: &str) -> Result<Vec<u8>, Error> {
        let keys = subject::load_or_create(&self.0.keyring, conn, &BTreeSet::from([subject])).await?;
        self.seal_field(keys.get(subject)?, subject, field, clear)
    }

    /// Seals many texts with a few statements per 500 subjects; answers in the order of the input.
    ///
    /// # Errors
    /// As [`Vault::seal`]; one erased subject refuses all.
    pub async fn seal_many(&self, conn: &impl ConnectionTrait, texts: &[(Uuid, &'static str, &str)]) -> Result<Vec<Vec<u8>>, Error> {
        let subjects = texts.iter().map(|(subject, ..)| *subject).collect();
        let keys = subject::load_or_create(&self.0.keyring, conn, &subjects).await?;
        texts
            .iter()
            .map(|(subject, field, clear)| self.seal_field(keys.get(*subject)?, *subject, field, clear))
            .collect()
    }

    /// Opens what [`Vault::seal`] made for the same subject and field.
    ///
    /// # Errors
    /// [`Error::Erased`]; [`Error::Broken`] for data that was changed or belongs elsewhere.
    pub async fn open(&self, conn: &impl ConnectionTrait, subject: Uuid, field: &'static str, sealed: &[u8]) -> Result<String, Error> {
        let keys = subject::load(&self.0.keyring, conn, &BTreeSet::from([subject])).await?;
        self.open_field(keys.get(subject)?, subject, field, sealed)
    }

    /// Opens many with one statement per 500 subjects, in the order of the input; `None` stands for an erased subject, so that a
    /// list outlives an erasure.
    ///
    /// # Errors
    /// As [`Vault::open`], save for erased subjects.
    pub async fn open_many(&self, conn: &impl ConnectionTrait, sealed: &[(Uuid, &'static str, &[u8])]) -> Result<Vec<Option<String>>, Error> {
        let subjects = sealed.iter().map(|(subject, ..)| *subject).collect();
        let keys = subject::load(&self.0.keyring, conn, &subjects).await?;
        let open = |(subject, field, sealed): &(Uuid, &'static str, &[u8])| match keys.get(*subject) {
            Ok(key) => self.open_field(key, *subject, field, sealed).map(Some),
            Err(Error::Erased(_)) => Ok(None),
            Err(error) => Err(error),
        };
        sealed.iter().map(open).collect()
    }

    /// Blind index (盲索引): 16 bytes to find an exact value by, without showing it. The same value gives the same bytes within one
    /// service and field only. Normalise first (digits of a phone, upper case of an identity number): the bytes decide.
    pub fn blind(&self, field: &'static str, normalised: &str) -> Vec<u8> {
        self.blind_with(self.0.keyring.current(), field, normalised)
    }

    /// The blind index under every key of the ring, the current one first: what a search compares with while a rotation is under
    /// way. Ask with these also before inserting into a column that must be unique.
    pub fn blind_all(&self, field: &'static str, normalised: &str) -> Vec<Vec<u8>> {
        self.0.keyring.keys().map(|key| self.blind_with(key, field, normalised)).collect()
    }

    /// Destroys the key of a subject for good, also of one for whom nothing is sealed yet. Doing it twice is fine.
    ///
    /// # Errors
    /// The database fails.
    pub async fn erase(&self, conn: &impl ConnectionTrait, subject: Uuid) -> Result<(), Error> {
        subject::erase(conn, subject).await
    }

    /// Wraps up to `limit` subject keys anew with the current key of the ring; answers how many, 0 when all are done. After that an
    /// older key is needed only for blind indexes that were not made anew.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] when the ring lacks a key that is in use; else the database fails.
    pub async fn rewrap(&self, conn: &impl ConnectionTrait, limit: u64) -> Result<u64, Error> {
        subject::rewrap(&self.0.keyring, conn, limit).await
    }

    pub(crate) fn keyring(&self) -> &Keyring {
        &self.0.keyring
    }

    pub(crate) fn service(&self) -> &[u8] {
        self.0.service.as_bytes()
    }

    fn blind_with(&self, key: &Key, field: &str, normalised: &str) -> Vec<u8> {
        let field = cipher::mac(&key.blind, &[b"field", self.service(), field.as_bytes()]);
        cipher::mac(&field, &[normalised.as_bytes()]).iter().take(16).copied().collect()
    }

    fn seal_field(&self, key: &Secret, subject: Uuid, field: &str, clear: &str) -> Result<Vec<u8>, Error> {
        cipher::seal(
            key,
            &[FORMAT],
            &[b"field", self.service(), field.as_bytes(), subject.as_bytes()],
            clear.as_bytes(),
        )
    }

    fn open_field(&self, key: &Secret, subject: Uuid, field: &str, sealed: &[u8]) -> Result<String, Error> {
        if sealed.first() != Some(&FORMAT) {
            return Err(Error::Broken("unknown format"));
        }
        let mut clear = cipher::open(key, 1, &[b"field", self.service(), field.as_bytes(), subject.as_bytes()], sealed)?;
        String::from_utf8(std::mem::take(&mut *clear)).map_err(|error| {
            error.into_bytes().zeroize();
            Error::Broken("not a text")
        })
    }
}
