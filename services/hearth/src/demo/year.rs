//! The year, month by month: readings on the last day, decisions on what is out of line, the bill run, and on the tenth of the next month the payments.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use calendar::{Instant, NaiveDate};
use chrono::Datelike;
use contracts::hearth::{
    archive::v1::Template,
    billing::v1::{
        BillRun, GetBillRunRequest, Reading, ReadingException, ReadingRow, RejectExceptionRequest, ReleaseExceptionsRequest, StartBillRunRequest,
        bill_run_service_client::BillRunServiceClient, reading, reading_exception, reading_exception::Code, reading_service_client::ReadingServiceClient,
    },
    job::v1::{WatchJobRequest, job, job_service_client::JobServiceClient},
};

use super::{
    cast::{ACCOUNTANT, CASHIER, Cast, DISTRICT_MANAGER, READER, held, key, said},
    city,
    complaint::{self, Heard},
    credit::{self, KeyAccount},
    filing,
    heat::{self, Season},
    home,
    home::Home,
    pages, papers,
    payments::{self, Takings},
    policy::{self, Policy},
    repair,
    repair::Repair,
    settlement::{self, Settled},
    stage::{Chapter, Stage},
    vendor,
    vendor::Admitted,
    vip::{self, Listed},
};
use crate::import::{
    FileKind, Readings, Refused, Unit,
    figures::{count, fen, yuan},
};

pub const YEAR: i32 = 2025;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// What happened.
pub struct Year {
    pub vendor: Admitted,
    pub home: Home,
    pub repair: Repair,
    pub policy: Policy,
    pub settled: Settled,
    pub key_account: KeyAccount,
    pub heard: Heard,
    pub season: Season,
    pub listed: Listed,
    pub readings: usize,
    /// Rows that were refused, as they were sent, and why.
    pub refused: Vec<(ReadingRow, Refused)>,
    /// Rows that were there already, by month.
    pub repeats: BTreeMap<u32, i64>,
    /// Readings that were held before anybody decided, by id: meter and moment.
    pub held: BTreeMap<String, (String, Instant)>,
    pub released: i64,
    pub rejected: i64,
    pub visited: i64,
    pub runs: Vec<BillRun>,
    pub takings: Takings,
}

pub async fn play(cast: &Cast, stage: &Stage, template: &Template) -> Result<Year> {
    let kind = Readings {
        client: cast.ask("billing", READER)?,
        unit: Unit::M3,
        zone: calendar::ZONE,
        source: "remote".to_owned(),
        summed: None,
    };
    let rows = city::as_imported(&kind, cast.city.readings())?;
    let readings = rows.len();
    let mut months = by_month(rows)?;
    let vendor = vendor::admit(cast, stage).await?;
    settlement::agree(cast, &vendor).await?;
    let (mut policy, mut home, mut repair, mut settled) = (None, None, None, None);
    let (mut key_account, mut heard, mut heated, mut listed) = (None, None, None, None);
    let mut books = Books::default();
    for (month, name) in (1_u32..).zip(MONTHS) {
        // Before the tenth, on which customers pay.
        match month {
            2 => policy = Some(policy::issue(cast, stage).await?),
            3 => home = Some(home::open(cast, stage, template).await?),
            8 => key_account = Some(credit::rate(cast, stage, &mut books.takings).await?),
            _ => {}
        }
        if month > 1 {
            cast.set_clock(&format!("{YEAR}-{month:02}-10T10:00")).await?;
            books.payments(cast, stage, month.saturating_sub(1)).await?;
        }
        match (month, &repair, &heated) {
            (6, ..) => repair = Some(repair::give_away(cast, stage, &vendor).await?),
            (7, Some(repair), _) => settled = Some(settlement::settle(cast, stage, &vendor, repair).await?),
            (9, ..) => heard = Some(complaint::hear(cast, stage).await?),
            (10, ..) => heated = Some(heat::begin(cast, stage).await?),
            (11, _, Some(homes)) => {
                heat::pay(cast, homes).await?;
                listed = Some(vip::list(cast, stage, &vendor).await?);
            }
            _ => {}
        }
        books.month(cast, stage, &kind, month, name, months.remove(&month).unwrap_or_default()).await?;
    }
    cast.set_clock("2026-01-10T10:00").await?;
    books.payments(cast, stage, 12).await?;
    let season = heat::settle(cast, stage, &heated.context("nobody was heated")?).await?;
    Ok(Year {
        vendor,
        home: home.context("no home was opened")?,
        repair: repair.context("no repair was given away")?,
        policy: policy.context("no policy was issued")?,
        settled: settled.context("no work was settled")?,
        key_account: key_account.context("nobody was rated")?,
        heard: heard.context("no complaint was heard")?,
        season,
        listed: listed.context("no VIP was listed")?,
        readings,
        refused: books.refused,
        repeats: books.repeats,
        held: books.held,
        released: books.released,
        rejected: books.rejected,
        visited: books.visited,
        runs: books.runs,
        takings: books.takings,
    })
}

