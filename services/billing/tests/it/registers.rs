//! Real registers, as they were published: what is found about them, and that nothing of it reaches a bill. How `hearth import readings` reads the files is shown by
//! `hearth::import::published`; the texts of the files are made into rows by hand here. They stand beside the checkout and are not part of it: a person may do without
//! them, CI may not. `HEARTH_METER_DATA` names another folder with sets of the same kinds, in which some may be missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::Path,
};

use calendar::{Instant, NaiveDate};
use chrono::{Datelike, Days, NaiveDateTime, Weekday};
use contracts::hearth::{
    archive::v1::{self as archive, Service},
    billing::v1::{heat_service_client::HeatServiceClient, reading_exception::Code, reading_exception::State, *},
    options::v1::Role,
};
use database::Engine;
use money::Volume;
use testbed::{
    each, each_of, key,
    means::{has, say},
};

use crate::world::{HEXI, Home, World, day, meter_row, metres, text, tianjin};

/// A file of a set.
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn of(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect());
        Self {
            header: lines.next().unwrap(),
            rows: lines.collect(),
        }
    }

    fn column(&self, name: &str) -> usize {
        self.header.iter().position(|h| h == name).unwrap_or_else(|| panic!("no column {name}"))
    }

    fn get<'a>(&self, row: &'a [String], name: &str) -> &'a str {
        &row[self.column(name)]
    }

    fn number(&self, row: &[String], name: &str) -> i64 {
        self.get(row, name).parse().unwrap()
    }

    /// Its rows where a column passes.
    fn only(mut self, name: &str, passes: impl Fn(&str) -> bool) -> Self {
        let column = self.column(name);
        self.rows.retain(|row| passes(&row[column]));
        self
    }

    fn all(&self, name: &str) -> BTreeSet<&str> {
        let column = self.column(name);
        self.rows.iter().map(|row| row[column].as_str()).collect()
    }
}

/// The files of a set whose names begin like this, in the order of their names.
fn tables(set: &str, begin: &str) -> Option<Vec<Table>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let other = env::var_os("HEARTH_METER_DATA");
    let folder = root.join(other.as_deref().unwrap_or("../shared/data/meters".as_ref())).join(set);
    let found = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = found.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(begin)).collect();
    found.sort();
    let what = format!("published registers {}/{begin}*", folder.display());
    if other.is_some() && found.is_empty() {
        say(&format!("note: there are no {what}"));
        return None;
    }
    has(&what, !found.is_empty()).then(|| found.iter().map(|path| Table::of(path)).collect())
}

/// Whether another folder is named.
fn elsewhere() -> bool {
    env::var_os("HEARTH_METER_DATA").is_some()
}

/// Whether a meter is one of those that a test takes to be done soon. Of another folder it takes all.
fn is_chosen(some: &[&str], meter: &str) -> bool {
    elsewhere() || some.contains(&meter)
}

/// The only such file.
fn table(set: &str, begin: &str) -> Option<Table> {
    tables(set, begin).map(|mut found| found.remove(0))
}

/// The day on which clocks are changed in Europe.
fn last_sunday(year: i32, month: u32) -> NaiveDate {
    let last = NaiveDate::from_ymd_opt(year, month, 31).unwrap();
    last - Days::new(u64::from(last.weekday().days_since(Weekday::Sun)))
}

/// A local time of Madrid, and whether it came twice: then the earlier one.
fn madrid(local: &str) -> (Instant, bool) {
    let time: NaiveDateTime = local.parse().unwrap();
    let at = |month, hour| last_sunday(time.year(), month).and_hms_opt(hour, 0, 0).unwrap();
    let is_summer = (at(3, 2)..at(10, 3)).contains(&time);
    let twice = (at(10, 2)..at(10, 3)).contains(&time);
    (testbed::at(&format!("{local}{}", if is_summer { "+02:00" } else { "+01:00" })), twice)
}

/// Litres as cubic metres.
fn in_metres(litres: &str) -> String {
    match litres.split_once('e') {
        Some((number, exponent)) => format!("{number}e{:+03}", exponent.parse::<i32>().unwrap() - 3),
        None => Volume::from_litres(litres.parse().unwrap()).short().to_string(),
    }
}

/// A row of the hourly file as the import sends it, for a meter with this number.
fn hourly_row(line: usize, meter_no: &str, read_at: &str, register: &str) -> ReadingRow {
    let (at, time_twice) = madrid(read_at);
    ReadingRow {
        line: i32::try_from(line).unwrap() + 2,
        meter_no: meter_no.to_owned(),
        read_at: at.to_string(),
        index: in_metres(register),
        source: "remote".to_owned(),
        time_twice,
        raw_index: Some(register.to_owned()),
    }
}

/// A meter of a kind for each number, at a home of its own: those that have one already get it beside what they have.
async fn file_meters<'m>(world: &World<'_>, numbers: impl IntoIterator<Item = &'m str>, kind: meter::Kind, qmax: &str, first: &str) -> BTreeMap<String, Home> {
    let mut homes = BTreeMap::new();
    for number in numbers {
        homes.insert(number.to_owned(), world.tell(&format!("T-{number}"), HEXI, "living", first));
    }
    world.supply(homes.values().next_back().unwrap(), |s| s.state() == supply::State::InForce).await;
    for home in homes.values() {
        world.supply(home, |s| s.state() == supply::State::InForce).await;
    }
    hang(world, &homes, kind, qmax, first, "").await;
    homes
}

/// Meters at homes, with something behind the numbers that the homes go by.
async fn hang(world: &World<'_>, homes: &BTreeMap<String, Home>, kind: meter::Kind, qmax: &str, first: &str, behind: &str) {
    let row = |(number, home): (&String, &Home)| MeterRow {
        meter_no: format!("{number}{behind}"),
        kind: kind.into(),
        digits: 9,
        qmax: qmax.to_owned(),
        ..meter_row(home, first, "0")
    };
    let answers = world.import_meters(homes.iter().map(row).collect()).await;
    let count = i32::try_from(homes.len()).unwrap();
    assert_eq!(answers.iter().map(|a| a.accepted).sum::<i32>(), count, "{answers:?}");
}

/// What became of the rows of a file.
#[derive(Default)]
struct Taken {
    accepted: usize,
    repeats: usize,
    refused: BTreeMap<String, usize>,
}

async fn import(world: &World<'_>, rows: Vec<ReadingRow>) -> Taken {
    let mut taken = Taken::default();
    for answer in world.import_readings(rows).await {
        taken.accepted += usize::try_from(answer.accepted).unwrap();
        taken.repeats += usize::try_from(answer.repeats).unwrap();
        for row in answer.refused {
            *taken.refused.entry(row.reason).or_default() += 1;
        }
    }
    taken
}

