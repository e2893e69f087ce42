//! Looks for values in bytes, in every form in which a program may have written them.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};

/// What is looked for, by the first four bytes of each form.
pub struct Search {
    starts: Vec<bool>,
    forms: HashMap<[u8; 4], Vec<(usize, Vec<u8>)>>,
}

/// A text as it may stand in a file, a log or a message: as it is, in base64 at each of its three places, in hexadecimal digits, in UTF-16, escaped as
/// JSON and as a URL do.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let bytes = text.as_bytes();
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let mut all = vec![bytes.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    for skipped in 0..3 {
        let padded = [vec![0; skipped], bytes.to_vec()].concat();
        // Only whole groups, and none that the bytes before have a part in.
        let whole = padded.len() / 3 * 3;
        let text = STANDARD.encode(&padded[..whole]);
        all.push(text.as_bytes()[if skipped == 0 { 0 } else { 4 }..].to_vec());
    }
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        all.push(text.encode_utf16().flat_map(order).collect());
    }
    if !text.is_ascii() {
        all.push(text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>().into_bytes());
        all.push(bytes.iter().map(|b| format!("%{b:02X}")).collect::<String>().into_bytes());
    }
    all
}

impl Search {
    pub fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut search = Self {
            starts: vec![false; 1 << 16],
            forms: HashMap::new(),
        };
        for (n, text) in texts.enumerate() {
            assert!(text.len() >= 8, "{text} is too short to stand nowhere by chance");
            for form in forms(text).into_iter().filter(|form| form.len() >= 8) {
                search.starts[usize::from(form[0]) << 8 | usize::from(form[1])] = true;
                search.forms.entry([form[0], form[1], form[2], form[3]]).or_default().push((n, form));
            }
        }
        search
    }

    /// Numbers of the texts that stand in these bytes, with what stands around each.
    pub fn find(&self, bytes: &[u8]) -> HashMap<usize, String> {
        let mut found = HashMap::new();
        for at in 0..bytes.len().saturating_sub(3) {
            if !self.starts[usize::from(bytes[at]) << 8 | usize::from(bytes[at + 1])] {
                continue;
            }
            let Some(forms) = self.forms.get(&bytes[at..at + 4]) else { continue };
            for (n, form) in forms {
                if bytes[at..].starts_with(form) {
                    let around = &bytes[at.saturating_sub(120)..(at + 120).min(bytes.len())];
                    found.entry(*n).or_insert_with(|| String::from_utf8_lossy(around).into_owned());
                }
            }
        }
        found
    }
}

#[test]
fn a_value_is_found_in_every_form() {
    let (phone, name) = ("13970000037", "龖龗龞龢");
    let search = Search::new([phone, name].into_iter());
    let written = |text: &str| {
        let utf16 = text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
        [
            format!("phone={text};").into_bytes(),
            STANDARD.encode(format!("a{text}")).into_bytes(),
            STANDARD.encode(format!("ab{text}c")).into_bytes(),
            STANDARD.encode(text).into_bytes(),
            text.bytes().map(|b| format!("{b:02x}")).collect::<String>().into_bytes(),
            utf16,
        ]
    };
    for (n, text) in [phone, name].into_iter().enumerate() {
        for bytes in written(text) {
            assert_eq!(
                search.find(&bytes).into_keys().collect::<Vec<_>>(),
                [n],
                "{text} in {}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }
    assert!(search.find("139****0037 龖***".as_bytes()).is_empty());
}
