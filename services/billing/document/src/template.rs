//! The template: how a document looks and what its words are, as data that a deployment may replace.

use std::{borrow::Cow, collections::BTreeMap, path::Path};

use serde::Deserialize;

use crate::{
    FACTS,
    font::Font,
    words::{fill, names},
};

/// The template of this crate.
const SHIPPED: &str = include_str!("../template.toml");
const SHIPPED_FONT: &[u8] = include_bytes!("../font/NotoSansSC-GB2312.ttf");

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Mistake(String);

/// A template that was checked, with its font.
#[derive(Clone)]
pub struct Template {
    pub(crate) look: Look,
    pub(crate) font: Font,
}

impl Template {
    /// The one of this crate.
    ///
    /// # Errors
    /// None, as long as the tests pass.
    pub fn shipped() -> Result<Self, Mistake> {
        Self::new(SHIPPED, None)
    }

    /// Reads a template and the font that it names, if any, beside it.
    ///
    /// # Errors
    /// The mistake, in words.
    pub fn read(path: &Path) -> Result<Self, Mistake> {
        let text = std::fs::read_to_string(path).map_err(|e| Mistake(format!("{} cannot be read: {e}", path.display())))?;
        Self::new(&text, path.parent()).map_err(|Mistake(told)| Mistake(format!("{}: {told}", path.display())))
    }

    fn new(text: &str, folder: Option<&Path>) -> Result<Self, Mistake> {
        let look: Look = toml::from_str(text).map_err(|e| Mistake(e.to_string().trim_end().to_owned()))?;
        look.check()?;
        let data = match &look.page.font {
            None => Cow::Borrowed(SHIPPED_FONT),
            Some(name) => {
                let path = folder.unwrap_or(Path::new("")).join(name);
                Cow::Owned(std::fs::read(&path).map_err(|e| Mistake(format!("the font {} cannot be read: {e}", path.display())))?)
            }
        };
        let font = Font::new(data).map_err(|told| Mistake(format!("the font cannot be used: {told}")))?;
        Ok(Self { look, font })
    }
}

