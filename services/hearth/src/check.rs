//! Checks of what the services hold: everything that was begun is let finish, then each service is asked for its own verification.

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
    hall::v1::{ListStepsRequest, Step, step, step_service_client::StepServiceClient},
    journal::v1::{VerifyJournalRequest, VerifyJournalResponse, journal_service_client::JournalServiceClient},
    options::v1::Role,
};
use database::{Engine, Target};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tonic::Request;

mod history;
mod kept;

use crate::{
    backup::Place,
    client::{self, Client, Desk},
    import::figures::{count, fen},
    say::say,
    suite::{Folder, SERVICES, Stores, Suite, Taken, never_began},
};

/// The line of what the databases are set to.
const SETTINGS: &str = "database settings";
/// Between two looks at sagas, jobs and consumers.
const PAUSE: Duration = Duration::from_millis(250);
/// Deadline of one verification, the longest that a service grants.
const VERIFICATION: Duration = Duration::from_secs(60);

/// What a line says; `Err` tells a fault.
type Outcome = Result<String, String>;

/// Checks ledger, journals, event cursors, references, jobs and database settings of a data folder, or of databases that --database names.
///
/// Starts the four services on free ports on that data, whether or not others run on it, in whose work they take part; lets them finish what was begun,
/// and prints one line for each check. Ends with an exit code other than 0 when there is a fault.
///
/// References are looked for within each database, and in that of another service where a service took the id over itself: copies of accounts,
/// agreements, bills and payments, openings, heating seasons, offers of work. The account, premises or vendor that a caller named in a case, a complaint,
/// an order, an acceptance or a member of staff is not looked for in the other service. A parked step is named and is no fault: it waits for a person.
#[derive(clap::Args)]
pub struct Check {
    #[command(flatten)]
    place: Place,
    /// Folder of the services' key rings (SERVICE.vault) where --database names their databases.
    #[arg(long, value_name = "DIR", requires = "database")]
    keys: Option<PathBuf>,
    /// File that keeps where each journal stood; it is compared with them and then added to. Keep it away from the databases: it shows a journal that was
    /// cut off or made anew.
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
    /// How long sagas, jobs and consumers get to finish what was begun.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
}

impl Check {
    pub async fn run(self) -> Result<ExitCode> {
        let free = boot::PORTS.iter().map(|(name, _)| (*name, 0)).collect();
        let mut report = Report::default();
        // Keys that this run signs tokens and shows certificates with, where there is no folder that has them.
        let own = tempfile::tempdir()?;
        let (keys, started) = match self.place.folder() {
            Some(folder) => {
                let folder = Folder::existing(folder)?;
                folder.is_usable()?;
                let clock = match folder.kind()?.as_str() {
                    // The rules of a demo go on where its clock stood.
                    "demo" => Clock::simulated(last_write(&folder).await?.unwrap_or_else(|| Clock::real().now())),
                    _ => Clock::real(),
                };
                (folder.keys(), Suite::start(&folder, clock, &free, Taken::Move, &[]).await)
            }
            None => {
                let rings = self.keys.as_deref().context("name the folder of the key rings with --keys")?;
                let keys = own.path().join("keys");
                boot::keys::make(&keys, &[])?;
                let stores = |service: &str| {
                    let (database, files) = self.place.of(service)?;
                    let database = Target {
                        url: database.existing(),
                        ..database
                    };
                    let ring = rings.join(format!("{service}.vault"));
                    Ok(Stores { database, files, ring })
                };
                let started = Suite::begin(stores, &keys, Clock::real(), &free, Taken::Move, &[]).await;
                (keys, started)
            }
        };
        let suite = match settings(started)? {
            Ok(suite) => suite,
            Err(told) => {
                report.line(SETTINGS, Err::<&str, _>(told))?;
                return report.end();
            }
        };
        let safe = match self.place.of("archive")?.0.engine {
            Engine::Sqlite => "WAL, synchronous FULL, foreign keys on",
            Engine::Postgres => "fsync, full_page_writes, synchronous_commit on",
        };
        report.line(SETTINGS, Ok::<_, &str>(format!("{safe}: a service refuses to start with others")))?;
        let inspected = self.inspect(&keys, &suite, &mut report).await;
        suite.stop().await?;
        inspected?;
        report.end()
    }

