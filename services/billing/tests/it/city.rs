//! The city's year: every row of the data through the imports and twelve runs, against the expected bills and the list of faults. `HEARTH_CITY_DATA` names another
//! folder of the same kind.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    env, fs,
    path::Path,
};

use contracts::hearth::{
    archive::v1 as archive,
    billing::v1::{reading_exception::Code, reading_exception::State, *},
};
use database::Engine;
use money::{Money, Volume};
use testbed::{each, eventually, key};

use crate::world::{World, day, text};

fn rows(file: &str) -> Vec<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let other = env::var_os("HEARTH_CITY_DATA");
    let path = root.join(other.as_deref().unwrap_or("services/hearth/data/city".as_ref())).join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

struct Fault {
    meter_no: String,
    account_no: String,
    date: String,
    kind: String,
}

fn faults() -> Vec<Fault> {
    let fault = |r: Vec<String>| Fault {
        meter_no: r[0].clone(),
        account_no: r[1].clone(),
        date: r[2][..10].to_owned(),
        kind: r[3].clone(),
    };
    rows("faults.csv").into_iter().map(fault).collect()
}

/// Tells of the customers and files their meters.
async fn file_city(world: &World<'_>, register: &[Vec<String>]) {
    let mut meters = vec![];
    let mut last = None;
    for row in register {
        let home = world.tell(&row[0], &row[7], &row[8], "2024-12-31");
        let agreement_id = home.agreement.clone();
        if let Ok(persons) = row[9].parse() {
            let told = archive::HouseholdSizeChanged {
                agreement_id: agreement_id.clone(),
                persons,
                from_date: day("2024-12-31"),
                until_date: None,
            };
            world.archive.tell(&home.agreement, &told);
        }
        if row[10] == "1" {
            let told = archive::LowIncomeFlagChanged {
                agreement_id,
                low_income: true,
                from_date: day("2024-12-31"),
                until_date: None,
                destitute: false,
            };
            world.archive.tell(&home.agreement, &told);
        }
        meters.push(MeterRow {
            line: 0,
            meter_no: row[12].clone(),
            account_no: row[0].clone(),
            kind: match row[13].as_str() {
                "机械" => meter::Kind::Mechanical,
                "物联网" => meter::Kind::Iot,
                _ => meter::Kind::Ic,
            }
            .into(),
            model: row[14].clone(),
            qmax: row[15].clone(),
            digits: row[16].parse().unwrap(),
            installed_on: row[18].clone(),
            initial_index: row[17].clone(),
            ..Default::default()
        });
        last = Some(home);
    }
    let last = last.unwrap();
    for _ in 0..10 {
        // 660 customers are more than one look's patience on a busy machine.
        let seen = tokio::time::timeout(std::time::Duration::from_secs(9), world.supply(&last, |s| s.state() == supply::State::InForce)).await;
        if seen.is_ok() {
            break;
        }
    }
    let count = register.len() as i32;
    let answers = world.import_meters(meters).await;
    assert_eq!(
        answers.iter().map(|a| a.accepted).sum::<i32>(),
        count,
        "{:?}",
        answers.iter().flat_map(|a| &a.refused).next()
    );
}

/// Releases what looks like a seasonal jump; spikes stay.
async fn release_jumps(world: &World<'_>) -> Vec<(String, String)> {
    let mut released = vec![];
    for code in [Code::Drop50, Code::Spike50] {
        let open = world.exceptions(State::Open, code).await;
        for some in open.chunks(500) {
            let ids = some.iter().map(|e| e.exception_id.clone()).collect();
            let request = ReleaseExceptionsRequest {
                request_id: key(),
                exception_ids: ids,
                grounds: "seasonal".to_owned(),
            };
            world.district().release_exceptions(request).await.unwrap();
        }
        released.extend(open.into_iter().map(|e| (e.meter_no, iso(e.date))));
    }
    released
}

fn iso(date: Option<contracts::hearth::r#type::v1::Date>) -> String {
    date.map(|d| format!("{:04}-{:02}-{:02}", d.year, d.month, d.day)).unwrap_or_default()
}

#[derive(Default)]
struct Taken {
    repeats: i32,
    refused: BTreeMap<String, i32>,
    accepted: i32,
}

impl Taken {
    fn add(&mut self, answers: Vec<ImportReadingsResponse>) {
        for answer in answers {
            self.accepted += answer.accepted;
            self.repeats += answer.repeats;
            for row in answer.refused {
                *self.refused.entry(row.reason).or_default() += 1;
            }
        }
    }
}

