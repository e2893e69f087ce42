//! Openings: the state of a system that is replaced.

use contracts::hearth::{
    billing::v1::{
        allocation::Part::{LateFee as Late, Principal},
        dunning_step::Kind::{Demand, Overdue, Reminder},
        opening_service_client::OpeningServiceClient,
        *,
    },
    options::v1::Role,
};
use testbed::{each, eventually, key, reason};

use crate::{
    dues::{due_on, late_fee, pay, shares, two_per_mille},
    dunning::{on, requests},
    world::{HEPING, HEXI, Home, World, day, metres, text, yuan},
};

fn item(reference: &str, due: &str, amount: &str) -> OpeningItem {
    OpeningItem {
        reference: reference.to_owned(),
        due_on: due.to_owned(),
        amount: amount.to_owned(),
    }
}

fn row(home: &Home) -> OpeningRow {
    OpeningRow {
        line: 2,
        account_no: home.account_no.clone(),
        service: String::new(),
        as_of: "2025-06-30".to_owned(),
        meter_no: home.meter_no.clone(),
        index: "200".to_owned(),
        year_volume: "200".to_owned(),
        prepayment: String::new(),
        items: vec![],
    }
}

async fn import(world: &World<'_>, dry_run: bool, rows: Vec<OpeningRow>) -> ImportOpeningResponse {
    let mut accountant = OpeningServiceClient::new(world.bed.staff(&[Role::Accountant]));
    let chunk = ImportOpeningRequest {
        request_id: key(),
        dry_run,
        rows,
    };
    accountant
        .import_opening(tokio_stream::iter([chunk]))
        .await
        .unwrap()
        .into_inner()
        .message()
        .await
        .unwrap()
        .unwrap()
}

fn counts(answer: &ImportOpeningResponse) -> (i32, i32, Vec<&str>) {
    (answer.accepted, answer.repeats, answer.refused.iter().map(|r| r.reason.as_str()).collect())
}

#[tokio::test]
async fn p_9_1_tiers_and_arrears_go_on_from_the_system_before() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.tell("T1", HEXI, "living", "2024-12-31");
        world.supply(&home, |s| s.state() == supply::State::InForce).await;
        world.install(&home, "2019-05-01", "0").await;
        world.clock("2025-07-01T09:00:00+08:00");
        let opening = OpeningRow {
            items: vec![item("0612", "2025-07-20", "88.00"), item("0590", "2025-07-15", "100.00")],
            ..row(&home)
        };
        let dry = import(&world, true, vec![opening.clone()]).await;
        assert_eq!((counts(&dry), text(&dry.owed).as_str()), ((1, 0, vec![]), "188.00"));
        assert_eq!(world.count("SELECT count(*) FROM opening").await, 0, "a dry run keeps nothing");
        assert_eq!(counts(&import(&world, false, vec![opening.clone()]).await), (1, 0, vec![]));
        assert_eq!(counts(&import(&world, false, vec![opening.clone()]).await), (0, 1, vec![]), "safe to repeat");
        let other = OpeningRow {
            year_volume: "201".to_owned(),
            ..opening
        };
        assert_eq!(counts(&import(&world, false, vec![other]).await), (0, 0, vec!["OPENING_DIFFERS"]));
        assert_eq!(world.balance(&home).await, ("188.00".to_owned(), "0.00".to_owned()));
        let bills = world.bills_of(&home).await;
        assert_eq!(
            bills.iter().map(|b| (b.kind(), b.bill_no.as_str(), b.due_date)).collect::<Vec<_>>(),
            [
                (bill::Kind::Opening, "OB-HT-T1-0612", day("2025-07-20")),
                (bill::Kind::Opening, "OB-HT-T1-0590", day("2025-07-15"))
            ]
        );
        // Oldest due first, as ever.
        let take = TakePaymentRequest {
            request_id: key(),
            account_id: home.account.clone(),
            amount: yuan("120.00"),
            channel: "COUNTER".to_owned(),
            channel_reference: "1".to_owned(),
            bill_ids: vec![],
        };
        world.cashier().take_payment(take.clone()).await.unwrap();
        let paid: Vec<_> = world.bills_of(&home).await.iter().map(|b| text(&b.paid)).collect();
        assert_eq!(paid, ["20.00", "100.00"]);
        // 200 m3 were used this year: 100 m3 are left of the first tier.
        world.clock("2025-07-31T20:00:00+08:00");
        world.read(&home, "2025-07-31", "350").await;
        assert_eq!(world.run(7).await.produced, 1);
        let bill = world.bills_of(&home).await.remove(2);
        let got = world
            .bills()
            .get_bill(GetBillRequest {
                bill_id: bill.bill_id,
                party_id: None,
            })
            .await
            .unwrap()
            .into_inner()
            .bill
            .unwrap();
        assert_eq!(
            (got.from_date, got.from_index, got.volume_before),
            (day("2025-06-30"), metres("200"), metres("200"))
        );
        assert_eq!(
            got.lines.iter().map(|l| (l.tier, l.volume.clone(), text(&l.amount))).collect::<Vec<_>>(),
            [(1, metres("100"), "286.00".to_owned()), (2, metres("50"), "168.00".to_owned())]
        );
        assert_eq!(text(&got.amount), "454.00");
        world.clock("2025-08-31T20:00:00+08:00");
        world.read(&home, "2025-08-31", "470").await;
        world.run(8).await;
        // All of the 120 m3 lie between 350 and 600.
        assert_eq!(text(&world.bills_of(&home).await[3].amount), "403.20");
        assert_eq!(text(&world.sound().await.opening), "188.00");
        let reserved = TakePaymentRequest {
            request_id: key(),
            channel: "OPENING".to_owned(),
            ..take
        };
        assert_eq!(reason(&world.cashier().take_payment(reserved).await.unwrap_err()), "CHANNEL_RESERVED");
    })
    .await;
}

