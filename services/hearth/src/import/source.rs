//! A file as records with their lines: text in UTF-8 or GB18030, or a workbook.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use csv::{ReaderBuilder, StringRecord, Trim};
use encoding_rs::{Decoder, DecoderResult, GB18030, UTF_8};
use sha2::{Digest, Sha256};

use super::{convert::Wrong, workbook::Sheet};

const BLOCK: usize = 64 * 1024;
/// How every ZIP archive begins, and so every workbook.
const ARCHIVE: &[u8] = b"PK\x03\x04";

/// Encoding of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[value(name = "utf-8")]
    Utf8,
    /// GB18030, which holds GBK and GB2312.
    #[value(name = "gb18030")]
    Gb18030,
}

impl Encoding {
    fn decoder(self) -> Decoder {
        match self {
            Self::Utf8 => UTF_8.new_decoder_with_bom_removal(),
            Self::Gb18030 => GB18030.new_decoder_without_bom_handling(),
        }
    }
}

/// How a file holds its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text(Encoding),
    Workbook,
}

/// A file that was looked through once.
pub struct Source {
    path: PathBuf,
    form: Form,
    /// SHA-256 of the content, in hexadecimal.
    pub digest: String,
    bytes: u64,
}

/// A row of a file.
pub struct Row {
    /// Line of the text, or number of the row in the sheet, from 1.
    pub line: i64,
    pub record: StringRecord,
    /// Why a cell of a workbook has no text.
    pub wrong: Option<Wrong>,
}

/// The rows of a file below its header.
pub enum Records {
    /// Of a text, with its length in bytes.
    Text(Box<csv::Reader<Text>>, u64),
    Sheet(Sheet),
}

impl Records {
    /// The next row.
    ///
    /// # Errors
    /// The file cannot be read on.
    pub fn next(&mut self) -> Result<Option<Row>> {
        match self {
            Self::Text(reader, _) => {
                let mut record = StringRecord::new();
                if !reader.read_record(&mut record)? {
                    return Ok(None);
                }
                let line = i64::try_from(record.position().map_or(0, csv::Position::line))?;
                Ok(Some(Row { line, record, wrong: None }))
            }
            Self::Sheet(sheet) => Ok(sheet.next()),
        }
    }

    /// How much was read, and of how much.
    pub fn passed(&self) -> (u64, u64) {
        match self {
            Self::Text(reader, bytes) => (reader.position().byte(), *bytes),
            Self::Sheet(sheet) => sheet.passed(),
        }
    }
}

impl Source {
    /// Reads the file through: its digest, whether it is a workbook, and the encoding in which it is valid, unless one is given. UTF-8 is tried first; a
    /// GB18030 text with a Chinese character in it is practically never valid UTF-8.
    pub fn open(path: &Path, encoding: Option<Encoding>) -> Result<Self> {
        let mut file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let mut digest = Sha256::new();
        let mut bytes = 0_u64;
        let mut candidates: Vec<Check> = match encoding {
            Some(encoding) => vec![Check::new(encoding)],
            None => vec![Check::new(Encoding::Utf8), Check::new(Encoding::Gb18030)],
        };
        let mut block = vec![0; BLOCK];
        let mut is_archive = false;
        loop {
            let n = file.read(&mut block).with_context(|| format!("{} cannot be read", path.display()))?;
            let part = block.get(..n).unwrap_or_default();
            is_archive |= bytes == 0 && part.starts_with(ARCHIVE);
            digest.update(part);
            bytes = bytes.saturating_add(u64::try_from(n)?);
            candidates.iter_mut().for_each(|c| c.take(part, n == 0));
            if n == 0 {
                break;
            }
        }
        if bytes == 0 {
            bail!("{} is empty", path.display());
        }
        let form = match candidates.iter().find(|c| c.valid) {
            _ if is_archive => Form::Workbook,
            Some(found) => Form::Text(found.encoding),
            None => bail!(
                "{} is neither a workbook (.xlsx) nor a text in {}; save it as UTF-8 or name its encoding with --encoding",
                path.display(),
                encoding.map_or("UTF-8 or GB18030", |e| if e == Encoding::Utf8 { "UTF-8" } else { "GB18030" })
            ),
        };
        Ok(Self {
            path: path.to_owned(),
            form,
            digest: hex::encode(digest.finalize()),
            bytes,
        })
    }

    /// Its text as UTF-8, decoded while it is read.
    ///
    /// # Errors
    /// A workbook has none.
    pub fn text(&self) -> Result<Text> {
        let Form::Text(encoding) = self.form else {
            bail!("{} is a workbook, not a text", self.path.display())
        };
        let file = File::open(&self.path).with_context(|| format!("{} cannot be read", self.path.display()))?;
        Ok(Text {
            file: BufReader::with_capacity(BLOCK, file),
            decoder: encoding.decoder(),
            out: String::with_capacity(BLOCK),
            given: 0,
            ended: false,
        })
    }

    /// Its header and the rows below it. Rows of a text may have more or fewer cells than the header; cells are trimmed. `sheet` names a sheet of a
    /// workbook.
    pub fn records(&self, delimiter: u8, sheet: Option<&str>) -> Result<(StringRecord, Records)> {
        if self.form == Form::Workbook {
            let sheet = Sheet::open(&self.path, sheet)?;
            return Ok((sheet.header.clone(), Records::Sheet(sheet)));
        }
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .trim(Trim::All)
            .from_reader(self.text()?);
        let header = reader.headers().with_context(|| format!("{} has no header line", self.path.display()))?.clone();
        Ok((header, Records::Text(Box::new(reader), self.bytes)))
    }
}

struct Check {
    encoding: Encoding,
    decoder: Decoder,
    valid: bool,
}

impl Check {
    fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            decoder: encoding.decoder(),
            valid: true,
        }
    }

    fn take(&mut self, mut part: &[u8], last: bool) {
        let mut out = String::with_capacity(BLOCK);
        while self.valid {
            out.clear();
            let (result, read) = self.decoder.decode_to_string_without_replacement(part, &mut out, last);
            part = part.get(read..).unwrap_or_default();
            match result {
                DecoderResult::InputEmpty => return,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => self.valid = false,
            }
        }
    }
}

/// A reader that decodes.
pub struct Text {
    file: BufReader<File>,
    decoder: Decoder,
    out: String,
    given: usize,
    ended: bool,
}

impl Text {
    fn refill(&mut self) -> io::Result<()> {
        use io::BufRead as _;
        self.out.clear();
        self.given = 0;
        while self.out.is_empty() && !self.ended {
            let part = self.file.fill_buf()?;
            let last = part.is_empty();
            let (result, read, _) = self.decoder.decode_to_string(part, &mut self.out, last);
            self.file.consume(read);
            self.ended = last && matches!(result, encoding_rs::CoderResult::InputEmpty);
        }
        Ok(())
    }
}

impl Read for Text {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.given == self.out.len() {
            self.refill()?;
        }
        let mut left = self.out.as_bytes().get(self.given..).unwrap_or_default();
        let n = left.read(to)?;
        self.given = self.given.saturating_add(n);
        Ok(n)
    }
}
