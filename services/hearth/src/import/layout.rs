//! How a file of rows is read.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use csv::StringRecord;

use super::{
    columns::{Columns, Field, Mapping},
    source::{Encoding, Records, Source},
};

/// How a file of rows is read.
#[derive(clap::Args)]
pub struct Layout {
    /// Columns that have another header than the field: field=header, parted by commas.
    #[arg(long, value_name = "FIELD=HEADER", value_delimiter = ',')]
    columns: Vec<Mapping>,
    /// Encoding of a text; found out by itself where it is not given.
    #[arg(long, value_name = "NAME")]
    encoding: Option<Encoding>,
    /// Character between two cells of a text.
    #[arg(long, value_name = "CHAR", default_value = ",")]
    delimiter: char,
    /// Sheet of a workbook; the first where it is not given.
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
}

/// A file whose columns were found.
pub struct Opened {
    /// SHA-256 of the content, in hexadecimal.
    pub digest: String,
    pub header: StringRecord,
    pub columns: Columns,
    pub records: Records,
}

impl Layout {
    /// Opens a file and finds its columns.
    ///
    /// # Errors
    /// No such file, neither text nor workbook, or columns that are missing.
    pub fn open(&self, file: &Path, fields: &'static [Field]) -> Result<Opened> {
        let delimiter = u8::try_from(self.delimiter).ok().filter(u8::is_ascii);
        let source = Source::open(file, self.encoding)?;
        let (header, records) = source.records(delimiter.ok_or_else(|| anyhow!("--delimiter is one ASCII character"))?, self.sheet.as_deref())?;
        let columns = Columns::find(fields, &self.columns, &header).with_context(|| file.display().to_string())?;
        Ok(Opened {
            digest: source.digest,
            header,
            columns,
            records,
        })
    }
}