#[tokio::test]
async fn a_balance_taken_over_pays_and_sums_up_to_0() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (home, plain) = (world.home("T1").await, world.home("T2").await);
        world.clock("2025-07-01T09:00:00+08:00");
        let rows = vec![
            OpeningRow {
                prepayment: "300.00".to_owned(),
                items: vec![item("0612", "2025-07-15", "50.00")],
                ..row(&home)
            },
            OpeningRow {
                meter_no: String::new(),
                index: String::new(),
                year_volume: String::new(),
                prepayment: "10".to_owned(),
                ..row(&plain)
            },
        ];
        let answer = import(&world, false, rows).await;
        assert_eq!((counts(&answer), text(&answer.prepaid).as_str()), ((2, 0, vec![]), "310.00"));
        assert_eq!(
            world.balance(&home).await,
            ("0.00".to_owned(), "250.00".to_owned()),
            "the open item is paid from it"
        );
        world.clock("2025-07-31T20:00:00+08:00");
        world.read(&home, "2025-07-31", "246").await;
        world.run(7).await;
        // 46 m3 × 2.86.
        assert_eq!(world.balance(&home).await, ("0.00".to_owned(), "118.44".to_owned()));
        assert_eq!(text(&world.sound().await.opening), "-260.00");
        // Taken over by mistake: its reversal leaves the till alone.
        let list = ListPaymentsRequest {
            account_id: Some(plain.account.clone()),
            ..Default::default()
        };
        let wrong = world.accountant().list_payments(list).await.unwrap().into_inner().payments.remove(0);
        assert_eq!((wrong.channel.as_str(), wrong.receipt_no.as_str()), ("OPENING", "OB-HT-T2"));
        let reverse = ReversePaymentRequest {
            request_id: key(),
            payment_id: wrong.payment_id,
            etag: wrong.etag,
            reason: "not theirs".to_owned(),
        };
        world.accountant().reverse_payment(reverse).await.unwrap();
        let report = world.sound().await;
        assert_eq!((text(&report.opening).as_str(), text(&report.cash).as_str()), ("-250.00", "0.00"));
    })
    .await;
}

/// A state without a meter that owes and holds what is said.
fn owed(home: &Home, prepayment: &str, items: Vec<OpeningItem>) -> OpeningRow {
    OpeningRow {
        meter_no: String::new(),
        index: String::new(),
        year_volume: String::new(),
        prepayment: prepayment.to_owned(),
        items,
        ..row(home)
    }
}

#[tokio::test]
async fn late_fee_9_4_of_open_items_runs_from_the_day_they_were_due() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        two_per_mille(&world).await;
        let (home, rich) = (world.home("T1").await, world.home("T2").await);
        world.clock("2025-07-01T09:00:00+08:00");
        let rows = vec![
            owed(&home, "", vec![item("0590", "2025-05-15", "100.00"), item("0612", "2025-07-20", "88.00")]),
            owed(&rich, "300.00", vec![item("0611", "2025-06-15", "50.00")]),
        ];
        assert_eq!(counts(&import(&world, false, rows).await), (2, 0, vec![]));
        let bills = world.bills_of(&home).await;
        // 16 days of May, 30 of June and one of July: 100 x 2 per mille x 47.
        assert_eq!(due_on(&world, &bills[0], "2025-07-01").await, "9.40");
        let paid = pay(&world, &home, "59.40", "1").await;
        assert_eq!(shares(&paid), [(Late, "9.40".to_owned()), (Principal, "50.00".to_owned())]);
        // 50 x 2 per mille x 29, and 88 x 2 per mille x 10.
        assert_eq!(due_on(&world, &bills[0], "2025-07-30").await, "2.90");
        assert_eq!(due_on(&world, &bills[1], "2025-07-30").await, "1.76");
        // What was paid ahead pays the late fee of the 16 days since the 15th of June, too: 50 x 2 per mille x 16.
        let bill = world.bills_of(&rich).await.remove(0);
        assert_eq!((bill.state(), text(&bill.paid).as_str()), (bill::State::Paid, "50.00"));
        let fee = late_fee(&world, &bill).await;
        assert_eq!((text(&fee.paid).as_str(), text(&fee.due).as_str()), ("1.60", "0.00"));
        assert_eq!(world.balance(&rich).await, ("0.00".to_owned(), "248.40".to_owned()));
        assert_eq!(world.sound().await.revenue, yuan("11.00"), "two late fees; what is taken over is no revenue");
    })
    .await;
}

