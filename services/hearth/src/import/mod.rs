//! `hearth import`: files of a utility into the services, through the streaming RPCs that any client may use.

mod columns;
mod convert;
pub mod figures;
mod help;
mod pump;
mod report;
mod rows;
mod source;
mod tariff;
pub mod template;

use std::{
    collections::{BTreeMap, VecDeque},
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use calendar::NaiveDate;
use chrono_tz::Tz;
use contracts::hearth::{
    archive::v1::template_service_client::TemplateServiceClient,
    billing::v1::{ListTariffsRequest, PublishTariffRequest, tariff_service_client::TariffServiceClient},
    options::v1::Role,
};
use csv::StringRecord;
use indicatif::{ProgressBar, ProgressStyle};

pub use self::{
    columns::Columns,
    convert::Unit,
    pump::{Answer as Taken, CHUNK, Feed as Rows, Kind as FileKind, Notice as Refused, pump as send, told},
    rows::{Customers, Meters, Readings},
    tariff::read as tariff_request,
};
use self::{
    columns::Mapping,
    pump::{Answer, Feed, Kind, Notice, check},
    report::Report,
    source::{Encoding, Source},
};
use crate::client::{self, Client, Desk};

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
    /// A tariff file (TOML), into billing.
    #[command(after_help = help::TARIFFS)]
    Tariffs(TariffFile),
}

/// Where the services are, and whose keys sign the caller's token.
#[derive(clap::Args)]
struct Target {
    /// Data folder of `hearth up` or `hearth demo`, or a folder made by `hearth keys`.
    #[arg(long, value_name = "DIR", default_value = "hearth-data")]
    data: PathBuf,
    /// Address of the service, such as https://127.0.0.1:7703; the default port of the service on this machine where it is not given.
    #[arg(long, value_name = "URL")]
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

/// A CSV file and how it is read.
#[derive(clap::Args)]
struct Table {
    /// CSV file with a header line.
    file: PathBuf,
    /// Columns that have another header than the field: field=header, parted by commas.
    #[arg(long, value_name = "FIELD=HEADER", value_delimiter = ',')]
    columns: Vec<Mapping>,
    /// Encoding of the file; found out by itself where it is not given.
    #[arg(long, value_name = "NAME")]
    encoding: Option<Encoding>,
    /// Character between two cells.
    #[arg(long, value_name = "CHAR", default_value = ",")]
    delimiter: char,
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
    /// Source of rows that name none: reader, remote or user.
    #[arg(long, value_name = "NAME", default_value = "remote", value_parser = ["reader", "remote", "user"])]
    source: String,
}

#[derive(clap::Args)]
pub struct TariffFile {
    /// Tariff file (TOML).
    file: PathBuf,
    /// Day on which the prices were made public; the first day in force where it is not given.
    #[arg(long, value_name = "DATE")]
    published: Option<NaiveDate>,
    /// Check the file only; nothing is published.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    target: Target,
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
                    })
                    .await
            }
            Self::Tariffs(file) => file.publish().await,
        }
    }
}

impl Table {
    async fn send<K: Kind>(&self, kind: &K) -> Result<ExitCode> {
        let opened = self.open(K::FIELDS);
        let (source, header, columns) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                eprintln!("hearth: {error:#}");
                return Ok(ExitCode::from(UNREADABLE));
            }
        };
        let (_, reader) = source.records(self.separator()?)?;
        let path = self.refused.clone().unwrap_or_else(|| beside(&self.file));
        let mut feed = FileRows::new(kind, &columns, reader, Report::new(header, &path), bar(source.bytes));
        // A run of its own: a file that is imported again is judged anew, since what was refused may be taken now; what is there is known by its natural key.
        let key = format!("{} {}", source.digest, uuid::Uuid::now_v7());
        let outcome = feed.send(&key, self.dry_run).await;
        feed.bar.finish_and_clear();
        let mut report = feed.report;
        report.finish()?;
        if outcome.is_ok() || !report.is_blank() {
            println!("{}", report.told(self.dry_run));
        }
        outcome.with_context(|| {
            format!(
                "the import into {} stopped; what was accepted stays, run it again for the rest",
                self.target.at(K::SERVICE)
            )
        })?;
        Ok(if report.read == 0 { ExitCode::from(UNREADABLE) } else { ExitCode::SUCCESS })
    }

    fn open(&self, fields: &'static [columns::Field]) -> Result<(Source, StringRecord, Columns)> {
        let source = Source::open(&self.file, self.encoding)?;
        let (header, _) = source.records(self.separator()?)?;
        let columns = Columns::find(fields, &self.columns, &header).with_context(|| self.file.display().to_string())?;
        ensure!(
            self.refused.as_ref().is_none_or(|refused| *refused != self.file),
            "--refused would overwrite the file itself"
        );
        Ok((source, header, columns))
    }

    fn separator(&self) -> Result<u8> {
        u8::try_from(self.delimiter)
            .ok()
            .filter(u8::is_ascii)
            .ok_or_else(|| anyhow!("--delimiter is one ASCII character"))
    }
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".refused.csv");
    PathBuf::from(name)
}

