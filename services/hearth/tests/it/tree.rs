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

/// The sources of the project, to look up tests by their names.
pub struct Tests(Vec<(String, String)>);

impl Tests {
    pub fn read() -> Self {
        Self(["services", "shared"].iter().flat_map(|folder| files(folder, "rs")).collect())
    }

    /// Whether a test stands below a folder, in a place such as `operate::disk`, whose parts are folders or files on the way to it. A name that ends with
    /// `…` stands for those that begin so.
    pub fn has(&self, folder: &str, place: &[&str], name: &str) -> bool {
        let head = match name.strip_suffix('…') {
            Some(begins) => format!("fn {begins}"),
            None => format!("fn {name}("),
        };
        self.below(folder, place).any(|text| text.contains(&head))
    }

    /// The texts of a place.
    pub fn below<'a>(&'a self, folder: &'a str, place: &'a [&str]) -> impl Iterator<Item = &'a str> {
        let there = move |path: &str| {
            let way = path.strip_suffix(".rs").unwrap_or(path);
            path.starts_with(folder) && place.iter().all(|part| way.split('/').any(|step| step == *part))
        };
        self.0.iter().filter(move |(path, _)| there(path)).map(|(_, text)| text.as_str())
    }
}

/// What stands in backquotes.
pub fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The cells of the rows of a page's tables, heads and lines under them left out.
pub fn cells(page: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let is_rule = |line: &&str| line.starts_with("| ---");
    let rows = lines.iter().enumerate().filter(|(n, line)| {
        let head = lines.get(n + 1).is_some_and(is_rule);
        line.starts_with("| ") && !is_rule(line) && !head
    });
    let split = |line: &str| line.trim().trim_matches('|').split(" | ").map(|c| c.trim().to_owned()).collect();
    rows.map(|(_, line)| split(line)).collect()
}
