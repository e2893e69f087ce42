use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use sea_orm::ConnectionTrait;
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    Error, Keyring,
    cipher::{self, FORMAT, Secret},
    keyring::Key,
    subject::{self, Keys},
};

/// What a text that is sealed by [`Vault::seal_texts`] begins with.
pub const SEALED: &str = "sealed:";
/// The service itself among the subjects; ids of people are of version 7.
const THE_SERVICE: Uuid = Uuid::nil();

/// Seals and opens the fields of one service. Cheap to clone.
///
/// A sealed field is bound to its service, field name and subject: moved to another row or column it does not open.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    keyring: RwLock<Arc<Keyring>>,
    /// The file that the ring came from.
    file: Option<PathBuf>,
    service: String,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("service", &self.0.service)
            .field("keyring", &self.keyring())
            .finish()
    }
}

impl Vault {
    /// The vault of a service, such as `archive`.
    pub fn new(keyring: Keyring, service: impl Into<String>) -> Self {
        Self::made(keyring, None, service.into())
    }

    /// The vault of a service over a key file. The file is read again by [`Vault::renew`], and when a key is met that is not on the ring.
    ///
    /// # Errors
    /// As [`Keyring::load`].
    pub fn of_file(file: &Path, service: impl Into<String>) -> Result<Self, Error> {
        Ok(Self::made(Keyring::load(file)?, Some(file.to_owned()), service.into()))
    }

    fn made(keyring: Keyring, file: Option<PathBuf>, service: String) -> Self {
        Self(Arc::new(Inner {
            keyring: RwLock::new(Arc::new(keyring)),
            file,
            service,
        }))
    }

    /// Reads the key file again; says whether the ring has changed. A vault that did not come from a file keeps its ring.
    ///
    /// # Errors
    /// As [`Keyring::load`]; the ring stays as it was.
    pub fn renew(&self) -> Result<bool, Error> {
        let Some(file) = &self.0.file else { return Ok(false) };
        let read = Keyring::load(file)?;
        let held = self.keyring();
        if read.ids().eq(held.ids()) && read.next_id() == held.next_id() {
            return Ok(false);
        }
        *self.0.keyring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
        Ok(true)
    }

    /// Seals a text under the subject's key, which is made on first use. `field` names the column, such as `party.phone`.
    ///
    /// # Errors
    /// [`Error::Erased`] for a subject who is erased; else the key or the database fails.
    pub async fn seal(&self, conn: &impl ConnectionTrait, subject: Uuid, field: &'static str, clear: &str) -> Result<Vec<u8>, Error> {
        let keys = self.keys_or_new(conn, &BTreeSet::from([subject])).await?;
        self.seal_field(keys.get(subject)?, subject, field, clear)
    }

