//! Which column of a file holds what.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use csv::StringRecord;

use crate::formula;

/// A column that an import knows.
pub struct Field {
    /// Name in the documentation and in `--columns`.
    pub name: &'static str,
    /// Headers under which it is found without `--columns`.
    pub headers: &'static [&'static str],
    /// Whether a file without it is refused, and a row that leaves it empty.
    pub required: bool,
    /// Longest text, in characters.
    pub limit: usize,
}

/// A mapping that was asked for: `field=header`.
#[derive(Clone, Debug)]
pub struct Mapping {
    field: String,
    header: String,
}

impl std::str::FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((field, header)) if !field.trim().is_empty() && !header.trim().is_empty() => Ok(Self {
                field: field.trim().to_owned(),
                header: header.trim().to_owned(),
            }),
            _ => Err("write it as field=header, such as meter_no=meter".to_owned()),
        }
    }
}

/// The places of the fields in a file.
#[derive(Debug)]
pub struct Columns {
    places: BTreeMap<&'static str, usize>,
    width: usize,
}

impl Columns {
    /// Finds every field in a header.
    pub fn find(fields: &'static [Field], mappings: &[Mapping], header: &StringRecord) -> Result<Self> {
        let names = || fields.iter().map(|f| f.name).collect::<Vec<_>>().join(", ");
        if let Some(wrong) = mappings.iter().find(|m| !fields.iter().any(|f| f.name == m.field)) {
            bail!("--columns: there is no field {}; the fields are {}", wrong.field, names());
        }
        let found: Vec<&str> = header.iter().collect();
        let place = |name: &str| found.iter().position(|h| h.eq_ignore_ascii_case(name));
        let mut places = BTreeMap::new();
        let mut missing = vec![];
        for field in fields {
            let mapped = mappings.iter().rev().find(|m| m.field == field.name);
            match mapped {
                Some(mapping) => match place(&mapping.header) {
                    Some(at) => drop(places.insert(field.name, at)),
                    None => missing.push(format!("{} (as {})", field.name, mapping.header)),
                },
                None => match field.headers.iter().find_map(|h| place(h)) {
                    Some(at) => drop(places.insert(field.name, at)),
                    None if field.required => missing.push(field.name.to_owned()),
                    None => {}
                },
            }
        }
        if !missing.is_empty() {
            bail!(
                "the file has no column for {}; its columns are {}; name others with --columns field=header",
                missing.join(", "),
                found.join(", ")
            );
        }
        Ok(Self { places, width: found.len() })
    }

    /// The cells of a row by field.
    pub fn cells<'a>(&'a self, record: &'a StringRecord) -> Cells<'a> {
        Cells { columns: self, record }
    }
}

/// A row by field.
#[derive(Clone, Copy)]
pub struct Cells<'a> {
    columns: &'a Columns,
    record: &'a StringRecord,
}

impl<'a> Cells<'a> {
    /// The text of a field; empty where the file has no such column.
    pub fn get(&self, field: &str) -> &'a str {
        self.columns
            .places
            .get(field)
            .and_then(|at| self.record.get(*at))
            .map(formula::plain)
            .unwrap_or_default()
    }

    /// Whether the row has as many cells as the header.
    pub fn is_whole(&self) -> bool {
        self.record.len() == self.columns.width
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    static FIELDS: [Field; 3] = [
        Field {
            name: "meter_no",
            headers: &["meter_no"],
            required: true,
            limit: 40,
        },
        Field {
            name: "index",
            headers: &["index", "reading"],
            required: true,
            limit: 40,
        },
        Field {
            name: "source",
            headers: &["source"],
            required: false,
            limit: 40,
        },
    ];

    fn find(mappings: &[&str], header: &[&str]) -> Result<Columns> {
        Columns::find(
            &FIELDS,
            &mappings.iter().map(|m| m.parse().unwrap()).collect::<Vec<_>>(),
            &StringRecord::from(header.to_vec()),
        )
    }

    #[test]
    fn fields_are_found_by_header_or_by_mapping() {
        let columns = find(&["meter_no=meter"], &["Reading", "meter"]).unwrap();
        let record = StringRecord::from(vec!["12", "M1"]);
        let cells = columns.cells(&record);
        assert_eq!((cells.get("meter_no"), cells.get("index"), cells.get("source")), ("M1", "12", ""));
        assert!(cells.is_whole());
        assert!(!columns.cells(&StringRecord::from(vec!["12"])).is_whole());
    }

    #[test]
    fn what_is_missing_is_named_all_at_once() {
        let text = find(&["meter_no=m"], &["a", "b"]).unwrap_err().to_string();
        assert!(text.contains("meter_no (as m), index") && text.contains("its columns are a, b"), "{text}");
        let text = find(&["metre=m"], &["a"]).unwrap_err().to_string();
        assert!(text.contains("there is no field metre; the fields are meter_no, index, source"), "{text}");
        assert!("meter_no".parse::<Mapping>().is_err());
    }
}
