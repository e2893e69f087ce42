//! The gate between pricing and issue: what is held, who releases it, what becomes of it.

use contracts::hearth::{
    archive::v1 as archive,
    billing::v1::{held_bill_service_client::HeldBillServiceClient, *},
    options::v1::Role,
};
use testbed::{Client, each, key, reason};

use crate::world::{HEPING, HEXI, Home, World, day, exchange_of, gas_meter, metres, text, yuan};

pub fn gate(world: &World<'_>, name: &str) -> HeldBillServiceClient<Client> {
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

pub async fn listed(world: &World<'_>, state: held_bill::State) -> Vec<HeldBill> {
    let request = ListHeldBillsRequest {
        state: state.into(),
        ..Default::default()
    };
    gate(world, "manager").list_held_bills(request).await.unwrap().into_inner().held_bills
}

pub fn release_of(held: &HeldBill) -> ReleaseHeldBillRequest {
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

/// A row of the table: what is looked at, a class of its own with one price, how much is on the meter at the end of each billed month before January 2026, at
/// what index it passes there and at what index it is held, and what is found then.
struct Row {
    check: BillCheck,
    price: &'static str,
    before: &'static [(&'static str, &'static str)],
    passes: &'static str,
    held: &'static str,
    likely_volume: Option<&'static str>,
    likely_amount: Option<&'static str>,
    count: i32,
}

/// One cubic metre a day: 31, 303 and 31 m³.
const STEADY: &[(&str, &str)] = &[("2025-01-31", "31"), ("2025-11-30", "334"), ("2025-12-31", "365")];
/// The same, but 25 m³ in January.
const RISEN: &[(&str, &str)] = &[("2025-01-31", "25"), ("2025-11-30", "328"), ("2025-12-31", "359")];
/// One reading more, so that there is enough to estimate by.
const KNOWN: &[(&str, &str)] = &[("2025-01-31", "31"), ("2025-10-31", "304"), ("2025-11-30", "334")];
/// So little that a reading below it is not held itself: 120 m³ in the year.
const LITTLE: &[(&str, &str)] = &[("2025-01-31", "10"), ("2025-11-30", "110"), ("2025-12-31", "120")];
/// Nothing in December.
const SEASONAL: &[(&str, &str)] = &[("2025-01-31", "31"), ("2025-11-30", "334")];

fn rows() -> Vec<Row> {
    use bill_check::Code::*;
    let row = |check: BillCheck, before, passes, held| Row {
        check,
        price: "2.00",
        before,
        passes,
        held,
        likely_volume: None,
        likely_amount: None,
        count: 0,
    };
    let half_more = |code| BillCheck {
        above_percent: 150,
        ..check(code)
    };
    vec![
        // 365 m³ in 365 days make 31 likely: up to 46.5.
        Row {
            likely_volume: Some("31"),
            ..row(half_more(VolumeRecent), STEADY, "411", "412")
        },
        // 730.00 in 365 days make 62.00 likely: up to 93.00, which are 46.5 m³.
        Row {
            likely_amount: Some("62.00"),
            ..row(half_more(AmountRecent), STEADY, "411.5", "412")
        },
        // 25 m³ in the 31 days of last January: up to 37.5. The last three bills, 359 m³ in 365 days, would let 45 pass.
        Row {
            likely_volume: Some("25"),
            ..row(half_more(VolumeYear), RISEN, "396", "397")
        },
        // 50.00 last January: up to 75.00.
        Row {
            likely_amount: Some("50.00"),
            ..row(half_more(AmountYear), RISEN, "396", "397")
        },
        // 120 m³ × 31 / 365, of which 10 would be enough.
        Row {
            likely_volume: Some("10.191"),
            ..row(
                BillCheck {
                    volume: metres("10"),
                    ..check(ZeroAfterUse)
                },
                LITTLE,
                "121",
                "120",
            )
        },
        // 1 m³ at 0.01 is a fen, 0.4 m³ is nothing.
        Row {
            price: "0.01",
            ..row(check(Credit), LITTLE, "121", "120.4")
        },
        // 31 January less 31 December and 30 November: 31 and 62 days.
        Row {
            count: 62,
            ..row(BillCheck { count: 61, ..check(Gap) }, SEASONAL, "396", "396")
        },
        row(
            BillCheck {
                volume: metres("40"),
                ..check(FirstBill)
            },
            &[],
            "39.999",
            "40",
        ),
        // The second one that ends at an estimate; neither is read.
        Row {
            count: 2,
            ..row(BillCheck { count: 1, ..check(Estimates) }, KNOWN, "", "")
        },
    ]
}

/// A home of a class whose meter hangs there since new year's eve; one that has no bill before gets its meter later.
async fn home_of(world: &World<'_>, account_no: &str, class: &str, before: &[(&str, &str)]) -> Home {
    let home = world.tell(account_no, HEXI, class, "2024-12-31");
    world.supply(&home, |s| s.state() == supply::State::InForce).await;
    if !before.is_empty() {
        world.install(&home, "2024-12-31", "0").await;
    }
    home
}

async fn estimate(world: &World<'_>, home: &Home, on: &str) {
    let request = EstimateReadingsRequest {
        request_id: key(),
        meter_nos: vec![home.meter_no.clone()],
        on_date: day(on),
        cause: estimate_readings_request::Cause::NoAccess.into(),
    };
    let outcome = world.district().estimate_readings(request).await.unwrap().into_inner().outcomes.remove(0);
    assert_eq!(outcome.reason, "", "{on}");
}

/// A notice with a class at one price for each check.
fn one_price_each(rows: &[Row]) -> PublishTariffRequest {
    let class = |row: &Row| crate::world::class(row.check.code().as_str_name(), &[(None, row.price)], tariff_class::LowIncome::Unspecified);
    PublishTariffRequest {
        classes: rows.iter().map(class).collect(),
        ..crate::world::tianjin()
    }
}

#[tokio::test]
async fn b6_every_check_holds_what_is_beyond_it_and_passes_what_is_within() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let rows = rows();
        let codes: std::collections::HashSet<_> = rows.iter().map(|row| row.check.code).collect();
        assert_eq!(codes.len(), 9, "every code that there is");
        world.tariffs().publish_tariff(one_price_each(&rows)).await.unwrap();
        let of_class = |row: &Row| BillCheck {
            use_class: row.check.code().as_str_name().to_owned(),
            ..row.check.clone()
        };
        let checks = rows.iter().map(of_class).collect();
        gate(&world, "manager").publish_bill_checks(set(HEXI, "2026-01-01", checks)).await.unwrap();
        let mut homes = vec![];
        for (n, row) in (1..).zip(&rows) {
            let class = row.check.code().as_str_name();
            let within = home_of(&world, &format!("W{n}"), class, row.before).await;
            let beyond = home_of(&world, &format!("B{n}"), class, row.before).await;
            homes.push((row, within, beyond));
        }
        let gap = |row: &Row| row.check.code() == bill_check::Code::Gap;
        let estimates = |row: &Row| row.check.code() == bill_check::Code::Estimates;
        for (month, on) in [(1, "2025-01-31"), (10, "2025-10-31"), (11, "2025-11-30"), (12, "2025-12-31")] {
            world.clock(&format!("{on}T20:00:00+08:00"));
            for (row, within, beyond) in &homes {
                if estimates(row) && month == 12 {
                    estimate(&world, beyond, on).await;
                    world.read(within, on, "365").await;
                    continue;
                }
                // What passes for the gap was read in December.
                if gap(row) && month == 12 {
                    world.read(within, on, "365").await;
                }
                let Some((_, index)) = row.before.iter().find(|(day, _)| *day == on) else {
                    continue;
                };
                for home in [within, beyond] {
                    world.read(home, on, index).await;
                }
            }
            let run = world.run(month).await;
            assert_eq!((run.held, run.bills_held, run.parked), (0, 0, 0), "{month}");
        }
        world.clock("2026-01-31T20:00:00+08:00");
        for (row, within, beyond) in &homes {
            for (home, index) in [(within, row.passes), (beyond, row.held)] {
                if row.before.is_empty() {
                    world.install(home, "2025-12-31", "0").await;
                }
                if index.is_empty() {
                    estimate(&world, home, "2026-01-31").await;
                } else {
                    world.read(home, "2026-01-31", index).await;
                }
            }
        }
        let run = world.start_run(2026, 1).await;
        let run = world.finished(&run).await;
        assert_eq!((run.produced, run.bills_held, run.held), (9, 9, 0));
        let mut held: Vec<_> = listed(&world, held_bill::State::Held)
            .await
            .into_iter()
            .map(|held| (held.account_no, held.findings))
            .collect();
        held.sort_by(|a, b| a.0.cmp(&b.0));
        let found = |row: &Row| held_bill::Finding {
            code: row.check.code,
            likely_volume: row.likely_volume.and_then(metres),
            likely_amount: row.likely_amount.and_then(yuan),
            count: row.count,
        };
        let mut wanted: Vec<_> = homes.iter().map(|(row, _, beyond)| (beyond.account_no.clone(), vec![found(row)])).collect();
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(held, wanted);
        world.sound().await;
    })
    .await;
}