async fn stored(world: &World<'_>, meter_no: &str) -> Vec<Reading> {
    let mut request = ListReadingsRequest {
        meter_no: meter_no.to_owned(),
        page_size: 500,
        ..Default::default()
    };
    let mut all = vec![];
    loop {
        let page = world.district().list_readings(request.clone()).await.unwrap().into_inner();
        all.extend(page.readings);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    // Stable: of one moment in the order of arrival.
    all.sort_by_key(|r| r.read_time.map(|t| (t.seconds, t.nanos)));
    all
}

fn value(reading: &Reading) -> i64 {
    reading.index.as_ref().unwrap().value.parse::<Volume>().unwrap().litres()
}

fn at(reading: &Reading) -> Instant {
    rpc::wire::time_of(reading.read_time.as_ref(), "").unwrap()
}

/// Open findings by meter, each with the readings that it is about.
async fn findings(world: &World<'_>) -> BTreeMap<String, Vec<ReadingException>> {
    let mut by_meter: BTreeMap<String, Vec<ReadingException>> = BTreeMap::new();
    for exception in world.exceptions(State::Open, Code::Unspecified).await {
        by_meter.entry(exception.meter_no.clone()).or_default().push(exception);
    }
    by_meter
}

/// What keeps a row of a register from being used, told from the rows alone: it is held where its digits were lost, where its local time came twice, where it is lower
/// than the highest before it that is used, and where it is above that by more than the meter passes in the hours since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Flaw {
    Digits,
    Twice,
    Back,
    Jump,
}

/// Litres an hour that a meter of the set passes.
const QMAX: i64 = 4_000;
const HOUR: i64 = 3_600_000_000;

/// Rows in the order of time, exact repetitions once, each with its flaw.
fn walk<'t>(table: &Table, rows: impl Iterator<Item = &'t Vec<String>>) -> Vec<(Instant, i64, Option<Flaw>)> {
    let (time, register) = (table.column("read_at_local"), table.column("register_l"));
    let mut known = BTreeSet::new();
    let mut rows: Vec<(Instant, bool, &str)> = rows
        .filter(|r| known.insert((&r[time], &r[register])))
        .map(|r| (madrid(&r[time]), r[register].as_str()))
        .map(|((at, twice), shown)| (at, twice, shown))
        .collect();
    rows.sort_by_key(|(at, ..)| at.micros());
    let mut base: Option<(Instant, i64)> = None;
    let judge = |(at, twice, shown): (Instant, bool, &str)| {
        let value = Volume::parse_scientific(shown).unwrap().litres() / 1000;
        let flaw = match base {
            _ if shown.contains('e') => Some(Flaw::Digits),
            _ if twice => Some(Flaw::Twice),
            Some((_, before)) if value < before => Some(Flaw::Back),
            Some((since, before)) => {
                let elapsed = at.micros() - since.micros();
                let days = at.date().signed_duration_since(since.date()).num_days();
                let hours = if elapsed < 24 * HOUR { elapsed / HOUR + 1 } else { days * 24 };
                (value - before > QMAX * hours).then_some(Flaw::Jump)
            }
            None => None,
        };
        if flaw.is_none() {
            base = Some((at, value));
        }
        (at, value, flaw)
    };
    rows.into_iter().map(judge).collect()
}

