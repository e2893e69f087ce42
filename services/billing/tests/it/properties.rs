//! What holds of bill runs whoever was read, of whatever, in whatever order: a run that is repeated gives nothing new, no litre and no fen is lost, and nobody
//! sees in which order the readings came. What a price does with a volume has properties of its own in `rating`.

use std::collections::BTreeMap;

use contracts::hearth::billing::v1::*;
use database::Engine;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use sea_orm::{ConnectionTrait, Statement};
use testbed::each_of;

use crate::world::{HEPING, HEXI, Home, World, reading_row};

/// An agreement with its readings.
#[derive(Clone, Debug)]
struct Given {
    use_class: &'static str,
    /// Day of 2025 and index, oldest first.
    readings: Vec<(String, i64)>,
    /// The same as they came.
    came: Vec<(String, i64)>,
    /// How many came together.
    together: usize,
}

/// Up to six readings of the first quarter, of nothing to more than a meter passes in a day, for each class and one that has no price.
fn given() -> impl Strategy<Value = Given> {
    let class = prop::sample::select(vec![
        "living",
        "living",
        "independent heating",
        "non-resident at resident price",
        "no such class",
    ]);
    let uses = prop::collection::btree_map((1_u32..=3, 1_u32..=28), 0_i64..=120, 1..7);
    (class, uses, 1_usize..4).prop_flat_map(|(use_class, uses, together)| {
        let mut index = 0;
        let readings: Vec<(String, i64)> = uses
            .into_iter()
            .map(|((month, day), metres)| {
                index += metres;
                (format!("2025-{month:02}-{day:02}"), index)
            })
            .collect();
        (Just(readings.clone()), Just(readings).prop_shuffle()).prop_map(move |(readings, came)| Given {
            use_class,
            readings,
            came,
            together,
        })
    })
}

