//! The gate between pricing and issue: what is held, who releases it, what becomes of it.

use contracts::hearth::{
    archive::v1 as archive,
    billing::v1::{held_bill_service_client::HeldBillServiceClient, *},
    options::v1::Role,
};
use testbed::{Client, each, key, reason};

use crate::world::{HEPING, HEXI, Home, World, day, metres, text, yuan};

fn gate(world: &World<'_>, name: &str) -> HeldBillServiceClient<Client> {
    HeldBillServiceClient::new(world.bed.staff_named(name, &[Role::ServiceManager]))
}

fn check(code: bill_check::Code) -> BillCheck {
    BillCheck {
        code: code.into(),
        ..Default::default()
    }
}

fn set(branch: &str, from: &str, checks: Vec<BillCheck>) -> PublishBillChecksRequest {
    PublishBillChecksRequest {
        request_id: key(),
        branch: branch.to_owned(),
        from_date: day(from),
        document_reference: "会议纪要〔2025〕3号".to_owned(),
        checks,
    }
}

/// The branch holds what is a fifth and 10 m³ more than likely, and first bills of 300 m³.
async fn strict(world: &World<'_>) {
    let checks = vec![
        BillCheck {
            above_percent: 120,
            volume: metres("10"),
            ..check(bill_check::Code::VolumeRecent)
        },
        BillCheck {
            volume: metres("300"),
            ..check(bill_check::Code::FirstBill)
        },
    ];
    gate(world, "manager").publish_bill_checks(set(HEXI, "2025-01-01", checks)).await.unwrap();
}

async fn month(world: &World<'_>, home: &Home, on: &str, index: &str, month: i32) -> BillRun {
    world.clock(&format!("{on}T20:00:00+08:00"));
    world.read(home, on, index).await;
    world.run(month).await
}

async fn listed(world: &World<'_>, state: held_bill::State) -> Vec<HeldBill> {
    let request = ListHeldBillsRequest {
        state: state.into(),
        ..Default::default()
    };
    gate(world, "manager").list_held_bills(request).await.unwrap().into_inner().held_bills
}

fn release_of(held: &HeldBill) -> ReleaseHeldBillRequest {
    ReleaseHeldBillRequest {
        request_id: key(),
        held_bill_id: held.held_bill_id.clone(),
        etag: held.etag.clone(),
        grounds: "a new boiler, seen on site".to_owned(),
    }
}

#[tokio::test]
async fn b6_implausible_bill_is_held_and_released_by_a_second_person() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        strict(&world).await;
        let (home, usual) = (world.home("H1").await, world.home("H2").await);
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&usual, "2025-01-31", "50").await;
        assert_eq!(month(&world, &home, "2025-01-31", "50", 1).await.produced, 2);
        world.clock("2025-02-28T20:00:00+08:00");
        world.read(&usual, "2025-02-28", "95").await;
        // 50 m³ in 31 days make 45.161 likely in 28, so 54.193 is the most that passes; 58 × 2.86 = 165.88.
        let run = month(&world, &home, "2025-02-28", "108", 2).await;
        assert_eq!((run.produced, run.bills_held, run.expected), (1, 1, 2));
        let held = listed(&world, held_bill::State::Held).await.remove(0);
        assert_eq!(
            (
                held.account_no.as_str(),
                held.volume.clone(),
                text(&held.amount).as_str(),
                &held.from_date,
                &held.to_date
            ),
            ("H1", metres("58"), "165.88", &day("2025-01-31"), &day("2025-02-28"))
        );
        assert_eq!(
            held.findings,
            [held_bill::Finding {
                code: bill_check::Code::VolumeRecent.into(),
                likely_volume: metres("45.161"),
                likely_amount: None,
                count: 0
            }]
        );
        assert_eq!(
            (world.bills_of(&home).await.len(), world.balance(&home).await.0.as_str()),
            (1, "143.00"),
            "nothing is owed for it"
        );
        let items = ListBillRunItemsRequest {
            run_id: run.run_id.clone(),
            outcome: bill_run_item::Outcome::BillHeld.into(),
            ..Default::default()
        };
        let items = world.runs().list_bill_run_items(items).await.unwrap().into_inner().items;
        assert_eq!(items.iter().map(|i| i.reason.as_str()).collect::<Vec<_>>(), ["VOLUME_RECENT"]);
        // The very same again: one case stays one case.
        assert_eq!(world.run(2).await.bills_held, 1);
        assert_eq!(listed(&world, held_bill::State::Held).await, std::slice::from_ref(&held));
        let starter = world.count("SELECT count(DISTINCT started_by) FROM bill_run").await;
        assert!(starter >= 1 && !held.started_by.is_empty());
        let mut own = gate(&world, &held.started_by);
        assert_eq!(reason(&own.release_held_bill(release_of(&held)).await.unwrap_err()), "OWN_HELD_BILL");
        let mut wang = gate(&world, "wang");
        let request = release_of(&held);
        let released = wang.release_held_bill(request.clone()).await.unwrap().into_inner();
        let (bill, after) = (released.bill.clone().unwrap(), released.held_bill.clone().unwrap());
        assert_eq!(
            (bill.state(), text(&bill.amount).as_str(), bill.volume.clone(), bill.run_id.as_str()),
            (bill::State::Issued, "165.88", metres("58"), held.run_id.as_str())
        );
        assert_eq!(
            (after.state(), after.decided_by.as_str(), after.bill_id.as_str()),
            (held_bill::State::Released, "wang", bill.bill_id.as_str())
        );
        assert_eq!(wang.release_held_bill(request).await.unwrap().into_inner(), released, "a repetition");
        assert_eq!(reason(&wang.release_held_bill(release_of(&after)).await.unwrap_err()), "HELD_BILL_DECIDED");
        assert_eq!(world.balance(&home).await.0, "308.88");
        assert_eq!(world.run(2).await.already, 2);
        world.sound().await;
        for sql in ["UPDATE held_bill SET amount = 1", "DELETE FROM held_bill", "DELETE FROM bill_explanation"] {
            assert!(world.sql(sql).await.unwrap_err().to_string().contains("append_only"), "{sql}");
        }
    })
    .await;
}

