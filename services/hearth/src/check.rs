//! Checks of a data folder: everything that was begun is let finish, then each service is asked for its own verification.

use std::{
    collections::BTreeMap,
    fmt::Display,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use calendar::{Clock, Instant};
use contracts::hearth::{
    billing::v1::{LedgerReport, VerifyLedgerRequest, ledger_service_client::LedgerServiceClient},
    hall::v1::{ListStepsRequest, step, step_service_client::StepServiceClient},
    journal::v1::{VerifyJournalRequest, VerifyJournalResponse, journal_service_client::JournalServiceClient},
    options::v1::Role,
};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tonic::Request;

mod history;

use crate::{
    client::{self, Client, Desk},
    import::figures::count,
    say::say,
    suite::{Folder, SERVICES, Suite, Taken},
};

/// How long sagas, jobs and consumers get to finish what was begun.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at them.
const PAUSE: Duration = Duration::from_millis(250);
/// Deadline of one verification, the longest that a service grants.
const VERIFICATION: Duration = Duration::from_secs(60);

/// Checks ledger, journals, event cursors, references and database settings of a data folder.
///
/// Starts the four services on free ports on the folder's data, whether or not others run on it, lets them finish what was begun,
/// and prints one line for each check. Ends with an exit code other than 0 when there is a fault.
#[derive(clap::Args)]
pub struct Check {
    /// Data folder of `hearth up` or `hearth demo`.
    #[arg(long, value_name = "DIR", default_value = "hearth-data")]
    data: PathBuf,
    /// File that keeps where each journal stood; it is compared with them and then added to. Keep it away from the databases: it shows a journal that was
    /// cut off or made anew.
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
}

impl Check {
    pub async fn run(self) -> Result<ExitCode> {
        let folder = Folder::existing(&self.data)?;
        let clock = match folder.kind()?.as_str() {
            // The rules of a demo go on where its clock stood.
            "demo" => Clock::simulated(last_write(&folder).await?.unwrap_or_else(|| Clock::real().now())),
            _ => Clock::real(),
        };
        let free = boot::PORTS.iter().map(|(name, _)| (*name, 0)).collect();
        let suite = Suite::start(&folder, clock, &free, Taken::Move).await?;
        let report = inspect(&folder, &suite, self.anchors.as_deref()).await;
        suite.stop().await?;
        let report = report?;
        say(report.faults_told())?;
        Ok(if report.faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// When the last write of any service took place, by the clock of the rules.
async fn last_write(folder: &Folder) -> Result<Option<Instant>> {
    let mut last = None;
    for service in SERVICES {
        let path = folder.path().join(format!("{}.db", service.name));
        if !path.exists() {
            continue;
        }
        let db = sea_orm::Database::connect(format!("sqlite://{}?mode=rw", path.display()))
            .await
            .with_context(|| format!("{} cannot be opened", path.display()))?;
        // A folder whose making was cut short may lack the table.
        let row = db
            .query_one_raw(Statement::from_string(DbBackend::Sqlite, "SELECT max(written_at) FROM journal"))
            .await
            .ok()
            .flatten();
        last = last.max(row.and_then(|row| row.try_get_by_index::<Option<i64>>(0).ok().flatten()));
        db.close().await?;
    }
    Ok(last.map(Instant::from_micros))
}

#[derive(Default)]
struct Report {
    checks: usize,
    faults: usize,
}

impl Report {
    /// Prints the line of a check; `Err` tells a fault.
    fn line(&mut self, what: &str, outcome: Result<impl Display, impl Display>) -> Result<()> {
        self.checks += 1;
        match outcome {
            Ok(text) => say(format!("ok     {what:<18} {text}")),
            Err(text) => {
                self.faults += 1;
                say(format!("FAULT  {what:<18} {text}"))
            }
        }
    }

    fn faults_told(&self) -> String {
        match self.faults {
            0 => format!("{} checks, no fault", self.checks),
            n => format!("{} checks, {n} with a fault", self.checks),
        }
    }
}

/// What the services say, asked for at one time.
struct Standing {
    journals: BTreeMap<&'static str, VerifyJournalResponse>,
    waiting_steps: usize,
    parked_steps: usize,
}

impl Standing {
    async fn ask(clients: &BTreeMap<&'static str, Client>) -> Result<Self> {
        let mut journals = BTreeMap::new();
        for (name, client) in clients {
            let answer = JournalServiceClient::new(client.clone())
                .verify_journal(patiently(VerifyJournalRequest {}))
                .await;
            journals.insert(*name, answer.with_context(|| format!("{name} cannot verify its journal"))?.into_inner());
        }
        let hall = clients.get("hall").ok_or_else(|| anyhow!("there is no service hall"))?;
        Ok(Self {
            journals,
            waiting_steps: steps(hall, step::State::Pending).await?,
            parked_steps: steps(hall, step::State::Parked).await?,
        })
    }

    fn events_of(&self, source: &str) -> i64 {
        self.journals.get(source).map_or(0, |j| j.events)
    }

    /// Whether all that was there at an earlier look is done. Others may go on writing meanwhile.
    fn has_settled(&self, before: &Self) -> bool {
        let settled = |(name, journal): (&&str, &VerifyJournalResponse)| {
            let waits = before.journals.get(*name).and_then(|b| b.oldest_unsealed_time);
            let sealed = journal.unsealed_rows == 0 || journal.oldest_unsealed_time != waits;
            sealed && journal.open_jobs == 0 && journal.cursors.iter().all(|c| c.position >= before.events_of(&c.source))
        };
        self.waiting_steps == 0 && self.journals.iter().all(settled)
    }
}

async fn inspect(folder: &Folder, suite: &Suite, anchors: Option<&Path>) -> Result<Report> {
    let desk = Desk::new(&folder.keys())?;
    let mut clients = BTreeMap::new();
    for (name, _) in boot::PORTS {
        let address = format!("https://{}", suite.address(name)?);
        clients.insert(name, desk.client(&address, client::person("hearth-check", &[Role::Auditor, Role::Operator]))?);
    }
    let mut report = Report::default();
    report.line(
        "database settings",
        Ok::<_, String>("WAL, synchronous FULL, foreign keys on: a service refuses to start with others"),
    )?;

    let give_up = tokio::time::Instant::now() + PATIENCE;
    let mut before = Standing::ask(&clients).await?;
    let mut standing: Standing;
    // Consumers need a moment to find each other before silence means anything.
    let mut quiet = 0;
    loop {
        tokio::time::sleep(PAUSE).await;
        standing = Standing::ask(&clients).await?;
        quiet = if standing.has_settled(&before) { quiet + 1 } else { 0 };
        if quiet == 2 || tokio::time::Instant::now() >= give_up {
            break;
        }
        before = standing;
    }

    for (name, journal) in &standing.journals {
        let waits = before.journals.get(name).and_then(|b| b.oldest_unsealed_time);
        report.line(&format!("journal {name}"), chain(journal, waits.as_ref()))?;
    }
    for (name, journal) in &standing.journals {
        for witness in &journal.witnesses {
            report.line(&format!("history {}", witness.source), history::kept(&clients, name, witness).await?)?;
        }
    }
    if let Some(file) = anchors {
        for (name, outcome) in history::file(&clients, file).await? {
            report.line(&format!("anchors {name}"), outcome)?;
        }
    }
    for (name, journal) in &standing.journals {
        for cursor in &journal.cursors {
            let events = before.events_of(&cursor.source);
            let outcome = match cursor.parked {
                0 if cursor.position >= events => Ok(format!("{} events of {} taken", count(cursor.position), cursor.source)),
                0 => Err(format!("{} of {} events of {} taken", count(cursor.position), count(events), cursor.source)),
                n => Err(format!("{} events of {} parked, {} passed", count(n), cursor.source, count(cursor.position))),
            };
            report.line(&format!("events {name}"), outcome)?;
        }
    }
    for (name, journal) in &standing.journals {
        let outcome = if journal.orphans.is_empty() {
            let count = SERVICES.iter().find(|s| s.name == *name).map_or(0, |s| s.references.len());
            Ok(format!("{count} references, every row leads somewhere"))
        } else {
            Err(journal
                .orphans
                .iter()
                .map(|o| format!("{} rows of {}", o.rows, o.reference))
                .collect::<Vec<_>>()
                .join(", "))
        };
        report.line(&format!("references {name}"), outcome)?;
    }
    let open: i64 = standing.journals.values().map(|j| j.open_jobs).sum();
    report.line(
        "jobs",
        if open == 0 {
            Ok("all have ended".to_owned())
        } else {
            Err(format!("{open} have not ended"))
        },
    )?;
    report.line(
        "sagas",
        match (standing.waiting_steps, standing.parked_steps) {
            (0, 0) => Ok("all have ended".to_owned()),
            (0, n) => Ok(format!("all have ended, but for {n} parked for a person (hearth.hall.v1.StepService)")),
            (n, _) => Err(format!("{n} steps wait for another service")),
        },
    )?;
    let billing = clients.get("billing").ok_or_else(|| anyhow!("there is no service billing"))?;
    let answer = LedgerServiceClient::new(billing.clone()).verify_ledger(patiently(VerifyLedgerRequest {})).await;
    let ledger = answer.context("billing cannot verify its ledger")?.into_inner().report.unwrap_or_default();
    report.line("ledger", verdict(&ledger))?;
    Ok(report)
}

fn patiently<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(VERIFICATION);
    request
}

async fn steps(hall: &Client, state: step::State) -> Result<usize> {
    let mut client = StepServiceClient::new(hall.clone());
    let (mut count, mut page_token) = (0, String::new());
    loop {
        let request = ListStepsRequest {
            state: state.into(),
            story_id: String::new(),
            page_size: 500,
            page_token,
        };
        let page = client.list_steps(request).await.context("hall cannot list its steps")?.into_inner();
        count += page.steps.len();
        if page.next_page_token.is_empty() {
            return Ok(count);
        }
        page_token = page.next_page_token;
    }
}

/// `waits` is when the oldest unsealed row of the look before was written.
fn chain(journal: &VerifyJournalResponse, waits: Option<&prost_types::Timestamp>) -> Result<String, String> {
    if !journal.intact {
        return Err(format!("the chain breaks at position {}", journal.broken_position));
    }
    let sealed = format!("{} rows, {} events, chain intact", count(journal.sealed_rows), count(journal.events));
    match &journal.oldest_unsealed_time {
        _ if journal.unsealed_rows == 0 => Ok(format!("{sealed}, nothing unsealed")),
        None => Ok(sealed),
        Some(oldest) if waits == Some(oldest) => Err(format!(
            "{sealed}, but {} rows unsealed, the oldest of {}",
            count(journal.unsealed_rows),
            time(oldest)
        )),
        Some(oldest) => Ok(format!(
            "{sealed}, {} rows just written, the oldest of {}",
            count(journal.unsealed_rows),
            time(oldest)
        )),
    }
}

fn time(time: &prost_types::Timestamp) -> String {
    rpc::wire::time_of(Some(time), "time").map_or_else(|_| "an unknown time".to_owned(), |t| t.to_string())
}

fn verdict(ledger: &LedgerReport) -> Result<String, String> {
    let fen = ledger.sum.as_ref().map_or(0, |sum| sum.minor_units);
    if fen == 0 && ledger.faults.is_empty() {
        Ok(format!("{} transactions, {} entries, sum 0", count(ledger.transactions), count(ledger.entries)))
    } else {
        Err(format!("sum {fen} fen; {}", ledger.faults.join("; ")))
    }
}
