//! Each check on little input: once as it must be, and once for each thing that it is there to find.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use calendar::NaiveDate;
use contracts::hearth::{
    journal::v1::Cursor,
    r#type::v1::{Decimal, Money},
};

use super::*;
use crate::suite::CONSUMERS;

fn money(fen: i64) -> Option<Money> {
    Some(wire::money(money::Money::from_fen(fen)))
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> Instant {
    Instant::parse_rfc3339(text).unwrap()
}

fn told<E: std::fmt::Display>(outcome: Result<impl Sized, E>) -> String {
    match outcome {
        Ok(_) => panic!("nothing was found"),
        Err(error) => format!("{error:#}"),
    }
}

const JANUARY: &str = "2025-01-31T12:00:00+08:00";
const MARCH: &str = "2025-03-31T12:00:00+08:00";

#[test]
fn one_failed_check_ends_the_play_with_a_fault() {
    let check = |outcome: Result<&str, &str>| Check {
        name: "ledger",
        outcome: outcome.map(str::to_owned).map_err(str::to_owned),
    };
    assert_eq!(ending(&[check(Ok("sum 0")), check(Ok("all equal"))]), ExitCode::SUCCESS);
    assert_eq!(ending(&[check(Ok("sum 0")), check(Err("sum 1")), check(Ok("all equal"))]), ExitCode::FAILURE);
}

#[test]
fn the_ledger_is_held_against_bills_and_payments() {
    let bill = |amount, paid| Bill {
        amount: money(amount),
        paid: money(paid),
        ..Bill::default()
    };
    let (gas, heat) = ([bill(1000, 1000), bill(500, 0)], [bill(7000, 7000)]);
    // 1 000 and 7 000 of the bills, and 200 paid ahead.
    let right = LedgerReport {
        sum: money(0),
        revenue: money(8500),
        cash: money(8200),
        receivable: money(500),
        ..LedgerReport::default()
    };
    assert!(books_balance(&right, &gas, &heat, 8200).is_ok());
    let mut wrong = vec![right.clone(); 5];
    wrong[0].sum = money(1);
    wrong[1].revenue = money(1500);
    wrong[2].cash = money(8000);
    wrong[3].receivable = money(0);
    wrong[4].faults = vec!["1 transactions that were never sealed".to_owned()];
    let words = ["the sum of all entries", "revenue", "cash", "receivable", "never sealed"];
    for (ledger, word) in wrong.iter().zip(words) {
        let told = told(books_balance(ledger, &gas, &heat, 8200));
        assert!(told.contains(word) && !told.contains(';'), "{word}: {told}");
    }
}

fn account() -> BTreeMap<String, Account> {
    let account = Account {
        account_no: "A".to_owned(),
        use_class: "living".to_owned(),
        low_income: false,
        digits: 5,
        installed: day("2024-12-31"),
        initial: 100_000,
    };
    BTreeMap::from([("M".to_owned(), account)])
}

fn reading(meter_no: &str, at: &str, index: &str, state: reading::State) -> Reading {
    Reading {
        meter_no: meter_no.to_owned(),
        read_time: Some(wire::time(Instant::parse_rfc3339(at).unwrap())),
        index: Some(Decimal { value: index.to_owned() }),
        state: state.into(),
        ..Reading::default()
    }
}

#[test]
fn every_bill_of_gas_is_the_one_of_its_readings() {
    let accounts = account();
    let readings = [
        reading("M", JANUARY, "150", reading::State::Billed),
        reading("M", MARCH, "999", reading::State::Rejected),
    ];
    // 50 m3 at 2.86.
    let bill = Figure {
        account_no: "A".to_owned(),
        from: day("2024-12-31"),
        to: day("2025-01-31"),
        volume: 50_000,
        before: 0,
        amount: 14_300,
    };
    let all = BTreeSet::from([bill.clone()]);
    assert_eq!(oracle(&accounts, &all, &readings).unwrap(), 1);

    let dear = BTreeSet::from([Figure {
        amount: 14_301,
        ..bill.clone()
    }]);
    assert!(told(oracle(&accounts, &dear, &readings)).contains("14301"));
    assert!(told(oracle(&accounts, &BTreeSet::new(), &readings)).contains("there is no bill"));
    let late = [readings[0].clone(), reading("M", MARCH, "160", reading::State::Accepted)];
    assert!(told(oracle(&accounts, &all, &late)).contains("1 accepted readings ended in no bill"));
    let strange = [reading("N", JANUARY, "150", reading::State::Billed)];
    assert!(told(oracle(&accounts, &all, &strange)).contains("meter N is billed"));
}

#[test]
fn every_bill_of_heat_is_the_one_of_its_home() {
    let home = |account_no: &str, area, indexes| Heated {
        account_no: account_no.to_owned(),
        area,
        indexes,
    };
    let homes = [home("A", "100", Some(["0", "8100"])), home("B", "70.27", None)];
    let bill = |account_no: &str, kind: bill::Kind, state: bill::State, fen| Bill {
        account_no: account_no.to_owned(),
        kind: kind.into(),
        state: state.into(),
        amount: money(fen),
        ..Bill::default()
    };
    let right = [
        bill("A", bill::Kind::HeatSeason, bill::State::Reversed, 250_000),
        bill("A", bill::Kind::HeatSettlement, bill::State::Paid, 180_300),
        bill("B", bill::Kind::HeatSeason, bill::State::Paid, 175_675),
    ];
    let look = |bills: &[Bill]| heat_oracle(&homes, &bills.iter().map(heat_figure).collect());
    assert_eq!(look(&right).unwrap(), 3);
    // A fen too much, by area and by meter; a season bill that still stands beside its settlement; a home without a bill.
    let mut wrong = vec![right.to_vec(); 4];
    wrong[0][2].amount = money(175_676);
    wrong[1][1].amount = money(180_299);
    wrong[2][0].state = bill::State::Paid.into();
    wrong[3].pop();
    for (bills, word) in wrong.iter().zip(["175676", "180299", "250000", "there is no bill"]) {
        let told = told(look(bills));
        assert!(told.contains(word), "{word}: {told}");
    }
}

#[test]
fn bills_are_held_against_the_list() {
    let city = City::of(20);
    let listed = city::expected(&city).unwrap();
    assert!(listed.len() > 12 && expected(&city, &listed).unwrap().is_ok());
    let mut fewer = listed.clone();
    let last = fewer.pop_last().unwrap();
    assert!(told(expected(&city, &fewer).unwrap()).starts_with("ours None"));
    fewer.insert(Figure {
        amount: last.amount + 1,
        ..last
    });
    assert!(told(expected(&city, &fewer).unwrap()).starts_with("ours Some"));
}

/// What the rules did with a city of three wrong rows.
#[derive(Clone)]
struct Seen {
    faults: Vec<Fault>,
    refused: Vec<(ReadingRow, Refused)>,
    repeats: BTreeMap<u32, i64>,
    exceptions: Vec<ReadingException>,
    readings: Vec<Reading>,
}

impl Seen {
    fn found(&self) -> Result<String> {
        found(&self.faults, &self.refused, &self.repeats, &self.exceptions, &self.readings)
    }
}

fn fault(meter_no: &str, at: &str, kind: &str) -> Fault {
    Fault {
        meter_no: meter_no.to_owned(),
        at: Instant::parse_rfc3339(at).unwrap(),
        kind: kind.to_owned(),
    }
}

fn exception(meter_no: &str, date: &str, code: Code) -> ReadingException {
    ReadingException {
        meter_no: meter_no.to_owned(),
        date: Some(wire::date(day(date))),
        codes: vec![code.into()],
        ..ReadingException::default()
    }
}

fn refused(meter_no: &str, reason: &str) -> (ReadingRow, Refused) {
    let row = ReadingRow {
        meter_no: meter_no.to_owned(),
        read_at: MARCH.to_owned(),
        ..ReadingRow::default()
    };
    let notice = Refused {
        line: 2,
        field: "index".to_owned(),
        reason: reason.to_owned(),
        text: String::new(),
    };
    (row, notice)
}

#[test]
fn every_fault_is_found_under_its_kind_and_nothing_else() {
    let right = Seen {
        faults: vec![
            fault("M1", JANUARY, "spike"),
            fault("M2", MARCH, "too_many_digits"),
            fault("M3", MARCH, "exact_duplicate"),
        ],
        refused: vec![refused("M2", "INDEX_DIGITS")],
        repeats: BTreeMap::from([(1, 0), (3, 1)]),
        exceptions: vec![
            exception("M1", "2025-01-31", Code::Spike),
            exception("M1", "2025-01-31", Code::OverQmax),
            exception("M2", "2025-03-31", Code::Missing),
            exception("M4", "2025-03-31", Code::Spike50),
        ],
        readings: vec![
            reading("M1", JANUARY, "999", reading::State::Rejected),
            reading("M1", MARCH, "120", reading::State::Billed),
        ],
    };
    assert!(right.found().unwrap().starts_with("3 of 3 found"));

    let wrong = |change: fn(&mut Seen), word: &str| {
        let mut seen = right.clone();
        change(&mut seen);
        let told = told(seen.found());
        assert!(told.contains(word), "{word}: {told}");
    };
    wrong(
        |seen| seen.exceptions[0].codes = vec![Code::Missing.into()],
        "spike of M1 in month 1 was not found",
    );
    wrong(
        |seen| seen.exceptions[0].date = Some(wire::date(day("2025-02-28"))),
        "spike of M1 in month 1 was not found",
    );
    wrong(
        |seen| seen.refused[0].1.reason = "TIME_RANGE".to_owned(),
        "too_many_digits of M2 in month 3 was not found",
    );
    wrong(|seen| seen.repeats = BTreeMap::from([(3, 2)]), "2 rows dropped in month 3 instead of 1");
    wrong(|seen| seen.repeats = BTreeMap::from([(3, 0)]), "0 rows dropped in month 3 instead of 1");
    wrong(|seen| seen.refused.push(refused("M9", "METER_UNKNOWN")), "M9 of");
    wrong(
        |seen| seen.exceptions.push(exception("M5", "2025-01-31", Code::Reverse)),
        "M5 is right in month 1",
    );
    wrong(
        |seen| seen.exceptions.push(exception("M5", "2025-01-31", Code::LostDigits)),
        "M5 is right in month 1 and was called CODE_LOST_DIGITS",
    );
    wrong(
        |seen| seen.readings[0].state = reading::State::Billed.into(),
        "a wrong reading of M1 is in a bill",
    );
    wrong(|seen| seen.faults[0].kind = "burst".to_owned(), "there is no rule for burst");
}

#[test]
fn one_in_twenty_of_the_clean_readings_may_be_held() {
    let faults = [fault("M0", JANUARY, "spike")];
    let held = |meters: std::ops::Range<usize>| meters.map(|n| (n.to_string(), (format!("M{n}"), at(JANUARY)))).collect::<BTreeMap<_, _>>();
    // Of 101 readings one is wrong: that it was held counts for nothing.
    assert_eq!(clean(&faults, &held(0..6), 101).unwrap(), "5 of 100 held before the release, 5.0 %");
    assert_eq!(
        clean(&faults, &held(0..7), 101).unwrap_err(),
        "6 of 100 held before the release, 6.0 %: more than 5 %"
    );
}

/// Archive tells three events, billing and hall take them; nobody else tells any.
fn standing() -> BTreeMap<&'static str, VerifyJournalResponse> {
    let events = |service: &str| if service == "archive" { 3 } else { 0 };
    let of = |service: &'static str| {
        let sources = CONSUMERS.into_iter().filter(|(consumer, _)| *consumer == service);
        let cursors = sources.map(|(_, source)| Cursor {
            source: source.to_owned(),
            position: events(source),
            ..Cursor::default()
        });
        let journal = VerifyJournalResponse {
            intact: true,
            sealed_rows: 4,
            events: events(service),
            cursors: cursors.collect(),
            ..VerifyJournalResponse::default()
        };
        (service, journal)
    };
    ["archive", "hall", "billing", "vendor"].map(of).into()
}

