//! Registers of meters as they were published, by the command that a utility would take, against what was published with them. They stand beside the checkout
//! and are not part of it: a person may do without them, CI may not. `HEARTH_METER_DATA` names another folder with sets of the same kinds, in which some may be missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use chrono::{DateTime, NaiveDateTime, TimeDelta};
use chrono_tz::{Europe::Madrid, Tz, UTC};
use contracts::hearth::{
    archive::v1::{Clause, PublishTemplateRequest, Service, template_service_client::TemplateServiceClient},
    billing::v1::{
        ListExceptionsRequest, ListReadingsRequest, Reading, ReadingException, reading_exception, reading_exception::Code,
        reading_service_client::ReadingServiceClient,
    },
    options::v1::Role,
};
use csv::StringRecord;
use database::Engine;
use money::Volume;
use testbed::{
    key,
    means::{has, say},
};

use crate::{
    tool::{HEARTH, assert_told, told},
    world::{World, all_in, folder},
};

const ELSEWHERE: &str = "HEARTH_METER_DATA";

/// Files of a set whose names begin like this, in the order of their names.
fn files(set: &str, begin: &str) -> Option<Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let other = env::var_os(ELSEWHERE);
    let folder = root.join(other.as_deref().unwrap_or("../shared/data/meters".as_ref())).join(set);
    let found = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = found.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(begin)).collect();
    found.sort();
    let what = format!("published registers {}/{begin}*", folder.display());
    if other.is_some() && found.is_empty() {
        say(&format!("note: there are no {what}"));
        return None;
    }
    has(&what, !found.is_empty()).then_some(found)
}

/// The only such file.
fn file(set: &str, begin: &str) -> Option<PathBuf> {
    files(set, begin).map(|mut found| found.remove(0))
}

struct Table {
    header: StringRecord,
    rows: Vec<StringRecord>,
}

impl Table {
    fn of(path: &Path) -> Self {
        let mut reader = csv::Reader::from_path(path).unwrap();
        Self {
            header: reader.headers().unwrap().clone(),
            rows: reader.records().map(Result::unwrap).collect(),
        }
    }

    fn column(&self, name: &str) -> usize {
        self.header.iter().position(|h| h == name).unwrap_or_else(|| panic!("no column {name}"))
    }

    fn get<'a>(&self, row: &'a StringRecord, name: &str) -> &'a str {
        &row[self.column(name)]
    }

    /// Rows by the text of a column, in their order.
    fn by(&self, name: &str) -> BTreeMap<String, Vec<&StringRecord>> {
        let column = self.column(name);
        let mut groups: BTreeMap<String, Vec<&StringRecord>> = BTreeMap::new();
        for row in &self.rows {
            groups.entry(row[column].to_owned()).or_default().push(row);
        }
        groups
    }
}

/// The four services, and the command that is pointed at them.
struct Town {
    world: World,
    /// Where files are written.
    scratch: tempfile::TempDir,
}

