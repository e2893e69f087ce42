//! `hearth bill-run`: a bill run (出账) from its start to its report.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, str::FromStr};

use anyhow::{Context, Result, anyhow, bail};
use comfy_table::{CellAlignment, Table, presets};
use contracts::hearth::{
    billing::v1::{
        BillRun as Run, BillRunItem, GetBillRunRequest, ListBillRunItemsRequest, ListBooksRequest, ReadingBook, StartBillRunRequest, bill_run, bill_run_item,
        bill_run_service_client::BillRunServiceClient, reading_book::Cycle, route_service_client::RouteServiceClient,
    },
    job::v1::{Job, WatchJobRequest, job, job_service_client::JobServiceClient},
    options::v1::Role,
};
use indicatif::{ProgressBar, ProgressStyle};
use money::Money;
use uuid::Uuid;

use crate::{
    client::{self, Client, Desk},
    export::page::list,
    import::{figures::count, told},
    say::say,
};

const HELP: &str = "\
Examples:
  hearth bill-run 2025-01 --branch 河西区
  hearth bill-run 2025-01 --branch 河西区 --book R-12
  hearth bill-run 2025-01 --cycle bimonth
  hearth bill-run --follow 0199c4b1-7a51-7c3e-9d0a-2f6f6f0f9a11

The run is work of the service: it goes on where this command is stopped, and --follow comes back to it.
A run may be repeated: what is billed already is left alone.

Exit code 0: every agreement has an outcome, which may be that it is held, missing or parked; 1: the run is incomplete, has failed or was cancelled.";

/// Bills the agreements of a month and tells what became of them.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct BillRun {
    /// Month to bill, such as 2025-01.
    #[arg(value_name = "MONTH", required_unless_present = "follow", conflicts_with = "follow")]
    month: Option<Month>,
    /// Run that was started before, instead of a new one.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["branch", "book", "cycle", "due_days"])]
    follow: Option<Uuid>,
    /// Only what belongs to this branch.
    #[arg(long, value_name = "NAME", default_value = "")]
    branch: String,
    /// Only accounts of which a meter is in the reading book with this code.
    #[arg(long, value_name = "CODE")]
    book: Option<String>,
    /// Only accounts of which a meter is in a book of this cycle that is read in the month.
    #[arg(long, value_enum)]
    cycle: Option<CycleWord>,
    /// Days from issue to due; those of the profile of the branch where it is not given.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i32).range(1..=120))]
    due_days: Option<i32>,
    /// Data folder of `hearth up` or `hearth demo`, or a folder made by `hearth keys`.
    #[arg(long, value_name = "DIR", default_value = "hearth-data")]
    data: PathBuf,
    /// Address of billing, such as https://127.0.0.1:7703; its default port on this machine where it is not given.
    #[arg(long, value_name = "URL", value_parser = client::address)]
    address: Option<String>,
    /// Who is on record as the one who bills.
    #[arg(long, value_name = "NAME", default_value = "bill-run")]
    subject: String,
}

/// A calendar month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Month {
    year: i32,
    month: i32,
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (year, month) = text.split_once('-').filter(|(year, month)| (year.len(), month.len()) == (4, 2))?;
            let month = month.parse().ok().filter(|month| (1..=12).contains(month))?;
            Some(Self {
                year: year.parse().ok()?,
                month,
            })
        };
        read().ok_or_else(|| "write it as YYYY-MM".to_owned())
    }
}

/// How often a book is read.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum CycleWord {
    /// Every month.
    Month,
    /// Every second month.
    Bimonth,
    /// Every week.
    Week,
}

impl CycleWord {
    fn cycle(self) -> Cycle {
        match self {
            Self::Month => Cycle::Month,
            Self::Bimonth => Cycle::Bimonth,
            Self::Week => Cycle::Week,
        }
    }
}

impl BillRun {
    pub async fn run(self) -> Result<ExitCode> {
        let client = self.client()?;
        let run_id = match (self.follow, self.month) {
            (Some(run), _) => run.to_string(),
            (None, Some(month)) => self.start(&client, month).await?,
            (None, None) => bail!("name the month to bill"),
        };
        let run = get(&client, &run_id).await?;
        let job = follow(&client, &run)
            .await
            .with_context(|| format!("the run goes on; hearth bill-run --follow {run_id} comes back to it"))?;
        let run = get(&client, &run_id).await?;
        let parked = if run.parked > 0 { parked(&client, &run_id).await? } else { BTreeMap::new() };
        say(report(&run, &parked))?;
        if job.state() == job::State::Succeeded && run.state() == bill_run::State::Done {
            return Ok(ExitCode::SUCCESS);
        }
        eprintln!(
            "hearth: {}",
            match (run.state(), job.state()) {
                (bill_run::State::Incomplete, _) => format!("the run is incomplete: {} agreements have no outcome; start it again", count(run.gap)),
                (_, job::State::Cancelled) => "the run was cancelled; what is billed stays".to_owned(),
                _ => format!("the run has failed: {}", job.note),
            }
        );
        Ok(ExitCode::FAILURE)
    }