fn bar(bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}  {eta}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style)
}

/// The rows of a file as chunks.
struct FileRows<'a, K, R> {
    kind: &'a K,
    columns: &'a Columns,
    reader: csv::Reader<R>,
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

impl<'a, K: Kind, R: std::io::Read> FileRows<'a, K, R> {
    fn new(kind: &'a K, columns: &'a Columns, reader: csv::Reader<R>, report: Report, bar: ProgressBar) -> Self {
        let (queue, again, waiting) = Default::default();
        Self {
            kind,
            columns,
            reader,
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
        let mut idle = 0;
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
            idle = if self.again.len() < before { 0 } else { idle + 1 };
        }
        Ok(())
    }

    /// The next row with its line.
    fn pull(&mut self) -> Result<Option<(i64, StringRecord)>> {
        let mut record = StringRecord::new();
        if self.reader.read_record(&mut record)? {
            self.report.read += 1;
            let line = i64::try_from(record.position().map_or(0, csv::Position::line))?;
            return Ok(Some((line, record)));
        }
        Ok(self.queue.pop_front())
    }
}

impl<K: Kind, R: std::io::Read> Feed<K::Row> for FileRows<'_, K, R> {
    fn next(&mut self) -> Result<Option<Vec<K::Row>>> {
        let (mut rows, mut kept) = (vec![], vec![]);
        while rows.len() < CHUNK
            && let Some((line, record)) = self.pull()?
        {
            let cells = self.columns.cells(&record);
            match check(K::FIELDS, &record, cells).and_then(|()| self.kind.row(line, cells)) {
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
        self.bar.set_position(self.reader.position().byte());
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

impl TariffFile {
    async fn publish(self) -> Result<ExitCode> {
        let read = || -> Result<PublishTariffRequest> {
            let mut text = String::new();
            Source::open(&self.file, None)?.text()?.read_to_string(&mut text)?;
            tariff::read(&text, self.published).with_context(|| self.file.display().to_string())
        };
        let request = match read() {
            Ok(request) => request,
            Err(error) => {
                eprintln!("hearth: {error:#}");
                return Ok(ExitCode::from(UNREADABLE));
            }
        };
        let classes = request.classes.iter().map(|c| c.use_class.as_str()).collect::<Vec<_>>().join(", ");
        let what = format!("{}: {classes}", request.name);
        if self.dry_run {
            println!("{what}\n\ndry run: nothing was published");
            return Ok(ExitCode::SUCCESS);
        }
        let mut client = TariffServiceClient::new(self.target.client("billing", Role::Accountant)?);
        let there = client
            .list_tariffs(ListTariffsRequest {
                on_date: request.from_date,
                page_size: 500,
                page_token: String::new(),
            })
            .await;
        let there = there.map_err(|s| anyhow!(told(&s)))?.into_inner().tariffs;
        if there
            .iter()
            .any(|t| t.name == request.name && t.from_date == request.from_date && tariff::same(&t.classes, &request.classes))
        {
            println!("already there: {what}");
            return Ok(ExitCode::SUCCESS);
        }
        match client.publish_tariff(request).await {
            Ok(_) => {
                println!("published: {what}");
                Ok(ExitCode::SUCCESS)
            }
            Err(status) => Err(anyhow!("the tariff is refused: {}", told(&status))),
        }
    }
}