/// The template as it is written; what each field means stands in `template.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    pub page: PageLook,
    pub size: Sizes,
    pub colour: Colours,
    pub head: Head,
    pub facts: Vec<Fact>,
    pub due: Due,
    pub lines: Lines,
    pub sums: Vec<Fact>,
    pub notes: Notes,
    pub chart: Chart,
    pub remarks: Remarks,
    pub foot: Foot,
    pub words: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageLook {
    pub width: u16,
    pub height: u16,
    pub margin: u16,
    #[serde(default)]
    pub font: Option<String>,
    pub language: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    pub title: u16,
    pub heading: u16,
    pub text: u16,
    pub small: u16,
    pub amount: u16,
    pub mark: u16,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Colours {
    pub text: Colour,
    pub faint: Colour,
    pub accent: Colour,
    pub bar: Colour,
    pub fill: Colour,
    pub rule: Colour,
    pub mark: Colour,
}

/// Red, green and blue, 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Colour(pub [u8; 3]);

impl TryFrom<String> for Colour {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{text} is no colour such as 1f6feb");
        if text.len() != 6 || !text.is_ascii() {
            return Err(wrong());
        }
        let number = u32::from_str_radix(&text, 16).map_err(|_| wrong())?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    pub issuer: String,
    pub below: String,
    pub title: String,
    pub subtitle: String,
}

/// A label and what stands beside it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    pub label: String,
    pub text: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Due {
    pub width: u16,
    pub open: Told,
    pub settled: Told,
    pub reversed: Told,
    pub code: String,
    pub code_width: u16,
    pub code_note: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    pub label: String,
    pub amount: String,
    pub notes: Vec<String>,
    #[serde(default)]
    pub mark: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lines {
    pub heading: String,
    pub columns: Vec<Column>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    pub head: String,
    pub text: String,
    pub width: u16,
    #[serde(default)]
    pub right: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    pub heading: String,
    pub text: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chart {
    pub heading: String,
    pub height: u16,
    pub none: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remarks {
    pub heading: String,
    pub texts: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Foot {
    pub left: String,
    pub pages: String,
}

/// Names that stand in the columns of lines.
pub const OF_LINES: &[&str] = &["item", "tier", "from_date", "to_date", "quantity", "unit", "price", "amount"];
const OF_NOTES: &[&str] = &["number", "date", "amount"];
const OF_PAGES: &[&str] = &["page", "pages"];
/// The largest page on a side, tenths of a point; far above any paper, and coordinates stay small.
const LARGEST: u16 = 20_000;

impl Look {
    /// The word for a code, or the code.
    pub fn word<'a>(&'a self, code: &'a str) -> &'a str {
        self.words.get(code).map_or(code, String::as_str)
    }

    fn check(&self) -> Result<(), Mistake> {
        let Self { page, due, .. } = self;
        if !(1000..=LARGEST).contains(&page.width) || !(1000..=LARGEST).contains(&page.height) {
            return Err(Mistake(format!("page: a side is 1000 to {LARGEST} tenths of a point")));
        }
        // Room for a line of text and the foot, at the least.
        let inner = i64::from(page.width) - 2 * i64::from(page.margin);
        if inner < 1000 || i64::from(page.height) - 2 * i64::from(page.margin) < 3000 {
            return Err(Mistake("page: the margin leaves less than 1000 by 3000 tenths of a point".to_owned()));
        }
        let columns: i64 = self.lines.columns.iter().map(|column| i64::from(column.width)).sum();
        for (name, width) in [
            ("lines: the columns", columns),
            ("due: the box", due.width.into()),
            ("due: the code", due.code_width.into()),
        ] {
            if width > inner {
                return Err(Mistake(format!("{name} are {width} wide, and the page between its margins is {inner}")));
            }
        }
        if self.chart.height > 3000 {
            return Err(Mistake("chart: height is more than 3000 tenths of a point".to_owned()));
        }
        let size = &self.size;
        for size in [size.title, size.heading, size.text, size.small, size.amount, size.mark] {
            if !(30..=2000).contains(&size) {
                return Err(Mistake(format!("size: {size} is not within 30 and 2000 tenths of a point")));
            }
        }
        let told = [&due.open, &due.settled, &due.reversed];
        let of_facts = [
            &self.head.below,
            &self.head.title,
            &self.head.subtitle,
            &due.code,
            &due.code_note,
            &self.foot.left,
        ]
        .into_iter()
        .chain(self.facts.iter().chain(&self.sums).flat_map(|fact| [&fact.label, &fact.text]))
        .chain([&self.chart.heading])
        .chain(told.into_iter().flat_map(|told| [&told.label, &told.amount].into_iter().chain(&told.notes)))
        .chain(&self.remarks.texts);
        for text in of_facts {
            known(text, FACTS)?;
        }
        for column in &self.lines.columns {
            known(&column.text, OF_LINES)?;
        }
        for word in self.words.values() {
            known(word, OF_LINES)?;
        }
        known(&self.notes.text, OF_NOTES)?;
        known(&self.foot.pages, OF_PAGES)
    }
}

fn known(text: &str, names_of: &[&str]) -> Result<(), Mistake> {
    match names(text).find(|name| !names_of.contains(name)) {
        Some(name) => Err(Mistake(format!("{text:?}: there is no {{{name}}}; one of {}", names_of.join(", ")))),
        None => Ok(()),
    }
}

/// Fills a text with what a list of names and values says.
pub fn filled(text: &str, values: &[(&str, String)]) -> String {
    fill(text, |name| values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_template_is_refused_by_the_place_of_its_mistake() {
        for (from, to, told) in [
            ("{due_date}", "{due_day}", "there is no {due_day}"),
            ("{quantity}", "{volume}", "there is no {volume}"),
            ("[chart]", "[graph]", "unknown field `graph`"),
            ("width = 5950", "width = 595", "page: a side is"),
            ("margin = 420", "margin = 2600", "page: the margin leaves"),
            ("rule = \"", "rule = \"#", "is no colour"),
            ("language = ", "font = \"none.ttf\"\nlanguage = ", "the font none.ttf cannot be read"),
        ] {
            assert!(SHIPPED.contains(from), "{from}");
            let mistake = Template::new(&SHIPPED.replacen(from, to, 1), None)
                .err()
                .map(|e| e.to_string())
                .unwrap_or_default();
            assert!(mistake.contains(told), "{from} as {to}: {mistake}");
        }
    }
}
