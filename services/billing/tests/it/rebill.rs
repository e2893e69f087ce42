//! B22, B23: bills that are cancelled and billed anew, over several months.

use contracts::hearth::{
    archive::v1 as archive,
    billing::v1::{bill_service_client::BillServiceClient, *},
    options::v1::Role,
};
use database::Engine;
use sea_orm::{ConnectionTrait, TransactionOptions};
use testbed::{at, each, each_of, eventually, key, reason};

use crate::{
    dues::{charge_of, fees, item, pay, publish},
    world::{HEPING, HEXI, Home, World, day, metres, reading, text},
};

pub fn anew(bill: &Bill, wrong: bool) -> CancelAndRebillRequest {
    CancelAndRebillRequest {
        request_id: key(),
        bill_id: bill.bill_id.clone(),
        etag: bill.etag.clone(),
        reason: "misread in January".to_owned(),
        reading_was_wrong: wrong,
        credits_taken_back: false,
    }
}

pub async fn rebill(world: &World<'_>, bill: &Bill, wrong: bool) -> CancelAndRebillResponse {
    world.bills().cancel_and_rebill(anew(bill, wrong)).await.unwrap().into_inner()
}

const DAYS: [&str; 3] = ["2025-01-31", "2025-02-28", "2025-03-31"];

/// Three months of a home, read and billed.
async fn quarter(world: &World<'_>, homes: &[(&Home, [&str; 3])]) {
    for (at, on) in DAYS.iter().enumerate() {
        world.clock(&format!("{on}T20:00:00+08:00"));
        for (home, indexes) in homes {
            world.read(home, on, indexes[at]).await;
        }
        let run = world.run(i32::try_from(at).unwrap() + 1).await;
        assert_eq!(usize::try_from(run.produced).unwrap(), homes.len());
    }
}

fn amounts(bills: &[Bill]) -> Vec<String> {
    bills.iter().map(|b| text(&b.amount)).collect()
}

pub async fn live(world: &World<'_>, home: &Home) -> Vec<Bill> {
    let bills = world.bills_of(home).await;
    bills.into_iter().filter(|b| b.state() != bill::State::Reversed).collect()
}

#[tokio::test]
async fn thread_20_and_26_b22_misread_month_is_billed_anew_as_true_readings_would_have_been() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (home, twin) = (world.home("R1").await, world.home("R2").await);
        // 280 instead of 240 in January: 40 m³ were billed a tier too early for February.
        quarter(&world, &[(&home, ["280", "480", "700"]), (&twin, ["240", "480", "700"])]).await;
        let wrong = world.bills_of(&home).await;
        assert_eq!(amounts(&wrong), ["800.80", "662.00", "814.20"]);
        pay(&world, &home, "800.80", "1").await;
        world.clock("2025-04-02T09:00:00+08:00");
        let true_index = RecordReadingRequest {
            read_time: Some(rpc::wire::time(at("2025-01-31T13:00:00+08:00"))),
            ..reading(&home, "2025-01-31", "240")
        };
        world.readings().record_reading(true_index).await.unwrap();
        let january = world.bills_of(&home).await.remove(0);
        let request = anew(&january, true);
        let mut accountant = world.bills();
        let answer = accountant.cancel_and_rebill(request.clone()).await.unwrap().into_inner();
        // 240 × 2.86; 60 × 2.86 + 180 × 3.36; 120 × 3.36 + 100 × 4.11.
        assert_eq!(amounts(&answer.bills), ["686.40", "776.40", "814.20"]);
        assert_eq!(amounts(&answer.reversed_bills), amounts(&wrong));
        assert_eq!(text(&answer.difference), "0.00");
        assert_eq!(accountant.cancel_and_rebill(request).await.unwrap().into_inner(), answer, "a repetition");
        let told = |bills: &[Bill]| {
            bills
                .iter()
                .map(|b| (b.from_date, b.to_date, b.volume.clone(), b.volume_before.clone(), b.lines.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            told(&live(&world, &home).await),
            told(&live(&world, &twin).await),
            "as if it had been read right"
        );
        let old = world
            .bills()
            .get_bill(GetBillRequest {
                bill_id: january.bill_id.clone(),
                party_id: None,
            })
            .await
            .unwrap()
            .into_inner()
            .bill
            .unwrap();
        assert_eq!((old.state(), &old.replaced_by_bill_id), (bill::State::Reversed, &answer.bills[0].bill_id));
        assert_eq!(
            answer.bills.iter().map(|b| &b.replaces_bill_id).collect::<Vec<_>>(),
            wrong.iter().map(|b| &b.bill_id).collect::<Vec<_>>()
        );
        // What was paid pays the new bills, the oldest first.
        assert_eq!(
            live(&world, &home).await.iter().map(|b| text(&b.paid)).collect::<Vec<_>>(),
            ["686.40", "114.40", "0.00"]
        );
        assert_eq!(world.count("SELECT count(*) FROM credit_note").await, 3);
        assert_eq!(
            world
                .count("SELECT count(*) FROM credit_note n JOIN bill b ON b.id = n.bill_id WHERE b.amount = n.amount")
                .await,
            3,
            "B23: each note is its bill to the fen"
        );
        world.sound().await;
        assert_eq!(world.run(3).await.already, 2);
        let again = world.bills().cancel_and_rebill(anew(&old, false)).await.unwrap_err();
        assert_eq!(reason(&again), "BILL_REVERSED");
        assert!(
            world
                .sql("UPDATE bill SET replaces_bill_id = NULL")
                .await
                .unwrap_err()
                .to_string()
                .contains("bill_is_immutable")
        );
    })
    .await;
}