    fn client(&self) -> Result<Client> {
        let own = self.data.join("keys");
        let keys = if own.is_dir() { own } else { self.data.clone() };
        let desk = Desk::new(&keys).with_context(|| format!("{} holds no keys; name the folder with --data", keys.display()))?;
        let port = boot::PORTS.iter().find(|(name, _)| *name == "billing").map_or(0, |(_, port)| *port);
        let url = self.address.clone().unwrap_or_else(|| format!("https://127.0.0.1:{port}"));
        // An accountant starts runs; reading books are listed for an auditor.
        let client = desk.client(&url, client::person(&self.subject, &[Role::Accountant, Role::Auditor]));
        client.with_context(|| format!("billing at {url}"))
    }

    async fn start(&self, client: &Client, month: Month) -> Result<String> {
        let book_id = match &self.book {
            Some(code) => Some(book(client, &self.branch, code).await?),
            None => None,
        };
        let request = StartBillRunRequest {
            request_id: Uuid::now_v7().to_string(),
            year: month.year,
            month: month.month,
            branch: self.branch.clone(),
            due_days: self.due_days.unwrap_or(0),
            book_id,
            cycle: self.cycle.map_or(0, |word| word.cycle().into()),
        };
        let started = BillRunServiceClient::new(client.clone()).start_bill_run(request).await;
        let started = started.map_err(|status| anyhow!("the run is refused: {}", told(&status)))?.into_inner();
        say(format!("run {} begins", started.run_id))?;
        Ok(started.run_id)
    }
}

/// The id of the book with a code.
async fn book(client: &Client, branch: &str, code: &str) -> Result<String> {
    let mut found = None;
    let request = ListBooksRequest {
        branch: branch.to_owned(),
        ..ListBooksRequest::default()
    };
    list!(RouteServiceClient::new(client.clone()), list_books, request, books, |book: ReadingBook| {
        if book.code == code {
            found = Some(book.book_id);
        }
        Ok(())
    })?;
    found.ok_or_else(|| anyhow!("billing knows no reading book {code}{}", if branch.is_empty() { "" } else { " in the branch" }))
}

async fn get(client: &Client, run_id: &str) -> Result<Run> {
    let request = GetBillRunRequest { run_id: run_id.to_owned() };
    let answer = BillRunServiceClient::new(client.clone()).get_bill_run(request).await;
    let answer = answer.map_err(|status| anyhow!(told(&status)))?.into_inner();
    answer.run.context("the service told of no run")
}

/// Sees the job of a run to its end, with a bar.
async fn follow(client: &Client, run: &Run) -> Result<Job> {
    let bar = ProgressBar::new(0).with_style(style());
    loop {
        let request = WatchJobRequest { job_id: run.job_id.clone() };
        let answers = JobServiceClient::new(client.clone()).watch_job(request).await;
        let mut answers = answers.map_err(|status| anyhow!(told(&status)))?.into_inner();
        // A stream that ends before the job does, as where the service shuts down, is asked for again.
        while let Some(answer) = answers.message().await.map_err(|status| anyhow!(told(&status)))? {
            let job = answer.job.context("the service told of no job")?;
            bar.set_length(u64::try_from(job.total).unwrap_or(0));
            bar.set_position(u64::try_from(job.done).unwrap_or(0));
            if !matches!(job.state(), job::State::Queued | job::State::Running) {
                bar.finish_and_clear();
                return Ok(job);
            }
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} agreements {bar:32} {pos}/{len}  {per_sec}  {eta} left").unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// How many agreements are parked, by reason.
async fn parked(client: &Client, run_id: &str) -> Result<BTreeMap<String, i64>> {
    let mut reasons: BTreeMap<String, i64> = BTreeMap::new();
    let request = ListBillRunItemsRequest {
        run_id: run_id.to_owned(),
        outcome: bill_run_item::Outcome::Parked.into(),
        ..ListBillRunItemsRequest::default()
    };
    list!(
        BillRunServiceClient::new(client.clone()),
        list_bill_run_items,
        request,
        items,
        |item: BillRunItem| {
            let seen = reasons.entry(item.reason).or_default();
            *seen = seen.saturating_add(1);
            Ok(())
        }
    )?;
    Ok(reasons)
}

/// What became of the agreements of a run.
fn report(run: &Run, parked: &BTreeMap<String, i64>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (what, number) in [
        ("expected", run.expected),
        ("produced", run.produced),
        ("billed before", run.already),
        ("reading held", run.held),
        ("bill held by checks", run.bills_held),
        ("reading missing", run.missing),
        ("parked", run.parked),
        ("prepaid by card", run.skipped),
        ("not due", run.not_due),
        ("voided", run.voided),
        ("gap", run.gap),
    ] {
        table.add_row(vec![what.to_owned(), count(number)]);
    }
    let fen = run.amount.as_ref().map_or(0, |amount| amount.minor_units);
    table.add_row(vec!["yuan billed".to_owned(), Money::from_fen(fen).to_string()]);
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let branch = if run.branch.is_empty() { "all branches" } else { &run.branch };
    let mut text = format!("run {} of {}-{:02}, {branch}\n{table}", run.run_id, run.year, run.month);
    for (reason, number) in parked {
        text.push_str(&format!("\nparked: {reason} {}", count(*number)));
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_a_year_and_two_digits() {
        assert_eq!("2025-01".parse(), Ok(Month { year: 2025, month: 1 }));
        for text in ["2025-13", "2025-1", "25-01", "2025-00", "2025/01", "2025-01-31"] {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }
}
