//! A sheet of a workbook (`.xlsx`) as records of text.

use std::{path::Path, vec};

use anyhow::{Context, Result, bail};
use calamine::{Data, ExcelDateTime, Range, Reader, Xlsx, open_workbook};
use chrono::{NaiveDate, TimeDelta, Timelike};
use csv::StringRecord;

use super::{convert::Wrong, source::Row};

/// Numbers from here on have lost their last digits: a spreadsheet keeps fifteen.
const LOST: f64 = 1e15;

/// The rows of one sheet below its header.
pub struct Sheet {
    pub header: StringRecord,
    rows: vec::IntoIter<Row>,
    total: usize,
}

impl Sheet {
    /// Reads a sheet, the first where none is named.
    ///
    /// # Errors
    /// A file that is no workbook, a sheet that is not there, or one without a header.
    pub fn open(path: &Path, name: Option<&str>) -> Result<Self> {
        let mut book: Xlsx<_> = open_workbook(path).with_context(|| format!("{} cannot be read as a workbook (.xlsx)", path.display()))?;
        let names = book.sheet_names();
        let name = match name {
            Some(name) if names.iter().any(|n| n == name) => name,
            Some(name) => bail!("{} has no sheet {name}; its sheets are {}", path.display(), names.join(", ")),
            None => names.first().map_or("", String::as_str),
        };
        let range = book
            .worksheet_range(name)
            .with_context(|| format!("sheet {name} of {} cannot be read", path.display()))?;
        Self::of(&range).with_context(|| format!("sheet {name} of {} has no header line", path.display()))
    }

    fn of(range: &Range<Data>) -> Option<Self> {
        let first = i64::from(range.start()?.0);
        let mut rows = range.rows().zip(first.saturating_add(1)..).map(|(cells, line)| row(cells, line));
        let header = rows.next()?;
        let width = used(&header.record);
        if width == 0 {
            return None;
        }
        // Cells beyond the header count as such; what is empty there is nothing.
        let cut = |row: Row| Row {
            record: row.record.iter().take(width.max(used(&row.record))).collect(),
            ..row
        };
        let rows: Vec<_> = rows.filter(|row| row.wrong.is_some() || used(&row.record) > 0).map(cut).collect();
        Some(Self {
            header: header.record.iter().take(width).collect(),
            total: rows.len(),
            rows: rows.into_iter(),
        })
    }

    pub fn next(&mut self) -> Option<Row> {
        self.rows.next()
    }

    /// Rows that were taken out, and all of them.
    pub fn passed(&self) -> (u64, u64) {
        let count = |n| u64::try_from(n).unwrap_or(u64::MAX);
        (count(self.total.saturating_sub(self.rows.len())), count(self.total))
    }
}

/// Cells up to the last that is not empty.
fn used(record: &StringRecord) -> usize {
    (1..)
        .zip(record.iter())
        .filter(|(_, cell)| !cell.is_empty())
        .map(|(place, _)| place)
        .max()
        .unwrap_or(0)
}

fn row(cells: &[Data], line: i64) -> Row {
    let mut record = StringRecord::new();
    let mut wrong = None;
    for cell in cells {
        match text(cell) {
            Ok(text) => record.push_field(&text),
            Err(why) => {
                record.push_field("");
                wrong = Some(why);
            }
        }
    }
    Row { line, record, wrong }
}

/// What a person sees in the cell, so far as it can be told without its format.
fn text(cell: &Data) -> Result<String, Wrong> {
    match cell {
        Data::Empty => Ok(String::new()),
        Data::String(text) | Data::DateTimeIso(text) => Ok(text.trim().to_owned()),
        Data::Int(number) => Ok(number.to_string()),
        Data::Float(number) if number.abs() < LOST => Ok(plain(*number)),
        Data::Float(_) => Err((
            "NUMBER_CUT",
            "a number of more than 15 digits has lost its end in the workbook; format the column as text",
        )),
        Data::Bool(flag) => Ok(flag.to_string()),
        Data::DateTime(at) if at.is_datetime() => moment(at).ok_or(("DATE", "not a day of the calendar")),
        Data::DateTime(_) | Data::DurationIso(_) => Err(("DATE", "a length of time where a day, a time or a text belongs")),
        Data::Error(_) => Err(("CELL", "the cell holds an error of the workbook")),
    }
}

/// Fifteen digits, as a spreadsheet shows them: what was computed as 0.30000000000000004 is 0.3.
fn plain(number: f64) -> String {
    format!("{number:.14e}").parse::<f64>().unwrap_or(number).to_string()
}

/// A day alone where the time is midnight.
fn moment(at: &ExcelDateTime) -> Option<String> {
    let (year, month, day, hour, minute, second, milli) = at.to_ymd_hms_milli();
    let exact = NaiveDate::from_ymd_opt(year.into(), month.into(), day.into())?
        .and_hms_milli_opt(hour.into(), minute.into(), second.into(), milli.into())?
        // A second is often a hair less than itself.
        .checked_add_signed(TimeDelta::milliseconds(500))?;
    Some(if exact.num_seconds_from_midnight() == 0 {
        exact.format("%Y-%m-%d").to_string()
    } else {
        exact.format("%Y-%m-%dT%H:%M:%S").to_string()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use calamine::{CellErrorType, ExcelDateTimeType};

    use super::*;

    #[test]
    fn cells_become_the_text_that_a_person_sees() {
        let at = |serial| Data::DateTime(ExcelDateTime::new(serial, ExcelDateTimeType::DateTime, false));
        for (cell, expected) in [
            (Data::String(" 户号 ".to_owned()), "户号"),
            (Data::Float(565_000.0), "565000"),
            (Data::Float("70.269999999999996".parse().unwrap()), "70.27"),
            (Data::Float(0.300_000_000_000_000_04), "0.3"),
            (Data::Float(-12.5), "-12.5"),
            (Data::Bool(true), "true"),
            (at(45_658.0), "2025-01-01"),
            // 20:19:50 is 73,190 of 86,400 seconds.
            (at(45_717.847_106_481_48), "2025-03-01T20:19:50"),
            (Data::Empty, ""),
        ] {
            assert_eq!(text(&cell).as_deref(), Ok(expected), "{cell:?}");
        }
        assert_eq!(text(&Data::Float(120_103_180_808_207_147.0)).unwrap_err().0, "NUMBER_CUT");
        assert_eq!(text(&Data::Error(CellErrorType::Div0)).unwrap_err().0, "CELL");
    }

    #[test]
    fn rows_keep_the_numbers_of_the_sheet() {
        let text = |t: &str| Data::String(t.to_owned());
        let mut range = Range::new((2, 0), (5, 2));
        range.set_value((2, 0), text("meter_no"));
        range.set_value((2, 1), text("index"));
        range.set_value((3, 0), text("M1"));
        range.set_value((3, 1), Data::Float(12.0));
        range.set_value((5, 0), text("M2"));
        range.set_value((5, 2), text("beyond"));
        let mut sheet = Sheet::of(&range).unwrap();
        assert_eq!(sheet.header, StringRecord::from(vec!["meter_no", "index"]));
        let mut next = || sheet.next().map(|row| (row.line, row.record.iter().map(str::to_owned).collect::<Vec<_>>()));
        assert_eq!(next(), Some((4, vec!["M1".to_owned(), "12".to_owned()])));
        assert_eq!(
            next(),
            Some((6, vec!["M2".to_owned(), String::new(), "beyond".to_owned()])),
            "a row that is empty is none"
        );
        assert_eq!(next(), None);
    }
}
