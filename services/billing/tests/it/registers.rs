//! Real registers, as they were published, through the import. They stand beside the checkout and are not part of it: a person may do without them, CI may not. What
//! `hearth import readings` does with a text before it sends it (unit, zone) is done here by hand.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use calendar::{Instant, NaiveDate};
use contracts::hearth::billing::v1::{reading_exception::Code, reading_exception::State, *};
use database::Engine;
use money::Volume;
use testbed::{each, each_of, means::has};

use crate::world::{HEXI, World, day, metres};

fn data(file: &str) -> Option<Vec<Vec<String>>> {
    let folder = std::env::var_os("HEARTH_METER_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/meters")),
        PathBuf::from,
    );
    let path = folder.join(file);
    if !has(&format!("published register {}", path.display()), path.exists()) {
        return None;
    }
    let text = std::fs::read_to_string(path).unwrap();
    Some(text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect())
}

/// A local time of Madrid, and whether it came twice: then the earlier one.
fn madrid(local: &str) -> (Instant, bool) {
    let summer = [("2016-03-27T02", "2016-10-30T03"), ("2017-03-26T02", "2017-10-29T03")];
    let is_summer = summer.iter().any(|(from, until)| (*from..*until).contains(&local));
    let twice = local.starts_with("2016-10-30T02") || local.starts_with("2017-10-29T02");
    (testbed::at(&format!("{local}{}", if is_summer { "+02:00" } else { "+01:00" })), twice)
}

/// Litres as cubic metres.
fn litres(text: &str) -> String {
    match text.split_once('e') {
        Some((number, exponent)) => format!("{number}e{:+03}", exponent.parse::<i32>().unwrap() - 3),
        None => Volume::from_litres(text.parse().unwrap()).short().to_string(),
    }
}

