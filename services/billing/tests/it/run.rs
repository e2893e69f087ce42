//! Bill runs and bills.

use contracts::hearth::{
    archive::v1 as archive,
    billing::v1::{bill_run_service_client::BillRunServiceClient, bill_service_client::BillServiceClient, *},
    options::v1::Role,
};
use testbed::{each, key, reason};

use crate::world::{HEPING, HEXI, World, day, metres, text};

#[tokio::test]
async fn a_month_is_billed_once_and_reported() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (billed, missing, held) = (world.home("T1").await, world.home("T2").await, world.home("T3").await);
        let early = world
            .runs()
            .start_bill_run(StartBillRunRequest {
                request_id: key(),
                year: 2025,
                month: 1,
                branch: String::new(),
                due_days: 0,
            })
            .await
            .unwrap_err();
        assert_eq!(reason(&early), "PERIOD_NOT_OVER");
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&billed, "2025-01-31", "46").await;
        world.read(&held, "2025-01-31", "3000").await;
        let run = world.run(1).await;
        let counts = |r: &BillRun| (r.expected, r.produced, r.already, r.held, r.missing, r.parked, r.skipped, r.not_due);
        assert_eq!(counts(&run), (3, 1, 0, 1, 1, 0, 0, 0));
        assert_eq!(text(&run.amount), "131.56");
        let bill = world.bills_of(&billed).await.remove(0);
        let got = world
            .bills()
            .get_bill(GetBillRequest {
                bill_id: bill.bill_id.clone(),
                party_id: None,
            })
            .await
            .unwrap()
            .into_inner()
            .bill
            .unwrap();
        assert_eq!(got.bill_no, "BL-河西区-2025-00000001");
        assert_eq!(
            (got.from_date, got.to_date, got.due_date),
            (day("2024-12-31"), day("2025-01-31"), day("2025-02-15"))
        );
        assert_eq!(
            got.lines
                .iter()
                .map(|l| (l.tier, l.volume.clone(), l.price.clone(), text(&l.amount)))
                .collect::<Vec<_>>(),
            [(1, metres("46"), metres("2.86"), "131.56".to_owned())]
        );
        let again = world.run(1).await;
        assert_eq!(counts(&again), (3, 0, 1, 1, 1, 0, 0, 0));
        let list = world.exceptions(reading_exception::State::Open, reading_exception::Code::Missing).await;
        assert_eq!(
            list.iter().map(|e| (e.account_no.as_str(), e.date)).collect::<Vec<_>>(),
            [("T2", day("2025-01-31"))],
            "missing once"
        );
        world.read(&missing, "2025-01-31", "20").await;
        assert!(
            world
                .exceptions(reading_exception::State::Open, reading_exception::Code::Missing)
                .await
                .is_empty(),
            "found"
        );
        assert_eq!(counts(&world.run(1).await), (3, 1, 1, 1, 0, 0, 0, 0));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn two_runners_on_one_period_make_one_bill_each() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        world.clock("2025-01-31T20:00:00+08:00");
        let mut homes = vec![];
        for n in 0..12 {
            let home = world.home_in(&format!("T{n}"), if n % 2 == 0 { HEXI } else { HEPING }).await;
            world.read(&home, "2025-01-31", "46").await;
            homes.push(home);
        }
        let starts = (0..4).map(|n| {
            let mut runs = world.runs();
            async move {
                let branch = if n % 2 == 0 { String::new() } else { HEXI.to_owned() };
                runs.start_bill_run(StartBillRunRequest {
                    request_id: key(),
                    year: 2025,
                    month: 1,
                    branch,
                    due_days: 0,
                })
                .await
                .unwrap()
                .into_inner()
                .run_id
            }
        });
        let ids = futures::future::join_all(starts).await;
        let mut produced = 0;
        for id in ids {
            let run = world.finished(&id).await;
            produced += run.produced;
            assert_eq!(run.parked, 0);
        }
        assert_eq!((produced, world.count("SELECT count(*) FROM bill").await), (12, 12));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn one_bad_agreement_is_parked_and_stops_nobody() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (good, bad, worse) = (world.home("T1").await, world.home("T2").await, world.home("T3").await);
        let amended = archive::ContractAmended {
            agreement_id: bad.agreement.clone(),
            version: 2,
            use_class: "no such class".to_owned(),
            from_date: day("2024-12-31"),
        };
        world.archive.tell(&bad.agreement, &amended);
        world.supply(&bad, |s| s.use_classes[0].use_class == "no such class").await;
        world.clock("2025-01-31T20:00:00+08:00");
        for home in [&good, &bad, &worse] {
            world.read(home, "2025-01-31", "46").await;
        }
        // A bill that the run cannot see (of another installation, dated later) and the database refuses to overlap.
        let raw = bill_row(&world, &worse.agreement, "2025-01-30", "2025-02-28", "DRAFT", "X-1");
        world.sql(&raw).await.unwrap();
        world.sql("UPDATE bill SET state = 'ISSUED' WHERE bill_no = 'X-1'").await.unwrap();
        let run = world.run(1).await;
        assert_eq!((run.produced, run.parked, run.already), (1, 2, 0));
        let items = world
            .runs()
            .list_bill_run_items(ListBillRunItemsRequest {
                run_id: run.run_id,
                ..Default::default()
            })
            .await
            .unwrap()
            .into_inner()
            .items;
        assert_eq!(
            items.iter().map(|i| (i.account_no.as_str(), i.reason.as_str())).collect::<Vec<_>>(),
            [("T2", "TARIFF_MISSING"), ("T3", "BILL_PERIOD_OVERLAP")]
        );
    })
    .await;
}

