//! Where everything stands: from the head down, and on to a next page where one is full.

use fast_qr::{ECL, QRBuilder};

use crate::{
    Document, Printed, Standing, Template, Unprintable,
    font::Used,
    pdf::{About, Pen, Sheet, file},
    template::{Colour, Column, Fact, Look, Told, filled},
    words::{escaped, fill, grouped},
};

/// Between two columns.
const GAP: i64 = 120;
/// Around what stands in a box or between two rules.
const PADDING: i64 = 90;
const RULE: i64 = 6;
const THICK: i64 = 14;
/// Quiet modules around a code (ISO 18004).
const QUIET: i64 = 4;

impl Template {
    /// Makes the document.
    ///
    /// # Errors
    /// The font cannot be cut, or the code for payment would hold too much.
    pub fn print(&self, document: &Document) -> Result<Printed, Unprintable> {
        let mut layout = Layout::new(self, document);
        layout.head();
        layout.facts()?;
        layout.lines();
        layout.notes();
        layout.chart();
        layout.remarks();
        layout.feet();
        let about = About {
            title: &layout.title,
            issuer: &self.look.head.issuer,
            language: &self.look.page.language,
            page: (self.look.page.width, self.look.page.height),
        };
        Ok(Printed {
            pdf: file(&about, &layout.sheets, &layout.used)?,
            missing: layout.used.missing,
            pages: layout.sheets.len(),
        })
    }
}

struct Layout<'a> {
    look: &'a Look,
    document: &'a Document,
    used: Used<'a>,
    /// The last one is drawn on.
    sheets: Vec<Sheet>,
    sheet: Sheet,
    title: String,
    left: i64,
    right: i64,
    bottom: i64,
    /// How far down the page is written.
    y: i64,
}

/// Height of a line of text.
const fn line(size: i64) -> i64 {
    size * 3 / 2
}

impl<'a> Layout<'a> {
    fn new(template: &'a Template, document: &'a Document) -> Self {
        let look = &template.look;
        let [width, height, margin, small] = [look.page.width, look.page.height, look.page.margin, look.size.small].map(i64::from);
        let mut layout = Self {
            look,
            document,
            used: Used::of(&template.font),
            sheets: vec![],
            sheet: Sheet::new(height),
            title: String::new(),
            left: margin,
            right: width - margin,
            // Above the foot.
            bottom: height - margin - 2 * line(small),
            y: margin,
        };
        layout.title = layout.told(&look.head.title).unwrap_or_default();
        layout.mark();
        layout
    }

    fn told(&self, text: &str) -> Option<String> {
        fill(text, |name| self.document.facts.get(name).map(|value| self.look.word(value)))
    }

    /// Labels and texts whose facts are known.
    fn known(&self, facts: &[Fact]) -> Vec<(String, String)> {
        facts
            .iter()
            .filter_map(|fact| Some((self.told(&fact.label)?, self.told(&fact.text)?)))
            .collect()
    }

    fn pen(&self, size: u16, colour: Colour) -> Pen {
        Pen {
            size: size.into(),
            colour,
            bold: false,
        }
    }

    fn small(&self) -> Pen {
        self.pen(self.look.size.small, self.look.colour.faint)
    }

    fn plain(&self) -> Pen {
        self.pen(self.look.size.text, self.look.colour.text)
    }

    fn width(&self, text: &str, pen: Pen) -> i64 {
        self.used.font.width(text, pen.size)
    }

    /// Writes a text whose line begins at `y`.
    fn write(&mut self, pen: Pen, x: i64, y: i64, text: &str) {
        // Chinese characters stand on a line a little below the middle of what is left above and below them.
        self.sheet.text(&mut self.used, pen, (x, y + pen.size * 23 / 20), text);
    }

    fn write_right(&mut self, pen: Pen, right: i64, y: i64, text: &str) {
        let width = self.width(text, pen);
        self.write(pen, right - width, y, text);
    }