/// Exchanges a meter that cannot be read any more, so that its last index is an estimate, which another person lets pass.
async fn exchanged(world: &World<'_>, home: &Home, on: &str) -> Home {
    let new = Home {
        meter_no: format!("N-{}", home.account_no),
        ..home.clone()
    };
    let mut wu = meter_service_client::MeterServiceClient::new(world.bed.staff_named("wu", &[Role::DistrictManager]));
    wu.register_meter(gas_meter(&new.meter_no)).await.unwrap();
    let exchange = ExchangeMeterRequest {
        reason: "DESTROYED".to_owned(),
        ..exchange_of(home, &new.meter_no, on, (None, "0"))
    };
    wu.exchange_meter(exchange).await.unwrap();
    let found = world.exceptions(reading_exception::State::Open, reading_exception::Code::FinalEstimated).await;
    let release = ReleaseExceptionsRequest {
        request_id: key(),
        exception_ids: found.iter().map(|e| e.exception_id.clone()).collect(),
        grounds: "photo of the ruin".to_owned(),
    };
    let mut li = reading_service_client::ReadingServiceClient::new(world.bed.staff_named("li", &[Role::DistrictManager]));
    li.release_exceptions(release).await.unwrap();
    new
}

#[tokio::test]
async fn b6_a_meter_that_went_with_an_estimate_counts_among_the_estimates() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        // More than one estimate in a row is held.
        let checks = vec![BillCheck {
            count: 1,
            ..check(bill_check::Code::Estimates)
        }];
        gate(&world, "manager").publish_bill_checks(set(HEXI, "2025-05-01", checks)).await.unwrap();
        let (swapped_now, swapped_before) = (world.home("H1").await, world.home("H2").await);
        // Whose use is known: a new meter is estimated by it.
        let usual = world.home("H3").await;
        for (month, on, index) in [(1, "2025-01-31", "31"), (2, "2025-02-28", "59"), (3, "2025-03-31", "90")] {
            world.clock(&format!("{on}T20:00:00+08:00"));
            for home in [&swapped_now, &swapped_before, &usual] {
                world.read(home, on, index).await;
            }
            assert_eq!(world.run(month).await.produced, 3);
        }
        // April: the bill of the one ends at an estimate, that of the other at a reading of its new meter.
        world.clock("2025-04-30T20:00:00+08:00");
        estimate(&world, &swapped_now, "2025-04-30").await;
        let second = exchanged(&world, &swapped_before, "2025-04-15").await;
        world.read(&second, "2025-04-30", "15").await;
        world.read(&usual, "2025-04-30", "120").await;
        assert_eq!(world.run(4).await.produced, 3);
        // May: the other way round. Both are the second estimate in a row.
        world.clock("2025-05-31T20:00:00+08:00");
        let first = exchanged(&world, &swapped_now, "2025-05-15").await;
        world.read(&first, "2025-05-31", "16").await;
        world.read(&usual, "2025-05-31", "151").await;
        estimate(&world, &second, "2025-05-31").await;
        let run = world.run(5).await;
        assert_eq!((run.produced, run.bills_held), (1, 2));
        for held in listed(&world, held_bill::State::Held).await {
            assert_eq!(
                (held.findings[0].code(), held.findings[0].count),
                (bill_check::Code::Estimates, 2),
                "{}",
                held.account_no
            );
        }
    })
    .await;
}

