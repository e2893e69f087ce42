//! Rows as CSV or as a workbook.

use anyhow::{Context, Result, anyhow, bail};
use csv::Writer;
use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};

use super::place::Place;
use crate::formula::defused;

/// A column: its name, and what its cells are.
pub struct Column {
    pub name: &'static str,
    pub holds: Holds,
}

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    Text,
    /// A figure that is shown with so many places.
    Figure(u8),
}

pub const fn text(name: &'static str) -> Column {
    Column { name, holds: Holds::Text }
}

pub const fn figure(name: &'static str, places: u8) -> Column {
    Column {
        name,
        holds: Holds::Figure(places),
    }
}

/// A table on its way into a file.
pub struct Sheet {
    columns: &'static [Column],
    out: Out,
    rows: u64,
}

enum Out {
    Csv(Box<Writer<Place>>),
    Workbook { sheet: Box<Worksheet>, place: Place },
}

/// Spreadsheets take UTF-8 for something else without it.
const MARK: &[u8] = b"\xef\xbb\xbf";

impl Sheet {
    /// Begins a table with its header.
    pub fn new(workbook: bool, name: &str, columns: &'static [Column], mut place: Place) -> Result<Self> {
        let out = if workbook {
            let mut sheet = Box::new(Worksheet::new());
            sheet.set_name(name)?.set_freeze_panes(1, 0)?;
            let bold = Format::new().set_bold();
            for (at, column) in (0..).zip(columns) {
                sheet.write_string_with_format(0, at, column.name, &bold)?;
            }
            Out::Workbook { sheet, place }
        } else {
            use std::io::Write as _;
            let told = place.unwritable();
            place.write_all(MARK).with_context(|| told.clone())?;
            let mut csv = Box::new(Writer::from_writer(place));
            csv.write_record(columns.iter().map(|c| c.name)).context(told)?;
            Out::Csv(csv)
        };
        Ok(Self { columns, out, rows: 0 })
    }

    /// Adds a row: a text for each column, a plain decimal number or nothing where the column holds figures.
    pub fn row(&mut self, cells: &[String]) -> Result<()> {
        if cells.len() != self.columns.len() {
            bail!("a row has {} cells for {} columns", cells.len(), self.columns.len());
        }
        self.rows = self.rows.saturating_add(1);
        match &mut self.out {
            Out::Csv(csv) => {
                let safe = self.columns.iter().zip(cells).map(|(column, cell)| match column.holds {
                    Holds::Text => defused(cell),
                    Holds::Figure(_) => cell.clone(),
                });
                let written = csv.write_record(safe);
                written.with_context(|| csv.get_ref().unwritable())
            }
            Out::Workbook { sheet, .. } => {
                let line = u32::try_from(self.rows).map_err(|_| XlsxError::RowColumnLimitError);
                let written = line.and_then(|line| write(sheet, line, self.columns, cells));
                written.map_err(|error| match error {
                    XlsxError::RowColumnLimitError => anyhow!("a sheet holds 1,048,575 rows below its header; export as csv"),
                    error => anyhow!(error),
                })
            }
        }
    }

    /// Ends the file; says how many rows it has.
    pub fn finish(self) -> Result<u64> {
        match self.out {
            Out::Csv(csv) => {
                let told = csv.get_ref().unwritable();
                csv.into_inner().map_err(csv::IntoInnerError::into_error).context(told)?.finish()?;
            }
            Out::Workbook { mut sheet, mut place } => {
                sheet.autofit();
                let mut book = Workbook::new();
                book.push_worksheet(*sheet);
                let told = place.unwritable();
                book.save_to_writer(&mut place).context(told)?;
                place.finish()?;
            }
        }
        Ok(self.rows)
    }
}

fn write(sheet: &mut Worksheet, line: u32, columns: &[Column], cells: &[String]) -> Result<(), XlsxError> {
    for ((at, column), cell) in (0..).zip(columns).zip(cells) {
        match (column.holds, cell.parse::<f64>()) {
            _ if cell.is_empty() => {}
            // A spreadsheet keeps fifteen digits of a number.
            (Holds::Figure(places), Ok(number)) if cell.bytes().filter(u8::is_ascii_digit).count() <= 15 => {
                let form = if places == 0 {
                    "0".to_owned()
                } else {
                    format!("0.{}", "0".repeat(places.into()))
                };
                sheet.write_number_with_format(line, at, number, &Format::new().set_num_format(form))?;
            }
            _ => {
                sheet.write_string(line, at, defused(cell))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::fs;

    use calamine::{Data, Reader, Xlsx, open_workbook};

    use super::*;

    const COLUMNS: &[Column] = &[text("name"), figure("amount", 2)];
    const ROWS: [[&str; 2]; 4] = [["=cmd|'/c calc'!A0", "-131.56"], ["王芳", "1026.00"], ["-1", ""], ["@a", "1234567890123456.78"]];

    fn written(workbook: bool, name: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let mut sheet = Sheet::new(workbook, "bills", COLUMNS, Place::open(Some(&path)).unwrap()).unwrap();
        for row in ROWS {
            sheet.row(&row.map(str::to_owned)).unwrap();
        }
        assert!(!path.exists(), "the name comes last");
        assert_eq!(sheet.finish().unwrap(), 4);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        (folder, path)
    }

    #[test]
    fn bad_input_94_formulas_are_defused_and_figures_are_not() {
        let (_folder, path) = written(false, "bills.csv");
        let text = fs::read_to_string(path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "\u{feff}name,amount",
                "'=cmd|'/c calc'!A0,-131.56",
                "王芳,1026.00",
                "'-1,",
                "'@a,1234567890123456.78"
            ]
        );
    }

    #[test]
    fn bad_input_94_a_workbook_holds_texts_and_numbers() {
        let (_folder, path) = written(true, "bills.xlsx");
        let mut book: Xlsx<_> = open_workbook(path).unwrap();
        let range = book.worksheet_range("bills").unwrap();
        let text = |t: &str| Data::String(t.to_owned());
        let expected = [
            [text("name"), text("amount")],
            [text("'=cmd|'/c calc'!A0"), Data::Float(-131.56)],
            [text("王芳"), Data::Float(1026.0)],
            [text("'-1"), Data::Empty],
            [text("'@a"), text("1234567890123456.78")],
        ];
        assert_eq!(range.rows().map(<[Data]>::to_vec).collect::<Vec<_>>(), expected.map(Vec::from));
    }

    #[test]
    fn a_file_that_never_became_whole_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bills.csv");
        fs::write(&path, "of yesterday").unwrap();
        let mut sheet = Sheet::new(false, "bills", COLUMNS, Place::open(Some(&path)).unwrap()).unwrap();
        sheet.row(&["a".to_owned(), "1".to_owned()]).unwrap();
        drop(sheet);
        assert_eq!(fs::read_to_string(&path).unwrap(), "of yesterday");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
