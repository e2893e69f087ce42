//! The first page in both languages says the same: its headings, commands, folders, links and figures.

use std::{collections::BTreeSet, fs};

use crate::tree::root;

/// What of a page no translation changes.
#[derive(Debug, Default, PartialEq)]
struct Page {
    /// Levels of the headings, in order.
    headings: Vec<usize>,
    /// Code blocks in order: kind, and the lines that are commands or folders.
    blocks: Vec<(String, Vec<String>)>,
    /// What stands in the text as code.
    code: BTreeSet<String>,
    /// Where its links lead, in order.
    links: Vec<String>,
    figures: BTreeSet<String>,
}

impl Page {
    fn read(name: &str) -> Self {
        let text = fs::read_to_string(root().join(name)).unwrap();
        let mut page = Self::default();
        for (n, part) in text.split("```").enumerate() {
            if n % 2 == 1 {
                let (kind, lines) = part.split_once('\n').unwrap();
                page.blocks.push((kind.to_owned(), lines.lines().filter_map(|line| kept(kind, line)).collect()));
            } else {
                page.prose(part);
            }
        }
        page
    }

    fn prose(&mut self, text: &str) {
        let levels = text.lines().filter(|line| line.starts_with('#'));
        self.headings.extend(levels.map(|line| line.chars().take_while(|c| *c == '#').count()));
        let mut words = String::new();
        for (n, part) in text.split('`').enumerate() {
            if n % 2 == 1 {
                self.code.insert(part.to_owned());
            } else {
                words.push_str(part);
            }
        }
        let targets = words.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned());
        self.links.extend(targets);
        let digits = words.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
        self.figures.extend(digits.map(str::to_owned));
    }
}

/// A command without its comment, or the folder of a line; nothing of a drawing but its lines for people to read.
fn kept(kind: &str, line: &str) -> Option<String> {
    if kind == "sh" {
        return Some(line.split("  #").next().unwrap().trim_end().to_owned());
    }
    let folder = line.split("  ").next().unwrap();
    folder.ends_with('/').then(|| folder.to_owned())
}

#[test]
fn both_languages_say_the_same_and_every_link_leads_somewhere() {
    let (english, mut chinese) = (Page::read("README.md"), Page::read("README.zh-CN.md"));
    assert_eq!((english.blocks.len(), english.headings.len()), (7, 6), "{english:?}");
    assert_eq!(english.links[0], "README.zh-CN.md");
    assert_eq!(chinese.links[0], "README.md");
    for link in english.links.iter().chain(&chinese.links).filter(|link| !link.starts_with("https://")) {
        assert!(root().join(link).exists(), "{link} is not there");
    }
    chinese.links[0] = english.links[0].clone();
    assert_eq!(english, chinese);
}

/// The folders that the page names are those that are there.
#[test]
fn the_map_names_every_service_and_what_surrounds_them() {
    let page = Page::read("README.md");
    let named: BTreeSet<&str> = page
        .blocks
        .iter()
        .filter(|(kind, _)| kind.is_empty())
        .flat_map(|(_, lines)| lines)
        .map(String::as_str)
        .collect();
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(root().join("services")).unwrap() {
        there.insert(format!("services/{}/", entry.unwrap().file_name().display()));
    }
    there.extend(["proto/hearth/", "shared/", "clients/", "deploy/", "docs/"].map(str::to_owned));
    assert_eq!(named, there.iter().map(String::as_str).collect());
}
