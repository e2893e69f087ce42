//! Where a file goes: it takes its name when it is whole.

use std::{
    fs::{self, File},
    io::{self, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// Standard output, or a file that is being written.
pub struct Place {
    out: BufWriter<Box<dyn Write + Send>>,
    file: Option<Named>,
}

struct Named {
    path: PathBuf,
    /// Where it is written until it is whole; absent for what is no file, such as a device.
    part: Option<PathBuf>,
}

impl Place {
    /// Opens a file, or standard output where none is named.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self {
                out: BufWriter::new(Box::new(io::stdout())),
                file: None,
            });
        };
        let part = match fs::metadata(path) {
            Ok(found) if !found.is_file() => None,
            _ => {
                let mut name = path.as_os_str().to_owned();
                name.push(".part");
                Some(PathBuf::from(name))
            }
        };
        let written = part.as_deref().unwrap_or(path);
        let file = File::create(written).with_context(|| unwritable(path))?;
        Ok(Self {
            out: BufWriter::new(Box::new(file)),
            file: Some(Named { path: path.to_owned(), part }),
        })
    }

    /// What stands in an error about it.
    pub fn unwritable(&self) -> String {
        self.file
            .as_ref()
            .map_or_else(|| "standard output cannot be written to".to_owned(), |named| unwritable(&named.path))
    }

    /// Writes the rest, and gives a file its name.
    ///
    /// # Errors
    /// The disk is full, or the name cannot be had.
    pub fn finish(mut self) -> Result<()> {
        self.out.flush().with_context(|| self.unwritable())?;
        match self.file.take() {
            Some(Named { path, part: Some(part) }) => {
                let moved = File::open(&part).and_then(|file| file.sync_all()).and_then(|()| fs::rename(&part, &path));
                if moved.is_err() {
                    // It may be gone already.
                    let _ = fs::remove_file(&part);
                }
                moved.with_context(|| unwritable(&path))
            }
            _ => Ok(()),
        }
    }
}

fn unwritable(path: &Path) -> String {
    format!("{} cannot be written; name another file with -o", path.display())
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(Named { part: Some(part), .. }) = &self.file {
            // What is left of a file that never became whole.
            let _ = fs::remove_file(part);
        }
    }
}

/// Whether the reader of standard output has gone.
pub fn is_left(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref::<csv::Error>().map(csv::Error::kind) {
        Some(csv::ErrorKind::Io(cause)) => Some(cause.kind()),
        _ => cause.downcast_ref::<io::Error>().map(io::Error::kind),
    };
    error.chain().any(|cause| kind(cause) == Some(ErrorKind::BrokenPipe))
}
