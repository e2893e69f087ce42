//! `hearth import`: files of a utility into the services, through the streaming RPCs that any client may use.

mod columns;
pub mod convert;
pub mod figures;
mod heat_tariff;
mod help;
mod layout;
mod profile;
mod publish;
mod pump;
mod report;
mod rows;
mod source;
mod tariff;
pub mod template;
mod workbook;

use std::{
    collections::{BTreeMap, VecDeque},
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use chrono_tz::Tz;
use contracts::hearth::{archive::v1::template_service_client::TemplateServiceClient, options::v1::Role};
use csv::StringRecord;
use indicatif::{ProgressBar, ProgressStyle};

pub use self::{
    columns::{Cells, Columns, Field},
    convert::Unit,
    heat_tariff::{Settlement as HeatSettlement, request as heat_tariff_request},
    layout::{Layout, Opened},
    pump::{Answer as Taken, CHUNK, Feed as Rows, Kind as FileKind, Notice as Refused, pump as send, told},
    rows::{Customers, Meters, Opening, Payments, Readings, Summed, Trades},
    tariff::{Told as ToldOfTariff, parse as tariff_file, request as tariff_request},
};
use self::{
    pump::{Answer, Feed, Kind, Notice, check},
    report::Report,
    source::{Records, Row, Source},
};
use crate::{
    client::{self, Client, Desk},
    say::say,
};

/// Nothing in the file could be read: no such file, no text, no columns.
const UNREADABLE: u8 = 2;
/// Between two tries of rows that another service has not told of yet, and how many tries may change nothing.
const PAUSE: Duration = Duration::from_millis(500);
const IDLE: u32 = 4;

/// What is loaded.
#[derive(clap::Subcommand)]
pub enum Import {
    /// Customers with premises, accounts, contracts and entitlements, into archive.
    #[command(after_help = help::CUSTOMERS)]
    Customers(CustomersFile),
    /// Meters and where they are installed, into billing.
    #[command(after_help = help::METERS)]
    Meters(MetersFile),
    /// Readings of meters, into billing.
    #[command(after_help = help::READINGS)]
    Readings(ReadingsFile),
    /// Payments of a bank or another channel, into billing.
    #[command(after_help = help::PAYMENTS)]
    Payments(PaymentsFile),
    /// The state with which billing begins where another system billed before, into billing.
    #[command(after_help = help::OPENING)]
    Opening(OpeningFile),
    /// Trades of the companies of the group with vendors, into vendor.
    #[command(after_help = help::TRADES)]
    Trades(TradesFile),
    /// A tariff file (TOML), into billing.
    #[command(after_help = help::TARIFFS)]
    Tariffs(publish::TariffFile),
    /// What a city decides about dues (TOML), for its branches, into billing.
    #[command(after_help = help::PROFILES)]
    Profiles(publish::ProfileFile),
}

/// Where the services are, and whose keys sign the caller's token.
#[derive(clap::Args)]
struct Target {
    /// Data folder of `hearth up` or `hearth demo`, or a folder made by `hearth keys`.
    #[arg(long, value_name = "DIR", default_value = "hearth-data")]
    data: PathBuf,
    /// Address of the service, such as https://127.0.0.1:7703; the default port of the service on this machine where it is not given.
    #[arg(long, value_name = "URL", value_parser = client::address)]
    address: Option<String>,
    /// Who is on record as the one who brought the file. Readings are released by somebody else.
    #[arg(long, value_name = "NAME", default_value = "import")]
    subject: String,
}

impl Target {
    fn client(&self, service: &str, role: Role) -> Result<Client> {
        let own = self.data.join("keys");
        let keys = if own.is_dir() { own } else { self.data.clone() };
        let desk = Desk::new(&keys).with_context(|| format!("{} holds no keys; name the folder with --data", keys.display()))?;
        desk.client(&self.at(service), client::person(&self.subject, &[role]))
            .with_context(|| format!("{service} at {}", self.at(service)))
    }

    fn at(&self, service: &str) -> String {
        let port = boot::PORTS.iter().find(|(name, _)| *name == service).map_or(0, |(_, port)| *port);
        self.address.clone().unwrap_or_else(|| format!("https://127.0.0.1:{port}"))
    }
}

/// A file of rows and what becomes of them.
#[derive(clap::Args)]
struct Table {
    /// CSV file with a header line, or a workbook (.xlsx) whose first line is the header.
    file: PathBuf,
    #[command(flatten)]
    layout: Layout,
    /// Check only; nothing is kept. Chunks of 500 rows are judged one by one: what an earlier chunk would have brought is not there.
    #[arg(long)]
    dry_run: bool,
    /// File for refused rows; FILE.refused.csv where it is not given.
    #[arg(long, value_name = "PATH")]
    refused: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

#[derive(clap::Args)]
pub struct CustomersFile {
    #[command(flatten)]
    table: Table,
    /// Publish a plain contract template first where there is none, for trials.
    #[arg(long)]
    trial_template: bool,
}

#[derive(clap::Args)]
pub struct MetersFile {
    #[command(flatten)]
    table: Table,
    /// Unit of initial_index.
    #[arg(long, value_name = "UNIT", value_enum, default_value_t)]
    unit: Unit,
}

#[derive(clap::Args)]
pub struct ReadingsFile {
    #[command(flatten)]
    table: Table,
    /// Unit of index.
    #[arg(long, value_name = "UNIT", value_enum, default_value_t)]
    unit: Unit,
    /// Zone of times that have no offset, such as Europe/Madrid.
    #[arg(long, value_name = "ZONE", default_value = "Asia/Shanghai")]
    time_zone: Tz,
    /// Source of rows that name none: reader, remote, user or check.
    #[arg(long, value_name = "NAME", default_value = "remote", value_parser = ["reader", "remote", "user", "check"])]
    source: String,
    /// The column index is the use within an interval, not a register: it is added up for each meter, from 0 before its first row. Rows of a meter stand in the order of
    /// time.
    #[arg(long)]
    interval: bool,
}

#[derive(clap::Args)]
pub struct PaymentsFile {
    #[command(flatten)]
    table: Table,
    /// Zone of times that have no offset, such as Europe/Madrid.
    #[arg(long, value_name = "ZONE", default_value = "Asia/Shanghai")]
    time_zone: Tz,
    /// Channel of rows that name none, such as BANK.
    #[arg(long, value_name = "NAME", default_value = "BANK")]
    channel: String,
}

#[derive(clap::Args)]
pub struct OpeningFile {
    #[command(flatten)]
    table: Table,
    /// Unit of index and year_volume.
    #[arg(long, value_name = "UNIT", value_enum, default_value_t)]
    unit: Unit,
}

#[derive(clap::Args)]
pub struct TradesFile {
    #[command(flatten)]
    table: Table,
}

impl Import {
    pub async fn run(self) -> Result<ExitCode> {
        match self {
            Self::Customers(file) => {
                let client = file.table.target.client(Customers::SERVICE, Role::Archivist)?;
                if file.trial_template && !file.table.dry_run {
                    let officer = file.table.target.client("archive", Role::ContractOfficer)?;
                    template::publish_where_absent(&mut TemplateServiceClient::new(officer)).await?;
                }
                let hint = "archive has no contract template that may be signed today: publish one (hearth.archive.v1.TemplateService/PublishTemplate), or run again with --trial-template";
                let outcome = file.table.send(&Customers { client, template_id: None }).await;
                outcome.map_err(|e| {
                    if format!("{e:#}").contains("TEMPLATE_NOT_IN_FORCE") {
                        anyhow!(hint)
                    } else {
                        e
                    }
                })
            }
            Self::Meters(file) => {
                let client = file.table.target.client("billing", Role::Operator)?;
                file.table.send(&Meters { client, unit: file.unit }).await
            }
            Self::Readings(file) => {
                let client = file.table.target.client("billing", Role::Operator)?;
                file.table
                    .send(&Readings {
                        client,
                        unit: file.unit,
                        zone: file.time_zone,
                        source: file.source.clone(),
                        summed: file.interval.then(Summed::default),
                    })
                    .await
            }
            Self::Payments(file) => {
                let client = file.table.target.client("billing", Role::Operator)?;
                file.table
                    .send(&Payments {
                        client,
                        zone: file.time_zone,
                        channel: file.channel.clone(),
                    })
                    .await
            }
            Self::Opening(file) => {
                let client = file.table.target.client("billing", Role::Operator)?;
                file.table.send(&Opening { client, unit: file.unit }).await
            }
            Self::Trades(file) => {
                let client = file.table.target.client("vendor", Role::Operator)?;
                file.table.send(&Trades { client }).await
            }
            Self::Tariffs(file) => file.publish().await,
            Self::Profiles(file) => file.publish().await,
        }
    }
}

impl Table {
    async fn send<K: Kind>(&self, kind: &K) -> Result<ExitCode> {
        let opened = match self.open(K::FIELDS) {
            Ok(opened) => opened,
            Err(error) => {
                eprintln!("hearth: {error:#}");
                return Ok(ExitCode::from(UNREADABLE));
            }
        };
        let path = self.refused.clone().unwrap_or_else(|| beside(&self.file));
        let bar = bar(opened.records.passed().1);
        let mut feed = FileRows::new(kind, &opened.columns, opened.records, Report::new(opened.header, &path), bar);
        // A run of its own: a file that is imported again is judged anew, since what was refused may be taken now; what is there is known by its natural key.
        let key = format!("{} {}", opened.digest, uuid::Uuid::now_v7());
        let outcome = feed.send(&key, self.dry_run).await;
        feed.bar.finish_and_clear();
        let mut report = feed.report;
        report.finish()?;
        if outcome.is_ok() || !report.is_blank() {
            say(report.told(self.dry_run))?;
        }
        outcome.with_context(|| {
            format!(
                "the import into {} stopped; what was accepted stays, run it again for the rest",
                self.target.at(K::SERVICE)
            )
        })?;
        Ok(if report.read == 0 { ExitCode::from(UNREADABLE) } else { ExitCode::SUCCESS })
    }

    fn open(&self, fields: &'static [Field]) -> Result<Opened> {
        ensure!(
            self.refused.as_ref().is_none_or(|refused| *refused != self.file),
            "--refused would overwrite the file itself"
        );
        self.layout.open(&self.file, fields)
    }
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".refused.csv");
    PathBuf::from(name)
}

fn bar(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}  {eta}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

/// The rows of a file as chunks.
struct FileRows<'a, K> {
    kind: &'a K,
    columns: &'a Columns,
    records: Records,
    /// Rows that are sent once more.
    queue: VecDeque<(i64, StringRecord)>,
    /// Rows that were refused for a reason that may pass.
    again: VecDeque<(i64, StringRecord)>,
    /// Whether such rows are kept for another try.
    patient: bool,
    /// The rows of every chunk that is not answered yet, with their lines.
    waiting: VecDeque<Vec<(i64, StringRecord)>>,
    report: Report,
    bar: ProgressBar,
}