#[tokio::test]
async fn b6_rejected_reading_is_never_billed_and_the_month_is_taken_up_again() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        strict(&world).await;
        let home = world.home("H1").await;
        // A first bill of 300 m³ does not pass here.
        assert_eq!(month(&world, &home, "2025-01-31", "300", 1).await.bills_held, 1);
        let held = listed(&world, held_bill::State::Held).await.remove(0);
        assert_eq!(held.findings[0].code(), bill_check::Code::FirstBill);
        let reject = RejectHeldBillRequest {
            request_id: key(),
            held_bill_id: held.held_bill_id.clone(),
            etag: held.etag.clone(),
            grounds: "the photo shows 30".to_owned(),
        };
        let rejected = gate(&world, "wang").reject_held_bill(reject).await.unwrap().into_inner().held_bill.unwrap();
        assert_eq!((rejected.state(), rejected.bill_id.as_str()), (held_bill::State::Rejected, ""));
        assert_eq!(world.run(1).await.missing, 1);
        world.clock("2025-02-01T08:00:00+08:00");
        world
            .readings()
            .record_reading(RecordReadingRequest {
                read_time: Some(rpc::wire::time(testbed::at("2025-01-31T13:00:00+08:00"))),
                ..crate::world::reading(&home, "2025-01-31", "30")
            })
            .await
            .unwrap();
        assert_eq!(world.run(1).await.produced, 1);
        assert_eq!(text(&world.bills_of(&home).await[0].amount), "85.80");
    })
    .await;
}

#[tokio::test]
async fn b6_later_run_supersedes_what_is_held() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let wrong = world.publish_tianjin().await;
        strict(&world).await;
        let home = world.home("H1").await;
        assert_eq!(month(&world, &home, "2025-01-31", "300", 1).await.bills_held, 1);
        let first = listed(&world, held_bill::State::Held).await.remove(0);
        assert_eq!(text(&first.amount), "858.00");
        // The class of use was another one from the first day on.
        world.archive.tell(
            &home.agreement,
            &archive::ContractAmended {
                agreement_id: home.agreement.clone(),
                version: 2,
                use_class: "independent heating".to_owned(),
                from_date: day("2024-12-31"),
            },
        );
        world
            .supply(&home, |s| s.use_classes.iter().any(|c| c.use_class == "independent heating"))
            .await;
        let mut wang = gate(&world, "wang");
        assert_eq!(reason(&wang.release_held_bill(release_of(&first)).await.unwrap_err()), "HELD_BILL_CHANGED");
        assert_eq!(world.run(1).await.bills_held, 1);
        let second = listed(&world, held_bill::State::Held).await.remove(0);
        // 300 × 2.76.
        assert_eq!(text(&second.amount), "828.00");
        let old = listed(&world, held_bill::State::Superseded).await;
        assert_eq!(old.iter().map(|h| h.held_bill_id.as_str()).collect::<Vec<_>>(), [first.held_bill_id.as_str()]);
        assert_eq!(reason(&wang.release_held_bill(release_of(&old[0])).await.unwrap_err()), "HELD_BILL_DECIDED");
        // Other checks let it pass: the next run issues it.
        world.clock("2025-02-01T08:00:00+08:00");
        gate(&world, "manager").publish_bill_checks(set(HEXI, "2025-02-01", vec![])).await.unwrap();
        assert_eq!(world.run(1).await.produced, 1);
        assert!(listed(&world, held_bill::State::Held).await.is_empty());
        assert_eq!(world.bills_of(&home).await[0].tariff_id, wrong.tariff_id);
    })
    .await;
}

