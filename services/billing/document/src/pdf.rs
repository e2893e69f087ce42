//! Pages into a PDF.
//!
//! What is drawn is written as the text of a content stream, in whole tenths of a point from the upper left corner: no figure is a float until the file is put together.

use std::fmt::Write as _;

use miniz_oxide::deflate::compress_to_vec_zlib;
use pdf_writer::{
    Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr,
    types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap},
};

use crate::{Unprintable, font::Used, template::Colour};

/// How hard streams are packed, of 10; more makes a bill no smaller.
const PACKED: u8 = 6;
const ORDER: SystemInfo<'static> = SystemInfo {
    registry: Str(b"Adobe"),
    ordering: Str(b"Identity"),
    supplement: 0,
};

/// How a text is set.
#[derive(Clone, Copy, Debug)]
pub struct Pen {
    pub size: i64,
    pub colour: Colour,
    pub bold: bool,
}

/// A page that is drawn on.
pub struct Sheet {
    height: i64,
    drawn: String,
}

impl Sheet {
    pub fn new(height: i64) -> Self {
        // From here on one unit is a tenth of a point.
        Self {
            height,
            drawn: "0.1 0 0 0.1 0 0 cm\n".to_owned(),
        }
    }

    /// A text whose baseline begins at a point.
    pub fn text(&mut self, used: &mut Used<'_>, pen: Pen, (x, y): (i64, i64), text: &str) {
        self.text_at(used, pen, &format!("1 0 0 1 {x} {}", self.height - y), text);
    }

    /// A text that climbs by a slope of 3 in 4 from a point.
    pub fn slanted(&mut self, used: &mut Used<'_>, pen: Pen, (x, y): (i64, i64), text: &str) {
        self.text_at(used, pen, &format!("0.8 0.6 -0.6 0.8 {x} {}", self.height - y), text);
    }

    fn text_at(&mut self, used: &mut Used<'_>, pen: Pen, place: &str, text: &str) {
        let glyphs: String = text.chars().map(|char| format!("{:04x}", used.number(char))).collect();
        let colour = colour(pen.colour);
        // Bold is drawn with an outline: a second font would double what the program carries.
        let (mode, outline) = if pen.bold {
            (2, format!("{colour} RG {} w\n", (pen.size / 32).max(1)))
        } else {
            (0, String::new())
        };
        // Writing to a string cannot fail.
        let _ = writeln!(self.drawn, "BT {colour} rg\n{outline}{mode} Tr /F {} Tf {place} Tm <{glyphs}> Tj ET", pen.size);
    }

    /// A filled rectangle by its upper left corner.
    pub fn rectangle(&mut self, fill: Colour, (x, y): (i64, i64), (width, height): (i64, i64)) {
        let _ = writeln!(self.drawn, "{} rg {x} {} {width} {height} re f", colour(fill), self.height - y - height);
    }
}

/// A colour as three shares of one.
fn colour(Colour(parts): Colour) -> String {
    let share = |part: u8| {
        let thousandths = (u32::from(part) * 1000 + 127) / 255;
        format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
    };
    parts.map(share).join(" ")
}

/// What a file says of itself.
pub struct About<'a> {
    pub title: &'a str,
    pub issuer: &'a str,
    pub language: &'a str,
    /// Tenths of a point.
    pub page: (u16, u16),
}

/// Puts a file together.
pub fn file(about: &About<'_>, sheets: &[Sheet], used: &Used<'_>) -> Result<Vec<u8>, Unprintable> {
    let mut next = Ref::new(1);
    let [catalog, tree, info, font, cid_font, descriptor, font_file, to_unicode] = std::array::from_fn(|_| next.bump());
    let pages: Vec<(Ref, Ref)> = sheets.iter().map(|_| (next.bump(), next.bump())).collect();
    let mut pdf = Pdf::new();
    let mut root = pdf.catalog(catalog);
    root.pages(tree).lang(TextStr(about.language));
    root.viewer_preferences().display_doc_title(true);
    root.finish();
    pdf.document_info(info).title(TextStr(about.title)).author(TextStr(about.issuer));
    pdf.pages(tree)
        .kids(pages.iter().map(|(page, _)| *page))
        .count(i32::try_from(pages.len()).unwrap_or(i32::MAX));
    for (sheet, (page, content)) in sheets.iter().zip(&pages) {
        // A page is measured in whole points.
        let [width, height] = [about.page.0, about.page.1].map(|side| f32::from(side / 10));
        let mut dictionary = pdf.page(*page);
        dictionary.parent(tree).media_box(Rect::new(0.0, 0.0, width, height)).contents(*content);
        dictionary.resources().fonts().pair(Name(b"F"), font);
        dictionary.finish();
        let drawn = compress_to_vec_zlib(sheet.drawn.as_bytes(), PACKED);
        pdf.stream(*content, &drawn).filter(Filter::FlateDecode);
    }

    // The tag in front says that the font is a part of one.
    let name = Name(b"HEARTH+NotoSansSC");
    pdf.type0_font(font)
        .base_font(name)
        .encoding_predefined(Name(b"Identity-H"))
        .descendant_font(cid_font)
        .to_unicode(to_unicode);
    let mut cid = pdf.cid_font(cid_font);
    cid.subtype(CidFontType::Type2)
        .base_font(name)
        .system_info(ORDER)
        .font_descriptor(descriptor)
        .default_width(1000.0)
        .cid_to_gid_map_predefined(Name(b"Identity"));
    let widths = used.glyphs.values().map(|(_, width)| f32::from(*width));
    cid.widths().consecutive(0, widths);
    cid.finish();
    let metrics = used.font.metrics;
    let [left, bottom, right, top] = metrics.bounds.map(f32::from);
    pdf.font_descriptor(descriptor)
        .name(name)
        .flags(FontFlags::SYMBOLIC)
        .bbox(Rect::new(left, bottom, right, top))
        .italic_angle(0.0)
        .ascent(metrics.ascent.into())
        .descent(metrics.descent.into())
        .cap_height(metrics.cap_height.into())
        .stem_v(80.0)
        .font_file2(font_file);
    let cut = used.cut()?;
    let packed = compress_to_vec_zlib(&cut, PACKED);
    let mut stream = pdf.stream(font_file, &packed);
    stream.filter(Filter::FlateDecode);
    stream.pair(Name(b"Length1"), i32::try_from(cut.len()).unwrap_or(i32::MAX));
    stream.finish();
    let mut map = UnicodeCmap::new(Name(b"Hearth"), ORDER);
    for (number, (char, _)) in &used.glyphs {
        map.pair(*number, *char);
    }
    let packed = compress_to_vec_zlib(map.finish().as_slice(), PACKED);
    pdf.stream(to_unicode, &packed).filter(Filter::FlateDecode);
    Ok(pdf.finish())
}