#[tokio::test]
async fn b22_month_without_a_reading_is_billed_with_the_next_one() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("R1").await;
        quarter(&world, &[(&home, ["60", "92", "138"])]).await;
        let january = world.bills_of(&home).await.remove(0);
        let answer = rebill(&world, &january, true).await;
        assert_eq!((answer.reversed_bills.len(), text(&answer.difference).as_str()), (3, "0.00"));
        let spans: Vec<_> = answer.bills.iter().map(|b| (b.from_date, b.to_date, b.volume.clone(), b.month)).collect();
        assert_eq!(
            spans,
            [
                (day("2024-12-31"), day("2025-02-28"), metres("92"), 2),
                (day("2025-02-28"), day("2025-03-31"), metres("46"), 3)
            ]
        );
        assert_eq!(world.balance(&home).await.0, "394.68", "138 × 2.86");
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn b22_what_was_learnt_late_counts_and_nothing_is_half_done() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("R1").await;
        quarter(&world, &[(&home, ["46", "92", "138"])]).await;
        let february = world.bills_of(&home).await.remove(1);
        let amended = |class: &str| archive::ContractAmended {
            agreement_id: home.agreement.clone(),
            version: 2,
            use_class: class.to_owned(),
            from_date: day("2025-02-01"),
        };
        world.archive.tell(&home.agreement, &amended("nobody's class"));
        world.supply(&home, |s| s.use_classes.iter().any(|c| c.use_class == "nobody's class")).await;
        let before = world.bills_of(&home).await;
        let parked = world.bills().cancel_and_rebill(anew(&february, false)).await.unwrap_err();
        assert_eq!(reason(&parked), "REBILL_PARKED");
        assert_eq!(world.bills_of(&home).await, before);
        world.archive.tell(&home.agreement, &amended("independent heating"));
        world
            .supply(&home, |s| s.use_classes.iter().any(|c| c.use_class == "independent heating"))
            .await;
        let answer = rebill(&world, &february, false).await;
        // 46 × 2.76 instead of 46 × 2.86, twice.
        assert_eq!(
            (amounts(&answer.bills), text(&answer.difference)),
            (vec!["126.96".to_owned(); 2], "-9.20".to_owned())
        );
        assert_eq!(world.bills_of(&home).await[0], before[0], "January stands");
        world.sound().await;
        publish(&world, item("PIPE_MOVE", "80.5")).await;
        let fee = fees(&world)
            .charge_fee(charge_of(&home, "PIPE_MOVE", "1"))
            .await
            .unwrap()
            .into_inner()
            .bill
            .unwrap();
        assert_eq!(
            reason(&world.bills().cancel_and_rebill(anew(&fee, false)).await.unwrap_err()),
            "BILL_NOT_REGULAR"
        );
    })
    .await;
}

