use std::{
    collections::BTreeSet,
    fmt,
    io::{ErrorKind, Write},
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hkdf::Hkdf;
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    Error,
    cipher::{self, Secret},
};

/// One key of the file and what is derived from it. The key that wraps and the key that searches are kept apart: who holds only
/// one of them cannot do the work of the other.
pub(crate) struct Key {
    pub(crate) id: String,
    master: Secret,
    pub(crate) wrapping: Secret,
    pub(crate) blind: Secret,
}

impl Key {
    fn random() -> Result<Self, Error> {
        let mut id = [0; 4];
        getrandom::fill(&mut id).map_err(Error::Random)?;
        Self::new(format!("k{:08x}", u32::from_be_bytes(id)), cipher::random_key()?)
    }

    fn new(id: String, master: Secret) -> Result<Self, Error> {
        let hkdf = Hkdf::<Sha256>::new(None, master.as_slice());
        let derive = |info: &str| {
            let mut key = Secret::default();
            hkdf.expand(info.as_bytes(), key.as_mut_slice())
                .map_err(|_| Error::Broken("no key derived"))
                .map(|()| key)
        };
        Ok(Self {
            wrapping: derive("hearth vault 1 wrapping")?,
            blind: derive("hearth vault 1 blind index")?,
            id,
            master,
        })
    }
}

/// The keys of an installation, newest first. Lives in one text file, lines of `key-id base64(32 bytes)`; the first line is the
/// current key, the others still open what they wrapped. A key whose line ends in `next` waits: it opens and searches, and nothing is
/// made with it yet. Wiped from memory when dropped; its `Debug` shows ids only.
pub struct Keyring {
    current: Key,
    older: Vec<Key>,
    next: Option<Key>,
}

/// What a line of the key file ends in when its key waits.
const NEXT: &str = "next";

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("keys", &self.ids().collect::<Vec<_>>()).finish()
    }
}

