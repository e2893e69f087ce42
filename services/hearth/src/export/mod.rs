//! `hearth export`: what the services hold, as a file for a spreadsheet, and bills as documents, through the RPCs that any client may use.

mod documents;
mod filter;
pub mod page;
mod place;
mod sheet;
mod tables;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use contracts::hearth::options::v1::Role;
use indicatif::{ProgressBar, ProgressStyle};

use self::{
    filter::Filter,
    place::Place,
    sheet::{Column, Sheet},
};
use crate::{
    client::{self, Client, Desk},
    import::figures::count,
};

const HELP: &str = "\
Examples:
  hearth export bills -o bills.xlsx
  hearth export customers > customers.csv
  hearth export payments --from 2025-01-01 --to 2025-01-31 --branch 河西区 -o january.csv
  hearth export documents --branch 河西区 --from 2025-01-31 --to 2025-01-31 -o january
  hearth export audit --from 2025-01-01 --address hall=https://127.0.0.1:8702 -o audit.csv

customers: one row for each contract, or account without one; names, numbers, phones and addresses are masked
readings, bills, payments: one row for each
ledger: one row for each side of a transaction; debit is positive, credit negative, and each transaction sums up to 0
audit: one row for each write and each reveal of the four services, in the order of their journals: who called which method, on whose behalf, why, about
what, and the digest of it; the column audit says what an auditor looks for in the method (money, personal data, authority); a journal whose chain is
broken is not written
documents: a PDF for each bill in the folder FILE, by the number of the bill; one that is there already is left as it is, so that the same command goes on
where it was stopped, and a folder that is removed is made anew

A text that begins with = + - @ or a tab gets an apostrophe before it, so that no spreadsheet takes it for a formula; figures stay figures.
Days and times are ISO 8601. CSV is UTF-8 with a byte order mark, which spreadsheets need to read Chinese.
A file is written under FILE.part and takes its name when it is whole; one that is there already is replaced then.";

/// Writes what a service holds as CSV or as a workbook, or bills as documents.
///
/// Reads as an auditor: everything, and personal data masked.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Export {
    /// What is written.
    #[arg(value_enum)]
    what: What,
    /// Form of the file; by its name where it is not given, else csv.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// File to write; standard output where it is not given (csv only). For documents the folder.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Data folder of `hearth up` or `hearth demo`, or a folder made by `hearth keys`.
    #[arg(long, value_name = "DIR", default_value = "hearth-data")]
    data: PathBuf,
    /// Address of a service, such as billing=https://127.0.0.1:8703, or of the only one that is asked; may be repeated. Default ports on this machine
    /// where it is not given.
    #[arg(long = "address", value_name = "[SERVICE=]URL")]
    addresses: Vec<Address>,
    #[command(flatten)]
    filter: Filter,
    /// Who is on record as the one who reads.
    #[arg(long, value_name = "NAME", default_value = "export")]
    subject: String,
}

/// What can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Customers with accounts and contracts, of archive.
    Customers,
    /// Readings of meters, of billing.
    Readings,
    /// Bills without their lines, of billing.
    Bills,
    /// Bills as documents, of billing.
    Documents,
    /// Payments, of billing.
    Payments,
    /// Transactions of the ledger, of billing.
    Ledger,
    /// Rows of the journals of all four.
    Audit,
}

impl What {
    fn service(self) -> Option<&'static str> {
        match self {
            Self::Customers => Some("archive"),
            Self::Readings | Self::Bills | Self::Documents | Self::Payments | Self::Ledger => Some("billing"),
            Self::Audit => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Readings => "readings",
            Self::Bills => "bills",
            Self::Documents => "documents",
            Self::Payments => "payments",
            Self::Ledger => "ledger",
            Self::Audit => "audit",
        }
    }

    fn columns(self) -> &'static [Column] {
        match self {
            Self::Customers => tables::customers::COLUMNS,
            Self::Readings => tables::readings::COLUMNS,
            Self::Bills => tables::bills::COLUMNS,
            // A folder of files has none.
            Self::Documents => &[],
            Self::Payments => tables::payments::COLUMNS,
            Self::Ledger => tables::ledger::COLUMNS,
            Self::Audit => tables::audit::COLUMNS,
        }
    }
}

/// Form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Text with commas.
    Csv,
    /// A workbook with one sheet.
    Xlsx,
}

impl Format {
    fn by_name(path: &Path) -> Self {
        match path.extension() {
            Some(extension) if extension.eq_ignore_ascii_case("xlsx") => Self::Xlsx,
            _ => Self::Csv,
        }
    }
}

/// An address, of a service where it is named.
#[derive(Clone, Debug)]
struct Address {
    service: Option<&'static str>,
    url: String,
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = boot::PORTS
            .iter()
            .find_map(|(name, _)| Some((*name, text.strip_prefix(name)?.strip_prefix('=')?)));
        let (service, url) = named.map_or((None, text), |(name, url)| (Some(name), url));
        match client::address(url) {
            Ok(url) => Ok(Self { service, url }),
            Err(told) => Err(format!("{told}, or as SERVICE=https://HOST:PORT")),
        }
    }
}