async fn hourly_water(world: &World<'_>, part: impl Fn(&str) -> bool) {
    let Some(readings) = table("water_daiad", "readings_hourly") else { return };
    let readings = readings.only("meter", &part);
    let facts = table("water_daiad", "expected_facts").unwrap().only("meter", &part);
    file_meters(world, readings.all("meter"), meter::Kind::Water, "4", "2015-12-01").await;
    publish(world).await;
    let cells = |r: &[String]| ["meter", "read_at_local", "register_l"].map(|name| readings.get(r, name).to_owned());
    let rows = readings.rows.iter().map(|r| cells(r)).enumerate();
    let rows = rows.map(|(line, [meter, at, register])| hourly_row(line, &meter, &at, &register)).collect();
    let taken = import(world, rows).await;
    let repeats: i64 = facts.rows.iter().map(|f| facts.number(f, "exact_duplicate_rows")).sum();
    assert_eq!((taken.repeats, taken.refused.len()), (usize::try_from(repeats).unwrap(), 0));
    assert_eq!(taken.accepted + taken.repeats, readings.rows.len());
    let findings = findings(world).await;
    for fact in &facts.rows {
        let meter = facts.get(fact, "meter");
        let of_meter = readings.rows.iter().filter(|r| readings.get(r, "meter") == meter);
        let walked = walk(&readings, of_meter);
        let all = stored(world, meter).await;
        assert_eq!(
            all.iter().map(|r| (at(r), value(r))).collect::<Vec<_>>(),
            walked.iter().map(|w| (w.0, w.1)).collect::<Vec<_>>()
        );
        // Every step back of the file is explained by what is held on one of its sides.
        let back: Vec<_> = walked.windows(2).filter(|w| w[1].1 < w[0].1).collect();
        assert_eq!(i64::try_from(back.len()).unwrap(), facts.number(fact, "negative_deltas"), "{meter}");
        assert!(back.iter().all(|w| w.iter().any(|(.., flaw)| flaw.is_some())), "{meter}");
        // What is held is what has a flaw, and nothing else.
        let held = |r: &Reading| r.state() == reading::State::Held;
        let off: Vec<_> = all.iter().zip(&walked).filter(|(r, w)| held(r) != w.2.is_some()).collect();
        assert!(off.is_empty(), "{meter} {:?}", &off[..1]);
        let mut told: BTreeMap<Code, usize> = BTreeMap::new();
        for code in findings.get(meter).into_iter().flatten().flat_map(|e| e.codes()) {
            *told.entry(code).or_default() += 1;
        }
        let count = |wanted: &[Flaw]| walked.iter().filter(|(.., flaw)| flaw.is_some_and(|f| wanted.contains(&f))).count();
        let of = |code: Code| told.get(&code).copied().unwrap_or(0);
        assert_eq!(
            [
                of(Code::LostDigits),
                of(Code::TimeTwice),
                of(Code::Reverse) + of(Code::NewRegister),
                of(Code::OverQmax)
            ],
            [count(&[Flaw::Digits]), count(&[Flaw::Twice]), count(&[Flaw::Back]), count(&[Flaw::Jump])],
            "{meter} {told:?}"
        );
        let counted = |name: &str| usize::try_from(facts.number(fact, name)).unwrap();
        assert_eq!(
            (of(Code::LostDigits), of(Code::Gap)),
            (counted("scientific_notation_rows"), counted("gaps_over_24h")),
            "{meter}"
        );
        // What counts never runs backwards.
        let usable: Vec<i64> = all.iter().filter(|r| r.state() == reading::State::Validated).map(value).collect();
        assert!(usable.is_sorted(), "{meter}");
    }
    // Priced, and run: a water meter is no matter of the agreement beside which it hangs.
    for (year, month) in [(2016, 4), (2017, 1)] {
        let run = world.start_run(year, month).await;
        let run = world.finished(&run).await;
        let count = i64::try_from(facts.rows.len()).unwrap();
        assert_eq!(
            (run.expected, run.not_due, run.produced + run.held + run.missing + run.parked),
            (count, count, 0),
            "{run:?}"
        );
    }
    assert_eq!(world.count("SELECT count(*) FROM bill").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM reading WHERE state = 'BILLED'").await, 0);
}

#[tokio::test]
async fn water_meters_that_report_by_the_hour_are_held_where_they_are_flawed() {
    each_of(billing::SERVICE, &[Engine::Sqlite], async |bed| {
        hourly_water(&World::new(bed).await, |_| true).await
    })
    .await;
}

#[tokio::test]
async fn water_meters_that_report_by_the_hour_on_the_other_engine() {
    let some = |meter: &str| is_chosen(&["W015", "W071", "W005"], meter);
    each_of(billing::SERVICE, &[Engine::Postgres], async |bed| {
        hourly_water(&World::new(bed).await, some).await
    })
    .await;
}

#[tokio::test]
async fn what_was_delivered_is_kept_beside_the_index_that_was_made_of_it() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let homes = file_meters(&world, ["R1"], meter::Kind::Iot, "4", "2024-12-31").await;
        hang(&world, &homes, meter::Kind::Water, "4", "2024-12-31", "-water").await;
        world.clock("2025-01-31T12:00:00+08:00");
        let row = |meter: &str, hour: i32, index: &str, raw: Option<&str>| ReadingRow {
            line: hour,
            meter_no: meter.to_owned(),
            read_at: format!("2025-01-02T{hour:02}:00:00+08:00"),
            index: index.to_owned(),
            source: "remote".to_owned(),
            raw_index: raw.map(str::to_owned),
            ..Default::default()
        };
        let rows = vec![
            row("R1", 1, "0.125", Some("125")),
            row("R1", 2, "0.250", None),
            row("R1", 3, "0.375", Some("")),
            row("R1", 4, "0.4", Some("4e+02")),
            row("R1", 5, "0.5", Some("=cmd|' /C calc'!A0")),
            row("R1-water", 6, "1.000", Some("1 000,0 ")),
            row("R1-water", 7, "2", Some("2E3")),
        ];
        let answer = world.import_readings(rows).await.remove(0);
        let refused: Vec<_> = answer.refused.iter().map(|r| (r.line, r.field.as_str(), r.reason.as_str())).collect();
        assert_eq!(refused, [(5, "raw_index", "INDEX_NOT_PLAIN_DIGITS")]);
        assert_eq!((answer.accepted, answer.held), (6, 2));
        let kept = |all: Vec<Reading>| -> Vec<(String, i64, bool)> {
            all.iter().map(|r| (r.raw_index.clone(), value(r), r.state() == reading::State::Held)).collect()
        };
        let wanted = |rows: &[(&str, i64, bool)]| rows.iter().map(|(raw, index, held)| ((*raw).to_owned(), *index, *held)).collect::<Vec<_>>();
        assert_eq!(
            kept(stored(&world, "R1").await),
            wanted(&[("125", 125, false), ("0.250", 250, false), ("0.375", 375, false), ("4e+02", 400, true)])
        );
        assert_eq!(
            kept(stored(&world, "R1-water").await),
            wanted(&[("1 000,0 ", 1_000, false), ("2E3", 2_000, true)])
        );
        let lost = world.exceptions(State::Open, Code::LostDigits).await;
        assert_eq!(
            lost.iter().map(|e| e.meter_no.as_str()).collect::<BTreeSet<_>>(),
            BTreeSet::from(["R1", "R1-water"])
        );
    })
    .await;
}

/// The prices of Tianjin, for the years of the sets.
async fn publish(world: &World<'_>) {
    let request = PublishTariffRequest {
        from_date: day("1990-01-01"),
        published_date: day("1990-01-01"),
        ..tianjin()
    };
    world.tariffs().publish_tariff(request).await.unwrap();
}

/// Why agreements got no bill in a run, by account.
async fn left_out(world: &World<'_>, run_id: &str) -> BTreeMap<String, bill_run_item::Outcome> {
    let mut request = ListBillRunItemsRequest {
        run_id: run_id.to_owned(),
        page_size: 500,
        ..Default::default()
    };
    let mut found = BTreeMap::new();
    loop {
        let page = world.runs().list_bill_run_items(request.clone()).await.unwrap().into_inner();
        found.extend(page.items.iter().map(|item| (item.account_no.clone(), item.outcome())));
        if page.next_page_token.is_empty() {
            return found;
        }
        request.page_token = page.next_page_token;
    }
}

/// Months from one to another, both counted.
fn months(from: NaiveDate, until: NaiveDate) -> impl Iterator<Item = (i32, u32)> {
    let number = |day: NaiveDate| day.year() * 12 + i32::try_from(day.month0()).unwrap();
    (number(from)..=number(until)).map(|n| (n.div_euclid(12), u32::try_from(n.rem_euclid(12)).unwrap() + 1))
}

async fn run(world: &World<'_>, (year, month): (i32, u32)) -> (BillRun, BTreeMap<String, bill_run_item::Outcome>) {
    let run_id = world.start_run(year, i32::try_from(month).unwrap()).await;
    let run = world.finished(&run_id).await;
    let left = left_out(world, &run_id).await;
    (run, left)
}

/// The bills of a home join one another, each ends at a reading that was never held, and together they are what that reading shows.
async fn assert_sound(world: &World<'_>, home: &Home, initial: i64, readings: &[Reading]) -> Vec<Bill> {
    let bills = world.bills_of(home).await;
    let litres = |d: &Option<contracts::hearth::r#type::v1::Decimal>| d.as_ref().unwrap().value.parse::<Volume>().unwrap().litres();
    let mut index = initial;
    for bill in &bills {
        let (from, to) = (litres(&bill.from_index), litres(&bill.to_index));
        assert_eq!((from, to - from), (index, litres(&bill.volume)), "{bill:?}");
        let end = readings
            .iter()
            .find(|r| r.state() == reading::State::Billed && value(r) == to && rpc::wire::date(at(r).date()) == bill.to_date.unwrap());
        assert!(end.is_some(), "{bill:?}");
        index = to;
    }
    assert_eq!(bills.iter().map(|b| litres(&b.volume)).sum::<i64>(), index - initial);
    bills
}