#[tokio::test]
async fn b24_every_number_is_found_and_a_gap_is_told() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("R1").await;
        quarter(&world, &[(&home, ["60", "92", "138"])]).await;
        rebill(&world, &world.bills_of(&home).await[2], false).await;
        let report = async || {
            let mut auditor = BillServiceClient::new(world.bed.staff(&[Role::Auditor]));
            auditor.report_numbers(ReportNumbersRequest { year: 2025 }).await.unwrap().into_inner().series
        };
        let told = |series: &[NumberSeries]| series.iter().map(|s| (s.series.clone(), s.given, s.found, s.gaps.len())).collect::<Vec<_>>();
        assert_eq!(told(&report().await), [("BL".to_owned(), 4, 4, 0), ("CN".to_owned(), 1, 1, 0)]);
        // As if three numbers had been given and lost, then one more bill.
        world.sql("UPDATE number SET last = 7 WHERE series = 'BL'").await.unwrap();
        world.clock("2025-04-30T20:00:00+08:00");
        world.read(&home, "2025-04-30", "180").await;
        world.run(4).await;
        let gap = |first: &str, last: &str| NumberGap {
            first_no: format!("BL-{HEXI}-2025-{first}"),
            last_no: format!("BL-{HEXI}-2025-{last}"),
            reason: "NO_ROW".to_owned(),
        };
        let series = report().await;
        assert_eq!((series[0].given, series[0].found, &series[0].gaps), (8, 5, &vec![gap("00000005", "00000007")]));
        world.sql("UPDATE number SET last = 9 WHERE series = 'BL'").await.unwrap();
        assert_eq!(report().await[0].gaps, [gap("00000005", "00000007"), gap("00000009", "00000009")]);
        let mut other = BillServiceClient::new(world.bed.staff_of(HEPING, &[Role::Auditor]));
        assert_eq!(other.report_numbers(ReportNumbersRequest { year: 2025 }).await.unwrap().into_inner().series, []);
    })
    .await;
}

/// The adjustments are locked, so that a rebill stands still while it rates: nobody waits for a number then. Each series is taken once, by a block for all bills.
#[tokio::test]
async fn b24_no_number_is_held_while_months_are_rated_anew() {
    // SQLite has one writer: nobody else could take a number meanwhile.
    each_of(billing::SERVICE, &[Engine::Postgres], async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("R1").await;
        quarter(&world, &[(&home, ["60", "92", "138"])]).await;
        // A number of the notes is there to be locked, and what is taken is listed.
        for sql in [
            "INSERT INTO number (series, branch, year, last) VALUES ('CN', '河西区', 2025, 0)",
            "CREATE TABLE taken (series text, first bigint, last bigint)",
            "CREATE FUNCTION list_taken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             INSERT INTO taken VALUES (NEW.series, OLD.last + 1, NEW.last); RETURN NULL; END $$",
            "CREATE TRIGGER list_taken AFTER UPDATE ON number FOR EACH ROW EXECUTE FUNCTION list_taken()",
        ] {
            world.sql(sql).await.unwrap();
        }
        let january = world.bills_of(&home).await.remove(0);
        let adjuster = bed.db().writer().begin(TransactionOptions::default()).await.unwrap();
        adjuster.execute_unprepared("LOCK TABLE adjustment IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let (mut accountant, request) = (world.bills(), anew(&january, false));
        let rebill = tokio::spawn(async move { accountant.cancel_and_rebill(request).await });
        // It has the meter, whose readings it gave back.
        let rating = "SELECT count(*) FROM pg_locks adjustment JOIN pg_locks meter ON meter.pid = adjustment.pid \
                      WHERE adjustment.relation = 'adjustment'::regclass AND NOT adjustment.granted AND meter.relation = 'meter'::regclass AND meter.mode = 'RowShareLock'";
        eventually("the rebill to rate", async || (world.count(rating).await > 0).then_some(())).await;
        world.sql("SELECT last FROM number WHERE series IN ('BL', 'CN') FOR UPDATE NOWAIT").await.unwrap();
        adjuster.commit().await.unwrap();
        assert_eq!(rebill.await.unwrap().unwrap().into_inner().bills.len(), 3);
        for (series, first, last) in [("CN", 1, 3), ("BL", 4, 6)] {
            let block = format!("SELECT count(*) FROM taken WHERE series = '{series}' AND first = {first} AND last = {last}");
            assert_eq!(world.count(&block).await, 1, "{series}");
        }
        assert_eq!(world.count("SELECT count(*) FROM taken WHERE series IN ('BL', 'CN')").await, 2, "a block for each series");
        world.sound().await;
    })
    .await;
}
