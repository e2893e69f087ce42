use std::fmt::Write;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::{codec::Violation, mask};

/// Leads a visitor through every text field of a message, whatever its depth. Generated for every message of the contracts.
pub trait Visit {
    fn visit(&mut self, texts: &mut Texts);
}

/// What is done with the texts: requests are cleaned and checked, answers are masked.
pub struct Texts {
    path: Vec<(&'static str, Option<usize>)>,
    act: Act,
}

enum Act {
    Check(Vec<Violation>),
    Mask,
}

impl Texts {
    pub(crate) fn check(message: &mut impl Visit) -> Vec<Violation> {
        let mut texts = Self {
            path: vec![],
            act: Act::Check(vec![]),
        };
        message.visit(&mut texts);
        match texts.act {
            Act::Check(found) => found,
            Act::Mask => vec![],
        }
    }

    pub(crate) fn mask(message: &mut impl Visit) {
        message.visit(&mut Self { path: vec![], act: Act::Mask });
    }

    /// Goes down into a message field.
    pub fn enter(&mut self, field: &'static str, index: Option<usize>, message: &mut impl Visit) {
        self.path.push((field, index));
        message.visit(self);
        self.path.pop();
    }

    /// Meets a text field; `class` is the number of its `hearth.options.v1.PersonalData`.
    pub fn text(&mut self, field: &'static str, index: Option<usize>, class: i32, multiline: bool, value: &mut String) {
        match &mut self.act {
            Act::Mask => mask::apply(class, value),
            Act::Check(found) => {
                if !is_nfc(value) {
                    *value = value.nfc().collect();
                }
                if let Some(reason) = unsafe_text(value, multiline) {
                    self.path.push((field, index));
                    let field = path(&self.path);
                    self.path.pop();
                    found.push(Violation {
                        field,
                        reason: reason.to_owned(),
                        description: "holds a character that is not allowed".to_owned(),
                    });
                }
            }
        }
    }
}

fn path(parts: &[(&'static str, Option<usize>)]) -> String {
    let mut text = String::new();
    for (name, index) in parts {
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(name);
        if let Some(index) = index {
            // Writing to a String cannot fail.
            let _ = write!(text, "[{index}]");
        }
    }
    text
}

/// NUL is refused by PostgreSQL and stored by SQLite; the other control characters and the separators of lines forge log lines; bidi
/// controls and zero-width characters make two names look alike.
fn unsafe_text(value: &str, multiline: bool) -> Option<&'static str> {
    value.chars().find_map(|c| match c {
        '\n' | '\t' | '\r' if multiline => None,
        c if c.is_control() => Some("CONTROL_CHARACTER"),
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => Some("UNSAFE_CHARACTER"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Name(String);
    impl Visit for Name {
        fn visit(&mut self, texts: &mut Texts) {
            texts.text("name", Some(1), 1, false, &mut self.0);
        }
    }

    fn reason(text: &str) -> Option<String> {
        Texts::check(&mut Name(text.to_owned())).pop().map(|v| format!("{} {}", v.field, v.reason))
    }

    #[test]
    fn unsafe_characters_are_named_with_their_field() {
        assert_eq!(reason("a\0b").as_deref(), Some("name[1] CONTROL_CHARACTER"));
        assert_eq!(reason("a\u{1b}[31m").as_deref(), Some("name[1] CONTROL_CHARACTER"));
        assert_eq!(reason("a\u{202e}b").as_deref(), Some("name[1] UNSAFE_CHARACTER"));
        assert_eq!(reason("a\u{200d}b").as_deref(), Some("name[1] UNSAFE_CHARACTER"));
        assert_eq!(reason("a\u{61c}b").as_deref(), Some("name[1] UNSAFE_CHARACTER"));
        assert_eq!(reason("a\u{2028}b").as_deref(), Some("name[1] UNSAFE_CHARACTER"));
    }

    #[test]
    fn rare_names_pass_and_are_composed() {
        assert_eq!(reason("𠮷野·阿依古丽"), None);
        let mut name = Name("e\u{301}".to_owned());
        assert!(Texts::check(&mut name).is_empty());
        assert_eq!(name.0, "é");
    }
}