/// One month after the other with its readings, or all readings at once in the order of the file: the outcome is the same.
async fn play(world: &World<'_>, monthly: bool, part: impl Fn(&str) -> bool) {
    let register: Vec<_> = rows("register.csv").into_iter().filter(|r| part(&r[0])).collect();
    let account_of: HashMap<String, String> = register.iter().map(|r| (r[12].clone(), r[0].clone())).collect();
    let faults: Vec<_> = faults().into_iter().filter(|f| part(&f.account_no)).collect();
    let own = |meter_no: &str| account_of.contains_key(meter_no) || faults.iter().any(|f| f.meter_no == meter_no);
    let readings: Vec<_> = rows("readings.csv").into_iter().filter(|r| own(&r[0])).collect();
    world.publish_tianjin().await;
    file_city(world, &register).await;

    let row = |(line, r): (usize, &Vec<String>)| ReadingRow {
        line: line as i32 + 2,
        meter_no: r[0].clone(),
        read_at: r[1].clone(),
        index: r[2].clone(),
        source: r[3].clone(),
        ..Default::default()
    };
    let mut taken = Taken::default();
    let mut released = vec![];
    if !monthly {
        world.clock("2025-12-31T23:00:00+08:00");
        taken.add(world.import_readings(readings.iter().enumerate().map(row).collect()).await);
        released = release_jumps(world).await;
    }
    for month in 1..=12 {
        if monthly {
            let last = if month == 12 {
                "2025-12-31".to_owned()
            } else {
                iso(day(&format!("2025-{:02}-01", month + 1)).map(|d| rpc::wire::date(rpc::wire::date_of(Some(&d), "").unwrap().pred_opt().unwrap())))
            };
            world.clock(&format!("{last}T23:00:00+08:00"));
            // A row from the future comes with its month's file.
            let of_month = |r: &&Vec<String>| r[1][5..7] == format!("{month:02}");
            taken.add(world.import_readings(readings.iter().filter(of_month).enumerate().map(row).collect()).await);
            released.extend(release_jumps(world).await);
        }
        let id = world.start_run(2025, month).await;
        if month == 7 {
            // The worker vanishes in the middle; another one takes over when the lease has run out.
            let seen = eventually("the first chunk", async || {
                let count = world.count("SELECT count(*) FROM bill WHERE month = 7").await;
                (count > 0).then_some(count)
            })
            .await;
            world.bed.crash().await;
            world.bed.start().await;
            world.sql("UPDATE lease SET until = 0").await.unwrap();
            assert!(seen > 0);
        }
        let run = world.finished(&id).await;
        assert_eq!((run.parked, run.already), (0, 0), "{run:?}");
    }

    // Every bill of every account without a fault, to the fen.
    let wrong: BTreeSet<&str> = faults.iter().map(|f| f.account_no.as_str()).collect();
    let mut bills: BTreeMap<String, Vec<Bill>> = BTreeMap::new();
    let mut request = ListBillsRequest {
        page_size: 500,
        ..Default::default()
    };
    loop {
        let page = world.bills().list_bills(request.clone()).await.unwrap().into_inner();
        for bill in page.bills {
            bills.entry(bill.account_no.clone()).or_default().push(bill);
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let normal = |v: &str| v.parse::<Volume>().unwrap();
    let expected: Vec<_> = rows("expected_bills.csv").into_iter().filter(|r| part(&r[0])).collect();
    let mut found = 0;
    for row in &expected {
        let bill = bills[&row[0]]
            .iter()
            .find(|b| iso(b.to_date) == row[2])
            .unwrap_or_else(|| panic!("no bill {row:?}"));
        let seen = (
            iso(bill.from_date),
            normal(&bill.volume.clone().unwrap().value),
            normal(&bill.volume_before.clone().unwrap().value),
            text(&bill.amount),
        );
        assert_eq!(
            seen,
            (row[1].clone(), normal(&row[3]), normal(&row[4]), row[5].parse::<Money>().unwrap().to_string()),
            "{row:?}"
        );
        found += 1;
    }
    assert_eq!(found, expected.len());
    for (account, own) in bills.iter().filter(|(account, _)| !wrong.contains(account.as_str())) {
        assert_eq!(own.len(), expected.iter().filter(|r| r[0] == **account).count(), "{account} has no other bill");
    }

    // Every fault where the README says.
    let mut open: BTreeMap<(String, String), (Vec<Code>, usize)> = BTreeMap::new();
    for e in world.exceptions(State::Open, Code::Unspecified).await {
        // The detector of silent meters looks when it comes by, also before a meter's later readings are there.
        if e.codes != [Code::Silent as i32] {
            open.insert((e.meter_no.clone(), iso(e.date)), (e.codes().collect(), e.readings.len()));
        }
    }
    let count = |kind: &str| faults.iter().filter(|f| f.kind == kind).count();
    for fault in &faults {
        let date = fault.date.replace("2035", "2025");
        let meter = fault.meter_no.trim_end_matches('X').to_owned();
        let at = open.get(&(meter.clone(), date.clone()));
        let has = |code| at.is_some_and(|(codes, _)| codes.contains(&code));
        let own = &bills[&fault.account_no];
        let billed = own.iter().find(|b| iso(b.to_date) == date);
        match fault.kind.as_str() {
            "lower_index" => assert!(has(Code::Reverse), "{meter} {date}"),
            "spike" => assert!(has(Code::Spike), "{meter} {date}"),
            "conflict" => assert!(has(Code::Conflict) && at.is_some_and(|(_, n)| *n == 2), "{meter} {date}"),
            "vacant" => assert!(has(Code::Zero2) && text(&billed.unwrap().amount) == "0.00", "{meter} {date}"),
            "exact_duplicate" => assert!(billed.is_some()),
            _ => assert!(has(Code::Missing), "{meter} {date} {}", fault.kind),
        }
        let is_wrong = !matches!(fault.kind.as_str(), "vacant" | "exact_duplicate");
        assert_eq!(billed.is_none(), is_wrong, "{meter} {date} {}", fault.kind);
        assert_eq!(
            own.len(),
            if is_wrong { 11 } else { 12 },
            "the next reading bills the longer period: {}",
            fault.account_no
        );
        open.remove(&(meter, date));
    }
    assert_eq!(open, BTreeMap::new(), "nothing else is open");
    assert_eq!(taken.repeats as usize, count("exact_duplicate"));
    let refused: BTreeMap<_, _> = [
        ("TIME_RANGE", "future_date"),
        ("INDEX_DIGITS", "too_many_digits"),
        ("INDEX_NOT_PLAIN_DIGITS", "not_plain_digits"),
        ("METER_UNKNOWN", "unknown_meter"),
    ]
    .into_iter()
    .map(|(reason, kind)| (reason.to_owned(), count(kind) as i32))
    .filter(|(_, n)| *n > 0)
    .collect();
    assert_eq!(taken.refused, refused);

    // At most one clean reading in twenty was held before the bulk release, and none of the released was a fault.
    let at_fault: BTreeSet<_> = faults.iter().map(|f| (f.meter_no.clone(), f.date.clone())).collect();
    let clean: Vec<_> = released.iter().filter(|r| !at_fault.contains(*r)).collect();
    assert!(
        clean.len() * 20 <= taken.accepted as usize,
        "{} of {} clean readings were held",
        clean.len(),
        taken.accepted
    );

    let report = world.sound().await;
    let total: i64 = bills.values().flatten().map(|b| b.amount.clone().unwrap().minor_units).sum();
    assert_eq!((report.receivable.unwrap().minor_units, report.revenue.unwrap().minor_units), (total, total));
    let ic = register.iter().filter(|r| r[13] == "IC卡").count() as i64;
    let runs = world.runs().list_bill_runs(ListBillRunsRequest::default()).await.unwrap().into_inner().runs;
    assert!(runs.len() == 12 && runs.iter().all(|r| r.skipped == ic && r.expected == register.len() as i64));
}

/// Plays the whole city on one engine, a tenth of it on the other.
async fn on_both(whole: Engine, monthly: bool) {
    each(billing::SERVICE, async |bed| {
        let all = bed.engine() == whole;
        play(&World::new(bed).await, monthly, |account| all || account.ends_with('7')).await
    })
    .await;
}

#[tokio::test]
async fn the_citys_year_month_by_month_equals_the_expected_bills() {
    on_both(Engine::Sqlite, true).await;
}

#[tokio::test]
async fn the_citys_year_at_once_and_shuffled_equals_the_expected_bills() {
    on_both(Engine::Postgres, false).await;
}