impl Export {
    pub async fn run(self) -> Result<ExitCode> {
        self.filter.check(self.what)?;
        if self.what == What::Documents {
            ensure!(self.output.is_some(), "documents need a folder: name it with -o DIR");
            ensure!(self.format.is_none(), "documents are PDF files; leave --format out");
        }
        let format = self.format.or(self.output.as_deref().map(Format::by_name)).unwrap_or(Format::Csv);
        ensure!(
            format == Format::Csv || self.output.is_some(),
            "a workbook needs a file: name it with -o FILE.xlsx"
        );
        let services = match self.what.service() {
            Some(service) => vec![service],
            None => boot::PORTS.map(|(name, _)| name).to_vec(),
        };
        let desk = self.desk()?;
        let (mut clients, mut urls) = (vec![], vec![]);
        for service in services {
            let url = self.url(service)?;
            let client = desk.client(&url, client::person(&self.subject, &[Role::Auditor]));
            clients.push((service, client.with_context(|| anyhow!("{service} at {url}"))?));
            urls.push(url);
        }
        if self.what == What::Documents {
            return self.documents(&clients, &urls).await;
        }
        let place = Place::open(self.output.as_deref())?;
        let mut sheet = Sheet::new(format == Format::Xlsx, self.what.name(), self.what.columns(), place)?;
        let bar = bar();
        let outcome = self.fill(&clients, &mut sheet, &bar).await;
        bar.finish_and_clear();
        match outcome.and_then(|()| sheet.finish()) {
            Ok(rows) => {
                if let Some(path) = &self.output {
                    eprintln!("{} rows of {} in {}", count(rows), self.what.name(), path.display());
                }
                Ok(ExitCode::SUCCESS)
            }
            // Whoever read standard output has seen enough.
            Err(error) if place::is_left(&error) => Ok(ExitCode::SUCCESS),
            Err(error) => Err(error.context(format!("the export of {} from {} stopped and left no file", self.what.name(), urls.join(", ")))),
        }
    }

    async fn documents(&self, clients: &[(&'static str, Client)], urls: &[String]) -> Result<ExitCode> {
        let folder = self.output.as_deref().context("no folder is named")?;
        let (_, client) = clients.first().context("no service is asked")?;
        let written = documents::write(client.clone(), &self.filter, folder).await;
        eprintln!(
            "{}",
            written.with_context(|| format!(
                "the export of documents from {} stopped; what is written stays, and the same command goes on from there",
                urls.join(", ")
            ))?
        );
        Ok(ExitCode::SUCCESS)
    }

    async fn fill(&self, clients: &[(&'static str, Client)], sheet: &mut Sheet, bar: &ProgressBar) -> Result<()> {
        let one = || clients.first().map(|(_, client)| client.clone()).context("no service is asked");
        let filter = &self.filter;
        match self.what {
            What::Customers => tables::customers::fill(&one()?, filter, sheet, bar).await,
            What::Readings => tables::readings::fill(one()?, filter, sheet, bar).await,
            What::Bills => tables::bills::fill(one()?, filter, sheet, bar).await,
            What::Documents => bail!("documents are no rows"),
            What::Payments => tables::payments::fill(one()?, filter, sheet, bar).await,
            What::Ledger => tables::ledger::fill(one()?, filter, sheet, bar).await,
            What::Audit => tables::audit::fill(clients, filter, sheet, bar).await,
        }
    }

    fn desk(&self) -> Result<Desk> {
        let own = self.data.join("keys");
        let keys = if own.is_dir() { own } else { self.data.clone() };
        Desk::new(&keys).with_context(|| format!("{} holds no keys; name the folder with --data", keys.display()))
    }

    fn url(&self, service: &str) -> Result<String> {
        let port = boot::PORTS.iter().find(|(name, _)| *name == service).map_or(0, |(_, port)| *port);
        let mut url = format!("https://127.0.0.1:{port}");
        for address in &self.addresses {
            match (address.service, self.what.service()) {
                (Some(named), _) if named == service => url.clone_from(&address.url),
                (None, Some(_)) => url.clone_from(&address.url),
                (None, None) => bail!("--address: four services are asked; write it as SERVICE={}", address.url),
                (Some(_), _) => {}
            }
        }
        Ok(url)
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}  {pos} rows  {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::no_length().with_style(style)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_its_service_or_stands_alone() {
        let read = |text: &str| text.parse::<Address>().map(|a| (a.service, a.url));
        assert_eq!(read("hall=https://h:1"), Ok((Some("hall"), "https://h:1".to_owned())));
        assert_eq!(read("https://h:1"), Ok((None, "https://h:1".to_owned())));
        for text in ["billing=", "counter=https://h:1", "http://h:1", "h:1"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_name_of_a_file_decides_its_form() {
        assert_eq!(Format::by_name(Path::new("a.XLSX")), Format::Xlsx);
        assert_eq!(Format::by_name(Path::new("xlsx")), Format::Csv);
    }
}
