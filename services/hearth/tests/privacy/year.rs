//! The demo's year on real names: what it files of its customers stands in clear text where archive keeps it, and nowhere else.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::markers::search::Search;

const REGISTER: &str = include_str!("../../data/city/register.csv");
const CUSTOMERS: usize = 60;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all
}

#[test]
fn r_p1_the_year_leaves_its_customers_in_clear_nowhere_but_in_the_archive() {
    let mut register = csv::Reader::from_reader(REGISTER.as_bytes());
    let headers = register.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (name, address) = (column("name"), column("address"));
    let columns = [name, address, column("phone"), column("id_number")];
    let rows: Vec<_> = register.records().take(CUSTOMERS).map(Result::unwrap).collect();
    let values: Vec<_> = rows
        .iter()
        .flat_map(|row| columns.map(|column| (column, row[column].to_owned())))
        // What two characters of a name stand for may stand anywhere.
        .filter(|(column, value)| *column != name || value.chars().count() > 2)
        .collect();
    let search = Search::new(values.iter().map(|(_, value)| value.as_str()));

    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let data = folder.path().join("data");
    let output = Command::new(env!("CARGO_BIN_EXE_hearth"))
        .args(["demo", "--customers", &CUSTOMERS.to_string(), "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut places = vec![("what the demo prints".to_owned(), [output.stdout, output.stderr].concat())];
    for file in files(&data) {
        let place = file.strip_prefix(&data).unwrap().to_string_lossy().into_owned();
        places.push((place, fs::read(file).unwrap()));
    }
    let mut seen = 0;
    let mut hits = vec![];
    for (place, bytes) in &places {
        for (n, around) in search.find(bytes) {
            let (column, value) = &values[n];
            if place.starts_with("archive.db") && [name, address].contains(column) {
                seen += 1;
            } else {
                hits.push(format!("{place}: {value} in {around:?}"));
            }
        }
    }
    assert!(seen > CUSTOMERS, "names and addresses were not found where they stand");
    assert!(hits.is_empty(), "{} hits\n{}", hits.len(), hits.join("\n"));
}