/// No bill ends at a reading that anything doubts.
async fn assert_nothing_held_is_billed(world: &World<'_>) {
    let doubted = "SELECT count(*) FROM bill b JOIN reading r ON r.id = b.reading_id WHERE r.state <> 'BILLED' OR r.codes LIKE '%REVERSE%' OR r.codes LIKE '%QMAX%' \
                   OR r.codes LIKE '%LOST%' OR r.codes LIKE '%TWICE%' OR r.codes LIKE '%NEW_REGISTER%' OR r.codes LIKE '%SPIKE%' OR r.codes LIKE '%DROP%'";
    assert_eq!(world.count(doubted).await, 0);
    assert!(world.count("SELECT count(*) FROM bill").await > 0);
    world.sound().await;
}

/// The registers of water meters on gas meters, which have a tariff, and on water meters beside them. Some fall silent at a row that is held, and speak again.
async fn registers_on_gas_meters(world: &World<'_>, part: impl Fn(&str) -> bool) {
    let Some(readings) = table("water_daiad", "readings_hourly") else { return };
    let readings = readings.only("meter", &part);
    publish(world).await;
    let homes = file_meters(world, readings.all("meter"), meter::Kind::Iot, "4", "2016-02-29").await;
    hang(world, &homes, meter::Kind::Water, "4", "2016-02-29", "-water").await;
    let cells = |r: &[String]| ["meter", "read_at_local", "register_l"].map(|name| readings.get(r, name).to_owned());
    // Until the first row that runs back or jumps, whose month ends there for now.
    let mut cut: BTreeMap<String, Instant> = BTreeMap::new();
    for meter in readings.all("meter") {
        let of_meter = readings.rows.iter().filter(|r| readings.get(r, "meter") == meter);
        let first = walk(&readings, of_meter)
            .into_iter()
            .find(|(.., flaw)| matches!(flaw, Some(Flaw::Back | Flaw::Jump)));
        cut.extend(first.map(|(at, ..)| (meter.to_owned(), at)));
    }
    assert!(!cut.is_empty() || elsewhere());
    let rows: Vec<ReadingRow> = readings
        .rows
        .iter()
        .map(|r| cells(r))
        .enumerate()
        .map(|(line, [meter, at, register])| hourly_row(line, &meter, &at, &register))
        .collect();
    let early = |row: &&ReadingRow| cut.get(&row.meter_no).is_none_or(|cut| testbed::at(&row.read_at) <= *cut);
    let before = import(world, rows.iter().filter(early).cloned().collect()).await;
    let mut by_cut: Vec<_> = cut.iter().map(|(meter, at)| (at.date(), meter)).collect();
    by_cut.sort();
    for (date, meter) in by_cut {
        let (_, left) = run(world, (date.year(), date.month())).await;
        assert_eq!(left.get(&homes[meter].account_no), Some(&bill_run_item::Outcome::Held), "{meter} {date}");
    }
    // The rest; what a device has sent nobody can write anew, but a gas meter's rows without a number or a moment are refused, not guessed at.
    let count = |of: &dyn Fn(&ReadingRow) -> bool| rows.iter().filter(|r| of(r)).count();
    let taken = import(world, rows.clone()).await;
    let exponents = count(&|r| r.index.contains('e') && !r.time_twice);
    assert_eq!(
        taken.refused,
        BTreeMap::from_iter(
            [("INDEX_NOT_PLAIN_DIGITS", exponents), ("LOCAL_TIME_TWICE", count(&|r| r.time_twice))]
                .into_iter()
                .filter(|(_, n)| *n > 0)
                .map(|(reason, n)| (reason.to_owned(), n))
        )
    );
    assert_eq!(taken.repeats, before.accepted);
    let beside = |row: &ReadingRow| ReadingRow {
        meter_no: format!("{}-water", row.meter_no),
        ..row.clone()
    };
    let beside = import(world, rows.iter().map(beside).collect()).await;
    assert_eq!(beside.refused.len(), 0);
    // What each month of each meter ends with after what the first runs have billed.
    let mut ends: BTreeMap<(String, (i32, u32)), Reading> = BTreeMap::new();
    let mut billed: BTreeMap<&str, NaiveDate> = BTreeMap::new();
    for (meter, home) in &homes {
        let until = world
            .bills_of(home)
            .await
            .iter()
            .filter_map(|b| rpc::wire::date_of(b.to_date.as_ref(), "").ok())
            .max();
        billed.extend(until.map(|until| (home.account_no.as_str(), until)));
        for reading in stored(world, meter).await {
            let date = at(&reading).date();
            if until.is_some_and(|until| date <= until) {
                continue;
            }
            ends.insert((home.account_no.clone(), (date.year(), date.month())), reading);
        }
    }
    let dates: Vec<NaiveDate> = rows.iter().map(|r| testbed::at(&r.read_at).date()).collect();
    for month in months(*dates.iter().min().unwrap(), *dates.iter().max().unwrap()) {
        let (_, left) = run(world, month).await;
        for home in homes.values() {
            use bill_run_item::Outcome as O;
            let wanted = match ends.get(&(home.account_no.clone(), month)).map(Reading::state) {
                None if billed.get(home.account_no.as_str()).is_some_and(|until| (until.year(), until.month()) >= month) => None,
                None => Some(O::Missing),
                Some(reading::State::Held) => Some(O::Held),
                Some(_) => None,
            };
            // A bill that is made may be held by the checks behind it.
            let found = left.get(&home.account_no).copied().filter(|o| *o != O::BillHeld);
            assert_eq!(found, wanted, "{} {month:?}", home.account_no);
        }
    }
    for (meter, home) in &homes {
        let all = stored(world, meter).await;
        let bills = assert_sound(world, home, 0, &all).await;
        assert!(!bills.is_empty(), "{meter}");
        let water = stored(world, &format!("{meter}-water")).await;
        assert!(water.iter().all(|r| r.state() != reading::State::Billed), "{meter}");
    }
    assert_nothing_held_is_billed(world).await;
}

#[tokio::test]
async fn registers_that_run_back_jump_and_pause_on_gas_meters_are_billed_without_what_is_held() {
    let some = |meter: &str| is_chosen(&["W015", "W056", "W071"], meter);
    each_of(billing::SERVICE, &[Engine::Sqlite], async |bed| {
        registers_on_gas_meters(&World::new(bed).await, some).await
    })
    .await;
}

#[tokio::test]
async fn registers_that_run_back_and_jump_on_gas_meters_on_the_other_engine() {
    each_of(billing::SERVICE, &[Engine::Postgres], async |bed| {
        registers_on_gas_meters(&World::new(bed).await, |meter| is_chosen(&["W015"], meter)).await
    })
    .await;
}