fn changed(service: &str, change: fn(&mut VerifyJournalResponse)) -> Standing {
    let mut journals = standing();
    change(journals.get_mut(service).unwrap());
    Standing(journals)
}

#[test]
fn every_chain_must_be_intact_and_sealed_to_its_end() {
    assert_eq!(journals(&Standing(standing())).unwrap(), "16 rows of four services, every chain intact");
    let broken = changed("billing", |journal| (journal.intact, journal.broken_position) = (false, 2));
    assert_eq!(journals(&broken).unwrap_err(), "billing at 2, 0 unsealed");
    let open = changed("archive", |journal| journal.unsealed_rows = 1);
    assert_eq!(journals(&open).unwrap_err(), "archive at 0, 1 unsealed");
}

#[test]
fn every_event_must_be_taken() {
    let all = Standing(standing());
    assert_eq!(events(&all).unwrap(), "6 taken by 7 consumers, none waits");
    assert!(all.is_quiet() && all.has_taken("billing", "archive"));
    let behind = changed("billing", |journal| journal.cursors[0].position = 2);
    assert_eq!(events(&behind).unwrap_err(), "billing has taken 2 of 3 events of archive, 0 parked");
    assert!(!behind.is_quiet() && !behind.has_taken("billing", "archive"));
    let parked = changed("billing", |journal| journal.cursors[0].parked = 1);
    assert_eq!(events(&parked).unwrap_err(), "billing has taken 3 of 3 events of archive, 1 parked");
    // One that never began is missed although others go on, also where nothing was told yet.
    let deaf = changed("billing", |journal| journal.cursors.retain(|cursor| cursor.source != "archive"));
    assert_eq!(events(&deaf).unwrap_err(), "billing has not begun with the events of archive");
    assert!(!deaf.is_quiet() && !deaf.has_taken("billing", "archive"));
    let idle = changed("hall", |journal| journal.cursors.retain(|cursor| cursor.source != "vendor"));
    assert_eq!(events(&idle).unwrap_err(), "hall has not begun with the events of vendor");
    assert!(!idle.is_quiet());
}
