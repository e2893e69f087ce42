//! `docs/reliability.md`: whatever it names as what shows a promise is there.

use crate::tree::{Tests, cells, quoted, root};

const PAGE: &str = "docs/reliability.md";

/// The folder of a crate.
fn folder(name: &str) -> Option<String> {
    let found = ["services", "shared", "services/hearth"].map(|place| format!("{place}/{name}"));
    found.into_iter().find(|folder| root().join(folder).join("Cargo.toml").exists())
}

/// What is wrong with what a cell names: crates and their targets, tests in them, settings of tests.
fn faults(tests: &Tests, cell: &str) -> Vec<String> {
    let (mut crate_folder, mut target) = (String::new(), String::new());
    let mut faults = vec![];
    for name in quoted(cell) {
        let words: Vec<_> = name.split(' ').collect();
        match (words.as_slice(), folder(words[0])) {
            ([_] | [_, "--lib"] | [_, "--test", _], Some(found)) => {
                crate_folder = found;
                target = words.get(2).map_or(String::new(), |target| (*target).to_owned());
                let place: Vec<_> = words.get(2).into_iter().copied().collect();
                if tests.below(&crate_folder, &place).next().is_none() {
                    faults.push(format!("there is no {name}"));
                }
            }
            ([setting], _) if setting.starts_with("HEARTH_") => {
                let quoted = format!("\"{setting}\"");
                if !tests.below("", &[]).any(|text| text.contains(&quoted)) {
                    faults.push(format!("nothing reads {setting}"));
                }
            }
            ([path], _) => {
                let place: Vec<_> = Some(target.as_str()).filter(|t| !t.is_empty()).into_iter().collect();
                let mut way: Vec<_> = path.split("::").collect();
                let is_file = tests.below(&crate_folder, &[place.clone(), way.clone()].concat()).next().is_some();
                let test = way.pop().unwrap_or_default();
                if !is_file && !tests.has(&crate_folder, &[place, way].concat(), test) {
                    faults.push(format!("there is no test {path}"));
                }
            }
            // A command for people.
            _ => {}
        }
    }
    faults
}

#[test]
fn every_promise_names_what_shows_it() {
    let (rows, tests) = (cells(PAGE), Tests::read());
    let rows: Vec<_> = rows.into_iter().filter(|row| row.len() == 6).collect();
    assert!(rows.len() > 50, "the page has lost its tables");
    let mut found = vec![];
    for row in &rows {
        let (id, shown) = (&row[0], &row[2]);
        // A row may lean on the one before it, or on that of another id.
        let leans = shown.starts_with("likewise") || shown.strip_prefix("the test of ").is_some_and(|other| rows.iter().any(|row| row[0] == other));
        if quoted(shown).is_empty() && !leans {
            found.push(format!("{id}: nothing shows it"));
        }
        found.extend(faults(&tests, shown).into_iter().map(|fault| format!("{id}: {fault}")));
    }
    assert!(found.is_empty(), "{PAGE}\n{}", found.join("\n"));
}