impl<'a, K: Kind> FileRows<'a, K> {
    fn new(kind: &'a K, columns: &'a Columns, records: Records, report: Report, bar: ProgressBar) -> Self {
        let (queue, again, waiting) = Default::default();
        Self {
            kind,
            columns,
            records,
            queue,
            again,
            patient: K::PASSING.is_some(),
            waiting,
            report,
            bar,
        }
    }

    /// Sends the file, then what was refused for a reason that may pass, until a few tries in a row change nothing.
    async fn send(&mut self, key: &str, dry_run: bool) -> Result<()> {
        pump::pump(self.kind, key, dry_run, self).await?;
        let mut idle = 0_u32;
        for round in 1_u32.. {
            let before = self.again.len();
            if before == 0 {
                return Ok(());
            }
            self.bar.set_message("waiting until the service has heard of the rest");
            tokio::time::sleep(PAUSE).await;
            self.queue = std::mem::take(&mut self.again);
            self.patient = idle < IDLE;
            pump::pump(self.kind, &format!("{key} {round}"), dry_run, self).await?;
            idle = if self.again.len() < before { 0 } else { idle.saturating_add(1) };
        }
        Ok(())
    }

    /// The next row, of the file or of those that are sent once more.
    fn pull(&mut self) -> Result<Option<Row>> {
        if let Some(row) = self.records.next()? {
            self.report.read = self.report.read.saturating_add(1);
            return Ok(Some(row));
        }
        Ok(self.queue.pop_front().map(|(line, record)| Row { line, record, wrong: None }))
    }
}