    async fn inspect(&self, keys: &Path, suite: &Suite, report: &mut Report) -> Result<()> {
        let desk = Desk::new(keys)?;
        let mut clients = BTreeMap::new();
        for (name, _) in boot::PORTS {
            let address = format!("https://{}", suite.address(name)?);
            clients.insert(name, desk.client(&address, client::person("hearth-check", &[Role::Auditor, Role::Operator]))?);
        }

        // A wait beyond what the clock can tell never ends.
        let give_up = tokio::time::Instant::now().checked_add(Duration::from_secs(self.wait));
        let mut before = Standing::ask(&clients).await?;
        let mut standing: Standing;
        // Consumers need a moment to find each other before silence means anything.
        let mut quiet = 0_u32;
        loop {
            tokio::time::sleep(PAUSE).await;
            standing = Standing::ask(&clients).await?;
            quiet = if standing.has_settled(&before) { quiet.saturating_add(1) } else { 0 };
            if quiet == 2 || give_up.is_some_and(|at| tokio::time::Instant::now() >= at) {
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
        if let Some(file) = &self.anchors {
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
        for (consumer, source) in never_began(&standing.journals) {
            report.line(
                &format!("events {consumer}"),
                Err::<&str, _>(format!("the events of {source} were never begun")),
            )?;
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
        report.line("references between", kept::between(&self.place).await?)?;
        report.line("jobs", jobs(&standing.journals))?;
        report.line("sagas", sagas(&standing.waiting_steps, &standing.parked_steps))?;
        let billing = clients.get("billing").ok_or_else(|| anyhow!("there is no service billing"))?;
        let answer = LedgerServiceClient::new(billing.clone()).verify_ledger(patiently(VerifyLedgerRequest {})).await;
        let ledger = answer.context("billing cannot verify its ledger")?.into_inner().report.unwrap_or_default();
        report.line("ledger", verdict(&ledger))?;
        Ok(())
    }
}

/// What started, or why its database was refused; another failure to start is no finding.
fn settings<T>(started: Result<T>) -> Result<Result<T, String>> {
    match started {
        Ok(started) => Ok(Ok(started)),
        Err(error) => match format!("{error:#}") {
            told if told.contains("DATABASE_UNSAFE") => Ok(Err(told)),
            _ => Err(error),
        },
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
        self.checks = self.checks.saturating_add(1);
        match outcome {
            Ok(text) => say(format!("ok     {what:<18} {text}")),
            Err(text) => {
                self.faults = self.faults.saturating_add(1);
                say(format!("FAULT  {what:<18} {text}"))
            }
        }
    }

    /// Prints how many there were, and gives the exit code.
    fn end(&self) -> Result<ExitCode> {
        let (told, code) = match self.faults {
            0 => ("no fault".to_owned(), ExitCode::SUCCESS),
            n => (format!("{n} with a fault"), ExitCode::FAILURE),
        };
        say(format!("{} checks, {told}", self.checks))?;
        Ok(code)
    }
}

/// What the services say, asked for at one time.
struct Standing {
    journals: BTreeMap<&'static str, VerifyJournalResponse>,
    waiting_steps: Vec<Step>,
    parked_steps: Vec<Step>,
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
        let began = never_began(&self.journals).next().is_none();
        began && self.waiting_steps.is_empty() && self.journals.iter().all(settled)
    }
}

fn patiently<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(VERIFICATION);
    request
}

async fn steps(hall: &Client, state: step::State) -> Result<Vec<Step>> {
    let mut client = StepServiceClient::new(hall.clone());
    let (mut steps, mut page_token) = (vec![], String::new());
    loop {
        let request = ListStepsRequest {
            state: state.into(),
            story_id: String::new(),
            page_size: 500,
            page_token,
        };
        let page = client.list_steps(request).await.context("hall cannot list its steps")?.into_inner();
        steps.extend(page.steps);
        if page.next_page_token.is_empty() {
            return Ok(steps);
        }
        page_token = page.next_page_token;
    }
}

fn jobs(journals: &BTreeMap<&'static str, VerifyJournalResponse>) -> Outcome {
    let counts = |(name, journal): (&&'static str, &VerifyJournalResponse)| {
        [
            (journal.open_jobs, format!("{} of {name} not ended", journal.open_jobs)),
            (journal.failed_jobs, format!("{} of {name} failed", journal.failed_jobs)),
        ]
    };
    let faults: Vec<String> = journals.iter().flat_map(counts).filter(|(n, _)| *n > 0).map(|(_, told)| told).collect();
    if faults.is_empty() {
        Ok("all have ended, none failed".to_owned())
    } else {
        Err(format!("{} (hearth.job.v1.JobService)", faults.join(", ")))
    }
}

fn sagas(waiting: &[Step], parked: &[Step]) -> Outcome {
    let told = |steps: &[Step], what: &str| {
        let name = |step: &Step| {
            format!(
                "{} of {} {}",
                step.kind().as_str_name().trim_start_matches("KIND_"),
                step.story_id,
                step.last_reason
            )
        };
        let names: Vec<_> = steps.iter().take(3).map(|step| name(step).trim_end().to_owned()).collect();
        let more = if steps.len() > names.len() { ", …" } else { "" };
        format!("{} {what}: {}{more}", steps.len(), names.join(", "))
    };
    let parked = (!parked.is_empty()).then(|| told(parked, "parked for a person (hearth.hall.v1.StepService)"));
    match (waiting, parked) {
        ([], None) => Ok("all have ended".to_owned()),
        ([], Some(parked)) => Ok(format!("all have ended, but for {parked}")),
        (waiting, parked) => {
            let all = [Some(told(waiting, "wait for another service")), parked];
            Err(all.into_iter().flatten().collect::<Vec<_>>().join("; "))
        }
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
    let fen = fen(&ledger.sum);
    if fen == 0 && ledger.faults.is_empty() {
        Ok(format!("{} transactions, {} entries, sum 0", count(ledger.transactions), count(ledger.entries)))
    } else {
        Err(format!("sum {fen} fen; {}", ledger.faults.join("; ")))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn an_unsafe_database_is_a_finding_and_ends_the_check_with_a_fault() {
        let refused = anyhow!("the database of hall cannot be used: FailedPrecondition DATABASE_UNSAFE: PRAGMA journal_mode is delete");
        let told = settings::<()>(Err(refused)).unwrap().unwrap_err();
        assert!(told.ends_with("PRAGMA journal_mode is delete"), "{told}");
        let mut report = Report::default();
        report.line(SETTINGS, Err::<&str, _>(told)).unwrap();
        assert_eq!((report.faults, report.end().unwrap()), (1, ExitCode::FAILURE));

        assert_eq!(settings(Ok(7)).unwrap(), Ok(7));
        assert_eq!(settings::<()>(Err(anyhow!("another fault"))).unwrap_err().to_string(), "another fault");
        let mut report = Report::default();
        report.line(SETTINGS, Ok::<_, &str>("WAL")).unwrap();
        assert_eq!((report.faults, report.end().unwrap()), (0, ExitCode::SUCCESS));
    }
}
