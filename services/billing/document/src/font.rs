//! The font: which glyph a character has and how wide it is, and what of it a document carries.

use std::collections::BTreeMap;

use subsetter::GlyphRemapper;
use ttf_parser::{Face, GlyphId};

use crate::Unprintable;

/// A font that texts can be measured with.
#[derive(Clone)]
pub struct Font {
    data: std::borrow::Cow<'static, [u8]>,
    glyphs: BTreeMap<char, (u16, u16)>,
    /// Width of the box that stands for a character without a glyph.
    box_width: u16,
    pub metrics: Metrics,
}

/// What a reader of a PDF is told of a font, in thousandths of its size.
#[derive(Clone, Copy, Debug)]
pub struct Metrics {
    pub ascent: i16,
    pub descent: i16,
    pub cap_height: i16,
    pub bounds: [i16; 4],
}

impl Font {
    /// Reads a TrueType font of 1000 units.
    ///
    /// # Errors
    /// The mistake, in words.
    pub fn new(data: std::borrow::Cow<'static, [u8]>) -> Result<Self, String> {
        let face = Face::parse(&data, 0).map_err(|e| e.to_string())?;
        if face.units_per_em() != 1000 {
            return Err(format!("it has {} units to its size; only 1000 are supported", face.units_per_em()));
        }
        if face.tables().glyf.is_none() {
            return Err("it has no TrueType outlines".to_owned());
        }
        let width = |glyph: GlyphId| face.glyph_hor_advance(glyph).unwrap_or(1000);
        let mut glyphs = BTreeMap::new();
        for table in face.tables().cmap.iter().flat_map(|cmap| cmap.subtables).filter(|table| table.is_unicode()) {
            table.codepoints(|code| {
                if let (Some(char), Some(glyph)) = (char::from_u32(code), table.glyph_index(code)) {
                    glyphs.insert(char, (glyph.0, width(glyph)));
                }
            });
        }
        let bounds = face.global_bounding_box();
        let metrics = Metrics {
            ascent: face.ascender(),
            descent: face.descender(),
            cap_height: face.capital_height().unwrap_or(700),
            bounds: [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max],
        };
        let box_width = width(GlyphId(0));
        Ok(Self {
            glyphs,
            box_width,
            metrics,
            data,
        })
    }

    /// Width of a character, in thousandths of the size.
    fn advance(&self, char: char) -> u16 {
        self.glyphs.get(&char).map_or(self.box_width, |(_, width)| *width)
    }

    /// Width of a text at a size, both in tenths of a point.
    pub fn width(&self, text: &str, size: i64) -> i64 {
        let thousandths: i64 = text.chars().map(|char| i64::from(self.advance(char))).sum();
        thousandths * size / 1000
    }

    /// A text in lines that are no wider than `width`. Chinese breaks between any two characters, save before what closes and after what opens;
    /// Latin words and numbers break where they do not fit in a line of their own.
    pub fn wrap(&self, text: &str, size: i64, width: i64) -> Vec<String> {
        let mut lines = vec![];
        let mut line = String::new();
        // Where the line may be cut, in bytes.
        let mut cut = 0;
        for char in text.chars() {
            if let Some(last) = line.chars().last()
                && may_break(last, char)
            {
                cut = line.len();
            }
            line.push(char);
            if char != ' ' && line.chars().nth(1).is_some() && self.width(&line, size) > width {
                let at = if cut > 0 { cut } else { line.len() - char.len_utf8() };
                let rest = line.split_off(at);
                lines.push(line.trim_end().to_owned());
                line = rest.trim_start().to_owned();
                cut = 0;
            }
        }
        lines.push(line.trim_end().to_owned());
        lines
    }
}

fn may_break(before: char, after: char) -> bool {
    const OPENS: &str = "（《「『“‘〈【([¥￥";
    const CLOSES: &str = "），。、；：！？》」』”’〉】)]%‰℃°,.;:!?";
    let wide = |char: char| char >= '\u{2e80}';
    !OPENS.contains(before) && !CLOSES.contains(after) && (before == ' ' || wide(before) || wide(after))
}

/// The glyphs of a font that a document uses, numbered by first use.
pub struct Used<'a> {
    pub font: &'a Font,
    numbers: GlyphRemapper,
    /// By number: the character, and its width.
    pub glyphs: BTreeMap<u16, (char, u16)>,
    /// How many characters had none.
    pub missing: usize,
}

impl<'a> Used<'a> {
    pub fn of(font: &'a Font) -> Self {
        Self {
            font,
            numbers: GlyphRemapper::new(),
            glyphs: BTreeMap::from([(0, ('\u{fffd}', font.box_width))]),
            missing: 0,
        }
    }

    /// The number of a character in the document; 0, an empty box, where the font does not have it.
    pub fn number(&mut self, char: char) -> u16 {
        let Some((glyph, width)) = self.font.glyphs.get(&char) else {
            self.missing += 1;
            return 0;
        };
        let number = self.numbers.remap(*glyph);
        self.glyphs.entry(number).or_insert((char, *width));
        number
    }

    /// The font with these glyphs alone.
    pub fn cut(&self) -> Result<Vec<u8>, Unprintable> {
        subsetter::subset(&self.font.data, 0, &self.numbers).map_err(|e| Unprintable::Font(e.to_string()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::Template;

    #[test]
    fn texts_break_where_chinese_and_latin_do() {
        let template = Template::shipped().unwrap();
        let wrap = |text: &str, width| template.font.wrap(text, 100, width);
        // A Chinese character is as wide as the size.
        assert_eq!(wrap("天津市河西区友谊路", 400), ["天津市河", "西区友谊", "路"]);
        assert_eq!(
            wrap("河西区（友谊路）", 400),
            ["河西区", "（友谊", "路）"],
            "nothing ends with what opens or begins with what closes"
        );
        assert_eq!(wrap("账单 BL-2025-000001 号", 760), ["账单", "BL-2025-000001", "号"]);
        assert_eq!(wrap("MMMMMMMM", 200).concat(), "MMMMMMMM");
        assert!(wrap("MMMMMMMM", 200).len() > 2);
        assert_eq!(wrap("", 400), [""]);
        assert_eq!(wrap("天津", 10), ["天", "津"], "a character that is wider than the line has one of its own");
    }
}