/// A bill straight into the table.
fn bill_row(world: &World<'_>, agreement: &str, from: &str, to: &str, state: &str, no: &str) -> String {
    let id = world.uuid(&key());
    format!(
        "INSERT INTO bill (id, bill_no, kind, state, agreement_id, account_id, account_no, party_id, branch, year, month, from_date, to_date, from_index, to_index,
            volume, volume_before, tier_year, use_class, tariff_id, amount, paid, issue_date, due_date, de_facto, low_income, persons, installation_id, reading_id,
            run_id, credit_note_no, created_at, version)
         VALUES ({id}, '{no}', 'REGULAR', '{state}', {}, {id}, 'T', {id}, '河西区', 2025, 1, '{from}', '{to}', 0, 0, 0, 0, 2025, 'living', {id}, 0, 0, '2025-01-31',
            '2025-02-15', {no_}, {no_}, 0, {id}, {id}, {id}, '', 0, 1)",
        world.uuid(agreement),
        no_ = "false",
    )
}

#[tokio::test]
async fn d_14_live_bills_of_an_agreement_never_overlap_in_the_database() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let agreement = key();
        world
            .sql(&bill_row(&world, &agreement, "2025-01-31", "2025-02-28", "ISSUED", "X-1"))
            .await
            .unwrap();
        for (n, (from, to)) in [
            ("2025-01-31", "2025-02-28"),
            ("2025-02-27", "2025-03-31"),
            ("2025-01-01", "2025-02-01"),
            ("2025-02-10", "2025-02-11"),
        ]
        .iter()
        .enumerate()
        {
            let refused = world
                .sql(&bill_row(&world, &agreement, from, to, "ISSUED", &format!("Y-{n}")))
                .await
                .unwrap_err();
            assert!(refused.to_string().contains("bill_period_overlap"), "{refused}");
        }
        world
            .sql(&bill_row(&world, &agreement, "2025-02-28", "2025-03-31", "ISSUED", "X-2"))
            .await
            .unwrap();
        world
            .sql(&bill_row(&world, &agreement, "2025-02-10", "2025-02-11", "REVERSED", "X-3"))
            .await
            .unwrap();
        world.sql(&bill_row(&world, &key(), "2025-01-31", "2025-02-28", "ISSUED", "X-4")).await.unwrap();
        for sql in [
            "UPDATE bill SET amount = 1",
            "UPDATE bill SET to_date = '2025-06-30'",
            "DELETE FROM bill",
            "UPDATE bill SET state = 'ISSUED' WHERE bill_no = 'X-3'",
        ] {
            assert!(world.sql(sql).await.unwrap_err().to_string().contains("bill_is_immutable"), "{sql}");
        }
    })
    .await;
}