fn quarterly_row(line: usize, meter_no: &str, on: &str, register: &str) -> ReadingRow {
    ReadingRow {
        line: i32::try_from(line).unwrap() + 2,
        meter_no: meter_no.to_owned(),
        read_at: format!("{on}T12:00:00+01:00"),
        index: register.to_owned(),
        source: "reader".to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn meters_read_by_the_quarter_replaced_without_a_word_are_held_from_there_on() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let Some(reads) = table("water_daiad", "billing_reads_quarterly") else {
            return;
        };
        let events = table("water_daiad", "billing_reads_events").unwrap();
        file_meters(&world, reads.all("customer"), meter::Kind::Water, "4", "1990-01-01").await;
        let cells = |r: &[String]| ["customer", "read_on", "register_m3"].map(|name| reads.get(r, name).to_owned());
        let rows = reads.rows.iter().map(|r| cells(r)).enumerate();
        // Newest first, as published.
        let taken = import(
            &world,
            rows.map(|(line, [meter, on, index])| quarterly_row(line, &meter, &on, &index)).collect(),
        )
        .await;
        let mut held: BTreeMap<(String, NaiveDate), Vec<Code>> = BTreeMap::new();
        for exception in world.exceptions(State::Open, Code::Unspecified).await {
            let date = rpc::wire::date_of(exception.date.as_ref(), "").unwrap();
            held.entry((exception.meter_no.clone(), date)).or_default().extend(exception.codes());
        }
        let on_list = |customer: &str, on: &str| held.get(&(customer.to_owned(), on.parse().unwrap())).cloned().unwrap_or_default();
        let (mut same, mut other) = (0, 0);
        for event in &events.rows {
            let of = |name: &str| events.get(event, name);
            if of("event") == "register_drop" {
                let found = on_list(of("customer"), of("date_b"));
                let told = |c: &Code| matches!(c, Code::Reverse | Code::NewRegister | Code::Conflict);
                assert!(found.iter().any(told), "{event:?} {found:?}");
                continue;
            }
            let values: Vec<&str> = of("register_a").split('|').collect();
            let distinct: BTreeSet<_> = values.iter().collect();
            same += values.len() - distinct.len();
            other += usize::from(distinct.len() > 1);
            assert_eq!(on_list(of("customer"), of("date_a")).contains(&Code::Conflict), distinct.len() > 1, "{event:?}");
        }
        // The same index on the same day again is the same reading.
        assert_eq!((taken.repeats, taken.refused.len()), (same, 0));
        assert_eq!(taken.accepted, reads.rows.len() - same);
        assert_eq!(held.values().filter(|codes| codes.contains(&Code::Conflict)).count(), other);
        for meter in reads.all("customer") {
            let all = stored(&world, meter).await;
            let usable: Vec<i64> = all.iter().filter(|r| r.state() == reading::State::Validated).map(value).collect();
            assert!(usable.is_sorted(), "{meter}");
        }
    })
    .await;
}

/// A replacement, and the readings around it.
type Since<'a> = (NaiveDate, Vec<(NaiveDate, &'a str)>);

#[tokio::test]
async fn the_register_of_a_meter_that_nobody_has_recorded_is_in_no_bill() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let Some(reads) = table("water_daiad", "billing_reads_quarterly") else {
            return;
        };
        let events = table("water_daiad", "billing_reads_events")
            .unwrap()
            .only("event", |event| event == "register_drop");
        publish(&world).await;
        // The last replacement of each customer, and a year and a half before it.
        let mut drops: BTreeMap<&str, NaiveDate> = BTreeMap::new();
        for event in &events.rows {
            let date: NaiveDate = events.get(event, "date_b").parse().unwrap();
            let last = drops.entry(events.get(event, "customer")).or_insert(date);
            *last = date.max(*last);
        }
        let mut homes = BTreeMap::new();
        let mut since: BTreeMap<&str, Since<'_>> = BTreeMap::new();
        for (customer, drop) in drops {
            let own = reads.rows.iter().filter(|r| reads.get(r, "customer") == customer);
            let mut own: Vec<(NaiveDate, &str)> = own.map(|r| (reads.get(r, "read_on").parse().unwrap(), reads.get(r, "register_m3"))).collect();
            own.sort();
            own.dedup();
            own.retain(|(on, _)| *on > drop - Days::new(550));
            if own.iter().filter(|(on, _)| *on < drop).count() > 2 {
                since.insert(customer, (drop, own));
            }
        }
        for (customer, (_, own)) in &since {
            homes.insert(
                (*customer).to_owned(),
                world.tell(&format!("T-{customer}"), HEXI, "living", &own[0].0.to_string()),
            );
        }
        for (customer, home) in &homes {
            world.supply(home, |s| s.state() == supply::State::InForce).await;
            let (on, index) = since[customer.as_str()].1[0];
            let row = MeterRow {
                meter_no: customer.clone(),
                kind: meter::Kind::Mechanical.into(),
                digits: 5,
                ..meter_row(home, &on.to_string(), index)
            };
            assert_eq!(world.import_meters(vec![row]).await[0].accepted, 1);
        }
        let rows = since
            .iter()
            .flat_map(|(customer, (_, own))| own[1..].iter().map(|(on, index)| quarterly_row(0, customer, &on.to_string(), index)));
        let taken = import(&world, rows.collect()).await;
        assert!(taken.refused.is_empty());
        let dates = || since.values().flat_map(|(_, own)| own[1..].iter().map(|(on, _)| *on));
        let run_in: BTreeSet<(i32, u32)> = dates().map(|on| (on.year(), on.month())).collect();
        let mut held: BTreeSet<(String, (i32, u32))> = BTreeSet::new();
        for month in run_in {
            let (_, left) = run(&world, month).await;
            let of_month = left.into_iter().filter(|(_, outcome)| *outcome == bill_run_item::Outcome::Held);
            held.extend(of_month.map(|(account, _)| (account, month)));
        }
        for (customer, (drop, own)) in &since {
            let home = &homes[*customer];
            let all = stored(&world, customer).await;
            let litres = |index: &str| index.parse::<Volume>().unwrap().litres();
            let bills = assert_sound(&world, home, litres(own[0].1), &all).await;
            // Up to the last reading before the drop, and nothing of the other register.
            let (last, index) = own.iter().rfind(|(on, _)| on < drop).unwrap();
            let end = bills.last().unwrap();
            assert_eq!((end.to_date, end.to_index.clone()), (day(&last.to_string()), metres(index)), "{customer}");
            for (on, _) in own.iter().filter(|(on, _)| on >= drop) {
                assert!(held.contains(&(home.account_no.clone(), (on.year(), on.month()))), "{customer} {on}");
            }
        }
        assert_nothing_held_is_billed(&world).await;
    })
    .await;
}

