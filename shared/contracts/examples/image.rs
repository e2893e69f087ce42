//! Writes the contracts as one descriptor image, the form in which `buf` and other tools take them: `image FILE`.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let path = PathBuf::from(env::args_os().nth(1).ok_or("usage: image FILE")?);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, contracts::DESCRIPTORS)?;
    Ok(())
}