impl Town {
    /// Nothing where the machine has no PostgreSQL.
    async fn start(engine: Engine) -> Option<Self> {
        if engine == Engine::Postgres {
            testbed::postgres::migrated(billing::SERVICE).await?;
        }
        Some(Self {
            world: all_in(folder(), engine).await,
            scratch: tempfile::tempdir().unwrap(),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Words of the command, in the folder of the files. What is refused is written there, since the published folder is only read.
    fn command<'a>(&self, service: &str, words: impl IntoIterator<Item = &'a str>) -> Output {
        Command::new(HEARTH)
            .args(words)
            .args(["--address", &self.world.address(service)])
            .arg("--data")
            .arg(self.world.keys())
            .arg("--refused")
            .arg(self.path("refused.csv"))
            .current_dir(self.scratch.path())
            .output()
            .unwrap()
    }

    /// Hands a file over, all rows of which are taken or there already.
    fn import(&self, service: &str, what: &str, file: &Path, further: &[&str], taken: (usize, usize)) {
        let words = ["import", what, file.to_str().unwrap()];
        let output = self.command(service, words.into_iter().chain(further.iter().copied()));
        assert_taken(&output, taken);
    }

    fn readings(&self, file: &Path, further: &[&str], taken: (usize, usize)) {
        self.import("billing", "readings", file, further, taken);
    }

    /// Files meters with an account each.
    fn file_meters(&self, numbers: impl IntoIterator<Item = impl AsRef<str>>, (kind, qmax, digits): (&str, &str, u32), service: &str, first: &str) {
        let mut customers =
            "account_no,name,kind,id_number,phone,address,branch,use_class,household_persons,low_income,area_m2,supply_from,service\n".to_owned();
        let mut meters = "meter_no,account_no,meter_kind,qmax_m3h,digits,initial_index,installed_on\n".to_owned();
        let mut count = 0;
        for number in numbers {
            let number = number.as_ref();
            count += 1;
            customers.push_str(&format!(
                "T-{number},王建国,个人,120103180808207147,19000000001,天津市河西区红山里社区{number},河西区,living,3,否,70.27,{first},{service}\n"
            ));
            meters.push_str(&format!("{number},T-{number},{kind},{qmax},{digits},0,{first}\n"));
        }
        fs::write(self.path("customers.csv"), customers).unwrap();
        fs::write(self.path("meters.csv"), meters).unwrap();
        self.import("archive", "customers", &self.path("customers.csv"), &["--trial-template"], (count, 0));
        self.import("billing", "meters", &self.path("meters.csv"), &[], (count, 0));
    }

    /// A template for contracts of heat, which `--trial-template` does not publish.
    async fn publish_heat_template(&self) {
        let request = PublishTemplateRequest {
            request_id: key(),
            code: "HEAT".to_owned(),
            version: 1,
            title: "供热合同".to_owned(),
            service: Service::Heat.into(),
            filed_with_authority_no: String::new(),
            effective_date: Some(contracts::hearth::r#type::v1::Date { year: 2018, month: 1, day: 1 }),
            clauses: vec![Clause {
                clause_no: "1".to_owned(),
                title: "计量".to_owned(),
                text: "热量以法定检定合格的热量表读数为准。".to_owned(),
                flagged: true,
            }],
        };
        let mut client = TemplateServiceClient::new(self.world.channel("archive"));
        client.publish_template(self.world.by(&[Role::ContractOfficer], request)).await.unwrap();
    }

    /// What a meter has, in the order of arrival.
    async fn stored(&self, meter_no: &str) -> Vec<Reading> {
        let mut client = ReadingServiceClient::new(self.world.channel("billing"));
        let mut request = ListReadingsRequest {
            meter_no: meter_no.to_owned(),
            page_size: 500,
            ..Default::default()
        };
        let mut all = vec![];
        loop {
            let page = client
                .list_readings(self.world.by(&[Role::Auditor], request.clone()))
                .await
                .unwrap()
                .into_inner();
            all.extend(page.readings);
            if page.next_page_token.is_empty() {
                return all;
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Open findings of a kind.
    async fn found(&self, code: Code) -> Vec<ReadingException> {
        let mut client = ReadingServiceClient::new(self.world.channel("billing"));
        let mut request = ListExceptionsRequest {
            state: reading_exception::State::Open.into(),
            code: code.into(),
            page_size: 500,
            ..Default::default()
        };
        let mut all = vec![];
        loop {
            let page = client
                .list_exceptions(self.world.by(&[Role::Auditor], request.clone()))
                .await
                .unwrap()
                .into_inner();
            all.extend(page.exceptions);
            if page.next_page_token.is_empty() {
                return all;
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Meters and years with open findings of a kind.
    async fn years(&self, code: Code) -> BTreeSet<(String, i32)> {
        let found = self.found(code).await.into_iter();
        found.map(|e| (e.meter_no, e.date.unwrap().year)).collect()
    }
}

#[track_caller]
fn assert_taken(output: &Output, (accepted, already): (usize, usize)) {
    let (text, code) = told(output);
    let text = text.replace(',', "");
    assert_eq!(code, Some(0), "{text}");
    for part in [format!(" accepted {accepted} "), format!(" already there {already} "), " refused 0".to_owned()] {
        assert!(text.contains(&part), "{part} is not in: {text}");
    }
}

fn litres(reading: &Reading) -> i64 {
    reading.index.as_ref().unwrap().value.parse::<Volume>().unwrap().litres()
}

/// When it was, by the clock of a place.
fn local(reading: &Reading, zone: Tz) -> NaiveDateTime {
    let time = reading.read_time.as_ref().unwrap();
    let nanos = u32::try_from(time.nanos).unwrap();
    DateTime::from_timestamp(time.seconds, nanos).unwrap().with_timezone(&zone).naive_local()
}

/// Readings in the order of time, those of one moment in that of arrival.
fn in_time(mut readings: Vec<Reading>) -> Vec<Reading> {
    readings.sort_by_key(|r| r.read_time.map(|t| (t.seconds, t.nanos)));
    readings
}

/// The last one at or before a moment.
fn last_at(readings: &[Reading], zone: Tz, until: NaiveDateTime) -> &Reading {
    readings.iter().rev().find(|r| local(r, zone) <= until).unwrap()
}

/// Whether a time is so many hours, which the sets write with two places.
fn is_hours(elapsed: TimeDelta, text: &str) -> bool {
    let hundredths = text.parse::<money::Money>().unwrap().fen();
    (elapsed.num_seconds() * 100 - hundredths * 3600).abs() <= 1800
}

const WATER: (&str, &str, u32) = ("water", "4", 9);
const SPANISH: [&str; 6] = [
    "--columns",
    "meter_no=meter,read_at=read_at_local,index=register_l",
    "--unit",
    "l",
    "--time-zone",
    "Europe/Madrid",
];

/// Every column of expected_facts.csv, from what the service has. `rows` is what the file has of the meter.
fn assert_facts(facts: &Table, expected: &StringRecord, rows: &[&StringRecord], register: usize, arrived: Vec<Reading>) {
    let meter = facts.get(expected, "meter");
    let raw: Vec<&str> = arrived.iter().map(|r| r.raw_index.as_str()).collect();
    let mut known = BTreeSet::new();
    let (fresh, repeated): (Vec<_>, Vec<_>) = (0..rows.len()).partition(|n| known.insert((&rows[*n][1], &rows[*n][register])));
    let printed: Vec<&str> = fresh.iter().map(|n| &rows[*n][register]).collect();
    assert_eq!(raw, printed, "{meter}: the texts of the file, in litres as they stood there");
    // An exact repetition that is out of order is dropped, like any other.
    let dropped = repeated.iter().filter(|n| rows[**n][1] < rows[**n - 1][1]).count();
    let out_of_order = arrived.windows(2).filter(|w| local(&w[1], Madrid) < local(&w[0], Madrid)).count() + dropped;
    let all = in_time(arrived);
    let (first, last) = (all.first().unwrap(), all.last().unwrap());
    let steps: Vec<i64> = all.windows(2).map(|w| litres(&w[1]) - litres(&w[0])).collect();
    let back: Vec<i64> = steps.iter().copied().filter(|step| *step < 0).collect();
    let pauses: Vec<TimeDelta> = all.windows(2).map(|w| local(&w[1], Madrid) - local(&w[0], Madrid)).collect();
    let moments: BTreeSet<_> = all.iter().map(|r| local(r, Madrid)).collect();
    let conflicts = all.chunk_by(|a, b| a.read_time == b.read_time).filter(|same| same.len() > 1).count();
    let iso = |r: &Reading| local(r, Madrid).format("%Y-%m-%dT%H:%M:%S").to_string();
    let seen = [
        ("rows", rows.len().to_string()),
        ("first", iso(first)),
        ("last", iso(last)),
        ("first_l", litres(first).to_string()),
        ("last_l", litres(last).to_string()),
        ("net_l", (litres(last) - litres(first)).to_string()),
        ("out_of_order_rows", out_of_order.to_string()),
        (
            "scientific_notation_rows",
            all.iter().filter(|r| r.raw_index.contains(['e', 'E'])).count().to_string(),
        ),
        ("exact_duplicate_rows", (rows.len() - all.len()).to_string()),
        ("extra_rows_same_timestamp", (rows.len() - moments.len()).to_string()),
        ("conflicting_timestamps", conflicts.to_string()),
        ("negative_deltas", back.len().to_string()),
        ("sum_negative_l", back.iter().sum::<i64>().to_string()),
        ("max_negative_l", back.iter().min().copied().unwrap_or(0).to_string()),
        ("gaps_over_24h", pauses.iter().filter(|p| **p > TimeDelta::hours(24)).count().to_string()),
        ("max_positive_delta_l", steps.iter().max().unwrap().to_string()),
    ];
    for (column, value) in seen {
        assert_eq!(value, facts.get(expected, column), "{meter} {column}");
    }
    let longest = pauses.iter().max().unwrap();
    assert!(is_hours(*longest, facts.get(expected, "max_gap_hours")), "{meter} {longest}");
}

/// Every column of expected_monthly_naive.csv: nothing is repaired, so the held ones count as well.
fn assert_months(months: &Table, meter: &str, all: &[Reading]) {
    for month in months.rows.iter().filter(|m| months.get(m, "meter") == meter) {
        let until = |column| NaiveDateTime::parse_from_str(&format!("{}T00:00:00", months.get(month, column)), "%Y-%m-%dT%H:%M:%S").unwrap();
        let (opening, closing) = (last_at(all, Madrid, until("period_start")), last_at(all, Madrid, until("period_end")));
        let iso = |r: &Reading| local(r, Madrid).format("%Y-%m-%dT%H:%M:%S").to_string();
        let seen = [
            ("opening_read_at", iso(opening)),
            ("opening_l", litres(opening).to_string()),
            ("closing_read_at", iso(closing)),
            ("closing_l", litres(closing).to_string()),
            ("usage_l", (litres(closing) - litres(opening)).to_string()),
        ];
        for (column, value) in seen {
            assert_eq!(value, months.get(month, column), "{month:?} {column}");
        }
        let age = until("period_end") - local(closing, Madrid);
        assert!(is_hours(age, months.get(month, "closing_read_age_h")), "{month:?} {age}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn water_meters_that_report_by_the_hour_go_in_as_published() {
    let Some(file) = file("water_daiad", "readings_hourly") else { return };
    let town = Town::start(Engine::Sqlite).await.unwrap();
    let (readings, facts) = (Table::of(&file), Table::of(&file.with_file_name("expected_facts.csv")));
    let months = Table::of(&file.with_file_name("expected_monthly_naive.csv"));
    let rows = readings.by("meter");
    town.file_meters(rows.keys(), WATER, "gas", "2015-12-01");
    let repeats: usize = facts.rows.iter().map(|f| facts.get(f, "exact_duplicate_rows").parse::<usize>().unwrap()).sum();
    town.readings(&file, &SPANISH, (readings.rows.len() - repeats, repeats));
    assert_eq!(facts.rows.len(), rows.len(), "the meters of the file are those of its facts");
    for expected in &facts.rows {
        let meter = facts.get(expected, "meter");
        let arrived = town.stored(meter).await;
        assert_facts(&facts, expected, &rows[meter], readings.column("register_l"), arrived.clone());
        assert_months(&months, meter, &in_time(arrived));
    }
    // On the list: lost digits and pauses. What else is held, and that none of it is billed, is shown by `billing::registers`.
    let sum = |column: &str| facts.rows.iter().map(|f| facts.get(f, column).parse::<usize>().unwrap()).sum::<usize>();
    let found = (town.found(Code::LostDigits).await.len(), town.found(Code::Gap).await.len());
    assert_eq!(found, (sum("scientific_notation_rows"), sum("gaps_over_24h")));
}

/// A heat meter counts energy, and the volume that passed; the product knows one register of a meter, so the volume goes in as that of a second one.
async fn heat(engine: Engine) {
    let Some(files) = files("heat_denmark", "register_") else { return };
    let Some(town) = Town::start(engine).await else { return };
    let months = Table::of(&files[0].with_file_name("expected_monthly.csv"));
    let meters: BTreeSet<String> = months.rows.iter().map(|m| months.get(m, "meter").to_owned()).collect();
    let volumes = meters.iter().map(|meter| format!("{meter}-V"));
    town.publish_heat_template().await;
    town.file_meters(volumes, WATER, "gas", "2018-01-01");
    town.file_meters(&meters, ("heat-kwh", "100", 7), "heat", "2018-01-01");
    for file in &files {
        let count = Table::of(file).rows.len();
        let columns = |index: &str| format!("meter_no=meter,read_at=read_at_utc,index={index}");
        let energy = ["--columns", &columns("energy_kwh"), "--unit", "kwh", "--time-zone", "UTC"];
        town.readings(file, &energy, (count, 0));
        town.readings(file, &energy, (0, count));
        let second: String = fs::read_to_string(file).unwrap().replace("\n", "\n#");
        let second = meters
            .iter()
            .fold(second, |text, meter| text.replace(&format!("#{meter},"), &format!("{meter}-V,")));
        fs::write(town.path("volume.csv"), second.trim_end_matches('#')).unwrap();
        let volume = ["--columns", &columns("volume_m3"), "--unit", "m3", "--time-zone", "UTC"];
        town.readings(&town.path("volume.csv"), &volume, (count, 0));
    }
    for meter in &meters {
        for (number, column) in [(meter.clone(), "energy_kwh"), (format!("{meter}-V"), "volume_m3")] {
            let all = in_time(town.stored(&number).await);
            for month in months.rows.iter().filter(|m| months.get(m, "meter") == meter) {
                let until = |column| DateTime::parse_from_rfc3339(months.get(month, column)).unwrap().naive_utc();
                let (opening, closing) = (last_at(&all, UTC, until("from_utc")), last_at(&all, UTC, until("to_utc")));
                let iso = |r: &Reading| local(r, UTC).format("%Y-%m-%dT%H:%M:%SZ").to_string();
                let used = Volume::from_litres(litres(closing) - litres(opening));
                assert_eq!(
                    (iso(opening).as_str(), iso(closing).as_str(), used),
                    (
                        months.get(month, "opening_read_at"),
                        months.get(month, "closing_read_at"),
                        months.get(month, column).parse().unwrap()
                    ),
                    "{month:?} {column}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heat_meter_goes_in_as_published() {
    heat(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heat_meter_goes_in_as_published_on_the_other_engine() {
    heat(Engine::Postgres).await;
}

/// The commands that the help prints, as words.
fn printed() -> Vec<Vec<String>> {
    let help = Command::new(HEARTH).args(["import", "readings", "--help"]).output().unwrap();
    let text = String::from_utf8(help.stdout).unwrap();
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with("hearth import readings "));
    lines.map(|line| line.split_whitespace().skip(1).map(str::to_owned).collect()).collect()
}

/// A file under the name that a printed command gives it, and the command.
fn as_printed(town: &Town, file: &Path, name: &str) -> Output {
    fs::copy(file, town.path(name)).unwrap();
    let commands = printed();
    let command = commands
        .iter()
        .find(|words| words[2] == name)
        .unwrap_or_else(|| panic!("no command of {name}: {commands:?}"));
    town.command("billing", command.iter().map(String::as_str))
}

/// Litres of uses before some row, of which only the sum is rounded; the sets print one place.
fn summed(used: &[&str]) -> i64 {
    used.iter().map(|text| Volume::parse(text).unwrap().litres()).sum()
}

/// The register of each building after each of its intervals, the text that was delivered beside it, and the years without use and with another scale.
async fn assert_buildings(town: &Town, rows: &Table, years: &BTreeSet<i32>) {
    let (usage, facts) = (rows.column("usage_kwh_as_published"), file("gas_cambridge", "expected_year_facts").unwrap());
    for (building, intervals) in rows.by("building") {
        let all = town.stored(&building).await;
        let used: Vec<&str> = intervals.iter().map(|row| &row[usage]).collect();
        assert_eq!(
            all.iter().map(|r| r.raw_index.as_str()).collect::<Vec<_>>(),
            used,
            "{building}: the use as it stood in the file"
        );
        let registers: Vec<i64> = all.iter().map(litres).collect();
        assert_eq!(registers.last(), Some(&summed(&used)), "{building}");
        assert!(registers.is_sorted());
    }
    let facts = Table::of(&facts);
    let buildings = rows.by("building");
    let wanted = |least: i64| -> BTreeSet<(String, i32)> {
        let year = |f: &StringRecord| facts.get(f, "year").parse::<i32>().unwrap();
        let long = |f: &&StringRecord| facts.get(f, "longest_zero_run_hours").parse::<i64>().unwrap() >= least;
        let own = |f: &&StringRecord| buildings.contains_key(facts.get(f, "building")) && years.contains(&year(f));
        let place = |f: &StringRecord| (facts.get(f, "building").to_owned(), year(f));
        facts.rows.iter().filter(own).filter(long).map(place).collect()
    };
    let told = town.years(Code::ZeroRun).await;
    let missed: Vec<_> = wanted(25).difference(&told).cloned().collect();
    assert!(missed.is_empty(), "more than 24 hours in a row: {missed:?}");
    let needless: Vec<_> = told.difference(&wanted(24)).cloned().collect();
    assert!(needless.is_empty(), "{needless:?}");
}

const GAS: (&str, &str, u32) = ("remote", "100000", 9);

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_that_the_help_prints_take_the_published_files() {
    let (Some(daily), Some(hourly)) = (file("water_daiad", "readings_daily_last"), file("gas_cambridge", "interval_hourly")) else {
        return;
    };
    let town = Town::start(Engine::Sqlite).await.unwrap();
    let readings = Table::of(&daily);
    town.file_meters(readings.by("meter").keys(), WATER, "gas", "2015-12-01");
    assert_taken(&as_printed(&town, &daily, "daily.csv"), (readings.rows.len(), 0));
    for (meter, rows) in readings.by("meter") {
        let all = in_time(town.stored(&meter).await);
        let seen: Vec<_> = all
            .iter()
            .map(|r| (local(r, Madrid).format("%Y-%m-%dT%H:%M:%S").to_string(), litres(r)))
            .collect();
        let published: Vec<_> = rows
            .iter()
            .map(|r| (readings.get(r, "read_at_local").to_owned(), readings.get(r, "register_l").parse().unwrap()))
            .collect();
        assert_eq!(seen, published, "{meter}");
    }
    if env::var_os(ELSEWHERE).is_none() {
        // Pauses of more than three days of meters that report by the day: 88, 110 and 76 hours of W001, 104 of W076, 244 and 288 of W078.
        let gaps = town.found(Code::Gap).await;
        let mut gaps: Vec<&str> = gaps.iter().map(|e| e.meter_no.as_str()).collect();
        gaps.sort_unstable();
        assert_eq!(gaps, ["W001", "W001", "W001", "W076", "W078", "W078"]);
    }

    // 24 hours on the days on which London changes its clocks: the times are those of one zone all year.
    let intervals = Table::of(&hourly);
    town.file_meters(intervals.by("building").keys(), GAS, "gas", "2010-12-31");
    assert_taken(&as_printed(&town, &hourly, "hourly.csv"), (intervals.rows.len(), 0));
    let year = |row: &StringRecord| intervals.get(row, "hour_start_local")[..4].parse::<i32>().unwrap();
    assert_buildings(&town, &intervals, &intervals.rows.iter().map(year).collect()).await;
    let first = &town.stored(&intervals.rows[0][0]).await[0];
    assert_eq!(
        local(first, UTC).format("%Y-%m-%d %H:%M:%S").to_string(),
        intervals.get(&intervals.rows[0], "hour_start_local")
    );

    // Where an hour never came, or came twice, its row is refused and its use counts in the row after it.
    town.file_meters(["LONDON"], GAS, "gas", "2010-12-31");
    let skipped = "meter_no,read_at,index\nLONDON,2019-03-31 00:00,1.5\nLONDON,2019-03-31 01:00,2\nLONDON,2019-03-31 02:00,4\n\
                   LONDON,2019-10-27 00:00,8\nLONDON,2019-10-27 01:00,16\nLONDON,2019-10-27 02:00,32\n";
    fs::write(town.path("london.csv"), skipped).unwrap();
    let words = [
        "import",
        "readings",
        "london.csv",
        "--unit",
        "kwh",
        "--interval",
        "--time-zone",
        "Europe/London",
    ];
    let told = ["accepted 4 ", "already there 0 refused 2 LOCAL_TIME_SKIPPED 1 LOCAL_TIME_TWICE 1"];
    assert_told(&town.command("billing", words), 0, &told);
    let all = in_time(town.stored("LONDON").await);
    let seen: Vec<_> = all.iter().map(|r| (r.raw_index.as_str(), litres(r))).collect();
    // 1.5; 1.5 + 2 + 4; + 8; + 16 + 32.
    assert_eq!(seen, [("1.5", 1_500), ("4", 7_500), ("8", 15_500), ("32", 63_500)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn gas_use_by_the_day_is_added_up_and_every_change_of_scale_is_told() {
    let Some(daily) = file("gas_cambridge", "interval_daily") else { return };
    let Some(town) = Town::start(Engine::Postgres).await else { return };
    let intervals = Table::of(&daily);
    town.file_meters(intervals.by("building").keys(), GAS, "gas", "2010-12-31");
    let columns = ["--columns", "meter_no=building,read_at=date,index=usage_kwh_as_published"];
    let further = ["--unit", "kwh", "--interval", "--time-zone", "UTC"];
    town.readings(&daily, &[&columns[..], &further].concat(), (intervals.rows.len(), 0));
    let years = intervals.rows.iter().map(|row| intervals.get(row, "date")[..4].parse::<i32>().unwrap());
    assert_buildings(&town, &intervals, &years.collect()).await;
    let facts = Table::of(&daily.with_file_name("expected_year_facts.csv"));
    assert_eq!(town.years(Code::Scale).await, scales(&facts));
}

/// Building-years whose use an hour is more than ten times that of the last year before with some, or less than a tenth of it.
fn scales(facts: &Table) -> BTreeSet<(String, i32)> {
    let mut found = BTreeSet::new();
    for (building, years) in facts.by("building") {
        let of = |f: &StringRecord| {
            let used = Volume::parse(facts.get(f, "sum_usage")).unwrap().litres();
            (i128::from(used), facts.get(f, "hours_present").parse::<i128>().unwrap())
        };
        let with_use: Vec<_> = years.into_iter().filter(|f| of(f).0 > 0).collect();
        for pair in with_use.windows(2) {
            let ((old, before), (new, now)) = (of(pair[0]), of(pair[1]));
            if old * now > new * before * 10 || new * before > old * now * 10 {
                found.insert((building.clone(), facts.get(pair[1], "year").parse().unwrap()));
            }
        }
    }
    found
}