#[tokio::test]
async fn e2_05_open_items_are_demanded_with_the_full_time_to_pay() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        world.clock("2025-07-01T09:00:00+08:00");
        let items = vec![
            item("0590", "2025-05-15", "100.00"),
            item("0612", "2025-06-20", "88.00"),
            item("0630", "2025-07-20", "60.00"),
        ];
        assert_eq!(counts(&import(&world, false, vec![owed(&home, "", items)]).await), (1, 0, vec![]));
        let bills = world.bills_of(&home).await;
        let sent = |steps: &[DunningStep]| -> Vec<_> { steps.iter().filter(|s| !s.skipped).map(|s| (s.kind(), s.days)).collect() };
        // Overdue for 47, 11 and no days.
        assert_eq!(sent(&on(&world, &bills[0], "2025-07-01", 4).await), [(Demand, 30), (Overdue, 1)]);
        assert_eq!(sent(&on(&world, &bills[1], "2025-07-01", 3).await), [(Reminder, 1), (Overdue, 1)]);
        assert_eq!(sent(&on(&world, &bills[2], "2025-07-17", 1).await), [(Reminder, -3)]);
        // Thirty days after the demand went out, not after the day on which it should have; for that item only.
        on(&world, &bills[1], "2025-07-30", 4).await;
        assert!(requests(&world, &home).await.is_empty());
        on(&world, &bills[0], "2025-07-31", 5).await;
        let request = eventually("the request", async || requests(&world, &home).await.pop()).await;
        assert_eq!((text(&request.overdue_amount).as_str(), &request.since_date), ("100.00", &day("2025-05-15")));
    })
    .await;
}

#[tokio::test]
async fn an_opening_that_does_not_fit_is_refused_alone() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (home, billed, foreign) = (world.home("T1").await, world.home("T2").await, world.home_in("T3", HEPING).await);
        world.clock("2025-07-01T09:00:00+08:00");
        world.read(&billed, "2025-06-30", "46").await;
        world.run(6).await;
        world.read(&home, "2025-06-29", "210").await;
        let with = |change: &dyn Fn(&mut OpeningRow)| {
            let mut row = row(&home);
            change(&mut row);
            row
        };
        let rows = [
            (with(&|r| r.account_no = "T9".to_owned()), "ACCOUNT_UNKNOWN"),
            (with(&|r| r.service = "HEAT".to_owned()), "SERVICE"),
            (with(&|r| r.as_of = "2025-07-02".to_owned()), "FUTURE_DATE"),
            (with(&|r| r.meter_no = "M-T2".to_owned()), "METER_INACTIVE"),
            (with(&|r| r.index = "1e3".to_owned()), "INDEX_NOT_PLAIN_DIGITS"),
            (with(&|r| r.index = "200".to_owned()), "INDEX_OUT_OF_LINE"),
            (
                with(&|r| {
                    r.as_of = "2024-08-30".to_owned();
                    (r.meter_no, r.index) = (String::new(), String::new());
                }),
                "TARIFF_MISSING",
            ),
            (
                OpeningRow {
                    index: "46".to_owned(),
                    ..row(&billed)
                },
                "OPENING_TOO_LATE",
            ),
        ];
        let answer = import(&world, false, rows.iter().map(|(row, _)| row.clone()).collect()).await;
        assert_eq!(counts(&answer), (0, 0, rows.iter().map(|(_, reason)| *reason).collect::<Vec<_>>()));
        assert_eq!(world.count("SELECT count(*) FROM opening").await, 0);
        // Another branch does not reach it, a cashier not at all; what stands is not changed.
        let chunk = |home: &Home| ImportOpeningRequest {
            request_id: key(),
            dry_run: false,
            rows: vec![OpeningRow {
                index: "210".to_owned(),
                ..row(home)
            }],
        };
        let mut local = OpeningServiceClient::new(bed.staff_of(HEXI, &[Role::Operator]));
        let answer = local
            .import_opening(tokio_stream::iter([chunk(&foreign)]))
            .await
            .unwrap()
            .into_inner()
            .message()
            .await
            .unwrap()
            .unwrap();
        assert_eq!(answer.refused[0].reason, "ACCOUNT_UNKNOWN");
        let answer = local
            .import_opening(tokio_stream::iter([chunk(&home)]))
            .await
            .unwrap()
            .into_inner()
            .message()
            .await
            .unwrap()
            .unwrap();
        assert_eq!(answer.accepted, 1);
        let mut cashier = OpeningServiceClient::new(bed.staff(&[Role::Cashier]));
        let denied = match cashier.import_opening(tokio_stream::iter([chunk(&home)])).await {
            Err(status) => status,
            Ok(answers) => answers.into_inner().message().await.unwrap_err(),
        };
        assert_eq!(denied.code(), tonic::Code::PermissionDenied);
        for sql in ["UPDATE opening SET volume = 0", "DELETE FROM opening"] {
            assert!(world.sql(sql).await.unwrap_err().to_string().contains("append_only"), "{sql}");
        }
        world.sound().await;
    })
    .await;
}