#[tokio::test]
async fn b6_checks_are_data_of_a_branch_and_a_day() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let mut manager = gate(&world, "manager");
        let asked = |branch: &str, on: &str| GetBillChecksRequest {
            branch: branch.to_owned(),
            date: day(on),
        };
        let own = manager
            .get_bill_checks(asked(HEXI, "2025-03-01"))
            .await
            .unwrap()
            .into_inner()
            .check_set
            .unwrap();
        assert_eq!((own.check_set_id.as_str(), own.checks.len()), ("", 9), "the set of the service");
        let credit = vec![check(bill_check::Code::Credit)];
        let all = manager
            .publish_bill_checks(set("", "2025-01-01", credit.clone()))
            .await
            .unwrap()
            .into_inner()
            .check_set
            .unwrap();
        let gap = vec![BillCheck {
            count: 40,
            amount: yuan("1.00"),
            ..check(bill_check::Code::Gap)
        }];
        let hexi = manager
            .publish_bill_checks(set(HEXI, "2025-02-01", gap.clone()))
            .await
            .unwrap()
            .into_inner()
            .check_set
            .unwrap();
        assert_eq!((&hexi.checks, hexi.published_by.as_str()), (&gap, "manager"));
        for (branch, on, expected) in [
            (HEXI, "2025-01-31", &all),
            (HEXI, "2025-02-01", &hexi),
            (HEPING, "2025-02-01", &all),
            ("", "2025-02-01", &all),
        ] {
            let found = manager.get_bill_checks(asked(branch, on)).await.unwrap().into_inner().check_set.unwrap();
            assert_eq!(&found, expected, "{branch} {on}");
        }
        let again = manager.publish_bill_checks(set(HEXI, "2025-02-01", vec![])).await.unwrap_err();
        assert_eq!(reason(&again), "CHECK_SET_UNIQUE");
        let twice = manager
            .publish_bill_checks(set(HEXI, "2025-05-01", [credit.clone(), credit].concat()))
            .await
            .unwrap_err();
        assert_eq!(reason(&twice), "CHECK_TWICE");
        let mut clerk = HeldBillServiceClient::new(bed.staff_of(HEPING, &[Role::ServiceManager]));
        assert_eq!(
            clerk.publish_bill_checks(set(HEXI, "2025-06-01", vec![])).await.unwrap_err().code(),
            tonic::Code::PermissionDenied
        );
        assert!(
            world
                .sql("UPDATE bill_check_set SET checks = '[]'")
                .await
                .unwrap_err()
                .to_string()
                .contains("append_only")
        );
    })
    .await;
}

#[tokio::test]
async fn b6_foreign_held_bills_look_like_unknown_ones() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        strict(&world).await;
        let home = world.home("H1").await;
        assert_eq!(month(&world, &home, "2025-01-31", "300", 1).await.bills_held, 1);
        let held = listed(&world, held_bill::State::Held).await.remove(0);
        let mut foreign = HeldBillServiceClient::new(bed.staff_of(HEPING, &[Role::ServiceManager]));
        assert_eq!(reason(&foreign.release_held_bill(release_of(&held)).await.unwrap_err()), "NOT_FOUND");
        assert!(
            foreign
                .list_held_bills(ListHeldBillsRequest::default())
                .await
                .unwrap()
                .into_inner()
                .held_bills
                .is_empty()
        );
        let one = |id: String| GetHeldBillRequest { held_bill_id: id };
        assert_eq!(reason(&foreign.get_held_bill(one(held.held_bill_id.clone())).await.unwrap_err()), "NOT_FOUND");
        let own = gate(&world, "wang")
            .get_held_bill(one(held.held_bill_id.clone()))
            .await
            .unwrap()
            .into_inner()
            .held_bill
            .unwrap();
        assert_eq!(own, held);
        let stale = ReleaseHeldBillRequest {
            etag: "old".to_owned(),
            ..release_of(&held)
        };
        assert_eq!(gate(&world, "wang").release_held_bill(stale).await.unwrap_err().code(), tonic::Code::Aborted);
    })
    .await;
}