/// Homes with a water meter beside the gas meter that was never installed.
async fn file_meters(world: &World<'_>, meters: &BTreeSet<&str>, kind: meter::Kind, qmax: &str, first: &str) {
    let mut rows = vec![];
    let mut last = None;
    for number in meters {
        let home = world.tell(&format!("T-{number}"), HEXI, "living", first);
        rows.push(MeterRow {
            meter_no: (*number).to_owned(),
            kind: kind.into(),
            digits: 9,
            qmax: qmax.to_owned(),
            ..crate::world::meter_row(&home, first, "0")
        });
        last = Some(home);
    }
    world.supply(&last.unwrap(), |s| s.state() == supply::State::InForce).await;
    let count = rows.len() as i32;
    assert_eq!(world.import_meters(rows).await.iter().map(|a| a.accepted).sum::<i32>(), count);
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

fn at(reading: &Reading) -> i64 {
    rpc::wire::time_of(reading.read_time.as_ref(), "").unwrap().micros()
}

async fn codes(world: &World<'_>, meter_no: &str) -> BTreeMap<Code, usize> {
    let mut counts = BTreeMap::new();
    for exception in world.exceptions(State::Open, Code::Unspecified).await {
        if exception.meter_no == meter_no {
            for code in exception.codes() {
                *counts.entry(code).or_default() += 1;
            }
        }
    }
    counts
}

async fn hourly_water(world: &World<'_>, part: impl Fn(&str) -> bool) {
    let Some(rows) = data("water_daiad/readings_hourly.csv") else { return };
    let rows: Vec<_> = rows.into_iter().filter(|r| part(&r[0])).collect();
    let facts = data("water_daiad/expected_facts.csv").unwrap();
    let months = data("water_daiad/expected_monthly_naive.csv").unwrap();
    let meters: BTreeSet<&str> = rows.iter().map(|r| r[0].as_str()).collect();
    file_meters(world, &meters, meter::Kind::Water, "4", "2015-12-01").await;
    let twice = rows.iter().filter(|r| madrid(&r[1]).1).count();
    let row = |(line, r): (usize, &Vec<String>)| {
        let (at, time_twice) = madrid(&r[1]);
        ReadingRow {
            line: line as i32 + 2,
            meter_no: r[0].clone(),
            read_at: at.to_string(),
            index: litres(&r[2]),
            source: "remote".to_owned(),
            time_twice,
        }
    };
    let answers = world.import_readings(rows.iter().enumerate().map(row).collect()).await;
    let sum = |of: &dyn Fn(&ImportReadingsResponse) -> i32| answers.iter().map(of).sum::<i32>() as usize;
    assert_eq!(sum(&|a| a.refused.len() as i32), 0);
    assert_eq!(sum(&|a| a.accepted + a.repeats), rows.len());
    let mut held_twice = 0;
    for fact in facts.iter().filter(|f| part(&f[0])) {
        let number = |column: usize| fact[column].parse::<i64>().unwrap();
        let all = stored(world, &fact[0]).await;
        let values: Vec<i64> = all.iter().map(value).collect();
        let negative: Vec<i64> = values.windows(2).map(|w| w[1] - w[0]).filter(|d| *d < 0).collect();
        let largest = values.windows(2).map(|w| w[1] - w[0]).max().unwrap();
        let gaps = all.windows(2).filter(|w| at(&w[1]) - at(&w[0]) > 24 * 3_600_000_000).count();
        let seen = (
            all.len() as i64 + number(10),
            (values[0], *values.last().unwrap(), values.last().unwrap() - values[0]),
            all.iter().filter(|r| r.raw_index.contains('e')).count() as i64,
            (negative.len() as i64, negative.iter().sum::<i64>(), negative.iter().min().copied().unwrap_or(0)),
            (gaps as i64, largest),
        );
        let wanted = (
            number(2),
            (number(5), number(6), number(7)),
            number(9),
            (number(13), number(14), number(15)),
            (number(16), number(18)),
        );
        assert_eq!(seen, wanted, "{}", fact[0]);
        assert_eq!(number(12), 0, "no moment has two values");
        // On the list: lost digits, pauses, times that came twice, and where the register runs backwards or jumps.
        let found = codes(world, &fact[0]).await;
        let of = |code: Code| found.get(&code).copied().unwrap_or(0) as i64;
        assert_eq!((of(Code::LostDigits), of(Code::Gap)), (number(9), number(16)), "{} {found:?}", fact[0]);
        held_twice += of(Code::TimeTwice);
        let backwards = of(Code::Reverse) + of(Code::NewRegister) + of(Code::OverQmax);
        // Within the hour that came twice (02:00 to 03:00 on 30 October 2016) every row is held for that already.
        let that_hour = 1_477_785_600_000_000..1_477_789_200_000_000_i64;
        let steps_back = all
            .windows(2)
            .any(|w| value(&w[1]) < value(&w[0]) && !w.iter().any(|r| that_hour.contains(&at(r))));
        assert!(backwards >= i64::from(steps_back), "{} {found:?}", fact[0]);
        // What counts never runs backwards.
        let usable: Vec<i64> = all.iter().filter(|r| r.state() == reading::State::Validated).map(value).collect();
        assert!(usable.is_sorted(), "{}", fact[0]);
        // Months before validation: the last reading at or before each first of a month, nothing repaired.
        for month in months.iter().filter(|m| m[0] == fact[0]) {
            let closing = |day: &str| {
                let until = madrid(&format!("{day}T00:00:00")).0.micros();
                all.iter().rev().find(|r| at(r) <= until).map(value).unwrap()
            };
            let seen = (closing(&month[1]), closing(&month[2]), closing(&month[2]) - closing(&month[1]));
            assert_eq!(
                seen,
                (month[4].parse().unwrap(), month[6].parse().unwrap(), month[7].parse().unwrap()),
                "{month:?}"
            );
        }
    }
    let repeats = sum(&|a| a.repeats);
    assert_eq!(
        repeats as i64,
        facts.iter().filter(|f| part(&f[0])).map(|f| f[10].parse::<i64>().unwrap()).sum::<i64>()
    );
    assert_eq!(
        held_twice as usize + repeats,
        twice,
        "the exact repetitions of the file lie in the hour that came twice"
    );
    // Never in a bill: a water meter has no tariff.
    assert_eq!(world.count("SELECT count(*) FROM bill").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM reading WHERE state = 'BILLED'").await, 0);
}

#[tokio::test]
async fn water_meters_that_report_by_the_hour_count_as_published() {
    each_of(billing::SERVICE, &[Engine::Sqlite], async |bed| {
        hourly_water(&World::new(bed).await, |_| true).await
    })
    .await;
}

#[tokio::test]
async fn water_meters_that_report_by_the_hour_on_the_other_engine() {
    let some = |meter: &str| ["W015", "W071", "W005"].contains(&meter);
    each_of(billing::SERVICE, &[Engine::Postgres], async |bed| {
        hourly_water(&World::new(bed).await, some).await
    })
    .await;
}

#[tokio::test]
async fn water_meters_read_by_the_quarter_replaced_without_a_word_are_held_from_there_on() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let Some(rows) = data("water_daiad/billing_reads_quarterly.csv") else {
            return;
        };
        let events = data("water_daiad/billing_reads_events.csv").unwrap();
        let meters: BTreeSet<&str> = rows.iter().map(|r| r[0].as_str()).collect();
        file_meters(&world, &meters, meter::Kind::Water, "4", "1990-01-01").await;
        let row = |(line, r): (usize, &Vec<String>)| ReadingRow {
            line: line as i32 + 2,
            meter_no: r[0].clone(),
            read_at: format!("{}T12:00:00+01:00", r[1]),
            index: r[2].clone(),
            source: "reader".to_owned(),
            ..Default::default()
        };
        // Newest first, as published.
        let answers = world.import_readings(rows.iter().enumerate().map(row).collect()).await;
        assert!(answers.iter().all(|a| a.refused.is_empty()));
        let mut held: BTreeMap<(String, NaiveDate), Vec<Code>> = BTreeMap::new();
        for exception in world.exceptions(State::Open, Code::Unspecified).await {
            let date = rpc::wire::date_of(exception.date.as_ref(), "").unwrap();
            held.entry((exception.meter_no.clone(), date)).or_default().extend(exception.codes());
        }
        for event in events.iter().filter(|e| e[1] == "register_drop") {
            let found = held.get(&(event[0].clone(), event[4].parse().unwrap())).cloned().unwrap_or_default();
            let told = |c: &Code| matches!(c, Code::Reverse | Code::NewRegister | Code::Conflict);
            assert!(found.iter().any(told), "{event:?} {found:?}");
        }
        for meter in &meters {
            let all = stored(&world, meter).await;
            let usable: Vec<i64> = all.iter().filter(|r| r.state() == reading::State::Validated).map(value).collect();
            assert!(usable.is_sorted(), "{meter}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_heat_meter_counts_as_published_with_values_rounded_to_the_thousandth() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let Some(mut rows) = data("heat_denmark/register_hourly_660_2018.csv") else {
            return;
        };
        rows.extend(data("heat_denmark/register_daily_660_2019.csv").unwrap());
        let home = crate::heat::heated(&world, "H660", "resident", None).await;
        let register = RegisterMeterRequest {
            request_id: testbed::key(),
            meter_no: "660".to_owned(),
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
            request_id: testbed::key(),
            meter_no: "660".to_owned(),
            agreement_id: home.agreement.clone(),
            from_date: day("2018-01-01"),
            initial_index: metres("0"),
            photo_file: "photo".to_owned(),
            signed: true,
        };
        world.meters().install_meter(install).await.unwrap();
        let row = |(line, r): (usize, &Vec<String>)| ReadingRow {
            line: line as i32 + 2,
            meter_no: "660".to_owned(),
            read_at: r[1].clone(),
            index: r[2].clone(),
            source: "remote".to_owned(),
            ..Default::default()
        };
        let answers = world.import_readings(rows.iter().enumerate().map(row).collect()).await;
        assert_eq!(answers.iter().map(|a| a.accepted).sum::<i32>() as usize, rows.len());
        let all = stored(&world, "660").await;
        for month in data("heat_denmark/expected_monthly.csv").unwrap() {
            let closing = |text: &str| {
                let until = testbed::at(text).micros();
                all.iter().rev().find(|r| at(r) <= until).map(value).unwrap()
            };
            let used = Volume::from_litres(closing(&month[2]) - closing(&month[1]));
            assert_eq!(used, month[3].parse::<Volume>().unwrap(), "{month:?}");
        }
        assert_eq!(all[0].raw_index, rows[0][2], "the text as it came, with all its places");
        let run = world.start_run(2018, 2).await;
        assert_eq!(world.finished(&run).await.produced, 0);
    })
    .await;
}

