//! What must hold when the year is over. The rules that found the faults never read the list of them; it is opened here for the first time.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
};

use anyhow::{Context, Result, anyhow};
use calendar::Instant;
use chrono::Datelike;
use contracts::hearth::{
    billing::v1::{
        Bill, LedgerReport, Reading, ReadingException, ReadingRow, VerifyLedgerRequest, bill, ledger_service_client::LedgerServiceClient, reading,
        reading_exception, reading_exception::Code,
    },
    journal::v1::{VerifyJournalRequest, VerifyJournalResponse, journal_service_client::JournalServiceClient},
};
use rpc::wire;
use tonic::Request;

use super::{
    cast::{Cast, OPERATOR, said, until},
    city::{self, Account, City, Fault, Figure},
    heat::{self, SEASON},
    oracle::{self, Accepted, HeatFigure, HeatPrices, Heated, Prices},
    pages, payments,
    year::{SEASONAL, Year, date_of},
};
use crate::{
    import::{
        Refused,
        figures::{count, fen, yuan},
    },
    suite::never_began,
};

#[cfg(test)]
mod tests;

/// Deadline of a verification, the longest that a service grants.
const VERIFICATION: std::time::Duration = std::time::Duration::from_secs(60);

/// What the journals say, asked for at one time.
pub struct Standing(BTreeMap<&'static str, VerifyJournalResponse>);

impl Standing {
    pub async fn ask(cast: &Cast) -> Result<Self> {
        let mut journals = BTreeMap::new();
        for (name, _) in boot::PORTS {
            let mut request = Request::new(VerifyJournalRequest {});
            request.set_timeout(VERIFICATION);
            journals.insert(
                name,
                said("the journal", JournalServiceClient::new(cast.ask(name, OPERATOR)?).verify_journal(request)).await?,
            );
        }
        Ok(Self(journals))
    }

    /// Whether a service has taken every event of another one.
    pub fn has_taken(&self, consumer: &str, source: &str) -> bool {
        let Some((events, sealed)) = self.0.get(source).map(|j| (j.events, j.unsealed_rows == 0)) else {
            return false;
        };
        let position = self
            .0
            .get(consumer)
            .and_then(|j| j.cursors.iter().find(|c| c.source == source))
            .map_or(0, |c| c.position);
        sealed && position >= events
    }

    fn is_quiet(&self) -> bool {
        let quiet = |(name, j): (&&'static str, &VerifyJournalResponse)| {
            j.unsealed_rows == 0 && j.cursors.iter().all(|c| c.parked > 0 || self.has_taken(name, &c.source))
        };
        never_began(&self.0).next().is_none() && self.0.iter().all(quiet)
    }
}

/// A check and how it ended.
pub struct Check {
    pub name: &'static str,
    pub outcome: Result<String, String>,
}

/// How a play ends: with a fault where a check failed.
pub fn ending(checks: &[Check]) -> ExitCode {
    match failed(checks) {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// How many checks failed.
pub fn failed(checks: &[Check]) -> usize {
    checks.iter().filter(|check| check.outcome.is_err()).count()
}

/// What was looked at.
pub struct Facts {
    /// Of gas.
    pub bills: Vec<Bill>,
    /// Of heat, those that stand.
    pub heat: Vec<Bill>,
    pub exceptions: Vec<ReadingException>,
    pub ledger: LedgerReport,
    pub checks: Vec<Check>,
}

pub async fn look(cast: &Cast, year: &Year) -> Result<Facts> {
    let standing = until("every event being taken", async || {
        let standing = Standing::ask(cast).await?;
        Ok(standing.is_quiet().then_some(standing))
    })
    .await;
    // What is not quiet after half a minute fails below, by name.
    let standing = match standing {
        Ok(standing) => standing,
        Err(_) => Standing::ask(cast).await?,
    };
    let mut request = Request::new(VerifyLedgerRequest {});
    request.set_timeout(VERIFICATION);
    let ledger = said("the ledger", LedgerServiceClient::new(cast.ask("billing", OPERATOR)?).verify_ledger(request))
        .await?
        .report;
    let ledger = ledger.context("the answer holds no report")?;
    let bills = pages::bills(cast, OPERATOR, 0, 0).await?;
    let mut heat = pages::heat_bills(cast, OPERATOR, SEASON).await?;
    let seasonal = heat.iter().map(heat_figure).collect();
    heat.retain(|bill| bill.state() != bill::State::Reversed);
    let exceptions = pages::exceptions(cast, OPERATOR, reading_exception::State::Unspecified).await?;
    let readings = pages::readings(cast, reading::State::Unspecified).await?;
    let faults = city::faults(&cast.city)?;
    let figures = bills.iter().map(figure).collect::<Result<BTreeSet<_>>>()?;
    let mut accounts = city::postpaid(&cast.city)?;
    accounts.extend([year.home.account()?]);
    let taken = year.takings.kept().saturating_add(year.season.paid);

    let mut checks = vec![Check {
        name: "ledger",
        outcome: books_balance(&ledger, &bills, &heat, taken),
    }];
    checks.push(Check {
        name: "oracle",
        outcome: oracle(&accounts, &figures, &readings)
            .and_then(|gas| Ok((gas, heat_oracle(&year.season.homes, &seasonal)?)))
            .map(|(gas, heat)| format!("{} bills of gas and {heat} of heat computed a second time, all equal", count(gas)))
            .map_err(|e| format!("{e:#}")),
    });
    checks.push(Check {
        name: "expected bills",
        outcome: expected(&cast.city, &figures)?,
    });
    checks.push(Check {
        name: "faults",
        outcome: found(&faults, &year.refused, &year.repeats, &exceptions, &readings).map_err(|e| format!("{e:#}")),
    });
    checks.push(Check {
        name: "clean readings",
        outcome: clean(&faults, &year.held, year.readings),
    });
    checks.push(Check {
        name: "journals",
        outcome: journals(&standing),
    });
    checks.push(Check {
        name: "events",
        outcome: events(&standing),
    });
    Ok(Facts {
        bills,
        heat,
        exceptions,
        ledger,
        checks,
    })
}

fn litres(value: &Option<contracts::hearth::r#type::v1::Decimal>) -> Option<i64> {
    oracle::litres_of(value.as_ref()?.value.as_str())
}

fn instant(time: Option<&prost_types::Timestamp>) -> Result<Instant> {
    wire::time_of(time, "read_time").map_err(|fault| anyhow!("{fault}"))
}

/// A bill as the others compute it.
fn figure(bill: &Bill) -> Result<Figure> {
    let day = |day: Option<&contracts::hearth::r#type::v1::Date>| wire::date_of(day, "date").map_err(|fault| anyhow!("{fault}"));
    Ok(Figure {
        account_no: bill.account_no.clone(),
        from: day(bill.from_date.as_ref())?,
        to: day(bill.to_date.as_ref())?,
        volume: litres(&bill.volume).context("a bill without a volume")?,
        before: litres(&bill.volume_before).context("a bill without the volume before")?,
        amount: fen(&bill.amount),
    })
}

fn heat_figure(bill: &Bill) -> HeatFigure {
    HeatFigure {
        account_no: bill.account_no.clone(),
        settles: bill.kind() == bill::Kind::HeatSettlement,
        stands: bill.state() != bill::State::Reversed,
        amount: fen(&bill.amount),
    }
}

/// Gas and heat together: the ledger is one. `taken` is what was paid and not taken back, in fen.
fn books_balance(ledger: &LedgerReport, bills: &[Bill], heat: &[Bill], taken: i64) -> Result<String, String> {
    let billed: i64 = bills.iter().chain(heat).map(|bill| fen(&bill.amount)).sum();
    let open: i64 = bills.iter().chain(heat).map(payments::open).sum();
    let pairs = [
        ("the sum of all entries", fen(&ledger.sum), 0),
        ("revenue against the bills", fen(&ledger.revenue), billed),
        ("cash against the payments", fen(&ledger.cash), taken),
        ("receivable against the open bills", fen(&ledger.receivable), open),
    ];
    let mut faults: Vec<String> = pairs
        .iter()
        .filter(|(_, is, must)| is != must)
        .map(|(what, is, must)| format!("{what}: {} is not {}", yuan(*is), yuan(*must)))
        .collect();
    faults.extend(ledger.faults.iter().cloned());
    if faults.is_empty() {
        Ok(format!("{} transactions, {} entries, sum 0", count(ledger.transactions), count(ledger.entries)))
    } else {
        Err(faults.join("; "))
    }
}

/// Every bill of gas a second time; how many there are. `accounts` by meter.
fn oracle(accounts: &BTreeMap<String, Account>, bills: &BTreeSet<Figure>, readings: &[Reading]) -> Result<i64> {
    let prices = Prices::read(city::TARIFF)?;
    let mut accepted: BTreeMap<&str, Vec<Accepted>> = BTreeMap::new();
    let mut left = 0_usize;
    for reading in readings {
        match reading.state() {
            reading::State::Billed => {
                let index = litres(&reading.index).context("a reading without an index")?;
                accepted.entry(&reading.meter_no).or_default().push(Accepted {
                    at: instant(reading.read_time.as_ref())?,
                    index,
                });
            }
            reading::State::Validated | reading::State::Accepted => left = left.saturating_add(1),
            _ => {}
        }
    }
    let mut figures = BTreeSet::new();
    for (meter, readings) in &mut accepted {
        let account = accounts
            .get(*meter)
            .with_context(|| format!("meter {meter} is billed and stands in no register"))?;
        figures.extend(oracle::bills(&prices, account, readings)?);
    }
    anyhow::ensure!(left == 0, "{left} accepted readings ended in no bill");
    let differ = |more: &BTreeSet<Figure>, than: &BTreeSet<Figure>| more.difference(than).next().cloned();
    if let Some(wrong) = differ(bills, &figures) {
        let should = figures.iter().find(|f| (&f.account_no, f.to) == (&wrong.account_no, wrong.to));
        anyhow::bail!("{wrong:?} should be {should:?}");
    }
    if let Some(missing) = differ(&figures, bills) {
        anyhow::bail!("there is no bill {missing:?}");
    }
    Ok(i64::try_from(figures.len())?)
}

/// Every bill of heat a second time, before the season and after it; how many there are.
fn heat_oracle(homes: &[Heated], bills: &BTreeSet<HeatFigure>) -> Result<usize> {
    let prices = HeatPrices::read(heat::TARIFF, heat::USE_CLASS)?;
    let mut figures = BTreeSet::new();
    for home in homes {
        figures.extend(prices.bills(home)?);
    }
    if let Some(wrong) = bills.difference(&figures).next() {
        let should: Vec<_> = figures.iter().filter(|f| f.account_no == wrong.account_no).collect();
        anyhow::bail!("{wrong:?} should be one of {should:?}");
    }
    if let Some(missing) = figures.difference(bills).next() {
        anyhow::bail!("there is no bill {missing:?}");
    }
    Ok(figures.len())
}

fn expected(city: &City, bills: &BTreeSet<Figure>) -> Result<Result<String, String>> {
    let expected = city::expected(city)?;
    let listed: BTreeSet<&str> = expected.iter().map(|f| f.account_no.as_str()).collect();
    let ours: BTreeSet<&Figure> = bills.iter().filter(|f| listed.contains(f.account_no.as_str())).collect();
    let theirs: BTreeSet<&Figure> = expected.iter().collect();
    Ok(match (ours.difference(&theirs).next(), theirs.difference(&ours).next()) {
        (None, None) => Ok(format!(
            "{} bills of {} accounts, all as listed",
            count(i64::try_from(theirs.len())?),
            listed.len()
        )),
        (ours, theirs) => Err(format!("ours {ours:?}, listed {theirs:?}")),
    })
}

/// How the rules call what is wrong.
enum Found {
    Refused(&'static str),
    Exception(Code),
    Dropped,
}

const KINDS: [(&str, Found); 10] = [
    ("lower_index", Found::Exception(Code::Reverse)),
    ("spike", Found::Exception(Code::Spike)),
    ("missing", Found::Exception(Code::Missing)),
    ("conflict", Found::Exception(Code::Conflict)),
    ("vacant", Found::Exception(Code::Zero2)),
    ("exact_duplicate", Found::Dropped),
    ("future_date", Found::Refused("TIME_RANGE")),
    ("too_many_digits", Found::Refused("INDEX_DIGITS")),
    ("not_plain_digits", Found::Refused("INDEX_NOT_PLAIN_DIGITS")),
    ("unknown_meter", Found::Refused("METER_UNKNOWN")),
];

/// Whether a code calls a reading wrong. A season may change the use of a home that is read right; a month lacks the reading that was refused.
fn is_sure(code: Code) -> bool {
    !SEASONAL.contains(&code) && code != Code::Missing
}

/// Every fault under its kind, nothing else refused, dropped or called impossible, and no wrong row in a bill.
fn found(
    faults: &[Fault],
    refused_rows: &[(ReadingRow, Refused)],
    repeats: &BTreeMap<u32, i64>,
    exceptions: &[ReadingException],
    readings: &[Reading],
) -> Result<String> {
    let mut wrong = vec![];
    let mut refused = BTreeMap::new();
    for (row, notice) in refused_rows {
        refused.insert((row.meter_no.clone(), Instant::parse_rfc3339(&row.read_at)?), notice.reason.as_str());
    }
    let mut seen: BTreeSet<(Code, &str, u32)> = BTreeSet::new();
    for exception in exceptions {
        let month = date_of(exception)?.month();
        seen.extend(exception.codes().map(|code| (code, exception.meter_no.as_str(), month)));
    }
    let mut dropped: BTreeMap<u32, i64> = BTreeMap::new();
    let mut explained: BTreeSet<(Code, &str, u32)> = BTreeSet::new();
    for fault in faults {
        let month = fault.at.date().month();
        let tell = || format!("{} of {} in month {month} was not found", fault.kind, fault.meter_no);
        match KINDS.iter().find(|(kind, _)| *kind == fault.kind).map(|(_, found)| found) {
            Some(Found::Exception(code)) => {
                let key = (*code, fault.meter_no.as_str(), month);
                if !seen.contains(&key) {
                    wrong.push(tell());
                }
                explained.insert(key);
            }
            Some(Found::Refused(reason)) => {
                if refused.remove(&(fault.meter_no.clone(), fault.at)) != Some(*reason) {
                    wrong.push(tell());
                }
            }
            Some(Found::Dropped) => {
                let count: &mut i64 = dropped.entry(month).or_default();
                *count = count.saturating_add(1);
            }
            None => wrong.push(format!("there is no rule for {}", fault.kind)),
        }
    }
    for (month, repeats) in repeats {
        let must = dropped.get(month).copied().unwrap_or_default();
        if *repeats != must {
            wrong.push(format!("{repeats} rows dropped in month {month} instead of {must}"));
        }
    }
    wrong.extend(
        refused
            .iter()
            .map(|((meter, at), reason)| format!("{meter} of {at} is right and was refused: {reason}")),
    );
    let spikes: BTreeSet<_> = explained
        .iter()
        .filter(|(code, ..)| *code == Code::Spike)
        .map(|(_, meter, month)| (*meter, *month))
        .collect();
    for (code, meter, month) in seen.iter().filter(|key| is_sure(key.0) && !explained.contains(*key)) {
        // What is more than four times the usual may be more than the meter passes, too.
        if *code != Code::OverQmax || !spikes.contains(&(*meter, *month)) {
            wrong.push(format!("{meter} is right in month {month} and was called {}", code.as_str_name()));
        }
    }
    let bad: BTreeSet<(&str, Instant)> = faults
        .iter()
        .filter(|f| ["lower_index", "spike", "conflict"].contains(&f.kind.as_str()))
        .map(|f| (f.meter_no.as_str(), f.at))
        .collect();
    for reading in readings.iter().filter(|r| r.state() == reading::State::Billed) {
        if bad.contains(&(reading.meter_no.as_str(), instant(reading.read_time.as_ref())?)) {
            wrong.push(format!("a wrong reading of {} is in a bill", reading.meter_no));
        }
    }
    match wrong.first() {
        None => Ok(format!(
            "{} of {} found under their kind, nothing else called wrong, none in a bill",
            faults.len(),
            faults.len()
        )),
        Some(first) => Err(anyhow!(
            "{first}{}",
            if wrong.len() > 1 {
                format!(", and {} more", wrong.len().saturating_sub(1))
            } else {
                String::new()
            }
        )),
    }
}

/// Of all readings those without a fault, and of these the ones that were held.
fn clean(faults: &[Fault], held: &BTreeMap<String, (String, Instant)>, readings: usize) -> Result<String, String> {
    let wrong: BTreeSet<(&str, Instant)> = faults.iter().map(|f| (f.meter_no.as_str(), f.at)).collect();
    let held = held.values().filter(|(meter, at)| !wrong.contains(&(meter.as_str(), *at))).count();
    let clean = readings.saturating_sub(faults.len());
    let tenths = held.saturating_mul(1000).checked_div(clean).unwrap_or_default();
    let told = format!(
        "{held} of {} held before the release, {}.{} %",
        count(i64::try_from(clean).unwrap_or_default()),
        tenths / 10,
        tenths % 10
    );
    if held.saturating_mul(20) <= clean {
        Ok(told)
    } else {
        Err(format!("{told}: more than 5 %"))
    }
}

fn journals(standing: &Standing) -> Result<String, String> {
    let rows: i64 = standing.0.values().map(|j| j.sealed_rows).sum();
    let broken: Vec<String> = standing
        .0
        .iter()
        .filter(|(_, j)| !j.intact || j.unsealed_rows > 0)
        .map(|(name, j)| format!("{name} at {}, {} unsealed", j.broken_position, j.unsealed_rows))
        .collect();
    if broken.is_empty() {
        Ok(format!("{} rows of four services, every chain intact", count(rows)))
    } else {
        Err(broken.join("; "))
    }
}

fn events(standing: &Standing) -> Result<String, String> {
    let began = never_began(&standing.0);
    let mut faults: Vec<_> = began
        .map(|(consumer, source)| format!("{consumer} has not begun with the events of {source}"))
        .collect();
    let (mut taken, mut cursors) = (0_i64, 0_usize);
    for (name, journal) in &standing.0 {
        for cursor in &journal.cursors {
            let events = standing.0.get(cursor.source.as_str()).map_or(0, |j| j.events);
            taken = taken.saturating_add(cursor.position);
            cursors = cursors.saturating_add(1);
            // The services are asked one after another: who was asked later may have taken what was told in between.
            if cursor.parked > 0 || cursor.position < events {
                faults.push(format!(
                    "{name} has taken {} of {events} events of {}, {} parked",
                    cursor.position, cursor.source, cursor.parked
                ));
            }
        }
    }
    if faults.is_empty() {
        Ok(format!("{} taken by {cursors} consumers, none waits", count(taken)))
    } else {
        Err(faults.join("; "))
    }
}