#[tokio::test]
async fn a_heat_meter_that_reports_by_itself_is_settled_by_its_season_readings_alone() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let Some(files) = tables("heat_denmark", "register_") else { return };
        let meter_no = files[0].get(&files[0].rows[0], "meter").to_owned();
        // The season of the file, in which the agreement has to be met.
        bed.clock().jump(testbed::at("2018-10-20T10:00:00+08:00")).unwrap();
        let class = HeatClass {
            use_class: "resident".to_owned(),
            area_price: metres("25.00"),
            metered: Some(HeatMeteredPrice {
                base_price: metres("7.50"),
                energy_price: metres("0.13"),
                unit: heat_metered_price::Unit::Kwh.into(),
                settlement: heat_metered_price::Settlement::RefundAndSupplement.into(),
            }),
            ..Default::default()
        };
        let tariff = PublishHeatTariffRequest {
            request_id: key(),
            name: "Tianjin heat".to_owned(),
            from_date: day("2018-01-01"),
            legal_basis: "heat prices as quoted on public pages".to_owned(),
            approved_by: "Development and Reform Commission".to_owned(),
            published_date: day("2018-01-01"),
            currency_code: "CNY".to_owned(),
            classes: vec![class],
            ..Default::default()
        };
        world.tariffs().publish_heat_tariff(tariff).await.unwrap();
        let mut accountant = HeatServiceClient::new(bed.staff(&[Role::Accountant]));
        let (season, branch) = ("2018-2019".to_owned(), HEXI.to_owned());
        let open = OpenHeatSeasonRequest {
            request_id: key(),
            season: season.clone(),
            branch: branch.clone(),
            start_date: day("2018-11-15"),
            end_date: day("2019-03-15"),
            due_date: day("2018-12-31"),
            document_reference: "season notice".to_owned(),
        };
        accountant.open_heat_season(open).await.unwrap();
        let home = heated_home(&world, &meter_no).await;
        let enrol = EnrolHeatRequest {
            request_id: key(),
            agreement_id: home.agreement.clone(),
            season: season.clone(),
            method: heat_account::Method::Meter.into(),
            area: metres("100"),
            document_reference: "deed 1".to_owned(),
            ..Default::default()
        };
        HeatServiceClient::new(bed.staff(&[Role::DistrictManager])).enrol_heat(enrol).await.unwrap();
        let assess = AssessHeatRequest {
            request_id: key(),
            season: season.clone(),
            branch: branch.clone(),
        };
        let assessed = accountant.assess_heat(assess).await.unwrap().into_inner().run_id;
        assert_eq!(world.finished(&assessed).await.produced, 1);

        world.clock("2020-01-10T10:00:00+08:00");
        let of_meter = |file: &Table, r: &Vec<String>| file.get(r, "meter") == meter_no;
        let sent = files.iter().flat_map(|file| {
            let own = file.rows.iter().filter(|r| of_meter(file, r));
            own.map(|r| (file.get(r, "read_at_utc").to_owned(), file.get(r, "energy_kwh").to_owned()))
        });
        let mut sent: Vec<(String, String)> = sent.collect();
        sent.sort();
        let row = |(line, (read_at, index)): (usize, &(String, String))| ReadingRow {
            line: i32::try_from(line).unwrap() + 2,
            meter_no: meter_no.clone(),
            read_at: read_at.clone(),
            index: index.clone(),
            source: "remote".to_owned(),
            ..Default::default()
        };
        let taken = import(&world, sent.iter().enumerate().map(row).collect()).await;
        assert_eq!((taken.accepted, taken.refused.len()), (sent.len(), 0));
        let all = stored(&world, &meter_no).await;
        assert_eq!(all[0].raw_index, sent[0].1, "the text as it came, with all its places");
        assert_eq!(value(&all[0]), Volume::parse_half_up(&sent[0].1).unwrap().litres(), "half up to the thousandth");
        // Digits were lost between two readings of the last day: held, and no end of anything.
        let lost = row((0, &("2019-03-15T11:17:00Z".to_owned(), "2.4e+04".to_owned())));
        assert_eq!(import(&world, vec![lost]).await.accepted, 1);

        let mut reader = HeatServiceClient::new(bed.staff(&[Role::Reader]));
        let shown = |until: &str| {
            let until = testbed::at(until);
            Volume::from_litres(all.iter().rev().find(|r| at(r) <= until).map(value).unwrap())
        };
        let (start, end) = (shown("2018-11-15T00:00:00+08:00"), shown("2019-03-15T00:00:00+08:00"));
        use season_reading::Moment::{End, Start};
        for (moment, on, index) in [(Start, "2018-11-15", start), (End, "2019-03-15", end)] {
            let request = RecordSeasonReadingRequest {
                request_id: key(),
                agreement_id: home.agreement.clone(),
                season: season.clone(),
                meter_no: meter_no.clone(),
                moment: moment.into(),
                read_date: day(on),
                index: index.short().to_string(),
            };
            reader.record_season_reading(request).await.unwrap();
        }
        let settle = SettleHeatRequest {
            request_id: key(),
            season,
            branch,
            due_days: 0,
        };
        let settled = accountant.settle_heat(settle).await.unwrap().into_inner().run_id;
        let settled = world.finished(&settled).await;
        assert_eq!((settled.produced, settled.missing, settled.parked), (1, 0, 0));
        let bills = world.bills_of(&home).await;
        let bill = bills.iter().find(|b| b.kind() == bill::Kind::HeatSettlement).unwrap();
        let used = end.checked_sub(start).unwrap();
        let index = |volume: Volume| metres(&volume.short().to_string());
        assert_eq!((bill.from_index.clone(), bill.to_index.clone()), (index(start), index(end)));
        // 100 m² at 7.50, and the energy at 0.13.
        let amount = 75_000_000_000 + i128::from(used.litres()) * 13_000;
        let fen = i64::try_from((amount + 500_000) / 1_000_000).unwrap();
        assert_eq!(text(&bill.amount), money::Money::from_fen(fen).to_string(), "{used:?}");
        // What the meter reported by itself ends no bill, and no run of gas bills sees it.
        let run_id = world.start_run(2018, 2).await;
        assert_eq!(world.finished(&run_id).await.produced, 0);
        assert_eq!(world.count("SELECT count(*) FROM reading WHERE state = 'BILLED'").await, 0);
        let found = world.exceptions(State::Open, Code::LostDigits).await;
        assert_eq!(found.iter().map(|e| e.meter_no.as_str()).collect::<Vec<_>>(), [meter_no.as_str()]);
        world.sound().await;
    })
    .await;
}