#[tokio::test]
async fn gas_use_shown_as_0_where_it_is_missing_is_flagged_in_every_year_that_has_it() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let Some(rows) = data("gas_cambridge/interval_daily.csv") else { return };
        let facts = data("gas_cambridge/expected_year_facts.csv").unwrap();
        let meters: BTreeSet<&str> = rows.iter().map(|r| r[0].as_str()).collect();
        file_meters(&world, &meters, meter::Kind::Iot, "100000", "2010-12-31").await;
        let mut summed: BTreeMap<&str, i64> = BTreeMap::new();
        let mut sent = vec![];
        for (line, r) in rows.iter().enumerate() {
            let index = summed.entry(r[0].as_str()).or_default();
            *index += Volume::parse_half_up(&r[2]).unwrap().litres();
            sent.push(ReadingRow {
                line: line as i32 + 2,
                meter_no: r[0].clone(),
                read_at: format!("{}T00:00:00+08:00", r[1]),
                index: Volume::from_litres(*index).short().to_string(),
                source: "remote".to_owned(),
                ..Default::default()
            });
        }
        let answers = world.import_readings(sent).await;
        assert_eq!(
            answers.iter().map(|a| a.accepted).sum::<i32>() as usize,
            rows.len(),
            "{:?}",
            answers.iter().flat_map(|a| &a.refused).next()
        );
        let mut zeros: BTreeSet<(String, i32)> = BTreeSet::new();
        for exception in world.exceptions(State::Open, Code::ZeroRun).await {
            zeros.insert((exception.meter_no, exception.date.unwrap().year));
        }
        let wanted: BTreeSet<_> = facts
            .iter()
            .filter(|f| f[6].parse::<i64>().unwrap() > 24)
            .map(|f| (f[0].clone(), f[1].parse::<i32>().unwrap()))
            .collect();
        let missed: Vec<_> = wanted.difference(&zeros).collect();
        assert!(missed.is_empty(), "{missed:?}");
        let needless: Vec<_> = zeros.difference(&wanted).collect();
        assert!(needless.is_empty(), "{needless:?}");
        // Use an hour, against the last year before that has some: more than ten times up or down.
        let mean = |f: &Vec<String>| (Volume::parse_half_up(&f[3]).unwrap().litres(), f[2].parse::<i64>().unwrap());
        let mut wanted: BTreeSet<(String, i32)> = BTreeSet::new();
        for pair in facts.windows(2).filter(|w| w[0][0] == w[1][0]) {
            let ((old, hours), (new, now)) = (mean(&pair[0]), mean(&pair[1]));
            let (old, new) = (i128::from(old) * i128::from(now), i128::from(new) * i128::from(hours));
            if old > new * 10 || new > old * 10 {
                wanted.insert((pair[1][0].clone(), pair[1][1].parse().unwrap()));
            }
        }
        let changed: BTreeSet<_> = world
            .exceptions(State::Open, Code::Scale)
            .await
            .into_iter()
            .map(|e| (e.meter_no, e.date.unwrap().year))
            .collect();
        assert_eq!(changed, wanted);
        assert_eq!(changed.len(), 7);
    })
    .await;
}