    /// Seals many texts with a few statements per 500 subjects; answers in the order of the input.
    ///
    /// # Errors
    /// As [`Vault::seal`]; one erased subject refuses all.
    pub async fn seal_many(&self, conn: &impl ConnectionTrait, texts: &[(Uuid, &'static str, &str)]) -> Result<Vec<Vec<u8>>, Error> {
        let subjects = texts.iter().map(|(subject, ..)| *subject).collect();
        let keys = self.keys_or_new(conn, &subjects).await?;
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
        let keys = self.keys(conn, &BTreeSet::from([subject])).await?;
        self.open_field(keys.get(subject)?, subject, field, sealed)
    }

    /// Opens many with one statement per 500 subjects, in the order of the input; `None` stands for an erased subject, so that a
    /// list outlives an erasure.
    ///
    /// # Errors
    /// As [`Vault::open`], save for erased subjects.
    pub async fn open_many(&self, conn: &impl ConnectionTrait, sealed: &[(Uuid, &'static str, &[u8])]) -> Result<Vec<Option<String>>, Error> {
        let subjects = sealed.iter().map(|(subject, ..)| *subject).collect();
        let keys = self.keys(conn, &subjects).await?;
        let open = |(subject, field, sealed): &(Uuid, &'static str, &[u8])| match keys.get(*subject) {
            Ok(key) => self.open_field(key, *subject, field, sealed).map(Some),
            Err(Error::Erased(_)) => Ok(None),
            Err(error) => Err(error),
        };
        sealed.iter().map(open).collect()
    }

    /// Seals texts of one subject into texts, for columns that may hold clear ones from before. An empty text stays empty.
    ///
    /// # Errors
    /// As [`Vault::seal`].
    pub async fn seal_texts<const N: usize>(&self, conn: &impl ConnectionTrait, subject: Uuid, texts: [(&'static str, &str); N]) -> Result<[String; N], Error> {
        if texts.iter().all(|(_, clear)| clear.is_empty()) {
            return Ok(texts.map(|_| String::new()));
        }
        let keys = self.keys_or_new(conn, &BTreeSet::from([subject])).await?;
        let mut sealed = [const { String::new() }; N];
        for (text, (field, clear)) in sealed.iter_mut().zip(texts).filter(|(_, (_, clear))| !clear.is_empty()) {
            let bytes = self.seal_field(keys.get(subject)?, subject, field, clear)?;
            *text = format!("{SEALED}{}", STANDARD.encode(bytes));
        }
        Ok(sealed)
    }

    /// Opens what [`Vault::seal_texts`] made for the same subject and fields; a text that is not sealed is given back as it is, and one of an erased
    /// subject comes back empty.
    ///
    /// # Errors
    /// As [`Vault::open`], save for erased subjects.
    pub async fn open_texts<const N: usize>(&self, conn: &impl ConnectionTrait, subject: Uuid, held: [(&'static str, &str); N]) -> Result<[String; N], Error> {
        let held = held.map(|(field, text)| (subject, field, text));
        let mut clear = self.open_texts_of(conn, &held).await?.into_iter();
        Ok(held.map(|_| clear.next().unwrap_or_default()))
    }

    /// Opens texts of many subjects as [`Vault::open_texts`] does, with one statement per 500 subjects, in the order of the input.
    ///
    /// # Errors
    /// As there.
    pub async fn open_texts_of(&self, conn: &impl ConnectionTrait, held: &[(Uuid, &'static str, &str)]) -> Result<Vec<String>, Error> {
        let sealed = held.iter().filter(|(.., text)| text.starts_with(SEALED));
        let keys = self.keys(conn, &sealed.map(|(subject, ..)| *subject).collect()).await?;
        let open = |(subject, field, text): &(Uuid, &'static str, &str)| {
            let Some(sealed) = text.strip_prefix(SEALED) else {
                return Ok((*text).to_owned());
            };
            let bytes = STANDARD.decode(sealed).map_err(|_| Error::Broken("no base64"))?;
            match keys.get(*subject) {
                Ok(key) => self.open_field(key, *subject, field, &bytes),
                Err(Error::Erased(_)) => Ok(String::new()),
                Err(error) => Err(error),
            }
        };
        held.iter().map(open).collect()
    }

    /// Blind index (盲索引): 16 bytes to find an exact value by, without showing it. The same value gives the same bytes within one
    /// service and field only. Normalise first (digits of a phone, upper case of an identity number): the bytes decide.
    pub fn blind(&self, field: &'static str, normalised: &str) -> Vec<u8> {
        self.blind_with(self.keyring().current(), field, normalised)
    }

    /// The blind index under every key of the ring, the current one first: what a search compares with while a rotation is under
    /// way. Ask with these also before inserting into a column that must be unique.
    pub fn blind_all(&self, field: &'static str, normalised: &str) -> Vec<Vec<u8>> {
        self.keyring().keys().map(|key| self.blind_with(key, field, normalised)).collect()
    }

    /// The key of the digests of requests: this service's own, made on first use. It stands among the keys of the subjects, so it is the same after a
    /// change of the key ring, and who holds the database alone does not have it.
    ///
    /// # Errors
    /// The key ring or the database fails.
    pub async fn digest_key(&self, conn: &impl ConnectionTrait) -> Result<Zeroizing<[u8; 32]>, Error> {
        let keys = self.keys_or_new(conn, &BTreeSet::from([THE_SERVICE])).await?;
        Ok(cipher::mac(keys.get(THE_SERVICE)?, &[b"digest of a request"]))
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
        subject::rewrap(&self.keyring(), conn, limit).await
    }

    /// Ids of keys that wrapped something in this database and are not on the ring: what they wrapped cannot be opened.
    ///
    /// # Errors
    /// The database fails.
    pub async fn missing(&self, conn: &impl ConnectionTrait) -> Result<Vec<String>, Error> {
        subject::unknown(&self.keyring(), conn).await
    }

    /// The ring as it is now.
    pub fn keyring(&self) -> Arc<Keyring> {
        self.0.keyring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) async fn keys(&self, conn: &impl ConnectionTrait, subjects: &BTreeSet<Uuid>) -> Result<Keys, Error> {
        match subject::load(&self.keyring(), conn, subjects).await {
            Err(Error::UnknownKey(_)) if self.renew()? => subject::load(&self.keyring(), conn, subjects).await,
            found => found,
        }
    }

    pub(crate) async fn keys_or_new(&self, conn: &impl ConnectionTrait, subjects: &BTreeSet<Uuid>) -> Result<Keys, Error> {
        match subject::load_or_create(&self.keyring(), conn, subjects).await {
            Err(Error::UnknownKey(_)) if self.renew()? => subject::load_or_create(&self.keyring(), conn, subjects).await,
            found => found,
        }
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
