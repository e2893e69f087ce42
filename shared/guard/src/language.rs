//! Messages in the language that a caller asks for; decision 12. Codes and reasons are English for every caller.

use std::{collections::BTreeMap, sync::LazyLock};

use tonic_types::LocalizedMessage;

tokio::task_local! {
    /// The language of the call that is being served, where it asked for one that is spoken here.
    pub static LANGUAGE: Option<Language>;
}

/// A language in which people are told why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    English,
    Chinese,
}

/// Chinese text by reason. The English text stands where the reason does.
static CHINESE: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| pairs(include_str!("messages.zh-CN.txt")).collect());

fn pairs(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(reason, text)| (reason.trim(), text.trim()))
}

/// The catalogue, for the test that keeps it whole.
pub fn chinese() -> &'static BTreeMap<&'static str, &'static str> {
    &CHINESE
}

impl Language {
    /// The first language of an `accept-language` header, by weight, that is spoken here.
    pub fn preferred(header: &str) -> Option<Self> {
        let weighted = header.split(',').take(20).filter_map(|choice| {
            let mut parts = choice.split(';').map(str::trim);
            let primary = parts.next()?.split(['-', '_']).next()?;
            let language = match primary.to_ascii_lowercase().as_str() {
                "zh" => Self::Chinese,
                "en" => Self::English,
                _ => return None,
            };
            let weight = parts.find_map(|p| p.strip_prefix("q=")).map_or(Some(1000), thousandths)?;
            (weight > 0).then_some((weight, language))
        });
        // The earlier of two equal ones: `max_by_key` would take the later.
        weighted
            .reduce(|best, next| if next.0 > best.0 { next } else { best })
            .map(|(_, language)| language)
    }

    /// The text of a reason; English where a reason has no Chinese one.
    pub(crate) fn say(self, reason: &str, english: &str) -> LocalizedMessage {
        match (self, CHINESE.get(reason)) {
            (Self::Chinese, Some(text)) => LocalizedMessage::new("zh-CN", *text),
            _ => LocalizedMessage::new("en", english),
        }
    }
}

/// A weight of RFC 9110, section 12.4.2: `0.25` is 250.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    if rest.len() > 3 || !rest.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: u32 = whole.parse().ok().filter(|n| *n <= 1)?;
    let rest: u32 = format!("{rest:0<3}").parse().ok()?;
    whole.checked_mul(1000)?.checked_add(rest).filter(|n| *n <= 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_known_language_is_taken() {
        use Language::{Chinese, English};
        for (header, expected) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Some(Chinese)),
            ("en-GB, zh;q=0.5", Some(English)),
            ("en;q=0.3, zh-Hant;q=0.31", Some(Chinese)),
            ("de, fr;q=0.7, zh;q=0.1", Some(Chinese)),
            ("en;q=0, zh;q=0.001", Some(Chinese)),
            ("zh, en", Some(Chinese)),
            ("zh;q=2", None),
            ("zh;q=0.1234", None),
            ("de", None),
            ("", None),
            (",;=;q", None),
        ] {
            assert_eq!(Language::preferred(header), expected, "{header}");
        }
    }

    #[test]
    fn each_reason_stands_once_in_the_catalogue() {
        let count = pairs(include_str!("messages.zh-CN.txt")).count();
        assert_eq!(count, chinese().len());
    }
}