/// A home with a contract for heat and the meter, since the beginning of 2018.
async fn heated_home(world: &World<'_>, meter_no: &str) -> Home {
    let home = Home {
        meter_no: meter_no.to_owned(),
        ..world.tell_signed("H-1", HEXI, "resident", "2018-01-01")
    };
    let id = || uuid::Uuid::now_v7().to_string();
    let home = Home { agreement: id(), ..home };
    let signed = archive::ContractSigned {
        agreement_id: home.agreement.clone(),
        agreement_no: "RL-1".to_owned(),
        account_id: home.account.clone(),
        account_no: home.account_no.clone(),
        party_id: home.party.clone(),
        premises_id: id(),
        service_point_id: id(),
        service: Service::Heat.into(),
        use_class: "resident".to_owned(),
        branch: HEXI.to_owned(),
        signed_date: day("2018-01-01"),
    };
    world.archive.tell(&home.agreement, &signed);
    let in_force = archive::ContractInForce {
        agreement_id: home.agreement.clone(),
        from_date: day("2018-01-01"),
    };
    world.archive.tell(&home.agreement, &in_force);
    world.supply(&home, |s| s.state() == supply::State::InForce).await;
    let register = RegisterMeterRequest {
        request_id: key(),
        meter_no: meter_no.to_owned(),
        kind: meter::Kind::HeatKwh.into(),
        model: "U".to_owned(),
        qmax: metres("100"),
        digits: 7,
        verified_date: day("2017-01-01"),
        expires_date: day("2030-01-01"),
        branch: HEXI.to_owned(),
        ..Default::default()
    };
    world.meters().register_meter(register).await.unwrap();
    let install = InstallMeterRequest {
        request_id: key(),
        meter_no: meter_no.to_owned(),
        agreement_id: home.agreement.clone(),
        from_date: day("2018-01-01"),
        initial_index: metres("0"),
        photo_file: "photo".to_owned(),
        signed: true,
    };
    world.meters().install_meter(install).await.unwrap();
    home
}

/// Uses by the day, each with what its register shows after it.
fn summed(uses: &Table) -> Vec<(ReadingRow, NaiveDate, i64)> {
    let mut registers: BTreeMap<&str, i64> = BTreeMap::new();
    let mut rows = vec![];
    for (line, r) in uses.rows.iter().enumerate() {
        let (meter, date, used) = (uses.get(r, "building"), uses.get(r, "date"), uses.get(r, "usage_kwh_as_published"));
        let litres = Volume::parse_half_up(used).unwrap().litres();
        let index = registers.entry(meter).or_default();
        *index += litres;
        let row = ReadingRow {
            line: i32::try_from(line).unwrap() + 2,
            meter_no: meter.to_owned(),
            read_at: format!("{date}T00:00:00+08:00"),
            index: Volume::from_litres(*index).short().to_string(),
            source: "remote".to_owned(),
            raw_index: Some(used.to_owned()),
            ..Default::default()
        };
        rows.push((row, date.parse().unwrap(), litres));
    }
    rows
}

async fn years(world: &World<'_>, state: State, code: Code) -> BTreeSet<(String, i32)> {
    let found = world.exceptions(state, code).await.into_iter();
    found.map(|e| (e.meter_no, e.date.unwrap().year)).collect()
}

/// Building-years with zeros for so many hours in a row.
fn zeros(facts: &Table, hours: i64) -> BTreeSet<(String, i32)> {
    let long = facts.rows.iter().filter(|f| facts.number(f, "longest_zero_run_hours") >= hours);
    long.map(|f| place(facts, f)).collect()
}

fn place(facts: &Table, row: &[String]) -> (String, i32) {
    (facts.get(row, "building").to_owned(), facts.get(row, "year").parse().unwrap())
}

/// Building-years whose use an hour is more than ten times that of the last year before with some, or less than a tenth of it.
fn scales(facts: &Table) -> BTreeSet<(String, i32)> {
    let of = |f: &[String]| {
        let used = Volume::parse_half_up(facts.get(f, "sum_usage")).unwrap().litres();
        (i128::from(used), i128::from(facts.number(f, "hours_present")))
    };
    let with_use: Vec<_> = facts.rows.iter().filter(|f| of(f).0 > 0).collect();
    let pairs = with_use.windows(2).filter(|w| facts.get(w[0], "building") == facts.get(w[1], "building"));
    let changed = pairs.filter(|w| {
        let ((old, before), (new, now)) = (of(w[0]), of(w[1]));
        old * now > new * before * 10 || new * before > old * now * 10
    });
    changed.map(|w| place(facts, w[1])).collect()
}

const GAS: (meter::Kind, &str) = (meter::Kind::Iot, "100000");

/// Imports uses by the day in some order, and looks for what is told of their years.
async fn gas_use(world: &World<'_>, part: impl Fn(&str) -> bool, order: impl FnOnce(Vec<(ReadingRow, NaiveDate, i64)>) -> Vec<ReadingRow>) {
    let Some(uses) = table("gas_cambridge", "interval_daily") else { return };
    let (uses, facts) = (
        uses.only("building", &part),
        table("gas_cambridge", "expected_year_facts").unwrap().only("building", &part),
    );
    file_meters(world, uses.all("building"), GAS.0, GAS.1, "2010-12-31").await;
    let rows = order(summed(&uses));
    let count = rows.len();
    let taken = import(world, rows).await;
    assert_eq!((taken.accepted, &taken.refused), (count, &BTreeMap::new()));
    if count == uses.rows.len() {
        let told = years(world, State::Open, Code::ZeroRun).await;
        let missed: Vec<_> = zeros(&facts, 25).difference(&told).cloned().collect();
        assert!(missed.is_empty(), "more than 24 hours in a row: {missed:?}");
        let needless: Vec<_> = told.difference(&zeros(&facts, 24)).cloned().collect();
        assert!(needless.is_empty(), "{needless:?}");
    }
    let wanted = scales(&facts);
    assert!(!wanted.is_empty() || elsewhere());
    let found = world.exceptions(State::Open, Code::Scale).await;
    assert_eq!(
        found.iter().map(|e| (e.meter_no.clone(), e.date.unwrap().year)).collect::<BTreeSet<_>>(),
        wanted
    );
    assert_eq!(found.len(), wanted.len(), "each once");
}

fn in_order(rows: Vec<(ReadingRow, NaiveDate, i64)>) -> Vec<ReadingRow> {
    rows.into_iter().map(|(row, ..)| row).collect()
}

#[tokio::test]
async fn gas_use_shown_as_0_where_it_is_missing_is_flagged_in_every_year_that_has_it() {
    each_of(billing::SERVICE, &[Engine::Sqlite], async |bed| {
        gas_use(&World::new(bed).await, |_| true, in_order).await
    })
    .await;
}

