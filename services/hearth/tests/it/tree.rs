//! The sources of the project, for tests that read them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The four services.
pub const SERVICES: [&str; 4] = ["archive", "hall", "billing", "vendor"];

/// The folder of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every file below a folder of the project whose name ends with `.extension`: its path from the root, and its text.
pub fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    let (root, mut found) = (root(), vec![]);
    walk(&root.join(folder), &mut |path| {
        if path.extension().is_some_and(|e| e == extension) {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            found.push((name, fs::read_to_string(path).unwrap()));
        }
    });
    found.sort();
    found
}

fn walk(folder: &Path, meet: &mut impl FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, meet);
        } else {
            meet(&path);
        }
    }
}

/// Whether a text holds a word: the same letters within a longer name do not count.
pub fn has_word(text: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
        let longer = before.is_some_and(part_of_name) || (word.ends_with(part_of_name) && after.is_some_and(part_of_name));
        !longer
    })
}