impl<K: Kind> Feed<K::Row> for FileRows<'_, K> {
    fn next(&mut self) -> Result<Option<Vec<K::Row>>> {
        let (mut rows, mut kept) = (vec![], vec![]);
        while rows.len() < CHUNK
            && let Some(Row { line, record, wrong }) = self.pull()?
        {
            let cells = self.columns.cells(&record);
            let judged = match wrong {
                Some(wrong) => Err(("", wrong)),
                None => check(K::FIELDS, &record, cells).and_then(|()| self.kind.row(line, cells)),
            };
            match judged {
                Ok(row) => {
                    rows.push(row);
                    kept.push((line, record));
                }
                Err((field, (reason, text))) => {
                    let notice = Notice {
                        line,
                        field: field.to_owned(),
                        reason: reason.to_owned(),
                        text: text.to_owned(),
                    };
                    self.report.refuse(&notice, &record)?;
                }
            }
        }
        self.bar.set_position(self.records.passed().0);
        self.bar.set_message(format!("{} rows", self.report.read));
        if rows.is_empty() {
            return Ok(None);
        }
        self.waiting.push_back(kept);
        Ok(Some(rows))
    }

    fn answered(&mut self, answer: Answer) -> Result<()> {
        let mut kept: BTreeMap<i64, StringRecord> = self.waiting.pop_front().unwrap_or_default().into_iter().collect();
        self.report.take(&answer);
        for notice in &answer.refused {
            let record = kept.remove(&notice.line).unwrap_or_default();
            if self.patient && K::PASSING == Some(notice.reason.as_str()) {
                self.again.push_back((notice.line, record));
            } else {
                self.report.refuse(notice, &record)?;
            }
        }
        Ok(())
    }
}

/// The text of a file, whatever its encoding.
pub fn text_of(file: &Path) -> Result<String> {
    let mut text = String::new();
    Source::open(file, None)?.text()?.read_to_string(&mut text)?;
    Ok(text)
}