    fn rule(&mut self, colour: Colour, y: i64, height: i64) {
        self.sheet.rectangle(colour, (self.left, y), (self.right - self.left, height));
    }

    /// The word across a page of a bill that does not hold any more.
    fn mark(&mut self) {
        let look = self.look;
        if self.state().mark.is_empty() {
            return;
        }
        let pen = Pen {
            bold: true,
            ..self.pen(look.size.mark, look.colour.mark)
        };
        let text = self.state().mark.clone();
        let width = self.width(&text, pen);
        // It climbs 3 for 4 to the right: 0.8 of its length across, 0.6 up.
        let (width, height) = (width * 4 / 5, width * 3 / 5);
        let x = (self.left + self.right - width) / 2;
        let y = (i64::from(look.page.height) + height) / 2;
        self.sheet.slanted(&mut self.used, pen, (x, y), &text);
    }

    fn state(&self) -> &'a Told {
        match self.document.standing {
            Standing::Open => &self.look.due.open,
            Standing::Settled => &self.look.due.settled,
            Standing::Reversed => &self.look.due.reversed,
        }
    }

    fn head(&mut self) {
        let look = self.look;
        let issuer = Pen {
            bold: true,
            ..self.pen(look.size.heading, look.colour.accent)
        };
        let title = Pen {
            bold: true,
            ..self.pen(look.size.title, look.colour.text)
        };
        let text = self.title.clone();
        let mut right = self.y;
        self.write_right(title, self.right, right, &text);
        right += line(title.size);
        if let Some(text) = self.told(&look.head.subtitle) {
            self.write_right(self.small(), self.right, right, &text);
            right += line(self.small().size);
        }
        let room = self.right - self.left - self.width(&text, title) - GAP;
        let mut left = self.y;
        for text in self.used.font.wrap(&look.head.issuer, issuer.size, room) {
            self.write(issuer, self.left, left, &text);
            left += line(issuer.size);
        }
        if let Some(text) = self.told(&look.head.below) {
            for text in self.used.font.wrap(&text, self.small().size, room) {
                self.write(self.small(), self.left, left, &text);
                left += line(self.small().size);
            }
        }
        self.y = left.max(right) + PADDING / 2;
        self.rule(look.colour.accent, self.y, THICK);
        self.y += THICK + PADDING * 2;
    }

    /// Makes room of a height: on a next page where this one has none.
    fn room(&mut self, height: i64) {
        if self.y + height > self.bottom {
            self.turn();
        }
    }

    fn turn(&mut self) {
        let next = Sheet::new(self.look.page.height.into());
        self.sheets.push(std::mem::replace(&mut self.sheet, next));
        self.mark();
        self.y = self.look.page.margin.into();
        let (small, subtitle) = (self.small(), self.told(&self.look.head.subtitle).unwrap_or_default());
        let text = self.title.clone();
        self.write(small, self.left, self.y, &text);
        self.write_right(small, self.right, self.y, &subtitle);
        self.y += line(small.size) + PADDING / 2;
        self.rule(self.look.colour.rule, self.y, RULE);
        self.y += RULE + PADDING;
    }

    /// The facts on the left, what is due in a box on the right.
    fn facts(&mut self) -> Result<(), Unprintable> {
        let top = self.y;
        let width = i64::from(self.look.due.width);
        let height = self.due(top, self.right - width, width)?;
        let (small, plain) = (self.small(), self.plain());
        let known = self.known(&self.look.facts);
        let labels = known.iter().map(|(label, _)| self.width(label, small)).max().unwrap_or_default() + GAP;
        let room = self.right - width - 2 * GAP - self.left - labels;
        for (label, text) in known {
            // The smaller label stands on the line of the text.
            self.write(small, self.left, self.y + (plain.size - small.size), &label);
            for text in self.used.font.wrap(&text, plain.size, room) {
                self.write(plain, self.left + labels, self.y, &text);
                self.y += line(plain.size);
            }
            self.y += plain.size / 5;
        }
        self.y = self.y.max(top + height) + 2 * PADDING;
        Ok(())
    }

    /// The box of what is due; how high it is.
    fn due(&mut self, top: i64, left: i64, width: i64) -> Result<i64, Unprintable> {
        let (look, told) = (self.look, self.state());
        let inner = width - 2 * PADDING;
        let small = Pen {
            colour: look.colour.text,
            ..self.small()
        };
        let amount = Pen {
            bold: true,
            ..self.pen(look.size.amount, look.colour.accent)
        };
        let code = self.code()?;
        let mut texts: Vec<(Pen, String)> = vec![];
        for (pen, text) in [(small, &told.label), (amount, &told.amount)]
            .into_iter()
            .chain(told.notes.iter().map(|note| (small, note)))
        {
            if let Some(text) = self.told(text) {
                texts.extend(self.used.font.wrap(&text, pen.size, inner).into_iter().map(|text| (pen, text)));
            }
        }
        let written: i64 = texts.iter().map(|(pen, _)| line(pen.size)).sum();
        let side = code.as_ref().map_or(0, |_| PADDING + i64::from(look.due.code_width));
        let height = 2 * PADDING + written + side;
        self.sheet.rectangle(look.colour.fill, (left, top), (width, height));
        self.sheet.rectangle(look.colour.accent, (left, top), (THICK, height));
        let mut y = top + PADDING;
        for (pen, text) in texts {
            self.write(pen, left + PADDING, y, &text);
            y += line(pen.size);
        }
        if let Some(rows) = code {
            let side = i64::from(look.due.code_width);
            let (right, bottom) = (left + width - PADDING, top + height - PADDING);
            self.square(&rows, right - side, bottom - side, side);
            if let Some(text) = self.told(&look.due.code_note) {
                let room = inner - side - PADDING;
                let lines = self.used.font.wrap(&text, small.size, room);
                let mut y = bottom - lines.iter().map(|_| line(small.size)).sum::<i64>();
                for text in lines {
                    self.write(small, left + PADDING, y, &text);
                    y += line(small.size);
                }
            }
        }
        Ok(height)
    }

    /// The rows of the code for payment; nothing where nothing is to be paid, or the template has none.
    fn code(&self) -> Result<Option<Vec<Vec<bool>>>, Unprintable> {
        let text = fill(&self.look.due.code, |name| self.document.facts.get(name));
        if self.document.standing != Standing::Open || text.as_ref().is_none_or(String::is_empty) {
            return Ok(None);
        }
        let values: Vec<(&str, String)> = crate::FACTS
            .iter()
            .filter_map(|name| Some((*name, escaped(self.document.facts.get(name)?))))
            .collect();
        let text = filled(&self.look.due.code, &values);
        let code = QRBuilder::new(text.as_str()).ecl(ECL::M).build().map_err(|_| Unprintable::Code(text.len()))?;
        let rows = code.data.chunks(code.size.max(1)).take(code.size);
        Ok(Some(rows.map(|row| row.iter().map(|module| module.value()).collect()).collect()))
    }

    /// Draws a code with its quiet zone within a square. Modules that stand side by side are one rectangle, so that no viewer shows a seam.
    fn square(&mut self, rows: &[Vec<bool>], left: i64, top: i64, side: i64) {
        const WHITE: Colour = Colour([255; 3]);
        const BLACK: Colour = Colour([0; 3]);
        let modules = i64::try_from(rows.len()).unwrap_or_default() + 2 * QUIET;
        let module = (side / modules.max(1)).max(1);
        let rest = (side - module * modules) / 2;
        self.sheet.rectangle(WHITE, (left, top), (side, side));
        let mut y = top + rest + QUIET * module;
        for row in rows {
            let mut x = left + rest + QUIET * module;
            for run in row.chunk_by(|a, b| a == b) {
                let width = module * i64::try_from(run.len()).unwrap_or_default();
                if run.first() == Some(&true) {
                    self.sheet.rectangle(BLACK, (x, y), (width, module));
                }
                x += width;
            }
            y += module;
        }
    }

    fn heading(&mut self, text: &str) {
        let pen = Pen {
            bold: true,
            ..self.pen(self.look.size.text, self.look.colour.accent)
        };
        self.write(pen, self.left, self.y, text);
        self.y += line(pen.size) + PADDING / 3;
    }

    /// The table of lines, its head again on each page, and the sums below it.
    fn lines(&mut self) {
        let (look, plain) = (self.look, self.plain());
        let row = line(plain.size) + PADDING / 2;
        self.room(line(plain.size) + 4 * row);
        self.heading(&look.lines.heading);
        self.columns();
        for at in &self.document.lines {
            let mut values = vec![
                ("tier", at.tier.to_string()),
                ("from_date", at.period.0.to_string()),
                ("to_date", at.period.1.to_string()),
                ("quantity", at.quantity.short().to_string()),
                ("unit", look.word(&at.unit).to_owned()),
                ("price", at.price.short().to_string()),
                ("amount", grouped(at.amount)),
            ];
            values.push(("item", filled(look.word(&at.reason), &values)));
            let cells: Vec<(&Column, Vec<String>)> = look
                .lines
                .columns
                .iter()
                .map(|column| {
                    (
                        column,
                        self.used
                            .font
                            .wrap(filled(&column.text, &values).trim(), plain.size, i64::from(column.width) - GAP / 2),
                    )
                })
                .collect();
            let rows = cells.iter().map(|(_, texts)| texts.len()).max().unwrap_or(1);
            let height = line(plain.size) * i64::try_from(rows).unwrap_or(1) + PADDING / 2;
            if self.y + height > self.bottom {
                self.turn();
                self.columns();
            }
            let (mut left, top) = (self.left, self.y + PADDING / 4);
            for (column, texts) in cells {
                let mut y = top;
                for text in texts {
                    self.cell(plain, column, left, y, &text);
                    y += line(plain.size);
                }
                left += i64::from(column.width);
            }
            self.y += height;
            self.rule(look.colour.rule, self.y, RULE / 2);
        }
        let sums = self.known(&look.sums);
        let last = sums.len().saturating_sub(1);
        self.room(row * i64::try_from(sums.len()).unwrap_or(1) + PADDING);
        self.y += PADDING / 2;
        for (place, (label, text)) in sums.into_iter().enumerate() {
            let pen = Pen { bold: place == last, ..plain };
            self.write_right(plain, self.right - 900, self.y, &label);
            self.write_right(pen, self.right - GAP / 2, self.y, &text);
            self.y += line(plain.size);
        }
        self.y += 2 * PADDING;
    }

    fn columns(&mut self) {
        let look = self.look;
        let pen = self.small();
        let height = line(pen.size) + PADDING / 2;
        self.sheet.rectangle(look.colour.fill, (self.left, self.y), (self.right - self.left, height));
        let mut left = self.left;
        for column in &look.lines.columns {
            self.cell(pen, column, left, self.y + PADDING / 4, &column.head);
            left += i64::from(column.width);
        }
        self.y += height;
    }

    fn cell(&mut self, pen: Pen, column: &Column, left: i64, y: i64, text: &str) {
        if column.right {
            self.write_right(pen, left + i64::from(column.width) - GAP / 2, y, text);
        } else {
            self.write(pen, left + GAP / 2, y, text);
        }
    }

    fn notes(&mut self) {
        if self.document.notes.is_empty() {
            return;
        }
        let (look, plain) = (self.look, self.plain());
        self.room(3 * line(plain.size));
        self.heading(&look.notes.heading);
        for note in &self.document.notes {
            let text = filled(
                &look.notes.text,
                &[
                    ("number", note.number.clone()),
                    ("date", note.date.to_string()),
                    ("amount", grouped(note.amount)),
                ],
            );
            self.paragraph(plain, &text);
        }
        self.y += 2 * PADDING;
    }

    fn paragraph(&mut self, pen: Pen, text: &str) {
        for text in self.used.font.wrap(text, pen.size, self.right - self.left) {
            self.room(line(pen.size));
            self.write(pen, self.left, self.y, &text);
            self.y += line(pen.size);
        }
    }

    /// A bar for each month, as high as its share of the largest.
    fn chart(&mut self) {
        let (look, months) = (self.look, &self.document.history);
        let units = |month: &crate::Month| month.volume.map_or(0, |volume| volume.litres());
        let largest = months.iter().map(units).max().unwrap_or_default();
        if largest <= 0 {
            return;
        }
        let pen = self.small();
        let height = i64::from(look.chart.height);
        self.room(2 * line(pen.size.max(look.size.text.into())) + 2 * line(pen.size) + height);
        let heading = self.told(&look.chart.heading).unwrap_or_default();
        self.heading(&heading);
        let slot = (self.right - self.left) / i64::try_from(months.len()).unwrap_or(1).max(1);
        let base = self.y + line(pen.size) + height;
        let mut left = self.left;
        for (place, month) in months.iter().enumerate() {
            let share = i128::from(units(month).max(0)) * i128::from(height) / i128::from(largest);
            let share = i64::try_from(share).unwrap_or_default();
            let last = place + 1 == months.len();
            let colour = if last { look.colour.accent } else { look.colour.bar };
            self.sheet.rectangle(colour, (left + slot / 5, base - share), (slot * 3 / 5, share));
            let value = month.volume.map_or(look.chart.none.clone(), |volume| volume.short().to_string());
            self.centred(pen, left + slot / 2, base - share - line(pen.size), &value);
            self.centred(pen, left + slot / 2, base + PADDING / 4, &format!("{}-{:02}", month.year, month.month));
            left += slot;
        }
        self.rule(look.colour.rule, base, RULE);
        self.y = base + line(pen.size) + 2 * PADDING;
    }

    fn centred(&mut self, pen: Pen, x: i64, y: i64, text: &str) {
        let width = self.width(text, pen);
        self.write(pen, x - width / 2, y, text);
    }

    fn remarks(&mut self) {
        let (look, pen) = (self.look, self.small());
        let texts: Vec<String> = look.remarks.texts.iter().filter_map(|text| self.told(text)).collect();
        if texts.is_empty() {
            return;
        }
        self.room(3 * line(pen.size.max(look.size.text.into())));
        self.heading(&look.remarks.heading);
        for text in texts {
            self.paragraph(pen, &text);
            self.y += PADDING / 4;
        }
    }

    /// The foot of each page, once it is known how many there are.
    fn feet(&mut self) {
        let next = Sheet::new(self.look.page.height.into());
        self.sheets.push(std::mem::replace(&mut self.sheet, next));
        let (look, pen) = (self.look, self.small());
        let text = self.told(&look.foot.left).unwrap_or_default();
        let pages = self.sheets.len();
        let top = self.bottom + line(pen.size) / 2;
        for (place, mut sheet) in (1_usize..).zip(std::mem::take(&mut self.sheets)) {
            std::mem::swap(&mut self.sheet, &mut sheet);
            self.rule(look.colour.rule, top, RULE);
            self.write(pen, self.left, top + PADDING / 3, &text);
            let pages = filled(&look.foot.pages, &[("page", place.to_string()), ("pages", pages.to_string())]);
            self.write_right(pen, self.right, top + PADDING / 3, &pages);
            std::mem::swap(&mut self.sheet, &mut sheet);
            self.sheets.push(sheet);
        }
    }
}