#[tokio::test]
async fn b_06_a_change_of_scale_is_told_when_the_newest_rows_come_first_and_none_is_of_new_year() {
    each(billing::SERVICE, async |bed| {
        let all = bed.engine() == Engine::Sqlite;
        let order = |mut rows: Vec<(ReadingRow, NaiveDate, i64)>| {
            rows.retain(|(_, date, _)| !matches!((date.month(), date.day()), (12, 28..) | (1, ..=3)));
            rows.reverse();
            in_order(rows)
        };
        // b2 lacks a year, b36 has its change elsewhere, b13 has none.
        gas_use(&World::new(bed).await, |b| all || is_chosen(&["b2", "b36", "b13"], b), order).await;
    })
    .await;
}

#[tokio::test]
async fn b_06_a_change_of_scale_is_told_when_rows_come_shuffled() {
    each(billing::SERVICE, async |bed| {
        let order = |rows: Vec<(ReadingRow, NaiveDate, i64)>| {
            // A prime that divides no such count leads through all of them, far from one to the next.
            let step = [7919, 7927, 7933].into_iter().find(|p| !rows.len().is_multiple_of(*p)).unwrap();
            (0..rows.len()).map(|n| rows[n * step % rows.len()].0.clone()).collect()
        };
        let some = if bed.engine() == Engine::Sqlite {
            ["b2", "b36", "b13"]
        } else {
            ["b0", "b19", "b47"]
        };
        gas_use(&World::new(bed).await, |b| is_chosen(&some, b), order).await;
    })
    .await;
}

#[tokio::test]
async fn b_06_a_change_of_scale_is_taken_back_when_the_rest_of_the_year_says_otherwise() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let homes = file_meters(&world, ["S1", "S2"], GAS.0, "4", "2017-12-31").await;
        // Litres a day: 10,000 in 2018; in 2019 less than a tenth of it for 300 days and twice as much after them, which makes 4,301 of the year.
        let mut index = 0;
        let mut rows = vec![];
        for n in 0..730 {
            let (day, used) = match n {
                0..365 => (n, 10_000),
                365..665 => (n, 900),
                _ => (n, 20_000),
            };
            index += used;
            let date = NaiveDate::from_ymd_opt(2018, 1, 1).unwrap() + Days::new(day);
            rows.extend(homes.keys().map(|meter| ReadingRow {
                meter_no: meter.clone(),
                read_at: format!("{date}T12:00:00+08:00"),
                index: Volume::from_litres(index).short().to_string(),
                source: "remote".to_owned(),
                ..Default::default()
            }));
        }
        let (early, late) = rows.split_at(665 * 2);
        import(&world, early.to_vec()).await;
        let both = BTreeSet::from([("S1".to_owned(), 2019), ("S2".to_owned(), 2019)]);
        assert_eq!(years(&world, State::Open, Code::Scale).await, both);
        let found = world.exceptions(State::Open, Code::Scale).await;
        let own = found.iter().find(|e| e.meter_no == "S2").unwrap();
        let release = ReleaseExceptionsRequest {
            request_id: key(),
            exception_ids: vec![own.exception_id.clone()],
            grounds: "another boiler".to_owned(),
        };
        world.district().release_exceptions(release).await.unwrap();
        // One more day changes nothing: what a person has closed is not found again.
        import(&world, late[..2].to_vec()).await;
        assert_eq!(years(&world, State::Open, Code::Scale).await, BTreeSet::from([("S1".to_owned(), 2019)]));
        import(&world, late[2..].to_vec()).await;
        assert_eq!(years(&world, State::Open, Code::Scale).await, BTreeSet::new());
        assert_eq!(years(&world, State::Resolved, Code::Scale).await, BTreeSet::from([("S1".to_owned(), 2019)]));
        assert_eq!(years(&world, State::Released, Code::Scale).await, BTreeSet::from([("S2".to_owned(), 2019)]));
        let open = world.district().list_cases(ListCasesRequest::default()).await.unwrap().into_inner().cases;
        assert!(open.iter().all(|c| c.state() == abnormal_case::State::Closed), "{open:?}");
    })
    .await;
}

#[tokio::test]
async fn gas_use_of_a_year_is_billed_by_the_month_and_what_is_held_is_reported() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let Some(uses) = table("gas_cambridge", "interval_daily") else { return };
        let facts = table("gas_cambridge", "expected_year_facts").unwrap();
        // The last year that most buildings have.
        let mut buildings: BTreeMap<&str, usize> = BTreeMap::new();
        for f in &facts.rows {
            *buildings.entry(facts.get(f, "year")).or_default() += 1;
        }
        let (year, _) = buildings.iter().max_by_key(|(year, count)| (**count, **year)).unwrap();
        let uses = uses.only("date", |date| date.starts_with(year));
        let first = NaiveDate::from_ymd_opt(year.parse().unwrap(), 1, 1).unwrap();
        publish(&world).await;
        let eve = first.pred_opt().unwrap().to_string();
        let homes = file_meters(&world, uses.all("building"), GAS.0, GAS.1, &eve).await;
        let rows = summed(&uses);
        assert_eq!(import(&world, rows.iter().map(|(row, ..)| row.clone()).collect()).await.accepted, rows.len());
        for (year, month) in months(first, rows.iter().map(|(_, date, _)| *date).max().unwrap()) {
            let (run, left) = run(&world, (year, month)).await;
            let here = |meter: &str| {
                rows.iter()
                    .any(|(row, date, _)| row.meter_no == meter && (date.year(), date.month()) == (year, month))
            };
            let missing = i64::try_from(homes.keys().filter(|meter| !here(meter)).count()).unwrap();
            assert_eq!((run.held, run.missing, run.parked), (0, missing, 0), "{run:?}");
            assert_eq!(run.produced + run.bills_held + missing, i64::try_from(homes.len()).unwrap(), "{run:?}");
            assert_eq!(
                i64::try_from(left.len()).unwrap(),
                run.bills_held + missing,
                "each that got no bill is on the list of the run"
            );
        }
        for (meter, home) in &homes {
            let all = stored(&world, meter).await;
            for bill in assert_sound(&world, home, 0, &all).await {
                let date = |d: &Option<contracts::hearth::r#type::v1::Date>| rpc::wire::date_of(d.as_ref(), "").unwrap();
                let (from, to) = (date(&bill.from_date), date(&bill.to_date));
                let own = rows.iter().filter(|(row, on, _)| row.meter_no == *meter && *on > from && *on <= to);
                let used = Volume::from_litres(own.map(|(.., litres)| litres).sum());
                assert_eq!(bill.volume.as_ref().unwrap().value.parse::<Volume>().unwrap(), used, "{meter} {from} {to}");
            }
        }
        assert_nothing_held_is_billed(&world).await;
    })
    .await;
}
