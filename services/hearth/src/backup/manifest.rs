//! What a backup holds, with a digest of each file.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, ensure};
use database::Engine;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Written last: a folder without it is no backup.
pub const MANIFEST: &str = "manifest.json";
pub const FORMAT: u32 = 1;
/// Folder of a service's stored files within a backup.
pub const FILES: &str = "files";

#[derive(Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// Version of the tool that made it.
    pub version: String,
    /// When, by the clock of the machine.
    pub made: String,
    /// The use of the data folder: "up" or "demo"; none for services that run as programs of their own.
    pub kind: Option<String>,
    pub services: Vec<Part>,
}

/// What is there of one service.
#[derive(Serialize, Deserialize)]
pub struct Part {
    pub service: String,
    pub engine: String,
    pub head: Head,
    pub copies: Vec<Copy>,
}

/// How far its database was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Steps of the service's own that had run on it.
    pub migrations: usize,
    /// Rows of the journal that were sealed.
    pub position: i64,
    /// Events that were numbered.
    pub events: i64,
    /// Hash of the last sealed row, in hexadecimal.
    pub hash: String,
}

/// One file of the backup; the path begins with the service.
#[derive(Serialize, Deserialize)]
pub struct Copy {
    pub path: PathBuf,
    pub bytes: u64,
    pub sha256: String,
}

impl Manifest {
    /// Reads the manifest of a backup and holds every file against it.
    pub fn read(folder: &Path) -> Result<Self> {
        let text = fs::read_to_string(folder.join(MANIFEST)).with_context(|| format!("{} is no backup of Hearth", folder.display()))?;
        let manifest: Self = serde_json::from_str(&text).with_context(|| format!("the manifest of {} cannot be read", folder.display()))?;
        ensure!(
            manifest.format == FORMAT,
            "{} was made by another version of Hearth ({})",
            folder.display(),
            manifest.version
        );
        for copy in manifest.services.iter().flat_map(|part| &part.copies) {
            let found = digest(&folder.join(&copy.path)).with_context(|| format!("{} is damaged: {} cannot be read", folder.display(), copy.path.display()))?;
            ensure!(
                found == (copy.bytes, copy.sha256.clone()),
                "{} is damaged: {} is not what the manifest says",
                folder.display(),
                copy.path.display()
            );
        }
        Ok(manifest)
    }
}

impl Part {
    /// The file that holds the database.
    pub fn database(&self, folder: &Path) -> Result<PathBuf> {
        let database = self
            .copies
            .first()
            .ok_or_else(|| anyhow!("the manifest names no database of {}", self.service))?;
        Ok(folder.join(&database.path))
    }
}

pub fn name(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
    }
}

/// Brings a service's stored files into the backup, beside the database that is there, and lists all of it, the database first.
pub fn take(backup: &Path, service: &str, files: &Path) -> Result<Vec<Copy>> {
    let folder = backup.join(service);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    ensure!(paths.len() == 1, "{} holds something else than a database", folder.display());
    paths.extend(copy_files(files, &folder.join(FILES))?);
    sync(&folder)?;
    let list = paths.into_iter().map(|path| {
        File::open(&path)?.sync_all()?;
        let (bytes, sha256) = digest(&path)?;
        Ok(Copy {
            path: path.strip_prefix(backup)?.to_owned(),
            bytes,
            sha256,
        })
    });
    list.collect()
}

/// Copies a store of files, synced; says what was written. A name that ends in `.new` is of a write that was cut off.
pub fn copy_files(from: &Path, to: &Path) -> Result<Vec<PathBuf>> {
    let mut written = vec![];
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(written),
        entries => entries.with_context(|| format!("{} cannot be read", from.display()))?,
    };
    private_folder(to)?;
    for entry in entries {
        let (from, to) = entry.map(|e| (e.path(), to.join(e.file_name())))?;
        if from.is_dir() {
            written.extend(copy_files(&from, &to)?);
        } else if from.extension().is_none_or(|e| e != "new") {
            copy(&from, &to)?;
            written.push(to);
        }
    }
    sync(to)?;
    Ok(written)
}

/// Copies a file to a new one, synced.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let told = || format!("{} cannot be copied to {}", from.display(), to.display());
    fs::copy(from, to).with_context(told)?;
    File::open(to).and_then(|file| file.sync_all()).with_context(told)
}

/// Writes a file that is not there, synced.
pub fn keep(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create_new(path).with_context(|| format!("{} cannot be written", path.display()))?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

/// A folder with its parents, closed to others.
pub fn private_folder(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).with_context(|| format!("{} cannot be made", path.display()))
}

/// Names in a folder are on the disk only when the folder is.
pub fn sync(folder: &Path) -> Result<()> {
    Ok(File::open(folder)?.sync_all()?)
}

fn digest(path: &Path) -> Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut sha, mut bytes, mut buffer) = (Sha256::new(), 0_u64, vec![0; 64 * 1024]);
    loop {
        let n = file.read(&mut buffer)?;
        let Some(part) = buffer.get(..n).filter(|part| !part.is_empty()) else {
            return Ok((bytes, hex::encode(sha.finalize())));
        };
        sha.update(part);
        bytes = bytes.saturating_add(u64::try_from(n)?);
    }
}