/// Rows by the month that they claim; what claims to be of another year is handed in with the last month.
fn by_month(rows: Vec<ReadingRow>) -> Result<BTreeMap<u32, Vec<ReadingRow>>> {
    let mut months: BTreeMap<u32, Vec<ReadingRow>> = BTreeMap::new();
    for row in rows {
        let day = Instant::parse_rfc3339(&row.read_at)?.date();
        let month = if day.year() == YEAR { day.month() } else { 12 };
        months.entry(month).or_default().push(row);
    }
    Ok(months)
}

fn last_day(month: u32) -> Result<NaiveDate> {
    let next = if month == 12 {
        NaiveDate::from_ymd_opt(YEAR + 1, 1, 1)
    } else {
        NaiveDate::from_ymd_opt(YEAR, month.saturating_add(1), 1)
    };
    next.and_then(|day| day.pred_opt()).context("there is no such month")
}

#[derive(Default)]
struct Books {
    refused: Vec<(ReadingRow, Refused)>,
    repeats: BTreeMap<u32, i64>,
    held: BTreeMap<String, (String, Instant)>,
    released: i64,
    rejected: i64,
    visited: i64,
    runs: Vec<BillRun>,
    takings: Takings,
}

impl Books {
    async fn month<K: FileKind<Row = ReadingRow>>(
        &mut self,
        cast: &Cast,
        stage: &Stage,
        kind: &K,
        month: u32,
        name: &'static str,
        rows: Vec<ReadingRow>,
    ) -> Result<()> {
        let last = last_day(month)?;
        cast.set_clock(&format!("{last}T20:00")).await?;
        let chapter = stage.chapter(name, rows.len());
        chapter.doing("readings");
        home::read(cast, month, last).await?;
        let taken = filing::load(kind, &format!("the year 2025: readings of {name}"), &rows, &chapter).await?;
        self.repeats.insert(month, taken.already);
        let refused = taken.refused.len();
        for notice in taken.refused {
            let row = rows
                .iter()
                .find(|row| i64::from(row.line) == notice.line)
                .context("a line was refused that was never sent")?;
            self.refused.push((row.clone(), notice));
        }
        chapter.doing("exceptions");
        let decided = self.decide(cast, month, last).await?;
        chapter.doing("bills");
        let run = self.run(cast, month, &chapter).await?;
        let mut told = format!("{} readings", count(taken.accepted));
        for (n, what) in [(i64::try_from(refused)?, "refused"), (taken.already, "dropped"), (decided, "held")] {
            if n > 0 {
                told.push_str(&format!(", {n} {what}"));
            }
        }
        chapter.doing("papers");
        let papers = papers::of_month(cast, month, &run).await?;
        let amount = fen(&run.amount);
        chapter.done(&format!("{told}; {} bills, {}; {papers}", count(run.produced), yuan(amount)));
        Ok(())
    }

    /// The district manager goes through the list: a change of season is released, an index that cannot be is rejected, of two values both stay held,
    /// and a home without use for two months is called on.
    async fn decide(&mut self, cast: &Cast, month: u32, last: NaiveDate) -> Result<i64> {
        let mut manager = ReadingServiceClient::new(cast.ask("billing", DISTRICT_MANAGER)?);
        let open = pages::exceptions(cast, DISTRICT_MANAGER, reading_exception::State::Open).await?;
        let held_now = hold(&mut self.held, pages::readings(cast, reading::State::Held).await?)?;
        let (mut seasonal, mut visited) = (vec![], vec![]);
        for exception in open {
            let codes: BTreeSet<Code> = exception.codes().collect();
            let of_this_month = date_of(&exception)?.month() == last.month();
            if codes.iter().all(|code| SEASONAL.contains(code)) {
                seasonal.push(exception.exception_id);
            } else if codes.contains(&Code::Zero2) && codes.len() == 1 {
                if !of_this_month {
                    visited.push(exception.exception_id);
                }
            } else if codes.iter().any(|code| IMPOSSIBLE.contains(code)) {
                let reject = RejectExceptionRequest {
                    request_id: key(&format!("reject {} {month}", exception.meter_no)),
                    exception_id: exception.exception_id,
                    etag: exception.etag,
                    grounds: "the index fits neither the months before nor the meter; the next reading bills the longer period".to_owned(),
                };
                said("rejecting a reading", manager.reject_exception(reject)).await?;
                self.rejected = self.rejected.saturating_add(1);
            }
        }
        let released = release(&mut manager, month, seasonal, "the change of season, seen at all homes of the kind").await?;
        self.released = self.released.saturating_add(released);
        let released = release(&mut manager, month, visited, "called on: nobody lives there at present").await?;
        self.visited = self.visited.saturating_add(released);
        Ok(held_now)
    }

