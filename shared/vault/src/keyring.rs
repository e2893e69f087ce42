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
/// current key, the others still open what they wrapped. Wiped from memory when dropped; its `Debug` shows ids only.
pub struct Keyring {
    current: Key,
    older: Vec<Key>,
}

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
        })
    }

    /// The same ring with a new random key as the current one. Save it, restart the services, then call [`crate::Vault::rewrap`].
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn rotated(self) -> Result<Self, Error> {
        let mut older = self.older;
        older.insert(0, self.current);
        Ok(Self {
            current: Key::random()?,
            older,
        })
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
        let mut keys: Vec<Key> = vec![];
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let (id, key) = line.trim().split_once(' ').ok_or(format!("line {number} is not an id and a key"))?;
            let good = (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if !good {
                return Err(format!("line {number}: an id is up to 32 letters, digits, - and _"));
            }
            if keys.iter().any(|k| k.id == id) {
                return Err(format!("line {number} repeats the id {id}"));
            }
            let bytes = STANDARD
                .decode(key.trim())
                .map(Zeroizing::new)
                .map_err(|_| format!("line {number}: the key is not base64"))?;
            let mut master = Secret::default();
            if bytes.len() != master.len() {
                return Err(format!("line {number}: a key is 32 bytes"));
            }
            master.copy_from_slice(&bytes);
            keys.push(Key::new(id.to_owned(), master).map_err(|e| e.to_string())?);
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or("holds no key")?;
        Ok(Self {
            current,
            older: keys.collect(),
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
        let mut text = Zeroizing::new(String::new());
        for key in self.keys() {
            text.push_str(&key.id);
            text.push(' ');
            text.push_str(&Zeroizing::new(STANDARD.encode(key.master.as_slice())));
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
        std::iter::once(&self.current).chain(&self.older)
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
