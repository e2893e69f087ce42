//! Each thing that calls a person has a page, and each page is found.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() && entry.file_name().is_none_or(|name| name != "tests" && name != "target") {
            sources(&entry, into);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            into.push(entry);
        }
    }
}

/// The words of each line of the log at level ERROR.
fn errors() -> BTreeSet<String> {
    let mut files = vec![];
    for part in ["shared", "services"] {
        sources(&Path::new(ROOT).join(part), &mut files);
    }
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    let mut found = BTreeSet::new();
    for text in texts {
        for call in text.split("tracing::error!(").skip(1) {
            let call = call.split(");").next().unwrap();
            found.insert(call.rsplit('"').nth(1).unwrap().to_owned());
        }
    }
    found
}

#[test]
fn a_page_is_there_for_each_alarm() {
    let index = fs::read_to_string(Path::new(ROOT).join("docs/runbooks/README.md")).unwrap();
    let words: Vec<&str> = index.split('`').skip(1).step_by(2).collect();
    let errors = errors();
    assert!(errors.len() > 5, "{errors:?}");
    for error in &errors {
        assert!(words.iter().any(|w| error.starts_with(w)), "docs/runbooks/README.md says nothing of: {error}");
    }
    let check = fs::read_to_string(Path::new(ROOT).join("services/hearth/src/check.rs")).unwrap();
    for what in [
        "database settings",
        "journal",
        "history",
        "anchors",
        "events",
        "references",
        "jobs",
        "sagas",
        "ledger",
    ] {
        assert!(check.contains(&format!("\"{what}")), "check has no line {what}");
        assert!(index.contains(&format!("FAULT {what}")), "docs/runbooks/README.md says nothing of FAULT {what}");
    }
    let linked: BTreeSet<String> = index.split("](").skip(1).map(|l| l.split(')').next().unwrap().to_owned()).collect();
    let pages = fs::read_dir(Path::new(ROOT).join("docs/runbooks")).unwrap();
    let pages: BTreeSet<String> = pages
        .map(|p| p.unwrap().file_name().into_string().unwrap())
        .filter(|p| p != "README.md")
        .collect();
    assert_eq!(linked, pages);
}