impl Keyring {
    /// A ring with one new random key.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn generate() -> Result<Self, Error> {
        Ok(Self {
            current: Key::random()?,
            older: vec![],
            next: None,
        })
    }

    /// The first step of a change of keys: the same ring with a new random key that waits, or with the one that waits already. Every process has
    /// to have read it before the second step, or it could not open what another one seals.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn announced(mut self) -> Result<Self, Error> {
        if self.next.is_none() {
            self.next = Some(Key::random()?);
        }
        Ok(self)
    }

    /// The second step: the key that waits becomes the current one. Without one that waits nothing changes.
    #[must_use]
    pub fn promoted(mut self) -> Self {
        if let Some(next) = self.next.take() {
            self.older.insert(0, std::mem::replace(&mut self.current, next));
        }
        self
    }

    /// The last step: the older keys go. What they wrapped and was not wrapped anew is lost, and what is found by their blind indexes is not
    /// found any more.
    #[must_use]
    pub fn retired(mut self) -> Self {
        self.older.clear();
        self
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`Error::KeyFile`] when the file is missing, open to group or others, or not what a key file looks like.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let problem = |problem: String| Error::KeyFile {
            path: path.to_owned(),
            problem,
        };
        closed_to_others(path).map_err(problem)?;
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|e| problem(e.to_string()))?);
        Self::parse(&text).map_err(problem)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (mut keys, mut next): (Vec<Key>, Option<Key>) = (vec![], None);
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let (id, key) = line.trim().split_once(' ').ok_or(format!("line {number} is not an id and a key"))?;
            let good = (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if !good {
                return Err(format!("line {number}: an id is up to 32 letters, digits, - and _"));
            }
            let (key, waits) = match key.trim().split_once(' ') {
                None => (key.trim(), false),
                Some((key, NEXT)) if next.is_none() => (key, true),
                Some(_) => return Err(format!("line {number}: after the key there may be the word {NEXT}, on one line")),
            };
            if keys.iter().chain(&next).any(|k| k.id == id) {
                return Err(format!("line {number} repeats the id {id}"));
            }
            let bytes = STANDARD
                .decode(key)
                .map(Zeroizing::new)
                .map_err(|_| format!("line {number}: the key is not base64"))?;
            let mut master = Secret::default();
            if bytes.len() != master.len() {
                return Err(format!("line {number}: a key is 32 bytes"));
            }
            master.copy_from_slice(&bytes);
            let key = Key::new(id.to_owned(), master).map_err(|e| e.to_string())?;
            if waits { next = Some(key) } else { keys.push(key) }
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or("holds no key")?;
        Ok(Self {
            current,
            older: keys.collect(),
            next,
        })
    }

    /// Writes the key file with mode 0600, replacing an older version of the same ring.
    ///
    /// # Errors
    /// [`Error::KeyFile`] when the file there holds a key that this ring lacks: to lose a key is to lose the data under it.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let problem = |problem: String| Error::KeyFile {
            path: path.to_owned(),
            problem,
        };
        match path.try_exists() {
            Ok(false) => {}
            Ok(true) => {
                let mine: BTreeSet<_> = self.keys().map(|k| (k.id.as_str(), k.master.as_slice())).collect();
                let old = Self::load(path)?;
                if let Some(lost) = old.keys().find(|k| !mine.contains(&(k.id.as_str(), k.master.as_slice()))) {
                    return Err(problem(format!("would lose the key {}", lost.id)));
                }
            }
            Err(e) => return Err(problem(e.to_string())),
        }
        self.write(path)
    }

    /// Writes the key file as [`Keyring::save`] does, also where older keys go.
    ///
    /// # Errors
    /// [`Error::KeyFile`] when the current key of the file there is another one than this ring's.
    pub fn save_retired(&self, path: &Path) -> Result<(), Error> {
        if Self::load(path)?.current.id == self.current.id {
            return self.write(path);
        }
        Err(Error::KeyFile {
            path: path.to_owned(),
            problem: format!("has another current key than {}", self.current.id),
        })
    }

    fn write(&self, path: &Path) -> Result<(), Error> {
        let problem = |problem: String| Error::KeyFile {
            path: path.to_owned(),
            problem,
        };
        let mut text = Zeroizing::new(String::new());
        for key in self.keys() {
            text.push_str(&key.id);
            text.push(' ');
            text.push_str(&Zeroizing::new(STANDARD.encode(key.master.as_slice())));
            if self.next.as_ref().is_some_and(|next| next.id == key.id) {
                text.push(' ');
                text.push_str(NEXT);
            }
            text.push('\n');
        }
        let temporary = path.with_extension(format!("{}.new", Uuid::now_v7()));
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        write_private(&temporary, text.as_bytes())
            .and_then(|()| std::fs::rename(&temporary, path))
            .and_then(|()| sync_folder(folder))
            .map_err(|e| problem(e.to_string()))
    }

    /// Ids of the keys, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys().map(|key| key.id.as_str())
    }

    /// All keys, the current one first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.older).chain(&self.next)
    }

    /// Id of the key that everything new is made with.
    pub fn current_id(&self) -> &str {
        &self.current.id
    }

    /// Ids of the keys before the current one.
    pub fn older_ids(&self) -> impl Iterator<Item = &str> {
        self.older.iter().map(|key| key.id.as_str())
    }

    /// Id of the key that waits.
    pub fn next_id(&self) -> Option<&str> {
        self.next.as_ref().map(|key| key.id.as_str())
    }

    /// The key that wraps and searches from now on.
    pub(crate) fn current(&self) -> &Key {
        &self.current
    }

    pub(crate) fn key(&self, id: &str) -> Result<&Key, Error> {
        self.keys().find(|key| key.id == id).ok_or_else(|| Error::UnknownKey(id.to_owned()))
    }
}

/// Creates a file that only its owner can read, and brings it to the disk.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Brings the names in a folder to the disk.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    // Elsewhere a folder cannot be opened like a file.
    if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(unix)]
fn closed_to_others(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    match std::fs::metadata(path) {
        Ok(data) if data.permissions().mode() & 0o077 != 0 => Err("is open to group or others; run chmod 600 on it".to_owned()),
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => Err("is missing".to_owned()),
        Err(e) => Err(e.to_string()),
    }
}

#[cfg(not(unix))]
fn closed_to_others(path: &Path) -> Result<(), String> {
    match std::fs::metadata(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => Err("is missing".to_owned()),
        Err(e) => Err(e.to_string()),
    }
}
