//! The input that ships with the project: one city, one year (its README says what is real and what is invented).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use calendar::{Instant, NaiveDate};
use csv::StringRecord;
use serde::Deserialize;

use super::oracle::{fen_of, litres_of};
use crate::import::{Columns, FileKind};

/// 660 customers with premises and meter.
const REGISTER: &str = include_str!("../../data/city/register.csv");
/// A year of readings, in random order, with 51 faults.
pub const READINGS: &str = include_str!("../../data/city/readings.csv");
const FAULTS: &str = include_str!("../../data/city/faults.csv");
const EXPECTED: &str = include_str!("../../data/city/expected_bills.csv");
/// The tariff that is in force.
pub const TARIFF: &str = include_str!("../../data/cn_tianjin_gas_2024.toml");

/// The city that is played, whole or its first customers.
pub struct City {
    register: String,
    readings: String,
    faults: String,
    expected: String,
}

impl City {
    /// The first customers of the register with all that belongs to them. What names a meter of nobody belongs to everybody.
    pub fn of(customers: usize) -> Self {
        let cells = |line: &str, column: usize| line.split(',').nth(column).unwrap_or_default().to_owned();
        let all: BTreeSet<String> = REGISTER.lines().skip(1).map(|line| cells(line, METER_NO)).collect();
        let kept: Vec<&str> = REGISTER.lines().skip(1).take(customers).collect();
        let meters: BTreeSet<String> = kept.iter().map(|line| cells(line, METER_NO)).collect();
        let accounts: BTreeSet<String> = kept.iter().map(|line| cells(line, 0)).collect();
        let ours = |meter: &String| meters.contains(meter) || !all.contains(meter);
        Self {
            register: part(REGISTER, |line| accounts.contains(&cells(line, 0))),
            readings: part(READINGS, |line| ours(&cells(line, 0))),
            faults: part(FAULTS, |line| ours(&cells(line, 0))),
            expected: part(EXPECTED, |line| accounts.contains(&cells(line, 0))),
        }
    }

    /// Customers with premises and meter, as a file.
    pub fn register(&self) -> &str {
        &self.register
    }
    /// A year of readings, in random order, as a file.
    pub fn readings(&self) -> &str {
        &self.readings
    }
}

/// Column of the meter number in the register.
const METER_NO: usize = 12;

/// The header and the lines that are wanted.
fn part(text: &str, wanted: impl Fn(&str) -> bool) -> String {
    let mut lines = text.lines();
    let header = lines.next().into_iter();
    header.chain(lines.filter(|line| wanted(line))).flat_map(|line| [line, "\n"]).collect()
}

/// An account as the oracle sees it.
#[derive(Clone, Debug)]
pub struct Account {
    pub account_no: String,
    pub use_class: String,
    pub low_income: bool,
    /// Digits of the register before the point.
    pub digits: u32,
    /// First day.
    pub installed: NaiveDate,
    /// Index on the first day, litres.
    pub initial: i64,
}

/// Accounts by meter number, those with IC-card meters left out: these are not billed by reading.
pub fn postpaid(city: &City) -> Result<BTreeMap<String, Account>> {
    #[derive(Deserialize)]
    struct Row {
        account_no: String,
        use_class: String,
        low_income: u8,
        meter_no: String,
        meter_kind: String,
        digits: u32,
        initial_index: String,
        installed_on: NaiveDate,
    }
    let mut accounts = BTreeMap::new();
    for row in rows::<Row>(&city.register)? {
        if row.meter_kind == "IC卡" {
            continue;
        }
        let initial = litres_of(&row.initial_index).with_context(|| row.initial_index.clone())?;
        let account = Account {
            account_no: row.account_no,
            use_class: row.use_class,
            low_income: row.low_income == 1,
            digits: row.digits,
            installed: row.installed_on,
            initial,
        };
        accounts.insert(row.meter_no, account);
    }
    Ok(accounts)
}

/// A row that is wrong, and what is true. Read when the year is over, to see whether the rules found it.
#[derive(Clone, Debug)]
pub struct Fault {
    pub meter_no: String,
    pub at: Instant,
    pub kind: String,
}

pub fn faults(city: &City) -> Result<Vec<Fault>> {
    #[derive(Deserialize)]
    struct Row {
        meter_no: String,
        read_at: String,
        kind: String,
    }
    rows::<Row>(&city.faults)?
        .into_iter()
        .map(|row| {
            Ok(Fault {
                meter_no: row.meter_no,
                at: Instant::parse_rfc3339(&row.read_at)?,
                kind: row.kind,
            })
        })
        .collect()
}

/// A bill, as anybody computes it. Volumes in litres, money in fen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Figure {
    pub account_no: String,
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub volume: i64,
    pub before: i64,
    pub amount: i64,
}

/// What the bills of accounts without a fault should be.
pub fn expected(city: &City) -> Result<BTreeSet<Figure>> {
    #[derive(Deserialize)]
    struct Row {
        account_no: String,
        from_date: NaiveDate,
        to_date: NaiveDate,
        volume_m3: String,
        volume_before_m3: String,
        amount_cny: String,
    }
    let figure = |row: Row| {
        Some(Figure {
            account_no: row.account_no,
            from: row.from_date,
            to: row.to_date,
            volume: litres_of(&row.volume_m3)?,
            before: litres_of(&row.volume_before_m3)?,
            amount: fen_of(&row.amount_cny)?,
        })
    };
    rows::<Row>(&city.expected)?
        .into_iter()
        .map(|row| figure(row).context("a figure of the expected bills is no number"))
        .collect()
}

fn rows<R: for<'a> Deserialize<'a>>(text: &str) -> Result<Vec<R>> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(|row| Ok(row?)).collect()
}

/// The rows of a file as an import sends them.
pub fn as_imported<K: FileKind>(kind: &K, text: &str) -> Result<Vec<K::Row>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers()?.clone();
    let columns = Columns::find(K::FIELDS, &[], &header)?;
    let mut found = vec![];
    let mut record = StringRecord::new();
    while reader.read_record(&mut record)? {
        let line = i64::try_from(record.position().map_or(0, csv::Position::line))?;
        let row = kind
            .row(line, columns.cells(&record))
            .map_err(|(field, (reason, _))| anyhow::anyhow!("line {line}: {field}: {reason}"))?;
        found.push(row);
    }
    Ok(found)
}