#[tokio::test]
async fn g_sh_a_held_bill_moves_nobody_of_its_household_up() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let shanghai = PublishTariffRequest {
            classes: vec![crate::world::sharing()],
            ..crate::world::tianjin()
        };
        world.tariffs().publish_tariff(shanghai).await.unwrap();
        strict(&world).await;
        let (one, two) = (world.home("G1").await, world.home("G2").await);
        world.join(&one, &two).await;
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&one, "2025-01-31", "400").await;
        world.read(&two, "2025-01-31", "250").await;
        // The first one comes before the second one and is held: 300 m³ are too much for a first bill.
        let run = world.run(1).await;
        assert_eq!((run.produced, run.bills_held), (1, 1));
        // 250 × 3.00, as if the first one had used nothing; above its 400 m³ it would be 120 × 3.30 and 130 × 4.20.
        let bill = world.bills_of(&one).await.remove(0);
        assert_eq!((bill.agreement_id.as_str(), text(&bill.amount).as_str()), (two.agreement.as_str(), "750.00"));
        assert_eq!(bill.volume_before, metres("0"));
        // The reading was wrong: the true one goes on above the 250 m³: 60 × 3.00 and 40 × 3.30.
        let held = listed(&world, held_bill::State::Held).await.remove(0);
        let reject = RejectHeldBillRequest {
            request_id: key(),
            held_bill_id: held.held_bill_id.clone(),
            etag: held.etag.clone(),
            grounds: "the photo shows 100".to_owned(),
        };
        gate(&world, "wang").reject_held_bill(reject).await.unwrap();
        world.clock("2025-02-01T08:00:00+08:00");
        let again = RecordReadingRequest {
            read_time: Some(rpc::wire::time(testbed::at("2025-01-31T13:00:00+08:00"))),
            ..crate::world::reading(&one, "2025-01-31", "100")
        };
        world.readings().record_reading(again).await.unwrap();
        assert_eq!(world.run(1).await.produced, 1);
        let bills = world.bills_of(&one).await;
        let late = bills.iter().find(|b| b.agreement_id == one.agreement).unwrap();
        assert_eq!((text(&late.amount).as_str(), late.volume_before.clone()), ("312.00", metres("250")));
        world.sound().await;
    })
    .await;
}