    async fn run(&mut self, cast: &Cast, month: u32, chapter: &Chapter) -> Result<BillRun> {
        let mut runs = BillRunServiceClient::new(cast.ask("billing", ACCOUNTANT)?);
        let start = StartBillRunRequest {
            request_id: key(&format!("bill run {month}")),
            year: YEAR,
            month: i32::try_from(month)?,
            branch: String::new(),
            ..StartBillRunRequest::default()
        };
        let started = said("the bill run", runs.start_bill_run(start)).await?;
        job(cast, started.job_id, |told| chapter.doing(&format!("bills {told}")))
            .await
            .with_context(|| format!("the bill run of month {month}"))?;
        let run = held(
            "run",
            said("the run", runs.get_bill_run(GetBillRunRequest { run_id: started.run_id })).await?.run,
        )?;
        self.runs.push(run.clone());
        Ok(run)
    }

    async fn payments(&mut self, cast: &Cast, stage: &Stage, month: u32) -> Result<()> {
        let bills = pages::bills(cast, CASHIER, YEAR, month).await?;
        let chapter = stage.chapter("payments", bills.len());
        chapter.doing("customers pay");
        let (payments, before) = (self.takings.payments, self.takings.fen);
        payments::take(cast, month, &bills, &mut self.takings, &chapter).await?;
        let name = MONTHS.get(usize::try_from(month)?.saturating_sub(1)).copied().unwrap_or_default();
        chapter.done(&format!(
            "{} for {name}, {}",
            count(self.takings.payments.saturating_sub(payments)),
            yuan(self.takings.fen.saturating_sub(before))
        ));
        Ok(())
    }
}

/// Sees a job of billing to its end; tells how far it is.
pub async fn job(cast: &Cast, job_id: String, tell: impl Fn(&str)) -> Result<()> {
    let mut jobs = JobServiceClient::new(cast.ask("billing", ACCOUNTANT)?);
    let mut answers = said("the job", jobs.watch_job(WatchJobRequest { job_id })).await?;
    while let Some(answer) = answers.message().await? {
        let seen = held("job", answer.job)?;
        tell(&format!("{}/{}", seen.done, seen.total));
        match seen.state() {
            job::State::Succeeded => return Ok(()),
            job::State::Failed | job::State::Cancelled => bail!("the job failed: {}", seen.note),
            _ => {}
        }
    }
    bail!("the job was not seen to its end")
}

/// Holds the readings by id, those that are kept from being billed whatever rule it was; how many there were none of before.
fn hold(held: &mut BTreeMap<String, (String, Instant)>, readings: Vec<Reading>) -> Result<i64> {
    let before = held.len();
    for reading in readings.into_iter().filter(|reading| reading.state() == reading::State::Held) {
        let at = rpc::wire::time_of(reading.read_time.as_ref(), "read_time").map_err(|f| anyhow::anyhow!("{f}"))?;
        held.insert(reading.reading_id, (reading.meter_no, at));
    }
    Ok(i64::try_from(held.len().saturating_sub(before))?)
}

/// What a change of season does to the use of a home.
pub const SEASONAL: [Code; 2] = [Code::Spike50, Code::Drop50];
const IMPOSSIBLE: [Code; 3] = [Code::Reverse, Code::Spike, Code::OverQmax];

/// The day of an exception.
pub fn date_of(exception: &ReadingException) -> Result<NaiveDate> {
    rpc::wire::date_of(exception.date.as_ref(), "date").map_err(|fault| anyhow::anyhow!("{fault}"))
}

async fn release(manager: &mut ReadingServiceClient<crate::client::Client>, month: u32, ids: Vec<String>, grounds: &str) -> Result<i64> {
    let mut released = 0_i64;
    for (n, chunk) in ids.chunks(500).enumerate() {
        let request = ReleaseExceptionsRequest {
            request_id: key(&format!("release {month} {n} {grounds}")),
            exception_ids: chunk.to_vec(),
            grounds: grounds.to_owned(),
        };
        let answer = said("releasing readings", manager.release_exceptions(request)).await?;
        released = released.saturating_add(answer.released.into());
    }
    Ok(released)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_is_told_by_the_reading_and_counted_once() {
        let at = Instant::parse_rfc3339("2025-01-31T12:00:00+08:00").unwrap();
        let reading = |id: &str, state: reading::State| Reading {
            reading_id: id.to_owned(),
            meter_no: format!("M{id}"),
            read_time: Some(rpc::wire::time(at)),
            state: state.into(),
            ..Reading::default()
        };
        let mut held = BTreeMap::new();
        let of = |names: &[&str]| names.iter().map(|id| reading(id, reading::State::Held)).collect::<Vec<_>>();
        let january = [of(&["1", "2"]), vec![reading("3", reading::State::Validated)]].concat();
        assert_eq!(hold(&mut held, january).unwrap(), 2);
        // Nobody decided on the second.
        assert_eq!(hold(&mut held, of(&["2", "4"])).unwrap(), 1);
        assert_eq!(held.keys().collect::<Vec<_>>(), ["1", "2", "4"]);
        assert_eq!(held["4"], ("M4".to_owned(), at));
    }
}