#[tokio::test]
async fn reversal_is_a_credit_note_and_the_month_is_billed_anew() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("T1").await;
        world.clock("2025-02-28T20:00:00+08:00");
        world.read(&home, "2025-01-31", "46").await;
        world.read(&home, "2025-02-28", "82").await;
        world.run(1).await;
        world.run(2).await;
        let bills = world.bills_of(&home).await;
        let reverse = |bill: &Bill, wrong| ReverseBillRequest {
            request_id: key(),
            bill_id: bill.bill_id.clone(),
            etag: bill.etag.clone(),
            reason: "misread".to_owned(),
            reading_was_wrong: wrong,
        };
        assert_eq!(
            reason(&world.bills().reverse_bill(reverse(&bills[0], false)).await.unwrap_err()),
            "BILL_NOT_LATEST"
        );
        let stale = ReverseBillRequest {
            etag: "\"0\"".to_owned(),
            ..reverse(&bills[1], false)
        };
        assert_eq!(reason(&world.bills().reverse_bill(stale).await.unwrap_err()), "ETAG_MISMATCH");
        let mut accountant = BillServiceClient::new(bed.staff_named("zhao", &[Role::Accountant]));
        let request = reverse(&bills[1], false);
        let reversed = accountant.reverse_bill(request.clone()).await.unwrap().into_inner();
        assert_eq!(accountant.reverse_bill(request).await.unwrap().into_inner(), reversed, "replayed");
        let bill = reversed.bill.unwrap();
        assert_eq!((bill.state(), bill.credit_note_no.as_str()), (bill::State::Reversed, "CN-河西区-2025-0000001"));
        assert_eq!(reason(&accountant.reverse_bill(reverse(&bill, false)).await.unwrap_err()), "BILL_REVERSED");
        assert_eq!(world.balance(&home).await, ("131.56".to_owned(), "0.00".to_owned()));
        assert_eq!(world.run(2).await.produced, 1, "the month is billed anew");
        assert_eq!(world.balance(&home).await.0, "234.52");
        // Edge 5: the reading was wrong, so it is never billed again and the next one bills the longer period.
        let latest = world
            .bills_of(&home)
            .await
            .into_iter()
            .find(|b| b.month == 2 && b.state() == bill::State::Issued)
            .unwrap();
        assert_eq!(latest.volume_before, metres("46"));
        accountant.reverse_bill(reverse(&latest, true)).await.unwrap();
        assert_eq!(world.run(2).await.missing, 1);
        world.clock("2025-03-31T20:00:00+08:00");
        world.read(&home, "2025-03-31", "115").await;
        world.run(3).await;
        let last = world.bills_of(&home).await.pop().unwrap();
        assert_eq!(
            (last.from_date, last.volume.clone(), last.volume_before.clone()),
            (day("2025-01-31"), metres("69"), metres("46"))
        );
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn customers_and_branches_see_their_own() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (one, two) = (world.home_in("T1", HEXI).await, world.home_in("T2", HEPING).await);
        world.clock("2025-01-31T20:00:00+08:00");
        for home in [&one, &two] {
            world.read(home, "2025-01-31", "46").await;
        }
        world.run(1).await;
        let foreign = world.bills_of(&two).await.remove(0);
        let mut customer = BillServiceClient::new(bed.customer(&one.party));
        let own = customer
            .list_bills(ListBillsRequest {
                party_id: Some(one.party.clone()),
                ..Default::default()
            })
            .await
            .unwrap()
            .into_inner()
            .bills;
        assert_eq!(own.iter().map(|b| b.account_no.as_str()).collect::<Vec<_>>(), ["T1"]);
        let denied = customer
            .list_bills(ListBillsRequest {
                party_id: Some(two.party.clone()),
                ..Default::default()
            })
            .await
            .unwrap_err();
        assert_eq!(denied.code(), tonic::Code::PermissionDenied);
        let denied = customer.list_bills(ListBillsRequest::default()).await.unwrap_err();
        assert_eq!(denied.code(), tonic::Code::PermissionDenied);
        let hidden = customer
            .get_bill(GetBillRequest {
                bill_id: foreign.bill_id.clone(),
                party_id: Some(one.party.clone()),
            })
            .await
            .unwrap_err();
        let unknown = customer
            .get_bill(GetBillRequest {
                bill_id: key(),
                party_id: Some(one.party.clone()),
            })
            .await
            .unwrap_err();
        assert_eq!(
            (reason(&hidden), hidden.message()),
            (reason(&unknown), unknown.message()),
            "foreign and unknown look alike"
        );
        let mut clerk = BillServiceClient::new(bed.staff_of(HEXI, &[Role::Accountant]));
        let own = clerk.list_bills(ListBillsRequest::default()).await.unwrap().into_inner().bills;
        assert_eq!(own.len(), 1);
        assert_eq!(
            reason(
                &clerk
                    .get_bill(GetBillRequest {
                        bill_id: foreign.bill_id.clone(),
                        party_id: None
                    })
                    .await
                    .unwrap_err()
            ),
            "NOT_FOUND"
        );
        let reverse = ReverseBillRequest {
            request_id: key(),
            bill_id: foreign.bill_id,
            etag: foreign.etag,
            reason: "mine".to_owned(),
            reading_was_wrong: false,
        };
        assert_eq!(reason(&clerk.reverse_bill(reverse).await.unwrap_err()), "NOT_FOUND");
        let mut runs = BillRunServiceClient::new(bed.staff_of(HEXI, &[Role::Accountant]));
        let start = |branch: &str| StartBillRunRequest {
            request_id: key(),
            year: 2025,
            month: 1,
            branch: branch.to_owned(),
            due_days: 0,
        };
        assert_eq!(runs.start_bill_run(start(HEPING)).await.unwrap_err().code(), tonic::Code::PermissionDenied);
        let id = runs.start_bill_run(start(HEXI)).await.unwrap().into_inner().run_id;
        assert_eq!(world.finished(&id).await.already, 1);
        assert_eq!(
            runs.list_bill_runs(ListBillRunsRequest::default()).await.unwrap().into_inner().runs.len(),
            1,
            "its own run only"
        );
    })
    .await;
}