async fn texts(world: &World<'_>, sql: &str) -> Vec<String> {
    let db = world.bed.db();
    let query = Statement::from_string(db.reader().get_database_backend(), sql);
    let rows = db.reader().query_all_raw(query).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// All that a run may write but what it says of itself, to the last column.
async fn written(world: &World<'_>) -> BTreeMap<&'static str, Vec<String>> {
    let mut all = BTreeMap::new();
    for table in [
        "abnormal_case",
        "allocation",
        "bill",
        "bill_explanation",
        "bill_line",
        "credit_note",
        "held_bill",
        "ledger_entry",
        "ledger_transaction",
        "number",
        "reading",
        "reading_exception",
        "tier_use",
    ] {
        let row = match world.bed.engine() {
            Engine::Postgres => format!("{table}::text"),
            Engine::Sqlite => {
                let columns =
                    format!("SELECT group_concat('quote(' || name || ')', ' || ' || char(39) || ',' || char(39) || ' || ') FROM pragma_table_info('{table}')");
                texts(world, &columns).await.remove(0)
            }
        };
        all.insert(table, texts(world, &format!("SELECT {row} AS line FROM {table} ORDER BY line")).await);
    }
    // Reminders are told meanwhile.
    let told = ["AbnormalUsageDetected", "BillIssued", "BillReversed", "MeterReadAccepted"];
    let told = told.map(|kind| format!("'hearth.billing.v1.{kind}'")).join(", ");
    let told = format!("SELECT kind || subject FROM event WHERE kind IN ({told}) ORDER BY 1");
    all.insert("event", texts(world, &told).await);
    all
}

/// What became of an agreement, without anything that is only its own.
#[derive(Debug, PartialEq)]
struct Outcome {
    bills: Vec<Bill>,
    readings: Vec<String>,
    open: Vec<String>,
}

async fn outcome(world: &World<'_>, home: &Home) -> Outcome {
    let mut bills = vec![];
    for bill in world.bills_of(home).await {
        let request = GetBillRequest {
            bill_id: bill.bill_id,
            party_id: None,
        };
        bills.push(world.bills().get_bill(request).await.unwrap().into_inner().bill.unwrap());
    }
    bills.sort_by_key(|bill| bill.month);
    let (mut index, mut owed) = (0, 0);
    for bill in &bills {
        let litres = |metres: &Option<contracts::hearth::r#type::v1::Decimal>| metres.as_ref().unwrap().value.parse::<money::Volume>().unwrap().litres();
        assert_eq!(litres(&bill.from_index), index, "a bill begins where the one before it ended");
        index += litres(&bill.volume);
        assert_eq!(litres(&bill.to_index), index, "no litre is lost, none is billed twice");
        let lines: i64 = bill.lines.iter().map(|line| line.amount.as_ref().unwrap().minor_units).sum();
        assert_eq!(lines, bill.amount.as_ref().unwrap().minor_units);
        let volume: i64 = bill.lines.iter().map(|line| litres(&line.volume)).sum();
        assert_eq!(volume, litres(&bill.volume), "each litre has its price");
        owed += lines;
    }
    assert_eq!(world.balance(home).await.0, money::Money::from_fen(owed).to_string());
    let id = world.uuid(&home.agreement);
    let readings = format!("SELECT read_date || ' ' || value || ' ' || state || ' ' || codes FROM reading WHERE agreement_id = {id} ORDER BY read_at");
    let open = format!("SELECT date || ' ' || codes FROM reading_exception WHERE agreement_id = {id} AND state = 'OPEN' ORDER BY 1");
    Outcome {
        bills: bills.into_iter().map(nameless).collect(),
        readings: texts(world, &readings).await,
        open: texts(world, &open).await,
    }
}

/// A bill without what tells it from that of another agreement.
fn nameless(bill: Bill) -> Bill {
    Bill {
        bill_id: String::new(),
        bill_no: String::new(),
        agreement_id: String::new(),
        account_id: String::new(),
        account_no: String::new(),
        party_id: String::new(),
        branch: String::new(),
        run_id: String::new(),
        create_time: None,
        etag: String::new(),
        ..bill
    }
}

/// Lets agreements come twice, read in the order of time and as it came, bills three months, and bills them again.
async fn holds(world: &World<'_>, case: usize, homes: &[Given]) {
    let mut twins = vec![];
    for (n, given) in homes.iter().enumerate() {
        let tell = |order: &str, branch| world.tell(&format!("{order}{case}-{n}"), branch, given.use_class, "2024-12-31");
        twins.push((given, tell("T", HEXI), tell("S", HEPING)));
    }
    for (given, one, other) in &twins {
        for (home, readings) in [(one, &given.readings), (other, &given.came)] {
            world.supply(home, |s| s.state() == supply::State::InForce).await;
            world.install(home, "2024-12-31", "0").await;
            for some in readings.chunks(given.together) {
                // Not by the meter itself: whether one has fallen silent is looked at meanwhile.
                let rows = (1..).zip(some).map(|(line, (on, index))| ReadingRow {
                    source: "reader".to_owned(),
                    ..reading_row(line, home, on, &index.to_string())
                });
                world.import_readings(rows.collect()).await;
            }
        }
    }
    world.run(1).await;
    world.run(2).await;
    let march = world.run(3).await;
    let first = written(world).await;
    for month in [1, 3, 2] {
        let run = world.run(month).await;
        assert_eq!((run.produced, run.gap), (0, 0), "case {case}, month {month}: {homes:#?}");
        if month == 3 {
            let without_bill = |run: &BillRun| (run.held, run.bills_held, run.missing, run.parked, run.not_due);
            assert_eq!(run.already, march.produced + march.already, "case {case}: {homes:#?}");
            assert_eq!(without_bill(&run), without_bill(&march), "case {case}: {homes:#?}");
        }
    }
    for (table, rows) in written(world).await {
        assert_eq!(rows, first[table], "case {case}, {table}: {homes:#?}");
    }
    for (given, one, other) in &twins {
        assert_eq!(outcome(world, one).await, outcome(world, other).await, "case {case}: {given:#?}");
    }
    world.sound().await;
}

async fn of_cases(engine: Engine, cases: usize) {
    each_of(billing::SERVICE, &[engine], async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        world.clock("2025-03-31T20:00:00+08:00");
        // The same cases whenever it is run.
        let mut runner = TestRunner::deterministic();
        let homes = prop::collection::vec(given(), 3..6);
        for case in 0..cases {
            holds(&world, case, &homes.new_tree(&mut runner).unwrap().current()).await;
        }
        let bills = world.count("SELECT count(*) FROM bill").await;
        let held = world.count("SELECT count(*) FROM reading WHERE state = 'HELD'").await;
        let parked = world.count("SELECT count(*) FROM bill_run_item WHERE outcome = 'PARKED'").await;
        assert!(
            cases == 1 || bills > 5 && held > 0 && parked > 0,
            "{bills} bills, {held} held readings, {parked} parked: the cases show little"
        );
    })
    .await;
}

#[tokio::test]
async fn thread_05_a_run_that_is_repeated_gives_nothing_new_and_the_order_of_readings_is_not_seen() {
    of_cases(Engine::Sqlite, 5).await;
    of_cases(Engine::Postgres, 1).await;
}
