//! What became of a file: counts, the file of refused rows, the closing table.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use csv::{StringRecord, Writer};

use super::{
    figures::count,
    pump::{Answer, Notice},
};
use crate::formula::{defused, plain};

/// Columns that stand before those of the refused row itself.
const LEAD: [&str; 4] = ["line", "reason", "field", "text"];

/// Counts of a run, and the rows that were refused.
pub struct Report {
    header: StringRecord,
    /// Cells of a row that are those of an earlier file of refused rows.
    skip: usize,
    path: PathBuf,
    file: Option<Writer<File>>,
    pub read: i64,
    accepted: i64,
    already: i64,
    held: i64,
    refused: BTreeMap<String, i64>,
    warnings: BTreeMap<String, i64>,
}

impl Report {
    /// `path` is made with the first refused row.
    pub fn new(header: StringRecord, path: &Path) -> Self {
        let refused = BTreeMap::new();
        let skip = if header.iter().take(LEAD.len()).eq(LEAD) { LEAD.len() } else { 0 };
        Self {
            skip,
            header,
            path: path.to_owned(),
            file: None,
            read: 0,
            accepted: 0,
            already: 0,
            held: 0,
            refused,
            warnings: BTreeMap::new(),
        }
    }

    /// Files a row that is refused: line and reason, then the row as it came, so that it can be put right and imported from that file.
    pub fn refuse(&mut self, notice: &Notice, record: &StringRecord) -> Result<()> {
        let told = || format!("{} cannot be written; name another file with --refused", self.path.display());
        one_more(&mut self.refused, &notice.reason);
        if self.file.is_none() {
            let mut file = csv::WriterBuilder::new()
                .flexible(true)
                .from_writer(File::create(&self.path).with_context(told)?);
            file.write_record(LEAD.into_iter().chain(self.header.iter().skip(self.skip)))?;
            self.file = Some(file);
        }
        if let Some(file) = &mut self.file {
            let line = notice.line.to_string();
            let lead = [line.as_str(), &notice.reason, &notice.field, &notice.text];
            // A person opens it in a spreadsheet.
            let cells = record.iter().skip(self.skip).map(|cell| defused(plain(cell)));
            file.write_record(lead.into_iter().map(str::to_owned).chain(cells)).with_context(told)?;
        }
        Ok(())
    }

    /// Whether anything became of any row.
    pub fn is_blank(&self) -> bool {
        self.accepted == 0 && self.already == 0 && self.refused.is_empty()
    }

    pub fn take(&mut self, answer: &Answer) {
        self.accepted = self.accepted.saturating_add(answer.accepted);
        self.already = self.already.saturating_add(answer.already);
        self.held = self.held.saturating_add(answer.held);
        for warning in &answer.warnings {
            one_more(&mut self.warnings, &warning.reason);
        }
    }

    /// Writes what is left of the file.
    pub fn finish(&mut self) -> Result<()> {
        match &mut self.file {
            Some(file) => file
                .flush()
                .with_context(|| format!("{} cannot be written; name another file with --refused", self.path.display())),
            None => Ok(()),
        }
    }

    /// The closing words.
    pub fn told(&self, dry_run: bool) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let mut row = |name: &str, n: i64| {
            table.add_row([name.to_owned(), count(n)]);
        };
        let verb = if dry_run { "would be accepted" } else { "accepted" };
        row("rows read", self.read);
        row(verb, self.accepted);
        if self.held > 0 {
            row("  of them held for a person", self.held);
        }
        for (reason, n) in &self.warnings {
            row(&format!("  of them look odd: {reason}"), *n);
        }
        row("already there", self.already);
        row("refused", self.refused.values().sum());
        for (reason, n) in &self.refused {
            row(&format!("  {reason}"), *n);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let mut text = table.trim_fmt();
        if !self.refused.is_empty() {
            text.push_str(&format!("\n\nrefused rows, with line and reason: {}", self.path.display()));
        }
        if dry_run {
            text.push_str("\n\ndry run: nothing was kept");
        }
        text
    }
}

fn one_more(counts: &mut BTreeMap<String, i64>, reason: &str) {
    let count = counts.entry(reason.to_owned()).or_default();
    *count = count.saturating_add(1);
}
